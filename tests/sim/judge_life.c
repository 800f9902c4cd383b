/*
 * The life of findings, in simulated worlds: when something is said at all, as which pause, how often, and what of it can be judged where samples, fields
 * or signals are missing.
 */
#include "tests/support/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SHELL = 800, EDITOR = 3000, PARENT = 4000, WORKER = 4001, HOG = 5000, CROWD = 10000 };

static const char boot[] = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10", other_boot[] = "0d15ea5e-5d0e-4c1b-9a53-0f6f2f1f7a10";

/* ---- an incident: a real-time hog on every cpu, and an editor that stands still ---- */

static void add_actors(struct world *world)
{
	struct world_process *hog = world_add(world, HOG, SHELL, "spinner");
	hog->policy = RH_POLICY_fifo;
	hog->rt_prio = 50;
	hog->threads = 4;
	world_add(world, EDITOR, SHELL, "editor");
}

static struct world *world_with_actors(void)
{
	struct world *world = world_new();
	add_actors(world);
	world_run(world, 6);
	return world;
}

static void incident_begin(struct world *world)
{
	struct world_process *hog = world_find(world, HOG);
	hog->cpu_pct = 400;
	hog->blame = 1000;
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world->machine.canaries_late = 4;
}

static void incident_end(struct world *world)
{
	world_rest(world_find(world, HOG));
	world_rest(world_find(world, EDITOR));
	world->machine.canary_stands = false;
}

static void incident(struct world *world, double seconds)
{
	incident_begin(world);
	world_run(world, seconds);
	incident_end(world);
}

/* ---- busy, and healthy ---- */

static void compile(struct world_process *worker)
{
	worker->cpu_pct = 48;
	worker->run = 430;
	worker->run_longest = 35;
	worker->blame = 430;
	worker->disk = 20;
	worker->stuck_longest = 15;
	worker->grows_bytes_per_s = 1e6;
}

static void a_compile_on_all_cpus(void **state)
{
	(void)state;
	struct world *world = world_new();
	world_add(world, EDITOR, SHELL, "editor")->run = 20;
	world_add(world, PARENT, SHELL, "make");
	world_add_many(world, 8, WORKER, PARENT, "cc1");
	world_run(world, 6);
	world_each(world, WORKER, 8, compile);
	world_find(world, EDITOR)->run_longest = 60;
	world_run(world, 600);
	verdict_none(world);
	verdict_end(&world);
}

/* Each sample another compiler, which is gone in the next: 5 a second with records, a hundred times as many without. */
static void forks_by_the_hundred(void **state)
{
	(void)state;
	const struct world_options options = {.boot_id = boot, .slots = 200, .arena_bytes = 16 << 20, .processes = 4000};
	struct world *world = world_new_with(&options);
	world_add(world, EDITOR, SHELL, "editor");
	struct world_process *make = world_add(world, PARENT, SHELL, "make");
	world_run(world, 6);
	make->brief_count = 100;
	make->cpu_pct = 300;
	make->run = make->blame = 900;
	make->run_longest = 30;
	for (uint32_t i = 0; i < 600 * WORLD_SAMPLES_PER_S; i++) {
		struct world_process *brief = world_add(world, 10000 + i, PARENT, "cc1");
		brief->cpu_pct = 80;
		brief->run = brief->run_longest = 90;
		brief->blame = 90;
		world_run(world, 0.2);
		brief->exits = true;
	}
	verdict_none(world);
	verdict_end(&world);
}

/* A browser and those it talks to: many wake-ups, short waits of all sorts, sometimes a page that has to be read. */
static void a_browser_at_work(void **state)
{
	(void)state;
	struct world *world = world_new();
	world_add(world, WORKER, SHELL, "firefox");
	world_add_many(world, 12, WORKER + 1, WORKER, "Web Content");
	for (unsigned i = 0; i < 600 * WORLD_SAMPLES_PER_S; i++) {
		for (uint32_t j = 0; j < 13; j++) {
			struct world_process *process = world_find(world, WORKER + j);
			const unsigned phase = i * 7 + j * 13;
			world_rest(process);
			process->cpu_pct = phase % 50;
			process->run = phase % 90;
			process->run_longest = 1 + phase % 45;
			process->blame = phase % 90;
			process->disk = phase % 40 == 0 ? 300 : phase % 10;
			process->stuck_longest = phase % 40 == 0 ? 60 : 2;
			process->pageins_per_s = phase % 40 == 0 ? 200 : 0;
		}
		world->machine.canary_ms = 1 + i % 30;
		world_run(world, 0.2);
	}
	verdict_none(world);
	verdict_end(&world);
}

/* Waits of each sort, again and again, each a little shorter than what is a pause. */
static void waits_below_what_is_a_pause(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *server = world_add(world, EDITOR, SHELL, "server"), *worker = world_add(world, WORKER, SHELL, "worker");
	worker->cpu_pct = 100;
	for (unsigned i = 0; i < 120; i++) {
		world_rest(server);
		server->run = 180;
		server->run_longest = 180;
		worker->blame = 180;
		world->machine.canary_ms = 180;
		world_run(world, 0.2);
		world_rest(server);
		world->machine.canary_ms = 0.2;
		worker->blame = 0;
		world_run(world, 1);
		server->standing = WORLD_FOR_LOCK;
		world_run(world, 0.4);
		world_rest(server);
		world_run(world, 1);
		server->standing = WORLD_FOR_DISK;
		world_run(world, 0.8);
		world_rest(server);
		world_run(world, 0.8);
		server->standing = WORLD_FOR_MEMORY;
		world_run(world, 0.6);
		world_rest(server);
		world_run(world, 0.4);
	}
	verdict_none(world);
	verdict_end(&world);
}

/* ---- one or two ---- */

static void again_within_the_merge_time_is_one(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	incident(world, 0.8);
	world_run(world, 1.6);
	incident(world, 1.2);
	world_run(world, 4);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.2);
	verdict_names(pause, "spinner[5000]");
	assert_true(pause->span_ns >= 3500000000 && pause->span_ns <= 3700000000);
	const struct pause *first = &world->findings.list[0].pause; /* which the last one takes the place of */
	assert_int_equal(first->state, PAUSE_STATE_final);
	verdict_is(first, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	assert_true(world->findings.count >= 2);
	assert_int_equal(judge_next_number(world->judge), 2);
	verdict_end(&world);
}

static void again_beyond_the_merge_time_are_two(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	incident(world, 0.8);
	world_run(world, 2.6);
	incident(world, 1.2);
	world_run(world, 4);
	assert_int_equal(verdict_count(world), 2);
	verdict_is(verdict_of(world, 1), PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	verdict_is(verdict_of(world, 2), PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.2);
	verdict_names(verdict_of(world, 2), "spinner[5000]");
	assert_int_equal(judge_next_number(world->judge), 3);
	verdict_end(&world);
}

/* ---- while it lasts ---- */

static void interim_and_final_have_one_number(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	incident_begin(world);
	world_run(world, 1.8);
	assert_int_equal(world->findings.count, 0);
	assert_true(judge_is_open(world->judge));
	world_run(world, 0.4);
	assert_int_equal(world->findings.count, 1);
	const struct pause *interim = &world->findings.list[0].pause;
	assert_int_equal(interim->state, PAUSE_STATE_interim);
	verdict_is(interim, PAUSE_CLASS_cpu, PAUSE_WORD_likely, 2);
	verdict_names(interim, "spinner[5000]");
	verdict_sentence(world, 1, "have been paused for 2.00 s so far");
	world_run(world, 1);
	incident_end(world);
	world_run(world, 0.4);
	assert_false(judge_is_open(world->judge));
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 3.2);
	assert_int_equal(world->findings.count, 2);
	assert_int_equal(pause->earlier_class, PAUSE_CLASS_cpu);
	assert_int_equal(pause->first_said_ns, 2000000000);
	assert_int_equal(pause->final_said_ns, 400000000);
	verdict_end(&world);
}

/* The ring holds half a minute of it, and it lasts for three. */
static void a_pause_longer_than_the_ring(void **state)
{
	(void)state;
	const struct world_options options = {.boot_id = boot, .slots = 150, .arena_bytes = 8 << 20, .processes = 64};
	struct world *world = world_new_with(&options);
	add_actors(world);
	world_run(world, 6);
	incident_begin(world);
	world_run(world, 180);
	incident_end(world);
	world_run(world, 4);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_likely, 180);
	verdict_names(pause, "spinner[5000]");
	assert_true(pause->cap_ratio <= 0.79F);
	assert_false(pause->onset_seen);
	assert_true(pause->lost_count > 0);
	assert_true(pause->seen_ns <= 30000000000);
	assert_true(pause->span_ns >= 179800000000 && pause->span_ns <= 180200000000);
	assert_true(world->findings.count > 10); /* interim ones all along */
	verdict_sentence(world, 1, "for at least 3 min 0 s");
	verdict_end(&world);
}

/* ---- what is missing ---- */

/* A tracker that came late: a second of the pause is gone from the ring by the time it is judged. */
static void samples_lost_in_the_middle(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	incident_begin(world);
	world_run(world, 0.6);
	const uint64_t from = world->sample + 1;
	world->is_unwatched = true;
	world_run(world, 1);
	world_lose(world, from, 5);
	world->is_unwatched = false;
	world_run(world, 0.2);
	incident_end(world);
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_likely, 1.8);
	verdict_names(pause, "spinner[5000]");
	assert_int_equal(pause->lost_count, 5);
	assert_true(pause->cap_ratio <= 0.79F);
	assert_true(pause->seen_ns <= 900000000);
	verdict_end(&world);
}

/* All of the pause was seen, and of the time before it, in which the cause is looked for, a part was not. */
static void samples_lost_before_the_onset(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	world_lose(world, world->sample - 10, 6);
	incident(world, 1.2);
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_likely, 1.2);
	verdict_names(pause, "spinner[5000]");
	assert_int_equal(pause->lost_count, 6);
	assert_int_equal(pause->seen_ns, pause->span_ns);
	assert_string_equal(pause->cap_reason, "samples were lost");
	verdict_end(&world);
}

/* The same tracker, and a ring that still has them: nothing is missing. */
static void samples_not_watched_are_looked_up(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	incident_begin(world);
	world_run(world, 0.6);
	world->is_unwatched = true;
	world_run(world, 1);
	world->is_unwatched = false;
	world_run(world, 0.2);
	incident_end(world);
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.8);
	assert_int_equal(pause->lost_count, 0);
	verdict_end(&world);
}

/* Records with their hottest fields only: single waits and parents' groups are gone, blame and cpu time are not. */
static void records_cut_short(void **state)
{
	(void)state;
	struct world *world = world_new();
	world->machine.stride = RH_PROCESS_HOT_BYTES;
	add_actors(world);
	world_run(world, 6);
	incident(world, 1.4);
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.4);
	verdict_names(pause, "spinner[5000]");
	verdict_victim(pause, "a normal program on CPU 0", 1.4);
	verdict_end(&world);
}

static void without_the_scheduler_signal(void **state)
{
	(void)state;
	struct world *world = world_new();
	world->machine.sampler = RH_SAMPLER_procfs;
	world->machine.signals &= ~(UINT64_C(1) << RH_SIGNAL_scheduler);
	add_actors(world);
	world_run(world, 6);
	incident(world, 1.4);
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_likely, 1.4);
	verdict_names(pause, "spinner[5000]");
	assert_true(pause->cap_ratio <= 0.79F);
	assert_string_equal(pause->cap_reason, "context switches were not watched");
	verdict_victim(pause, "a normal program on CPU 0", 1.4);
	verdict_end(&world);
}

/* ---- rings and numbers ---- */

/* The daemon starts anew in the middle of a pause: what was open ends, what goes on is another pause of the same boot. */
static void a_ring_replaced_in_the_middle(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	incident_begin(world);
	world_run(world, 2.6);
	assert_int_equal(world->findings.count, 1);
	const uint32_t next = judge_next_number(world->judge);
	assert_int_equal(next, 2);
	world_replace_ring(world, boot, next);
	assert_false(judge_is_open(world->judge));
	world_run(world, 1.4);
	incident_end(world);
	world_run(world, 3);
	assert_int_equal(verdict_count(world), 2);
	const struct pause *pause = verdict_of(world, 2);
	verdict_names(pause, "spinner[5000]");
	assert_int_equal(pause->class, PAUSE_CLASS_cpu);
	assert_int_equal(judge_next_number(world->judge), 3);
	verdict_end(&world);
}

static void numbers_are_of_the_boot(void **state)
{
	(void)state;
	struct world *world = world_with_actors();
	char id[PAUSE_ID_BYTES];
	incident(world, 0.8);
	world_run(world, 3);
	world_replace_ring(world, boot, 41);
	world_run(world, 6);
	incident(world, 0.8);
	world_run(world, 3);
	assert_string_equal(pause_id(verdict_of(world, 41), id), "7c1f93ab-41");
	assert_int_equal(judge_next_number(world->judge), 42);
	world_replace_ring(world, other_boot, 1);
	world_run(world, 6);
	incident(world, 1.2);
	world_run(world, 3);
	assert_string_equal(pause_id(verdict_of(world, 1), id), "0d15ea5e-1");
	verdict_is(verdict_of(world, 1), PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.2);
	assert_int_equal(world->findings.count, 3);
	verdict_end(&world);
}

/* ---- many ---- */

static void ten_thousand_processes(void **state)
{
	(void)state;
	const struct world_options options = {.boot_id = boot, .slots = 64, .arena_bytes = UINT64_C(320) << 20, .processes = CROWD + 16};
	struct world *world = world_new_with(&options);
	add_actors(world);
	world_add_many(world, CROWD, 10000, SHELL, "sleeper");
	for (uint32_t i = 0; i < CROWD; i += 10) {
		struct world_process *process = world_find(world, 10000 + i);
		process->cpu_pct = 0.1;
		process->run = process->blame = 1;
		process->run_longest = 1;
	}
	world_run(world, 6);
	incident(world, 1);
	world_run(world, 2);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1);
	verdict_names(pause, "spinner[5000]");
	verdict_victim(pause, "editor[3000]", 1);
	assert_int_equal(pause->records_count, 5 * (CROWD + 6));
	verdict_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_compile_on_all_cpus),
	        cmocka_unit_test(forks_by_the_hundred),
	        cmocka_unit_test(a_browser_at_work),
	        cmocka_unit_test(waits_below_what_is_a_pause),
	        cmocka_unit_test(again_within_the_merge_time_is_one),
	        cmocka_unit_test(again_beyond_the_merge_time_are_two),
	        cmocka_unit_test(interim_and_final_have_one_number),
	        cmocka_unit_test(a_pause_longer_than_the_ring),
	        cmocka_unit_test(samples_lost_in_the_middle),
	        cmocka_unit_test(samples_lost_before_the_onset),
	        cmocka_unit_test(samples_not_watched_are_looked_up),
	        cmocka_unit_test(records_cut_short),
	        cmocka_unit_test(without_the_scheduler_signal),
	        cmocka_unit_test(a_ring_replaced_in_the_middle),
	        cmocka_unit_test(numbers_are_of_the_boot),
	        cmocka_unit_test(ten_thousand_processes),
	};
	return cmocka_run_group_tests_name("judge_life", tests, NULL, NULL);
}
