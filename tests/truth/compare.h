/*
 * compare.h - published values against two readings of /proc, one before and one after the sample.
 *
 * What only grows must lie between the two; what goes up and down is compared where the process did not run between them, and then the
 * two readings are one and the comparison is exact, but for the error that the table in compare.c allows, with its reason.
 */
#ifndef TESTS_TRUTH_COMPARE_H
#define TESTS_TRUTH_COMPARE_H

#include "rogue/samples.h"
#include "tests/truth/peer.h"

enum {
	BY_PROCFS = 1,
	BY_BPF = 2,
};

/* One process over one sample. */
struct comparison {
	const struct peer *before, *after;
	const struct rh_process *record;
	const char *name; /* for messages */
	unsigned backend; /* BY_PROCFS or BY_BPF */
	bool all_living;  /* no thread of it has ended since its start: sums over the living are sums over all */
	bool is_ours;     /* every field that the back end has must be present */
	bool is_settled;  /* it has rested for so long that details which are read now and then are of now */
	uint64_t span_ns; /* between the two readings */
};

/* Prints a line for each disagreement. Returns how many there are. */
unsigned compare_process(const struct comparison *comparison);

/*
 * Rates of a process in two samples that follow each other against its counters in them. Prints a line for each disagreement. Returns how many.
 *   elapsed_ns  between the two samples, as published
 */
unsigned compare_rates(const struct rh_process *before, const struct rh_process *now, uint64_t elapsed_ns);

#endif
