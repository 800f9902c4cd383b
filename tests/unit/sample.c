/*
 * sample.c - a whole sample over a source of the test's making: what is scored, what adds up, what a failing source leaves, and that nothing is
 * allocated.
 */
#include "collector/sample.h"

#include "tests/support/allocations.h"
#include "tests/support/source_fake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/near.h"

enum { CAPACITY = 4096 };
static const uint64_t interval_ns = 200 * (uint64_t)NS_PER_MS;

struct world {
	struct config config;
	struct pool pool;
	struct source_fake *fake;
	struct sample sample;
	struct moment now;
};

static int setup(void **state)
{
	static struct world world;
	memset(&world, 0, sizeof(world));
	config_defaults(&world.config);
	world.fake = source_fake_new();
	sample_open(&world.sample, &world.config, &world.fake->source, &world.pool, CAPACITY);
	assert_false(world.pool.failed);
	world.now = (struct moment){.monotonic_ns = 100 * (uint64_t)NS_PER_S, .boottime_ns = 900 * (uint64_t)NS_PER_S};
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

static int take(struct world *world)
{
	return sample_take(&world->sample, &world->now, interval_ns / 10);
}

/* Lets one interval pass, with the cpus busy to that part, and takes the sample. */
static void pass(struct world *world, double busy_ratio)
{
	world->now.monotonic_ns += interval_ns;
	world->now.boottime_ns += interval_ns;
	source_fake_pass(world->fake, interval_ns, busy_ratio);
	assert_int_equal(take(world), 0);
}

static const struct rh_process *record(const struct world *world, uint32_t pid)
{
	for (uint32_t i = 0; i < world->sample.count; i++)
		if (world->sample.records[i].pid == pid)
			return &world->sample.records[i];
	fail_msg("no record of pid %u", pid);
	return NULL;
}

/* So much cpu and waiting in this interval, in percent of it. */
static void use(struct raw_process *raw, double cpu_pct, double waiting_pct)
{
	raw->cpu_time_ns += (uint64_t)((double)interval_ns * cpu_pct / 100);
	raw->runnable_time_ns += (uint64_t)((double)interval_ns * waiting_pct / 100);
}

static void first_sample_is_discontinuous(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, NS_PER_S);
	assert_int_equal(take(world), 0);
	assert_int_equal(world->sample.system.discontinuous, 1);
	assert_false(rh_has(world->sample.system.present, RH_S_elapsed_ns));
	assert_true(rh_has(record(world, 10)->present, RH_F_score));
	assert_false(rh_has(record(world, 10)->present, RH_F_cpu_share));
	pass(world, 0);
	assert_int_equal(world->sample.system.discontinuous, 0);
	assert_int_equal(world->sample.system.elapsed_ns, interval_ns);
	assert_true(rh_has(record(world, 10)->present, RH_F_cpu_share));
}

static void lone_hog_is_medium_and_machine_at_ease(void **state)
{
	struct world *world = *state;
	struct raw_process *hog = source_fake_add(world->fake, 10, NS_PER_S);
	for (uint32_t pid = 20; pid < 220; pid++)
		source_fake_add(world->fake, pid, NS_PER_S);
	assert_int_equal(take(world), 0);
	use(hog, 100, 0);
	pass(world, 0.25);
	assert_int_equal(record(world, 10)->band, RH_BAND_medium);
	assert_int_equal(record(world, 10)->dominant_resource, RH_RESOURCE_cpu);
	assert_near(world->sample.system.max_score, 45, 0.01);
	assert_int_equal(world->sample.system.stress, RH_STRESS_normal);
	assert_near(world->sample.system.cpu_processes_ratio, 0.25, 1e-4);
	assert_near(world->sample.system.cpu_unattributed_ratio, 0, 1e-4);
}

/* Eight hogs on four cpus and a few light sleepers that wait for them: critical, because others waited. */
static void hogs_that_make_others_wait_are_critical(void **state)
{
	struct world *world = *state;
	for (uint32_t pid = 10; pid < 18; pid++)
		source_fake_add(world->fake, pid, NS_PER_S);
	for (uint32_t pid = 100; pid < 120; pid++)
		source_fake_add(world->fake, pid, NS_PER_S);
	assert_int_equal(take(world), 0);
	for (uint32_t i = 0; i < world->fake->count; i++) {
		struct raw_process *raw = &world->fake->processes[i];
		bool is_hog = raw->pid < 100;
		use(raw, is_hog ? 49 : 0.4, is_hog ? 50 : 8);
	}
	pass(world, 1);
	double blame = 0, waiting = 0;
	for (uint32_t i = 0; i < world->sample.count; i++) {
		const struct rh_process *process = &world->sample.records[i];
		assert_true(rh_has(process->present, RH_F_cpu_blame_ms_per_s));
		blame += (double)process->cpu_blame_ms_per_s;
		waiting += (double)process->runnable_ms_per_s;
		if (process->pid < 100)
			assert_int_equal(process->band, RH_BAND_critical);
		else
			assert_int_equal(process->band, RH_BAND_low);
	}
	assert_near(blame, waiting, waiting * 1e-5);
	assert_int_equal(world->sample.system.stress, RH_STRESS_critical);
	assert_near(world->sample.system.cpu_contention_ratio, 1, 1e-6);
}

static void hogs_among_themselves_are_not_critical(void **state)
{
	struct world *world = *state;
	for (uint32_t pid = 10; pid < 18; pid++)
		source_fake_add(world->fake, pid, NS_PER_S);
	assert_int_equal(take(world), 0);
	for (uint32_t i = 0; i < 8; i++)
		use(&world->fake->processes[i], 50, 50);
	pass(world, 1);
	assert_true(world->sample.system.max_score < (float)world->config.bands_medium);
	assert_near(record(world, 10)->cpu_blame_ms_per_s, 500, 0.01);
	assert_near(record(world, 10)->harm_score, 0, 0.01);
}

/* A source that measures blame is believed. */
static void measured_blame_is_published_as_it_is(void **state)
{
	struct world *world = *state;
	struct raw_process *hog = source_fake_add(world->fake, 10, NS_PER_S);
	struct raw_process *victim = source_fake_add(world->fake, 20, NS_PER_S);
	rh_set(hog->present, RH_F_cpu_blame_ms_per_s);
	rh_set(victim->present, RH_F_cpu_blame_ms_per_s);
	assert_int_equal(take(world), 0);
	use(hog, 90, 0);
	use(victim, 0, 50);
	hog->cpu_blame_ns += interval_ns / 2;
	pass(world, 0.3);
	assert_near(record(world, 10)->cpu_blame_ms_per_s, 500, 0.01);
	assert_near(record(world, 20)->cpu_blame_ms_per_s, 0, 0);
	assert_near(record(world, 10)->harm_score, 10 * log2(501), 0.01);
}

/* A shell that runs one short command after another: none of them is in any sample, all they use is the shell's. */
static void a_shell_of_short_commands_is_seen(void **state)
{
	struct world *world = *state;
	struct raw_process words[60];
	source_fake_add(world->fake, 1, 1);
	source_fake_add(world->fake, 100, NS_PER_S);
	world->fake->tick.signals = UINT64_C(1) << RH_SIGNAL_last_words;
	assert_int_equal(take(world), 0);
	for (uint32_t i = 0; i < 60; i++) {
		words[i] = source_fake_words(
		        1000 + i, 100, world->now.boottime_ns + 3 * i * NS_PER_MS, world->now.boottime_ns + 3 * i * NS_PER_MS + 1);
		words[i].cpu_time_ns = 3 * (uint64_t)NS_PER_MS;
		words[i].cpu_blame_ns = NS_PER_MS;
		words[i].runnable_time_ns = NS_PER_MS;
	}
	world->fake->tick.ended = words;
	world->fake->tick.ended_count = 60;
	world->fake->tick.events_lost = 3;
	pass(world, 0.225);
	const struct rh_process *shell = record(world, 100);
	const struct rh_system *system = &world->sample.system;
	assert_near(shell->cpu_pct, 90, 0.01);
	assert_near(shell->brief_cpu_pct, 90, 0.01);
	assert_int_equal(shell->brief_count, 60);
	assert_near(shell->score, 0.9 * world->config.score_use_cap, 0.1);
	assert_int_equal(shell->band, RH_BAND_medium);
	assert_near(shell->runnable_ms_per_s, 300, 0.1);
	assert_int_equal(world->sample.count, 2 + world->config.sampling_brief_records);
	assert_int_equal(system->brief_processes_count, 60);
	assert_int_equal(system->degraded, RH_DEGRADED_fewer_last_words);
	assert_int_equal(system->new_count + system->exited_count, 0);
	assert_near(system->brief_cpu_ratio, 0.225, 1e-5);
	assert_near(system->cpu_processes_ratio, 0.225, 1e-5);
	assert_near(system->cpu_unattributed_ratio, 0, 1e-5);
	assert_near(system->run_delay_ms_per_s, 300, 0.1);
	assert_int_equal(system->events_lost_count, 3);
	assert_int_equal(system->lost_count, 3);
	struct publish_batch batch = sample_batch(&world->sample);
	assert_int_equal(batch.total, world->sample.count);
}

/* Who ended within the interval is judged by what he did in it, and holds no memory any more. */
static void a_hog_that_ended_has_its_score(void **state)
{
	struct world *world = *state;
	struct raw_process *hog = source_fake_add(world->fake, 10, NS_PER_S);
	hog->anon_bytes = UINT64_C(8) << 30;
	source_fake_add(world->fake, 20, NS_PER_S);
	assert_int_equal(take(world), 0);
	struct raw_process words = source_fake_words(10, 1, NS_PER_S, world->now.boottime_ns + interval_ns);
	words.cpu_time_ns = hog->cpu_time_ns + interval_ns;
	source_fake_remove(world->fake, 10);
	world->fake->tick.ended = &words;
	world->fake->tick.ended_count = 1;
	pass(world, 0.25);
	assert_near(record(world, 10)->cpu_pct, 100, 0.01);
	assert_near(record(world, 10)->score, world->config.score_use_cap, 0.01);
	assert_near(record(world, 10)->mem_share, 0, 0);
	assert_near(world->sample.system.cpu_unattributed_ratio, 0, 1e-5);
	assert_int_equal(world->sample.system.exited_count, 1);
}

/* Rates are over the time between the moments that the values are of. */
static void the_source_knows_the_moment(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, NS_PER_S);
	world->fake->tick.taken_boottime_ns = world->now.boottime_ns + 10 * (uint64_t)NS_PER_MS;
	assert_int_equal(take(world), 0);
	assert_int_equal(world->sample.system.monotonic_ns, world->now.monotonic_ns + 10 * (uint64_t)NS_PER_MS);
	raw->cpu_time_ns += 100 * (uint64_t)NS_PER_MS;
	world->fake->tick.taken_boottime_ns = world->now.boottime_ns + interval_ns + 50 * (uint64_t)NS_PER_MS;
	pass(world, 0);
	assert_int_equal(world->sample.system.elapsed_ns, interval_ns + 40 * (uint64_t)NS_PER_MS);
	assert_near(record(world, 10)->cpu_pct, 100.0 * 100 / 240, 1e-3);
}

static uint64_t add_energy(void *context, uint64_t elapsed_ns, struct raw_process *processes, uint32_t count, struct raw_system *system)
{
	uint64_t *seen_ns = context;
	(void)system;
	*seen_ns = elapsed_ns;
	for (uint32_t i = 0; i < count; i++) {
		processes[i].energy_uj += 1000;
		rh_set(processes[i].present, RH_F_energy_uj);
	}
	return UINT64_C(1) << RH_SIGNAL_energy;
}

static void what_meters_add_is_published(void **state)
{
	struct world *world = *state;
	uint64_t seen_ns = 1;
	source_fake_add(world->fake, 10, NS_PER_S);
	world->sample.add = add_energy;
	world->sample.add_context = &seen_ns;
	assert_int_equal(take(world), 0);
	assert_int_equal(seen_ns, 0);
	pass(world, 0);
	assert_int_equal(seen_ns, interval_ns);
	assert_int_equal(record(world, 10)->energy_uj, 1000);
	assert_true((world->sample.system.signals >> RH_SIGNAL_energy & 1) != 0);
}

static void without_run_delays_there_is_no_blame(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, NS_PER_S);
	raw->present[RH_F_runnable_time_ns / 64] &= ~(UINT64_C(1) << RH_F_runnable_time_ns % 64);
	assert_int_equal(take(world), 0);
	use(raw, 100, 0);
	pass(world, 0.25);
	assert_false(rh_has(record(world, 10)->present, RH_F_cpu_blame_ms_per_s));
	assert_true(rh_has(record(world, 10)->present, RH_F_harm_score));
}

/* Who is gone takes no share of what is left. */
static void the_dead_use_nothing(void **state)
{
	struct world *world = *state;
	for (uint32_t pid = 10; pid < 12; pid++) {
		struct raw_process *raw = source_fake_add(world->fake, pid, NS_PER_S);
		raw->anon_bytes = UINT64_C(4) << 30;
	}
	assert_int_equal(take(world), 0);
	assert_near(record(world, 11)->mem_share, 1, 1e-5);
	source_fake_remove(world->fake, 10);
	pass(world, 0);
	assert_int_equal(world->sample.system.process_count, 2);
	assert_int_equal(world->sample.system.exited_count, 1);
	assert_near(record(world, 10)->score, 0, 0);
	assert_int_equal(record(world, 10)->mem_bytes, UINT64_C(4) << 30);
	assert_near(record(world, 11)->mem_share, 1, 1e-5);
}

/* A tick that fails is no sample: the next one spans both intervals, and nobody is taken for dead. */
static void a_failing_source_loses_nothing(void **state)
{
	struct world *world = *state;
	struct raw_process *raw = source_fake_add(world->fake, 10, NS_PER_S);
	assert_int_equal(take(world), 0);
	use(raw, 100, 0);
	world->now.monotonic_ns += interval_ns;
	world->now.boottime_ns += interval_ns;
	world->fake->result = -EIO;
	assert_int_equal(take(world), -EIO);
	world->fake->result = 0;
	pass(world, 0);
	assert_int_equal(world->sample.system.elapsed_ns, 2 * interval_ns);
	assert_near(record(world, 10)->cpu_pct, 50, 1e-3);
	assert_int_equal(world->sample.system.exited_count, 0);
}

static void what_the_source_reports_is_passed_on(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, NS_PER_S)->state = RH_STATE_stuck;
	world->fake->tick = (struct source_tick){.unreadable = 3, .dropped = 7, .degraded = RH_DEGRADED_fewer_files, .discontinuous = true};
	assert_int_equal(take(world), 0);
	pass(world, 0);
	const struct rh_system *system = &world->sample.system;
	assert_int_equal(system->unreadable_count, 3);
	assert_int_equal(system->lost_count, 14);
	assert_int_equal(system->process_count, 8);
	assert_int_equal(sample_batch(&world->sample).total, 8);
	assert_int_equal(system->degraded, RH_DEGRADED_fewer_files);
	assert_int_equal(system->discontinuous, 1);
	assert_int_equal(system->stuck_count, 1);
	assert_int_equal(system->sampler, RH_SAMPLER_procfs);
}

/* A thousand samples with processes that come, go, work and die, published: not one allocation. */
static void sampling_allocates_nothing(void **state)
{
	struct world *world = *state;
	struct publish publish;
	char instance[40];
	world->config.ring_min_mib = world->config.ring_max_mib = 4;
	for (uint32_t pid = 1; pid <= 1000; pid++)
		source_fake_add(world->fake, pid, NS_PER_S)->state = pid % 100 ? RH_STATE_sleeping : RH_STATE_zombie;
	assert_int_equal(take(world), 0);
	snprintf(instance, sizeof(instance), "test-sample-%d", (int)getpid());
	struct publish_options options = {
	        .config = &world->config,
	        .instance = instance,
	        .interval_ns = interval_ns,
	        .processes = 1000,
	        .capacity = 2 * CAPACITY,
	        .group = UINT32_MAX,
	};
	assert_int_equal(publish_open(&publish, &options, &world->pool), 0);

	unsigned long before = allocations;
	for (uint32_t round = 0; round < 1000; round++) {
		source_fake_remove(world->fake, world->fake->processes[round % 1000].pid);
		source_fake_add(world->fake, 2000 + round, world->now.boottime_ns);
		for (uint32_t i = 0; i < 50; i++)
			use(&world->fake->processes[(round + i * 13) % 1000], 5, 5);
		pass(world, 0.5);
		struct publish_batch batch = sample_batch(&world->sample);
		assert_int_equal(publish_sample(&publish, &world->sample.system, &batch, interval_ns), 0);
	}
	unsigned long after = allocations;
	publish_close(&publish);
	assert_int_equal(after - before, 0);
	/* The counter is no stub: this one is seen. */
	char *volatile seen = strdup("seen");
	assert_true(allocations > after);
	free(seen);
}

/* Kernel threads and those whose wait was over long ago are no victims; who ended in the interval is one. */
static void longest_waits_are_of_processes(void **state)
{
	struct world *world = *state;
	const unsigned pids[] = {10, 11, 12, 13};
	for (unsigned i = 0; i < 4; i++)
		source_fake_add(world->fake, pids[i], NS_PER_S);
	assert_int_equal(take(world), 0);
	assert_false(rh_has(world->sample.system.present, RH_S_longest_run_wait_ns));
	assert_false(rh_has(world->sample.system.present, RH_S_longest_stuck_wait_ns));
	for (unsigned i = 0; i < 4; i++) {
		struct raw_process *raw = source_fake_find(world->fake, pids[i]);
		rh_set(raw->present, RH_F_run_wait_max_ns);
		raw->run_wait_max_ns = (float)(i + 1) * 1e6f;
	}
	source_fake_find(world->fake, 12)->flags |= RH_PROCESS_kernel_thread;
	source_fake_find(world->fake, 13)->state = RH_STATE_zombie;
	pass(world, 0);
	assert_true(rh_has(world->sample.system.present, RH_S_longest_run_wait_ns));
	assert_false(rh_has(world->sample.system.present, RH_S_longest_stuck_wait_ns));
	assert_near(world->sample.system.longest_run_wait_ns, 2e6, 1);

	struct raw_process words = source_fake_words(10, 1, NS_PER_S, world->now.boottime_ns + interval_ns / 2);
	rh_set(words.present, RH_F_run_wait_max_ns);
	words.run_wait_max_ns = 7e6f;
	world->fake->tick.ended = &words;
	world->fake->tick.ended_count = 1;
	source_fake_remove(world->fake, 10);
	pass(world, 0);
	assert_near(world->sample.system.longest_run_wait_ns, 7e6, 1);
	world->fake->tick.ended_count = 0;
	pass(world, 0);
	assert_near(world->sample.system.longest_run_wait_ns, 2e6, 1);
}

/* What befell a process in the interval of its last but one sample is not to be read from its last record. */
static void the_gone_are_not_throttled(void **state)
{
	struct world *world = *state;
	source_fake_add(world->fake, 10, NS_PER_S)->flags |= RH_PROCESS_throttled;
	assert_int_equal(take(world), 0);
	assert_true(record(world, 10)->flags & RH_PROCESS_throttled);
	source_fake_remove(world->fake, 10);
	pass(world, 0);
	assert_true(record(world, 10)->flags & RH_PROCESS_exited);
	assert_false(record(world, 10)->flags & RH_PROCESS_throttled);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(first_sample_is_discontinuous),
	        TEST(lone_hog_is_medium_and_machine_at_ease),
	        TEST(hogs_that_make_others_wait_are_critical),
	        TEST(hogs_among_themselves_are_not_critical),
	        TEST(measured_blame_is_published_as_it_is),
	        TEST(a_shell_of_short_commands_is_seen),
	        TEST(a_hog_that_ended_has_its_score),
	        TEST(the_source_knows_the_moment),
	        TEST(what_meters_add_is_published),
	        TEST(without_run_delays_there_is_no_blame),
	        TEST(the_dead_use_nothing),
	        TEST(a_failing_source_loses_nothing),
	        TEST(what_the_source_reports_is_passed_on),
	        TEST(longest_waits_are_of_processes),
	        TEST(the_gone_are_not_throttled),
	        TEST(sampling_allocates_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
