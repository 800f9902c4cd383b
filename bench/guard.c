/*
 * guard.c - what it costs to watch whether the machine stands still: the guard and a canary on each cpu.
 *
 *   the threads alone, at several rates, as percent of one core and per wake-up
 *   rh-collector with and without them, at the configured rates: the part that it publishes itself, and the difference
 * Medians of several rounds, with and without taken in turn.
 */
#include "collector/guard/guard.h"
#include "base/clock.h"
#include "base/config.h"
#include "bench/figures.h"
#include "tests/support/live_collector.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 3, ALONE_S = 3, WARM_S = 1, LIVE_S = 3 };
static const double limit_pct = 0.15; /* of one core */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "guard: %s\n", what);
	exit(1);
}

/* ---- the threads alone ---- */

static double alone_pct(uint32_t guard_hz, uint32_t canary_hz, uint32_t *ret_canaries)
{
	const struct guard_options options = {.guard_hz = guard_hz, .canary_hz = canary_hz};
	struct guard_reading begin, end;
	struct guard *guard;
	if (guard_open(&options, &guard) < 0)
		fail("no guard");
	sleep(WARM_S);
	guard_read(guard, 1, &begin);
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	sleep(ALONE_S);
	guard_read(guard, 1, &end);
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC);
	guard_close(&guard);
	*ret_canaries = end.canaries;
	return 100.0 * (double)(end.cpu_ns - begin.cpu_ns) / (double)(end_ns - begin_ns);
}

static void alone(uint32_t guard_hz, uint32_t canary_hz, bool is_default)
{
	double pct[ROUNDS];
	char what[80];
	uint32_t canaries = 0;
	for (unsigned i = 0; i < ROUNDS; i++)
		pct[i] = alone_pct(guard_hz, canary_hz, &canaries);
	double median = figures_median(pct, ROUNDS);
	snprintf(what, sizeof(what), "guard at %u Hz, %u canaries at %u Hz, percent of a core", guard_hz, canaries, canary_hz);
	if (is_default)
		figure_at_most(what, median, limit_pct, "%");
	else
		figure_note(what, median, "%");
	figure_note("  cpu time of one wake-up", median / 100 * 1e6 / (guard_hz + canaries * canary_hz), "us");
}

/* ---- in the collector ---- */

struct cost {
	double whole_pct, guard_pct;
};

static struct cost collector_cost(bool with_guard)
{
	struct live_collector live;
	struct cost cost = {0};
	struct rh_view view;
	uint64_t cursor, lost = 0, elapsed_ns = 0;
	if (!live_collector_start(&live, "bench-guard", with_guard ? "" : "guard.enabled=false\nguard.psi_triggers=off\n"))
		fail("no collector");
	sleep(WARM_S);
	cursor = rh_newest(live.ring);
	if (!live_collector_await(&live, clock_now_ns(CLOCK_MONOTONIC)))
		fail("no sample");
	struct rh_system first = live.view.system, last;
	sleep(LIVE_S);
	if (!live_collector_await(&live, clock_now_ns(CLOCK_MONOTONIC)))
		fail("no sample");
	last = live.view.system;
	while (rh_next(live.ring, &cursor, &lost, &view) == RH_OK) {
		if (!rh_has(view.system.present, RH_S_guard_cost_ratio))
			continue;
		cost.guard_pct += 100 * (double)view.system.guard_cost_ratio * (double)view.system.elapsed_ns;
		elapsed_ns += view.system.elapsed_ns;
	}
	live_collector_stop(&live);
	if (elapsed_ns > 0)
		cost.guard_pct /= (double)elapsed_ns;
	cost.whole_pct = 100.0 * (double)(last.self_cpu_ns - first.self_cpu_ns) / (double)(last.monotonic_ns - first.monotonic_ns);
	return cost;
}

static void in_the_collector(void)
{
	double with[ROUNDS], without[ROUNDS], guard[ROUNDS], part[ROUNDS];
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct cost on = collector_cost(true), off = collector_cost(false);
		with[i] = on.whole_pct;
		without[i] = off.whole_pct;
		guard[i] = on.guard_pct;
		part[i] = on.whole_pct > 0 ? 100 * on.guard_pct / on.whole_pct : 0;
	}
	figure_at_most("collector: guard and canaries as it publishes them", figures_median(guard, ROUNDS), limit_pct, "%");
	figure_note("collector: part of its whole cpu time", figures_median(part, ROUNDS), "%");
	figure_note("collector with guard, percent of a core", figures_median(with, ROUNDS), "%");
	figure_note("collector without, percent of a core", figures_median(without, ROUNDS), "%");
}

int main(void)
{
	static struct config config;
	config_defaults(&config);
	alone((uint32_t)config.guard_hz, (uint32_t)config.guard_canary_hz, true);
	alone((uint32_t)config.guard_hz, 0, false);
	alone(100, 100, false);
	in_the_collector();
	return 0;
}
