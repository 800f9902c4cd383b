/*
 * track.h - the life of events as a state machine: samples go in, things to be stored come out. It reads no clock, no file, no ring, so that
 * a recording replayed through it gives the same events.
 *
 * An event begins with the first sample in which a process scores at or above the tracking band, and ends
 *   below   after exit_stability_samples samples below it; its end is the first of them
 *   gone    when the process has ended; dead, when it ended while no tracker looked
 *   reboot  with its boot, see storage_close_other_boots()
 *
 * What is to be stored is not a list of operations but a set of marks on the events in memory: whoever stores takes what is marked and says
 * track_stored(). If storing is impossible for a while, marks stay and newer values take the place of older ones, so that memory is bounded
 * and nothing has to be replayed in order.
 */
#ifndef TRACKER_TRACK_H
#define TRACKER_TRACK_H

#include "base/config.h"
#include "storage/storage.h"

enum {
	TRACK_EVENTS = 512, /* events in memory, open ones and ended ones that are not stored yet */
	TRACK_DENSE_CHECKPOINTS =
	        2048, /* after as many of an event, the distance between its checkpoints doubles, and again after as many more */
};

/* One sample, as far as it matters here. Borrowed for the call. */
struct track_sample {
	const struct rh_system *system;
	const struct rh_process *rows; /* [count] at least: every process at or above the floor, and every tracked one that there is */
	uint32_t count;
	bool complete; /* a process that is not among the rows does not exist; false where the collector or the reader cut the list */
};

struct track_event {
	struct storage_event row;
	struct storage_snapshot snapshots[STORAGE_SNAPSHOT_KINDS];
	/* marks: what is to be stored */
	bool row_changed;
	uint8_t snapshots_changed; /* bit per kind */
	bool urgent;               /* began, ended or rose to another band: worth a sync of the disk */
	bool entered, exited;      /* to be reported, see track_reported() */
	uint64_t new_id;           /* for who stores: its number in a transaction that is still open */
	/* private */
	bool used, resumed;
	uint32_t below_samples, since_checkpoint;
	uint64_t below_realtime_ns, below_boottime_ns; /* since when it is below */
	uint64_t seen_in;                              /* number of the step that saw it last */
	uint64_t order;                                /* rises with each event begun */
};

struct track {
	struct track_event events[TRACK_EVENTS];
	uint32_t used; /* slots below this index may be in use */
	/* results */
	uint32_t open_count;
	uint64_t dropped_events;      /* for which there was no room */
	uint64_t dropped_checkpoints; /* replaced by newer ones before they were stored */
	/* private */
	const struct config *config; /* borrowed */
	double floor;
	uint32_t checkpoint_samples[RH_BAND_COUNT];
	char boot_id[40];
	uint64_t step, order;
};

/* Allocates a state machine (owned; track_free()); config is borrowed for its life. NULL without memory. */
struct track *track_new(const struct config *config);
void track_free(struct track **track);

/* The boot that the samples to come belong to. */
void track_set_boot(struct track *track, const char *boot_id);

/*
 * Takes up an open event of this boot that an earlier tracker left. If the same process is tracked already, both become one event, with the
 * begin of the earlier. Returns false if there is no room.
 */
bool track_resume(struct track *track, const struct storage_event *event);

/* Score from which a process is tracked. */
double track_floor(const struct track *track);

/* Is a process of that pid tracked now? Cost: a look at the open events. */
bool track_has_pid(const struct track *track, uint32_t pid);

/* Takes one sample in. */
void track_step(struct track *track, const struct track_sample *sample);

/* The first event after `event` (NULL: the very first) that is in use; NULL after the last. */
struct track_event *track_next(struct track *track, struct track_event *event);

/* Is anything of it to be stored? */
bool track_is_marked(const struct track_event *event);

/* All that was marked on the event is stored, as event number `id`. Its memory is given back if it has ended. */
void track_stored(struct track *track, struct track_event *event, uint64_t id);

/* What the event has to tell was told. Its memory is given back if it has ended and is stored. */
void track_reported(struct track *track, struct track_event *event);

/* The database was begun anew: every event is to be stored again, under a new number. */
void track_forget_stored(struct track *track);

#endif
