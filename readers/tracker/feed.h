/*
 * feed.h - samples out of the ring, over restarts of the collector (follow.h), with just the rows that the tracker needs.
 *
 * The index column of scores is scanned in place; records are copied only for processes at or above the floor, for tracked ones, and for the
 * first few when a snapshot of the machine is due.
 */
#ifndef TRACKER_FEED_H
#define TRACKER_FEED_H

#include "readers/common/follow.h"
#include "readers/tracker/track.h"

enum { FEED_ROWS = 1024 };

struct feed {
	struct follow follow; /* its `lost`: samples overwritten before they were read */
	/* results of feed_next() */
	bool attached; /* another ring than before: see info; cleared by the caller */
	struct rh_info info;
	struct rh_system system;
	struct track_sample sample;
	uint32_t top_count; /* rows at the begin of the sample that are the highest scores, as many as asked for */
	uint64_t lag_ns;    /* from publication to now */
	double score_sum;   /* of all processes in the sample */
	uint32_t score_count;
	/* private */
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
 * Returns as follow_view() does; call again in every case. Look at `attached` first, and at the sample where it is RH_OK.
 */
enum rh_status feed_next(struct feed *feed, const struct track *track, uint32_t top);

#endif
