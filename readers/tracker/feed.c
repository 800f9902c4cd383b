/*
 * feed.c - samples out of the ring, see feed.h.
 */
#include "readers/tracker/feed.h"

#include "base/clock.h"

#include <stdlib.h>

enum { TAKE_TRIES = 8, FILTER_BITS = 1024, TRIM_SAMPLES = 16 };

struct feed *feed_new(const char *instance)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (feed)
		feed->follow.instance = instance; /* attached by feed_next(): the daemon may come later */
	return feed;
}

void feed_free(struct feed **feed)
{
	if (*feed)
		follow_close(&(*feed)->follow);
	free(*feed);
	*feed = NULL;
}

void feed_resume(struct feed *feed, uint64_t generation, uint64_t sample)
{
	struct follow *follow = &feed->follow;

	if (follow->ring && follow->generation == generation && sample <= rh_newest(follow->ring))
		follow->cursor = sample;
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

enum rh_status feed_next(struct feed *feed, const struct track *track, uint32_t top)
{
	struct follow *follow = &feed->follow;

	for (int i = 0; i < TAKE_TRIES; i++) {
		const struct rh_ring *ring = follow->ring;
		struct rh_view view;
		enum rh_status status = follow_view(follow, &view);
		feed->attached |= follow->ring != ring;
		if (feed->attached)
			rh_info(follow->ring, &feed->info);
		if (status != RH_OK)
			return status;
		if (copy_rows(feed, &view, track, top)) {
			feed->lag_ns = lag_of(&feed->system);
			if (view.sample % TRIM_SAMPLES == 0)
				rh_trim(follow->ring);
			return RH_OK;
		}
		follow->lost++; /* overwritten while it was read */
	}
	return RH_TIMEOUT;
}
