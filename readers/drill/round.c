/*
 * round.c - one round of a drill, from the stage to the verdict.
 */
#include "readers/drill/round.h"

#include "readers/drill/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 50 };

/* Different for each kind and round, the same for the same seed. */
static uint64_t mix(uint64_t seed, const struct drill_kind *kind, uint32_t number)
{
	uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)(kind - drill_kinds) * UINT64_C(0xc2b2ae3d27d4eb4f) + number;
	z = (z ^ z >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ z >> 32;
}

static void set_up(struct stage *stage, const struct round_plan *plan, const struct drill_round *round)
{
	stage->random = mix(plan->seed, round->kind, round->number);
	stage->plain = plan->seed == 0;
	stage->duration_ns = plan->seconds * NS_PER_S;
	stage->least_ns = round->kind->least_ms * (uint64_t)NS_PER_MS;
	snprintf(stage->directory, sizeof(stage->directory), "%s", plan->place.directory);
	stage->cpu_count = plan->place.cpu_count;
	memcpy(stage->cpus, plan->place.cpus, sizeof(stage->cpus));
	stage->spare_bytes = plan->place.memory_bytes / 4 < (uint64_t)1536 << 20 ? plan->place.memory_bytes / 4 : (uint64_t)1536 << 20;
	if (plan->source)
		result_collector(plan->source, &stage->collector, &stage->collector_start_ns);
}

/* What the victims measured, once it is over. */
static void take_truth(const struct stage *stage, struct drill_round *round)
{
	round->begin_ns = stage->begin_ns;
	round->until_ns = stage->until_ns;
	snprintf(round->variant, sizeof(round->variant), "%s", stage->variant);
	snprintf(round->failure, sizeof(round->failure), "%s", stage->failure);
	victim_truth(stage, &round->truth);
	for (uint32_t i = 0; i < stage->actor_count && i < STAGE_ACTORS; i++)
		if (stage->actors[i].pid == round->truth.worst_pid)
			snprintf(round->worst, sizeof(round->worst), "%s", stage->actors[i].command);
	if (round->worst[0] == '\0' && stage->collector && (uint32_t)stage->collector == round->truth.worst_pid)
		snprintf(round->worst, sizeof(round->worst), "rh-collector");
	round->happened = round->truth.longest_ns >= stage->least_ns;
}

void round_play(const struct round_plan *plan, const struct drill_kind *kind, uint32_t number, struct drill_round *ret_round)
{
	struct drill_round *round = ret_round;
	struct stage *stage = stage_new();
	struct stage_keeper keeper;

	*round = (struct drill_round){.kind = kind, .seed = plan->seed, .number = number};
	if (!stage) {
		snprintf(round->failure, sizeof(round->failure), "no memory");
		return;
	}
	set_up(stage, plan, round);
	if (plan->source)
		result_begin(plan->source, stage);
	int failed = stage_play(stage, kind->inject, &keeper);
	if (failed)
		stage_fail(stage, "no process can be made: %s", strerror(-failed));
	while (!stage_is_over(stage, &keeper)) {
		if (plan->source)
			result_look(plan->source, stage);
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	}
	stage_end(stage, &keeper);
	take_truth(stage, round);
	if (plan->source && !round->failure[0])
		result_end(plan->source, stage, round);
	stage_free(&stage);
}
