/*
 * parse.h - the text of /proc as numbers. Pure functions over bytes: bounded, no allocation, no locale, no system call.
 *
 * The bytes are input: any of them may be missing, cut off or absurd. Numbers too large for their type stay at its largest value.
 * Units are those of the file (ticks, pages, kB, ms); the callers turn them into ns and bytes.
 */
#ifndef COLLECTOR_PROCFS_PARSE_H
#define COLLECTOR_PROCFS_PARSE_H

#include "rogue/samples.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROCFS_PID_MAX = 4194304,          /* PID_MAX_LIMIT of the kernel: pids lie below it */
	PROCFS_KERNEL_THREAD = 0x00200000, /* PF_KTHREAD in stat:9 */
};

/* /proc/PID/schedstat, of one thread. */
struct procfs_schedstat {
	uint64_t run_ns, wait_ns, slices;
};

/* Returns false if it is not three numbers. */
bool procfs_parse_schedstat(const char *text, size_t length, struct procfs_schedstat *ret_schedstat);

/* /proc/PID/stat. `fields` is the number of the last field that could be read: members of later fields are zero. */
struct procfs_stat {
	unsigned fields;
	char command[RH_COMMAND_BYTES]; /* ended by NUL, zero to the end */
	char state;
	uint32_t ppid, flags, threads, policy;
	int32_t priority, nice;
	uint64_t minor_faults, major_faults, user_ticks, system_ticks, start_ticks, rss_pages, blkio_ticks;
};

/* Returns false if not even the state (field 3) can be read. */
bool procfs_parse_stat(const char *text, size_t length, struct procfs_stat *ret_stat);

/* /proc/PID/io. Returns false unless all four kinds of number are there. */
struct procfs_io {
	uint64_t read_calls, write_calls, read_bytes, write_bytes;
};
bool procfs_parse_io(const char *text, size_t length, struct procfs_io *ret_io);

/* /proc/PID/status. `found` has a bit 1 << PROCFS_STATUS_x for each member that the file has. */
enum procfs_status_member {
	PROCFS_STATUS_UID,
	PROCFS_STATUS_RSS,
	PROCFS_STATUS_PEAK,
	PROCFS_STATUS_ANON,
	PROCFS_STATUS_SHMEM,
	PROCFS_STATUS_SWAP,
	PROCFS_STATUS_VOLUNTARY,
	PROCFS_STATUS_INVOLUNTARY,
	PROCFS_STATUS_MEMBERS,
};
struct procfs_status {
	uint32_t found;
	uint64_t value[PROCFS_STATUS_MEMBERS]; /* memory in kB */
};

/* Returns false if it has no line of a status file. */
bool procfs_parse_status(const char *text, size_t length, struct procfs_status *ret_status);

/*
 * Next process or thread id in a buffer of getdents64().
 *   offset  where to go on, 0 at first
 * Returns false at the end of the buffer, or where its lengths make no sense.
 */
bool procfs_parse_dirent(const char *buffer, size_t length, size_t *offset, uint32_t *ret_id);

/* /proc/loadavg. Returns false if it is cut off or malformed. */
struct procfs_loadavg {
	double load;
	uint64_t running, threads, last_pid;
};
bool procfs_parse_loadavg(const char *text, size_t length, struct procfs_loadavg *ret_loadavg);

/* /proc/stat. `found` has a bit 1 << PROCFS_SYSTEM_STAT_x for each member that the file has. */
enum { PROCFS_SYSTEM_STAT_CPU, PROCFS_SYSTEM_STAT_FORKS, PROCFS_SYSTEM_STAT_RUNNING };
struct procfs_system_stat {
	uint32_t found;
	uint32_t cpus;                                                  /* cpus online: lines cpu0, cpu1, ... */
	uint64_t user, nice, system, idle, iowait, irq, softirq, steal; /* ticks */
	uint64_t forks, running;
};
bool procfs_parse_system_stat(const char *text, size_t length, struct procfs_system_stat *ret_stat);

/* /proc/meminfo in kB, as PROCFS_MEMINFO_x. */
enum procfs_meminfo_member {
	PROCFS_MEMINFO_TOTAL,
	PROCFS_MEMINFO_AVAILABLE,
	PROCFS_MEMINFO_SWAP_TOTAL,
	PROCFS_MEMINFO_SWAP_FREE,
	PROCFS_MEMINFO_DIRTY,
	PROCFS_MEMINFO_MEMBERS,
};
struct procfs_meminfo {
	uint32_t found;
	uint64_t value[PROCFS_MEMINFO_MEMBERS];
};
bool procfs_parse_meminfo(const char *text, size_t length, struct procfs_meminfo *ret_meminfo);

/* /proc/vmstat. Zones (allocstall) and kinds of pages (refault) are added up. */
enum procfs_vmstat_member {
	PROCFS_VMSTAT_SWAPIN,
	PROCFS_VMSTAT_SWAPOUT,
	PROCFS_VMSTAT_ALLOCSTALL,
	PROCFS_VMSTAT_REFAULT,
	PROCFS_VMSTAT_COMPACT_STALL,
	PROCFS_VMSTAT_OOM_KILL,
	PROCFS_VMSTAT_MEMBERS,
};
struct procfs_vmstat {
	uint32_t found;
	uint64_t value[PROCFS_VMSTAT_MEMBERS];
};
bool procfs_parse_vmstat(const char *text, size_t length, struct procfs_vmstat *ret_vmstat);

/* A file of /proc/pressure: the totals, in us. */
struct procfs_pressure {
	bool has_some, has_full;
	uint64_t some_us, full_us;
};
bool procfs_parse_pressure(const char *text, size_t length, struct procfs_pressure *ret_pressure);

/* One line of /proc/diskstats. */
enum { PROCFS_DISK_NAME_BYTES = 32 };
struct procfs_disk {
	uint32_t major, minor;
	char name[PROCFS_DISK_NAME_BYTES]; /* cut to fit */
	uint64_t reads, read_sectors, read_ms, writes, write_sectors, write_ms, in_flight, busy_ms;
};

/* Next device. `offset` as for procfs_parse_dirent(). Lines that are none are skipped. Returns false at the end. */
bool procfs_parse_diskstats(const char *text, size_t length, size_t *offset, struct procfs_disk *ret_disk);

/* Is `name` a partition of the whole disk `disk`? The kernel names it disk + number, or disk + "p" + number after a digit. */
bool procfs_parse_is_partition(const char *name, const char *disk);

#endif
