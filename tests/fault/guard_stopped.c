/*
 * guard_stopped.c - a collector that was stopped tells the whole of it in the first sample afterwards: how late it is, what ticks it missed, and that the guard
 * and the canaries, which were stopped with it, were late as long. The sample after that is like any other. And it ends at once when it is told to.
 */
#include "base/clock.h"
#include "tests/support/live_collector.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { INTERVAL_MS = 200, WARM_MS = 500, STOPPED_MS = 1200, STOP_MOST_MS = 1500, TRIES = 10 };

static double ms(double ns)
{
	return ns / NS_PER_MS;
}

/* Three samples in a row: the last one before the stop, and two after it. */
struct gap {
	struct rh_system before, after, next;
	double ms; /* at least that long it was stopped */
};

/* Stops it for a while. Returns false if that was in the middle of a sample: then it is that sample's scan that tells. */
static bool stop_for_a_while(struct live_collector *live, struct gap *gap)
{
	struct rh_view view;
	assert_int_equal(kill(live->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(live->pid, NULL, WUNTRACED), live->pid);
	uint64_t stopped_ns = clock_now_ns(CLOCK_MONOTONIC);
	assert_int_equal(rh_latest(live->ring, &view), RH_OK);
	gap->before = view.system;
	poll(NULL, 0, STOPPED_MS);
	uint64_t resumed_ns = clock_now_ns(CLOCK_MONOTONIC), sample = view.sample;
	gap->ms = ms((double)(resumed_ns - stopped_ns));
	assert_int_equal(kill(live->pid, SIGCONT), 0);
	while (rh_newest(live->ring) < sample + 2)
		assert_true(live_collector_await(live, clock_now_ns(CLOCK_MONOTONIC)));
	assert_int_equal(rh_at(live->ring, sample + 1, &view), RH_OK);
	gap->after = view.system;
	assert_int_equal(rh_at(live->ring, sample + 2, &view), RH_OK);
	gap->next = view.system;
	return ms((double)gap->after.scan_ns) < gap->ms / 2;
}

static void one_sample_spans_the_gap(void **state)
{
	struct live_collector live;
	struct gap gap;
	bool found = false;
	(void)state;
	if (!live_collector_start(&live, "stopped", "sampling.interval=0.2\nsampling.max_cpu=100\n"))
		fail();
	for (unsigned i = 0; i < TRIES && !found; i++) {
		poll(NULL, 0, WARM_MS);
		found = stop_for_a_while(&live, &gap);
	}
	int status = live_collector_stop(&live);
	assert_true(found);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

	const struct rh_system *before = &gap.before, *after = &gap.after, *next = &gap.next;
	assert_true(ms((double)after->elapsed_ns) >= gap.ms);
	assert_int_equal(after->elapsed_ns, after->monotonic_ns - before->monotonic_ns);
	/* What it is late for is the tick that came next after the stop. */
	assert_true(ms((double)after->lateness_ns) >= gap.ms - INTERVAL_MS);
	assert_true(next->ticks_missed_count - before->ticks_missed_count >= (uint64_t)(gap.ms / INTERVAL_MS) - 2);
	assert_true(rh_has(after->present, RH_S_guard_lateness_ns) && rh_has(after->present, RH_S_canary_lateness_ns));
	assert_true(ms((double)after->guard_lateness_ns) >= gap.ms - 2 * INTERVAL_MS);
	assert_true(ms((double)after->canary_lateness_ns) >= gap.ms - 2 * INTERVAL_MS);
	assert_true(after->canaries_late_count > 0);
	assert_true(ms((double)next->elapsed_ns) < gap.ms / 2);
}

/* Canaries that wake up once a second do not hold it up. */
static void it_ends_at_once(void **state)
{
	struct live_collector live;
	(void)state;
	if (!live_collector_start(&live, "stopped", "guard.hz=1\nguard.canary_hz=1\n"))
		fail();
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	int status = live_collector_stop(&live);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(ms((double)(clock_now_ns(CLOCK_MONOTONIC) - begin_ns)) < STOP_MOST_MS);
}

/* Without a guard there are no fields of it, rather than zeros. */
static void without_a_guard_its_fields_are_absent(void **state)
{
	struct live_collector live;
	(void)state;
	if (!live_collector_start(&live, "stopped", "guard.enabled=false\nguard.psi_triggers=off\nsampling.interval=0.1\n"))
		fail();
	assert_true(live_collector_await(&live, clock_now_ns(CLOCK_MONOTONIC)));
	const struct rh_system *system = &live.view.system;
	for (unsigned field = RH_S_guard_lateness_ns; field <= RH_S_guard_cost_ratio; field++)
		assert_false(rh_has(system->present, field));
	assert_false(rh_has(system->present, RH_S_psi_stalls_count));
	assert_false(system->signals >> RH_SIGNAL_guard_deadline & 1);
	assert_false(system->signals >> RH_SIGNAL_canaries & 1);
	assert_false(system->signals >> RH_SIGNAL_psi_triggers & 1);
	live_collector_stop(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_sample_spans_the_gap),
	        cmocka_unit_test(it_ends_at_once),
	        cmocka_unit_test(without_a_guard_its_fields_are_absent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
