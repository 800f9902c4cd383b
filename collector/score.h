/*
 * score.h - how rogue each process is: pure arithmetic over columns, no I/O, no clock.
 *
 *     share_r     = use_r(p) / use_r(all) * users_r       1 is exactly a fair share; users_r counts those at or above the floor of r
 *     share_score = 10 log2( sum_r weight_r * share_r * contention_r ), times the multiplier of the state; nothing for a sum up to 1
 *     use_score   = use_cap * the largest fraction of a whole unit that p takes by itself: one core, half of the memory, one disk, the gpu
 *     harm_score  = 10 log2( 1 + ms per second of waiting inflicted on victims )
 *     score       = the largest of the three, 0..100
 *
 * A share counts only as far as its resource is scarce, and use alone ends at use_cap: a lone hog on an idle machine is seen, never critical.
 */
#ifndef COLLECTOR_SCORE_H
#define COLLECTOR_SCORE_H

#include "base/config.h"
#include "collector/pool.h"
#include "rogue/samples.h"

/* One row per process. Columns by resource are indexed by enum rh_resource; the one of RH_RESOURCE_none is not used. */
struct score_columns {
	/* in: percent of a core, percent of a gpu, bytes of memory, bytes per second, wakeups per second; 0 where not known */
	float *use[RH_RESOURCE_COUNT];
	float *harm_ms_per_s; /* waiting inflicted on victims */
	uint8_t *state;       /* enum rh_process_state */
	/* out */
	float *share[RH_RESOURCE_COUNT];
	float *disproportionality;
	float *harm_score;
	float *score;
	uint8_t *dominant; /* enum rh_resource */
	uint8_t *band;     /* enum rh_band */
	/* scratch */
	float *weighted, *fraction;
};

/* What of the machine the scores depend on. */
struct score_machine {
	float contention[RH_RESOURCE_COUNT]; /* 0..1; NAN, not known, counts as 0 */
	double mem_total_bytes;              /* 0 where not known */
};

/* Takes the columns from the pool, `capacity` rows each. Check pool->failed. */
void score_columns_take(struct score_columns *columns, struct pool *pool, uint32_t capacity);

/* Fills the out columns of `count` rows. Returns the highest score. Cost: see bench/collector_tick. */
float score_run(const struct config *config, const struct score_machine *machine, struct score_columns *columns, uint32_t count);

#endif
