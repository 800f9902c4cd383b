/*
 * guard.c - the pause guard on this machine: canaries feel what holds up ordinary programs, the guard does not, and an overdue caller is
 * put ahead of those that hold it up.
 *
 * Injections are bounded by alarm(2) in the child that makes them and end with this process. Skipped (77) where real-time classes are refused.
 */
#include "collector/guard/guard.h"
#include "base/clock.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOG_MS = 800, HELD_UP_MS = 300 };

static void sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

static void pin(unsigned cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

static unsigned last_cpu(void)
{
	cpu_set_t cpus;
	unsigned last = 0;
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			last = cpu;
	return last;
}

/* A real-time thread that keeps a cpu busy for HOG_MS. */
static pid_t hog_start(unsigned cpu)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(5);
	pin(cpu);
	struct sched_param priority = {.sched_priority = 50};
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		_exit(77);
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + HOG_MS * (uint64_t)NS_PER_MS;
	while (clock_now_ns(CLOCK_MONOTONIC) < end_ns)
		;
	_exit(0);
}

static int hog_end(pid_t hog)
{
	int status;
	assert_int_equal(waitpid(hog, &status, 0), hog);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_quiet_machine_is_watched(void **state)
{
	(void)state;
	struct guard_options options = {.guard_hz = 100, .canary_hz = 50};
	struct guard_reading reading;
	struct guard *guard;
	assert_int_equal(guard_open(&options, &guard), 0);
	sleep_ms(200);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &reading);
	assert_int_not_equal(reading.class, RH_GUARD_CLASS_none);
	assert_true(reading.canaries > 0);
	assert_true(reading.canary_late_max_ns > 0);
	assert_true(reading.guard_late_max_ns > 0);
	assert_true(reading.cpu_ns > 0);
	assert_int_equal(reading.boosts, 0);
	guard_close(&guard);
	assert_null(guard);
}

/* While the hog runs its canary is overdue, and the one of another cpu is not. */
static void a_real_time_hog_is_felt_on_its_cpu_while_it_runs(void **state)
{
	(void)state;
	struct guard_options options = {.guard_hz = 100, .canary_hz = 50};
	struct guard_reading during, after;
	struct guard *guard;
	unsigned cpu = last_cpu();
	assert_int_equal(guard_open(&options, &guard), 0);
	sleep_ms(100);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &during);
	pid_t hog = hog_start(cpu);
	pin(0); /* the reader stays out of its way */
	sleep_ms(HELD_UP_MS + 200);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &during);
	int result = hog_end(hog);
	sleep_ms(100);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &after);
	guard_close(&guard);
	if (result == 77 || during.class < RH_GUARD_CLASS_deadline || cpu == 0)
		skip();
	assert_int_equal(during.canary_cpu, cpu);
	assert_true(during.canary_late_max_ns > HELD_UP_MS * (uint64_t)NS_PER_MS);
	assert_true(during.canaries_late >= 1);
	assert_true(during.guard_late_max_ns < during.canary_late_max_ns);
	assert_true(after.canary_late_max_ns >= during.canary_late_max_ns);
}

/* The caller shares its cpu with the hog and would have to wait for its end; its sample is announced, and it gets the cpu before. */
static void an_overdue_caller_is_boosted_and_goes_back(void **state)
{
	(void)state;
	struct guard_options options = {.guard_hz = 200, .boost_after_ns = 50 * NS_PER_MS};
	struct guard_reading reading;
	struct guard *guard;
	assert_int_equal(guard_open(&options, &guard), 0);
	sleep_ms(50);
	int policy = sched_getscheduler(0);
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	pid_t hog = hog_start(last_cpu()); /* it may run anywhere: a boost needs no pinned caller, and DEADLINE none may be */
	guard_expect(guard, begin_ns);
	while (clock_now_ns(CLOCK_MONOTONIC) < begin_ns + 200 * (uint64_t)NS_PER_MS)
		; /* overdue, and not done */
	int boosted = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	guard_done(guard, 0);
	int back = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	guard_read(guard, 1, &reading);
	hog_end(hog);
	guard_close(&guard);
	if (reading.class < RH_GUARD_CLASS_fifo)
		skip();
	assert_int_equal(reading.boosts, 1);
	assert_true(boosted == SCHED_FIFO || boosted == 6);
	assert_int_equal(back, policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_quiet_machine_is_watched),
	        cmocka_unit_test(an_overdue_caller_is_boosted_and_goes_back),
	        cmocka_unit_test(a_real_time_hog_is_felt_on_its_cpu_while_it_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
