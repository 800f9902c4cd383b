/*
 * delta.h - raw records in, process records out: counters become rates over the interval that really passed.
 *
 * The state of the sample before is kept whole, as the array in which the source filled it: two arrays take turns. A process is known
 * again by (pid, start time). Sources list processes in much the same order each time, so that most are found by walking both arrays
 * side by side; a map by pid is built in the samples that need one.
 *
 *   known process     rates from the difference of its counters; a counter that ran backwards gives 0 and is counted
 *   new process       rates from its whole counters, if it began about since the sample before; else it was overlooked, and has no rates yet
 *   process gone      appears once more with its last known values, flagged exited, without rates
 *   first sample, or after a suspend: no rates
 */
#ifndef COLLECTOR_DELTA_H
#define COLLECTOR_DELTA_H

#include "collector/moment.h"
#include "collector/pool.h"
#include "collector/source.h"

/* Processes of one sample, and a map from pid to index that exists in samples that need one. */
struct generation {
	struct raw_process *raw;
	uint32_t *map; /* open addressing; index + 1, 0 is free */
	uint32_t map_mask;
	uint32_t count;
	bool mapped;
};

struct delta {
	struct generation generations[2];
	unsigned current; /* index of the generation of the newest sample */
	uint8_t *seen;    /* by index in the generation before: found again */
	uint32_t capacity;
};

struct delta_result {
	uint32_t count; /* records filled in: the source's processes in its order, then those that are gone */
	uint32_t appeared, exited, stuck;
	uint32_t clamped; /* counters that ran backwards */
	double cpu_ns;    /* cpu time of all processes in the interval */
};

/* Takes memory for `capacity` processes. Check pool->failed. */
void delta_init(struct delta *delta, struct pool *pool, uint32_t capacity);

/* Where the source is to put the processes of the next sample: room for `capacity` of them. Nothing is lost if it fails. */
struct raw_process *delta_incoming(struct delta *delta);

/*
 * Turns the `count` processes filled in at delta_incoming() into records.
 *   span      since the sample before
 *   complete  the source listed every process: those that are missing are gone
 *   records   room for 2 * capacity records: the processes of the source, then those that are gone
 */
struct delta_result delta_run(struct delta *delta, uint32_t count, const struct span *span, bool complete, struct rh_process *records);

#endif
