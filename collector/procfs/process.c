/* process.c - one process of /proc; see process.h. */
#include "collector/procfs/process.h"
#include "collector/procfs/clock.h"
#include "collector/procfs/value.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
	THREADS_EACH = 8,           /* threads of a process that seems asleep are looked at in one sample of so many, without clocks */
	DETAILS_ROUNDS = 8,         /* status is read at least once in so many slow rounds if the process ran at all */
	DETAILS_RSS_BYTES = 262144, /* memory that moved by this much and by ... */
	DETAILS_RSS_PART = 32,      /* ... one part in so many is worth reading status for at once */
};

/* Fields up to which stat must reach for its members to be there, by proc(5). */
enum {
	STAT_HAS_IDENTITY = 9,
	STAT_HAS_TIMES = 15,
	STAT_HAS_THREADS = 20,
	STAT_HAS_START = 22,
	STAT_HAS_RSS = 24,
	STAT_HAS_POLICY = 41,
	STAT_HAS_BLKIO = 42
};

/* Counters of one process never fall in the kernel. Where the text says otherwise, the larger value stands. */
static void raise_to(uint64_t *counter, uint64_t value)
{
	if (value > *counter)
		*counter = value;
}

void procfs_process_init(struct procfs_process *process, uint32_t pid)
{
	*process = (struct procfs_process){.pid = pid, .schedstat_fd = -1, .stat_fd = -1, .io_fd = -1, .record.pid = pid};
	procfs_thread_set_clear(&process->thread_set);
	PROCFS_SET_BITS(process->record.present, true, RH_F_pid, RH_F_flags);
}

void procfs_process_close_files(struct procfs_process *process, struct procfs_reader *reader)
{
	procfs_file_drop(&reader->files, PROCFS_FILE_GATE, &process->schedstat_fd);
	procfs_file_drop(&reader->files, PROCFS_FILE_HOT, &process->stat_fd);
	procfs_file_drop(&reader->files, PROCFS_FILE_HOT, &process->io_fd);
	procfs_thread_set_close_files(&process->thread_set, &reader->threads, &reader->files);
}

void procfs_process_release(struct procfs_process *process, struct procfs_reader *reader)
{
	procfs_process_close_files(process, reader);
	procfs_thread_set_release(&process->thread_set, &reader->threads, &reader->files, 0);
}

/* ---- cpu time ---- */

/* The cpu time of a process as a whole: from its clock to the nanosecond, or from stat in whole ticks. */
static void set_cpu_time_whole(struct procfs_process *process)
{
	raise_to(&process->record.cpu_time_ns, process->has_clock ? process->clock_ns : process->stat_cpu_ns);
}

/*
 * The cpu time of a process to the nanosecond where there is no clock. stat has all threads, ended ones too, but user and system time
 * are each cut to whole ticks: the true value lies in [stat, stat + 2 ticks). schedstat has ns, but of living threads. So the ns are added
 * to an anchor, which is moved when the sum leaves the range that stat allows, as it does when a thread ends.
 */
static void set_cpu_time(struct procfs_process *process, uint64_t living_ns, uint64_t stat_ns, uint64_t clock_tick_ns)
{
	if (process->has_clock) {
		set_cpu_time_whole(process);
		return;
	}
	uint64_t value = procfs_sum(living_ns, process->cpu_anchor_ns);
	uint64_t limit = procfs_sum(stat_ns, 2 * clock_tick_ns - 1);
	if (value < stat_ns)
		value = stat_ns;
	else if (value > limit)
		value = limit;
	process->cpu_anchor_ns = value > living_ns ? value - living_ns : 0;
	raise_to(&process->record.cpu_time_ns, value);
}

static uint64_t stat_cpu_ns(const struct procfs_stat *stat, uint64_t clock_tick_ns)
{
	return procfs_multiply(procfs_sum(stat->user_ticks, stat->system_ticks), clock_tick_ns);
}

/* Adds what schedstat knows: the living threads, and what was seen of ended ones. */
static void set_schedstat(struct procfs_process *process, const struct procfs_schedstat *living, uint64_t clock_tick_ns)
{
	const struct procfs_schedstat *gone = &process->thread_set.gone;
	set_cpu_time(process, procfs_sum(living->run_ns, gone->run_ns), process->stat_cpu_ns, clock_tick_ns);
	raise_to(&process->record.runnable_time_ns, procfs_sum(living->wait_ns, gone->wait_ns));
	raise_to(&process->record.wakeups, procfs_sum(living->slices, gone->slices));
	PROCFS_SET_BITS(process->record.present, true, RH_F_runnable_time_ns, RH_F_wakeups_count);
}

/* ---- state ---- */

static uint8_t state_of(char letter)
{
	switch (letter) {
	case 'R':
		return RH_STATE_running;
	case 'S':
		return RH_STATE_sleeping;
	case 'I':
		return RH_STATE_idle;
	case 'T':
	case 't':
		return RH_STATE_stopped;
	case 'Z':
	case 'X':
	case 'x':
		return RH_STATE_zombie;
	case 'D':
		return RH_STATE_stuck;
	default:
		return RH_STATE_unknown;
	}
}

/*
 * The state of a process is that of its busiest thread: running, else stuck, else what the main thread does. stat shows the main thread,
 * which may sleep, or even be gone (shown as a zombie), while others work.
 */
static void set_state(struct procfs_process *process)
{
	struct raw_process *record = &process->record;
	record->state = process->main_state;
	if (process->threads <= 1)
		return;
	if (process->main_state == RH_STATE_zombie)
		record->state = RH_STATE_sleeping;
	if (record->threads_running > 0)
		record->state = RH_STATE_running;
	else if (record->threads_stuck > 0)
		record->state = RH_STATE_stuck;
}

static uint16_t clip_u16(uint32_t value)
{
	return value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
}

static void set_thread_states(struct procfs_process *process, uint32_t running, uint32_t stuck)
{
	process->record.threads_running = clip_u16(running);
	process->record.threads_stuck = clip_u16(stuck);
	PROCFS_SET_BITS(process->record.present, true, RH_F_threads_running_count, RH_F_threads_stuck_count);
	set_state(process);
}

/* What only a look at the threads can tell is not known any more. */
static void unset_threads(struct procfs_process *process, struct procfs_reader *reader)
{
	procfs_thread_set_release(&process->thread_set, &reader->threads, &reader->files, 0);
	procfs_thread_set_clear(&process->thread_set);
	process->record.threads_running = process->record.threads_stuck = 0;
	PROCFS_SET_BITS(process->record.present, false, RH_F_runnable_time_ns, RH_F_wakeups_count, RH_F_threads_running_count,
	        RH_F_threads_stuck_count);
	set_cpu_time_whole(process);
	set_state(process);
}

/* ---- stat ---- */

static int8_t clip_i8(int32_t value)
{
	return value < INT8_MIN ? INT8_MIN : value > INT8_MAX ? INT8_MAX : (int8_t)value;
}

/* Another process has the pid: nothing that was known holds, except the gate, which was just read. */
static void become_another(struct procfs_process *process, struct procfs_reader *reader)
{
	struct procfs_process before = *process;
	procfs_process_release(process, reader);
	procfs_process_init(process, before.pid);
	process->listing = before.listing;
	process->clock_ns = before.clock_ns;
	process->has_clock = before.has_clock;
	process->seen = before.seen;
	process->has_schedstat = before.has_schedstat;
}

static void set_identity(struct procfs_process *process, struct procfs_reader *reader, const struct procfs_stat *stat)
{
	bool has_start = stat->fields >= STAT_HAS_START;
	/* A start time that cannot be read does not make it another process. */
	if (has_start && process->has_start && stat->start_ticks != process->start_ticks)
		become_another(process, reader);
	struct raw_process *record = &process->record;
	if (has_start) {
		process->has_start = true;
		process->start_ticks = stat->start_ticks;
		record->start_time_ns = procfs_multiply(stat->start_ticks, reader->clock_tick_ns);
		PROCFS_SET_BITS(record->present, true, RH_F_start_time_ns);
	}
	memcpy(record->command, stat->command, sizeof(record->command));
	PROCFS_SET_BITS(record->present, true, RH_F_command, RH_F_state);
	if (stat->fields < STAT_HAS_IDENTITY)
		return;
	record->ppid = stat->ppid;
	if (stat->flags & PROCFS_KERNEL_THREAD)
		record->flags |= RH_PROCESS_kernel_thread;
	PROCFS_SET_BITS(record->present, true, RH_F_ppid);
}

/* Its files are those of the main thread, which took its view of the memory along when it ended: what the others have is not known, not zero. */
static bool has_lost_main_thread(uint8_t main_state, uint32_t threads)
{
	return main_state == RH_STATE_zombie && threads > 1;
}

static void set_levels(struct procfs_process *process, const struct procfs_reader *reader, const struct procfs_stat *stat)
{
	struct raw_process *record = &process->record;
	if (stat->fields >= STAT_HAS_THREADS) {
		record->priority = clip_i8(stat->priority);
		record->nice = clip_i8(stat->nice);
		record->threads = stat->threads;
		PROCFS_SET_BITS(record->present, true, RH_F_priority, RH_F_nice, RH_F_threads_count);
	}
	if (stat->fields >= STAT_HAS_RSS) {
		record->rss_bytes = procfs_multiply(stat->rss_pages, reader->page_bytes);
		PROCFS_SET_BITS(record->present, !has_lost_main_thread(state_of(stat->state), stat->threads), RH_F_rss_bytes);
	}
	if (stat->fields >= STAT_HAS_POLICY) {
		record->policy = stat->policy > UINT8_MAX ? UINT8_MAX : (uint8_t)stat->policy;
		PROCFS_SET_BITS(record->present, true, RH_F_policy);
	}
	if (stat->fields >= STAT_HAS_BLKIO && reader->has_delay_accounting) {
		raise_to(&record->blkio_delay_ns, procfs_multiply(stat->blkio_ticks, reader->clock_tick_ns));
		PROCFS_SET_BITS(record->present, true, RH_F_blkio_delay_ms_per_s);
	}
}

/* Takes over the counters. Returns whether they moved: then some thread has run. */
static bool set_counters(struct procfs_process *process, const struct procfs_reader *reader, const struct procfs_stat *stat)
{
	struct raw_process *record = &process->record;
	if (stat->fields < STAT_HAS_TIMES)
		return true;
	uint64_t cpu_ns = stat_cpu_ns(stat, reader->clock_tick_ns);
	bool moved =
	        cpu_ns != process->stat_cpu_ns || stat->minor_faults != record->minor_faults || stat->major_faults != record->major_faults;
	raise_to(&process->stat_cpu_ns, cpu_ns);
	raise_to(&record->minor_faults, stat->minor_faults);
	raise_to(&record->major_faults, stat->major_faults);
	PROCFS_SET_BITS(record->present, true, RH_F_cpu_time_ns, RH_F_faults_count, RH_F_pageins_count);
	return moved;
}

/* With one thread the process is its main thread, and schedstat is of the whole. */
static void set_single(struct procfs_process *process, struct procfs_reader *reader)
{
	if (process->thread_set.count > 0)
		procfs_thread_set_release(&process->thread_set, &reader->threads, &reader->files, process->pid);
	if (process->has_schedstat)
		set_schedstat(process, &process->seen, reader->clock_tick_ns);
	else
		set_cpu_time_whole(process);
	set_thread_states(process, process->main_state == RH_STATE_running, process->main_state == RH_STATE_stuck);
}

/* Decides whether the threads are to be looked at: when they ran, and where no clock tells, now and then for those that run less than a tick. */
static void set_multiple(struct procfs_process *process, struct procfs_reader *reader, bool active)
{
	if (!process->has_schedstat || process->threads > reader->thread_limit) {
		unset_threads(process, reader);
		/* No thread was seen running, but some thread ran. */
		if (active && process->record.state == RH_STATE_sleeping)
			process->record.state = RH_STATE_running;
		return;
	}
	process->wants_threads = active || (!process->has_clock && (reader->sample + process->pid) % THREADS_EACH == 0);
	set_cpu_time_whole(process);
	set_state(process);
}

/* Reads stat. Returns 0 or -errno, and whether the process is known to have run since the last time. */
static int read_stat(struct procfs_process *process, struct procfs_reader *reader, bool keep, bool *ret_active)
{
	char path[PROCFS_FILE_PATH_BYTES];
	procfs_file_path(process->pid, "stat", path);
	ssize_t length =
	        procfs_file_read(&reader->files, PROCFS_FILE_HOT, &process->stat_fd, keep, path, reader->buffer, sizeof(reader->buffer));
	if (length < 0)
		return (int)length;
	struct procfs_stat stat;
	if (!procfs_parse_stat(reader->buffer, (size_t)length, &stat))
		return -EINVAL;
	set_identity(process, reader, &stat);
	*ret_active |= set_counters(process, reader, &stat) || !process->has_stat;
	set_levels(process, reader, &stat);
	process->has_stat = true;
	process->stat_sample = reader->sample;
	process->threads = stat.fields >= STAT_HAS_THREADS ? stat.threads : 0;
	process->main_state = state_of(stat.state);
	if (process->threads <= 1)
		set_single(process, reader);
	else
		set_multiple(process, reader, *ret_active);
	return 0;
}

/* ---- io ---- */

static void read_io(struct procfs_process *process, struct procfs_reader *reader, bool keep)
{
	char path[PROCFS_FILE_PATH_BYTES];
	procfs_file_path(process->pid, "io", path);
	ssize_t length =
	        procfs_file_read(&reader->files, PROCFS_FILE_HOT, &process->io_fd, keep, path, reader->buffer, sizeof(reader->buffer));
	struct raw_process *record = &process->record;
	struct procfs_io io;
	if (length >= 0 && procfs_parse_io(reader->buffer, (size_t)length, &io)) {
		raise_to(&record->read_bytes, io.read_bytes);
		raise_to(&record->write_bytes, io.write_bytes);
		raise_to(&record->syscalls, procfs_sum(io.read_calls, io.write_calls));
		process->io_refused = false;
		PROCFS_SET_BITS(record->present, true, RH_F_read_bytes, RH_F_write_bytes, RH_F_disk_io_bytes, RH_F_syscalls_count);
		return;
	}
	if (procfs_file_is_gone(length))
		return;
	/* No right to it, as without privileges for the processes of others, or no such file: not tried again until the slow round. */
	process->io_refused = true;
	procfs_file_drop(&reader->files, PROCFS_FILE_HOT, &process->io_fd);
	PROCFS_SET_BITS(record->present, false, RH_F_read_bytes, RH_F_write_bytes, RH_F_disk_io_bytes, RH_F_syscalls_count);
}

/* ---- status ---- */

/* Until status was read: the owner of the folder, which is root for a process that may not be dumped. */
static void set_owner(struct procfs_process *process, struct procfs_reader *reader)
{
	char path[PROCFS_FILE_PATH_BYTES];
	struct stat about;
	int error = process->schedstat_fd >= 0
	                    ? fstat(process->schedstat_fd, &about)
	                    : fstatat(reader->files.root_fd, procfs_file_path(process->pid, "", path), &about, AT_SYMLINK_NOFOLLOW);
	if (error != 0)
		return;
	process->record.uid = about.st_uid;
	PROCFS_SET_BITS(process->record.present, true, RH_F_uid);
}

/* Memory from status; a process without an address space (kernel thread, zombie) has none, which is zero and not unknown. */
static void set_memory(struct procfs_process *process, const struct procfs_status *status)
{
	struct raw_process *record = &process->record;
	bool no_memory = !(status->found >> PROCFS_STATUS_RSS & 1) && !has_lost_main_thread(process->main_state, process->threads);
	const struct {
		uint64_t *bytes;
		uint8_t id, member;
	} levels[] = {
	        {&record->anon_bytes, RH_F_anon_bytes, PROCFS_STATUS_ANON},
	        {&record->shmem_bytes, RH_F_shmem_bytes, PROCFS_STATUS_SHMEM},
	        {&record->swap_bytes, RH_F_swap_bytes, PROCFS_STATUS_SWAP},
	        {&record->mem_peak_bytes, RH_F_mem_peak_bytes, PROCFS_STATUS_PEAK},
	};
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		*levels[i].bytes = procfs_multiply(status->value[levels[i].member], 1024);
		PROCFS_SET_BITS(record->present, no_memory || (status->found >> levels[i].member & 1), levels[i].id);
	}
	/* The parts by kind came with Linux 4.5: without them there is no footprint. */
	bool has_parts = rh_has(record->present, RH_F_anon_bytes) && rh_has(record->present, RH_F_shmem_bytes) &&
	                 rh_has(record->present, RH_F_swap_bytes);
	PROCFS_SET_BITS(record->present, has_parts, RH_F_mem_bytes);
}

static uint64_t faults_of(const struct raw_process *record)
{
	return procfs_sum(record->minor_faults, record->major_faults);
}

void procfs_process_sample_details(struct procfs_process *process, struct procfs_reader *reader)
{
	char path[PROCFS_FILE_PATH_BYTES];
	procfs_file_path(process->pid, "status", path);
	ssize_t length = procfs_file_read_once(&reader->files, path, reader->buffer, sizeof(reader->buffer));
	struct procfs_status status;
	struct raw_process *record = &process->record;
	process->wants_details = false;
	if (length < 0 || !procfs_parse_status(reader->buffer, (size_t)length, &status))
		return;
	process->has_details = true;
	process->rounds = 0;
	process->details.faults = faults_of(record);
	process->details.rss_bytes = record->rss_bytes;
	process->details.slices = process->seen.slices;
	set_memory(process, &status);
	if (status.found >> PROCFS_STATUS_UID & 1) {
		record->uid = (uint32_t)status.value[PROCFS_STATUS_UID];
		PROCFS_SET_BITS(record->present, true, RH_F_uid);
	}
	if (status.found >> PROCFS_STATUS_VOLUNTARY & 1 && status.found >> PROCFS_STATUS_INVOLUNTARY & 1) {
		raise_to(&record->voluntary_csw, status.value[PROCFS_STATUS_VOLUNTARY]);
		raise_to(&record->involuntary_csw, status.value[PROCFS_STATUS_INVOLUNTARY]);
		PROCFS_SET_BITS(record->present, true, RH_F_voluntary_csw_count, RH_F_involuntary_csw_count);
	}
}

/* Has resident memory moved so far that the footprint is worth reading now? */
static bool has_memory_moved(const struct procfs_process *process)
{
	uint64_t now = process->record.rss_bytes, then = process->details.rss_bytes;
	uint64_t moved = now > then ? now - then : then - now;
	return moved > DETAILS_RSS_BYTES && moved > then / DETAILS_RSS_PART;
}

/* ---- a sample ---- */

/* Reads schedstat. Returns 0 or -errno, and whether the main thread may have run since the last time. */
static int read_schedstat(struct procfs_process *process, struct procfs_reader *reader, bool *ret_moved)
{
	char path[PROCFS_FILE_PATH_BYTES];
	procfs_file_path(process->pid, "schedstat", path);
	bool keep = !process->has_clock || process->has_stat;
	ssize_t length = procfs_file_read(
	        &reader->files, PROCFS_FILE_GATE, &process->schedstat_fd, keep, path, reader->buffer, sizeof(reader->buffer));
	struct procfs_schedstat now;
	*ret_moved = true;
	/* All zero: a kernel that does not count. Or a process that never ran yet: worth a look as well. */
	if (length < 0 || !procfs_parse_schedstat(reader->buffer, (size_t)length, &now) || (now.run_ns | now.wait_ns | now.slices) == 0) {
		process->has_schedstat = false;
		return length < 0 ? (int)length : 0;
	}
	*ret_moved = !process->has_schedstat || now.run_ns != process->seen.run_ns || now.wait_ns != process->seen.wait_ns ||
	             now.slices != process->seen.slices;
	process->has_schedstat = true;
	process->seen = now;
	return 0;
}

/* Reads the clock. Returns false if there is none: whether the process is gone is for its files to say. */
static bool read_clock(struct procfs_process *process, const struct procfs_reader *reader, bool *ret_moved)
{
	uint64_t before_ns = process->clock_ns;
	bool is_first = !process->has_clock || !process->has_stat;
	process->has_clock = reader->files.has_clocks && procfs_clock_read(process->pid, &process->clock_ns);
	*ret_moved = is_first || process->clock_ns != before_ns;
	return process->has_clock;
}

/* Reads the gate. Returns 0 or -errno, and whether the process may have run since the last time; its main thread, if there is no clock. */
static int read_gate(struct procfs_process *process, struct procfs_reader *reader, bool *ret_moved)
{
	bool main_thread_moved;
	if (!read_clock(process, reader, ret_moved))
		return read_schedstat(process, reader, ret_moved);
	return *ret_moved ? read_schedstat(process, reader, &main_thread_moved) : 0;
}

enum procfs_process_fate procfs_process_sample(struct procfs_process *process, struct procfs_reader *reader)
{
	bool active;
	int gate = read_gate(process, reader, &active);
	if (gate == -ESRCH)
		return PROCFS_PROCESS_GONE;
	active |= process->is_behind;
	if (!active && (process->has_clock || process->threads == 1))
		return PROCFS_PROCESS_READ;

	process->record.flags &= (uint16_t)~RH_PROCESS_vanished_in_read;
	bool is_first = !process->has_stat;
	int error = read_stat(process, reader, !is_first && (active || process->threads > 1), &active);
	if (procfs_file_is_gone(error)) {
		if (is_first || gate != 0)
			return PROCFS_PROCESS_GONE;
		process->record.flags |= RH_PROCESS_vanished_in_read;
		return PROCFS_PROCESS_READ;
	}
	process->is_behind = error != 0;
	if (error != 0)
		return is_first ? PROCFS_PROCESS_UNREADABLE : PROCFS_PROCESS_READ;
	is_first |= !rh_has(process->record.present, RH_F_uid);
	if (is_first)
		set_owner(process, reader);
	if (active) {
		process->ran = true;
		if (!process->io_refused)
			read_io(process, reader, !is_first);
	}
	process->wants_details |= is_first || has_memory_moved(process);
	return PROCFS_PROCESS_READ;
}

void procfs_process_sample_threads(struct procfs_process *process, struct procfs_reader *reader)
{
	struct procfs_thread_sums sums;
	process->wants_threads = false;
	int error = procfs_thread_set_read(&process->thread_set, &reader->threads, &reader->files, process->pid, process->threads,
	        reader->buffer, sizeof(reader->buffer), &sums);
	if (error != 0) {
		if (!procfs_file_is_gone(error))
			unset_threads(process, reader);
		return;
	}
	set_schedstat(process, &sums.living, reader->clock_tick_ns);
	set_thread_states(process, sums.running, sums.stuck);
}

void procfs_process_sample_slowly(struct procfs_process *process, struct procfs_reader *reader)
{
	if (!process->ran && process->has_clock) {
		procfs_process_close_files(process, reader);
	} else if (!process->ran) {
		if (process->threads == 1)
			procfs_file_drop(&reader->files, PROCFS_FILE_HOT, &process->stat_fd);
		procfs_file_drop(&reader->files, PROCFS_FILE_HOT, &process->io_fd);
		procfs_thread_set_close_files(&process->thread_set, &reader->threads, &reader->files);
	}
	bool active = false;
	if (process->stat_sample != reader->sample && procfs_file_is_gone(read_stat(process, reader, false, &active))) {
		process->record.flags |= RH_PROCESS_vanished_in_read;
		return;
	}
	if (process->io_refused && process->ran)
		read_io(process, reader, false);
	process->ran = active;
	if (process->rounds < DETAILS_ROUNDS)
		process->rounds++;
	const struct raw_process *record = &process->record;
	/* Its memory is as it was if it had no page fault and none of it was taken away. */
	bool is_same = process->details.faults == faults_of(record) && process->details.rss_bytes == record->rss_bytes;
	bool is_old = process->rounds >= DETAILS_ROUNDS && (process->threads != 1 || process->details.slices != process->seen.slices);
	if (!process->has_details || !is_same || is_old)
		procfs_process_sample_details(process, reader);
}
