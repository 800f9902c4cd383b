/*
 * Watching context switches over its budget: it is left off, that is said and what it feeds is absent; later it is tried again, and the rest of the
 * accounting has gone on meanwhile.
 */
#include "base/clock.h"
#include "tests/support/sched_live.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 10000 };

static struct sched_live live;

static void wake_one_another(void)
{
	int there[2], back[2];
	char byte = 0;
	if (pipe(there) != 0 || pipe(back) != 0)
		_exit(1);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		/* Killed with its parent: it holds both ends of the pipes, and would wait for ever. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent && read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	while (write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		;
}

static bool is_watching(void)
{
	return live.tick.signals >> RH_SIGNAL_scheduler & 1;
}

static bool wait_until(bool watching)
{
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + (uint64_t)WAIT_MS * NS_PER_MS;
	do
		sched_live_watch(&live, 1);
	while (is_watching() != watching && clock_now_ns(CLOCK_MONOTONIC) < end_ns);
	return is_watching() == watching;
}

static bool has_blame(void)
{
	const struct raw_process *self = sched_live_find(&live, getpid());
	return self && rh_has(self->present, RH_F_cpu_blame_ms_per_s);
}

static void test_over_budget(void **state)
{
	(void)state;
	assert_true(is_watching());
	assert_true(has_blame());
	assert_true(rh_has(live.system.present, RH_S_switches_per_s));
	pid_t child = sched_live_child(0, wake_one_another);
	assert_true(wait_until(false));
	assert_int_not_equal(live.tick.degraded & RH_DEGRADED_no_scheduler, 0);
	assert_false(has_blame());
	assert_false(rh_has(live.system.present, RH_S_switches_per_s));
	assert_true(rh_has(live.system.present, RH_S_hook_cost_ratio));
	/* The last words go on. */
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	bool told = false;
	for (int i = 0; i < 3 && !told; i++) {
		sched_live_tick(&live);
		for (uint32_t k = 0; k < live.tick.ended_count; k++)
			told |= live.tick.ended[k].pid == (uint32_t)pid;
	}
	assert_true(told);
	sched_live_kill(child);
}

/* It comes back, and with it a hog is blamed as before. */
static void test_again(void **state)
{
	(void)state;
	assert_true(wait_until(true));
	assert_true(has_blame());
	assert_int_equal(live.tick.degraded & RH_DEGRADED_no_scheduler, 0);
	assert_int_equal(live.backwards, 0);
	assert_true(rh_has(live.system.present, RH_S_switches_per_s));
}

/* Where it costs too much as soon as it is back, it is left off for longer. */
static void test_longer(void **state)
{
	(void)state;
	pid_t child = sched_live_child(0, wake_one_another);
	uint64_t pauses_ns[2];
	assert_true(wait_until(false));
	for (int i = 0; i < 2; i++) {
		assert_true(wait_until(false));
		uint64_t begin_ns = live.begin_ns;
		assert_true(wait_until(true));
		pauses_ns[i] = live.begin_ns - begin_ns;
	}
	sched_live_kill(child);
	assert_true(pauses_ns[1] > pauses_ns[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_over_budget),
	        cmocka_unit_test(test_again),
	        cmocka_unit_test(test_longer),
	};
	sched_live_init(&live);
	live.limits.judged_ns = 100 * NS_PER_MS;
	live.limits.mean_ns = 200 * NS_PER_MS;
	live.limits.pause_ns = 400 * NS_PER_MS;
	live.config.sampling_scheduler_max_cpu = 0.2;
	if (!sched_live_open(&live))
		return 77;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sched_live_close(&live);
	return failed;
}
