/*
 * delta.h - raw records in, process records out: counters become rates over the interval that really passed.
 *
 * The state of the sample before is kept whole, as the array in which the source filled it: two arrays take turns. A process is known
 * again by (pid, start time). Sources list processes in much the same order each time, so that most are found by walking both arrays
 * side by side.
 *
 *   known process     rates from the difference of its counters; a counter that ran backwards gives 0 and is counted
 *   new process       rates from its whole counters, if it began about since the sample before; else it was overlooked, and has no rates yet
 *   process gone      appears once more, flagged exited: with its last words where the source has them (ended.h), else with its last known values,
 *                     without rates
 *   first sample, or after a suspend: no rates
 */
#ifndef COLLECTOR_DELTA_H
#define COLLECTOR_DELTA_H

#include "collector/ended.h"

struct delta {
	struct generation generations[2];
	unsigned current; /* index of the generation of the newest sample */
	uint8_t *seen;    /* by index in the generation before: found again */
	uint32_t capacity;
	struct ended ended;
};

struct delta_result {
	uint32_t count; /* records filled in: the source's processes in its order, then those that are gone */
	uint32_t appeared, exited, stuck;
	uint32_t clamped;     /* counters that ran backwards */
	uint32_t brief_count; /* processes that came and went between the samples; not among those that appeared and exited */
	bool fewer_briefs;    /* not all of them have a record of their own */
	double cpu_ns;        /* cpu time of all processes in the interval, of those that ended too */
	double brief_cpu_ns;  /* of it, of those that came and went */
};

/*
 * Takes memory for `capacity` processes. Check pool->failed.
 *   brief_records  most records of processes that came and went between two samples
 */
void delta_init(struct delta *delta, struct pool *pool, uint32_t capacity, uint32_t brief_records);

/* Most records that one sample can have. */
uint32_t delta_records_most(uint32_t capacity, uint32_t brief_records);

/* Where the source is to put the processes of the next sample: room for `capacity` of them. Nothing is lost if it fails. */
struct raw_process *delta_incoming(struct delta *delta);

/*
 * Turns the processes filled in at delta_incoming(), and the last words of those that ended, into records.
 *   tick     of the source. Where it dropped nobody, those that are missing are gone; with the signal last_words, nobody comes and goes unseen
 *   span     since the sample before
 *   records  room for delta_records_most()
 */
struct delta_result delta_run(struct delta *delta, const struct source_tick *tick, const struct span *span, struct rh_process *records);

#endif
