/*
 * reader.c - reading samples in place: the reader's half of the protocol in layout.h. No system calls, no loops without a bound.
 */
#include "rogue/reader.h"

#include "shm/reader_private.h"

#include <string.h>

enum { TRIES = 8 }; /* a reader that is lapped this often in one call is told so */

static const struct seg_slot *slot_of(const struct rh_ring *ring, uint64_t n)
{
	size_t index = (size_t)((n - 1) % ring->header.slots);

	return (const struct seg_slot *)(const void *)(ring->base + ring->header.slots_off + index * ring->header.slot_size);
}

uint64_t rh_newest(const struct rh_ring *ring)
{
	uint64_t n = ck_pr_load_64(&ring->control->published);

	ck_pr_fence_load(); /* pairs with the writer's fence before published: the slot is seen as complete, or later */
	return n;
}

uint64_t rh_oldest(const struct rh_ring *ring)
{
	uint64_t newest = rh_newest(ring), oldest = ck_pr_load_64(&ring->control->oldest);

	/* The hint runs ahead of the newest sample while a writer makes room for the next. */
	return oldest < newest ? oldest : newest;
}

/* Does the slot still hold the sample with this even value? Opens with a load fence; pairs with the fence of ring_reserve(). */
static bool unchanged(const struct seg_slot *slot, unsigned int even)
{
	return !ck_sequence_read_retry(&slot->sequence, even);
}

bool rh_valid(const struct rh_view *view)
{
	const struct seg_slot *slot = view->slot_;

	/* The sequence has 32 bits: to a reader that slept for 2^31 laps it looks unchanged. The number tells the difference. */
	return ck_pr_load_64(&slot->frame.number) == view->sample && unchanged(slot, view->even_);
}

/* Does the frame lie within the arena? The numbers are a private copy, but may come from a broken or hostile writer. */
static bool frame_is_possible(const struct seg_header *header, const struct seg_frame *frame)
{
	uint64_t bytes = seg_frame_bytes(frame->capacity, frame->count, frame->stride);

	return frame->offset % SEG_LINE == 0 && frame->offset >= header->arena_off &&
	       frame->offset - header->arena_off <= header->arena_size &&
	       bytes <= header->arena_size - (frame->offset - header->arena_off) && frame->count <= frame->capacity &&
	       frame->count <= frame->total && frame->stride >= RH_PROCESS_HOT_BYTES && frame->stride % 8 == 0 &&
	       frame->stride <= SEG_SLOT_SIZE_MAX;
}

static void fill_view(const struct rh_ring *ring, const struct seg_frame *frame, struct rh_view *view)
{
	const unsigned char *columns = ring->base + frame->offset;
	uint32_t record_size = ring->header.record_size;

	view->sample = frame->number;
	view->count = frame->count;
	view->total = frame->total;
	view->stride = frame->stride;
	view->scores = (const float *)(const void *)columns;
	view->pids = (const uint32_t *)(const void *)(columns + seg_column_bytes(frame->capacity));
	view->record_base = columns + 2 * seg_column_bytes(frame->capacity);
	if (frame->stride >= record_size) {
		view->record_size_ = record_size;
		memcpy(view->known_, ring->known_full, sizeof(view->known_));
	} else {
		view->record_size_ = frame->stride;
		schema_known(ring, frame->stride, view->known_);
	}
}

/* One look at sample n: the steps 1 to 3 of layout.h. */
static enum rh_status look(const struct rh_ring *ring, uint64_t n, struct rh_view *view)
{
	const struct seg_slot *slot = slot_of(ring, n);
	unsigned int even = seg_even(n, ring->header.slots);
	unsigned int now = ck_pr_load_uint(&slot->sequence.sequence);
	struct seg_frame frame;

	if (now != even)
		return (int)(now - even) > 0 ? RH_LAPPED : RH_NONE;
	ck_pr_fence_load(); /* pairs with the writer's fence before even: the payload is seen */
	memcpy(&frame, &slot->frame, sizeof(frame));
	memcpy(view->reserve_, &slot->system, ring->header.system_size);
	if (!unchanged(slot, even))
		return RH_LAPPED;
	if (frame.number != n || !frame_is_possible(&ring->header, &frame))
		return RH_CORRUPT;
	view->slot_ = slot;
	view->even_ = even;
	view->system_size = ring->header.system_size;
	if (view->system_size < sizeof(struct rh_system))
		memset(view->reserve_ + view->system_size, 0, sizeof(struct rh_system) - view->system_size);
	fill_view(ring, &frame, view);
	return RH_OK;
}

enum rh_status rh_at(struct rh_ring *ring, uint64_t sample, struct rh_view *ret_view)
{
	uint64_t newest = rh_newest(ring);

	if (sample == 0 || sample > newest)
		return RH_NONE;
	if (newest - sample >= ring->header.slots)
		return RH_LAPPED;
	enum rh_status result = look(ring, sample, ret_view);
	/* What is published has been complete: a slot that denies it holds nonsense. */
	return result == RH_NONE ? RH_CORRUPT : result;
}

enum rh_status rh_latest(struct rh_ring *ring, struct rh_view *ret_view)
{
	for (int i = 0; i < TRIES; i++) {
		enum rh_status result = rh_at(ring, rh_newest(ring), ret_view);

		if (result != RH_LAPPED)
			return result;
	}
	return RH_BUSY;
}

enum rh_status rh_next(struct rh_ring *ring, uint64_t *cursor, uint64_t *lost, struct rh_view *ret_view)
{
	uint64_t nobody = 0;

	if (!lost)
		lost = &nobody;
	for (int i = 0; i < TRIES; i++) {
		uint64_t newest = rh_newest(ring);

		if (*cursor >= newest)
			return RH_NONE;
		uint64_t oldest = rh_oldest(ring);
		if (oldest > *cursor + 1) {
			*lost += oldest - *cursor - 1;
			*cursor = oldest - 1;
		}
		enum rh_status result = rh_at(ring, *cursor + 1, ret_view);
		if (result == RH_OK)
			(*cursor)++;
		if (result != RH_LAPPED)
			return result;
		(*cursor)++;
		(*lost)++;
	}
	return RH_BUSY;
}

uint64_t rh_margin(const struct rh_ring *ring, uint64_t cursor)
{
	uint64_t newest = rh_newest(ring), capacity = ring->header.slots;
	struct seg_frame frame;

	if (newest == 0)
		return capacity;
	if (cursor >= newest)
		cursor = newest;
	else if (cursor + 1 < rh_oldest(ring))
		return 0;
	/* Unvalidated: a torn number makes a wrong estimate, which the next call mends. */
	memcpy(&frame, &slot_of(ring, newest)->frame, sizeof(frame));
	uint64_t bytes = seg_align(seg_frame_bytes(frame.capacity, frame.count, frame.stride), SEG_LINE);
	if (bytes > 0 && ring->header.arena_size / bytes < capacity)
		capacity = ring->header.arena_size / bytes;
	return capacity > newest - cursor ? capacity - (newest - cursor) : 0;
}

bool rh_copy(const struct rh_view *view, uint32_t i, struct rh_process *ret_record)
{
	size_t size = view->record_size_ < sizeof(*ret_record) ? view->record_size_ : sizeof(*ret_record);

	if (i >= view->count)
		return false;
	memcpy(ret_record, view->record_base + (size_t)i * view->stride, size);
	memset((unsigned char *)ret_record + size, 0, sizeof(*ret_record) - size);
	ret_record->present[0] &= view->known_[0];
	ret_record->present[1] &= view->known_[1];
	return true;
}

int64_t rh_find_pid(const struct rh_view *view, uint32_t pid)
{
	for (uint32_t i = 0; i < view->count; i++)
		if (view->pids[i] == pid)
			return (int64_t)i;
	return -1;
}

const char *rh_status_text(enum rh_status status)
{
	switch (status) {
#define RH_STATUS(value, name, exit, text) \
	case RH_##name: \
		return text;
#include "rogue/status.def"
	}
	return "unknown status";
}

const char *rh_version(void)
{
	return RH_VERSION;
}
