/*
 * persist.c - from the state machine into the database, see persist.h.
 */
#include "readers/tracker/persist.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PRUNE_BATCH = 64, RESUME_PAGE = 16, MIB = 1 << 20, LOCK_WAIT_MS = 5000 };

/* ---- pausing and resuming ---- */

static void pause_writing(struct persist *persist, const char *reason, uint64_t now_ns)
{
	persist->retry_ns = now_ns + NS_PER_S;
	if (persist->paused)
		return;
	persist->paused = true;
	persist->state.persistence = STORAGE_persistence_paused;
	persist->state.paused_realtime_ns = clock_now_ns(CLOCK_REALTIME);
	snprintf(persist->state.reason, sizeof(persist->state.reason), "%s", reason);
	log_say(LOG_ERROR_, "persistence_paused", "events and pauses are kept in memory for now: %s", reason);
	if (persist->storage)
		storage_note_pause(persist->storage, &persist->state);
}

static void resume_writing(struct persist *persist)
{
	if (!persist->paused)
		return;
	persist->paused = false;
	persist->state.persistence = STORAGE_persistence_ok;
	persist->state.resumed_realtime_ns = clock_now_ns(CLOCK_REALTIME);
	persist->state_due = true;
	log_say(LOG_WARNING_, "persistence_resumed",
	        "events and pauses are written to the database again; %" PRIu64 " things had to be given up so far",
	        persist->state.dropped_count);
}

/* ---- opening ---- */

static int open_storage(struct persist *persist, char error[STORAGE_TEXT_BYTES])
{
	const struct storage_options options = {
	        .path = persist->path,
	        .mode = STORAGE_TRACK,
	        .lock_wait_ms = LOCK_WAIT_MS,
	        .wal_limit_bytes = (uint64_t)persist->config->storage_wal_mib * MIB,
	};
	char notice[STORAGE_TEXT_BYTES];
	int failed = storage_open(&options, &persist->storage, notice, error);

	if (notice[0])
		log_say(LOG_WARNING_, "database_kept_aside", "%s", notice);
	/* Where the last tracker stopped; read now, for our own row soon takes its place. */
	if (failed == 0 && storage_state(persist->storage, &persist->before) == 1 && persist->state.pruned_realtime_ns == 0)
		persist->state.pruned_realtime_ns = persist->before.pruned_realtime_ns;
	return failed;
}

int persist_open(struct persist *persist, const struct config *config, const char *path, char error[STORAGE_TEXT_BYTES])
{
	*persist = (struct persist){.config = config, .path = path};
	persist->state.tracker_pid = (uint32_t)getpid();
	persist->state.running = STORAGE_running_running;
	persist->state.started_realtime_ns = clock_now_ns(CLOCK_REALTIME);
	persist->state.started_boottime_ns = clock_now_ns(CLOCK_BOOTTIME);
	int failed = open_storage(persist, error);
	if (failed == -ENOSPC) {
		pause_writing(persist, error, persist->state.started_boottime_ns);
		return 0;
	}
	return failed;
}

/* Closes what other boots left open and takes up what this boot left open. Returns 0 or -errno. */
static int take_up_events(struct persist *persist, struct track *track)
{
	struct storage_event rows[RESUME_PAGE];
	struct storage_filter filter = {.open_only = true};
	int count, failed = storage_begin(persist->storage, true);

	if (failed)
		return failed;
	count = storage_close_other_boots(persist->storage, persist->state.boot_id);
	failed = count < 0 ? count : storage_commit(persist->storage);
	if (failed) {
		storage_rollback(persist->storage);
		return failed;
	}
	if (count > 0)
		log_say(LOG_INFO_, "events_closed", "%d events of an earlier boot were closed", count);
	while ((count = storage_events(persist->storage, &filter, rows, RESUME_PAGE)) > 0)
		for (int i = 0; i < count; i++) {
			filter.before_id = rows[i].id;
			if (!track_resume(track, &rows[i]))
				return 0; /* more than there is room for: they stay open until a tracker has room */
		}
	return count;
}

void persist_attached(struct persist *persist, struct track *track, struct feed *feed)
{
	track_set_boot(track, feed->info.boot_id);
	snprintf(persist->state.boot_id, sizeof(persist->state.boot_id), "%s", feed->info.boot_id);
	if (!persist->taken_up && strcmp(persist->before.boot_id, feed->info.boot_id) == 0)
		feed_resume(feed, persist->before.generation_id, persist->before.sample_id);
	persist->state.collector_pid = feed->info.writer_pid;
	persist->state.generation_id = feed->info.generation;
	persist->state.sample_id = 0; /* numbers of another ring mean nothing here */
	persist->state_due = persist->interims_due = true;
}

/* ---- writing ---- */

static int put_event(struct persist *persist, struct track_event *event)
{
	int failed = storage_put_event(persist->storage, &event->row, &event->new_id);

	for (unsigned kind = 0; kind < STORAGE_SNAPSHOT_KINDS && failed == 0; kind++) {
		if (!(event->snapshots_changed >> kind & 1))
			continue;
		event->snapshots[kind].event_id = event->new_id;
		failed = storage_put_snapshot(persist->storage, &event->snapshots[kind]);
	}
	return failed;
}

/* Ended events first: one process may have ended an event and begun another since the last transaction. */
static int put_events(struct persist *persist, struct track *track, unsigned state)
{
	int failed = 0;

	for (struct track_event *event = track_next(track, NULL); event && failed == 0; event = track_next(track, event))
		if (track_is_marked(event) && event->row.state == state)
			failed = put_event(persist, event);
	return failed;
}

static int put_all(struct persist *persist, struct track *track)
{
	struct machine_snapshot *machine = &persist->machine;
	int failed = put_events(persist, track, STORAGE_event_closed);

	if (failed == 0)
		failed = put_events(persist, track, STORAGE_event_open);
	if (failed == 0 && machine->pending)
		failed =
		        storage_put_machine(persist->storage, persist->state.boot_id, &machine->system, machine->processes, machine->count);
	persist->state.updated_realtime_ns = clock_now_ns(CLOCK_REALTIME);
	persist->state.updated_boottime_ns = clock_now_ns(CLOCK_BOOTTIME);
	persist->state.open_count = track->open_count;
	persist->state.dropped_count = track->dropped_events + track->dropped_checkpoints + persist->dropped_machines +
	                               (persist->pauses ? persist->pauses->dropped_count : 0);
	return failed ? failed : storage_put_state(persist->storage, &persist->state);
}

/*
 * Pauses come first, in a transaction of their own: others see them at once, however many events there are and however long the disk takes to sync.
 * The sync of the events' transaction holds for them as well. What was going on in a ring before this one, or when we stop, will not be judged again: it is final as it is.
 */
static int transact_pauses(struct persist *persist)
{
	bool urgent = false, any = persist->pauses && pauses_are_marked(persist->pauses, &urgent);

	if (!any && !persist->interims_due)
		return 0;
	int failed = storage_begin(persist->storage, false);
	if (failed)
		return failed;
	if (any)
		failed = pauses_put(persist->pauses, persist->storage);
	if (failed == 0 && persist->interims_due)
		failed = storage_finish_interim_pauses(persist->storage);
	if (failed >= 0)
		failed = storage_commit(persist->storage);
	if (failed < 0) {
		storage_rollback(persist->storage);
		return failed;
	}
	if (any)
		pauses_stored(persist->pauses);
	persist->interims_due = false;
	persist->sync_due |= urgent;
	return 0;
}

static int transact(struct persist *persist, struct track *track, bool durable)
{
	int failed = storage_begin(persist->storage, durable);

	if (failed)
		return failed;
	failed = put_all(persist, track);
	if (failed == 0)
		failed = storage_commit(persist->storage);
	if (failed) {
		storage_rollback(persist->storage);
		return failed;
	}
	for (struct track_event *event = track_next(track, NULL); event; event = track_next(track, event))
		if (track_is_marked(event))
			track_stored(track, event, event->new_id);
	persist->machine.pending = persist->state_due = false;
	return 0;
}

/* What failed, and what becomes of it. */
static void handle_failure(struct persist *persist, struct track *track, int failed, uint64_t now_ns)
{
	char notice[STORAGE_TEXT_BYTES], reason[STORAGE_TEXT_BYTES];

	snprintf(reason, sizeof(reason), "%s", storage_error(persist->storage));
	if (failed == -EBADMSG && storage_begin_anew(persist->storage, notice) == 0) {
		log_say(LOG_ERROR_, "database_kept_aside", "%s", notice);
		track_forget_stored(track);
		return;
	}
	pause_writing(persist, reason, now_ns);
}

/* Opens what could not be opened before, and takes up once what earlier trackers left. Returns whether the database can be used. */
static bool make_ready(struct persist *persist, struct track *track, uint64_t now_ns)
{
	char error[STORAGE_TEXT_BYTES];

	if (!persist->storage && open_storage(persist, error) != 0) {
		pause_writing(persist, error, now_ns);
		return false;
	}
	if (persist->taken_up || persist->state.generation_id == 0)
		return true;
	int failed = take_up_events(persist, track);
	if (failed < 0) {
		handle_failure(persist, track, failed, now_ns);
		return false;
	}
	persist->taken_up = true;
	return true;
}

static bool find_marked(const struct persist *persist, struct track *track, bool *ret_urgent)
{
	*ret_urgent = false;
	bool any = persist->pauses && pauses_are_marked(persist->pauses, ret_urgent);

	for (struct track_event *event = track_next(track, NULL); event; event = track_next(track, event)) {
		any |= track_is_marked(event);
		*ret_urgent |= event->urgent;
	}
	return any;
}

static void prune(struct persist *persist, struct track *track, uint64_t now_ns)
{
	const uint64_t hour_ns = UINT64_C(3600) * NS_PER_S;
	uint64_t label = clock_now_ns(CLOCK_REALTIME);
	uint64_t events_ns = 24 * hour_ns * (uint64_t)persist->config->storage_events_days;
	uint64_t machine_ns = hour_ns * (uint64_t)persist->config->storage_machine_hours;
	uint64_t pauses_ns = 24 * hour_ns * (uint64_t)persist->config->storage_pauses_days;
	uint64_t baseline_ns = 24 * hour_ns * (uint64_t)persist->config->storage_baseline_days;
	struct storage_limits limits = {
	        .events_before_ns = label > events_ns ? label - events_ns : 0,
	        .machine_before_ns = label > machine_ns ? label - machine_ns : 0,
	        .pauses_before_ns = label > pauses_ns ? label - pauses_ns : 0,
	        .baseline_before_ns = label > baseline_ns ? label - baseline_ns : 0,
	};
	struct storage_pruned pruned;

	int failed = storage_prune(persist->storage, &limits, PRUNE_BATCH, &pruned);
	if (failed) {
		handle_failure(persist, track, failed, now_ns);
		return;
	}
	if (pruned.events || pruned.machine_snapshots || pruned.pauses || pruned.baselines) {
		log_say(LOG_INFO_, "pruned",
		        "%" PRIu64 " events, %" PRIu64 " snapshots, %" PRIu64 " machine snapshots, %" PRIu64 " pauses and %" PRIu64
		        " days of a command's usual behaviour were past their time",
		        pruned.events, pruned.snapshots, pruned.machine_snapshots, pruned.pauses, pruned.baselines);
		return; /* the next batch with the next sample */
	}
	persist->prune_ns = now_ns + (uint64_t)(persist->config->storage_prune_hours * (double)hour_ns);
	persist->state.pruned_realtime_ns = label;
	persist->state_due = true;
}

void persist_flush(struct persist *persist, struct track *track, uint64_t now_ns)
{
	bool urgent;

	if ((persist->paused && now_ns < persist->retry_ns) || !make_ready(persist, track, now_ns))
		return;
	bool any = find_marked(persist, track, &urgent);
	if (any || persist->machine.pending || persist->state_due || persist->sync_due || persist->paused) {
		bool durable = urgent || persist->sync_due || now_ns - persist->durable_ns >= NS_PER_S;
		int failed = transact_pauses(persist);
		if (failed == 0)
			failed = transact(persist, track, durable);
		if (failed) {
			handle_failure(persist, track, failed, now_ns);
			return;
		}
		if (durable) {
			persist->durable_ns = now_ns;
			persist->sync_due = false;
		}
		resume_writing(persist);
	}
	if (now_ns >= persist->prune_ns)
		prune(persist, track, now_ns);
}

void persist_state_due(struct persist *persist)
{
	persist->state_due = true;
}

/* ---- snapshots of the machine ---- */

uint32_t persist_wants_top(const struct persist *persist, uint64_t boottime_ns)
{
	uint64_t interval_ns = (uint64_t)(persist->config->storage_machine_interval * NS_PER_S);
	bool due = persist->machine_ns == 0 || boottime_ns >= persist->machine_ns + interval_ns;

	return due ? (uint32_t)persist->config->rogues_count : 0;
}

void persist_sample(struct persist *persist, const struct feed *feed)
{
	struct machine_snapshot *machine = &persist->machine;

	persist->state.sample_id = feed->system.sample_id;
	persist->state.samples_count++;
	persist->state.lost_count = feed->follow.lost;
	if (feed->top_count == 0 || persist_wants_top(persist, feed->system.boottime_ns) == 0)
		return;
	persist->dropped_machines += machine->pending;
	persist->machine_ns = feed->system.boottime_ns;
	machine->pending = true;
	machine->system = feed->system;
	machine->count = feed->top_count < RH_TOP_BY_SCORE ? feed->top_count : RH_TOP_BY_SCORE;
	memcpy(machine->processes, feed->rows, machine->count * sizeof(machine->processes[0]));
}

void persist_close(struct persist *persist, struct track *track)
{
	persist->state.running = STORAGE_running_stopped;
	persist->state_due = persist->interims_due = true;
	persist->retry_ns = persist->durable_ns = 0; /* one last try, durable */
	persist->prune_ns = UINT64_MAX;
	persist_flush(persist, track, clock_now_ns(CLOCK_BOOTTIME));
	storage_close(&persist->storage);
}
