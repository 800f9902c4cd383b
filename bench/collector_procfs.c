/*
 * collector_procfs.c - cost of a tick of the /proc back end, per process, beside the way that most monitors go: open, read and close
 * stat, status, io and schedstat of every process.
 *
 *   bench_collector_procfs [PROCESSES [TICKS]]     1,000 and then 10,000 processes where not given
 *
 * The processes are children that sleep; one in twenty is woken once before each tick. Caches are swept before each measurement, as the other
 * work of a machine would between two ticks. Times are cpu times of this thread. The children end with this process, however it ends.
 */
#include "base/clock.h"
#include "collector/procfs/file.h"
#include "collector/procfs/parse.h"
#include "collector/source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ACTIVE_EACH = 20,
	WARM_UP = 40, /* ticks until every process went through the slow round twice */
	PLAIN_TICKS = 7,
	SWEEP_BYTES = 64 << 20,
	INTERVAL_US = 200000,
	MAX_CHILDREN = 200000,
	MAX_TICKS = 1000,
};

static pid_t *children; /* every ACTIVE_EACH-th is an active one, from the first on */
static size_t child_count;
static int life_fds[2], done_fds[2];

static void fail(const char *what)
{
	fprintf(stderr, "collector_procfs: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void kill_children(void)
{
	for (size_t i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	for (size_t i = 0; i < child_count; i++)
		waitpid(children[i], NULL, 0);
	child_count = 0;
}

static _Noreturn void child_sleep(pid_t parent)
{
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(life_fds[1]);
	if (getppid() == parent && read(life_fds[0], &byte, 1) != 0)
		pause();
	_exit(0);
}

/* Runs for some microseconds at each SIGUSR1, which is blocked. */
static _Noreturn void child_work(pid_t parent)
{
	sigset_t set;
	int signal_number;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	while (getppid() == parent && sigwait(&set, &signal_number) == 0) {
		for (volatile int i = 0; i < 1000; i++)
			;
		if (write(done_fds[1], "x", 1) != 1)
			break;
	}
	_exit(0);
}

static void start_children(size_t count)
{
	pid_t parent = getpid();
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (pipe(life_fds) != 0 || pipe(done_fds) != 0)
		fail("pipe");
	for (size_t i = 0; i < count; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid == 0 && i % ACTIVE_EACH == 0)
			child_work(parent);
		if (pid == 0)
			child_sleep(parent);
		children[child_count++] = pid;
	}
}

/* Lets every active child run once, and waits until all have. */
static void run_active(void)
{
	size_t left = 0;
	for (size_t i = 0; i < child_count; i += ACTIVE_EACH, left++)
		if (kill(children[i], SIGUSR1) != 0)
			fail("kill");
	char bytes[256];
	while (left > 0) {
		ssize_t got = read(done_fds[0], bytes, sizeof(bytes));
		if (got <= 0)
			fail("read");
		left -= (size_t)got;
	}
}

static void sweep_caches(void)
{
	static volatile char *memory;
	if (!memory && !(memory = calloc(SWEEP_BYTES, 1)))
		fail("calloc");
	for (size_t i = 0; i < SWEEP_BYTES; i += 64)
		memory[i]++;
}

/* ---- the two ways ---- */

static uint64_t tick_gated(struct source *source, struct raw_process *records, struct source_tick *ret_tick)
{
	struct raw_system system;
	run_active();
	sweep_caches();
	uint64_t begin = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	if (source->operations->tick(source, (uint64_t)INTERVAL_US * NS_PER_US / 10, records, &system, ret_tick) != 0)
		fail("tick");
	return clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
}

/* One file, opened, read and closed. Returns its length, 0 if the process is gone. */
static size_t read_plainly(int root_fd, uint32_t pid, const char *name, char *buffer, size_t size)
{
	char path[PROCFS_FILE_PATH_BYTES];
	int fd = openat(root_fd, procfs_file_path(pid, name, path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t length = read(fd, buffer, size);
	close(fd);
	return length > 0 ? (size_t)length : 0;
}

static volatile uint64_t kept; /* what the plain way read, so that it is not optimised away */

static uint64_t tick_plainly(const struct raw_process *records, uint32_t count)
{
	static char buffer[16384];
	uint64_t use = 0;
	run_active();
	sweep_caches();
	uint64_t begin = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	int root_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (uint32_t i = 0; i < count; i++) {
		struct procfs_stat stat;
		struct procfs_status status;
		struct procfs_io io;
		struct procfs_schedstat schedstat;
		uint32_t pid = records[i].pid;
		if (procfs_parse_stat(buffer, read_plainly(root_fd, pid, "stat", buffer, sizeof(buffer)), &stat))
			use += stat.user_ticks;
		if (procfs_parse_status(buffer, read_plainly(root_fd, pid, "status", buffer, sizeof(buffer)), &status))
			use += status.found;
		if (procfs_parse_io(buffer, read_plainly(root_fd, pid, "io", buffer, sizeof(buffer)), &io))
			use += io.read_bytes;
		if (procfs_parse_schedstat(buffer, read_plainly(root_fd, pid, "schedstat", buffer, sizeof(buffer)), &schedstat))
			use += schedstat.run_ns;
	}
	kept = use;
	close(root_fd);
	return clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static double median_us(uint64_t *times_ns, size_t count)
{
	qsort(times_ns, count, sizeof(times_ns[0]), by_value);
	return (double)times_ns[count / 2] / NS_PER_US;
}

static void measure(size_t processes, size_t ticks)
{
	const struct source_options options = {
	        .proc_root = "/proc",
	        .interval_ns = (uint64_t)INTERVAL_US * NS_PER_US,
	        .max_processes = (uint32_t)processes + 4096,
	        .refresh_parts = 16,
	        .thread_limit = 64,
	        .fd_limit = 65536,
	};
	static uint64_t gated_ns[MAX_TICKS], plain_ns[PLAIN_TICKS];
	struct raw_process *records = calloc(options.max_processes, sizeof(records[0]));
	struct source *source;
	struct source_tick tick;
	char error[256];
	children = calloc(processes, sizeof(children[0]));
	if (!children || !records)
		fail("calloc");
	if (source_procfs_open(&options, &source, error) != 0) {
		fprintf(stderr, "collector_procfs: %s\n", error);
		exit(1);
	}
	start_children(processes);
	for (int i = 0; i < WARM_UP; i++)
		tick_gated(source, records, &tick);
	for (size_t i = 0; i < ticks; i++)
		gated_ns[i] = tick_gated(source, records, &tick);
	uint32_t degraded = tick.degraded;
	source->operations->close(&source);
	for (size_t i = 0; i < PLAIN_TICKS; i++)
		plain_ns[i] = tick_plainly(records, tick.count);
	kill_children();

	double gated_us = median_us(gated_ns, ticks), plain_us = median_us(plain_ns, PLAIN_TICKS);
	printf("%u processes, one in %d woken before each tick; median cpu time of %zu ticks\n", tick.count, ACTIVE_EACH, ticks);
	printf("  gated              %9.0f us a tick  %6.2f us a process  %5.2f %% of a core at 5 Hz  degraded %#x\n", gated_us,
	        gated_us / tick.count, gated_us * 100 / INTERVAL_US, degraded);
	printf("  open, read, close  %9.0f us a tick  %6.2f us a process  ratio %.1f\n", plain_us, plain_us / tick.count,
	        plain_us / gated_us);
	free(records);
	free(children);
}

int main(int argc, char **argv)
{
	atexit(kill_children);
	if (argc == 1) {
		measure(1000, 40);
		measure(10000, 20);
		return 0;
	}
	size_t processes = strtoul(argv[1], NULL, 10), ticks = argc > 2 ? strtoul(argv[2], NULL, 10) : 20;
	if (processes < 1 || processes > MAX_CHILDREN || ticks < 1 || ticks > MAX_TICKS) {
		fprintf(stderr, "usage: bench_collector_procfs [PROCESSES [TICKS]]\n");
		return 2;
	}
	measure(processes, ticks);
	return 0;
}
