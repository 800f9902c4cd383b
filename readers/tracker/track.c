/*
 * track.c - the life of events, see track.h.
 */
#include "readers/tracker/track.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Start times of one process as two back ends give them differ by the resolution of /proc (one clock tick, 10 ms). No pid is used
 * again within that time.
 */
enum { START_TOLERANCE_NS = 10 * 1000 * 1000 };

struct track *track_new(const struct config *config)
{
	struct track *track = calloc(1, sizeof(*track)); /* slots never used cost no memory: the pages are never touched */

	if (!track)
		return NULL;
	track->config = config;
	track->floor = config_band_floor(config, config->bands_tracking_band);
	track->checkpoint_samples[RH_BAND_low] = (uint32_t)config->tracker_medium_checkpoint; /* tracked only if tracking_band is low */
	track->checkpoint_samples[RH_BAND_medium] = (uint32_t)config->tracker_medium_checkpoint;
	track->checkpoint_samples[RH_BAND_elevated] = (uint32_t)config->tracker_elevated_checkpoint;
	track->checkpoint_samples[RH_BAND_high] = (uint32_t)config->tracker_high_checkpoint;
	track->checkpoint_samples[RH_BAND_critical] = (uint32_t)config->tracker_high_checkpoint;
	return track;
}

void track_free(struct track **track)
{
	free(*track);
	*track = NULL;
}

void track_set_boot(struct track *track, const char *boot_id)
{
	snprintf(track->boot_id, sizeof(track->boot_id), "%s", boot_id);
}

double track_floor(const struct track *track)
{
	return track->floor;
}

struct track_event *track_next(struct track *track, struct track_event *event)
{
	for (size_t i = event ? (size_t)(event - track->events) + 1 : 0; i < track->used; i++)
		if (track->events[i].used)
			return &track->events[i];
	return NULL;
}

static bool is_open(const struct track_event *event)
{
	return event->row.state == STORAGE_event_open;
}

bool track_has_pid(const struct track *track, uint32_t pid)
{
	for (size_t i = 0; i < track->used; i++)
		if (track->events[i].used && is_open(&track->events[i]) && track->events[i].row.pid == pid)
			return true;
	return false;
}

bool track_is_marked(const struct track_event *event)
{
	return event->row_changed || event->snapshots_changed;
}

static void give_back_if_done(struct track *track, struct track_event *event)
{
	if (is_open(event) || event->exited || track_is_marked(event))
		return;
	event->used = false;
	while (track->used > 0 && !track->events[track->used - 1].used)
		track->used--;
}

/* Which of two ended events that could not be stored is given up first? One of which the database knows nothing, then the older. */
static bool goes_before(const struct track_event *event, const struct track_event *other)
{
	bool known = event->row.id != 0, other_known = other->row.id != 0;
	return known != other_known ? other_known : event->order < other->order;
}

/* A slot for a new event, at the cost of an ended one where all are taken; NULL if all are open. */
static struct track_event *take_slot(struct track *track)
{
	struct track_event *slot = NULL;

	for (size_t i = 0; i < TRACK_EVENTS; i++) {
		struct track_event *event = &track->events[i];
		if (!event->used) {
			if (i >= track->used)
				track->used = (uint32_t)i + 1;
			slot = event;
			break;
		}
		if (!is_open(event) && (!slot || goes_before(event, slot)))
			slot = event;
	}
	if (!slot || slot->used)
		track->dropped_events++;
	if (slot) {
		memset(slot, 0, sizeof(*slot));
		slot->used = true;
		slot->order = ++track->order;
	}
	return slot;
}

void track_stored(struct track *track, struct track_event *event, uint64_t id)
{
	event->row.id = id;
	event->row_changed = event->urgent = false;
	event->snapshots_changed = 0;
	give_back_if_done(track, event);
}

void track_reported(struct track *track, struct track_event *event)
{
	event->entered = event->exited = false;
	give_back_if_done(track, event);
}

void track_forget_stored(struct track *track)
{
	for (struct track_event *event = track_next(track, NULL); event; event = track_next(track, event)) {
		event->row.id = 0;
		event->row_changed = true;
		/* Snapshots that are still in memory go with it; of an event that was resumed there are none. */
		for (unsigned kind = 0; kind < STORAGE_SNAPSHOT_KINDS; kind++)
			if (event->snapshots[kind].sample_id && (kind != STORAGE_snapshot_exit || !is_open(event)))
				event->snapshots_changed |= (uint8_t)(1u << kind);
	}
}

/* ---- one event, one sample ---- */

/* Unknown is not different: a start time that could not be read matches every one of that pid. */
static bool is_same_start(uint64_t a, uint64_t b)
{
	return a == 0 || b == 0 || (a > b ? a - b : b - a) < START_TOLERANCE_NS;
}

static uint64_t start_of(const struct rh_process *process)
{
	return rh_has(process->present, RH_F_start_time_ns) ? process->start_time_ns : 0;
}

static struct track_event *find(struct track *track, uint32_t pid, uint64_t start)
{
	for (size_t i = 0; i < track->used; i++) {
		struct track_event *event = &track->events[i];
		if (event->used && is_open(event) && event->row.pid == pid && is_same_start(event->row.start_time_ns, start))
			return event;
	}
	return NULL;
}

bool track_resume(struct track *track, const struct storage_event *row)
{
	struct track_event *event = find(track, row->pid, row->start_time_ns);

	if (event) { /* begun while the database could not be read */
		event->row.id = row->id;
		event->row.entry_realtime_ns = row->entry_realtime_ns;
		event->row.entry_boottime_ns = row->entry_boottime_ns;
		event->row.entry_score = row->entry_score;
		event->snapshots_changed &= (uint8_t) ~(1u << STORAGE_snapshot_entry);
		return true;
	}
	event = take_slot(track);
	if (!event)
		return false;
	event->row = *row;
	event->resumed = true;
	track->open_count++;
	return true;
}

static float score_of(const struct rh_process *process)
{
	return rh_has(process->present, RH_F_score) ? process->score : 0;
}

static void take_snapshot(struct track_event *event, unsigned kind, const struct track_sample *sample, const struct rh_process *process)
{
	struct storage_snapshot *snapshot = &event->snapshots[kind];

	snapshot->snapshot = (uint8_t)kind;
	snapshot->sample_id = sample->system->sample_id;
	snapshot->realtime_ns = sample->system->realtime_ns;
	snapshot->boottime_ns = event->row.last_boottime_ns;
	snapshot->process = *process;
}

static void mark_snapshot(struct track_event *event, unsigned kind)
{
	event->snapshots_changed |= (uint8_t)(1u << kind);
	event->row_changed = true;
}

/* Notes when it was seen. Time never runs backwards within an event, whatever a segment says. */
static void see(struct track *track, struct track_event *event, const struct rh_system *system)
{
	event->seen_in = track->step;
	event->resumed = false;
	event->row.last_realtime_ns = system->realtime_ns;
	if (system->boottime_ns > event->row.last_boottime_ns)
		event->row.last_boottime_ns = system->boottime_ns;
}

static void raise_peak(struct track *track, struct track_event *event, const struct track_sample *sample, const struct rh_process *process)
{
	unsigned band = config_band(track->config, (double)process->score);

	if (band > event->row.peak_band)
		event->urgent = true;
	event->row.peak_band = (uint8_t)band;
	event->row.peak_score = process->score;
	event->row.peak_realtime_ns = sample->system->realtime_ns;
	event->row.peak_boottime_ns = event->row.last_boottime_ns;
	take_snapshot(event, STORAGE_snapshot_peak, sample, process);
	mark_snapshot(event, STORAGE_snapshot_peak);
}

static void open_event(struct track *track, const struct track_sample *sample, const struct rh_process *process)
{
	struct track_event *event = take_slot(track);

	if (!event)
		return;
	memcpy(event->row.boot_id, track->boot_id, sizeof(event->row.boot_id));
	event->row.pid = process->pid;
	event->row.start_time_ns = start_of(process);
	memcpy(event->row.command, process->command, sizeof(event->row.command) - 1);
	event->row.uid = process->uid;
	see(track, event, sample->system);
	event->row.entry_realtime_ns = sample->system->realtime_ns;
	event->row.entry_boottime_ns = event->row.last_boottime_ns;
	event->row.entry_score = process->score;
	event->row.samples_count = 1;
	take_snapshot(event, STORAGE_snapshot_entry, sample, process);
	mark_snapshot(event, STORAGE_snapshot_entry);
	raise_peak(track, event, sample, process);
	event->urgent = event->entered = true;
	track->open_count++;
}

static void close_event(struct track *track, struct track_event *event, unsigned closed_by, uint64_t realtime_ns, uint64_t boottime_ns)
{
	event->row.state = STORAGE_event_closed;
	event->row.closed_by = (uint8_t)closed_by;
	event->row.exit_realtime_ns = realtime_ns;
	event->row.exit_boottime_ns = boottime_ns;
	event->row_changed = event->urgent = event->exited = true;
	track->open_count--;
}

/* Many samples in the high band would fill the disk with the same process: the longer it lasts, the further apart they are kept. */
static uint32_t checkpoint_distance(const struct track *track, const struct track_event *event, unsigned band)
{
	uint64_t doublings = event->row.checkpoints_count / TRACK_DENSE_CHECKPOINTS;
	uint64_t distance = (uint64_t)track->checkpoint_samples[band] << (doublings < 20 ? doublings : 20);

	return distance < UINT32_MAX ? (uint32_t)distance : UINT32_MAX;
}

static void step_above(struct track *track, struct track_event *event, const struct track_sample *sample, const struct rh_process *process)
{
	unsigned band = config_band(track->config, (double)process->score);

	event->below_samples = 0;
	event->row.samples_count++;
	if (process->score > event->row.peak_score)
		raise_peak(track, event, sample, process);
	if (++event->since_checkpoint < checkpoint_distance(track, event, band))
		return;
	event->since_checkpoint = 0;
	if (event->snapshots_changed & 1u << STORAGE_snapshot_checkpoint)
		track->dropped_checkpoints++;
	else
		event->row.checkpoints_count++;
	take_snapshot(event, STORAGE_snapshot_checkpoint, sample, process);
	mark_snapshot(event, STORAGE_snapshot_checkpoint);
}

/* The exit is where it first fell below: it is known to be one only some samples later. `process` is NULL where it was not among the rows. */
static void step_below(struct track *track, struct track_event *event, const struct track_sample *sample, const struct rh_process *process)
{
	const struct rh_system *system = sample->system;
	struct storage_snapshot *exit = &event->snapshots[STORAGE_snapshot_exit];

	if (event->below_samples++ == 0) {
		event->below_realtime_ns = system->realtime_ns;
		event->below_boottime_ns =
		        system->boottime_ns > event->row.last_boottime_ns ? system->boottime_ns : event->row.last_boottime_ns;
		exit->sample_id = 0;
		if (process)
			take_snapshot(event, STORAGE_snapshot_exit, sample, process);
	}
	if (event->below_samples < track->config->tracker_exit_stability_samples)
		return;
	close_event(track, event, STORAGE_closed_by_below, event->below_realtime_ns, event->below_boottime_ns);
	if (exit->sample_id)
		mark_snapshot(event, STORAGE_snapshot_exit);
}

static void step_row(struct track *track, const struct track_sample *sample, const struct rh_process *process)
{
	struct track_event *event = find(track, process->pid, start_of(process));
	bool above = (double)score_of(process) >= track->floor;
	bool ended = rh_has(process->present, RH_F_flags) && process->flags & RH_PROCESS_exited;

	if (!event) {
		/* A process that is gone already, or rates over a gap, are no ground to begin an event. */
		if (above && !ended && !sample->system->discontinuous)
			open_event(track, sample, process);
		return;
	}
	if (event->seen_in == track->step)
		return; /* twice in one sample: the first is the one that counts */
	see(track, event, sample->system);
	if (event->row.start_time_ns == 0)
		event->row.start_time_ns = start_of(process);
	if (ended)
		close_event(track, event, STORAGE_closed_by_gone, event->row.last_realtime_ns, event->row.last_boottime_ns);
	else if (sample->system->discontinuous)
		return;
	else if (above)
		step_above(track, event, sample, process);
	else
		step_below(track, event, sample, process);
}

/* Tracked, but not in this sample. */
static void step_missing(struct track *track, struct track_event *event, const struct track_sample *sample)
{
	if (sample->complete) {
		unsigned closed_by = event->resumed ? STORAGE_closed_by_dead : STORAGE_closed_by_gone;
		close_event(track, event, closed_by, event->row.last_realtime_ns, event->row.last_boottime_ns);
	} else if (!sample->system->discontinuous) {
		step_below(track, event, sample, NULL); /* only the highest scores were kept: it may well live, but not up there */
	}
}

void track_step(struct track *track, const struct track_sample *sample)
{
	track->step++;
	for (uint32_t i = 0; i < sample->count; i++)
		step_row(track, sample, &sample->rows[i]);
	for (size_t i = 0; i < track->used; i++) {
		struct track_event *event = &track->events[i];
		if (event->used && is_open(event) && event->seen_in != track->step)
			step_missing(track, event, sample);
	}
}
