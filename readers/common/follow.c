/*
 * follow.c - sample after sample, over restarts of the collector, see follow.h.
 */
#include "readers/common/follow.h"

#include "base/clock.h"
#include "readers/common/attach.h"

#include <time.h>

enum { TAKE_TRIES = 8 };
static const uint64_t pause_ns = 200 * (uint64_t)NS_PER_MS;

/* Changes over to a ring if it is another than the one before. Returns whether it is; else it is closed. The handles never have one address. */
static bool adopt(struct follow *follow, struct rh_ring *ring)
{
	struct rh_info info;

	rh_info(ring, &info);
	if (follow->ring && info.generation == follow->generation) {
		rh_close(&ring);
		return false;
	}
	rh_close(&follow->ring);
	follow->ring = ring;
	follow->generation = info.generation;
	follow->cursor = 0;
	return true;
}

enum rh_status follow_open(struct follow *follow, const char *instance, bool from_oldest, struct rh_error *error)
{
	struct rh_ring *ring;
	enum rh_status status = rh_open(instance, &ring, error);

	*follow = (struct follow){.instance = instance};
	if (status != RH_OK)
		return status;
	adopt(follow, ring);
	if (!from_oldest)
		follow->cursor = rh_newest(ring);
	return RH_OK;
}

int follow_begin(struct follow *follow, const char *instance)
{
	struct rh_error error = {0};
	enum rh_status status = follow_open(follow, instance, false, &error);
	return attach_failed(status, &error);
}

void follow_close(struct follow *follow)
{
	rh_close(&follow->ring);
}

/* Looks for a successor of a writer that is gone. Returns RH_TIMEOUT where there is one, else `state` after a short pause. */
static enum rh_status find_successor(struct follow *follow, enum rh_status state)
{
	struct timespec pause = clock_timespec(pause_ns); /* a closed ring does not block in rh_wait() */
	struct rh_ring *ring;
	enum rh_status opened = rh_open(follow->instance, &ring, NULL);

	if (opened == RH_OK && adopt(follow, ring))
		return RH_TIMEOUT;
	nanosleep(&pause, NULL); /* a signal may end it early */
	return follow->ring ? state : opened;
}

/* Nothing is left to take: waits, or finds out why nothing comes. Returns RH_OK where it is worth while to take again. */
static enum rh_status wait_for_news(struct follow *follow)
{
	if (rh_wait(follow->ring, follow->cursor, NS_PER_S) == RH_OK)
		return RH_OK;
	enum rh_status state = rh_writer_status(follow->ring);
	if (rh_newest(follow->ring) > follow->cursor)
		return RH_OK; /* published between the two looks */
	if (state == RH_RUNNING)
		return RH_TIMEOUT;
	if (state == RH_DEAD || state == RH_CLOSED || state == RH_REPLACED)
		return find_successor(follow, state);
	return state;
}

enum rh_status follow_view(struct follow *follow, struct rh_view *ret_view)
{
	if (!follow->ring)
		return find_successor(follow, RH_NO_SEGMENT);
	enum rh_status status = rh_next(follow->ring, &follow->cursor, &follow->lost, ret_view);
	if (status == RH_NONE) {
		status = wait_for_news(follow);
		if (status == RH_OK)
			status = rh_next(follow->ring, &follow->cursor, &follow->lost, ret_view);
	}
	if (status == RH_CORRUPT)
		status = find_successor(follow, status);
	return status == RH_NONE || status == RH_BUSY ? RH_TIMEOUT : status;
}

enum rh_status follow_next(struct follow *follow, uint32_t limit, struct batch *batch)
{
	for (int i = 0; i < TAKE_TRIES; i++) {
		const struct rh_ring *ring = follow->ring;
		struct rh_view view;
		enum rh_status status = follow_view(follow, &view);
		if (status == RH_OK)
			status = batch_copy(&view, limit, batch);
		if (status == RH_LAPPED)
			follow->lost++; /* overwritten while it was being copied */
		else if (status != RH_TIMEOUT || follow->ring == ring)
			return status;
	}
	return RH_TIMEOUT;
}
