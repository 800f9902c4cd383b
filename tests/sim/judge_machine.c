/*
 * Pauses of the whole machine, and of the monitor alone, in simulated worlds: what the clocks, the guard and the collector's own lateness tell, and
 * what they do not.
 */
#include "tests/support/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SHELL = 800, EDITOR = 3000, PLAYER = 3001, HOURS_8 = 8 * 3600 };

static struct world *busy_world(void)
{
	struct world *world = world_new();
	world_add(world, EDITOR, SHELL, "editor")->cpu_pct = 8;
	world_add(world, PLAYER, SHELL, "player")->cpu_pct = 15;
	world_run(world, 6);
	return world;
}

/* ---- clocks ---- */

static void a_suspend_is_recorded(void **state)
{
	(void)state;
	struct world *world = busy_world();
	world_suspend(world, HOURS_8);
	world_run(world, 5);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_suspend, PAUSE_WORD_recorded, HOURS_8);
	assert_true(pause->recorded);
	assert_int_equal(pause->scope, PAUSE_SCOPE_machine);
	assert_int_equal(pause->culprit_count, 0);
	assert_int_equal(pause->victim_count, 0);
	verdict_sentence(world, 1, "This machine paused for 8 h 0 min");
	verdict_end(&world);
}

/* Whoever stood still before it and after it did so in two pauses; the night between is nobody's. */
static void waiting_around_a_suspend(void **state)
{
	(void)state;
	struct world *world = busy_world();
	struct world_process *editor = world_find(world, EDITOR), *hog = world_add(world, 5000, SHELL, "spinner");
	world_run(world, 1);
	hog->cpu_pct = 400;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world_run(world, 0.6);
	world_rest(editor);
	world_rest(hog);
	world_run(world, 1.2);
	world_suspend(world, HOURS_8);
	world_run(world, 5);
	assert_int_equal(verdict_count(world), 2);
	verdict_is(verdict_of(world, 1), PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.6);
	verdict_names(verdict_of(world, 1), "spinner[5000]");
	verdict_is(verdict_of(world, 2), PAUSE_CLASS_suspend, PAUSE_WORD_recorded, HOURS_8);
	verdict_end(&world);
}

static void the_wall_clock_is_a_label(void **state)
{
	(void)state;
	struct world *world = busy_world();
	world_set_wall_clock(world, 3600);
	world_run(world, 5);
	world_set_wall_clock(world, -7200);
	world_run(world, 5);
	verdict_none(world);
	verdict_end(&world);
}

/* ---- the host ---- */

static void the_hypervisor_takes_the_cpus(void **state)
{
	(void)state;
	struct world *world = busy_world();
	struct world_process *editor = world_find(world, EDITOR), *player = world_find(world, PLAYER);
	world->machine.steal_ratio = 0.8;
	editor->standing = player->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world->machine.canaries_late = 4;
	world_run(world, 0.8);
	world->machine.steal_ratio = 0;
	world->machine.canary_stands = false;
	world_rest(editor);
	world_rest(player);
	world_run(world, 3);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_host, PAUSE_WORD_recorded, 0.8);
	assert_true(pause->outside);
	verdict_names_nobody(pause);
	assert_true(pause->steal_ratio > 0.7F && pause->steal_ratio <= 0.81F);
	verdict_sentence(world, 1, "cause outside this machine");
	verdict_end(&world);
}

/* Steal without anybody standing still is how virtual machines are. */
static void steal_alone_is_no_pause(void **state)
{
	(void)state;
	struct world *world = busy_world();
	world->machine.steal_ratio = 0.5;
	world_run(world, 20);
	verdict_none(world);
	verdict_end(&world);
}

/* One sample in which neither the collector nor the guard got anywhere; `went_on`: part of the usual switches there were meanwhile. */
static void black_out(struct world *world, double ms, double went_on)
{
	const double usual = world->machine.switches_per_s;
	world->machine.guard_ms = world->machine.canary_ms = ms;
	world->machine.switches_per_s = usual * went_on;
	world_run_late(world, ms);
	world->machine.guard_ms = 0.1;
	world->machine.canary_ms = 0.2;
	world->machine.switches_per_s = usual;
	world_run(world, 4);
}

static void nothing_ran(void **state)
{
	(void)state;
	struct world *world = busy_world();
	black_out(world, 1400, 0.2 / 1.6);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_host, PAUSE_WORD_likely, 1.4);
	assert_true(pause->outside && !pause->recorded);
	verdict_names_nobody(pause);
	verdict_sentence(world, 1, "no CPU ran anything");
	verdict_end(&world);
}

/* ---- the monitor ---- */

static void the_collector_is_stopped(void **state)
{
	(void)state;
	struct world *world = busy_world();
	world->machine.stopped_ms = 1500;
	world->machine.stopper_pid = SHELL;
	world->machine.stopper = "bash";
	world->machine.guard_ms = world->machine.canary_ms = 1500;
	world_run_late(world, 1500);
	world->machine.stopped_ms = 0;
	world->machine.guard_ms = 0.1;
	world->machine.canary_ms = 0.2;
	world_run(world, 4);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_monitor, PAUSE_WORD_recorded, 1.5);
	verdict_names(pause, "bash[800]");
	assert_string_equal(pause->culprits[0].how, "SIGSTOP");
	assert_int_equal(pause->scope, PAUSE_SCOPE_monitor);
	assert_int_equal(pause->victim_count, 0);
	assert_true(pause->task_count >= 2); /* editor and player ran on */
	verdict_sentence(world, 1, "by bash[800] (SIGSTOP)");
	verdict_end(&world);
}

static void the_collector_is_late_and_the_guard_is_not(void **state)
{
	(void)state;
	struct world *world = busy_world();
	world_run_late(world, 1500);
	world_run(world, 4);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_monitor, PAUSE_WORD_likely, 1.5);
	assert_int_equal(pause->culprit_count, 0);
	verdict_end(&world);
}

static void guard_and_collector_are_late_and_others_ran(void **state)
{
	(void)state;
	struct world *world = busy_world();
	black_out(world, 1500, 1);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_monitor, PAUSE_WORD_likely, 1.5);
	assert_int_equal(pause->culprit_count, 0);
	verdict_end(&world);
}

/* Half a second of the collector's own, of which nobody else felt anything. */
static void a_little_lateness_is_not_told(void **state)
{
	(void)state;
	struct world *world = busy_world();
	for (int i = 0; i < 5; i++) {
		world_run_late(world, 150);
		world_run(world, 1);
		world_run_late(world, 500);
		world_run(world, 5);
		black_out(world, 500, 1);
	}
	verdict_none(world);
	verdict_end(&world);
}

/* A cpu hog holds up the collector too: still it is the hog that is named. */
static void a_late_collector_hides_no_hog(void **state)
{
	(void)state;
	struct world *world = busy_world();
	struct world_process *editor = world_find(world, EDITOR), *hog = world_add(world, 5000, SHELL, "spinner");
	hog->policy = RH_POLICY_fifo;
	hog->rt_prio = 99;
	world_run(world, 1);
	hog->cpu_pct = 400;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world->machine.canaries_late = 4;
	world->machine.canary_ms = 1300;
	world_run_late(world, 1200);
	world->machine.canary_ms = 0.2;
	world_rest(editor);
	world_rest(hog);
	world_run(world, 4);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.4);
	verdict_names(pause, "spinner[5000]");
	verdict_victim(pause, "editor[3000]", 1.4);
	verdict_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_suspend_is_recorded),
	        cmocka_unit_test(waiting_around_a_suspend),
	        cmocka_unit_test(the_wall_clock_is_a_label),
	        cmocka_unit_test(the_hypervisor_takes_the_cpus),
	        cmocka_unit_test(steal_alone_is_no_pause),
	        cmocka_unit_test(nothing_ran),
	        cmocka_unit_test(the_collector_is_stopped),
	        cmocka_unit_test(the_collector_is_late_and_the_guard_is_not),
	        cmocka_unit_test(guard_and_collector_are_late_and_others_ran),
	        cmocka_unit_test(a_little_lateness_is_not_told),
	        cmocka_unit_test(a_late_collector_hides_no_hog),
	};
	return cmocka_run_group_tests_name("judge_machine", tests, NULL, NULL);
}
