/*
 * judging.h - the samples that the tracker takes, shown to the judge of pauses, and what it finds handed on (pauses.h).
 */
#ifndef TRACKER_JUDGING_H
#define TRACKER_JUDGING_H

#include "pause/judge.h"
#include "readers/tracker/baseline.h"
#include "readers/tracker/feed.h"
#include "readers/tracker/pauses.h"

struct judging {
	struct judge *judge;       /* owned; NULL: nothing is judged */
	struct pauses *pauses;     /* borrowed */
	struct baseline *baseline; /* borrowed */
	char boot_id[40];
	struct pause finding; /* too large for a stack */
};

/* Begins, if the configuration wants it. What it is given is borrowed. Returns 0, or -ENOMEM. */
int judging_begin(struct judging *judging, const struct config *config, struct pauses *pauses, struct baseline *baseline);
void judging_end(struct judging *judging);

/* The feed has attached to another ring. `storage` tells which numbers are taken; NULL where it cannot be asked. */
void judging_attached(struct judging *judging, struct feed *feed, struct storage *storage);

/* The feed has taken a sample. Findings are with `pauses` when this returns. */
void judging_sample(struct judging *judging, struct feed *feed, struct storage *storage);

#endif
