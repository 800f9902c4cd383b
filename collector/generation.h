/*
 * generation.h - the processes of one sample as the source listed them, and finding one by its pid.
 *
 * Most samples look for nobody, or for a few: those are found by one pass over a column of pids. Where there are many, a map is built first.
 */
#ifndef COLLECTOR_GENERATION_H
#define COLLECTOR_GENERATION_H

#include "collector/pool.h"
#include "collector/source.h"

enum { GENERATION_NONE = UINT32_MAX };

struct generation {
	struct raw_process *raw;
	uint32_t *pids; /* the same, as a column; the caller fills it in, see generation_add() */
	uint32_t *map;  /* open addressing; index + 1, 0 is free */
	uint32_t map_mask;
	uint32_t count;
	uint32_t searches;        /* passes over the column so far */
	uint64_t newest_start_ns; /* nobody began later */
	bool starts_known;        /* of everybody */
	bool mapped;
};

/* Takes memory for `capacity` processes. Check pool->failed. */
void generation_init(struct generation *generation, struct pool *pool, uint32_t capacity);

/* The source has filled in `count` records anew: nothing is known of them until generation_add() was called for each, in order. */
static inline void generation_begin(struct generation *generation)
{
	generation->count = generation->searches = 0;
	generation->newest_start_ns = 0;
	generation->mapped = false;
	generation->starts_known = true;
}

static inline void generation_add(struct generation *generation)
{
	const struct raw_process *raw = &generation->raw[generation->count];
	generation->pids[generation->count++] = raw->pid;
	generation->starts_known &= rh_has(raw->present, RH_F_start_time_ns);
	if (raw->start_time_ns > generation->newest_start_ns)
		generation->newest_start_ns = raw->start_time_ns;
}

/* Index of the process with that pid, or GENERATION_NONE. */
uint32_t generation_find(struct generation *generation, uint32_t pid);

/* The very process, not another one with its pid. Who began later than everybody is not looked for. */
uint32_t generation_find_same(struct generation *generation, const struct raw_process *process);

/* Is it the same process? A start time that could not be read is not a different one. */
bool generation_is_same(const struct raw_process *a, const struct raw_process *b);

/* Slots of a map for so many. A power of two. */
uint32_t generation_map_slots(uint32_t count);

static inline uint32_t generation_hash(uint32_t pid)
{
	return (uint32_t)((pid * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

#endif
