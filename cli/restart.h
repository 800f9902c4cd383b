/*
 * restart.h - how long to wait before a child that ended is started again.
 */
#ifndef CLI_RESTART_H
#define CLI_RESTART_H

#include "base/clock.h"

#include <stdint.h>

/* Begin with {0}. */
struct restart {
	unsigned failures; /* in a row: ends after less than a minute of life */
};

/*
 * Counts an end and returns the wait in ns: 200 ms, doubled for each end in a row up to 30 s. A child that had lived for a minute was
 * healthy: the row begins anew.
 */
static inline uint64_t restart_delay_ns(struct restart *restart, uint64_t lived_ns)
{
	const uint64_t first_ns = 200 * (uint64_t)NS_PER_MS, longest_ns = 30 * (uint64_t)NS_PER_S, healthy_ns = 60 * (uint64_t)NS_PER_S;
	uint64_t delay_ns = first_ns;

	if (lived_ns >= healthy_ns)
		restart->failures = 0;
	for (unsigned i = 0; i < restart->failures && delay_ns < longest_ns; i++)
		delay_ns *= 2;
	restart->failures++;
	return delay_ns < longest_ns ? delay_ns : longest_ns;
}

#endif
