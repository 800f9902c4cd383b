/*
 * ended.c - last words: the last record of who was known, and who is charged for those that came and went. Nothing counts twice, nothing is lost.
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

enum { CAPACITY = 256, BRIEF_RECORDS = 4, WORDS_MOST = 1000 };
static const uint64_t second = NS_PER_S, ms = NS_PER_MS;

struct world {
	struct pool pool;
	struct delta delta;
	struct rh_process *records;
	struct source_fake *fake;
	struct moment now;
	bool begun;
	struct delta_result result;
	struct raw_process words[WORDS_MOST];
	struct raw_brief briefs[4];
};

/* Init and a shell, in a machine that watches the ends of processes. */
static int setup(void **state)
{
	static struct world world;
	memset(&world, 0, sizeof(world));
	delta_init(&world.delta, &world.pool, CAPACITY, BRIEF_RECORDS);
	world.records = pool_take(&world.pool, delta_records_most(CAPACITY, BRIEF_RECORDS), sizeof(struct rh_process));
	assert_false(world.pool.failed);
	world.fake = source_fake_new();
	world.fake->tick.signals = UINT64_C(1) << RH_SIGNAL_last_words;
	world.fake->tick.ended = world.words;
	world.fake->tick.brief = world.briefs;
	world.now = (struct moment){.monotonic_ns = 1000 * second, .boottime_ns = 5000 * second};
	source_fake_add(world.fake, 1, 1);
	source_fake_add(world.fake, 100, 10 * second)->cpu_time_ns = 3 * second;
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

static void step(struct world *world, uint64_t elapsed_ns)
{
	struct moment before = world->now;
	world->now.monotonic_ns += elapsed_ns;
	world->now.boottime_ns += elapsed_ns;
	struct span span = moment_span(world->begun ? &before : NULL, &world->now);
	struct source_tick tick = world->fake->tick;
	tick.count = world->fake->count;
	memcpy(delta_incoming(&world->delta), world->fake->processes, world->fake->count * sizeof(struct raw_process));
	world->result = delta_run(&world->delta, &tick, &span, world->records);
	world->begun = true;
	world->fake->tick.ended_count = world->fake->tick.brief_count = 0;
}

/* One that will have ended with the next step, half a millisecond old unless `start` says otherwise. */
static struct raw_process *end(struct world *world, uint32_t pid, uint32_t ppid, uint64_t start_ns, uint64_t cpu_ns)
{
	assert_true(world->fake->tick.ended_count < WORDS_MOST);
	struct raw_process *words = &world->words[world->fake->tick.ended_count++];
	uint64_t end_ns = world->now.boottime_ns + ms;
	*words = source_fake_words(pid, ppid, start_ns ? start_ns : end_ns - ms / 2, end_ns);
	words->cpu_time_ns = cpu_ns;
	return words;
}

static const struct rh_process *record_or_null(const struct world *world, uint32_t pid, bool exited)
{
	for (uint32_t i = 0; i < world->result.count; i++) {
		const struct rh_process *process = &world->records[i];
		if (process->pid == pid && ((process->flags & RH_PROCESS_exited) != 0) == exited)
			return process;
	}
	return NULL;
}

static const struct rh_process *record(const struct world *world, uint32_t pid, bool exited)
{
	const struct rh_process *process = record_or_null(world, pid, exited);
	if (!process)
		fail_msg("no record of pid %u", pid);
	return process;
}

static double cpu_sum_pct(const struct world *world)
{
	double sum = 0;
	for (uint32_t i = 0; i < world->result.count; i++)
		if (rh_has(world->records[i].present, RH_F_cpu_pct))
			sum += (double)world->records[i].cpu_pct;
	return sum;
}

static void who_was_known_has_a_last_record_with_what_it_did(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 200, 20 * second);
	raw->ppid = 100;
	raw->cpu_time_ns = second;
	raw->anon_bytes = 5 << 20;
	step(world, second);
	source_fake_remove(world->fake, 200);
	struct raw_process *words = end(world, 200, 100, 20 * second, second + second / 10);
	words->read_bytes = 4096;
	words->minor_faults = 7;
	words->cpu_blame_ns = 1;
	step(world, second / 5);
	const struct rh_process *process = record(world, 200, true);
	assert_int_equal(process->flags, RH_PROCESS_exited);
	assert_int_equal(process->cpu_time_ns, second + second / 10);
	assert_near(process->cpu_pct, 50, 1e-4);
	assert_near(process->disk_io_bytes_per_s, 4096 * 5, 1e-2);
	assert_near(process->faults_per_s, 35, 1e-3);
	assert_int_equal(process->mem_bytes, 5 << 20);
	assert_string_equal(process->command, "ended200");
	assert_false(rh_has(process->present, RH_F_cpu_blame_ms_per_s)); /* not known of it before */
	assert_true(rh_has(process->present, RH_F_lifetime_ns));
	assert_near(process->lifetime_ns, (double)(words->end_time_ns - 20 * second), 1e6);
	assert_int_equal(world->result.count, 3);
	assert_int_equal(world->result.exited, 1);
	assert_int_equal(world->result.brief_count, 0);
	assert_near(world->result.cpu_ns, second / 10, 1);
	assert_near(record(world, 100, false)->cpu_pct, 0, 0);
	step(world, second / 5);
	assert_int_equal(world->result.count, 2);
}

static void a_shell_has_what_its_commands_used(void **state)
{
	struct world *world = *state;
	step(world, second);
	for (uint32_t i = 0; i < 3; i++) {
		struct raw_process *words = end(world, 500 + i, 100, 0, 20 * ms);
		words->runnable_time_ns = 2 * ms;
		words->read_bytes = 1000;
		words->write_bytes = 24;
		words->minor_faults = 90;
		words->major_faults = 10;
		words->syscalls = 5;
	}
	step(world, second / 5);
	const struct rh_process *shell = record(world, 100, false);
	assert_near(shell->cpu_pct, 30, 1e-4);
	assert_near(shell->brief_cpu_pct, 30, 1e-4);
	assert_int_equal(shell->brief_count, 3);
	assert_near(shell->runnable_ms_per_s, 30, 1e-4);
	assert_near(shell->disk_io_bytes_per_s, 15360, 1e-2);
	assert_near(shell->faults_per_s, 1500, 1e-2);
	assert_near(shell->pageins_per_s, 150, 1e-3);
	assert_near(shell->syscalls_per_s, 75, 1e-3);
	assert_int_equal(shell->cpu_time_ns, 3 * second); /* its own counters agree with /proc */
	assert_int_equal(shell->faults_count, 0);
	const struct rh_process *command = record(world, 501, true);
	assert_int_equal(command->flags, RH_PROCESS_new | RH_PROCESS_exited);
	assert_int_equal(command->cpu_time_ns, 20 * ms);
	assert_near(command->lifetime_ns, (double)ms / 2, 1);
	assert_false(rh_has(command->present, RH_F_cpu_pct));
	assert_int_equal(record(world, 1, false)->brief_count, 0);
	assert_int_equal(world->result.brief_count, 3);
	assert_false(world->result.fewer_briefs);
	assert_near(world->result.cpu_ns, 60 * ms, 1);
	assert_near(world->result.brief_cpu_ns, 60 * ms, 1);
	assert_int_equal(world->result.appeared + world->result.exited, 0);
	step(world, second / 5);
	assert_int_equal(world->result.count, 2);
	assert_near(record(world, 100, false)->cpu_pct, 0, 0);
	assert_int_equal(record(world, 100, false)->brief_count, 0);
}

/* make, its shell and the compiler are all gone: whoever started make is charged, in whatever order the ends are told. */
static void a_chain_of_ended_parents_leads_to_the_living(void **state)
{
	struct world *world = *state;
	step(world, second);
	for (unsigned order = 0; order < 2; order++) {
		for (uint32_t i = 0; i < 50; i++) {
			uint32_t depth = order ? 49 - i : i;
			end(world, 600 + depth, depth == 0 ? 100 : 599 + depth, world->now.boottime_ns + depth + 1, ms);
		}
		step(world, second / 10);
		assert_int_equal(record(world, 100, false)->brief_count, 50);
		assert_near(record(world, 100, false)->cpu_pct, 50, 1e-3);
		assert_near(cpu_sum_pct(world), 50, 1e-3);
	}
}

static void a_zombie_is_told_of_once(void **state)
{
	struct world *world = *state;
	step(world, second);
	struct raw_process *zombie = source_fake_add(world->fake, 300, world->now.boottime_ns + 1);
	zombie->ppid = 100;
	zombie->state = RH_STATE_zombie;
	zombie->cpu_time_ns = 10 * ms;
	end(world, 300, 100, zombie->start_time_ns, 10 * ms);
	/* Its child goes to who lives, past it. */
	end(world, 301, 300, world->now.boottime_ns + 2, 5 * ms);
	step(world, second / 10);
	assert_near(record(world, 300, false)->cpu_pct, 10, 1e-4);
	assert_null(record_or_null(world, 300, true));
	assert_near(record(world, 100, false)->cpu_pct, 5, 1e-4);
	assert_int_equal(record(world, 100, false)->zombie_children_count, 1);
	assert_near(world->result.cpu_ns, 15 * ms, 1);
	source_fake_remove(world->fake, 300);
	step(world, second / 10);
	assert_false(rh_has(record(world, 300, true)->present, RH_F_cpu_pct));
}

/* The parent's pid belongs to somebody who began later. */
static void a_reused_pid_is_nobodys_parent(void **state)
{
	struct world *world = *state;
	step(world, second);
	source_fake_add(world->fake, 400, world->now.boottime_ns + 50 * ms);
	end(world, 401, 400, world->now.boottime_ns + ms, 10 * ms);
	step(world, second / 10);
	assert_near(record(world, 400, false)->cpu_pct, 0, 0);
	assert_near(record(world, 1, false)->cpu_pct, 10, 1e-4);
}

static void a_circle_ends_at_the_first_process(void **state)
{
	struct world *world = *state;
	step(world, second);
	uint64_t start_ns = world->now.boottime_ns + 1;
	end(world, 500, 501, start_ns, ms);
	end(world, 501, 500, start_ns, ms);
	end(world, 502, 502, start_ns, ms);
	step(world, second / 10);
	assert_int_equal(record(world, 1, false)->brief_count, 3);
	assert_near(cpu_sum_pct(world), 3, 1e-4);
}

static void where_nobody_is_left_the_time_is_still_accounted_for(void **state)
{
	struct world *world = *state;
	source_fake_remove(world->fake, 1);
	step(world, second);
	end(world, 500, 499, 0, 30 * ms);
	step(world, second / 10);
	assert_near(record(world, 100, false)->cpu_pct, 0, 0);
	assert_int_equal(world->result.brief_count, 1);
	assert_near(world->result.cpu_ns, 30 * ms, 1);
}

static void the_largest_have_records(void **state)
{
	struct world *world = *state;
	step(world, second);
	for (uint32_t i = 0; i < 20; i++)
		end(world, 500 + i, 100, 0, (i * 7 % 20 + 1) * ms);
	step(world, second);
	uint32_t records = 0;
	for (uint32_t i = 0; i < world->result.count; i++) {
		const struct rh_process *process = &world->records[i];
		if (!(process->flags & RH_PROCESS_exited))
			continue;
		records++;
		assert_true(process->cpu_time_ns > (20 - BRIEF_RECORDS) * ms);
	}
	assert_int_equal(records, BRIEF_RECORDS);
	assert_true(world->result.fewer_briefs);
	assert_int_equal(record(world, 100, false)->brief_count, 20);
	assert_near(record(world, 100, false)->cpu_pct, 21, 1e-3);
}

/* Those without last words, and cpu time that came after them. */
static void sums_go_to_the_parent_too(void **state)
{
	struct world *world = *state;
	step(world, second);
	end(world, 500, 100, 0, 10 * ms);
	world->briefs[0] = (struct raw_brief){.ppid = 100, .count = 7, .cpu_time_ns = 70 * ms, .io_bytes = 4096, .faults = 40};
	world->briefs[1] = (struct raw_brief){.ppid = 500, .cpu_time_ns = 20 * ms};
	world->briefs[2] = (struct raw_brief){.ppid = 77777, .count = 1, .cpu_time_ns = 5 * ms};
	world->fake->tick.brief_count = 3;
	step(world, second);
	assert_int_equal(record(world, 100, false)->brief_count, 8);
	assert_near(record(world, 100, false)->brief_cpu_pct, 10, 1e-4);
	assert_near(record(world, 100, false)->disk_io_bytes_per_s, 4096, 1e-2);
	assert_near(record(world, 100, false)->faults_per_s, 40, 1e-3);
	assert_int_equal(record(world, 1, false)->brief_count, 1);
	assert_int_equal(world->result.brief_count, 9);
	assert_true(world->result.fewer_briefs);
	assert_near(world->result.cpu_ns, 105 * ms, 1);
}

static void without_the_signal_it_is_not_known(void **state)
{
	struct world *world = *state;
	world->fake->tick.signals = 0;
	step(world, second);
	step(world, second);
	assert_false(rh_has(record(world, 100, false)->present, RH_F_brief_count));
	assert_false(rh_has(record(world, 100, false)->present, RH_F_brief_cpu_pct));
	world->fake->tick.signals = UINT64_C(1) << RH_SIGNAL_last_words;
	step(world, second);
	assert_true(rh_has(record(world, 100, false)->present, RH_F_brief_count));
	assert_near(record(world, 100, false)->brief_cpu_pct, 0, 0);
}

static void a_first_sample_has_no_interval_to_charge(void **state)
{
	struct world *world = *state;
	end(world, 500, 100, 0, 10 * ms);
	step(world, second);
	assert_int_equal(world->result.count, 2);
	assert_false(rh_has(record(world, 100, false)->present, RH_F_brief_cpu_pct));
}

/* A storm of more than there is room to remember, in random families: what was used is what is shown. */
static void a_storm_adds_up(void **state)
{
	struct world *world = *state;
	srand(3);
	for (unsigned round = 0; round < 20; round++) {
		uint64_t used_ns = 0;
		step(world, second);
		uint32_t count = round == 0 ? WORDS_MOST : (uint32_t)rand() % WORDS_MOST;
		for (uint32_t i = 0; i < count; i++) {
			uint64_t cpu_ns = (uint64_t)rand() % ms;
			uint32_t parent = i == 0 || rand() % 3 == 0 ? 100 : 1000 + (uint32_t)rand() % i;
			end(world, 1000 + i, parent, world->now.boottime_ns + 1 + i / 2, cpu_ns);
			used_ns += cpu_ns;
		}
		step(world, second);
		assert_int_equal(world->result.brief_count, count);
		assert_int_equal(record(world, 100, false)->brief_count + record(world, 1, false)->brief_count, count);
		assert_near(world->result.cpu_ns, (double)used_ns, 1);
		assert_near(cpu_sum_pct(world), (double)used_ns * 100 / NS_PER_S, 1e-3);
		assert_true(world->result.count <= delta_records_most(CAPACITY, BRIEF_RECORDS));
	}
}

/* Who was known has his own last rate; for who came and went his living parent stands. */
static void blame_for_locks_outlives_the_holder(void **state)
{
	struct world *world = *state;
	struct raw_process *known = source_fake_add(world->fake, 200, 20 * second), *shell = source_fake_find(world->fake, 100);
	rh_set(known->present, RH_F_lock_blame_ms_per_s);
	rh_set(shell->present, RH_F_lock_blame_ms_per_s);
	known->lock_blame_ns = second;
	step(world, second);
	source_fake_remove(world->fake, 200);
	const struct {
		uint32_t pid;
		uint64_t start_ns, blame_ns;
	} ended[] = {{200, 20 * second, second + second / 2}, {300, 0, second / 4}};
	for (unsigned i = 0; i < 2; i++) {
		struct raw_process *words = end(world, ended[i].pid, 100, ended[i].start_ns, ms);
		words->lock_blame_ns = ended[i].blame_ns;
		rh_set(words->present, RH_F_lock_blame_ms_per_s);
	}
	step(world, second);
	assert_near(record(world, 200, true)->lock_blame_ms_per_s, 500, 1e-2);
	assert_near(record(world, 100, false)->lock_blame_ms_per_s, 250, 1e-2);
	assert_false(rh_has(record(world, 300, true)->present, RH_F_lock_blame_ms_per_s));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(who_was_known_has_a_last_record_with_what_it_did),
	        TEST(a_shell_has_what_its_commands_used),
	        TEST(a_chain_of_ended_parents_leads_to_the_living),
	        TEST(a_zombie_is_told_of_once),
	        TEST(a_reused_pid_is_nobodys_parent),
	        TEST(a_circle_ends_at_the_first_process),
	        TEST(where_nobody_is_left_the_time_is_still_accounted_for),
	        TEST(the_largest_have_records),
	        TEST(sums_go_to_the_parent_too),
	        TEST(without_the_signal_it_is_not_known),
	        TEST(a_first_sample_has_no_interval_to_charge),
	        TEST(a_storm_adds_up),
	        TEST(blame_for_locks_outlives_the_holder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
