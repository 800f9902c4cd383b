/*
 * feed.h - samples out of the ring, over restarts of the collector, with just the rows that the tracker needs.
 *
 * The index column of scores is scanned in place; records are copied only for processes at or above the floor, for tracked ones, and for the
 * first few when a snapshot of the machine is due.
 */
#ifndef TRACKER_FEED_H
#define TRACKER_FEED_H

#include "readers/tracker/track.h"
#include "rogue/reader.h"

enum { FEED_ROWS = 1024 };

struct feed {
	const char *instance; /* borrowed; NULL for the usual one */
	/* results of feed_next() */
	bool attached; /* another ring than before: see info; cleared by the caller */
	struct rh_info info;
	struct rh_system system;
	struct track_sample sample;
	uint32_t top_count; /* rows at the begin of the sample that are the highest scores, as many as asked for */
	uint64_t lost;      /* samples overwritten before they were read, over all rings */
	uint64_t lag_ns;    /* from publication to now */
	double score_sum;   /* of all processes in the sample */
	uint32_t score_count;
	/* private */
	struct rh_ring *ring; /* owned */
	uint64_t cursor;
	struct rh_process rows[FEED_ROWS];
};

/* Allocates a feed (owned; feed_free()) that is not attached yet. NULL without memory. */
struct feed *feed_new(const char *instance);
void feed_free(struct feed **feed);

/* The sample after which to go on in the ring just attached, if it is of that generation: where an earlier tracker stopped. */
void feed_resume(struct feed *feed, uint64_t generation, uint64_t sample);

/*
 * Attaches if need be, waits for the next sample and takes it.
 *   track  says which processes are wanted
 *   top    so many of the highest scores are wanted in any case, at most RH_TOP_BY_SCORE
 * Returns within about a second: RH_OK (look at `attached` and, if sample.rows is not NULL, at the sample), RH_TIMEOUT, or the state of a ring
 * that gives nothing for now: RH_NO_SEGMENT, RH_HUNG, RH_DEAD, RH_CLOSED, RH_REPLACED, RH_FOREIGN, RH_INCOMPATIBLE, ... Call again in every case.
 */
enum rh_status feed_next(struct feed *feed, const struct track *track, uint32_t top);

#endif
