/* watch.c - see watch.h. */
#include "tests/load/watch.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_MS = 20000 };

/*
 * Ticks lie on a grid: two samples are as far apart as the ticks between them, but for how late each was, and how long each was at work before it looked.
 * A sample tells of the ticks that its own lateness has cost, those before the next one.
 *   missed  between the two, as the earlier one tells
 */
static bool is_on_time(const struct rh_system *before, const struct rh_system *now, uint64_t missed)
{
	double interval_ns = (double)before->interval_ns;
	double apart_ns = (double)now->monotonic_ns - (double)now->lateness_ns - (double)before->monotonic_ns + (double)before->lateness_ns;
	double at_work_ns = (double)now->scan_ns + (double)before->scan_ns;
	return fabs(apart_ns - interval_ns * (double)(1 + missed)) < interval_ns / 2 + at_work_ns;
}

static void raise_to(uint64_t *most, uint64_t value)
{
	if (value > *most)
		*most = value;
}

static void take(struct watch *watch, const struct rh_system *now)
{
	bool is_known = rh_has(now->present, RH_S_lateness_ns) && rh_has(now->present, RH_S_interval_ns) &&
	                rh_has(now->present, RH_S_ticks_missed_count) && rh_has(now->present, RH_S_lost_count);
	watch->unknown += !is_known;
	watch->degraded |= now->degraded;
	raise_to(&watch->most_lateness_ns, now->lateness_ns);
	raise_to(&watch->most_interval_ns, now->interval_ns);
	raise_to(&watch->most_processes, now->process_count);
	if (watch->has_first) {
		watch->samples++;
		watch->news += now->new_count;
		watch->ticks_wrong += watch->samples > 1 && !is_on_time(&watch->last, now, watch->missed);
		watch->missed = now->ticks_missed_count - watch->last.ticks_missed_count;
		if (rh_has(now->present, RH_S_brief_processes_count))
			watch->briefs += now->brief_processes_count;
		if (rh_has(now->present, RH_S_brief_cpu_ratio))
			watch->brief_cpu_ns += (double)now->brief_cpu_ratio * (double)now->elapsed_ns * now->cpus_count;
	} else {
		watch->first = *now;
		watch->has_first = true;
	}
	watch->last = *now;
}

void watch_begin(struct watch *watch, struct live_collector *live)
{
	*watch = (struct watch){.cursor = rh_newest(live->ring)};
	watch_until(watch, live, clock_now_ns(CLOCK_MONOTONIC));
}

static void step(struct watch *watch, struct live_collector *live)
{
	enum rh_status status = rh_next(live->ring, &watch->cursor, &watch->lost, &live->view);
	if (status == RH_OK) {
		take(watch, &live->view.system);
		return;
	}
	watch->looks++;
	watch->not_running += rh_writer_status(live->ring) != RH_RUNNING;
	rh_wait(live->ring, watch->cursor, 100 * (uint64_t)NS_PER_MS);
}

void watch_for(struct watch *watch, struct live_collector *live, uint64_t ms)
{
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + ms * (uint64_t)NS_PER_MS;
	while (clock_now_ns(CLOCK_MONOTONIC) < until_ns)
		step(watch, live);
}

void watch_until(struct watch *watch, struct live_collector *live, uint64_t monotonic_ns)
{
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + MOST_MS * (uint64_t)NS_PER_MS;
	while (watch->last.monotonic_ns < monotonic_ns && clock_now_ns(CLOCK_MONOTONIC) < until_ns)
		step(watch, live);
	assert_true(watch->last.monotonic_ns >= monotonic_ns);
}

void watch_assert_sound(const struct watch *watch, const char *what)
{
	const struct rh_system *last = &watch->last;
	print_message("%s: %" PRIu64 " samples, up to %" PRIu64 " processes, interval up to %" PRIu64
	              " ms, late up to %.1f ms, missed %" PRIu64 ", lost %" PRIu64 " and events %" PRIu64
	              ", degraded %#x, not running at %" PRIu64 " of %" PRIu64 " looks\n",
	        what, watch->samples, watch->most_processes, watch->most_interval_ns / NS_PER_MS,
	        (double)watch->most_lateness_ns / NS_PER_MS, last->ticks_missed_count - watch->first.ticks_missed_count,
	        last->lost_count - watch->first.lost_count, last->events_lost_count - watch->first.events_lost_count, watch->degraded,
	        watch->not_running, watch->looks);
	assert_true(watch->samples > 0);
	/* It may be called hung where it was: no cpu for two seconds. */
	assert_true(watch->not_running == 0 || watch->most_lateness_ns >= 2 * (uint64_t)NS_PER_S);
	assert_int_equal(watch->lost, 0);
	assert_int_equal(watch->unknown, 0);
	assert_int_equal(watch->ticks_wrong, 0);
	/* Slower only openly. */
	if (watch->most_interval_ns > watch->first.interval_ns)
		assert_true((watch->degraded & RH_DEGRADED_slower_rate) != 0);
}
