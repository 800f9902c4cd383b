/*
 * blame.h - who made others wait for a cpu: the estimate for back ends that cannot watch the run queues, and how much of blame, be it measured or
 * estimated, is harm.
 *
 * The estimate. The run delay d_q of each process q is divided among the other processes in proportion to the cpu time they had meanwhile:
 *
 *     blame_p = sum over q != p of  d_q * cpu_p / (C - cpu_q),   C = all cpu time: of the processes, and of what came and went unseen
 *             = cpu_p * (S - d_p / (C - cpu_p)),                 S = sum over q of  d_q / (C - cpu_q)
 *
 * which takes one pass for S and one for the result. Summed over processes it is the delay that was divided, less the part of those unseen: short
 * processes between two samples must not make those that stay look guilty. That part stays unattributed, and so does all of a delay where the
 * others had no cpu at all (C - cpu_q is nothing). It is an estimate: it does not know which cpu anybody ran on.
 *
 * For the harm score the same is done with each delay weighted by how much of a victim q is: 1 for one that got no cpu, falling to 0 for
 * one that got victim_fraction of its fair share. Hogs that compete with hogs are not victims. And as far as a process is a victim by the same measure
 * it harms nobody: the estimate gives everybody who ran a part of every delay, and on a crowded machine even one percent of a core would
 * look like a crime.
 *
 * Measured blame b_p is who ran while others waited on the same cpu: b_p / cpu_p is how many waited, on average, while p ran, so that p's fair share
 * of a core was then 100 / (1 + b_p / cpu_p) percent of it. As harm counts
 *
 *     harm_p = b_p * taker_p * (V - w_p d_p) / D       D: all run delay, V: of it the victims', each weighted by how much of a victim he is, w
 *
 * taker_p rises from 0 for one that had victim_fraction of that fair share to 1 for one that had all of it: on a crowded cpu everybody who runs at
 * all makes many wait, and only who took his share has harmed them. Summed over processes harm is at most V.
 *
 * One time slice is nothing in both: who waited all the time for his first slice has not been wronged yet, his turn comes; and who had no
 * more than one has taken nothing from anybody. In a sample of 0.2 s on a crowded cpu most processes had one slice or none.
 */
#ifndef COLLECTOR_BLAME_H
#define COLLECTOR_BLAME_H

#include <stdint.h>

/* Columns by process. What is not known is 0. */
struct blame_input {
	uint32_t count;
	const float *cpu_pct;
	const float *delay_ms_per_s;
	double unseen_pct; /* cpu time of processes that are not in the columns, in percent of one core */
	double cpus;
	double floor_pct;       /* cpu plus waiting from which a process counts as wanting the cpu */
	double victim_fraction; /* of its fair share from which a waiting process is no victim */
	/* a time slice in percent of one core over the interval, 0 to leave slices out; then, by process: part of the interval in which it wanted a cpu */
	double slice_pct;
	const float *wanted_pct;
};

struct blame_result {
	double attributed_ms_per_s, unattributed_ms_per_s; /* of the run delay suffered */
	double harm_ms_per_s;                              /* of it, the victims' part, whoever caused it */
};

/* Fair share of a process that wants the cpu, in percent of one core: all cpus divided among those that want them. */
double blame_fair_pct(const struct blame_input *input);

/* How much of a victim a waiting process is, 0..1. */
double blame_victim_weight(double cpu_pct, double fair_pct, double victim_fraction);

/* How much of what it is blamed for counts as harm, 0..1: all from victim_fraction of its fair share on, of a core at most. */
double blame_taker_weight(double cpu_pct, double fair_pct, double victim_fraction);

/*
 * Fills blame_ms_per_s[] and harm_ms_per_s[]. Cost: two passes, no division in the common case of a process that did not wait.
 */
struct blame_result blame_estimate(const struct blame_input *input, float *blame_ms_per_s, float *harm_ms_per_s);

/* How much of measured blame counts as harm, 0..1: see above. */
double blame_measured_taker(const struct blame_input *input, double cpu_pct, double blame_ms_per_s);

/* Fills harm_ms_per_s[] from blame_ms_per_s[] that was measured. Cost: two passes. */
void blame_harm(const struct blame_input *input, const float *blame_ms_per_s, float *harm_ms_per_s);

#endif
