/* blame.c - see blame.h. */
#include "collector/blame.h"

#include <math.h>
#include <stdbool.h>

/* S of the formula, for the delays as they are and for the victims' delays. */
struct blame_terms {
	double all, victims;
};

double blame_fair_pct(const struct blame_input *input)
{
	uint32_t wanting = 0;
	for (uint32_t i = 0; i < input->count; i++) {
		/* 1 ms of waiting in a second is 0.1 percent of it */
		double wanted_pct = (double)input->cpu_pct[i] + (double)input->delay_ms_per_s[i] / 10;
		wanting += wanted_pct >= input->floor_pct;
	}
	return 100 * input->cpus / (wanting > 0 ? wanting : 1);
}

double blame_victim_weight(double cpu_pct, double fair_pct, double victim_fraction)
{
	double weight = 1 - cpu_pct / (victim_fraction * fair_pct);
	return weight < 0 ? 0 : weight;
}

double blame_taker_weight(double cpu_pct, double fair_pct, double victim_fraction)
{
	/* One thread cannot take more than a core, however large its fair share of an idle machine is. */
	return 1 - blame_victim_weight(cpu_pct, fair_pct < 100 ? fair_pct : 100, victim_fraction);
}

/* How much of a victim process i is. Who wanted the cpu all the time is still owed a slice without being one. */
static double victim_weight(const struct blame_input *input, uint32_t i, double fair_pct)
{
	double owed_pct = 0;
	if (input->slice_pct > 0)
		owed_pct = input->slice_pct * fmin(fmax(((double)input->wanted_pct[i] - 50) / 50, 0), 1);
	return blame_victim_weight((double)input->cpu_pct[i] + owed_pct, fair_pct, input->victim_fraction);
}

static double cpu_total(const struct blame_input *input)
{
	double total = input->unseen_pct;
	for (uint32_t i = 0; i < input->count; i++)
		total += (double)input->cpu_pct[i];
	return total;
}

/* Did others have cpu? Less than a millionth is what rounding leaves over. */
static bool has_others(double total, double cpu_pct)
{
	return total - cpu_pct > total * 1e-6;
}

struct blame_result blame_estimate(const struct blame_input *input, float *blame_ms_per_s, float *harm_ms_per_s)
{
	const float *cpu = input->cpu_pct, *delay = input->delay_ms_per_s;
	double total = cpu_total(input), fair_pct = blame_fair_pct(input);
	struct blame_terms sum = {0};
	struct blame_result result = {0};

	for (uint32_t i = 0; i < input->count; i++) {
		if (!(delay[i] > 0))
			continue;
		if (!has_others(total, (double)cpu[i])) {
			result.unattributed_ms_per_s += (double)delay[i];
			continue;
		}
		double weight = victim_weight(input, i, fair_pct);
		double others = total - (double)cpu[i], term = (double)delay[i] / others;
		double seen = (double)delay[i] * fmax(1 - input->unseen_pct / others, 0);
		sum.all += term;
		sum.victims += term * weight;
		result.attributed_ms_per_s += seen;
		result.unattributed_ms_per_s += (double)delay[i] - seen;
		result.harm_ms_per_s += seen * weight;
	}
	for (uint32_t i = 0; i < input->count; i++) {
		double all = sum.all, victims = sum.victims;
		if (delay[i] > 0 && has_others(total, (double)cpu[i])) {
			double own = (double)delay[i] / (total - (double)cpu[i]);
			all -= own;
			victims -= own * victim_weight(input, i, fair_pct);
		}
		/* The difference of two equal sums may come out as a hair below nothing. */
		blame_ms_per_s[i] = (float)((double)cpu[i] * (all > 0 ? all : 0));
		double taker = blame_taker_weight(fmax((double)cpu[i] - input->slice_pct, 0), fair_pct, input->victim_fraction);
		harm_ms_per_s[i] = (float)((double)cpu[i] * (victims > 0 ? victims * taker : 0));
	}
	return result;
}

double blame_measured_taker(const struct blame_input *input, double cpu_pct, double blame_ms_per_s)
{
	if (!(cpu_pct > input->slice_pct))
		return 0;
	double waiting = blame_ms_per_s / 10 / cpu_pct, fair_pct = 100 / (1 + waiting);
	double part = (cpu_pct - input->slice_pct) / fair_pct, from = input->victim_fraction;
	if (part >= 1)
		return 1;
	return part > from ? (part - from) / (1 - from) : 0;
}

void blame_harm(const struct blame_input *input, const float *blame_ms_per_s, float *harm_ms_per_s)
{
	const float *cpu = input->cpu_pct, *delay = input->delay_ms_per_s;
	double fair_pct = blame_fair_pct(input), all = 0, victims = 0;
	for (uint32_t i = 0; i < input->count; i++) {
		if (!(delay[i] > 0))
			continue;
		all += (double)delay[i];
		victims += (double)delay[i] * victim_weight(input, i, fair_pct);
	}
	for (uint32_t i = 0; i < input->count; i++) {
		harm_ms_per_s[i] = 0;
		if (!(blame_ms_per_s[i] > 0) || !(all > 0))
			continue;
		double own = delay[i] > 0 ? (double)delay[i] * victim_weight(input, i, fair_pct) : 0;
		double taker = blame_measured_taker(input, (double)cpu[i], (double)blame_ms_per_s[i]);
		harm_ms_per_s[i] = (float)((double)blame_ms_per_s[i] * taker * fmin(fmax(victims - own, 0) / all, 1));
	}
}
