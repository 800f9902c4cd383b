/* score.c - see score.h. */
#include "collector/score.h"

#include <math.h>

enum {
	FIRST = RH_RESOURCE_cpu,
	LANES = 8, /* partial sums, so that the compiler may keep them side by side in vector registers */
	STATES = RH_STATE_stuck + 1,
};

/* What holds for one resource in one sample. */
struct resource {
	float floor;            /* use from which a process is a user */
	float share_per_use;    /* share = use * this */
	float weight;           /* configured weight * contention */
	float fraction_per_use; /* fraction of a whole unit = use * this */
};

void score_columns_take(struct score_columns *columns, struct pool *pool, uint32_t capacity)
{
	for (unsigned r = FIRST; r < RH_RESOURCE_COUNT; r++) {
		columns->use[r] = pool_take(pool, capacity, sizeof(float));
		columns->share[r] = pool_take(pool, capacity, sizeof(float));
	}
	columns->harm_ms_per_s = pool_take(pool, capacity, sizeof(float));
	columns->disproportionality = pool_take(pool, capacity, sizeof(float));
	columns->harm_score = pool_take(pool, capacity, sizeof(float));
	columns->score = pool_take(pool, capacity, sizeof(float));
	columns->weighted = pool_take(pool, capacity, sizeof(float));
	columns->fraction = pool_take(pool, capacity, sizeof(float));
	columns->state = pool_take(pool, capacity, 1);
	columns->dominant = pool_take(pool, capacity, 1);
	columns->band = pool_take(pool, capacity, 1);
}

/* users / total: what turns a use into a multiple of a fair share. 0 where nobody uses the resource. */
static float share_per_use(const float *restrict use, uint32_t count, float floor)
{
	float totals[LANES] = {0};
	uint32_t users[LANES] = {0};
	uint32_t i = 0;
	for (; i + LANES <= count; i += LANES) {
		for (unsigned lane = 0; lane < LANES; lane++) {
			totals[lane] += use[i + lane];
			users[lane] += use[i + lane] >= floor;
		}
	}
	for (; i < count; i++) {
		totals[0] += use[i];
		users[0] += use[i] >= floor;
	}
	double total = 0;
	uint32_t all_users = 0;
	for (unsigned lane = 0; lane < LANES; lane++) {
		total += (double)totals[lane];
		all_users += users[lane];
	}
	return total > 0 ? (float)(all_users / total) : 0;
}

static float contended(double weight, float contention)
{
	return isnan(contention) ? 0 : (float)weight * contention;
}

static void resources_prepare(
        const struct config *config, const struct score_machine *machine, struct resource resources[RH_RESOURCE_COUNT])
{
	const float *contention = machine->contention;
	double half_memory = machine->mem_total_bytes / 2;
	resources[RH_RESOURCE_cpu] = (struct resource){
	        .floor = (float)config->score_cpu_floor,
	        .weight = contended(config->score_cpu_weight, contention[RH_RESOURCE_cpu]),
	        .fraction_per_use = 1 / 100.0F,
	};
	resources[RH_RESOURCE_gpu] = (struct resource){
	        .floor = (float)config->score_gpu_floor,
	        .weight = contended(config->score_gpu_weight, contention[RH_RESOURCE_gpu]),
	        .fraction_per_use = 1 / 100.0F,
	};
	resources[RH_RESOURCE_memory] = (struct resource){
	        .floor = (float)(config->score_mem_floor_mib * 1048576),
	        .weight = contended(config->score_mem_weight, contention[RH_RESOURCE_memory]),
	        .fraction_per_use = half_memory > 0 ? (float)(1 / half_memory) : 0,
	};
	resources[RH_RESOURCE_disk] = (struct resource){
	        .floor = (float)(config->score_disk_floor_kib * 1024),
	        .weight = contended(config->score_disk_weight, contention[RH_RESOURCE_disk]),
	        .fraction_per_use = (float)(1 / (config->score_disk_reference_mib * 1048576)),
	};
	/* Wakeups have no whole unit that one process could take. */
	resources[RH_RESOURCE_wakeups] = (struct resource){
	        .floor = (float)config->score_wakeups_floor,
	        .weight = contended(config->score_wakeups_weight, contention[RH_RESOURCE_wakeups]),
	};
	/* A floor of 0 makes a user of each process that uses anything, not of each process. */
	for (unsigned r = FIRST; r < RH_RESOURCE_COUNT; r++)
		resources[r].floor = fmaxf(resources[r].floor, 1e-30F);
}

/* Adds one resource to the row sums. Plain loops without branches, for the vectoriser. */
static void resource_add(const struct resource *resource, const float *restrict use, float *restrict share, float *restrict weighted,
        float *restrict fraction, float *restrict largest, uint32_t count)
{
	float per_use = resource->share_per_use, weight = resource->weight, unit = resource->fraction_per_use;
	for (uint32_t i = 0; i < count; i++) {
		float s = use[i] * per_use, f = use[i] * unit;
		share[i] = s;
		weighted[i] += s * weight;
		largest[i] = largest[i] > s ? largest[i] : s;
		fraction[i] = fraction[i] > f ? fraction[i] : f;
	}
}

/*
 * The resource with the largest weighted contended share of those the process is a user of; where none is scarce, the one of which it
 * takes the largest fraction of a unit.
 */
static uint8_t dominant_resource(const struct resource resources[RH_RESOURCE_COUNT], const struct score_columns *columns, uint32_t i)
{
	unsigned by_share = RH_RESOURCE_none, by_use = RH_RESOURCE_none;
	float share_max = 0, fraction_max = 0;
	for (unsigned r = FIRST; r < RH_RESOURCE_COUNT; r++) {
		float use = columns->use[r][i];
		if (use < resources[r].floor)
			continue;
		float share = columns->share[r][i] * resources[r].weight, fraction = use * resources[r].fraction_per_use;
		if (share > share_max) {
			share_max = share;
			by_share = r;
		}
		if (fraction > fraction_max) {
			fraction_max = fraction;
			by_use = r;
		}
	}
	return (uint8_t)(by_share != RH_RESOURCE_none ? by_share : by_use);
}

static void state_multipliers(const struct config *config, float multipliers[STATES])
{
	multipliers[RH_STATE_unknown] = 1;
	multipliers[RH_STATE_running] = (float)config->state_running;
	multipliers[RH_STATE_sleeping] = (float)config->state_sleeping;
	multipliers[RH_STATE_idle] = (float)config->state_idle;
	multipliers[RH_STATE_stopped] = (float)config->state_stopped;
	multipliers[RH_STATE_zombie] = (float)config->state_zombie;
	multipliers[RH_STATE_stuck] = (float)config->state_stuck;
}

/* 10 log2(value), and nothing for values up to 1: most processes never reach the logarithm. */
static float score_of(float value)
{
	return value > 1 ? 10 * log2f(value) : 0;
}

static float combine(const struct config *config, const struct resource *resources, struct score_columns *columns, uint32_t count)
{
	float multipliers[STATES], highest = 0;
	float use_cap = (float)config->score_use_cap, medium = (float)config->bands_medium;
	state_multipliers(config, multipliers);
	for (uint32_t i = 0; i < count; i++) {
		float harm = fminf(score_of(1 + columns->harm_ms_per_s[i]), 100);
		float share =
		        score_of(columns->weighted[i]) * multipliers[columns->state[i] < STATES ? columns->state[i] : RH_STATE_unknown];
		float use = use_cap * fminf(columns->fraction[i], 1);
		float score = fminf(fmaxf(fmaxf(share, use), harm), 100);
		columns->harm_score[i] = harm;
		columns->score[i] = score;
		columns->band[i] = score >= medium ? (uint8_t)config_band(config, (double)score) : RH_BAND_low;
		columns->dominant[i] = dominant_resource(resources, columns, i);
		highest = fmaxf(highest, score);
	}
	return highest;
}

float score_run(const struct config *config, const struct score_machine *machine, struct score_columns *columns, uint32_t count)
{
	struct resource resources[RH_RESOURCE_COUNT];
	resources_prepare(config, machine, resources);
	for (uint32_t i = 0; i < count; i++) {
		columns->weighted[i] = 0;
		columns->fraction[i] = 0;
		columns->disproportionality[i] = 0;
	}
	for (unsigned r = FIRST; r < RH_RESOURCE_COUNT; r++) {
		resources[r].share_per_use = share_per_use(columns->use[r], count, resources[r].floor);
		resource_add(&resources[r], columns->use[r], columns->share[r], columns->weighted, columns->fraction,
		        columns->disproportionality, count);
	}
	return combine(config, resources, columns, count);
}
