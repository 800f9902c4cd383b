/*
 * Who is a party, in simulated worlds: two that share the blame, culprits that are gone, pids that are used again, names meant to deceive, crowds, threads of
 * the kernel.
 */
#include "tests/support/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SHELL = 800, OTHER_SHELL = 801, EDITOR = 3000, PARENT = 4000, ONE = 5000, OTHER = 5001, CROWD_FROM = 10000, CROWD = 1500 };

static void quiet_after(struct world *world)
{
	for (uint32_t i = 0; i < world->count; i++)
		world_rest(world->processes[i]);
	world->machine.canary_stands = false;
	world_run(world, 3);
}

static struct world *world_with_editor(void)
{
	struct world *world = world_new();
	world_add(world, EDITOR, SHELL, "editor");
	world_add(world, OTHER_SHELL, 1, "zsh");
	return world;
}

static void burn(struct world_process *process, double cpu_pct, double blame)
{
	process->cpu_pct = cpu_pct;
	process->blame = blame;
}

static void two_share_the_blame(void **state)
{
	(void)state;
	struct world *world = world_with_editor();
	struct world_process *one = world_add(world, ONE, SHELL, "ffmpeg"), *other = world_add(world, OTHER, OTHER_SHELL, "blender");
	world_run(world, 6);
	burn(one, 220, 560);
	burn(other, 170, 440);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	assert_int_equal(pause->class, PAUSE_CLASS_cpu);
	assert_int_equal(pause->culprits[0].role, PAUSE_ROLE_culprit);
	assert_int_equal(pause->culprits[1].role, PAUSE_ROLE_culprit);
	assert_string_equal(pause->culprits[0].name, "ffmpeg[5000]");
	assert_string_equal(pause->culprits[1].name, "blender[5001]");
	verdict_victim(pause, "editor[3000]", 0.8);
	verdict_sentence(world, 1, ", then blender[5001]");
	verdict_end(&world);
}

static void five_alike_are_no_single_culprit(void **state)
{
	(void)state;
	static const char *const names[] = {"ffmpeg", "blender", "java", "rustc", "octave"};
	struct world *world = world_with_editor();
	for (uint32_t i = 0; i < 5; i++)
		world_add(world, ONE + i, i % 2 ? SHELL : OTHER_SHELL, names[i]);
	world_run(world, 6);
	for (uint32_t i = 0; i < 5; i++)
		burn(world_find(world, ONE + i), 80, 200);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_unclear, 0.8);
	verdict_names_nobody(pause);
	assert_int_equal(pause->culprits[0].role, PAUSE_ROLE_candidate);
	verdict_sentence(world, 1, "no single culprit");
	verdict_end(&world);
}

/* It did it and left: gone by the time of the judgement, and its pid is another's by then. */
static void a_culprit_that_is_gone(void **state)
{
	(void)state;
	struct world *world = world_with_editor();
	struct world_process *hog = world_add(world, ONE, SHELL, "spinner");
	const uint64_t start_ns = hog->start_time_ns;
	world_run(world, 6);
	burn(hog, 400, 1000);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.6);
	hog->exits = true;
	world_run(world, 0.2);
	world_rest(world_find(world, EDITOR));
	burn(world_add(world, ONE, OTHER_SHELL, "innocent"), 100, 0);
	world_run(world, 4);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	verdict_names(pause, "spinner[5000]");
	assert_true(pause->culprits[0].exited);
	assert_int_equal(pause->culprits[0].start_time_ns, start_ns);
	verdict_end(&world);
}

/* Names of processes are what anybody likes: they may not break the sentence, nor the document. */
static void names_meant_to_deceive(void **state)
{
	(void)state;
	static const char *const names[] = {
	        "a]: x, by b[1", "\033[31mred\033[0m", "\"quoted\\", "\xff\xfe\xc3(", "no culprit\n", " (100% of ", "x, then y[1]", ""};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct world *world = world_new();
		struct world_process *victim = world_add(world, EDITOR, SHELL, names[i]),
		                     *parent = world_add(world, PARENT, SHELL, names[i]);
		(void)parent;
		world_add_many(world, 3, ONE, PARENT, names[(i + 1) % 8]);
		world_run(world, 6);
		for (uint32_t j = 0; j < 3; j++)
			burn(world_find(world, ONE + j), 130, 333);
		victim->standing = WORLD_FOR_CPU;
		world_run(world, 0.8);
		quiet_after(world);
		const struct pause *pause = verdict_only(world);
		assert_int_equal(pause->class, PAUSE_CLASS_cpu);
		assert_int_equal(pause->culprits[0].process_count, 3);
		assert_int_equal(pause->victims[0].pid, EDITOR);
		for (const char *c = world->findings.list[0].sentence; *c; c++)
			assert_in_range(*c, ' ', '~');
		verdict_end(&world);
	}
}

/* More of one sort than there are places in the tables: still one party, and none of them a victim of the others. */
static void a_crowd_is_one_party(void **state)
{
	(void)state;
	const struct world_options options = {.boot_id = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10",
	        .slots = 100,
	        .arena_bytes = UINT64_C(80) << 20,
	        .processes = CROWD + 64};
	struct world *world = world_new_with(&options);
	world_add(world, EDITOR, SHELL, "editor");
	world_add(world, PARENT, SHELL, "bomb");
	world_add_many(world, CROWD, CROWD_FROM, PARENT, "child");
	world_run(world, 6);
	for (uint32_t i = 0; i < CROWD; i++) {
		struct world_process *child = world_find(world, CROWD_FROM + i);
		burn(child, 400.0 / CROWD, 1000 - 400.0 / CROWD * 10 + 1000.0 / CROWD);
		child->run = 1000 - 400.0 / CROWD * 10;
		child->run_longest = 500;
	}
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	assert_int_equal(pause->class, PAUSE_CLASS_cpu);
	verdict_names(pause, "1500 x child under bomb[4000]");
	verdict_victim(pause, "editor[3000]", 0.8);
	assert_int_equal(pause->victims_in_all, 1);
	verdict_end(&world);
}

/* It did the work for others: shown, and not named. */
static void a_thread_of_the_kernel_carries(void **state)
{
	(void)state;
	struct world *world = world_with_editor();
	struct world_process *flusher = world_add(world, ONE, 2, "kworker/u8:2"), *writer = world_add(world, OTHER, SHELL, "dd");
	flusher->flags = RH_PROCESS_kernel_thread;
	world_run(world, 6);
	burn(flusher, 95, 600);
	burn(writer, 100, 400);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	assert_int_equal(pause->class, PAUSE_CLASS_cpu);
	verdict_names(pause, "dd[5001]");
	assert_int_equal(pause->culprits[1].role, PAUSE_ROLE_carrier);
	assert_string_equal(pause->culprits[1].name, "kworker/u8:2[5000]");
	verdict_end(&world);
}

/* Where no canary tells, and single waits are not known, the sums of waiting have to do. */
static void without_scheduler_and_canaries(void **state)
{
	(void)state;
	struct world *world = world_with_editor();
	struct world_process *hog = world_add(world, ONE, SHELL, "spinner");
	world->machine.sampler = RH_SAMPLER_procfs;
	world->machine.signals &= ~(UINT64_C(1) << RH_SIGNAL_scheduler | UINT64_C(1) << RH_SIGNAL_canaries);
	world_run(world, 6);
	burn(hog, 400, 1000);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 1.4);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_likely, 1.4);
	verdict_names(pause, "spinner[5000]");
	verdict_victim(pause, "editor[3000]", 1.4);
	verdict_end(&world);
}

/* The lid is closed in the middle of a pause. What was waited is not the night. */
static void a_wait_across_a_suspend(void **state)
{
	(void)state;
	struct world *world = world_with_editor();
	struct world_process *hog = world_add(world, ONE, SHELL, "spinner");
	world_run(world, 6);
	burn(hog, 400, 1000);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.6);
	world_suspend(world, 8 * 3600);
	world_run(world, 0.4);
	quiet_after(world);
	for (uint32_t i = 0; i < world->findings.count; i++) {
		const struct pause *pause = &world->findings.list[i].pause;
		if (pause->class == PAUSE_CLASS_suspend)
			continue;
		assert_int_equal(pause->class, PAUSE_CLASS_cpu);
		assert_true(pause->duration_ns <= 1200000000);
		assert_true(pause->span_ns <= 3000000000);
	}
	assert_in_range(verdict_count(world), 2, 3);
	verdict_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(two_share_the_blame),
	        cmocka_unit_test(five_alike_are_no_single_culprit),
	        cmocka_unit_test(a_culprit_that_is_gone),
	        cmocka_unit_test(names_meant_to_deceive),
	        cmocka_unit_test(a_crowd_is_one_party),
	        cmocka_unit_test(a_thread_of_the_kernel_carries),
	        cmocka_unit_test(without_scheduler_and_canaries),
	        cmocka_unit_test(a_wait_across_a_suspend),
	};
	return cmocka_run_group_tests_name("judge_parties", tests, NULL, NULL);
}
