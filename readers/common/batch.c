/*
 * batch.c - private copies of samples, see batch.h.
 */
#include "readers/common/batch.h"

#include <stdlib.h>

enum { COPY_TRIES = 8, FIRST_CAPACITY = 256 };

void batch_free(struct batch *batch)
{
	free(batch->records);
	*batch = (struct batch){0};
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

enum rh_status batch_copy(const struct rh_view *view, uint32_t limit, struct batch *batch)
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

enum rh_status batch_latest(struct rh_ring *ring, uint32_t limit, struct batch *batch)
{
	for (int i = 0; i < COPY_TRIES; i++) {
		struct rh_view view;
		enum rh_status status = rh_latest(ring, &view);
		if (status != RH_OK)
			return status;
		status = batch_copy(&view, limit, batch);
		if (status != RH_LAPPED)
			return status;
	}
	return RH_BUSY;
}
