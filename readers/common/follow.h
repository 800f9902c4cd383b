/*
 * follow.h - sample after sample, over restarts of the collector.
 */
#ifndef READERS_COMMON_FOLLOW_H
#define READERS_COMMON_FOLLOW_H

#include "readers/common/batch.h"

/* Follows the samples of an instance, over restarts of its collector. All members but the first are results. */
struct follow {
	const char *instance; /* borrowed; NULL for the usual one */
	struct rh_ring *ring; /* owned; follow_close(); NULL before the first one was found */
	uint64_t cursor;      /* number of the last sample taken; may be set where `ring` has changed */
	uint64_t lost;        /* samples that were gone before they could be taken, over all rings */
	uint64_t generation;  /* changes where another collector took over, whose numbers begin anew */
};

/*
 * Attaches and places the cursor.
 *   from_oldest  begin with the oldest sample there is, else with the next one to come
 * Returns RH_OK or what rh_open() returns, with a sentence in `error`; follow_view() and follow_next() then go on trying, from the oldest sample.
 */
enum rh_status follow_open(struct follow *follow, const char *instance, bool from_oldest, struct rh_error *error);

/* The same for the next sample to come, complaining as attach_open() does. Returns 0 or the exit code. */
int follow_begin(struct follow *follow, const char *instance);

void follow_close(struct follow *follow);

/*
 * Waits for the next sample and shows it in place. Attaches anew where a new collector has taken the name, and then returns RH_TIMEOUT with
 * another `ring`: the samples come with the calls that follow.
 * Returns within about two sampling periods: RH_OK; RH_TIMEOUT (nothing yet, or a signal came); RH_HUNG, RH_DEAD, RH_CLOSED or RH_REPLACED (the state
 * of a writer that has no successor yet: call again to go on waiting for one); RH_CORRUPT; while there is no ring, what rh_open() returns.
 * Who finds the view overwritten (rh_valid()) adds one to `lost` and calls again: the cursor is past it.
 */
enum rh_status follow_view(struct follow *follow, struct rh_view *ret_view);

/* Waits for the next sample likewise and copies it, at most `limit` records of it. Returns as follow_view() does, or RH_SYSTEM without memory. */
enum rh_status follow_next(struct follow *follow, uint32_t limit, struct batch *batch);

#endif
