/*
 * Pauses for want of a cpu, in simulated worlds: who stood still, for how long, and because of whom; and machines that are as busy without anybody
 * standing still.
 */
#include "tests/support/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SHELL = 800, EDITOR = 3000, PLAYER = 3001, PARENT = 4000, HOG = 4001, ONE = 5000, TEST = 6000, HOGS = 40 };

/* Five quiet seconds, then `what` for some time, then two quiet seconds. */
static void quiet_before(struct world *world)
{
	world_run(world, 6);
}

static void quiet_after(struct world *world)
{
	for (uint32_t i = 0; i < world->count; i++)
		world_rest(world->processes[i]);
	world->machine.canary_stands = false;
	world->machine.canary_ms = 0.2;
	world_run(world, 3);
}

static struct world_process *real_time_hog(struct world *world, uint32_t threads)
{
	struct world_process *hog = world_add(world, ONE, SHELL, "spinner");
	hog->policy = RH_POLICY_fifo;
	hog->rt_prio = 50;
	hog->threads = threads;
	return hog;
}

static void a_real_time_hog_on_all_cpus(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor"), *player = world_add(world, PLAYER, SHELL, "player");
	struct world_process *hog = real_time_hog(world, 4);
	quiet_before(world);
	hog->cpu_pct = 400;
	hog->blame = 2000;
	editor->standing = player->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world->machine.canaries_late = 4;
	world_run(world, 1.4);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.4);
	verdict_names(pause, "spinner[5000]");
	assert_int_equal(pause->culprits[0].policy, RH_POLICY_fifo);
	assert_int_equal(pause->culprits[0].rt_prio, 50);
	assert_true(pause->culprits[0].share_ratio > 0.99F);
	verdict_victim(pause, "editor[3000]", 1.4);
	verdict_victim(pause, "player[3001]", 1.4);
	verdict_victim(pause, "a normal program on CPU 0", 1.4);
	assert_int_equal(pause->taken_cpu, -1);
	assert_true(pause->onset_seen && !pause->recorded);
	assert_int_equal(pause->lost_count, 0);
	verdict_sentence(world, 1, "very likely because of spinner[5000], real-time FIFO 50");
	verdict_end(&world);
}

static void a_real_time_hog_on_one_cpu(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor"), *hog = real_time_hog(world, 1);
	quiet_before(world);
	hog->cpu_pct = 100;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world->machine.canary_cpu = 1;
	world->machine.canaries_late = 1;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	verdict_names(pause, "spinner[5000]");
	assert_int_equal(pause->taken_cpu, 1);
	verdict_victim(pause, "a normal program on CPU 1", 0.8);
	verdict_sentence(world, 1, "CPU 1 was taken");
	verdict_end(&world);
}

/* The hog that only a canary saw: nobody else wanted that cpu. */
static void a_canary_alone_is_a_victim(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *hog = real_time_hog(world, 1);
	quiet_before(world);
	hog->cpu_pct = 100;
	hog->blame = 1000;
	world_find(world, 900)->run = 1000; /* the canary is the collector's */
	world->machine.canary_stands = true;
	world->machine.canary_cpu = 2;
	world_run(world, 1.2);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.2);
	verdict_names(pause, "spinner[5000]");
	verdict_victim(pause, "a normal program on CPU 2", 1.2);
	assert_int_equal(pause->victim_count, 1);
	verdict_end(&world);
}

/* ---- many ---- */

static void press(struct world_process *hog)
{
	hog->cpu_pct = 10;
	hog->run = 900;
	hog->run_longest = 90;
	hog->blame = 925; /* with 40 of them: their own waits, and one who stands still */
}

static void press_alone(struct world_process *hog)
{
	press(hog);
	hog->blame = 900;
}

static void press_with_long_waits(struct world_process *hog)
{
	press_alone(hog);
	hog->run_longest = 280;
}

static struct world *world_of_hogs(void)
{
	struct world *world = world_new();
	world_add(world, EDITOR, SHELL, "editor");
	world_add(world, PARENT, SHELL, "make");
	world_add_many(world, HOGS, HOG, PARENT, "cc1");
	quiet_before(world);
	return world;
}

static void forty_of_one_command_and_a_victim(void **state)
{
	(void)state;
	struct world *world = world_of_hogs();
	world_each(world, HOG, HOGS, press);
	world_find(world, EDITOR)->standing = WORLD_FOR_CPU;
	world_run(world, 0.6);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.6);
	verdict_names(pause, "40 x cc1 under make[4000]");
	assert_int_equal(pause->culprits[0].kind, PAUSE_KIND_group);
	assert_int_equal(pause->culprits[0].process_count, HOGS);
	verdict_victim(pause, "editor[3000]", 0.6);
	assert_int_equal(pause->victims_in_all, 1);
	verdict_end(&world);
}

static void forty_without_a_victim_are_a_busy_machine(void **state)
{
	(void)state;
	struct world *world = world_of_hogs();
	world_each(world, HOG, HOGS, press_alone);
	world_run(world, 30);
	world_each(world, HOG, HOGS, press_with_long_waits);
	world_run(world, 30);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

/* Each has a name of its own; what they have in common is who started them. */
static void a_tree_of_different_names(void **state)
{
	(void)state;
	static const char *const names[] = {"cc1", "ld", "rustc", "python3"};
	struct world *world = world_new();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor");
	world_add(world, PARENT, SHELL, "ninja");
	for (uint32_t i = 0; i < 4; i++)
		world_add(world, HOG + i, PARENT, names[i]);
	quiet_before(world);
	for (uint32_t i = 0; i < 4; i++) {
		world_find(world, HOG + i)->cpu_pct = 100;
		world_find(world, HOG + i)->blame = 250;
	}
	editor->standing = WORLD_FOR_CPU;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	verdict_names(pause, "ninja[4000] and 4 children");
	assert_int_equal(pause->culprits[0].kind, PAUSE_KIND_tree);
	verdict_victim(pause, "editor[3000]", 0.8);
	verdict_end(&world);
}

/* Who started them is gone before the pause begins, and init has them since then. */
static void hogs_whose_parent_has_exited(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor"), *parent = world_add(world, PARENT, SHELL, "starter");
	for (uint32_t i = 0; i < 6; i++)
		world_add(world, HOG + i, PARENT, "burn")->cgroup_id = 1;
	quiet_before(world);
	parent->exits = true;
	for (uint32_t i = 0; i < 6; i++) {
		world_find(world, HOG + i)->cpu_pct = 66;
		world_find(world, HOG + i)->run = 333;
		world_find(world, HOG + i)->run_longest = 20;
		world_find(world, HOG + i)->blame = 333;
	}
	world_run(world, 2);
	for (uint32_t i = 0; i < 6; i++)
		world_find(world, HOG + i)->blame = 500;
	editor->standing = WORLD_FOR_CPU;
	world_run(world, 1);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 1.0);
	verdict_names(pause, "6 x burn from starter[4000], exited");
	assert_true(pause->culprits[0].ancestor_exited);
	verdict_sentence(world, 1, "6 x burn from starter[4000], exited");
	verdict_end(&world);
}

/* ---- short waits, and short lives ---- */

/* It gets 3 ms now and then. No single wait is long, and yet it gets nowhere. */
static void a_niced_victim_against_two_hogs(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *victim = world_add(world, EDITOR, SHELL, "indexer");
	world->machine.cpus = 2;
	victim->nice = 19;
	world_add(world, PARENT, SHELL, "runner");
	world_add_many(world, 2, HOG, PARENT, "burn");
	quiet_before(world);
	victim->cpu_pct = 3;
	victim->run = 950;
	victim->run_longest = 80;
	for (uint32_t i = 0; i < 2; i++) {
		world_find(world, HOG + i)->cpu_pct = 98;
		world_find(world, HOG + i)->blame = 475;
	}
	world_run(world, 3);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 3 * 0.95);
	verdict_names(pause, "2 x burn under runner[4000]");
	verdict_victim(pause, "indexer[3000]", 3 * 0.95);
	verdict_end(&world);
}

/* Children come and go between two samples; what they did is on their nearest living ancestor. */
static void a_fork_storm(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor"), *storm = world_add(world, ONE, SHELL, "configure");
	quiet_before(world);
	storm->cpu_pct = 390;
	storm->brief_count = 300;
	storm->run = 3000;
	storm->run_longest = 40;
	storm->blame = 4000;
	editor->standing = WORLD_FOR_CPU;
	world_run(world, 0.6);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.6);
	verdict_names(pause, "configure[5000]");
	verdict_victim(pause, "editor[3000]", 0.6);
	verdict_end(&world);
}

/* ---- who was there, and innocent ---- */

static void an_innocent_compile_on_another_cpu(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor"), *hog = real_time_hog(world, 1);
	world->machine.cpus = 2;
	world_add(world, PARENT, SHELL, "make");
	world_add_many(world, 2, HOG, PARENT, "cc1");
	quiet_before(world);
	hog->cpu_pct = 100;
	hog->blame = 1000;
	for (uint32_t i = 0; i < 2; i++) {
		world_find(world, HOG + i)->cpu_pct = 50;
		world_find(world, HOG + i)->run = 500;
		world_find(world, HOG + i)->run_longest = 12;
		world_find(world, HOG + i)->blame = 500;
	}
	editor->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world->machine.canary_cpu = 1;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	verdict_names(pause, "spinner[5000]");
	assert_int_equal(pause->taken_cpu, 1);
	verdict_spares(pause, "cc1[4001]");
	verdict_spares(pause, "cc1[4002]");
	verdict_end(&world);
}

static void a_big_process_harms_nobody(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *big = world_add(world, ONE, SHELL, "solver");
	world_add(world, EDITOR, SHELL, "editor");
	quiet_before(world);
	big->threads = 16;
	big->cpu_pct = 390;
	big->mem_bytes = 12.0 * (1 << 30);
	big->run = 200;
	big->run_longest = 8;
	world->machine.mem_available_ratio = 0.15;
	world_run(world, 60);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

/* It waits now and then as long as a victim would, and has most of what the other has: that is its share. */
static void who_had_a_good_share_is_no_victim(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *one = world_add(world, ONE, SHELL, "solver"), *other = world_add(world, EDITOR, SHELL, "encoder");
	world->machine.cpus = 1;
	quiet_before(world);
	one->cpu_pct = 60;
	one->blame = 600;
	one->run = 400;
	one->run_longest = 150;
	other->cpu_pct = 40;
	other->blame = 400;
	other->run = 600;
	other->run_longest = 260;
	world_run(world, 20);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

/* Another has more memory, more cpu time and as long a life: the blame is not its. */
static void a_big_process_beside_the_hog(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *big = world_add(world, ONE + 1, SHELL, "solver"), *editor = world_add(world, EDITOR, SHELL, "editor"),
	                     *hog = real_time_hog(world, 1);
	quiet_before(world);
	big->cpu_pct = 200;
	big->grows_bytes_per_s = 500e6;
	hog->cpu_pct = 100;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world_run(world, 0.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_cpu, PAUSE_WORD_very_likely, 0.8);
	verdict_names(pause, "spinner[5000]");
	verdict_spares(pause, "solver[5001]");
	verdict_end(&world);
}

/* ---- quotas ---- */

static struct world *world_of_a_quota(void)
{
	struct world *world = world_new();
	struct world_process *test = world_add(world, TEST, SHELL, "pytest");
	test->cgroup_id = 77;
	quiet_before(world);
	return world;
}

/* A second of which it stands still for the most part, until the quota is given anew. */
static void spend_the_quota(struct world *world, unsigned seconds)
{
	struct world_process *test = world_find(world, TEST);
	for (unsigned i = 0; i < seconds; i++) {
		world_rest(test);
		test->cpu_pct = 100;
		world_run(world, 0.2);
		world_rest(test);
		test->standing = WORLD_FOR_QUOTA;
		world_run(world, 0.8);
	}
	world_rest(test);
}

static void a_quota_is_its_own_fault(void **state)
{
	(void)state;
	struct world *world = world_of_a_quota();
	spend_the_quota(world, 1);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_throttle, PAUSE_WORD_recorded, 0.8);
	assert_true(pause->recorded && pause->own_fault);
	assert_int_equal(pause->scope, PAUSE_SCOPE_cgroup);
	verdict_victim(pause, "pytest[6000]", 0.8);
	assert_int_equal(pause->victims[0].wait, PAUSE_WAIT_quota);
	assert_int_equal(pause->culprits[0].kind, PAUSE_KIND_cgroup);
	assert_int_equal(pause->culprits[0].cgroup_id, 77);
	verdict_sentence(world, 1, "nobody else's fault");
	verdict_end(&world);
}

static void a_quota_for_a_minute_hides_no_other_pause(void **state)
{
	(void)state;
	struct world *world = world_of_a_quota();
	struct world_process *editor = world_add(world, EDITOR, SHELL, "editor"), *hog = real_time_hog(world, 4);
	world->config.pause_interim = 10;
	spend_the_quota(world, 15);
	hog->cpu_pct = 400;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world->machine.canary_stands = true;
	world->machine.canaries_late = 4;
	spend_the_quota(world, 1);
	world_rest(hog);
	world_rest(editor);
	world->machine.canary_stands = false;
	spend_the_quota(world, 15);
	quiet_after(world);
	assert_int_equal(verdict_count(world), 2);
	verdict_is(verdict_of(world, 1), PAUSE_CLASS_throttle, PAUSE_WORD_recorded, 0.8);
	const struct pause *pause = verdict_of(world, 2);
	/* Waiting for a quota is waiting that nobody caused: the class is less sure for it. */
	assert_true(pause->both_ratio >= 0.75F);
	verdict_is(pause, PAUSE_CLASS_cpu, pause->word, 1);
	verdict_names(pause, "spinner[5000]");
	verdict_victim(pause, "editor[3000]", 1);
	verdict_spares(pause, "pytest[6000]");
	verdict_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_real_time_hog_on_all_cpus),
	        cmocka_unit_test(a_real_time_hog_on_one_cpu),
	        cmocka_unit_test(a_canary_alone_is_a_victim),
	        cmocka_unit_test(forty_of_one_command_and_a_victim),
	        cmocka_unit_test(forty_without_a_victim_are_a_busy_machine),
	        cmocka_unit_test(a_tree_of_different_names),
	        cmocka_unit_test(hogs_whose_parent_has_exited),
	        cmocka_unit_test(a_niced_victim_against_two_hogs),
	        cmocka_unit_test(a_fork_storm),
	        cmocka_unit_test(an_innocent_compile_on_another_cpu),
	        cmocka_unit_test(a_big_process_harms_nobody),
	        cmocka_unit_test(who_had_a_good_share_is_no_victim),
	        cmocka_unit_test(a_big_process_beside_the_hog),
	        cmocka_unit_test(a_quota_is_its_own_fault),
	        cmocka_unit_test(a_quota_for_a_minute_hides_no_other_pause),
	};
	return cmocka_run_group_tests_name("judge_cpu", tests, NULL, NULL);
}
