/*
 * Processes that come and go between two ticks: all are counted, and their cpu time is what the kernel says that children used. Also where there
 * is no room for their last words, and where context switches are not watched.
 */
#include "base/clock.h"
#include "tests/support/sched_live.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/near.h"

enum { CHILDREN = 250, BATCH = 50, LATE_MS = 3000, THREADS = 6 };

/* What ticks said of our children. */
struct told {
	uint32_t count, summed; /* of these without a record of their own */
	double cpu_ns, longest_ns;
	uint64_t lost;
	uint32_t degraded;
};

static double children_cpu_ns(void)
{
	struct rusage usage;
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
}

static void take(struct sched_live *live, struct told *told)
{
	uint32_t self = (uint32_t)getpid();
	sched_live_tick(live);
	for (uint32_t i = 0; i < live->tick.ended_count; i++) {
		const struct raw_process *ended = &live->tick.ended[i];
		if (ended->ppid != self)
			continue;
		double life_ns = (double)(ended->end_time_ns - ended->start_time_ns);
		assert_int_equal(ended->state, RH_STATE_zombie);
		assert_true(rh_has(ended->present, RH_F_lifetime_ns));
		assert_null(sched_live_find(live, (pid_t)ended->pid));
		told->count++;
		told->cpu_ns += (double)ended->cpu_time_ns;
		if (life_ns > told->longest_ns)
			told->longest_ns = life_ns;
	}
	for (uint32_t i = 0; i < live->tick.brief_count; i++) {
		const struct raw_brief *brief = &live->tick.brief[i];
		if (brief->ppid != self)
			continue;
		told->count += brief->count;
		told->summed += brief->count;
		told->cpu_ns += (double)brief->cpu_time_ns;
	}
	told->lost += live->tick.events_lost;
	told->degraded |= live->tick.degraded;
}

static void *burn(void *unused)
{
	for (volatile unsigned i = 0; i < 50000; i++)
		;
	return unused;
}

/* Some threads have ended when the process does, others are ended by it, and the main thread may be the first to go. */
static _Noreturn void burn_in_threads(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, burn, NULL) != 0)
			_exit(1);
	for (int i = 0; i < THREADS / 2; i++)
		pthread_join(threads[i], NULL);
	if (getpid() % 2)
		pthread_exit(NULL);
	_exit(0);
}

static bool with_threads;

static void child_run(void)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0 && with_threads)
		burn_in_threads();
	if (pid == 0) {
		burn(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Ends and tails come a moment late: as long as more comes. */
static void take_rest(struct sched_live *live, struct told *told, double cpu_ns)
{
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + (uint64_t)LATE_MS * NS_PER_MS;
	do {
		usleep(20000);
		take(live, told);
	} while ((told->count < CHILDREN || told->cpu_ns < cpu_ns * 0.97) && clock_now_ns(CLOCK_MONOTONIC) < end_ns);
}

static struct told run_children(struct sched_live *live, unsigned batch)
{
	struct told told = {0};
	take(live, &told);
	told = (struct told){0};
	double cpu_ns = children_cpu_ns();
	for (unsigned i = 1; i <= CHILDREN; i++) {
		child_run();
		if (i % batch == 0)
			take(live, &told);
	}
	cpu_ns = children_cpu_ns() - cpu_ns;
	take_rest(live, &told, cpu_ns);
	printf("%u of %u children, %u in sums, longest life %.2f ms, their cpu %.2f ms of %.2f (%.4f), lost %llu\n", told.count, CHILDREN,
	        told.summed, told.longest_ns / NS_PER_MS, told.cpu_ns / NS_PER_MS, cpu_ns / NS_PER_MS, told.cpu_ns / cpu_ns,
	        (unsigned long long)told.lost);
	assert_int_equal(told.count, CHILDREN);
	assert_near(told.cpu_ns / cpu_ns, 1, 0.03);
	return told;
}

static int open_live(void **state, bool switches, uint32_t words_bytes)
{
	static struct sched_live live;
	sched_live_init(&live);
	live.config.sampling_scheduler = switches;
	if (words_bytes > 0)
		live.limits.words_bytes = words_bytes;
	*state = &live;
	return sched_live_open(&live) ? 0 : -1;
}

static int open_whole(void **state)
{
	return open_live(state, true, 0);
}

static int open_without_switches(void **state)
{
	return open_live(state, false, 0);
}

static int open_small(void **state)
{
	return open_live(state, true, 4096);
}

static int close_live(void **state)
{
	sched_live_close(*state);
	return 0;
}

static void test_all_counted(void **state)
{
	struct told told = run_children(*state, BATCH);
	assert_true(told.summed == 0 || told.lost > 0); /* some other program may have filled the room */
}

static void test_threads(void **state)
{
	with_threads = true;
	struct told told = run_children(*state, BATCH);
	with_threads = false;
	assert_true(told.summed == 0 || told.lost > 0);
}

/* Without watching switches the rest comes when the kernel lets go of the process, some ticks later. */
static void test_without_switches(void **state)
{
	struct sched_live *live = *state;
	struct told told = run_children(live, BATCH);
	assert_true(told.summed == 0 || told.lost > 0);
	assert_false(rh_has(live->processes[live->current][0].present, RH_F_cpu_blame_ms_per_s));
	assert_int_equal(live->tick.signals & UINT64_C(1) << RH_SIGNAL_scheduler, 0);
	assert_int_not_equal(live->tick.signals & UINT64_C(1) << RH_SIGNAL_last_words, 0);
}

/* There is room for a dozen: the others are summed up under their parent, that is, here. */
static void test_overflow(void **state)
{
	struct told told = run_children(*state, CHILDREN);
	assert_true(told.lost >= CHILDREN / 2);
	assert_true(told.summed >= CHILDREN / 2);
	assert_int_not_equal(told.degraded & RH_DEGRADED_fewer_last_words, 0);
}

/* A child that nobody has waited for is in the walk, and only there; it is told of when it is gone. */
static void test_zombie(void **state)
{
	struct sched_live *live = *state;
	struct told told = {0};
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	for (int i = 0; i < 3; i++) {
		take(live, &told);
		assert_non_null(sched_live_find(live, pid));
		assert_int_equal(told.count, 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	take(live, &told);
	assert_null(sched_live_find(live, pid));
	assert_int_equal(told.count, 1);
	take(live, &told);
	assert_int_equal(told.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_all_counted, open_whole, close_live),
	        cmocka_unit_test_setup_teardown(test_threads, open_whole, close_live),
	        cmocka_unit_test_setup_teardown(test_without_switches, open_without_switches, close_live),
	        cmocka_unit_test_setup_teardown(test_overflow, open_small, close_live),
	        cmocka_unit_test_setup_teardown(test_zombie, open_whole, close_live),
	};
	struct sched_live *live;
	if (open_whole((void **)&live) != 0)
		return 77;
	sched_live_close(live);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
