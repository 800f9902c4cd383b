/*
 * sched.c - what scheduler accounting adds to a context switch, and to the end of a process.
 *
 *   bench_sched [PAIRS]   pairs of runs with and without, 15 where not given
 *
 * Ping-pong over two pipes between two processes on one cpu, with the programs and without in turn, the order of the two changed from pair to
 * pair: the figure is the median of the differences. The same for children that end at once. Times are cpu times of the two, in which the programs
 * are, so that what else runs on the machine counts as little as can be. Then two seconds of doing nothing.
 */
#include "base/clock.h"
#include "tests/support/sched_live.h"

#include "bench/figures.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 30000, CHILDREN = 500, PAIRS_MOST = 1000, CPU = 1 };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(unsigned cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
		CPU_SET(0, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
}

/* cpu time of this process and of a child. */
static uint64_t cpu_ns(pid_t pid)
{
	struct timespec time;
	clockid_t clock;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
		fail("cpu clock");
	return clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) + (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

/* cpu time of this process and of its children that are gone. */
static uint64_t family_ns(void)
{
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	uint64_t us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S / NS_PER_US +
	              (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	return clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) + us * NS_PER_US;
}

static int there[2], back[2];
static pid_t partner;

static void partner_start(void)
{
	char byte;
	if (pipe(there) != 0 || pipe(back) != 0)
		fail("pipe");
	partner = fork();
	if (partner < 0)
		fail("fork");
	if (partner > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
		;
	_exit(0);
}

/* ns of one switch. */
static double ping_pong(void)
{
	char byte = 0;
	uint64_t begin_ns = 0;
	for (int i = -ROUNDS / 10; i < ROUNDS; i++) {
		if (i == 0)
			begin_ns = cpu_ns(partner);
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			fail("ping-pong");
	}
	return (double)(cpu_ns(partner) - begin_ns) / ROUNDS / 2;
}

/* ---- children, of a process that has no maps of ours: a fork copies those too ---- */

static int ask[2], answer[2];
static pid_t mother;

static _Noreturn void bear(void)
{
	char byte;
	while (read(ask[0], &byte, 1) == 1) {
		uint64_t begin_ns = family_ns();
		for (int i = 0; i < CHILDREN; i++) {
			pid_t pid = fork();
			if (pid == 0)
				_exit(0);
			if (pid < 0 || waitpid(pid, NULL, 0) != pid)
				fail("fork");
		}
		double ns = (double)(family_ns() - begin_ns) / CHILDREN;
		if (write(answer[1], &ns, sizeof(ns)) != (ssize_t)sizeof(ns))
			break;
	}
	_exit(0);
}

static void mother_start(void)
{
	if (pipe(ask) != 0 || pipe(answer) != 0)
		fail("pipe");
	mother = fork();
	if (mother < 0)
		fail("fork");
	if (mother == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bear();
	}
}

/* ns of a child, from fork to wait. */
static double children(void)
{
	double ns = 0;
	if (write(ask[1], "", 1) != 1 || read(answer[0], &ns, sizeof(ns)) != (ssize_t)sizeof(ns))
		fail("children");
	return ns;
}

static double with_programs(double (*measure)(void), bool switches)
{
	struct sched_live live;
	sched_live_init(&live);
	live.limits.words_bytes = 4 << 20;
	live.config.sampling_scheduler = switches;
	if (!sched_live_open(&live))
		exit(77);
	double ns = measure();
	sched_live_tick(&live);
	sched_live_close(&live);
	return ns;
}

/* Median of what the programs add, in ns, and of what it is without them. */
static double compare(double (*measure)(void), bool switches, int pairs, double *ret_without)
{
	static double added[PAIRS_MOST], without[PAIRS_MOST];
	for (int i = 0; i < pairs; i++) {
		double with = i % 2 ? with_programs(measure, switches) : 0;
		without[i] = measure();
		with = i % 2 ? with : with_programs(measure, switches);
		added[i] = with - without[i];
	}
	*ret_without = figures_median(without, (size_t)pairs);
	return figures_median(added, (size_t)pairs);
}

/* Fraction of a core that the programs take on this machine as it is now, by their own count. */
static double idle_ratio(void)
{
	struct sched_live live;
	sched_live_init(&live);
	if (!sched_live_open(&live))
		exit(77);
	uint64_t hook_ns = live.system.hook_ns, begin_ns = live.begin_ns;
	for (int i = 0; i < 10; i++) {
		usleep(200000);
		sched_live_tick(&live);
	}
	double ratio = (double)(live.system.hook_ns - hook_ns) / (double)(live.begin_ns - begin_ns);
	sched_live_close(&live);
	return ratio;
}

int main(int argc, char **argv)
{
	int pairs = argc > 1 ? atoi(argv[1]) : 15;
	double without;
	if (pairs < 1 || pairs > PAIRS_MOST)
		return 2;
	pin(CPU);
	partner_start();
	mother_start();
	double added = compare(ping_pong, true, pairs, &without);
	figure_note("ping-pong without, ns per switch", without, "ns");
	figure_at_most("added to a context switch (all programs attached)", added, 200, "ns");
	kill(partner, SIGKILL);
	waitpid(partner, NULL, 0);
	added = compare(children, true, pairs, &without);
	figure_note("a child that ends at once, without", without / 1000, "us");
	figure_note("added to it: its switches, its last words and their tail", added / 1000, "us");
	added = compare(children, false, pairs, &without);
	figure_note("added to it by last words alone", added / 1000, "us");
	kill(mother, SIGKILL);
	waitpid(mother, NULL, 0);
	figure_at_most("cost on the machine as it is now, percent of a core", idle_ratio() * 100, 0.3, "%");
	return 0;
}
