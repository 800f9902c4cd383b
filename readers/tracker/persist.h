/*
 * persist.h - brings what the state machine has marked into the database, and goes on without it where that is impossible for a while.
 *
 * At most one transaction for a sample, and one before it where there are pauses. A failure (disk full, a reader that holds the write-ahead log, ...) pauses writing: events stay in
 * memory, one try a second, said once in the log and in daemon_state when it begins and when it is over. A damaged file is kept aside.
 */
#ifndef TRACKER_PERSIST_H
#define TRACKER_PERSIST_H

#include "readers/tracker/feed.h"
#include "readers/tracker/pauses.h"
#include "readers/tracker/track.h"

struct persist {
	const struct config *config; /* borrowed */
	const char *path;            /* borrowed */
	struct storage *storage;     /* owned; NULL while it cannot be opened */
	struct storage_state state;  /* what is known about ourselves, for daemon_state */
	bool paused;
	struct pauses *pauses; /* borrowed, set after persist_open(); NULL: there are none to be stored */
	/* private */
	struct storage_state before; /* what the tracker before us left */
	bool taken_up;               /* the open events of an earlier tracker */
	bool state_due, interims_due;
	bool sync_due;                           /* final pauses are stored, but not synced yet */
	uint64_t retry_ns, durable_ns, prune_ns; /* BOOTTIME */
	uint64_t machine_ns;                     /* BOOTTIME of the last sample of which a machine snapshot was taken */
	uint64_t dropped_machines;
	struct machine_snapshot {
		bool pending;
		uint32_t count;
		struct rh_system system;
		struct rh_process processes[RH_TOP_BY_SCORE];
	} machine;
};

/*
 * Opens the database.
 * Returns 0 - also where the disk is full: writing is then paused from the begin - or -errno with a sentence in `error`.
 */
int persist_open(struct persist *persist, const struct config *config, const char *path, char error[STORAGE_TEXT_BYTES]);

/* A ring was attached: notes whose it is, and for the first one takes up the events left open. */
void persist_attached(struct persist *persist, struct track *track, struct feed *feed);

/* How many of the highest scores the next sample should bring, 0 where no machine snapshot is due at that time. */
uint32_t persist_wants_top(const struct persist *persist, uint64_t boottime_ns);

/* Notes a sample that the state machine has taken in, and keeps the machine snapshot that is due. */
void persist_sample(struct persist *persist, const struct feed *feed);

/* Writes what is marked, prunes when it is time. `now_ns` is BOOTTIME. */
void persist_flush(struct persist *persist, struct track *track, uint64_t now_ns);

/* The row of daemon_state is to be written with the next flush. */
void persist_state_due(struct persist *persist);

/* Writes what is marked, says that the tracker stopped, closes. */
void persist_close(struct persist *persist, struct track *track);

#endif
