/*
 * pmu.c - instructions and cycles of the processes that use the cpu most, by perf events.
 *
 * The counters are of threads: each thread of a chosen process gets a group of two, which is read in every tick. A process has the sum of its
 * threads, those that have ended included, since it was chosen; where the cpu has too few counters for all, the kernel counts a part of the
 * time, and the value is scaled up. What one tick opens is bounded, so a process that was just chosen is complete a little later, and one of
 * hundreds of threads has the first PROCESS_THREADS of them.
 */
#include "collector/meters/pmu.h"

#include "collector/meters/pid_table.h"
#include "collector/procfs/parse.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	PROCESSES = 256,        /* the highest that the configuration allows */
	PLACES = PROCESSES * 4, /* of their hash table: a power of two */
	PROCESS_THREADS = 64,
	ALL_THREADS = 512,    /* two files each */
	OPENS_PER_TICK = 32,  /* threads */
	LISTS_PER_TICK = 4,   /* processes whose threads are listed anew */
	LISTING_BYTES = 8192, /* of threads: the oldest come first, and none of them moves back */
	CHOOSE_SECONDS = 3,
	NOBODY = UINT32_MAX,
};

struct counted_thread {
	uint32_t tid;
	bool is_listed;
	int fd[PMU_EVENTS]; /* the first leads the group */
	uint64_t value[PMU_EVENTS];
};

struct counted_process {
	uint32_t pid; /* 0: not in use */
	uint64_t start_time_ns;
	bool is_chosen, is_counted; /* in the newest choice; some thread is or was */
	uint32_t record;            /* its index in this tick, or NOBODY */
	uint64_t ended[PMU_EVENTS]; /* of threads that are gone */
	uint32_t thread_count;
	struct counted_thread threads[PROCESS_THREADS];
};

struct candidate {
	uint64_t used_ns;
	uint32_t record;
};

struct pmu {
	struct meter meter; /* first: the interface */
	struct pool pool;   /* all memory, this struct included */
	struct pmu_options options;
	int proc_fd;
	uint32_t limit, capacity, thread_count, list_at;
	bool has_chosen;
	uint64_t chosen_ago_ns;
	struct pid_table table;
	struct candidate best[PROCESSES]; /* a heap, the least at its top */
	uint32_t best_count;
	struct counted_process *processes; /* [limit] */
	uint16_t place_of[PLACES];         /* by pid: index in processes + 1, 0 for none */
	char listing[LISTING_BYTES] __attribute__((aligned(8)));
};

/* ---- threads ---- */

/* Opens one counter of a thread, in the group of another or leading one (-1). Returns a descriptor or -errno. */
static int counter_open(const struct pmu_options *options, unsigned event, uint32_t tid, int group_fd)
{
	struct perf_event_attr attributes = {
	        .size = sizeof(attributes),
	        .type = options->events[event].type,
	        .config = options->events[event].config,
	        .read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attributes, (pid_t)tid, -1, group_fd, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int counters_open(const struct pmu_options *options, uint32_t tid, int ret_fd[PMU_EVENTS])
{
	int result = 0;
	for (unsigned event = 0; event < PMU_EVENTS; event++)
		ret_fd[event] = -1;
	for (unsigned event = 0; event < PMU_EVENTS && result >= 0; event++)
		result = ret_fd[event] = counter_open(options, event, tid, event > 0 ? ret_fd[0] : -1);
	if (result >= 0)
		return 0;
	closefd(&ret_fd[0]);
	return result;
}

/* Reads a group. Scaled values are estimates that may fall a little: the highest stays. */
static void thread_read(struct counted_thread *thread)
{
	struct {
		uint64_t count, enabled_ns, running_ns, value[PMU_EVENTS];
	} group;
	if (read(thread->fd[0], &group, sizeof(group)) != (ssize_t)sizeof(group) || group.running_ns == 0)
		return;
	double scale = group.running_ns < group.enabled_ns ? (double)group.enabled_ns / (double)group.running_ns : 1;
	for (unsigned event = 0; event < PMU_EVENTS; event++) {
		uint64_t value = scale > 1 ? (uint64_t)((double)group.value[event] * scale) : group.value[event];
		if (value > thread->value[event])
			thread->value[event] = value;
	}
}

/* Takes a thread's last values over and gives its counters back. */
static void thread_end(struct pmu *pmu, struct counted_process *process, uint32_t index)
{
	struct counted_thread *thread = &process->threads[index];
	thread_read(thread);
	for (unsigned event = 0; event < PMU_EVENTS; event++) {
		process->ended[event] += thread->value[event];
		closefd(&thread->fd[event]);
	}
	*thread = process->threads[--process->thread_count];
	pmu->thread_count--;
}

static struct counted_thread *thread_of(struct counted_process *process, uint32_t tid)
{
	for (uint32_t i = 0; i < process->thread_count; i++) {
		if (process->threads[i].tid == tid)
			return &process->threads[i];
	}
	return NULL;
}

/* Counts a thread that was not counted yet, if there is room and the system allows. */
static void thread_begin(struct pmu *pmu, struct counted_process *process, uint32_t tid)
{
	if (process->thread_count == PROCESS_THREADS || pmu->thread_count == ALL_THREADS)
		return;
	struct counted_thread *thread = &process->threads[process->thread_count];
	memset(thread, 0, sizeof(*thread));
	if (counters_open(&pmu->options, tid, thread->fd) < 0)
		return;
	thread->tid = tid;
	thread->is_listed = true;
	process->thread_count++;
	process->is_counted = true;
	pmu->thread_count++;
}

/* Lists the threads of a process: begins with new ones, ends those that are gone. Returns how many it tried to begin. */
static uint32_t threads_list(struct pmu *pmu, struct counted_process *process, uint32_t most)
{
	char path[32];
	uint32_t tid, tried = 0;
	size_t offset = 0;
	snprintf(path, sizeof(path), "%u/task", process->pid);
	int fd = openat(pmu->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t length = getdents64(fd, pmu->listing, sizeof(pmu->listing));
	closefd(&fd);
	if (length <= 0)
		return 0;
	for (uint32_t i = 0; i < process->thread_count; i++)
		process->threads[i].is_listed = false;
	while (procfs_parse_dirent(pmu->listing, (size_t)length, &offset, &tid)) {
		struct counted_thread *thread = thread_of(process, tid);
		if (thread != NULL)
			thread->is_listed = true;
		else if (tried < most && process->thread_count < PROCESS_THREADS) {
			tried++;
			thread_begin(pmu, process, tid);
		}
	}
	for (uint32_t i = process->thread_count; i > 0; i--) {
		if (!process->threads[i - 1].is_listed)
			thread_end(pmu, process, i - 1);
	}
	return tried;
}

/* ---- processes ---- */

static void process_leave(struct pmu *pmu, struct counted_process *process)
{
	while (process->thread_count > 0)
		thread_end(pmu, process, process->thread_count - 1);
	process->pid = 0;
}

static struct counted_process *process_of(struct pmu *pmu, uint32_t pid)
{
	for (uint32_t place = pid % PLACES; pmu->place_of[place] != 0; place = (place + 1) % PLACES) {
		struct counted_process *process = &pmu->processes[pmu->place_of[place] - 1];
		if (process->pid == pid)
			return process;
	}
	return NULL;
}

static void places_fill(struct pmu *pmu)
{
	memset(pmu->place_of, 0, sizeof(pmu->place_of));
	for (uint32_t i = 0; i < pmu->limit; i++) {
		if (pmu->processes[i].pid == 0)
			continue;
		uint32_t place = pmu->processes[i].pid % PLACES;
		while (pmu->place_of[place] != 0)
			place = (place + 1) % PLACES;
		pmu->place_of[place] = (uint16_t)(i + 1);
	}
}

/* ---- the choice ---- */

static void best_sink(struct pmu *pmu, uint32_t at)
{
	struct candidate *best = pmu->best;
	for (uint32_t child; (child = 2 * at + 1) < pmu->best_count; at = child) {
		if (child + 1 < pmu->best_count && best[child + 1].used_ns < best[child].used_ns)
			child++;
		if (best[at].used_ns <= best[child].used_ns)
			return;
		struct candidate swapped = best[at];
		best[at] = best[child];
		best[child] = swapped;
	}
}

/* Keeps those that used most. */
static void best_offer(struct pmu *pmu, struct candidate candidate)
{
	if (pmu->best_count < pmu->limit) {
		pmu->best[pmu->best_count++] = candidate;
		for (uint32_t at = pmu->best_count == pmu->limit ? pmu->limit / 2 : 0; at > 0; at--)
			best_sink(pmu, at - 1);
	} else if (candidate.used_ns > pmu->best[0].used_ns) {
		pmu->best[0] = candidate;
		best_sink(pmu, 0);
	}
}

/* Finds who has used most cpu time since the choice before; in the first one, and of who is new, since the start. */
static void best_find(struct pmu *pmu, const struct raw_process *processes, uint32_t count)
{
	pmu->best_count = 0;
	pid_table_begin(&pmu->table);
	for (uint32_t i = 0; i < count && i < pmu->capacity; i++) {
		const struct raw_process *process = &processes[i];
		if (!rh_has(process->present, RH_F_cpu_time_ns))
			continue;
		const struct pid_row *before = pid_table_before(&pmu->table, process->pid, process->start_time_ns);
		uint64_t before_ns = before != NULL ? before->cpu_time_ns : 0;
		pid_table_add(&pmu->table, process->pid, process->start_time_ns)->cpu_time_ns = process->cpu_time_ns;
		if (process->cpu_time_ns > before_ns)
			best_offer(pmu, (struct candidate){.used_ns = process->cpu_time_ns - before_ns, .record = i});
	}
}

/* Who is chosen again goes on being counted; the others give their counters to those that are new. */
static void choose(struct pmu *pmu, const struct raw_process *processes, uint32_t count)
{
	best_find(pmu, processes, count);
	for (uint32_t i = 0; i < pmu->limit; i++)
		pmu->processes[i].is_chosen = false;
	for (uint32_t i = 0; i < pmu->best_count; i++) {
		const struct raw_process *raw = &processes[pmu->best[i].record];
		struct counted_process *process = process_of(pmu, raw->pid);
		if (process == NULL || process->start_time_ns != raw->start_time_ns)
			continue;
		process->is_chosen = true;
		pmu->best[i].record = NOBODY;
	}
	uint32_t slot = 0;
	for (uint32_t i = 0; i < pmu->limit; i++) {
		if (pmu->processes[i].pid != 0 && !pmu->processes[i].is_chosen)
			process_leave(pmu, &pmu->processes[i]);
	}
	for (uint32_t i = 0; i < pmu->best_count; i++) {
		if (pmu->best[i].record == NOBODY)
			continue;
		const struct raw_process *raw = &processes[pmu->best[i].record];
		while (pmu->processes[slot].pid != 0)
			slot++;
		struct counted_process *process = &pmu->processes[slot];
		process->pid = raw->pid;
		process->start_time_ns = raw->start_time_ns;
		process->is_chosen = true;
		process->is_counted = false;
		memset(process->ended, 0, sizeof(process->ended));
	}
	places_fill(pmu);
}

/* ---- the interface ---- */

/* Finds the records of those that are counted, and leaves those that are gone. */
static void records_find(struct pmu *pmu, const struct raw_process *processes, uint32_t count)
{
	bool left = false;
	for (uint32_t i = 0; i < pmu->limit; i++)
		pmu->processes[i].record = NOBODY;
	for (uint32_t i = 0; i < count; i++) {
		struct counted_process *process = process_of(pmu, processes[i].pid);
		if (process != NULL && process->start_time_ns == processes[i].start_time_ns)
			process->record = i;
	}
	for (uint32_t i = 0; i < pmu->limit; i++) {
		if (pmu->processes[i].pid == 0 || pmu->processes[i].record != NOBODY)
			continue;
		process_leave(pmu, &pmu->processes[i]);
		left = true;
	}
	if (left)
		places_fill(pmu);
}

static void lists_renew(struct pmu *pmu)
{
	uint32_t lists = 0, opens = 0;
	for (uint32_t n = 0; n < pmu->limit && lists < LISTS_PER_TICK && opens < OPENS_PER_TICK; n++) {
		struct counted_process *process = &pmu->processes[pmu->list_at];
		pmu->list_at = (pmu->list_at + 1) % pmu->limit;
		if (process->pid == 0)
			continue;
		opens += threads_list(pmu, process, OPENS_PER_TICK - opens);
		lists++;
	}
}

static bool pmu_tick(struct meter *meter, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system)
{
	struct pmu *pmu = (struct pmu *)meter;
	(void)system;
	records_find(pmu, processes, count);
	pmu->chosen_ago_ns += interval_ns;
	if (!pmu->has_chosen || pmu->chosen_ago_ns >= pmu->options.choose_ns) {
		choose(pmu, processes, count);
		records_find(pmu, processes, count);
		pmu->has_chosen = true;
		pmu->chosen_ago_ns = 0;
	}
	lists_renew(pmu);
	for (uint32_t i = 0; i < pmu->limit; i++) {
		struct counted_process *process = &pmu->processes[i];
		if (process->pid == 0 || !process->is_counted)
			continue;
		uint64_t sum[PMU_EVENTS] = {process->ended[0], process->ended[1]};
		for (uint32_t j = 0; j < process->thread_count; j++) {
			thread_read(&process->threads[j]);
			for (unsigned event = 0; event < PMU_EVENTS; event++)
				sum[event] += process->threads[j].value[event];
		}
		struct raw_process *raw = &processes[process->record];
		raw->instructions = sum[0];
		raw->cycles = sum[1];
		rh_set(raw->present, RH_F_instructions_count);
		rh_set(raw->present, RH_F_cycles_count);
	}
	return true;
}

static void pmu_close(struct meter **meter)
{
	struct pmu *pmu = (struct pmu *)*meter;
	if (pmu == NULL)
		return;
	for (uint32_t i = 0; i < pmu->limit; i++)
		process_leave(pmu, &pmu->processes[i]);
	closefd(&pmu->proc_fd);
	struct pool pool = pmu->pool; /* holds the struct itself */
	pool_release(&pool);
	*meter = NULL;
}

static const struct meter_operations pmu_operations = {.signal = RH_SIGNAL_pmu, .tick = pmu_tick, .close = pmu_close};

/* Tries the counters on this thread. Returns 0, or -errno with a sentence. */
static int counters_try(const struct pmu_options *options, char error[256])
{
	int fd[PMU_EVENTS];
	int result = counters_open(options, 0, fd);
	for (unsigned event = 0; result == 0 && event < PMU_EVENTS; event++)
		closefd(&fd[event]);
	if (result == -EACCES || result == -EPERM)
		snprintf(error, 256, "hardware counters of all processes need CAP_PERFMON, or kernel.perf_event_paranoid below 1");
	else if (result == -ENOSYS)
		snprintf(error, 256, "this kernel has no perf events");
	else if (result < 0)
		snprintf(error, 256, "no hardware counters (%s): virtual machines hardly ever have any", strerror(-result));
	bool is_absent = result == -ENOENT || result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL;
	return is_absent ? -ENODEV : result;
}

/* Opens the processes' folder. Another one than the kernel's has pids that are not those of threads that could be counted. */
static int proc_open(const char *proc_root, char error[256])
{
	struct statfs filesystem;
	int fd = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstatfs(fd, &filesystem) == 0 && filesystem.f_type == PROC_SUPER_MAGIC)
		return fd;
	closefd(&fd);
	snprintf(error, 256, "hardware counters need the kernel's own processes: %s is no proc file system", proc_root);
	return -ENODEV;
}

int pmu_open_events(const struct meter_options *options, const struct pmu_options *pmu_options, struct meter **ret_meter, char error[256])
{
	int64_t limit = options->config->meters_pmu_processes;
	*ret_meter = NULL;
	int result = counters_try(pmu_options, error);
	if (result < 0)
		return result;
	if (limit <= 0) {
		snprintf(error, 256, "hardware counters are there, but not in use (meters.pmu_processes is 0)");
		return -ENODEV;
	}
	int proc_fd = proc_open(options->proc_root, error);
	if (proc_fd < 0)
		return proc_fd;
	struct pool pool = {0};
	struct pmu *pmu = pool_take(&pool, 1, sizeof(*pmu));
	if (pmu != NULL) {
		pmu->limit = limit < PROCESSES ? (uint32_t)limit : PROCESSES;
		pmu->capacity = options->max_processes;
		pmu->processes = pool_take(&pool, pmu->limit, sizeof(struct counted_process));
		pid_table_take(&pmu->table, &pool, pmu->capacity);
	}
	if (pool.failed) {
		pool_release(&pool);
		closefd(&proc_fd);
		snprintf(error, 256, "no memory for the hardware counters of %d processes", (int)limit);
		return -ENOMEM;
	}
	pmu->pool = pool;
	pmu->options = *pmu_options;
	pmu->proc_fd = proc_fd;
	pmu->meter.operations = &pmu_operations;
	*ret_meter = &pmu->meter;
	return 0;
}

int meter_pmu_open(const struct meter_options *options, struct meter **ret_meter, char error[256])
{
	const struct pmu_options pmu_options = {
	        .events = {{PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS}, {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES}},
	        .choose_ns = (uint64_t)CHOOSE_SECONDS * NS_PER_S,
	};
	return pmu_open_events(options, &pmu_options, ret_meter, error);
}
