/*
 * judge.c - what the judge costs: in a quiet sample, in each sample of a pause, and for the final judgement of one.
 *
 *   bench_judge [ROUNDS]   judgements of the same ring, 15 where not given
 *
 * A simulated machine (tests/support/world.h) of 300, 1,000 and 10,000 processes, a tenth of which do a little; a real-time hog holds all cpus for 1.8 s,
 * so that the final judgement adds up 25 samples before the onset and 9 of the pause. Beside each figure stands how many times as long it takes as
 * reading every record of one such sample once with rh_copy(), measured in the same run.
 */
#include "base/clock.h"
#include "tests/support/world.h"

#include "bench/figures.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MOST = 1000, SAMPLES = 64, QUIET_FROM = 5, QUIET_TO = 30, SHELL = 800, HOG = 5000, EDITOR = 3000, CROWD_FROM = 10000 };

struct figures {
	double quiet[ROUNDS_MOST], in_pause[ROUNDS_MOST], final[ROUNDS_MOST], read[ROUNDS_MOST];
};

static struct rh_view views[SAMPLES];
static volatile uint64_t kept; /* what was read, so that it is not optimised away */

static struct world *make_world(uint32_t processes)
{
	const struct world_options options = {.boot_id = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10",
	        .slots = SAMPLES,
	        .arena_bytes = ((uint64_t)processes + 64) * sizeof(struct rh_process) * (SAMPLES + 4),
	        .processes = processes + 16};
	struct world *world = world_new_with(&options);
	struct world_process *hog = world_add(world, HOG, SHELL, "spinner"), *editor = world_add(world, EDITOR, SHELL, "editor");
	hog->rt_prio = 50;
	hog->policy = RH_POLICY_fifo;
	for (uint32_t i = world->count; i < processes; i++) {
		struct world_process *process = world_add(world, CROWD_FROM + i, SHELL, "sleeper");
		process->cpu_pct = i % 10 ? 0 : 0.1;
		process->run = process->run_longest = process->blame = i % 10 ? 0 : 1;
	}
	world->is_unwatched = true;
	world_run(world, 6);
	hog->cpu_pct = 400;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world_run(world, 1.8);
	world_rest(hog);
	world_rest(editor);
	world->machine.canary_stands = false;
	world_run(world, 1.2);
	return world;
}

static double ns_since(uint64_t begin_ns)
{
	return (double)(clock_now_ns(CLOCK_MONOTONIC) - begin_ns);
}

/* Takes all samples through a judge of its own. */
static void judge_once(struct world *world, uint64_t newest, struct figures *figures, size_t round)
{
	static struct pause pause;
	struct judge *judge = judge_new(&world->config);
	double in_pause[SAMPLES];
	size_t in_pause_count = 0;
	if (!judge)
		exit(1);
	judge_begin(judge, world->options.boot_id, 1);
	for (uint64_t sample = 1; sample < QUIET_FROM; sample++)
		judge_step(judge, world->ring, &views[sample]);
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	for (uint64_t sample = QUIET_FROM; sample <= QUIET_TO; sample++)
		judge_step(judge, world->ring, &views[sample]);
	figures->quiet[round] = ns_since(begin_ns) / (QUIET_TO - QUIET_FROM + 1);
	for (uint64_t sample = QUIET_TO + 1; sample <= newest; sample++) {
		begin_ns = clock_now_ns(CLOCK_MONOTONIC);
		judge_step(judge, world->ring, &views[sample]);
		const double step_ns = ns_since(begin_ns);
		if (judge_next(judge, &pause))
			figures->final[round] = step_ns;
		else if (judge_is_open(judge))
			in_pause[in_pause_count++] = step_ns;
	}
	figures->in_pause[round] = figures_median(in_pause, in_pause_count);
	if (pause.culprit_count == 0 || pause.culprits[0].pid != HOG || pause.state != PAUSE_STATE_final) {
		fprintf(stderr, "the hog was not found\n");
		exit(1);
	}
	judge_free(&judge);
}

static double read_once(const struct rh_view *view)
{
	struct rh_process record;
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC), sum = 0;
	for (uint32_t i = 0; rh_copy(view, i, &record); i++)
		sum += record.pid;
	kept = sum;
	double read_ns = ns_since(begin_ns);
	return rh_valid(view) ? read_ns : 0;
}

static void note(const char *what, uint32_t processes, double ns, double read_ns)
{
	char text[100];
	snprintf(text, sizeof(text), "%s, %u processes", what, processes);
	figure_note(text, ns, "ns");
	figure_note("    times as long as reading one such sample", ns / read_ns, "");
}

static void measure(uint32_t processes, size_t rounds)
{
	static struct figures figures;
	struct world *world = make_world(processes);
	const uint64_t newest = rh_newest(world->ring);
	for (uint64_t sample = 1; sample <= newest; sample++)
		if (rh_at(world->ring, sample, &views[sample]) != RH_OK)
			exit(1);
	for (size_t round = 0; round < rounds; round++) {
		judge_once(world, newest, &figures, round);
		figures.read[round] = read_once(&views[QUIET_FROM + round % (QUIET_TO - QUIET_FROM)]);
	}
	const double read_ns = figures_median(figures.read, rounds), quiet_ns = figures_median(figures.quiet, rounds),
	             in_pause_ns = figures_median(figures.in_pause, rounds), final_ns = figures_median(figures.final, rounds);
	char text[100];
	snprintf(text, sizeof(text), "reading a sample with rh_copy(), %u processes", processes);
	figure_note(text, read_ns, "ns");
	note("judge_step(), quiet sample", processes, quiet_ns, read_ns);
	note("judge_step(), sample in a pause", processes, in_pause_ns, read_ns);
	note("judge_step(), final judgement", processes, final_ns, read_ns);
	figure_at_most("    quiet sample, with the caches full of the judgement before", quiet_ns, 300, "ns");
	figure_at_most("    sample in a pause, for each record", in_pause_ns / processes, 100, "ns");
	figure_at_most("    final judgement, for each record of each sample", final_ns / processes / 34, 200, "ns");
	world_free(&world);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {300, 1000, 10000};
	long asked = argc > 1 ? strtol(argv[1], NULL, 10) : 15;
	size_t rounds = asked < 1 ? 1 : asked > ROUNDS_MOST ? ROUNDS_MOST : (size_t)asked;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(sizes[i], rounds);
	return 0;
}
