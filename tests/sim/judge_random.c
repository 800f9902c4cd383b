/*
 * Random worlds: processes that do anything, in all combinations, with late samples, suspends, lost samples, missing signals. Whatever is found in them, it
 * holds what verdict_end() asks of every finding, ends when the waiting has ended, and is found again in the same ring.
 *
 *   SEED=n in the environment judges that one world alone, and prints what was said.
 */
#include "tests/support/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEEDS = 300, PHASES = 12, PIDS_FROM = 1000, SHELL = 800 };

static const char *const commands[] = {
        "cc1", "cc1", "cc1", "make", "bash", "postgres", "firefox", "dd", "kworker/0:1", "rh-tracker", "chrome", "chrome"};

static unsigned judged_seed; /* 0: none is being judged */

struct dice {
	unsigned seed;
	uint32_t processes;
};

static unsigned pick(struct dice *dice, unsigned below)
{
	return (unsigned)rand_r(&dice->seed) / 7 % below;
}

static bool one_in(struct dice *dice, unsigned n)
{
	return pick(dice, n) == 0;
}

static double up_to(struct dice *dice, double most)
{
	return most * pick(dice, 1001) / 1000.0;
}

static void be_somebody(struct dice *dice, struct world_process *process)
{
	const bool is_kernel = one_in(dice, 12);
	process->flags = is_kernel ? RH_PROCESS_kernel_thread : 0;
	process->nice = (int8_t)(one_in(dice, 4) ? (int)pick(dice, 40) - 20 : 0);
	process->threads = 1 + pick(dice, 30);
	process->cgroup_id = 1 + pick(dice, 4);
	process->policy = one_in(dice, 10) ? RH_POLICY_idle : RH_POLICY_normal;
	if (one_in(dice, 8)) {
		process->policy = one_in(dice, 2) ? RH_POLICY_fifo : RH_POLICY_rr;
		process->rt_prio = (uint8_t)(1 + pick(dice, 99));
	}
}

static void add_somebody(struct dice *dice, struct world *world)
{
	const unsigned commands_count = sizeof(commands) / sizeof(commands[0]);
	uint32_t pid = PIDS_FROM + dice->processes,
	         ppid = dice->processes > 0 && one_in(dice, 2) ? PIDS_FROM + pick(dice, dice->processes) : SHELL;
	be_somebody(dice, world_add(world, pid, ppid, commands[pick(dice, commands_count)]));
	dice->processes++;
}

static void use_the_cpu(struct dice *dice, struct world_process *process)
{
	process->cpu_pct = up_to(dice, 400);
	process->blame = up_to(dice, 3000);
	process->run = up_to(dice, 2000);
	process->run_longest = up_to(dice, 600);
	process->brief_count = pick(dice, 100);
}

static void use_storage(struct dice *dice, struct world_process *process)
{
	process->disk = up_to(dice, 1500);
	process->stuck_longest = up_to(dice, 1500);
	process->device = up_to(dice, 900);
	process->device_blame = up_to(dice, 2000);
	process->bytes_per_s = up_to(dice, 1e9);
}

static void use_memory(struct dice *dice, struct world_process *process)
{
	process->memory = up_to(dice, 1200);
	process->reclaim = up_to(dice, 400);
	process->grows_bytes_per_s = up_to(dice, 1e9);
	process->pageins_per_s = up_to(dice, 5000);
	process->stuck_longest = up_to(dice, 1500);
}

static const enum world_standing standings[] = {WORLD_FOR_CPU, WORLD_FOR_QUOTA, WORLD_FOR_DISK, WORLD_FOR_MEMORY, WORLD_FOR_LOCK};

static void do_something(struct dice *dice, struct world_process *process)
{
	world_rest(process);
	switch (pick(dice, 8)) {
	case 0:
		use_the_cpu(dice, process);
		break;
	case 1:
		use_storage(dice, process);
		break;
	case 2:
		use_memory(dice, process);
		break;
	case 3:
		process->standing = standings[pick(dice, 5)];
		break;
	case 4:
		use_the_cpu(dice, process);
		use_storage(dice, process);
		use_memory(dice, process);
		process->lock_blame = up_to(dice, 20000);
		break;
	default:
		process->cpu_pct = up_to(dice, 20);
	}
}

static void machine_does_something(struct dice *dice, struct world *world)
{
	struct world_machine *machine = &world->machine;
	machine->steal_ratio = one_in(dice, 8) ? up_to(dice, 1) : 0;
	machine->canary_stands = one_in(dice, 6);
	machine->canary_ms = one_in(dice, 6) ? up_to(dice, 2000) : 0.2;
	machine->canary_cpu = pick(dice, 4);
	machine->canaries_late = pick(dice, 5);
	machine->guard_ms = one_in(dice, 8) ? up_to(dice, 2000) : 0.1;
	machine->disk_busy_ratio = up_to(dice, 1);
	machine->disk_latency_ms = one_in(dice, 2) ? up_to(dice, 2000) : 2;
	machine->mem_available_ratio = up_to(dice, 1);
	machine->refaults += pick(dice, 20000);
	machine->allocstalls += pick(dice, 2000);
	machine->oom_kills += one_in(dice, 8);
	machine->switches_per_s = up_to(dice, 50000);
}

static void time_does_something(struct dice *dice, struct world *world)
{
	if (one_in(dice, 10))
		world_suspend(world, up_to(dice, 20000));
	if (one_in(dice, 10))
		world_set_wall_clock(world, (int64_t)pick(dice, 20000) - 10000);
	if (one_in(dice, 5)) {
		world->machine.stopped_ms = one_in(dice, 2) ? up_to(dice, 3000) : 0;
		world->machine.stopper_pid = SHELL;
		world->machine.stopper = "bash";
		world_run_late(world, up_to(dice, 3000));
		world->machine.stopped_ms = 0;
	}
	if (one_in(dice, 30) && world->sample > 10)
		world_lose(world, 1 + pick(dice, (unsigned)world->sample - 4), 1 + pick(dice, 3));
	world->is_unwatched = one_in(dice, 12);
}

static void live_on(struct dice *dice, struct world *world)
{
	while (dice->processes < 4 || one_in(dice, 3))
		add_somebody(dice, world);
	for (uint32_t i = 0; i < dice->processes; i++) {
		struct world_process *process = world_find(world, PIDS_FROM + i);
		if (one_in(dice, 3))
			do_something(dice, process);
		process->exits |= one_in(dice, 60);
	}
	machine_does_something(dice, world);
	time_does_something(dice, world);
	world_run(world, 0.2 * (1 + pick(dice, 20)));
}

/* Everything rests, and the machine is as it should be. */
static void come_to_rest(struct world *world)
{
	struct world_machine *machine = &world->machine;
	for (uint32_t i = 0; i < world->count; i++)
		world_rest(world->processes[i]);
	machine->canary_stands = world->is_unwatched = false;
	machine->canary_ms = 0.2;
	machine->guard_ms = 0.1;
	machine->steal_ratio = 0;
	world_run(world, 4);
}

static void judge_world(unsigned seed)
{
	struct dice dice = {.seed = seed};
	static const struct world_options options = {
	        .boot_id = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10", .slots = 300, .arena_bytes = 4 << 20, .processes = 64};
	struct world *world = world_new_with(&options);
	if (one_in(&dice, 5)) {
		world->machine.sampler = RH_SAMPLER_procfs;
		world->machine.signals = 0;
	} else if (one_in(&dice, 5)) {
		world->machine.stride = RH_PROCESS_HOT_BYTES;
	} else if (one_in(&dice, 3)) {
		world->machine.signals &= (uint64_t)rand_r(&dice.seed);
	}
	world_run(world, up_to(&dice, 6));
	for (unsigned i = 0; i < PHASES; i++)
		live_on(&dice, world);
	come_to_rest(world);
	assert_false(judge_is_open(world->judge));
	for (uint32_t number = 1; number < judge_next_number(world->judge); number++)
		verdict_of(world, number); /* each that was ever told of is final in the end */
	verdict_end(&world);
}

static void whatever_is_found_holds(void **state)
{
	const char *only = getenv("SEED");
	(void)state;
	for (unsigned seed = only ? (unsigned)atoi(only) : 1; seed <= (only ? (unsigned)atoi(only) : SEEDS); seed++) {
		judged_seed = seed;
		judge_world(seed);
	}
	judged_seed = 0;
}

static int tell_seed(void **state)
{
	(void)state;
	if (judged_seed != 0)
		print_message("that was with SEED=%u\n", judged_seed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(whatever_is_found_holds, tell_seed)};
	return cmocka_run_group_tests_name("judge_random", tests, NULL, NULL);
}
