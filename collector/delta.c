/* delta.c - see delta.h. */
#include "collector/delta.h"

#include "base/assert.h"
#include "collector/record.h"

#include <string.h>

enum { LOOK_AHEAD = 8 };

/* What a process that has just begun would have looked like in the sample before: everything known, and 0. */
static const struct raw_process newborn = {.present = {UINT64_MAX, UINT64_MAX}};

/*
 * The process in the generation before, or NULL. `cursor` is where it should be if nothing came or went; a few may have gone, and then it is near.
 */
static const struct raw_process *find_before(
        struct delta *delta, struct generation *before, const struct raw_process *now, uint32_t *cursor)
{
	uint32_t at = *cursor, end = at + LOOK_AHEAD < before->count ? at + LOOK_AHEAD : before->count;
	while (at < end && before->pids[at] != now->pid)
		at++;
	if (at >= end || !generation_is_same(now, &before->raw[at])) {
		at = generation_find_same(before, now);
		if (at == GENERATION_NONE)
			return NULL;
	}
	*cursor = at + 1;
	delta->seen[at] = 1;
	return &before->raw[at];
}

/* ---- one sample ---- */

/*
 * Did it begin since the sample before? Within one interval more: its start is rounded down to a clock tick, and a process that began
 * while the sample before was being read may have been missed there. Its counters were never accounted for, so all of them belong to now.
 */
static bool is_newborn(const struct raw_process *raw, const struct span *span)
{
	return rh_has(raw->present, RH_F_start_time_ns) && raw->start_time_ns + span->elapsed_ns >= span->begin_boottime_ns;
}

/* None so far; ended_run() adds. */
static void briefs_clear(struct rh_process *record, bool comparable)
{
	record->brief_count = 0;
	rh_set(record->present, RH_F_brief_count);
	if (!comparable)
		return;
	record->brief_cpu_pct = 0;
	rh_set(record->present, RH_F_brief_cpu_pct);
}

static void live_fill(struct delta *delta, const struct source_tick *tick, const struct span *span, struct rh_process *records,
        struct delta_result *result)
{
	struct generation *now = &delta->generations[delta->current], *before = &delta->generations[!delta->current];
	bool first = span->begin_boottime_ns == 0, briefs = (tick->signals >> RH_SIGNAL_last_words & 1) != 0;
	uint32_t cursor = 0;
	generation_begin(now);
	for (uint32_t i = 0; i < tick->count; i++) {
		const struct raw_process *raw = &now->raw[i];
		const struct raw_process *base = find_before(delta, before, raw, &cursor);
		struct rh_process *record = &records[i];
		generation_add(now);
		record_fill(record, raw);
		if (!base && !first) {
			record->flags |= RH_PROCESS_new;
			result->appeared++;
			base = is_newborn(raw, span) ? &newborn : NULL;
		}
		if (base && span->comparable)
			result->cpu_ns += record_rates(record, raw, base, span, &result->clamped);
		if (briefs)
			briefs_clear(record, span->comparable);
		result->stuck += raw->state == RH_STATE_stuck;
		result->exited += (raw->flags & RH_PROCESS_exited) != 0;
	}
}

static void ended_fill(struct delta *delta, const struct source_tick *tick, const struct span *span, struct rh_process *records,
        struct delta_result *result)
{
	const struct ended_input input = {
	        .now = &delta->generations[delta->current],
	        .before = &delta->generations[!delta->current],
	        .seen = delta->seen,
	        .tick = tick,
	        .span = span,
	        .records = records,
	};
	struct ended_result ended = ended_run(&delta->ended, &input);
	result->count += ended.count;
	result->exited += ended.known;
	result->clamped += ended.clamped;
	result->brief_count = ended.brief_count;
	result->fewer_briefs = ended.fewer_records;
	result->cpu_ns += ended.cpu_ns;
	result->brief_cpu_ns = ended.brief_cpu_ns;
}

/* Appends those of the sample before that were not found again. One that the source itself reported as exited has had its last record. */
static void exited_fill(const struct delta *delta, struct rh_process *records, struct delta_result *result)
{
	const struct generation *before = &delta->generations[!delta->current];
	for (uint32_t i = 0; i < before->count; i++) {
		if (delta->seen[i] || (before->raw[i].flags & RH_PROCESS_exited) != 0)
			continue;
		struct rh_process *record = &records[result->count++];
		record_fill(record, &before->raw[i]);
		record->flags = (uint16_t)((record->flags & ~RH_PROCESS_throttled) | RH_PROCESS_exited);
		result->exited++;
	}
}

static void zombies_count(struct delta *delta, struct rh_process *records)
{
	struct generation *now = &delta->generations[delta->current];
	for (uint32_t i = 0; i < now->count; i++) {
		if (records[i].state != RH_STATE_zombie)
			continue;
		uint32_t parent = generation_find(now, now->raw[i].ppid);
		if (parent != GENERATION_NONE && records[parent].zombie_children_count < UINT16_MAX)
			records[parent].zombie_children_count++;
	}
}

void delta_init(struct delta *delta, struct pool *pool, uint32_t capacity, uint32_t brief_records)
{
	memset(delta, 0, sizeof(*delta));
	delta->capacity = capacity;
	delta->seen = pool_take(pool, capacity, 1);
	for (unsigned i = 0; i < 2; i++)
		generation_init(&delta->generations[i], pool, capacity);
	ended_init(&delta->ended, pool, capacity, brief_records);
}

uint32_t delta_records_most(uint32_t capacity, uint32_t brief_records)
{
	/* As many may have gone as have come. */
	return 2 * capacity + brief_records;
}

struct raw_process *delta_incoming(struct delta *delta)
{
	return delta->generations[!delta->current].raw;
}

struct delta_result delta_run(struct delta *delta, const struct source_tick *tick, const struct span *span, struct rh_process *records)
{
	RH_ASSERT(tick->count <= delta->capacity);
	struct delta_result result = {.count = tick->count};
	delta->current = !delta->current;
	memset(delta->seen, 0, delta->generations[!delta->current].count);
	live_fill(delta, tick, span, records, &result);
	ended_fill(delta, tick, span, records, &result);
	if (tick->dropped == 0)
		exited_fill(delta, records, &result);
	zombies_count(delta, records);
	return result;
}
