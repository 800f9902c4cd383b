/*
 * report.h - what the tracker tells the log: rogues as they come and go, and a heartbeat.
 */
#ifndef TRACKER_REPORT_H
#define TRACKER_REPORT_H

#include "readers/tracker/persist.h"

/* Figures since the last heartbeat. Begin with {0}. */
struct report {
	uint64_t samples;
	double score_sum, score_max;
	uint64_t score_count;
	uint64_t lag_ns;       /* longest */
	enum rh_status status; /* of the ring, as said last */
};

/* Tells of events that began or ended since the last call. Comes before persist_flush(). */
void report_events(struct track *track);

/* Adds a sample; tells the heartbeat when as many as configured have come. Returns true when it did. */
bool report_sample(struct report *report, const struct feed *feed, const struct track *track, const struct persist *persist);

/* Tells once when the ring gives nothing, and once when it does again. */
void report_status(struct report *report, enum rh_status status);

#endif
