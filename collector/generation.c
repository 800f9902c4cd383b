/* generation.c - see generation.h. */
#include "collector/generation.h"

#include <string.h>

/* A pass costs about a tenth of building the map. */
enum { FEW_SEARCHES = 8, BLOCK = 32 };

uint32_t generation_map_slots(uint32_t count)
{
	uint32_t slots = 64;
	while (slots < count * 2)
		slots *= 2;
	return slots;
}

void generation_init(struct generation *generation, struct pool *pool, uint32_t capacity)
{
	*generation = (struct generation){
	        .raw = pool_take(pool, capacity, sizeof(struct raw_process)),
	        .pids = pool_take(pool, capacity, sizeof(uint32_t)),
	        .map = pool_take(pool, generation_map_slots(capacity), sizeof(uint32_t)),
	};
}

static void map_build(struct generation *generation)
{
	uint32_t slots = generation_map_slots(generation->count);
	memset(generation->map, 0, slots * sizeof(generation->map[0]));
	generation->map_mask = slots - 1;
	for (uint32_t i = 0; i < generation->count; i++) {
		uint32_t slot = generation_hash(generation->pids[i]) & generation->map_mask;
		while (generation->map[slot] != 0)
			slot = (slot + 1) & generation->map_mask;
		generation->map[slot] = i + 1;
	}
	generation->mapped = true;
}

/* Block by block, without a branch inside: the compiler compares several at once. */
static uint32_t column_find(const uint32_t *pids, uint32_t count, uint32_t pid)
{
	uint32_t i = 0;
	for (; i + BLOCK <= count; i += BLOCK) {
		uint32_t found = 0;
		for (uint32_t k = 0; k < BLOCK; k++)
			found |= pids[i + k] == pid;
		if (found)
			break;
	}
	for (; i < count; i++)
		if (pids[i] == pid)
			return i;
	return GENERATION_NONE;
}

uint32_t generation_find(struct generation *generation, uint32_t pid)
{
	if (!generation->mapped && generation->searches++ < FEW_SEARCHES)
		return column_find(generation->pids, generation->count, pid);
	if (!generation->mapped)
		map_build(generation);
	for (uint32_t slot = generation_hash(pid) & generation->map_mask; generation->map[slot] != 0;
	        slot = (slot + 1) & generation->map_mask)
		if (generation->pids[generation->map[slot] - 1] == pid)
			return generation->map[slot] - 1;
	return GENERATION_NONE;
}

bool generation_is_same(const struct raw_process *a, const struct raw_process *b)
{
	if (a->pid != b->pid)
		return false;
	if (!rh_has(a->present, RH_F_start_time_ns) || !rh_has(b->present, RH_F_start_time_ns))
		return true;
	return a->start_time_ns == b->start_time_ns;
}

uint32_t generation_find_same(struct generation *generation, const struct raw_process *process)
{
	bool is_later = rh_has(process->present, RH_F_start_time_ns) && process->start_time_ns > generation->newest_start_ns;
	if (is_later && generation->starts_known)
		return GENERATION_NONE;
	uint32_t at = generation_find(generation, process->pid);
	return at != GENERATION_NONE && generation_is_same(process, &generation->raw[at]) ? at : GENERATION_NONE;
}
