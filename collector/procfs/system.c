/* system.c - what /proc says of the whole machine; see system.h. */
#include "collector/procfs/system.h"

#include "base/clock.h"
#include "base/file.h"
#include "collector/procfs/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	SLOW_NS = 190 * NS_PER_MS,   /* a little below 5 Hz, so that a tick that comes early still reads */
	JITTER_NS = 100 * NS_PER_MS, /* the kernel's idle and iowait times step back a little now and then */
	SECTOR_BYTES = 512,          /* of diskstats, whatever the disk's sectors are */
};

static const char *const file_names[PROCFS_SYSTEM_FILES] = {
        [PROCFS_SYSTEM_FILE_LOADAVG] = "loadavg",
        [PROCFS_SYSTEM_FILE_STAT] = "stat",
        [PROCFS_SYSTEM_FILE_PSI_CPU] = "pressure/cpu",
        [PROCFS_SYSTEM_FILE_PSI_MEMORY] = "pressure/memory",
        [PROCFS_SYSTEM_FILE_PSI_IO] = "pressure/io",
        [PROCFS_SYSTEM_FILE_MEMINFO] = "meminfo",
        [PROCFS_SYSTEM_FILE_VMSTAT] = "vmstat",
        [PROCFS_SYSTEM_FILE_DISKSTATS] = "diskstats",
};

/* Reads all of a file, which may come in several pieces (vmstat and diskstats do). Returns the length, 0 where it cannot be read. */
static size_t read_file(struct procfs_system *system, enum procfs_system_file file)
{
	int *fd = &system->fds[file];
	if (*fd < 0 && !system->keeps_files)
		*fd = openat(system->root_fd, file_names[file], O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return 0;
	ssize_t length = file_pread(*fd, system->buffer, PROCFS_SYSTEM_BUFFER_BYTES);
	if (!system->keeps_files)
		closefd(fd);
	return length < 0 ? 0 : (size_t)length;
}

void procfs_system_open(struct procfs_system *system, int root_fd, bool keeps_files, char *buffer)
{
	*system = (struct procfs_system){.root_fd = root_fd, .keeps_files = keeps_files, .buffer = buffer};
	system->clock_tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	for (unsigned i = 0; i < PROCFS_SYSTEM_FILES; i++)
		system->fds[i] = keeps_files ? openat(root_fd, file_names[i], O_RDONLY | O_CLOEXEC) : -1;
}

void procfs_system_close(struct procfs_system *system)
{
	for (unsigned i = 0; i < PROCFS_SYSTEM_FILES; i++)
		closefd(&system->fds[i]);
}

void procfs_system_read_loadavg(struct procfs_system *system)
{
	size_t length = read_file(system, PROCFS_SYSTEM_FILE_LOADAVG);
	system->has_loadavg = procfs_parse_loadavg(system->buffer, length, &system->loadavg);
	system->record.load = system->loadavg.load;
	PROCFS_SET_BITS(system->record.present, system->has_loadavg, RH_S_load_ratio);
}

/*
 * The counter as it goes on without falling. A small step back is waited out; after a large one (cpu hotplug, suspend) it goes on from
 * where it was, and the sample is marked.
 */
static uint64_t counter_follow(struct procfs_counter *counter, uint64_t raw, bool *ret_discontinuous)
{
	if (raw >= counter->raw) {
		counter->raw = raw;
	} else if (counter->raw - raw > JITTER_NS) {
		counter->offset = procfs_sum(counter->offset, counter->raw - raw);
		counter->raw = raw;
		*ret_discontinuous = true;
	}
	return procfs_sum(counter->raw, counter->offset);
}

/* user and nice hold guest time already. iowait is idle time too, kept apart from it. */
static void set_cpu(struct procfs_system *system, const struct procfs_system_stat *stat)
{
	struct raw_system *record = &system->record;
	uint64_t irq = procfs_sum(stat->irq, stat->softirq);
	uint64_t busy = procfs_sum(procfs_sum(procfs_sum(stat->user, stat->nice), stat->system), irq);
	const struct {
		uint64_t ticks, *ret_ns;
	} counters[PROCFS_SYSTEM_CPU_COUNTERS] = {
	        {busy, &record->cpu_busy_ns},
	        {stat->idle, &record->cpu_idle_ns},
	        {stat->iowait, &record->cpu_iowait_ns},
	        {irq, &record->cpu_irq_ns},
	        {stat->steal, &record->cpu_steal_ns},
	};
	for (unsigned i = 0; i < PROCFS_SYSTEM_CPU_COUNTERS; i++)
		*counters[i].ret_ns =
		        counter_follow(&system->cpu[i], procfs_multiply(counters[i].ticks, system->clock_tick_ns), &system->discontinuous);
}

static void read_stat(struct procfs_system *system)
{
	struct raw_system *record = &system->record;
	struct procfs_system_stat stat;
	procfs_parse_system_stat(system->buffer, read_file(system, PROCFS_SYSTEM_FILE_STAT), &stat);
	bool has_cpu = stat.found >> PROCFS_SYSTEM_STAT_CPU & 1;
	if (has_cpu)
		set_cpu(system, &stat);
	PROCFS_SET_BITS(record->present, has_cpu, RH_S_cpu_busy_ratio, RH_S_cpu_iowait_ratio, RH_S_cpu_irq_ratio, RH_S_cpu_steal_ratio);
	if (stat.cpus > 0) {
		system->discontinuous |= system->cpus != 0 && system->cpus != stat.cpus;
		record->cpus = system->cpus = stat.cpus;
	}
	PROCFS_SET_BITS(record->present, stat.cpus > 0, RH_S_cpus_count);
	record->forks = stat.forks;
	PROCFS_SET_BITS(record->present, stat.found >> PROCFS_SYSTEM_STAT_FORKS & 1, RH_S_forks_count);
	record->running = stat.running > UINT32_MAX ? UINT32_MAX : (uint32_t)stat.running;
	PROCFS_SET_BITS(record->present, stat.found >> PROCFS_SYSTEM_STAT_RUNNING & 1, RH_S_running_count);
}

/* Totals are exact at the time of the read, unlike the averages beside them, which the kernel makes every 2 s. */
static void read_pressure(struct procfs_system *system)
{
	struct raw_system *record = &system->record;
	struct procfs_pressure pressure;
	procfs_parse_pressure(system->buffer, read_file(system, PROCFS_SYSTEM_FILE_PSI_CPU), &pressure);
	record->psi_cpu_some_ns = procfs_multiply(pressure.some_us, NS_PER_US);
	PROCFS_SET_BITS(record->present, pressure.has_some, RH_S_psi_cpu_some_ms_per_s);
	procfs_parse_pressure(system->buffer, read_file(system, PROCFS_SYSTEM_FILE_PSI_MEMORY), &pressure);
	record->psi_memory_some_ns = procfs_multiply(pressure.some_us, NS_PER_US);
	record->psi_memory_full_ns = procfs_multiply(pressure.full_us, NS_PER_US);
	PROCFS_SET_BITS(record->present, pressure.has_some, RH_S_psi_memory_some_ms_per_s);
	PROCFS_SET_BITS(record->present, pressure.has_full, RH_S_psi_memory_full_ms_per_s);
	procfs_parse_pressure(system->buffer, read_file(system, PROCFS_SYSTEM_FILE_PSI_IO), &pressure);
	record->psi_io_some_ns = procfs_multiply(pressure.some_us, NS_PER_US);
	record->psi_io_full_ns = procfs_multiply(pressure.full_us, NS_PER_US);
	PROCFS_SET_BITS(record->present, pressure.has_some, RH_S_psi_io_some_ms_per_s);
	PROCFS_SET_BITS(record->present, pressure.has_full, RH_S_psi_io_full_ms_per_s);
}

static void read_meminfo(struct procfs_system *system)
{
	struct raw_system *record = &system->record;
	struct procfs_meminfo memory;
	procfs_parse_meminfo(system->buffer, read_file(system, PROCFS_SYSTEM_FILE_MEMINFO), &memory);
	const uint64_t swap_total = memory.value[PROCFS_MEMINFO_SWAP_TOTAL], swap_free = memory.value[PROCFS_MEMINFO_SWAP_FREE];
	record->mem_total_bytes = procfs_multiply(memory.value[PROCFS_MEMINFO_TOTAL], 1024);
	record->mem_available_bytes = procfs_multiply(memory.value[PROCFS_MEMINFO_AVAILABLE], 1024);
	record->swap_total_bytes = procfs_multiply(swap_total, 1024);
	record->swap_used_bytes = swap_free < swap_total ? procfs_multiply(swap_total - swap_free, 1024) : 0;
	record->dirty_bytes = procfs_multiply(memory.value[PROCFS_MEMINFO_DIRTY], 1024);
	bool has_swap = memory.found >> PROCFS_MEMINFO_SWAP_TOTAL & 1;
	PROCFS_SET_BITS(record->present, memory.found >> PROCFS_MEMINFO_TOTAL & 1, RH_S_mem_total_bytes);
	PROCFS_SET_BITS(record->present, memory.found >> PROCFS_MEMINFO_AVAILABLE & 1, RH_S_mem_available_bytes);
	PROCFS_SET_BITS(record->present, has_swap, RH_S_swap_total_bytes);
	PROCFS_SET_BITS(record->present, has_swap && (memory.found >> PROCFS_MEMINFO_SWAP_FREE & 1), RH_S_swap_used_bytes);
	PROCFS_SET_BITS(record->present, memory.found >> PROCFS_MEMINFO_DIRTY & 1, RH_S_dirty_bytes);
}

static void read_vmstat(struct procfs_system *system)
{
	struct raw_system *record = &system->record;
	struct procfs_vmstat vmstat;
	procfs_parse_vmstat(system->buffer, read_file(system, PROCFS_SYSTEM_FILE_VMSTAT), &vmstat);
	const struct {
		uint64_t *count;
		uint8_t id, member;
	} counts[] = {
	        {&record->swapins, RH_S_swapins_count, PROCFS_VMSTAT_SWAPIN},
	        {&record->swapouts, RH_S_swapouts_count, PROCFS_VMSTAT_SWAPOUT},
	        {&record->allocstalls, RH_S_allocstalls_count, PROCFS_VMSTAT_ALLOCSTALL},
	        {&record->refaults, RH_S_refaults_count, PROCFS_VMSTAT_REFAULT},
	        {&record->compact_stalls, RH_S_compact_stalls_count, PROCFS_VMSTAT_COMPACT_STALL},
	        {&record->oom_kills, RH_S_oom_kills_count, PROCFS_VMSTAT_OOM_KILL},
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		*counts[i].count = vmstat.value[counts[i].member];
		PROCFS_SET_BITS(record->present, vmstat.found >> counts[i].member & 1, counts[i].id);
	}
}

/* ---- disks ---- */

/*
 * Is this a device of its own, not one made of others or of memory? What is done to a mapped or mirrored device is counted again by the
 * disks below it. Told by name: /sys/block knows more, but is no part of a /proc root, and reading it costs a file system call a disk.
 */
static bool is_disk(const char *name)
{
	static const char *const others[] = {"loop", "ram", "zram", "dm-", "md", "drbd", "bcache", "fd"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(name, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

/* What was last seen of a disk. The list keeps its order, so the place is nearly always `at`. NULL if there is no room for a new one. */
static struct procfs_disk_seen *find_disk(struct procfs_system *system, uint32_t at, const struct procfs_disk *disk)
{
	for (uint32_t i = 0; i < system->disk_count; i++) {
		struct procfs_disk_seen *seen = &system->disks[(at + i) % system->disk_count];
		if (seen->major == disk->major && seen->minor == disk->minor)
			return seen;
	}
	if (system->disk_count == PROCFS_SYSTEM_DISKS)
		return NULL;
	struct procfs_disk_seen *seen = &system->disks[system->disk_count++];
	*seen = (struct procfs_disk_seen){disk->major, disk->minor, disk->busy_ms};
	return seen;
}

/* Adds one disk to the sums. Returns its busy time since the read before, in ms. */
static uint64_t add_disk(struct procfs_system *system, uint32_t at, const struct procfs_disk *disk)
{
	struct raw_system *record = &system->record;
	record->disk_read_bytes = procfs_sum(record->disk_read_bytes, procfs_multiply(disk->read_sectors, SECTOR_BYTES));
	record->disk_write_bytes = procfs_sum(record->disk_write_bytes, procfs_multiply(disk->write_sectors, SECTOR_BYTES));
	record->disk_requests = procfs_sum(record->disk_requests, procfs_sum(disk->reads, disk->writes));
	record->disk_request_ns =
	        procfs_sum(record->disk_request_ns, procfs_multiply(procfs_sum(disk->read_ms, disk->write_ms), NS_PER_MS));
	uint64_t in_flight = procfs_sum(record->disk_inflight, disk->in_flight);
	record->disk_inflight = in_flight > UINT32_MAX ? UINT32_MAX : (uint32_t)in_flight;
	struct procfs_disk_seen *seen = find_disk(system, at, disk);
	if (!seen)
		return 0;
	uint64_t busy_ms = disk->busy_ms > seen->busy_ms ? disk->busy_ms - seen->busy_ms : 0;
	seen->busy_ms = disk->busy_ms;
	return busy_ms;
}

/* A partition follows the disk it is part of. */
static void read_diskstats(struct procfs_system *system, uint64_t elapsed_ns)
{
	struct raw_system *record = &system->record;
	size_t length = read_file(system, PROCFS_SYSTEM_FILE_DISKSTATS), offset = 0;
	record->disk_read_bytes = record->disk_write_bytes = record->disk_requests = record->disk_request_ns = 0;
	record->disk_inflight = 0;
	char whole[PROCFS_DISK_NAME_BYTES] = "";
	struct procfs_disk disk;
	uint64_t busiest_ms = 0;
	uint32_t count = 0;
	while (procfs_parse_diskstats(system->buffer, length, &offset, &disk)) {
		if (procfs_parse_is_partition(disk.name, whole))
			continue;
		memcpy(whole, disk.name, sizeof(whole));
		if (!is_disk(disk.name))
			continue;
		uint64_t busy_ms = add_disk(system, count++, &disk);
		if (busy_ms > busiest_ms)
			busiest_ms = busy_ms;
	}
	double busy = elapsed_ns ? (double)busiest_ms * NS_PER_MS / (double)elapsed_ns : 0;
	record->disk_busy_ratio = busy > 1 ? 1 : busy;
	PROCFS_SET_BITS(record->present, count > 0, RH_S_disk_read_bytes_per_s, RH_S_disk_write_bytes_per_s, RH_S_disk_inflight_count,
	        RH_S_disk_latency_ns);
	PROCFS_SET_BITS(record->present, count > 0 && elapsed_ns > 0, RH_S_disk_busy_ratio);
}

bool procfs_system_read(struct procfs_system *system, uint64_t now_ns, struct raw_system *ret_record)
{
	system->discontinuous = false;
	read_stat(system);
	read_pressure(system);
	uint64_t elapsed_ns = now_ns - system->slow_read_ns;
	bool is_first = system->slow_read_ns == 0;
	if (is_first || elapsed_ns >= SLOW_NS || !system->keeps_files) {
		read_meminfo(system);
		read_vmstat(system);
		read_diskstats(system, is_first ? 0 : elapsed_ns);
		system->slow_read_ns = now_ns;
	}
	*ret_record = system->record;
	return !system->discontinuous;
}
