/*
 * blame_io.c - io and memory blame in small worlds whose answers can be worked out by hand.
 */
#include "collector/blame_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/near.h"

enum { MOST = 4096, MIB = 1 << 20 };

static struct config config;
static struct pool pool;
static struct blame_io *blame;
static struct rh_process records[MOST];
static uint32_t count;
static struct rh_system rh_system;
static const struct span second = {.elapsed_ns = NS_PER_S, .begin_boottime_ns = 1, .comparable = true};

static int open_world(void **state)
{
	(void)state;
	config_defaults(&config);
	config.blame_window = 3;
	blame = blame_io_init(&pool, &config, MOST);
	memset(records, 0, sizeof(records));
	memset(&rh_system, 0, sizeof(rh_system));
	count = 0;
	return pool.failed ? -1 : 0;
}

static int close_world(void **state)
{
	(void)state;
	pool_release(&pool);
	return 0;
}

/* A process with everything at nothing. */
static struct rh_process *add(uint32_t pid)
{
	static const unsigned known[] = {RH_F_start_time_ns, RH_F_pid, RH_F_ppid, RH_F_flags, RH_F_command, RH_F_mem_bytes, RH_F_read_bytes,
	        RH_F_write_bytes, RH_F_disk_io_bytes, RH_F_disk_io_bytes_per_s, RH_F_pageins_per_s, RH_F_io_time_ms_per_s,
	        RH_F_blkio_delay_ms_per_s, RH_F_swapin_delay_ms_per_s, RH_F_reclaim_delay_ms_per_s, RH_F_thrashing_delay_ms_per_s,
	        RH_F_compaction_delay_ms_per_s, RH_F_brief_count};
	struct rh_process *record = &records[count++];
	memset(record, 0, sizeof(*record));
	record->pid = pid;
	record->ppid = 1;
	record->start_time_ns = pid * UINT64_C(1000);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		rh_set(record->present, known[i]);
	return record;
}

static struct rh_process *add_flusher(uint32_t pid, double io_time)
{
	struct rh_process *record = add(pid);
	record->flags = RH_PROCESS_kernel_thread;
	record->io_time_ms_per_s = (float)io_time;
	return record;
}

static void run(void)
{
	blame_io_run(blame, &second, records, count, &rh_system);
}

static double io_blame(const struct rh_process *record)
{
	assert_true(rh_has(record->present, RH_F_io_blame_ms_per_s));
	return (double)record->io_blame_ms_per_s;
}

static double mem_blame(const struct rh_process *record)
{
	assert_true(rh_has(record->present, RH_F_mem_blame_ms_per_s));
	return (double)record->mem_blame_ms_per_s;
}

/* ---- io ---- */

static void who_has_the_disk_is_blamed(void **state)
{
	(void)state;
	struct rh_process *hog = add(10), *victim = add(11), *bystander = add(12);
	hog->io_time_ms_per_s = 900;
	hog->blkio_delay_ms_per_s = 950;
	victim->io_time_ms_per_s = 100;
	victim->blkio_delay_ms_per_s = 800;
	run();
	assert_near(io_blame(hog), 720, 1e-3);   /* 800 * 900 / 1000 */
	assert_near(io_blame(victim), 95, 1e-3); /* 950 * 100 / 1000 */
	assert_near(io_blame(bystander), 0, 0);
	assert_near(rh_system.io_delay_ms_per_s, 1750, 1e-3);
	assert_true(rh_has(rh_system.present, RH_S_io_delay_ms_per_s));
}

static void nobody_is_blamed_for_his_own_waiting(void **state)
{
	(void)state;
	struct rh_process *alone = add(10);
	add(11);
	alone->io_time_ms_per_s = 990;
	alone->blkio_delay_ms_per_s = 990;
	run();
	assert_near(io_blame(alone), 0, 1e-6);
	assert_near(io_blame(&records[1]), 0, 1e-6);
}

static void a_disk_that_did_next_to_nothing_explains_no_more(void **state)
{
	(void)state;
	struct rh_process *small = add(10), *waiting = add(11), *crowd = add(12);
	small->io_time_ms_per_s = 20;
	waiting->blkio_delay_ms_per_s = 1000; /* one thread, for a file server perhaps */
	run();
	assert_near(io_blame(small), 20, 1e-3);
	waiting->blkio_delay_ms_per_s = 0;
	crowd->blkio_delay_ms_per_s = 4000; /* four threads: each of them while the disk was busy */
	run();
	assert_near(io_blame(small), 80, 1e-3);
}

static void blame_is_never_more_than_the_waiting(void **state)
{
	(void)state;
	srand(5);
	for (unsigned round = 0; round < 200; round++) {
		double blamed = 0;
		count = 0;
		for (uint32_t i = 0; i < 40; i++) {
			struct rh_process *record = add(10 + i);
			record->io_time_ms_per_s = rand() % 3 ? (float)(rand() % 60) : 0;
			record->blkio_delay_ms_per_s = rand() % 2 ? (float)(rand() % 3000) : 0;
			record->reclaim_delay_ms_per_s = (float)(rand() % 500);
			record->mem_bytes = (uint64_t)(rand() % 100) * MIB;
		}
		run();
		for (uint32_t i = 0; i < count; i++)
			blamed += io_blame(&records[i]);
		assert_true(blamed <= (double)rh_system.io_delay_ms_per_s * (1 + 1e-5));
		blamed = 0;
		for (uint32_t i = 0; i < count; i++)
			blamed += mem_blame(&records[i]);
		assert_true(blamed <= (double)rh_system.mem_delay_ms_per_s * (1 + 1e-5));
	}
}

static void what_is_not_known_is_absent(void **state)
{
	(void)state;
	struct rh_process *record = add(10);
	record->present[0] = record->present[1] = 0;
	rh_set(record->present, RH_F_pid);
	run();
	assert_false(rh_has(record->present, RH_F_io_blame_ms_per_s));
	assert_false(rh_has(record->present, RH_F_mem_blame_ms_per_s));
	assert_false(rh_has(rh_system.present, RH_S_io_delay_ms_per_s));
	assert_false(rh_has(rh_system.present, RH_S_mem_delay_ms_per_s));
}

static void no_blame_across_a_suspend(void **state)
{
	(void)state;
	struct rh_process *record = add(10);
	const struct span suspended = {.elapsed_ns = NS_PER_S, .comparable = false};
	record->io_time_ms_per_s = 500;
	add(11)->blkio_delay_ms_per_s = 500;
	blame_io_run(blame, &suspended, records, count, &rh_system);
	assert_false(rh_has(record->present, RH_F_io_blame_ms_per_s));
}

/* ---- writeback ---- */

static void writeback_is_charged_to_who_dirtied(void **state)
{
	(void)state;
	struct rh_process *much = add(10), *little = add(11), *reader = add(12), *victim = add(13);
	add_flusher(2, 0);
	run();
	much->write_bytes += 300 * MIB;
	little->write_bytes += 100 * MIB;
	reader->read_bytes += 900 * MIB;
	records[4].io_time_ms_per_s = 800;
	victim->blkio_delay_ms_per_s = 500;
	run();
	assert_near(much->io_time_ms_per_s, 600, 1e-3);
	assert_near(little->io_time_ms_per_s, 200, 1e-3);
	assert_near(reader->io_time_ms_per_s, 0, 0);
	assert_near(records[4].io_time_ms_per_s, 0, 1e-3);
	assert_near(io_blame(much), 375, 1e-2); /* 500 ms of waiting, three quarters of it */
	assert_near(io_blame(little), 125, 1e-2);
	assert_near(io_blame(&records[4]), 0, 1e-3);
}

static void the_dirt_of_the_dead_is_their_parents(void **state)
{
	(void)state;
	struct rh_process *shell = add(10), *timeout = add(20), *dd = add(21), *other = add(30);
	timeout->ppid = 10;
	dd->ppid = 20;
	add_flusher(2, 0);
	run();
	dd->write_bytes = 300 * MIB;
	other->write_bytes = 100 * MIB;
	run();
	/* both are gone in one sample */
	timeout->flags = dd->flags = RH_PROCESS_exited;
	run();
	records[1] = *other;
	records[2] = records[4];
	count = 3;
	shell->io_time_ms_per_s = 0;
	records[2].io_time_ms_per_s = 400;
	run();
	assert_near(shell->io_time_ms_per_s, 300, 0.5);
	assert_near(records[1].io_time_ms_per_s, 100, 0.5);
}

static void the_dirt_of_an_orphan_is_nobodys(void **state)
{
	(void)state;
	struct rh_process *writer = add(10), *small = add(11);
	add(1);
	add_flusher(2, 0);
	run();
	writer->write_bytes = 300 * MIB;
	small->write_bytes = 100 * MIB;
	run();
	writer->flags = RH_PROCESS_exited;
	run();
	records[0] = records[3];
	count = 3;
	records[0].io_time_ms_per_s = 400;
	run();
	assert_near(small->io_time_ms_per_s, 100, 0.5);
	assert_near(records[0].io_time_ms_per_s, 300, 0.5); /* stays with the flusher */
	assert_near(records[2].io_time_ms_per_s, 0, 0);     /* not with init */
}

static void dirtying_is_forgotten_when_it_is_written(void **state)
{
	(void)state;
	struct rh_process *early = add(10), *late = add(11);
	rh_set(rh_system.present, RH_S_dirty_bytes);
	rh_system.dirty_bytes = 0;
	run();
	early->write_bytes = 100 * MIB;
	rh_system.dirty_bytes = 100 * MIB;
	run();
	/* for half a minute nothing is written: nothing is forgotten */
	for (unsigned i = 0; i < 30; i++)
		run();
	late->write_bytes = 100 * MIB;
	rh_system.dirty_bytes = 200 * MIB;
	add_flusher(2, 100);
	run();
	assert_near(early->io_time_ms_per_s, 50, 0.5);
	assert_near(late->io_time_ms_per_s, 50, 0.5);
	/* all is written, and time goes by: what is dirtied now counts */
	rh_system.dirty_bytes = 0;
	for (unsigned i = 0; i < 30; i++)
		run();
	late->write_bytes += 10 * MIB;
	early->io_time_ms_per_s = late->io_time_ms_per_s = 0;
	records[2].io_time_ms_per_s = 100;
	run();
	assert_near(late->io_time_ms_per_s, 100, 0.5);
}

static void children_that_came_and_went_dirtied_for_their_parent(void **state)
{
	(void)state;
	struct rh_process *shell = add(10), *other = add(11);
	add_flusher(2, 0);
	run();
	shell->brief_count = 20;
	shell->disk_io_bytes_per_s = 30 * MIB; /* none of it is in its own counters */
	other->write_bytes = other->disk_io_bytes = 10 * MIB;
	other->disk_io_bytes_per_s = 10 * MIB;
	records[2].io_time_ms_per_s = 400;
	run();
	assert_near(shell->io_time_ms_per_s, 300, 0.1);
	assert_near(other->io_time_ms_per_s, 100, 0.1);
}

/* ---- memory ---- */

static void who_grows_is_blamed_who_is_big_is_not(void **state)
{
	(void)state;
	struct rh_process *grows = add(10), *big = add(11), *victim = add(12);
	big->mem_bytes = 8000 * (uint64_t)MIB;
	run();
	grows->mem_bytes = 792 * (uint64_t)MIB;
	victim->reclaim_delay_ms_per_s = 100;
	victim->thrashing_delay_ms_per_s = 200;
	victim->swapin_delay_ms_per_s = 300;
	victim->compaction_delay_ms_per_s = 400;
	run();
	assert_near(mem_blame(grows), 990, 0.01); /* 792 of 800 MiB; 8 MiB are nobody's */
	assert_near(mem_blame(big), 0, 0);
	assert_near(mem_blame(victim), 0, 0);
	assert_near(rh_system.mem_delay_ms_per_s, 1000, 1e-3);
}

static void each_cause_has_its_weight(void **state)
{
	(void)state;
	struct rh_process *grows = add(10), *dirties = add(11), *faults = add(12), *victim = add(13);
	run();
	grows->mem_bytes = 64 * MIB;
	dirties->write_bytes = 128 * MIB;
	faults->pageins_per_s = 4096; /* 16 KiB each: 64 MiB */
	victim->reclaim_delay_ms_per_s = 200;
	run();
	assert_near(mem_blame(grows), 64, 0.01); /* of 64 + 64 + 64 and 8 MiB */
	assert_near(mem_blame(dirties), 64, 0.01);
	assert_near(mem_blame(faults), 64, 0.01);
}

static void a_hog_that_waits_for_itself_blames_nobody(void **state)
{
	(void)state;
	struct rh_process *hog = add(10), *logger = add(11);
	run();
	hog->mem_bytes = 1000 * (uint64_t)MIB;
	hog->reclaim_delay_ms_per_s = 900;
	logger->write_bytes = 4096;
	run();
	assert_near(mem_blame(hog), 0, 1e-3);
	assert_true(mem_blame(logger) < 0.01);
}

static void growth_is_remembered_for_the_window(void **state)
{
	(void)state;
	struct rh_process *grew = add(10), *victim = add(11);
	run();
	grew->mem_bytes = 1000 * (uint64_t)MIB;
	run();
	victim->thrashing_delay_ms_per_s = 500;
	run();                                                  /* one second later */
	assert_near(mem_blame(grew), 500 * 716.5 / 724.5, 0.1); /* 1000 MiB * exp(-1/3) */
	for (unsigned i = 0; i < 30; i++)
		run();
	assert_true(mem_blame(grew) < 5);
}

static void a_fork_has_not_grown(void **state)
{
	(void)state;
	struct rh_process *parent = add(10), *victim = add(11);
	parent->mem_bytes = 2000 * (uint64_t)MIB;
	run();
	struct rh_process *child = add(12), *fresh = add(13);
	child->ppid = 10;
	child->mem_bytes = 2000 * (uint64_t)MIB; /* all of it shared with its parent */
	fresh->ppid = 11;
	fresh->mem_bytes = 92 * MIB;
	child->flags = fresh->flags = RH_PROCESS_new;
	victim->reclaim_delay_ms_per_s = 100;
	run();
	assert_near(mem_blame(child), 0, 1e-3);
	assert_near(mem_blame(fresh), 92, 1e-3);
}

static void swapping_out_is_charged_to_who_grew(void **state)
{
	(void)state;
	struct rh_process *grows = add(10), *dirties = add(11);
	struct rh_process *swapper = add_flusher(2, 0);
	memcpy(swapper->command, "kswapd0", 8);
	run();
	grows->mem_bytes = 792 * (uint64_t)MIB;
	dirties->write_bytes = 4096;
	swapper->io_time_ms_per_s = 100;
	run();
	assert_near(grows->io_time_ms_per_s, 99, 0.01);
	assert_near(dirties->io_time_ms_per_s, 0, 0.01);
	assert_near(swapper->io_time_ms_per_s, 1, 0.01);
}

/* ---- knowing processes again ---- */

static void a_pid_that_is_used_again_is_another_process(void **state)
{
	(void)state;
	struct rh_process *first = add(10);
	first->write_bytes = 500 * (uint64_t)MIB;
	add_flusher(2, 0);
	run();
	first->start_time_ns++;
	first->flags = 0; /* overlooked when it began: what it did before now is not known */
	first->write_bytes = 900 * (uint64_t)MIB;
	records[1].io_time_ms_per_s = 100;
	run();
	assert_near(first->io_time_ms_per_s, 0, 0);
	assert_near(records[1].io_time_ms_per_s, 100, 0);
}

static void any_order_will_do(void **state)
{
	(void)state;
	enum { PROCESSES = 2000 };
	srand(11);
	for (uint32_t i = 0; i < PROCESSES; i++)
		add(100 + i);
	add_flusher(2, 0);
	run();
	for (unsigned round = 0; round < 5; round++) {
		for (uint32_t i = count - 1; i > 0; i--) {
			uint32_t j = (uint32_t)rand() % (i + 1);
			struct rh_process swap = records[i];
			records[i] = records[j];
			records[j] = swap;
		}
		uint64_t all = 0;
		for (uint32_t i = 0; i < count; i++) {
			records[i].io_time_ms_per_s = records[i].pid == 2 ? 500 : 0;
			records[i].write_bytes += records[i].pid * UINT64_C(100);
			all += records[i].pid == 2 ? 0 : records[i].pid;
		}
		run();
		for (uint32_t i = 0; i < count; i++)
			if (records[i].pid != 2)
				assert_near(records[i].io_time_ms_per_s, 500.0 * records[i].pid / (double)all, 1e-3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(who_has_the_disk_is_blamed, open_world, close_world),
	        cmocka_unit_test_setup_teardown(nobody_is_blamed_for_his_own_waiting, open_world, close_world),
	        cmocka_unit_test_setup_teardown(a_disk_that_did_next_to_nothing_explains_no_more, open_world, close_world),
	        cmocka_unit_test_setup_teardown(blame_is_never_more_than_the_waiting, open_world, close_world),
	        cmocka_unit_test_setup_teardown(what_is_not_known_is_absent, open_world, close_world),
	        cmocka_unit_test_setup_teardown(no_blame_across_a_suspend, open_world, close_world),
	        cmocka_unit_test_setup_teardown(writeback_is_charged_to_who_dirtied, open_world, close_world),
	        cmocka_unit_test_setup_teardown(the_dirt_of_the_dead_is_their_parents, open_world, close_world),
	        cmocka_unit_test_setup_teardown(the_dirt_of_an_orphan_is_nobodys, open_world, close_world),
	        cmocka_unit_test_setup_teardown(dirtying_is_forgotten_when_it_is_written, open_world, close_world),
	        cmocka_unit_test_setup_teardown(children_that_came_and_went_dirtied_for_their_parent, open_world, close_world),
	        cmocka_unit_test_setup_teardown(who_grows_is_blamed_who_is_big_is_not, open_world, close_world),
	        cmocka_unit_test_setup_teardown(each_cause_has_its_weight, open_world, close_world),
	        cmocka_unit_test_setup_teardown(a_hog_that_waits_for_itself_blames_nobody, open_world, close_world),
	        cmocka_unit_test_setup_teardown(growth_is_remembered_for_the_window, open_world, close_world),
	        cmocka_unit_test_setup_teardown(a_fork_has_not_grown, open_world, close_world),
	        cmocka_unit_test_setup_teardown(swapping_out_is_charged_to_who_grew, open_world, close_world),
	        cmocka_unit_test_setup_teardown(a_pid_that_is_used_again_is_another_process, open_world, close_world),
	        cmocka_unit_test_setup_teardown(any_order_will_do, open_world, close_world),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
