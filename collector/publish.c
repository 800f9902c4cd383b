/* publish.c - see publish.h. */
#include "collector/publish.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	MIB = 1048576,
	MIN_ARENA_BYTES = 4 * MIB,
	MAX_SLOTS = 65536,
	MEMORY_PARTS = 50, /* at most 2 % of the memory */
	FULL_STRIDE = sizeof(struct rh_process),
	FULL_PAUSE = 16, /* samples */
};

/* Fields that lie within the first RH_PROCESS_HOT_BYTES. */
static const uint64_t hot_fields[2] = {
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	+((uint64_t)(offsetof(struct rh_process, name) < RH_PROCESS_HOT_BYTES && (id) < 64) << (id) % 64)
#include "rogue/fields.def"
        ,
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	+((uint64_t)(offsetof(struct rh_process, name) < RH_PROCESS_HOT_BYTES && (id) >= 64) << (id) % 64)
#include "rogue/fields.def"
};

/* ---- sizes ---- */

static uint64_t frames_in(uint64_t history_ns, uint64_t interval_ns)
{
	return (history_ns + interval_ns - 1) / interval_ns;
}

uint64_t publish_arena_bytes(const struct config *config, uint64_t interval_ns, uint64_t memory_bytes, uint32_t processes)
{
	uint64_t history_ns = (uint64_t)(config->ring_history * NS_PER_S);
	uint64_t frame_bytes = ring_frame_bytes(processes + processes / 2, FULL_STRIDE);
	uint64_t least = (uint64_t)config->ring_min_mib * MIB, most = (uint64_t)config->ring_max_mib * MIB;
	uint64_t wanted = frames_in(history_ns, interval_ns) * frame_bytes;
	wanted += wanted / 4;
	if (memory_bytes > 0 && most > memory_bytes / MEMORY_PARTS)
		most = memory_bytes / MEMORY_PARTS;
	if (wanted < least)
		wanted = least;
	if (wanted > most)
		wanted = most;
	return wanted > MIN_ARENA_BYTES ? wanted : MIN_ARENA_BYTES;
}

/* The most records of that stride of which a frame takes at most `bytes`. */
static uint32_t records_in(uint64_t bytes, uint32_t stride, uint32_t most)
{
	uint32_t least = 0;
	while (least < most) {
		uint32_t middle = least + (most - least + 1) / 2;
		if (ring_frame_bytes(middle, stride) <= bytes)
			least = middle;
		else
			most = middle - 1;
	}
	return least;
}

struct publish_shape publish_shape(uint64_t arena_bytes, uint32_t count, uint64_t frames)
{
	/* One frame more: the one that is being written has already taken the place of older ones. Half of the arena is the ring's own limit. */
	uint64_t budget = arena_bytes / (frames + 1), limit = arena_bytes / 2;
	if (budget > limit)
		budget = limit;
	if (ring_frame_bytes(count, FULL_STRIDE) <= budget)
		return (struct publish_shape){count, FULL_STRIDE};
	uint32_t keep = records_in(budget, RH_PROCESS_HOT_BYTES, count);
	if (keep < RH_TOP_BY_SCORE)
		keep = records_in(limit, RH_PROCESS_HOT_BYTES, count < RH_TOP_BY_SCORE ? count : RH_TOP_BY_SCORE);
	return (struct publish_shape){keep, RH_PROCESS_HOT_BYTES};
}

/* As many slots as the arena can hold samples of the size expected, at least the history with a quarter to spare. */
static uint32_t slots_wanted(uint64_t arena_bytes, uint64_t frames, uint32_t processes)
{
	uint64_t wanted = frames + frames / 4 + 2, fit = arena_bytes / ring_frame_bytes(processes, FULL_STRIDE);
	if (wanted < fit)
		wanted = fit;
	return (uint32_t)(wanted < MAX_SLOTS ? wanted : MAX_SLOTS);
}

/* ---- the ring ---- */

static int ring_make(struct publish *publish)
{
	if (publish->pause > 0) {
		publish->pause--;
		return -ENOSPC;
	}
	if (ring_is_owned(publish->ring.instance)) {
		snprintf(publish->error, sizeof(publish->error), "another collector publishes under this name");
		return -EEXIST;
	}
	int result = ring_create(&publish->ring, &publish->writer, publish->error);
	if (result < 0) {
		publish->writer = NULL;
		publish->pause = result == -ENOSPC ? FULL_PAUSE : 0;
		return result;
	}
	publish->rings++;
	return 0;
}

int publish_open(struct publish *publish, const struct publish_options *options, struct pool *pool)
{
	const struct config *config = options->config;
	uint64_t arena_bytes = publish_arena_bytes(config, options->interval_ns, options->memory_bytes, options->processes);
	memset(publish, 0, sizeof(*publish));
	publish->history_ns = (uint64_t)(config->ring_history * NS_PER_S);
	publish->rogues_max = (uint32_t)config->rogues_count;
	publish->tracking_floor = (float)config_band_floor(config, config->bands_tracking_band);
	publish->ring = (struct ring_options){
	        .instance = options->instance,
	        .slots = slots_wanted(arena_bytes, frames_in(publish->history_ns, options->interval_ns), options->processes),
	        .arena_bytes = arena_bytes,
	        .min_arena_bytes = MIN_ARENA_BYTES,
	        .period_ns = options->interval_ns,
	        .group = options->group,
	        .boot_id = options->boot_id,
	        .writer_start_ns = options->writer_start_ns,
	};
	order_init(&publish->order, pool, options->capacity);
	return ring_make(publish);
}

void publish_heartbeat(struct publish *publish)
{
	if (publish->writer)
		ring_heartbeat(publish->writer, clock_now_ns(CLOCK_BOOTTIME));
}

/* ---- a sample ---- */

static void records_copy(const struct ring_frame *frame, const struct publish_batch *batch, const uint32_t *rows, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct rh_process *record = &batch->records[rows[i]];
		unsigned char *to = frame->records + (size_t)i * frame->stride;
		frame->scores[i] = batch->scores[rows[i]];
		frame->pids[i] = batch->pids[rows[i]];
		if (frame->stride >= FULL_STRIDE) {
			memcpy(to, record, FULL_STRIDE);
			continue;
		}
		uint64_t present[2] = {record->present[0] & hot_fields[0], record->present[1] & hot_fields[1]};
		memcpy(to, record, RH_PROCESS_HOT_BYTES);
		memcpy(to, present, sizeof(present));
	}
}

/* Rows in rank that are at or above the tracking band, as far as rogues are reported. */
static uint32_t rogues_in(const struct publish *publish, const float *scores, const uint32_t *rows, uint32_t count)
{
	uint32_t rogues = 0;
	while (rogues < publish->rogues_max && rogues < count && scores[rows[rogues]] >= publish->tracking_floor)
		rogues++;
	return rogues;
}

static uint16_t degraded_by(const struct publish_shape *shape, uint32_t count)
{
	unsigned degraded = 0;
	if (shape->stride < FULL_STRIDE)
		degraded |= RH_DEGRADED_short_records;
	if (shape->keep < count)
		degraded |= RH_DEGRADED_fewer_records;
	return (uint16_t)degraded;
}

int publish_sample(struct publish *publish, struct rh_system *system, const struct publish_batch *batch, uint64_t interval_ns)
{
	if (publish->writer && ring_is_replaced(publish->writer))
		ring_close(&publish->writer);
	if (!publish->writer) {
		int result = ring_make(publish);
		if (result < 0)
			return result;
	}
	uint64_t frames = frames_in(publish->history_ns, interval_ns);
	struct publish_shape shape = publish_shape(ring_arena_bytes(publish->writer), batch->count, frames);
	uint32_t first = shape.keep < RH_TOP_BY_SCORE ? shape.keep : RH_TOP_BY_SCORE;
	const uint32_t *rows = order_rows(&publish->order, batch->scores, batch->pids, batch->count, first, shape.keep);
	system->rogue_count = rogues_in(publish, batch->scores, rows, first);
	rh_set(system->present, RH_S_rogue_count);
	system->degraded |= degraded_by(&shape, batch->count);
	rh_set(system->present, RH_S_degraded);

	struct ring_frame frame;
	int result = ring_reserve(publish->writer, shape.keep, shape.stride, &frame);
	if (result < 0) {
		snprintf(publish->error, sizeof(publish->error), "a sample of %u processes does not fit in the ring", shape.keep);
		return result;
	}
	records_copy(&frame, batch, rows, shape.keep);
	publish_heartbeat(publish);
	ring_publish(publish->writer, system, shape.keep, batch->total);
	ring_wake(publish->writer);
	return 0;
}

void publish_close(struct publish *publish)
{
	if (publish->writer)
		ring_close(&publish->writer);
}
