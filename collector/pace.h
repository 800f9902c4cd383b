/*
 * pace.h - how often to sample: as configured, or less often where the machine has so many processes that sampling would cost too much.
 *
 * Pure: costs are given. The interval grows once the cpu time of a tick, smoothed, has been above the allowed part of the interval for a
 * few ticks running (one expensive tick changes nothing), and shrinks again after a stay well below.
 */
#ifndef COLLECTOR_PACE_H
#define COLLECTOR_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t base_ns;     /* interval configured */
	uint64_t interval_ns; /* interval now aimed at */
	double allowed;       /* part of one core */
	double cost_ns;       /* cpu time of a tick, smoothed */
	unsigned hot, calm;   /* ticks running above, well below what is allowed */
};

/* allowed_pct: percent of one core that sampling may use. */
void pace_init(struct pace *pace, uint64_t base_ns, double allowed_pct);

/* Takes the cpu time of a tick into account. Returns the interval to aim at from now on. */
uint64_t pace_update(struct pace *pace, uint64_t cpu_ns);

/* Is the interval longer than configured? */
bool pace_is_slowed(const struct pace *pace);

#endif
