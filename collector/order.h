/*
 * order.h - the order of a frame: the highest scores first, the rest by pid. In time linear in the number of processes, without a full sort.
 */
#ifndef COLLECTOR_ORDER_H
#define COLLECTOR_ORDER_H

#include "collector/pool.h"

#include <stdint.h>

/* Memory that ordering needs, for up to `capacity` rows. */
struct order {
	uint32_t *heap;    /* rows */
	uint32_t *rows[2]; /* taking turns in the passes of the sort */
	uint8_t *chosen;   /* by row */
};

/* Takes the memory from the pool. Check pool->failed. */
void order_init(struct order *order, struct pool *pool, uint32_t capacity);

/*
 * Orders rows 0 .. count-1 of the columns.
 *   first  so many rows of the highest score come first, highest first, equal scores by pid
 *   keep   rows kept: those of the highest scores, at least `first` of them
 * Returns the rows in order, `keep` of them (`count`, if that is less); borrowed until the next call.
 */
const uint32_t *order_rows(struct order *order, const float *scores, const uint32_t *pids, uint32_t count, uint32_t first, uint32_t keep);

#endif
