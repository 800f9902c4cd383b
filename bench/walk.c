/*
 * walk.c - what the walk inside the kernel costs, by each way, beside our own /proc back end: cpu time per process, or per thread.
 *
 *   walk [PROCESSES [THREADS]]     1,000 and 10,000 processes, and 200 with 50 threads each, where not given
 *
 * Processes are children that sleep; one in twenty is woken once before each walk. With caches as they are, and with 96 MiB swept before each. Ways take
 * turns; medians of several rounds; times are cpu times of this thread. The children end with this process, however it ends.
 *   call      one system call for all
 *   chunks    chunks of sampling.walk_chunk
 *   iterator  the kernel's task iterator
 *   bpf       the whole back end: walk, conversion, machine, without the other parts
 *   procfs    the /proc back end
 */
#include "collector/bpf/walk.h"
#include "base/clock.h"
#include "bench/figures.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ACTIVE_EACH = 20,
	PROCESSES_MOST = 30000,
	SWEEP_BYTES = 96 << 20,
	ROUNDS = 15,
	WARM_UP = 3,
	INTERVAL_MS = 200,
	THREAD_STACK_BYTES = 65536,
};

static pid_t children[PROCESSES_MOST];
static unsigned child_count;
static atomic_uint *ready; /* children that have all their threads, and those that ran since they were woken */

static void end_all(void)
{
	for (unsigned i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	for (unsigned i = 0; i < child_count; i++)
		waitpid(children[i], NULL, 0);
	child_count = 0;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "walk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- children ---- */

static void *thread_sleep(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* Runs a little at each SIGUSR1, which is blocked. */
static _Noreturn void child_run(pid_t parent, unsigned threads)
{
	sigset_t set;
	int number;
	pthread_attr_t attributes;
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	for (unsigned i = 1; i < threads; i++)
		if (pthread_create(&thread, &attributes, thread_sleep, NULL) != 0)
			_exit(1);
	atomic_fetch_add(ready, 1);
	while (getppid() == parent && sigwait(&set, &number) == 0)
		atomic_fetch_add(ready, 1);
	_exit(0);
}

static void await_ready(unsigned count)
{
	while (atomic_load(ready) < count)
		usleep(100);
	atomic_store(ready, 0);
}

static void start_children(unsigned count, unsigned threads)
{
	pid_t parent = getpid();
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	atomic_store(ready, 0);
	while (child_count < count) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid == 0)
			child_run(parent, threads);
		children[child_count++] = pid;
	}
	await_ready(count);
}

static void wake_some(void)
{
	unsigned woken = 0;
	for (unsigned i = 0; i < child_count; i += ACTIVE_EACH, woken++)
		kill(children[i], SIGUSR1);
	await_ready(woken);
}

static void sweep_caches(void)
{
	static volatile char *memory;
	if (!memory && !(memory = calloc(SWEEP_BYTES, 1)))
		fail("calloc");
	for (size_t i = 0; i < SWEEP_BYTES; i += 64)
		memory[i]++;
}

/* ---- ways ---- */

enum way { CALL, CHUNKS, ITERATOR, BPF, PROCFS, WAYS };
static const char *const way_name[WAYS] = {"call", "chunks", "iterator", "bpf", "procfs"};

struct ways {
	struct walk *walks[BPF];
	struct source *sources[WAYS]; /* from BPF on */
	struct config config;
	struct raw_process *processes;
	uint32_t count, tasks, calls[BPF];
};

static void open_walk(struct ways *ways, enum way way, uint32_t processes)
{
	const struct walk_options options = {
	        .way = way == ITERATOR ? "iterator" : "syscall",
	        .processes = processes,
	        .chunk = (uint32_t)ways->config.sampling_walk_chunk,
	        .chunk_from = way == CHUNKS ? 0 : UINT32_MAX,
	};
	char error[256];
	if (walk_open(&options, &ways->walks[way], error) < 0) {
		printf("  %-9s %s\n", way_name[way], error);
		ways->walks[way] = NULL;
	}
}

static void open_ways(struct ways *ways, uint32_t processes)
{
	*ways = (struct ways){0};
	config_defaults(&ways->config);
	ways->config.sampling_scheduler = ways->config.sampling_last_words = ways->config.sampling_block = false;
	struct source_options options = {
	        .proc_root = "/proc",
	        .interval_ns = INTERVAL_MS * (uint64_t)NS_PER_MS,
	        .max_processes = processes + 4096,
	        .refresh_parts = (uint32_t)ways->config.sampling_refresh_parts,
	        .thread_limit = (uint32_t)ways->config.sampling_thread_limit,
	        .fd_limit = (uint32_t)ways->config.sampling_fd_limit,
	        .config = &ways->config,
	};
	char error[256];
	ways->processes = calloc(options.max_processes, sizeof(*ways->processes));
	if (!ways->processes)
		fail("calloc");
	for (enum way way = CALL; way < BPF; way++)
		open_walk(ways, way, processes);
	if (source_bpf_open(&options, &ways->sources[BPF], error) < 0) {
		printf("  %-9s %s\n", way_name[BPF], error);
		ways->sources[BPF] = NULL;
	}
	if (source_procfs_open(&options, &ways->sources[PROCFS], error) < 0)
		fail(error);
}

static void close_ways(struct ways *ways)
{
	for (enum way way = CALL; way < WAYS; way++) {
		if (way < BPF && ways->walks[way])
			walk_close(&ways->walks[way]);
		if (way >= BPF && ways->sources[way])
			ways->sources[way]->operations->close(&ways->sources[way]);
	}
	free(ways->processes);
}

static bool has_way(const struct ways *ways, enum way way)
{
	return way < BPF ? ways->walks[way] != NULL : ways->sources[way] != NULL;
}

/* One sample by that way. Returns its cpu time in us. */
static double sample(struct ways *ways, enum way way, bool swept)
{
	struct walk_result result = {0};
	struct source_tick tick;
	struct raw_system system;
	wake_some();
	if (swept)
		sweep_caches();
	uint64_t begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	int error = way < BPF ? walk_run(ways->walks[way], &result)
	                      : ways->sources[way]->operations->tick(ways->sources[way], UINT64_MAX, ways->processes, &system, &tick);
	double us = (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / NS_PER_US;
	if (error != 0)
		fail(way_name[way]);
	if (way < BPF) {
		ways->count = result.view.count;
		ways->tasks = result.tasks;
		ways->calls[way] = result.calls;
	}
	return us;
}

static void measure(struct ways *ways, unsigned threads, bool swept)
{
	static double us[WAYS][ROUNDS];
	for (int round = -WARM_UP; round < ROUNDS; round++)
		for (enum way way = CALL; way < WAYS; way++)
			if (has_way(ways, way)) {
				double took = sample(ways, way, swept);
				if (round >= 0)
					us[way][round] = took;
			}
	printf("%s, %u processes, %u threads\n", swept ? "96 MiB swept before each" : "quiet caches", ways->count, ways->tasks);
	double procfs_us = figures_median(us[PROCFS], ROUNDS);
	for (enum way way = CALL; way < WAYS; way++) {
		if (!has_way(ways, way))
			continue;
		double median_us = figures_median(us[way], ROUNDS);
		printf("  %-9s %9.0f us  %6.3f us a %s  %6.1f x cheaper than procfs", way_name[way], median_us,
		        median_us / (threads > 1 ? ways->tasks : ways->count), threads > 1 ? "thread" : "process", procfs_us / median_us);
		if (way < BPF)
			printf("  %u calls", ways->calls[way]);
		printf("\n");
	}
}

static void run(unsigned processes, unsigned threads)
{
	static struct ways ways;
	start_children(processes, threads);
	open_ways(&ways, processes + 1024);
	measure(&ways, threads, false);
	measure(&ways, threads, true);
	close_ways(&ways);
	end_all();
}

int main(int argc, char **argv)
{
	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ready == MAP_FAILED)
		fail("mmap");
	atexit(end_all);
	if (argc == 1) {
		run(1000, 1);
		run(10000, 1);
		run(200, 50);
		return 0;
	}
	unsigned long processes = strtoul(argv[1], NULL, 10), threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	if (processes < ACTIVE_EACH || processes > PROCESSES_MOST || threads < 1 || threads > 1000) {
		fprintf(stderr, "usage: walk [PROCESSES [THREADS]]\n");
		return 2;
	}
	run((unsigned)processes, (unsigned)threads);
	return 0;
}
