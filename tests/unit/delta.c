/*
 * delta.c - rates from counters, and who is who: reuse of pids, counters that run backwards, processes that come and go, suspend.
 */
#include "collector/delta.h"
#include "tests/support/source_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/near.h"

enum { CAPACITY = 4096, BRIEF_RECORDS = 4 };
static const uint64_t second = NS_PER_S;

struct world {
	struct pool pool;
	struct delta delta;
	struct rh_process *records;
	struct source_fake *fake;
	struct moment now;
	bool begun;
	struct delta_result result;
};

static int setup(void **state)
{
	static struct world world;
	memset(&world, 0, sizeof(world));
	delta_init(&world.delta, &world.pool, CAPACITY, BRIEF_RECORDS);
	world.records = pool_take(&world.pool, delta_records_most(CAPACITY, BRIEF_RECORDS), sizeof(struct rh_process));
	assert_false(world.pool.failed);
	world.fake = source_fake_new();
	world.now = (struct moment){.monotonic_ns = 1000 * second, .boottime_ns = 5000 * second};
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	pool_release(&world->pool);
	source_fake_free(&world->fake);
	return 0;
}

/* One sample, `elapsed_ns` after the one before, of which the machine slept `suspended_ns` besides. */
static void step_with(struct world *world, uint64_t elapsed_ns, uint64_t suspended_ns, bool complete)
{
	struct moment before = world->now;
	world->now.monotonic_ns += elapsed_ns;
	world->now.boottime_ns += elapsed_ns + suspended_ns;
	struct span span = moment_span(world->begun ? &before : NULL, &world->now);
	memcpy(delta_incoming(&world->delta), world->fake->processes, world->fake->count * sizeof(struct raw_process));
	struct source_tick tick = world->fake->tick;
	tick.count = world->fake->count;
	tick.dropped = complete ? 0 : 1;
	world->result = delta_run(&world->delta, &tick, &span, world->records);
	world->begun = true;
}

static void step(struct world *world, uint64_t elapsed_ns)
{
	step_with(world, elapsed_ns, 0, true);
}

static const struct rh_process *record(const struct world *world, uint32_t pid, bool exited)
{
	for (uint32_t i = 0; i < world->result.count; i++) {
		const struct rh_process *process = &world->records[i];
		if (process->pid == pid && ((process->flags & RH_PROCESS_exited) != 0) == exited)
			return process;
	}
	fail_msg("no record of pid %u", pid);
	return NULL;
}

static void counters_become_rates_over_the_real_time(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	step(world, second / 5);
	raw->cpu_time_ns += second / 4;
	raw->runnable_time_ns += second / 100;
	raw->wakeups += 50;
	raw->minor_faults += 20;
	raw->major_faults += 5;
	raw->read_bytes += 1000;
	raw->write_bytes += 4000;
	raw->syscalls += 7;
	step(world, second / 2);
	const struct rh_process *process = record(world, 10, false);
	assert_near(process->cpu_pct, 50, 1e-4);
	assert_near(process->runnable_ms_per_s, 20, 1e-4);
	assert_near(process->wakeups_per_s, 100, 1e-4);
	assert_near(process->csw_per_s, 100, 1e-4);
	assert_near(process->faults_per_s, 50, 1e-4);
	assert_near(process->pageins_per_s, 10, 1e-4);
	assert_near(process->disk_io_bytes_per_s, 10000, 1e-2);
	assert_near(process->syscalls_per_s, 14, 1e-4);
	assert_int_equal(process->disk_io_bytes, 5000);
	assert_int_equal(process->faults_count, 25);
	assert_int_equal(process->flags, 0);
	assert_near(world->result.cpu_ns, second / 4, 1);
}

static void first_sample_has_levels_but_no_rates(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	raw->cpu_time_ns = 77 * second;
	raw->anon_bytes = 3 << 20;
	raw->swap_bytes = 1 << 20;
	raw->shmem_bytes = 2 << 20;
	step(world, second);
	const struct rh_process *process = record(world, 10, false);
	assert_false(rh_has(process->present, RH_F_cpu_pct));
	assert_false(rh_has(process->present, RH_F_wakeups_per_s));
	assert_false(rh_has(process->present, RH_F_csw_per_s));
	assert_true(rh_has(process->present, RH_F_cpu_time_ns));
	assert_int_equal(process->cpu_time_ns, 77 * second);
	assert_int_equal(process->mem_bytes, 6 << 20);
	assert_int_equal(process->flags & RH_PROCESS_new, 0);
	assert_int_equal(world->result.appeared, 0);
	assert_near(world->result.cpu_ns, 0, 0);
}

/* Only what the source knows is present: no zero stands for an unknown. */
static void absent_stays_absent(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	memset(raw->present, 0, sizeof(raw->present));
	rh_set(raw->present, RH_F_cpu_time_ns);
	step(world, second);
	step(world, second);
	const struct rh_process *process = record(world, 10, false);
	uint64_t expected[2] = {0};
	const unsigned ids[] = {RH_F_pid, RH_F_flags, RH_F_cpu_time_ns, RH_F_cpu_pct, RH_F_zombie_children_count};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		rh_set(expected, ids[i]);
	assert_memory_equal(process->present, expected, sizeof(expected));
}

static void a_counter_that_becomes_known_has_no_rate_yet(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	raw->present[RH_F_read_bytes / 64] &= ~(UINT64_C(1) << RH_F_read_bytes % 64);
	step(world, second);
	rh_set(raw->present, RH_F_read_bytes);
	raw->read_bytes = UINT64_C(1) << 40;
	step(world, second);
	assert_false(rh_has(record(world, 10, false)->present, RH_F_disk_io_bytes_per_s));
	raw->read_bytes += 500;
	step(world, second);
	assert_near(record(world, 10, false)->disk_io_bytes_per_s, 500, 1e-3);
}

static void counters_that_run_backwards_give_nothing(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	raw->cpu_time_ns = 10 * second;
	raw->runnable_time_ns = 10 * second;
	step(world, second);
	raw->cpu_time_ns = 9 * second;
	raw->runnable_time_ns = 1;
	step(world, second);
	assert_near(record(world, 10, false)->cpu_pct, 0, 0);
	assert_near(record(world, 10, false)->runnable_ms_per_s, 0, 0);
	assert_int_equal(world->result.clamped, 2);
	assert_near(world->result.cpu_ns, 0, 0);
}

static void a_newborn_is_charged_with_all_it_used(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, second);
	step(world, second);
	struct raw_process *raw = source_fake_add(world->fake, 20, world->now.boottime_ns + second / 2);
	raw->cpu_time_ns = second / 4;
	step(world, second);
	const struct rh_process *process = record(world, 20, false);
	assert_int_equal(process->flags, RH_PROCESS_new);
	assert_near(process->cpu_pct, 25, 1e-4);
	assert_int_equal(world->result.appeared, 1);
	step(world, second);
	assert_int_equal(record(world, 20, false)->flags, 0);
}

static void an_overlooked_process_has_no_rates_at_first(void **state)
{
	struct world *world = *state;
	step(world, second);
	struct raw_process *raw = source_fake_add(world->fake, 20, second);
	raw->cpu_time_ns = 4000 * second;
	step(world, second);
	assert_int_equal(record(world, 20, false)->flags, RH_PROCESS_new);
	assert_false(rh_has(record(world, 20, false)->present, RH_F_cpu_pct));
	step(world, second);
	assert_near(record(world, 20, false)->cpu_pct, 0, 0);
	assert_true(rh_has(record(world, 20, false)->present, RH_F_cpu_pct));
}

static void the_dead_appear_once_more(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, second);
	struct raw_process *raw = source_fake_add(world->fake, 20, second);
	source_fake_add(world->fake, 30, second);
	raw->cpu_time_ns = 3 * second;
	step(world, second);
	source_fake_remove(world->fake, 20);
	step(world, second);
	assert_int_equal(world->result.count, 3);
	assert_int_equal(world->result.exited, 1);
	const struct rh_process *process = record(world, 20, true);
	assert_int_equal(process->cpu_time_ns, 3 * second);
	assert_string_equal(process->command, "fake20");
	assert_false(rh_has(process->present, RH_F_cpu_pct));
	step(world, second);
	assert_int_equal(world->result.count, 2);
	assert_int_equal(world->result.exited, 0);
}

/* Regression 8: the same pid, another process. */
static void a_reused_pid_is_another_process(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	raw->cpu_time_ns = 100 * second;
	step(world, second);
	raw->start_time_ns = world->now.boottime_ns + second / 10;
	raw->cpu_time_ns = second / 10;
	step(world, second);
	assert_int_equal(world->result.count, 2);
	assert_int_equal(world->result.clamped, 0);
	assert_near(record(world, 10, false)->cpu_pct, 10, 1e-4);
	assert_int_equal(record(world, 10, false)->flags, RH_PROCESS_new);
	assert_int_equal(record(world, 10, true)->cpu_time_ns, 100 * second);
}

/* Regression 9: an unreadable start time is unknown, not different. */
static void an_unknown_start_is_no_other_process(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	step(world, second);
	raw->present[0] &= ~(UINT64_C(1) << RH_F_start_time_ns);
	raw->start_time_ns = 0;
	raw->cpu_time_ns += second / 2;
	step(world, second);
	assert_int_equal(world->result.count, 1);
	assert_near(record(world, 10, false)->cpu_pct, 50, 1e-4);
}

/* Regression 10 and 11: no rates over a suspend; the sample after is as usual. */
static void no_rates_over_a_suspend(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	step(world, second);
	raw->cpu_time_ns += second;
	step_with(world, second, 3600 * second, true);
	assert_false(rh_has(record(world, 10, false)->present, RH_F_cpu_pct));
	assert_int_equal(record(world, 10, false)->flags, 0);
	raw->cpu_time_ns += second;
	step_with(world, second, MOMENT_SUSPEND_NS / 2, true);
	assert_near(record(world, 10, false)->cpu_pct, 100, 1e-3);
}

static void who_is_missing_in_a_cut_list_is_not_dead(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, second);
	source_fake_add(world->fake, 20, second);
	step(world, second);
	source_fake_remove(world->fake, 20);
	step_with(world, second, 0, false);
	assert_int_equal(world->result.count, 1);
	assert_int_equal(world->result.exited, 0);
}

static void zombies_are_counted_at_their_parent(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, second);
	for (uint32_t pid = 100; pid < 103; pid++) {
		struct raw_process *child = source_fake_add(world->fake, pid, second);
		child->ppid = 10;
		child->state = pid == 102 ? RH_STATE_running : RH_STATE_zombie;
	}
	source_fake_add(world->fake, 200, second)->state = RH_STATE_zombie; /* its parent is not listed */
	step(world, second);
	assert_int_equal(record(world, 10, false)->zombie_children_count, 2);
	assert_int_equal(record(world, 100, false)->zombie_children_count, 0);
}

/* A source with an exit hook reports the end itself, with the last values: rates as usual, and no second farewell. */
static void a_reported_exit_is_the_last_record(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, second);
	step(world, second);
	raw->flags = RH_PROCESS_exited;
	raw->cpu_time_ns += second / 2;
	step(world, second);
	assert_near(record(world, 10, true)->cpu_pct, 50, 1e-4);
	assert_int_equal(world->result.exited, 1);
	source_fake_remove(world->fake, 10);
	step(world, second);
	assert_int_equal(world->result.count, 0);
}

/* Whatever order the source lists in, and whoever comes and goes: each keeps its own counters. */
static void any_order_finds_everybody(void **state)
{
	struct world *world = *state;
	srand(3);
	for (uint32_t pid = 1; pid <= 500; pid++)
		source_fake_add(world->fake, pid * 7, second + pid);
	step(world, second);
	for (unsigned round = 0; round < 50; round++) {
		struct source_fake *fake = world->fake;
		for (unsigned i = 0; i < 20; i++)
			source_fake_remove(fake, fake->processes[(uint32_t)rand() % fake->count].pid);
		for (uint32_t i = 0; i < fake->count && round % 2; i++) {
			uint32_t other = (uint32_t)rand() % fake->count;
			struct raw_process swapped = fake->processes[i];
			fake->processes[i] = fake->processes[other];
			fake->processes[other] = swapped;
		}
		for (uint32_t i = 0; i < fake->count; i++)
			fake->processes[i].cpu_time_ns += fake->processes[i].pid * UINT64_C(100000);
		for (uint32_t i = 0; i < 20; i++)
			source_fake_add(fake, 10000 + round * 20 + i, world->now.boottime_ns);
		step(world, second);
		assert_int_equal(world->result.exited, 20);
		assert_int_equal(world->result.appeared, 20);
		for (uint32_t i = 0; i < world->result.count; i++) {
			const struct rh_process *process = &world->records[i];
			bool is_steady = (process->flags & (RH_PROCESS_exited | RH_PROCESS_new)) == 0;
			assert_near(is_steady ? process->cpu_pct : 0, is_steady ? process->pid * 0.01 : 0, 1e-3);
		}
	}
	assert_int_equal(world->result.clamped, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(counters_become_rates_over_the_real_time),
	        TEST(first_sample_has_levels_but_no_rates),
	        TEST(absent_stays_absent),
	        TEST(a_counter_that_becomes_known_has_no_rate_yet),
	        TEST(counters_that_run_backwards_give_nothing),
	        TEST(a_newborn_is_charged_with_all_it_used),
	        TEST(an_overlooked_process_has_no_rates_at_first),
	        TEST(the_dead_appear_once_more),
	        TEST(a_reused_pid_is_another_process),
	        TEST(an_unknown_start_is_no_other_process),
	        TEST(no_rates_over_a_suspend),
	        TEST(who_is_missing_in_a_cut_list_is_not_dead),
	        TEST(zombies_are_counted_at_their_parent),
	        TEST(a_reported_exit_is_the_last_record),
	        TEST(any_order_finds_everybody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
