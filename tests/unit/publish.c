/*
 * publish.c - what a frame holds, on a real ring of an instance of its own: order, rogues, cut records, and a new ring where the old one
 * was taken away (regression 19).
 */
#include "collector/publish.h"

#include "base/clock.h"
#include "rogue/reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1048576, ROWS = 20000 };
static const uint64_t interval_ns = 200 * (uint64_t)NS_PER_MS;

struct world {
	char instance[32], segment[80];
	struct config config;
	struct pool pool;
	struct publish publish;
	struct rh_process *records;
	float *scores;
	uint32_t *pids;
	struct rh_system system;
};

static int setup(void **state)
{
	static struct world world;
	memset(&world, 0, sizeof(world));
	config_defaults(&world.config);
	world.config.ring_min_mib = world.config.ring_max_mib = 4;
	world.config.ring_history = 1;
	snprintf(world.instance, sizeof(world.instance), "test-publish-%d", (int)getpid());
	assert_int_equal(rh_segment_name(world.instance, world.segment), RH_OK);
	world.records = pool_take(&world.pool, ROWS, sizeof(*world.records));
	world.scores = pool_take(&world.pool, ROWS, sizeof(float));
	world.pids = pool_take(&world.pool, ROWS, sizeof(uint32_t));
	assert_false(world.pool.failed);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	publish_close(&world->publish);
	pool_release(&world->pool);
	return 0;
}

static void open_ring(struct world *world, uint32_t processes)
{
	struct publish_options options = {
	        .config = &world->config,
	        .instance = world->instance,
	        .interval_ns = interval_ns,
	        .processes = processes,
	        .capacity = ROWS,
	        .group = UINT32_MAX,
	};
	assert_int_equal(publish_open(&world->publish, &options, &world->pool), 0);
}

/* Row i: pid descending, score i modulo 50, each field of the record told as present. */
static void publish_rows(struct world *world, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		world->pids[i] = count - i;
		world->scores[i] = (float)(i % 50);
		world->records[i] = (struct rh_process){
		        .present = {UINT64_MAX, UINT64_MAX}, .pid = world->pids[i], .score = world->scores[i], .threads_count = i + 1};
	}
	struct publish_batch batch = {world->records, world->scores, world->pids, count, count + 5};
	world->system = (struct rh_system){.boottime_ns = clock_now_ns(CLOCK_BOOTTIME)};
	assert_int_equal(publish_sample(&world->publish, &world->system, &batch, interval_ns), 0);
}

static struct rh_ring *attach(struct world *world, struct rh_view *ret_view)
{
	struct rh_ring *ring;
	assert_int_equal(rh_open(world->instance, &ring, NULL), RH_OK);
	assert_int_equal(rh_latest(ring, ret_view), RH_OK);
	return ring;
}

static void arena_follows_history_and_limits(void **state)
{
	struct world *world = *state;
	struct config *config = &world->config;
	config_defaults(config);
	uint64_t memory = UINT64_C(64) << 30;
	assert_int_equal(publish_arena_bytes(config, interval_ns, memory, 100), 64 * MIB);
	/* 150 frames, a quarter more, of half as many processes again */
	uint64_t frame = ring_frame_bytes(3000, sizeof(struct rh_process));
	assert_int_equal(publish_arena_bytes(config, interval_ns, memory, 2000), 150 * frame * 5 / 4);
	assert_int_equal(publish_arena_bytes(config, interval_ns, memory, 100000), 512 * MIB);
	assert_int_equal(publish_arena_bytes(config, interval_ns, UINT64_C(1) << 30, 100000), (1 << 30) / 50);
	assert_int_equal(publish_arena_bytes(config, interval_ns, UINT64_C(1) << 26, 100), 4 * MIB);
	assert_int_equal(publish_arena_bytes(config, interval_ns, 0, 100), 64 * MIB);
}

static void shape_keeps_the_history(void **state)
{
	(void)state;
	const uint64_t frames = 150, arena = 64 * MIB;
	for (uint32_t count = 0; count <= 40000; count += 37) {
		struct publish_shape shape = publish_shape(arena, count, frames);
		uint64_t bytes = ring_frame_bytes(shape.keep, shape.stride);
		assert_true(shape.keep <= count);
		assert_true(bytes * (frames + 1) <= arena || shape.keep == RH_TOP_BY_SCORE);
		if (ring_frame_bytes(count, sizeof(struct rh_process)) * (frames + 1) <= arena)
			assert_int_equal(shape.stride, sizeof(struct rh_process));
		else
			assert_int_equal(shape.stride, RH_PROCESS_HOT_BYTES);
		if (shape.keep < count) /* not one record too few */
			assert_true(ring_frame_bytes(shape.keep + 1, shape.stride) * (frames + 1) > arena);
	}
}

/* An arena far too small still takes the highest scores, and a frame never more than half of it. */
static void shape_never_fails(void **state)
{
	(void)state;
	struct publish_shape shape = publish_shape(4 * MIB, 31000, 100000);
	assert_int_equal(shape.keep, RH_TOP_BY_SCORE);
	shape = publish_shape(16384, 31000, 1);
	assert_true(shape.keep > 0 && ring_frame_bytes(shape.keep, shape.stride) <= 8192);
}

static void highest_scores_come_first_then_pids(void **state)
{
	struct world *world = *state;
	struct rh_view view;
	open_ring(world, 300);
	publish_rows(world, 300);
	struct rh_ring *ring = attach(world, &view);
	assert_int_equal(view.count, 300);
	assert_int_equal(view.total, 305);
	assert_int_equal(view.stride, sizeof(struct rh_process));
	for (uint32_t i = 1; i < view.count; i++) {
		if (i < RH_TOP_BY_SCORE)
			assert_true(view.scores[i - 1] >= view.scores[i]);
		else if (i > RH_TOP_BY_SCORE)
			assert_true(view.pids[i - 1] < view.pids[i]);
		assert_int_equal(view.pids[i], rh_record(&view, i)->pid);
		assert_int_equal(rh_record(&view, i)->threads_count, 301 - view.pids[i]);
	}
	assert_true(rh_valid(&view));
	rh_close(&ring);
}

static void rogues_are_the_first_records(void **state)
{
	struct world *world = *state;
	struct rh_view view;
	open_ring(world, 100);
	publish_rows(world, 100);
	struct rh_ring *ring = attach(world, &view);
	/* 40 .. 49 twice are at or above the medium band: 20, which is as many as are reported */
	assert_int_equal(view.system.rogue_count, 20);
	assert_true(view.scores[19] >= 40 && view.scores[20] < 40);
	rh_close(&ring);

	world->publish.rogues_max = 7;
	publish_rows(world, 100);
	assert_int_equal(world->system.rogue_count, 7);
	publish_rows(world, 30);
	assert_int_equal(world->system.rogue_count, 0);
}

static void too_many_processes_are_cut_openly(void **state)
{
	struct world *world = *state;
	struct rh_view view;
	open_ring(world, 100);
	publish_rows(world, 4000);
	assert_int_equal(world->system.degraded, RH_DEGRADED_short_records);
	publish_rows(world, ROWS);
	assert_int_equal(world->system.degraded, RH_DEGRADED_short_records | RH_DEGRADED_fewer_records);
	struct rh_ring *ring = attach(world, &view);
	assert_in_range(view.count, RH_TOP_BY_SCORE, ROWS - 1);
	assert_int_equal(view.total, ROWS + 5);
	assert_int_equal(view.stride, RH_PROCESS_HOT_BYTES);
	for (uint32_t i = 0; i < view.count; i++) {
		const struct rh_process *record = rh_record(&view, i);
		assert_true(view.scores[i] >= 49 - (float)view.count / (ROWS / 50.0F) - 1);
		assert_true(rh_has(record->present, RH_F_score) && rh_has(record->present, RH_F_runnable_ms_per_s));
		assert_false(rh_has(record->present, RH_F_cgroup_id) || rh_has(record->present, RH_F_zombie_children_count));
	}
	rh_close(&ring);
}

/* Regression 19: the name is gone (RemoveIPC), or leads elsewhere. The next sample is in a new ring under it. */
static void a_ring_taken_away_is_replaced_within_one_sample(void **state)
{
	struct world *world = *state;
	struct rh_view view;
	open_ring(world, 10);
	publish_rows(world, 10);
	struct rh_ring *old = attach(world, &view);
	assert_int_equal(shm_unlink(world->segment), 0);
	publish_rows(world, 10);
	assert_int_equal(rh_writer_status(old), RH_CLOSED);
	struct rh_ring *ring = attach(world, &view);
	assert_int_equal(view.sample, 1);
	assert_int_equal(rh_writer_status(ring), RH_RUNNING);
	assert_int_equal(world->publish.rings, 2);
	publish_rows(world, 10);
	assert_int_equal(rh_newest(ring), 2);
	rh_close(&ring);
	rh_close(&old);
}

/* Two that take the name from each other in turns would serve nobody: the later one waits until the name is free. */
static void a_living_writer_keeps_its_name(void **state)
{
	struct world *world = *state;
	struct ring_writer *other;
	char error[256];
	open_ring(world, 10);
	publish_rows(world, 10);
	assert_int_equal(ring_create(&world->publish.ring, &other, error), 0); /* as if it had been started with force */
	struct publish_batch batch = {world->records, world->scores, world->pids, 10, 10};
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(publish_sample(&world->publish, &world->system, &batch, interval_ns), -EEXIST);
	assert_int_equal(world->publish.rings, 1);
	assert_true(strlen(world->publish.error) > 0);
	ring_close(&other);
	assert_int_equal(publish_sample(&world->publish, &world->system, &batch, interval_ns), 0);
	assert_int_equal(world->publish.rings, 2);
}

/* Shared memory that is full is not filled and emptied again with every sample. */
static void a_full_memory_is_tried_now_and_then(void **state)
{
	struct world *world = *state;
	open_ring(world, 10);
	publish_rows(world, 10);
	const struct ring_options fitting = world->publish.ring;
	struct publish_batch batch = {world->records, world->scores, world->pids, 10, 10};
	assert_int_equal(shm_unlink(world->segment), 0);
	world->publish.ring.arena_bytes = world->publish.ring.min_arena_bytes = UINT64_C(1) << 60;
	assert_int_equal(publish_sample(&world->publish, &world->system, &batch, interval_ns), -ENOSPC);
	world->publish.ring = fitting;
	unsigned refused = 0;
	while (publish_sample(&world->publish, &world->system, &batch, interval_ns) != 0) {
		assert_non_null(strstr(world->publish.error, "full"));
		refused++;
		assert_true(refused < 100);
	}
	assert_int_equal(refused, 16);
	assert_int_equal(world->publish.rings, 2);
}

/* The sample carries the moment at which its making began, which may be long ago on a machine in trouble. */
static void a_slow_sample_is_no_hang(void **state)
{
	struct world *world = *state;
	struct rh_view view;
	open_ring(world, 10);
	publish_rows(world, 10);
	struct rh_ring *ring = attach(world, &view);
	world->system.boottime_ns = clock_now_ns(CLOCK_BOOTTIME) - 30 * (uint64_t)NS_PER_S;
	struct publish_batch batch = {world->records, world->scores, world->pids, 10, 10};
	ring_heartbeat(world->publish.writer, world->system.boottime_ns);
	assert_int_equal(rh_writer_status(ring), RH_HUNG);
	assert_int_equal(publish_sample(&world->publish, &world->system, &batch, interval_ns), 0);
	assert_int_equal(rh_writer_status(ring), RH_RUNNING);
	ring_heartbeat(world->publish.writer, world->system.boottime_ns);
	publish_heartbeat(&world->publish);
	assert_int_equal(rh_writer_status(ring), RH_RUNNING);
	rh_close(&ring);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(arena_follows_history_and_limits),
	        TEST(shape_keeps_the_history),
	        TEST(shape_never_fails),
	        TEST(highest_scores_come_first_then_pids),
	        TEST(rogues_are_the_first_records),
	        TEST(too_many_processes_are_cut_openly),
	        TEST(a_ring_taken_away_is_replaced_within_one_sample),
	        TEST(a_living_writer_keeps_its_name),
	        TEST(a_full_memory_is_tried_now_and_then),
	        TEST(a_slow_sample_is_no_hang),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
