/*
 * latency.c - what the collector's sampling does to others on its cpu: how late a timer of 250 us under SCHED_FIFO is, on the cpu that the collector is
 * bound to, with 10,000 more processes, with the collector at 5 Hz and without it, in turn.
 *
 *   latency [PROCESSES]
 * Medians over several turns of the 99th percentile. The processes end with this one, however it ends.
 */
#include "base/clock.h"
#include "bench/figures.h"
#include "tests/support/live_collector.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PROCESSES = 10000,
	PROCESSES_MOST = 30000,
	TURNS = 5,
	PERIOD_NS = 250 * NS_PER_US,
	WAKEUPS = 24000, /* six seconds: thirty samples */
	PRIORITY = 50,
	SETTLE_MS = 1500,
};

static pid_t children[PROCESSES_MOST];
static unsigned child_count;

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
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void start_children(unsigned count)
{
	pid_t parent = getpid();
	while (child_count < count) {
		pid_t child = fork();
		if (child < 0)
			fail("fork");
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == parent)
				pause();
			_exit(0);
		}
		children[child_count++] = child;
	}
}

static void bind_to(pid_t pid, unsigned cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) != 0)
		fail("sched_setaffinity");
}

static void sleep_ms(unsigned ms)
{
	const struct timespec time = clock_timespec(ms * (uint64_t)NS_PER_MS);
	nanosleep(&time, NULL);
}

/* Lateness in us of a timer on this cpu. */
struct lateness {
	double median, p99, most;
};

static struct lateness measure_lateness(void)
{
	static double late_us[WAKEUPS];
	const struct sched_param fifo = {.sched_priority = PRIORITY}, normal = {0};
	if (sched_setscheduler(0, SCHED_FIFO, &fifo) != 0)
		fail("SCHED_FIFO");
	uint64_t due_ns = clock_now_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < WAKEUPS; i++) {
		due_ns += PERIOD_NS;
		const struct timespec due = clock_timespec(due_ns);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
		late_us[i] = (double)(now_ns - due_ns) / NS_PER_US;
	}
	sched_setscheduler(0, SCHED_OTHER, &normal);
	struct lateness lateness = {.median = figures_median(late_us, WAKEUPS)};
	lateness.p99 = late_us[WAKEUPS / 100 * 99];
	lateness.most = late_us[WAKEUPS - 1];
	return lateness;
}

static struct lateness measure_beside(const char *sampler, unsigned cpu, bool *ret_is_right)
{
	struct live_collector live;
	char config[64];
	snprintf(config, sizeof(config), "sampling.interval=0.2\nsampling.sampler=%s\n", sampler);
	if (!live_collector_start(&live, "latency", config))
		exit(1);
	bind_to(live.pid, cpu);
	sleep_ms(SETTLE_MS);
	struct lateness lateness = measure_lateness();
	bool is_procfs = !live_collector_await(&live, 0) || live.view.system.sampler == RH_SAMPLER_procfs;
	*ret_is_right = is_procfs == (strcmp(sampler, "procfs") == 0);
	live_collector_stop(&live);
	return lateness;
}

struct turns {
	double p99[TURNS], median[TURNS], most[TURNS];
	bool is_right;
};

static void keep(struct turns *turns, unsigned turn, struct lateness lateness)
{
	turns->p99[turn] = lateness.p99;
	turns->median[turn] = lateness.median;
	turns->most[turn] = lateness.most;
}

static void print_turns(const char *what, struct turns *turns, double without_us, double limit_us)
{
	char text[96];
	if (!turns->is_right) {
		printf("  %s: left out, it is not possible here\n", what);
		return;
	}
	double p99 = figures_median(turns->p99, TURNS);
	snprintf(text, sizeof(text), "  %s: 99th percentile", what);
	figure_note(text, p99, "us");
	snprintf(text, sizeof(text), "  %s: median", what);
	figure_note(text, figures_median(turns->median, TURNS), "us");
	snprintf(text, sizeof(text), "  %s: the latest of all", what);
	figure_note(text, figures_median(turns->most, TURNS), "us");
	if (limit_us > 0) {
		snprintf(text, sizeof(text), "  %s: 99th percentile above that without it", what);
		figure_at_most(text, p99 - without_us, limit_us, "us");
	}
}

int main(int argc, char **argv)
{
	static struct turns none = {.is_right = true}, bpf, procfs;
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : PROCESSES;
	unsigned cpu = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	if (argc > 2 || count > PROCESSES_MOST) {
		fprintf(stderr, "usage: latency [PROCESSES]\n");
		return 2;
	}
	atexit(end_all);
	start_children((unsigned)count);
	if (mlockall(MCL_CURRENT) != 0)
		fail("mlockall");
	bind_to(0, cpu);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		keep(&none, turn, measure_lateness());
		keep(&bpf, turn, measure_beside("bpf", cpu, &bpf.is_right));
		keep(&procfs, turn, measure_beside("procfs", cpu, &procfs.is_right));
	}
	printf("%u more processes, a timer of %d us at SCHED_FIFO %d on the collector's cpu:\n", child_count, PERIOD_NS / NS_PER_US,
	        PRIORITY);
	double without_us = figures_median(none.p99, TURNS);
	print_turns("without a collector", &none, 0, 0);
	print_turns("rh-collector kernel-direct at 5 Hz", &bpf, without_us, 150);
	print_turns("rh-collector from /proc at 5 Hz", &procfs, without_us, 0);
	return 0;
}
