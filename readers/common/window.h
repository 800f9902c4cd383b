/*
 * window.h - what the samples still in the ring say together: rate, lateness, scores, and the cost of watching.
 */
#ifndef READERS_COMMON_WINDOW_H
#define READERS_COMMON_WINDOW_H

#include "rogue/reader.h"

struct window {
	uint32_t samples;    /* samples that could be read */
	double seconds;      /* from the first to the last of them */
	double rate_hz;      /* samples per second, 0 for fewer than two */
	double self_cpu_pct; /* cpu of the collector, percent of one core; below 0 where not known */
	double lateness_mean_ns, lateness_max_ns;
	double scan_mean_ns; /* time that a sample takes */
	double max_score;    /* highest of any sample */
	double missed;       /* ticks that were skipped meanwhile */
};

/* Looks at the system record of every sample in the ring. Cost: about 0.5 us a sample. */
void window_of(struct rh_ring *ring, struct window *ret_window);

#endif
