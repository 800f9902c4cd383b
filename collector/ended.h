/*
 * ended.h - processes that ended since the sample before, from their last words.
 *
 *   was in the sample before      a last record, flagged exited, with its final counters and the rates of what it still did in the interval
 *   still among the records       (a zombie that nobody has waited for) nothing: its own record tells it all
 *   came and went in between      its use is added to the rates of its nearest living ancestor; the largest of them get a record of their own, flagged
 *                                 new and exited, without rates, so that nothing counts twice
 * Rates are over the whole interval, like everybody's: summed up they are what was used. The counters of the ancestor stay its own.
 * Who is reparented tells the new parent in his last words, so that a chain of ended parents ends at somebody living; else at pid 1, else
 * nobody is charged. Cost: linear in the number of the ended.
 */
#ifndef COLLECTOR_ENDED_H
#define COLLECTOR_ENDED_H

#include "collector/generation.h"
#include "collector/moment.h"
#include "collector/order.h"

/* Memory for the ended of one sample. */
struct ended {
	uint32_t capacity, records_max;
	uint32_t *owner;        /* by index of the ended: its living ancestor once known */
	uint32_t *map;          /* of the ended by pid, made when it is needed; index + 1, 0 is free */
	uint32_t *brief, *pids; /* those that came and went: index of the ended, pid, cpu time */
	float *cpu_ns;
	uint32_t map_mask;
	bool mapped;
	struct order order;
};

struct ended_input {
	struct generation *now, *before;
	uint8_t *seen; /* by index in `before`; those that get their last record here are marked */
	const struct source_tick *tick;
	const struct span *span;
	struct rh_process *records; /* of `now`, in its order, and behind them room for one for each in `before`, and records_max more */
};

struct ended_result {
	uint32_t count;       /* records added behind those of `now` */
	uint32_t known;       /* of them, last records of processes that were in the sample before */
	uint32_t brief_count; /* processes that came and went */
	uint32_t clamped;
	bool fewer_records; /* more came and went than may have records of their own */
	double cpu_ns;      /* cpu time of all ended processes in the interval */
	double brief_cpu_ns;
};

/* Takes memory for last words of up to `capacity` processes; more are charged to their direct parents. Check pool->failed. */
void ended_init(struct ended *ended, struct pool *pool, uint32_t capacity, uint32_t records_max);

/* Cost: see above. A first sample has no interval: nothing is done then. */
struct ended_result ended_run(struct ended *ended, const struct ended_input *input);

#endif
