/*
 * feed.c - samples out of the ring, see feed.h.
 */
#include "readers/tracker/feed.h"

#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

enum { TAKE_TRIES = 8, PAUSE_MS = 200, FILTER_BITS = 1024, TRIM_SAMPLES = 16 };

struct feed *feed_new(const char *instance)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (feed)
		feed->instance = instance;
	return feed;
}

void feed_free(struct feed **feed)
{
	if (*feed)
		rh_close(&(*feed)->ring);
	free(*feed);
	*feed = NULL;
}

static void pause_a_little(void)
{
	struct timespec time = clock_timespec((uint64_t)PAUSE_MS * NS_PER_MS);
	nanosleep(&time, NULL); /* a signal may end it early */
}

/* Attaches to the ring that has the name now, if it is another one than before. Reads it from its oldest sample. */
static enum rh_status attach(struct feed *feed)
{
	struct rh_ring *ring;
	struct rh_info info;
	enum rh_status status = rh_open(feed->instance, &ring, NULL);

	if (status != RH_OK)
		return status;
	rh_info(ring, &info);
	if (feed->ring && info.generation == feed->info.generation) {
		rh_close(&ring);
		return RH_NONE;
	}
	rh_close(&feed->ring);
	feed->ring = ring;
	feed->info = info;
	feed->cursor = 0;
	feed->attached = true;
	return RH_OK;
}

void feed_resume(struct feed *feed, uint64_t generation, uint64_t sample)
{
	if (feed->ring && feed->info.generation == generation && sample <= rh_newest(feed->ring))
		feed->cursor = sample;
}

/* Which pids may be tracked: one bit each, so that the scan asks about few others. */
struct pid_filter {
	uint64_t bits[FILTER_BITS / 64];
};

static void filter_fill(struct pid_filter *filter, const struct track *track)
{
	*filter = (struct pid_filter){0};
	for (size_t i = 0; i < track->used; i++) {
		uint32_t bit = track->events[i].row.pid % FILTER_BITS;
		filter->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
	}
}

static bool filter_passes(const struct pid_filter *filter, uint32_t pid)
{
	uint32_t bit = pid % FILTER_BITS;
	return filter->bits[bit / 64] >> (bit % 64) & 1;
}

/* Copies the wanted rows of a view. What it read counts only if it returns true. */
static bool copy_rows(struct feed *feed, const struct rh_view *view, const struct track *track, uint32_t top)
{
	const float floor = (float)track_floor(track);
	struct pid_filter filter;
	uint32_t count = 0;
	bool complete = view->count == view->total;

	filter_fill(&filter, track);
	feed->score_sum = 0;
	for (uint32_t i = 0; i < view->count; i++) {
		float score = view->scores[i];
		uint32_t pid = view->pids[i];
		feed->score_sum += score > 0 ? (double)score : 0;
		if (!(score >= floor) && i >= top && !(filter_passes(&filter, pid) && track_has_pid(track, pid)))
			continue;
		if (count == FEED_ROWS)
			complete = false;
		else if (rh_copy(view, i, &feed->rows[count]))
			count++;
	}
	feed->score_count = view->count;
	feed->system = view->system;
	feed->top_count = top < view->count ? top : view->count;
	feed->sample = (struct track_sample){.system = &feed->system, .rows = feed->rows, .count = count, .complete = complete};
	return rh_valid(view);
}

/* Time since publication. A clock that is not this machine's (a recording, a simulation) gives 0. */
static uint64_t lag_of(const struct rh_system *system)
{
	uint64_t now = clock_now_ns(CLOCK_BOOTTIME);
	uint64_t published = system->boottime_ns + (rh_has(system->present, RH_S_scan_ns) ? system->scan_ns : 0);

	return now > published ? now - published : 0;
}

/* Takes the next sample, if there is one. Returns RH_OK, RH_NONE, RH_BUSY, RH_CORRUPT. */
static enum rh_status take(struct feed *feed, const struct track *track, uint32_t top)
{
	for (int i = 0; i < TAKE_TRIES; i++) {
		struct rh_view view;
		enum rh_status status = rh_next(feed->ring, &feed->cursor, &feed->lost, &view);
		if (status != RH_OK)
			return status;
		if (copy_rows(feed, &view, track, top)) {
			feed->lag_ns = lag_of(&feed->system);
			if (view.sample % TRIM_SAMPLES == 0)
				rh_trim(feed->ring);
			return RH_OK;
		}
		feed->lost++; /* overwritten while it was read: the cursor is past it */
	}
	return RH_BUSY;
}

/* The writer is gone, or its name leads elsewhere: changes over to a successor, or waits a little for one. */
static enum rh_status follow_successor(struct feed *feed, enum rh_status state)
{
	if (attach(feed) == RH_OK)
		return RH_OK;
	pause_a_little(); /* a closed ring does not block in rh_wait() */
	return state;
}

/* Nothing is left to take: waits, or finds out why nothing comes. Returns RH_OK where it is worth while to take again. */
static enum rh_status wait(struct feed *feed)
{
	if (rh_wait(feed->ring, feed->cursor, NS_PER_S) == RH_OK)
		return RH_OK;
	enum rh_status state = rh_writer_status(feed->ring);
	if (rh_newest(feed->ring) > feed->cursor)
		return RH_OK; /* published between the two looks */
	if (state == RH_RUNNING)
		return RH_TIMEOUT;
	if (state == RH_DEAD || state == RH_CLOSED || state == RH_REPLACED)
		return follow_successor(feed, state);
	return state;
}

enum rh_status feed_next(struct feed *feed, const struct track *track, uint32_t top)
{
	feed->sample = (struct track_sample){0};
	if (!feed->ring) {
		enum rh_status attached = attach(feed);
		if (attached != RH_OK)
			pause_a_little();
		return attached; /* the caller first says where to resume */
	}
	enum rh_status status = take(feed, track, top);
	if (status == RH_NONE) {
		status = wait(feed);
		if (status == RH_OK && !feed->attached)
			status = take(feed, track, top);
	}
	if (status == RH_CORRUPT)
		status = follow_successor(feed, status);
	if (status != RH_OK)
		feed->sample = (struct track_sample){0};
	return status == RH_NONE || status == RH_BUSY ? RH_TIMEOUT : status;
}
