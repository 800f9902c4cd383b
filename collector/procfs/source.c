/*
 * source.c - the /proc back end: the table of processes and the order of work in a tick.
 *
 * A tick first does what cannot wait: the gate of every process and what it asks for (process.h). Then, while its time lasts:
 * threads, memory of processes that are new or grew, and a part of the slow round. What time did not allow is said in `degraded`.
 *
 * The process list is hardly ever read: a process that ended is noticed by reading it, and new ones have the pids that were given out
 * since, up to the last one in loadavg; each of those is tried by its clock. The list is read when the pids began anew from the lowest,
 * and every few seconds in any case, for who chose a pid of his own (clone3 with set_tid).
 * Without clocks it is read when the last pid or the number of threads in loadavg moved, or when a process ended. The last pid is of our pid
 * namespace; the number of threads is of all, and covers a /proc of another namespace.
 * A pid that is in use again needs no list: reading the old process fails, and its pid is tried again at once.
 */
#include "collector/source.h"
#include "collector/pool.h"
#include "collector/procfs/clock.h"
#include "collector/procfs/file.h"
#include "collector/procfs/process.h"
#include "collector/procfs/system.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	ROUTINE_EACH = 32,       /* ticks after which the list is read whatever loadavg says, and more files are kept open again */
	SLOW_AT_LEAST = 4,       /* processes that the slow round takes in a tick that has no time left */
	THREADS_AT_LEAST = 1,    /* the same for looks at threads */
	THREADS_PER_PROCESS = 4, /* room for threads, on average */
	PROGRESS_EACH = 128,     /* files of processes read, or so */
};

struct procfs_source {
	struct source source; /* first: the interface */
	struct pool pool;     /* all memory, this struct included */
	struct procfs_reader reader;
	struct procfs_system system;
	uint32_t capacity, count, refresh_parts;
	struct procfs_process *processes;         /* [capacity], the first `count` in use, in no order */
	uint32_t *place_of_pid;                   /* [PROCFS_PID_MAX] index in processes + 1, 0 for none */
	uint32_t listing;                         /* number of the newest listing */
	uint64_t listed_last_pid, listed_threads; /* in loadavg, in the tick before */
	uint64_t listed_until;                    /* pids up to this one have been tried for good */
	bool list_due;
	uint32_t unreadable, dropped; /* in the newest listing */
	uint32_t slow_at, threads_at; /* where the rounds stand */
	uint64_t time_out_ns;         /* thread cpu time at which this tick has used what it may */
	uint32_t degraded;
	uint32_t steps; /* of work, for `progress` */
	void (*progress)(void *context);
	void *progress_context;
};

/* ---- the table ---- */

static void table_add(struct procfs_source *source, uint32_t pid)
{
	if (source->count == source->capacity) {
		source->dropped++;
		return;
	}
	struct procfs_process *process = &source->processes[source->count++];
	procfs_process_init(process, pid);
	process->listing = source->listing;
	source->place_of_pid[pid] = source->count;
}

/* The last process takes the place. */
static void table_remove(struct procfs_source *source, uint32_t place)
{
	struct procfs_process *process = &source->processes[place], *last = &source->processes[--source->count];
	procfs_process_release(process, &source->reader);
	source->place_of_pid[process->pid] = 0;
	if (process == last)
		return;
	*process = *last;
	source->place_of_pid[process->pid] = place + 1;
}

/* Takes up a listed pid: a known process or a new one. */
static void table_list(struct procfs_source *source, uint32_t pid)
{
	uint32_t place = source->place_of_pid[pid];
	if (place == 0)
		table_add(source, pid);
	else
		source->processes[place - 1].listing = source->listing;
}

static void table_remove_unlisted(struct procfs_source *source)
{
	for (uint32_t place = 0; place < source->count;)
		if (source->processes[place].listing == source->listing)
			place++;
		else
			table_remove(source, place);
}

/* ---- the list ---- */

static bool list_is_due(const struct procfs_source *source)
{
	const struct procfs_loadavg *loadavg = &source->system.loadavg;
	if (source->list_due || source->dropped > 0 || !source->reader.files.is_procfs || !source->system.has_loadavg)
		return true;
	/* More pids than processes: trying each would cost more than the list. */
	if (source->reader.files.has_clocks)
		return loadavg->last_pid < source->listed_last_pid || loadavg->last_pid - source->listed_until > source->count;
	return loadavg->last_pid != source->listed_last_pid || loadavg->threads != source->listed_threads;
}

/* Takes note of how far the pids are listed. One that is being given out cannot be seen yet: those of a tick are tried again in the next. */
static void list_end(struct procfs_source *source)
{
	const struct procfs_loadavg *loadavg = &source->system.loadavg;
	source->listed_until = loadavg->last_pid < source->listed_last_pid ? loadavg->last_pid : source->listed_last_pid;
	source->listed_last_pid = loadavg->last_pid;
	source->listed_threads = loadavg->threads;
}

/* Takes up the processes among the pids given out since the tick before. */
static void list_new(struct procfs_source *source)
{
	uint64_t cpu_ns, last_pid = source->system.loadavg.last_pid;
	for (uint64_t pid = source->listed_until + 1; pid <= last_pid && pid < PROCFS_PID_MAX; pid++)
		if (source->place_of_pid[pid] == 0 && procfs_clock_read((uint32_t)pid, &cpu_ns))
			table_add(source, (uint32_t)pid);
	list_end(source);
}

static int list(struct procfs_source *source)
{
	int root_fd = source->reader.files.root_fd;
	char *buffer = source->reader.buffer;
	if (lseek(root_fd, 0, SEEK_SET) < 0)
		return -errno;
	source->listing++;
	source->unreadable = source->dropped = 0;
	long length;
	while ((length = syscall(SYS_getdents64, root_fd, buffer, sizeof(source->reader.buffer))) > 0) {
		size_t offset = 0;
		uint32_t pid;
		while (procfs_parse_dirent(buffer, (size_t)length, &offset, &pid))
			table_list(source, pid);
	}
	if (length < 0)
		return -errno;
	table_remove_unlisted(source);
	source->list_due = false;
	list_end(source);
	return 0;
}

/* ---- a tick ---- */

static bool is_time_out(const struct procfs_source *source)
{
	return clock_now_ns(CLOCK_THREAD_CPUTIME_ID) >= source->time_out_ns;
}

/* One more step of work is done. */
static void make_progress(struct procfs_source *source)
{
	if (++source->steps % PROGRESS_EACH == 0 && source->progress)
		source->progress(source->progress_context);
}

/* Samples the process at that place. Returns false if the place is taken by another process now, or empty. */
static bool sample_one(struct procfs_source *source, uint32_t place)
{
	struct procfs_process *process = &source->processes[place];
	enum procfs_process_fate fate = procfs_process_sample(process, &source->reader);
	make_progress(source);
	if (fate == PROCFS_PROCESS_GONE) {
		/* Its pid may be in use again. */
		uint32_t pid = process->pid;
		procfs_process_release(process, &source->reader);
		procfs_process_init(process, pid);
		process->listing = source->listing;
		source->list_due |= !source->reader.files.has_clocks;
		fate = procfs_process_sample(process, &source->reader);
	}
	if (fate == PROCFS_PROCESS_READ)
		return true;
	source->unreadable += fate == PROCFS_PROCESS_UNREADABLE;
	table_remove(source, place);
	return false;
}

/* The part of the tick that cannot wait. Returns the processes of which some file could not be read. */
static uint32_t sample_all(struct procfs_source *source, struct raw_process *records)
{
	uint32_t unreadable = 0;
	for (uint32_t place = 0; place < source->count;) {
		if (!sample_one(source, place))
			continue;
		unreadable += source->processes[place].io_refused;
		records[place] = source->processes[place].record;
		place++;
	}
	return unreadable + source->unreadable;
}

/* Looks at the threads of processes that ask for it; where time ends the next tick goes on. */
static void sample_threads(struct procfs_source *source, struct raw_process *records)
{
	uint32_t done = 0, from = source->threads_at;
	for (uint32_t i = 0; i < source->count; i++) {
		uint32_t place = (from + i) % source->count;
		struct procfs_process *process = &source->processes[place];
		if (!process->wants_threads)
			continue;
		if (done >= THREADS_AT_LEAST && is_time_out(source)) {
			source->degraded |= RH_DEGRADED_no_thread_details;
			source->threads_at = place;
			return;
		}
		procfs_process_sample_threads(process, &source->reader);
		make_progress(source);
		records[place] = process->record;
		done++;
	}
}

/* Reads the memory of processes that are new or have grown. */
static void sample_details(struct procfs_source *source, struct raw_process *records)
{
	for (uint32_t place = 0; place < source->count; place++) {
		struct procfs_process *process = &source->processes[place];
		if (!process->wants_details)
			continue;
		if (is_time_out(source)) {
			source->degraded |= RH_DEGRADED_slower_refresh;
			return;
		}
		procfs_process_sample_details(process, &source->reader);
		make_progress(source);
		records[place] = process->record;
	}
}

/* One part of the round over all processes. */
static void sample_slowly(struct procfs_source *source, struct raw_process *records)
{
	uint32_t part = (source->count + source->refresh_parts - 1) / source->refresh_parts;
	for (uint32_t done = 0; done < part; done++) {
		if (done >= SLOW_AT_LEAST && is_time_out(source)) {
			source->degraded |= RH_DEGRADED_slower_refresh;
			return;
		}
		uint32_t place = source->slow_at % source->count;
		procfs_process_sample_slowly(&source->processes[place], &source->reader);
		make_progress(source);
		records[place] = source->processes[place].record;
		source->slow_at = place + 1;
	}
}

/* Descriptors ran out: without some that are free the processes that have none could not be read at all. */
static void give_up_files(struct procfs_source *source)
{
	struct procfs_files *files = &source->reader.files;
	for (uint32_t place = source->count; place > 0; place--) {
		if (!procfs_file_is_over(files, PROCFS_FILE_GATE) && !procfs_file_is_over(files, PROCFS_FILE_HOT))
			return;
		procfs_process_close_files(&source->processes[place - 1], &source->reader);
	}
}

static int procfs_tick(struct source *interface, uint64_t budget_ns, struct raw_process *processes, struct raw_system *system,
        struct source_tick *ret_tick)
{
	struct procfs_source *source = (struct procfs_source *)(void *)interface;
	uint64_t begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	source->time_out_ns = budget_ns > UINT64_MAX - begin_ns ? UINT64_MAX : begin_ns + budget_ns;
	source->degraded = 0;
	source->reader.files.refused = false;
	if (++source->reader.sample % ROUTINE_EACH == 0) {
		source->list_due = true;
		procfs_file_regain(&source->reader.files);
	}
	*ret_tick = (struct source_tick){0};

	procfs_system_read_loadavg(&source->system);
	ret_tick->discontinuous = !procfs_system_read(&source->system, clock_now_ns(CLOCK_MONOTONIC), system);
	if (list_is_due(source)) {
		int error = list(source);
		if (error != 0)
			return error;
	} else if (source->reader.files.has_clocks) {
		list_new(source);
	}
	ret_tick->unreadable = sample_all(source, processes);
	sample_threads(source, processes);
	sample_details(source, processes);
	sample_slowly(source, processes);
	give_up_files(source);
	if (source->reader.files.refused)
		source->degraded |= RH_DEGRADED_fewer_files;
	ret_tick->count = source->count;
	ret_tick->dropped = source->dropped;
	ret_tick->degraded = source->degraded;
	return 0;
}

/* ---- open and close ---- */

static void procfs_close(struct source **interface)
{
	struct procfs_source *source = (struct procfs_source *)(void *)*interface;
	*interface = NULL;
	while (source->count > 0)
		table_remove(source, source->count - 1);
	procfs_system_close(&source->system);
	procfs_file_close_root(&source->reader.files);
	struct pool pool = source->pool;
	pool_release(&pool);
}

static const struct source_operations procfs_operations = {.sampler = RH_SAMPLER_procfs, .tick = procfs_tick, .close = procfs_close};

/* Block-io delays are counted if kernel.task_delayacct is on, for tasks forked since then; off, they are zero and mean nothing. */
static bool has_delay_accounting(int root_fd)
{
	char text[16];
	return file_read_at(root_fd, "sys/kernel/task_delayacct", text, sizeof(text)) > 0 && text[0] == '1';
}

static struct procfs_source *allocate(const struct source_options *options)
{
	struct pool pool = {0};
	uint32_t capacity = options->max_processes;
	struct procfs_source *source = pool_take(&pool, 1, sizeof(*source));
	struct procfs_process *processes = pool_take(&pool, capacity, sizeof(processes[0]));
	uint32_t *place_of_pid = pool_take(&pool, PROCFS_PID_MAX, sizeof(place_of_pid[0]));
	struct procfs_thread *threads = pool_take(&pool, (size_t)capacity * THREADS_PER_PROCESS, sizeof(threads[0]));
	char *buffer = pool_take(&pool, PROCFS_SYSTEM_BUFFER_BYTES, 1);
	if (pool.failed) {
		pool_release(&pool);
		return NULL;
	}
	source->source.operations = &procfs_operations;
	source->pool = pool;
	source->capacity = capacity;
	source->processes = processes;
	source->place_of_pid = place_of_pid;
	source->system.buffer = buffer;
	procfs_thread_pool_init(&source->reader.threads, threads, capacity * THREADS_PER_PROCESS);
	return source;
}

int source_procfs_open(const struct source_options *options, struct source **ret_source, char error[256])
{
	RH_ASSERT(options->max_processes > 0 && options->refresh_parts > 0);
	struct procfs_files files;
	int result = procfs_file_open_root(&files, options->proc_root, options->fd_limit);
	if (result != 0) {
		snprintf(error, 256, "cannot open the process folder %s: %s", options->proc_root, strerror(-result));
		return result;
	}
	struct procfs_source *source = allocate(options);
	if (!source) {
		procfs_file_close_root(&files);
		snprintf(error, 256, "no memory for %u processes", options->max_processes);
		return -ENOMEM;
	}
	source->refresh_parts = options->refresh_parts;
	source->list_due = true;
	source->progress = options->progress;
	source->progress_context = options->progress_context;
	struct procfs_reader *reader = &source->reader;
	reader->files = files;
	reader->thread_limit = options->thread_limit;
	reader->clock_tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	reader->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	reader->has_delay_accounting = has_delay_accounting(files.root_fd);
	procfs_system_open(&source->system, files.root_fd, files.is_procfs, source->system.buffer);
	*ret_source = &source->source;
	return 0;
}
