/*
 * follow.c - sample after sample, over restarts of the collector, see follow.h.
 */
#include "readers/common/follow.h"

#include "base/clock.h"
#include "readers/common/attach.h"

#include <time.h>

enum { TAKE_TRIES = 8 };

static void follow_adopt(struct follow *follow, struct rh_ring *ring)
{
	struct rh_info info;

	rh_close(&follow->ring);
	rh_info(ring, &info);
	follow->ring = ring;
	follow->generation = info.generation;
	follow->cursor = 0;
}

enum rh_status follow_open(struct follow *follow, const char *instance, bool from_oldest, struct rh_error *error)
{
	struct rh_ring *ring;
	enum rh_status status = rh_open(instance, &ring, error);

	*follow = (struct follow){.instance = instance};
	if (status != RH_OK)
		return status;
	follow_adopt(follow, ring);
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

/* Takes the next sample, if there is one. Returns RH_OK, RH_NONE, RH_BUSY, RH_CORRUPT, RH_SYSTEM. */
static enum rh_status follow_take(struct follow *follow, uint32_t limit, struct batch *batch)
{
	for (int i = 0; i < TAKE_TRIES; i++) {
		struct rh_view view;
		enum rh_status status = rh_next(follow->ring, &follow->cursor, &follow->lost, &view);
		if (status != RH_OK)
			return status;
		status = batch_copy(&view, limit, batch);
		if (status != RH_LAPPED)
			return status;
		follow->lost++; /* overwritten while it was being copied: the cursor is past it */
	}
	return RH_BUSY;
}

/* Looks for a successor of a writer that is gone. Returns RH_OK where there is one, else `state` after a short pause. */
static enum rh_status follow_successor(struct follow *follow, enum rh_status state)
{
	struct rh_ring *ring;

	if (rh_open(follow->instance, &ring, NULL) == RH_OK) {
		struct rh_info info;
		rh_info(ring, &info);
		if (info.generation != follow->generation) {
			follow_adopt(follow, ring);
			return RH_OK;
		}
		rh_close(&ring);
	}
	struct timespec pause = clock_timespec(200 * NS_PER_MS); /* a closed ring does not block in rh_wait() */
	nanosleep(&pause, NULL);
	return state;
}

/* Nothing is left to take: waits, or finds out why nothing comes. Returns RH_OK where it is worth while to take again. */
static enum rh_status follow_wait(struct follow *follow)
{
	if (rh_wait(follow->ring, follow->cursor, NS_PER_S) == RH_OK)
		return RH_OK;
	enum rh_status state = rh_writer_status(follow->ring);
	if (rh_newest(follow->ring) > follow->cursor)
		return RH_OK; /* published between the two looks */
	if (state == RH_RUNNING)
		return RH_TIMEOUT;
	if (state == RH_DEAD || state == RH_CLOSED || state == RH_REPLACED)
		return follow_successor(follow, state);
	return state;
}

enum rh_status follow_next(struct follow *follow, uint32_t limit, struct batch *batch)
{
	enum rh_status status = follow_take(follow, limit, batch);

	if (status != RH_NONE)
		return status == RH_BUSY ? RH_TIMEOUT : status;
	status = follow_wait(follow);
	if (status != RH_OK)
		return status;
	status = follow_take(follow, limit, batch);
	return status == RH_NONE || status == RH_BUSY ? RH_TIMEOUT : status;
}
