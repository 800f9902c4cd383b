/*
 * attach.c - attaching, copying batches, following, see attach.h.
 */
#include "readers/common/attach.h"

#include "base/clock.h"
#include "readers/common/complain.h"

#include <stdlib.h>
#include <time.h>

enum { COPY_TRIES = 8, FIRST_CAPACITY = 256 };

void batch_free(struct batch *batch)
{
	free(batch->records);
	*batch = (struct batch){0};
}

int attach_exit_code(enum rh_status status)
{
	switch (status) {
#define RH_STATUS(value, name, exit, text) \
	case RH_##name: \
		return exit;
#include "rogue/status.def"
	}
	return EXIT_FAILURE;
}

const char *attach_status_name(enum rh_status status)
{
	switch (status) {
#define RH_STATUS(value, name, exit, text) \
	case RH_##name: \
		return #name;
#include "rogue/status.def"
	}
	return "UNKNOWN";
}

/* Complains about a failed attach. Returns the exit code, 0 for RH_OK. */
static int attach_failed(enum rh_status status, const struct rh_error *error)
{
	if (status == RH_OK)
		return 0;
	complain("%s", error->text[0] ? error->text : rh_status_text(status));
	return attach_exit_code(status);
}

int attach_open(const char *instance, struct rh_ring **ret_ring)
{
	struct rh_error error = {0};
	enum rh_status status = rh_open(instance, ret_ring, &error);
	return attach_failed(status, &error);
}

static bool make_room(struct batch *batch, uint32_t count)
{
	if (count <= batch->capacity_)
		return true;
	uint32_t capacity = batch->capacity_ ? batch->capacity_ : FIRST_CAPACITY;
	while (capacity < count)
		capacity = capacity <= UINT32_MAX / 2 ? capacity * 2 : UINT32_MAX;
	struct rh_process *records = realloc(batch->records, (size_t)capacity * sizeof(*records));
	if (!records)
		return false;
	batch->records = records;
	batch->capacity_ = capacity;
	return true;
}

/* Copies a view. Returns RH_OK, RH_LAPPED where the writer came by meanwhile, RH_SYSTEM. */
static enum rh_status copy_view(const struct rh_view *view, uint32_t limit, struct batch *batch)
{
	uint32_t count = view->count < limit ? view->count : limit;

	if (!make_room(batch, count))
		return RH_SYSTEM;
	for (uint32_t i = 0; i < count; i++)
		rh_copy(view, i, &batch->records[i]);
	if (!rh_valid(view))
		return RH_LAPPED;
	batch->sample = view->sample;
	batch->count = count;
	batch->total = view->total;
	batch->system = view->system;
	return RH_OK;
}

enum rh_status attach_latest(struct rh_ring *ring, uint32_t limit, struct batch *batch)
{
	for (int i = 0; i < COPY_TRIES; i++) {
		struct rh_view view;
		enum rh_status status = rh_latest(ring, &view);
		if (status != RH_OK)
			return status;
		status = copy_view(&view, limit, batch);
		if (status != RH_LAPPED)
			return status;
	}
	return RH_BUSY;
}

/* ---- following ---- */

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

int attach_follow(const char *instance, struct follow *follow)
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
	for (int i = 0; i < COPY_TRIES; i++) {
		struct rh_view view;
		enum rh_status status = rh_next(follow->ring, &follow->cursor, &follow->lost, &view);
		if (status != RH_OK)
			return status;
		status = copy_view(&view, limit, batch);
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
