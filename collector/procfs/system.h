/*
 * system.h - what /proc says of the whole machine: cpu times, memory, pressure, disks.
 *
 * /proc/stat, loadavg and the pressure totals are read in each sample. meminfo, vmstat and diskstats are longer and change more slowly: they are
 * read at most five times a second, and hold in between. A file that this kernel lacks leaves its fields absent.
 */
#ifndef COLLECTOR_PROCFS_SYSTEM_H
#define COLLECTOR_PROCFS_SYSTEM_H

#include "collector/procfs/parse.h"
#include "collector/source.h"

enum procfs_system_file {
	PROCFS_SYSTEM_FILE_LOADAVG,
	PROCFS_SYSTEM_FILE_STAT,
	PROCFS_SYSTEM_FILE_PSI_CPU,
	PROCFS_SYSTEM_FILE_PSI_MEMORY,
	PROCFS_SYSTEM_FILE_PSI_IO,
	PROCFS_SYSTEM_FILE_MEMINFO,
	PROCFS_SYSTEM_FILE_VMSTAT,
	PROCFS_SYSTEM_FILE_DISKSTATS,
	PROCFS_SYSTEM_FILES,
};

/* A counter that does not fall even where the kernel's does. */
struct procfs_counter {
	uint64_t raw, offset;
};

enum { PROCFS_SYSTEM_DISKS = 256, PROCFS_SYSTEM_CPU_COUNTERS = 5, PROCFS_SYSTEM_BUFFER_BYTES = 131072 };

struct procfs_disk_seen {
	uint32_t major, minor;
	uint64_t busy_ms;
};

struct procfs_system {
	int root_fd;      /* borrowed */
	bool keeps_files; /* false for a folder of a test: opened anew each time */
	int fds[PROCFS_SYSTEM_FILES];
	uint64_t clock_tick_ns;
	bool has_loadavg; /* `loadavg` is of the newest read */
	struct procfs_loadavg loadavg;
	uint64_t slow_read_ns; /* when meminfo, vmstat and diskstats were read, MONOTONIC; 0 never */
	uint32_t cpus;
	struct procfs_counter cpu[PROCFS_SYSTEM_CPU_COUNTERS];
	struct procfs_disk_seen disks[PROCFS_SYSTEM_DISKS];
	uint32_t disk_count;
	bool discontinuous;
	struct raw_system record; /* as of the newest read of each file */
	char *buffer;             /* [PROCFS_SYSTEM_BUFFER_BYTES], borrowed: the whole of /proc/stat on a machine with many cpus */
};

/* Opens the files. root_fd is borrowed until procfs_system_close(). */
void procfs_system_open(struct procfs_system *system, int root_fd, bool keeps_files, char *buffer);
void procfs_system_close(struct procfs_system *system);

/* Reads loadavg, which the process list needs. */
void procfs_system_read_loadavg(struct procfs_system *system);

/*
 * Reads the rest.
 *   now_ns  MONOTONIC
 * Returns false if counters ran backwards or the number of cpus changed: rates of this sample mean little.
 * Cost: 16 us; with the slow files 60 us.
 */
bool procfs_system_read(struct procfs_system *system, uint64_t now_ns, struct raw_system *ret_record);

#endif
