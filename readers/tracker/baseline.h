/*
 * baseline.h - how each command usually behaves: what the tracker learns of it, and the one remark that follows for a command that stands out.
 *
 * Every 10 s the highest score and the highest cpu use among the processes of each name are noted, and of every rogue process of every sample
 * its peak; kernel threads are left out. In memory are the last few minutes, at most BASELINE_COMMANDS names; every five minutes they are merged
 * into a row per command and day (UTC) of the database. Where there is no room the name seen least recently is given up.
 */
#ifndef TRACKER_BASELINE_H
#define TRACKER_BASELINE_H

#include "base/config.h"
#include "readers/tracker/feed.h"

enum { BASELINE_COMMANDS = 512, BASELINE_SAY_BYTES = 96 };

struct baseline; /* owned by the caller of baseline_new() until baseline_free() */

/* Allocates an empty one; the configuration is borrowed for its life. NULL without memory. */
struct baseline *baseline_new(const struct config *config);
void baseline_free(struct baseline **baseline);

/* Takes in the sample that feed_next() has just brought. Cost: a look at its rows, and every 10 s one at every process. */
void baseline_sample(struct baseline *baseline, const struct feed *feed);

/* A pause of which that command was found to be the culprit. */
void baseline_pause(struct baseline *baseline, const char command[RH_COMMAND_BYTES]);

/*
 * Writes what has gathered, in a transaction of its own, if it is time: call it after every sample, and once more at the end.
 *   storage  NULL while the database cannot be used: all is kept for the next time
 *   now_ns   BOOTTIME
 *   last     it is time in any case
 * Returns 0 or -errno of storage_*(); nothing is lost by a failure, and the next try is a minute away.
 */
int baseline_flush(struct baseline *baseline, struct storage *storage, uint64_t now_ns, bool last);

/* Commands that had to be given up so far. */
uint64_t baseline_dropped(const struct baseline *baseline);

/*
 * What there is to say about a command that scores so much now: "the worst chrome in 30 days (score 83, usual 12, 99th percentile 47)".
 *   storage  NULL where the database cannot be used: nothing is said
 *   score    NAN where it is not known; then cpu_pct, in percent of one core, stands for it
 * Returns out, with "" where less than an hour is known of the command, or nothing. Printable ASCII. Cost: a query, about 30 rows.
 */
char *baseline_say(const struct baseline *baseline, struct storage *storage, const char command[RH_COMMAND_BYTES], float score,
        float cpu_pct, char out[BASELINE_SAY_BYTES]);

#endif
