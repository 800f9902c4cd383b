/*
 * Pauses of processes that stood still asleep, in simulated worlds: for storage, for memory, for a lock of the kernel. Whose doing it was, and who
 * only waited for what he did himself.
 */
#include "tests/support/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SHELL = 800, SERVER = 3000, CLIENT = 3001, ONE = 5000, OTHER = 5001, GROUP = 50, WAITERS = 20 };

static void quiet_before(struct world *world)
{
	world_run(world, 6);
}

static void quiet_after(struct world *world)
{
	for (uint32_t i = 0; i < world->count; i++)
		world_rest(world->processes[i]);
	world->machine.disk_busy_ratio = 0.02;
	world->machine.disk_latency_ms = 2;
	world_run(world, 3);
}

/* ---- storage ---- */

static void slow_storage(struct world *world)
{
	world->machine.disk_busy_ratio = 0.99;
	world->machine.disk_latency_ms = 450;
}

/* Moves data, and waits for the device nearly all of the time: that part of the device's time is its own. */
static void copy(struct world_process *process, double device, double device_blame)
{
	process->cpu_pct = 12;
	process->disk = 880;
	process->stuck_longest = 300;
	process->device = device;
	process->device_blame = device_blame;
	process->bytes_per_s = device * 500e3;
}

static void a_storm_of_writing(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *server = world_add(world, SERVER, SHELL, "postgres"), *storm = world_add(world, ONE, SHELL, "dd");
	quiet_before(world);
	slow_storage(world);
	copy(storm, 950, 1000);
	server->standing = WORLD_FOR_DISK;
	server->device = 20;
	world_run(world, 1.6);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_io, PAUSE_WORD_very_likely, 1.6);
	verdict_names(pause, "dd[5000]");
	verdict_victim(pause, "postgres[3000]", 1.6);
	assert_int_equal(pause->victims[0].wait, PAUSE_WAIT_block_io);
	assert_string_equal(pause->device, "259:0");
	verdict_sentence(world, 1, "very likely because of dd[5000]");
	verdict_end(&world);
}

static void a_copy_waits_for_itself(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *alone = world_add(world, ONE, SHELL, "cp");
	world_add(world, SERVER, SHELL, "postgres");
	quiet_before(world);
	slow_storage(world);
	copy(alone, 980, 0);
	world_run(world, 30);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

static void two_copies(const char *one, const char *other, uint32_t other_parent)
{
	struct world *world = world_new();
	struct world_process *first = world_add(world, ONE, SHELL, one);
	world_add(world, 801, 1, "zsh");
	struct world_process *second = world_add(world, OTHER, other_parent, other);
	quiet_before(world);
	slow_storage(world);
	copy(first, 490, 440);
	copy(second, 490, 440);
	world_run(world, 30);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

static void two_copies_against_each_other(void **state)
{
	(void)state;
	two_copies("cp", "cp", SHELL);
	two_copies("cp", "cp", 801);
	two_copies("cp", "rsync", 801);
}

/* A reader of a fast disk that is well used: it waits most of the time, a moment each. */
static void many_short_waits_are_work(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *reader = world_add(world, SERVER, SHELL, "postgres"), *storm = world_add(world, ONE, SHELL, "dd");
	quiet_before(world);
	slow_storage(world);
	copy(storm, 700, 900);
	reader->cpu_pct = 10;
	reader->disk = 900;
	reader->stuck_longest = 60;
	reader->device = 250;
	world_run(world, 20);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

/* The journal of a file system sleeps without telling that it is for storage. */
static void waits_for_a_journal_are_storage(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *server = world_add(world, SERVER, SHELL, "postgres"), *storm = world_add(world, ONE, SHELL, "dd");
	quiet_before(world);
	slow_storage(world);
	copy(storm, 950, 100);
	storm->disk = storm->stuck_longest = 0; /* it writes into memory, and others wait */
	server->standing = WORLD_FOR_LOCK;
	world_run(world, 1.8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_io, PAUSE_WORD_very_likely, 1.8);
	verdict_names(pause, "dd[5000]");
	verdict_victim(pause, "postgres[3000]", 1.8);
	verdict_end(&world);
}

/* ---- memory ---- */

static void short_of_memory(struct world *world, double available_ratio)
{
	world->machine.mem_available_ratio = available_ratio;
	world->machine.allocstalls += 5000;
}

static void refault(struct world *world, unsigned samples)
{
	for (unsigned i = 0; i < samples; i++) {
		world->machine.refaults += 4000;
		world_run(world, 0.2);
	}
}

/* The group hits its limit; the machine has memory, and another process outside of the group takes far more of it. */
static void thrashing_within_a_group(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *victim = world_add(world, SERVER, SHELL, "java"), *eater = world_add(world, ONE, SHELL, "loader"),
	                     *innocent = world_add(world, OTHER, SHELL, "blender");
	victim->cgroup_id = eater->cgroup_id = GROUP;
	quiet_before(world);
	innocent->cpu_pct = 90;
	innocent->grows_bytes_per_s = 800e6;
	eater->cpu_pct = 30;
	eater->grows_bytes_per_s = 150e6;
	eater->memory = 600;
	eater->pageins_per_s = 2000;
	eater->stuck_longest = 20;
	victim->standing = WORLD_FOR_MEMORY;
	refault(world, 8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_memory, PAUSE_WORD_very_likely, 1.6);
	verdict_names(pause, "loader[5000]");
	verdict_victim(pause, "java[3000]", 1.6);
	verdict_spares(pause, "blender[5001]");
	assert_false(pause->own_fault);
	verdict_end(&world);
}

/* The machine itself is short: who grew is to blame, whether it waits or not. */
static void the_whole_machine_is_short(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *victim = world_add(world, SERVER, SHELL, "sshd"), *other = world_add(world, CLIENT, SHELL, "firefox"),
	                     *eater = world_add(world, ONE, SHELL, "python3");
	quiet_before(world);
	short_of_memory(world, 0.01);
	eater->cpu_pct = 80;
	eater->grows_bytes_per_s = 900e6;
	victim->standing = other->standing = WORLD_FOR_MEMORY;
	other->pageins_per_s = 300;
	refault(world, 11);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_memory, PAUSE_WORD_very_likely, 2.2);
	verdict_names(pause, "python3[5000]");
	verdict_victim(pause, "sshd[3000]", 2.2);
	verdict_victim(pause, "firefox[3001]", 2.2);
	verdict_end(&world);
}

static void who_thrashes_alone_harms_nobody_else(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *eater = world_add(world, ONE, SHELL, "loader");
	world_add(world, SERVER, SHELL, "sshd");
	eater->cgroup_id = GROUP;
	quiet_before(world);
	eater->standing = WORLD_FOR_MEMORY;
	eater->grows_bytes_per_s = 20e6;
	eater->pageins_per_s = 3000;
	refault(world, 9);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_memory, PAUSE_WORD_likely, 1.8);
	assert_true(pause->own_fault);
	assert_true(verdict_victim(pause, "loader[5000]", 1.8)->also_culprit);
	verdict_sentence(world, 1, "nobody else's fault");
	verdict_end(&world);
}

/* ---- kills ---- */

static void kill_for_memory(struct world *world, struct world_process *killed)
{
	world->machine.oom_kills++;
	world->machine.oom_pid = killed->pid;
	world->machine.oom_command = killed->command;
	killed->exits = true;
	world_run(world, 0.2);
	world->machine.oom_pid = 0;
}

static void a_kill_after_waiting(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *victim = world_add(world, SERVER, SHELL, "sshd"), *eater = world_add(world, ONE, SHELL, "python3"),
	                     *killed = world_add(world, CLIENT, SHELL, "firefox");
	quiet_before(world);
	short_of_memory(world, 0.005);
	eater->cpu_pct = 80;
	eater->grows_bytes_per_s = 900e6;
	eater->reclaim = 400;
	victim->standing = WORLD_FOR_MEMORY;
	refault(world, 7);
	kill_for_memory(world, killed);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_oom, PAUSE_WORD_very_likely, 1.6);
	verdict_names(pause, "python3[5000]");
	verdict_victim(pause, "sshd[3000]", 1.6);
	assert_string_equal(pause->oom_victim, "firefox[3001]");
	assert_false(pause->oom_of_group);
	verdict_sentence(world, 1, "killed firefox[3001]");
	verdict_sentence(world, 1, "GiB in 7 s)");
	verdict_end(&world);
}

/* A group that hit its limit and lost a process at once: nobody waited. */
static void a_kill_without_waiting_is_no_pause(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *eater = world_add(world, ONE, SHELL, "leaker");
	eater->cgroup_id = GROUP;
	quiet_before(world);
	eater->cpu_pct = 90;
	eater->grows_bytes_per_s = 400e6;
	world_run(world, 2);
	kill_for_memory(world, eater);
	quiet_after(world);
	verdict_none(world);
	verdict_end(&world);
}

/* ---- locks ---- */

static void hold_on(struct world_process *waiter)
{
	waiter->standing = WORLD_FOR_LOCK;
}

/* Waiting for a lock is counted when it ends: the interim judgement cannot know the holder yet. */
static void a_lock_with_a_holder(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *holder = world_add(world, ONE, SHELL, "fsfreeze");
	world_add_many(world, WAITERS, SERVER, SHELL, "worker");
	quiet_before(world);
	world_each(world, SERVER, WAITERS, hold_on);
	world_run(world, 2.8);
	holder->lock_blame = WAITERS * 3000 * WORLD_SAMPLES_PER_S;
	world_run(world, 0.2);
	quiet_after(world);
	assert_int_equal(world->findings.count, 2);
	assert_int_equal(world->findings.list[0].pause.state, PAUSE_STATE_interim);
	verdict_names_nobody(&world->findings.list[0].pause);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_stuck, PAUSE_WORD_very_likely, 3);
	verdict_names(pause, "fsfreeze[5000]");
	assert_int_equal(pause->victims_in_all, WAITERS);
	verdict_victim(pause, "worker[3000]", 3);
	verdict_sentence(world, 1, "held by fsfreeze[5000]");
	verdict_end(&world);
}

static void a_lock_without_a_known_holder(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *busy = world_add(world, ONE, SHELL, "solver");
	world_add_many(world, WAITERS, SERVER, SHELL, "worker");
	quiet_before(world);
	busy->cpu_pct = 100;
	world_each(world, SERVER, WAITERS, hold_on);
	world_run(world, 1.2);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_stuck, PAUSE_WORD_unclear, 1.2);
	assert_int_equal(pause->culprit_count, 0);
	assert_int_equal(pause->victims_in_all, WAITERS);
	verdict_sentence(world, 1, "culprit unclear");
	verdict_end(&world);
}

/* Of all that was waited for locks a tenth was for the one whose holder is known. */
static void a_holder_of_little_is_not_named(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *holder = world_add(world, ONE, SHELL, "ls");
	world_add_many(world, WAITERS, SERVER, SHELL, "worker");
	quiet_before(world);
	world_each(world, SERVER, WAITERS, hold_on);
	world_run(world, 1);
	holder->lock_blame = WAITERS * 120 * WORLD_SAMPLES_PER_S;
	world_run(world, 0.2);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	verdict_is(pause, PAUSE_CLASS_stuck, PAUSE_WORD_unclear, 1.2);
	verdict_names_nobody(pause);
	verdict_end(&world);
}

/* ---- several at once ---- */

/* One takes the memory, and the search for free pages takes the cpus: who waits for these waits for the same. */
static void waiting_for_memory_and_for_the_cpus_is_one(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *victim = world_add(world, SERVER, SHELL, "sshd"), *other = world_add(world, CLIENT, SHELL, "firefox"),
	                     *eater = world_add(world, ONE, SHELL, "python3");
	quiet_before(world);
	short_of_memory(world, 0.01);
	eater->cpu_pct = 380;
	eater->blame = 1000;
	eater->grows_bytes_per_s = 900e6;
	victim->standing = WORLD_FOR_MEMORY;
	other->standing = WORLD_FOR_CPU;
	refault(world, 8);
	quiet_after(world);
	const struct pause *pause = verdict_only(world);
	assert_int_equal(pause->class, PAUSE_CLASS_memory);
	verdict_names(pause, "python3[5000]");
	verdict_victim(pause, "sshd[3000]", 1.6);
	verdict_end(&world);
}

/* Another takes the cpus from others, while the storm goes on. */
static void a_storm_hides_no_hog(void **state)
{
	(void)state;
	struct world *world = world_new();
	struct world_process *server = world_add(world, SERVER, SHELL, "postgres"), *editor = world_add(world, CLIENT, SHELL, "editor"),
	                     *storm = world_add(world, ONE, SHELL, "dd"), *hog = world_add(world, OTHER, SHELL, "spinner");
	quiet_before(world);
	slow_storage(world);
	copy(storm, 950, 1000);
	server->standing = WORLD_FOR_DISK;
	hog->cpu_pct = 400;
	hog->blame = 1000;
	editor->standing = WORLD_FOR_CPU;
	world_run(world, 1.6);
	quiet_after(world);
	assert_int_equal(verdict_count(world), 2);
	const struct pause *first = verdict_of(world, 1), *second = verdict_of(world, 2);
	verdict_names(first, first->class == PAUSE_CLASS_cpu ? "spinner[5001]" : "dd[5000]");
	verdict_names(second, second->class == PAUSE_CLASS_cpu ? "spinner[5001]" : "dd[5000]");
	assert_int_equal(first->class + second->class, PAUSE_CLASS_cpu + PAUSE_CLASS_io);
	verdict_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_storm_of_writing),
	        cmocka_unit_test(a_copy_waits_for_itself),
	        cmocka_unit_test(two_copies_against_each_other),
	        cmocka_unit_test(many_short_waits_are_work),
	        cmocka_unit_test(waits_for_a_journal_are_storage),
	        cmocka_unit_test(thrashing_within_a_group),
	        cmocka_unit_test(the_whole_machine_is_short),
	        cmocka_unit_test(who_thrashes_alone_harms_nobody_else),
	        cmocka_unit_test(a_kill_after_waiting),
	        cmocka_unit_test(a_kill_without_waiting_is_no_pause),
	        cmocka_unit_test(a_lock_with_a_holder),
	        cmocka_unit_test(a_lock_without_a_known_holder),
	        cmocka_unit_test(a_holder_of_little_is_not_named),
	        cmocka_unit_test(waiting_for_memory_and_for_the_cpus_is_one),
	        cmocka_unit_test(a_storm_hides_no_hog),
	};
	return cmocka_run_group_tests_name("judge_asleep", tests, NULL, NULL);
}
