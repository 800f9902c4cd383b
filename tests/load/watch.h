/*
 * watch.h - what a reader sees of a collector under load: every sample in turn, and whether they add up.
 */
#ifndef TESTS_LOAD_WATCH_H
#define TESTS_LOAD_WATCH_H

#include "tests/support/live_collector.h"

#include <stdbool.h>
#include <stdint.h>

struct watch {
	uint64_t cursor, lost; /* of the reader */
	struct rh_system first, last;
	bool has_first;
	uint64_t samples;      /* after the first */
	uint64_t missed;       /* ticks that the lateness of the last one has cost */
	uint64_t news, briefs; /* processes that were new; that came and went between two samples */
	double brief_cpu_ns;   /* cpu of the latter */
	uint64_t most_lateness_ns, most_interval_ns, most_processes;
	uint64_t ticks_wrong;        /* samples whose time does not follow from interval, lateness and missed ticks */
	uint64_t looks, not_running; /* looks at the writer's state, and how often it was called anything but running */
	uint64_t unknown;            /* samples without lateness, interval or missed ticks */
	uint32_t degraded;           /* all bits that were set */
};

/* Begins with the next sample to come. */
void watch_begin(struct watch *watch, struct live_collector *live);

/* Takes samples for that long. */
void watch_for(struct watch *watch, struct live_collector *live, uint64_t ms);

/* Takes samples until one that was begun at `monotonic_ns` or later, 20 s at most. */
void watch_until(struct watch *watch, struct live_collector *live, uint64_t monotonic_ns);

/*
 * Fails the test unless the collector went on: it was running at every look, no sample was lost to the reader, every sample tells how late it is and how many
 * ticks were missed, and these add up with the interval to the time that passed.
 */
void watch_assert_sound(const struct watch *watch, const char *what);

static inline bool watch_is_bpf(const struct live_collector *live)
{
	return live->view.system.sampler == RH_SAMPLER_bpf || live->view.system.sampler == RH_SAMPLER_bpf_iterator;
}

#endif
