/*
 * tick.c - the grid of ticks, the pace, and what ends the wait. The file under test is included, so that no timer has to run out.
 */
#include "collector/tick.c"

#include "collector/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void grid_keeps_its_phase(void **state)
{
	(void)state;
	uint64_t missed = 0;
	assert_int_equal(tick_advance(1000, 1000, 200, &missed), 1200);
	assert_int_equal(tick_advance(1000, 1199, 200, &missed), 1200);
	assert_int_equal(tick_advance(1000, 900, 200, &missed), 1200);
	assert_int_equal(missed, 0);
	assert_int_equal(tick_advance(1000, 1200, 200, &missed), 1400);
	assert_int_equal(missed, 1);
	assert_int_equal(tick_advance(1000, 11050, 200, &missed), 11200);
	assert_int_equal(missed, 51);
}

static void lateness_is_never_negative(void **state)
{
	(void)state;
	struct tick tick = {.due_ns = 500};
	assert_int_equal(tick_lateness_ns(&tick, 400), 0);
	assert_int_equal(tick_lateness_ns(&tick, 730), 230);
}

static void step_mode_ticks_by_bytes_and_ends_with_them(void **state)
{
	(void)state;
	int steps[2];
	struct tick tick;
	assert_int_equal(pipe(steps), 0);
	assert_int_equal(tick_open(&tick, steps[0]), 0);
	assert_int_equal(tick_start(&tick, 0), 0);
	assert_int_equal(write(steps[1], "ab", 2), 2);
	assert_int_equal(tick_wait(&tick), TICK_DUE);
	assert_int_equal(tick_wait(&tick), TICK_DUE);
	closefd(&steps[1]);
	assert_int_equal(tick_wait(&tick), TICK_STOP);
	tick_close(&tick);
	closefd(&steps[0]);
}

static void signal_goes_before_a_tick(void **state)
{
	(void)state;
	struct tick tick;
	assert_int_equal(tick_open(&tick, -1), 0);
	assert_int_equal(tick_start(&tick, 1), 0); /* long ago: due at once */
	assert_int_equal(tick_wait(&tick), TICK_DUE);
	assert_int_equal(tick_start(&tick, 1), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(tick_wait(&tick), TICK_STOP);
	struct signalfd_siginfo taken; /* not to end the next test too */
	assert_int_equal(read(tick.signal_fd, &taken, sizeof(taken)), sizeof(taken));
	assert_int_equal(taken.ssi_signo, SIGTERM);
	tick_close(&tick);
}

/* ---- pace ---- */

enum { BASE_MS = 200 };

static uint64_t feed_ms(struct pace *pace, double cpu_ms, unsigned ticks)
{
	for (unsigned i = 0; i < ticks; i++)
		pace_update(pace, (uint64_t)(cpu_ms * NS_PER_MS));
	return pace->interval_ns / NS_PER_MS;
}

static void cheap_ticks_keep_the_configured_pace(void **state)
{
	(void)state;
	struct pace pace;
	pace_init(&pace, (uint64_t)BASE_MS * NS_PER_MS, 10);
	assert_int_equal(feed_ms(&pace, 19.9, 1000), BASE_MS);
	assert_false(pace_is_slowed(&pace));
}

/* 31,000 processes at 4 us: 124 ms of cpu, of which 10 % of a core allows one every 1.24 s. */
static void costly_ticks_lengthen_the_interval(void **state)
{
	(void)state;
	struct pace pace;
	pace_init(&pace, (uint64_t)BASE_MS * NS_PER_MS, 10);
	assert_int_equal(feed_ms(&pace, 124, 2), BASE_MS);
	assert_int_equal(feed_ms(&pace, 124, 1), 1250);
	assert_true(pace_is_slowed(&pace));
	assert_int_equal(feed_ms(&pace, 124, 1000), 1250);
}

static void one_costly_tick_changes_nothing(void **state)
{
	(void)state;
	struct pace pace;
	pace_init(&pace, (uint64_t)BASE_MS * NS_PER_MS, 10);
	feed_ms(&pace, 2, 10);
	assert_int_equal(feed_ms(&pace, 500, 1), BASE_MS);
	assert_int_equal(feed_ms(&pace, 2, 50), BASE_MS);
}

static void interval_shrinks_after_a_stay_and_back_to_the_base(void **state)
{
	(void)state;
	struct pace pace;
	pace_init(&pace, (uint64_t)BASE_MS * NS_PER_MS, 10);
	feed_ms(&pace, 124, 10);
	assert_int_equal(feed_ms(&pace, 110, 200), 1250); /* 1.1 s would do: not worth a change */
	assert_int_equal(feed_ms(&pace, 60, 200), 750);   /* on the way down from 1.25 s; 600 ms is 80 percent of it */
	assert_int_equal(feed_ms(&pace, 1, 200), BASE_MS);
	assert_false(pace_is_slowed(&pace));
}

static void interval_has_an_end(void **state)
{
	(void)state;
	struct pace pace;
	pace_init(&pace, (uint64_t)BASE_MS * NS_PER_MS, 0.1);
	assert_int_equal(feed_ms(&pace, 1e6, 100), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(grid_keeps_its_phase),
	        cmocka_unit_test(lateness_is_never_negative),
	        cmocka_unit_test(step_mode_ticks_by_bytes_and_ends_with_them),
	        cmocka_unit_test(signal_goes_before_a_tick),
	        cmocka_unit_test(cheap_ticks_keep_the_configured_pace),
	        cmocka_unit_test(costly_ticks_lengthen_the_interval),
	        cmocka_unit_test(one_costly_tick_changes_nothing),
	        cmocka_unit_test(interval_shrinks_after_a_stay_and_back_to_the_base),
	        cmocka_unit_test(interval_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
