/* meter_drm_scan.c - who uses gpus, in a folder that looks like /proc: clients held more than once, passed on, closed; processes that come and go. */
#include "collector/meters/drm_scan.h"
#include "tests/support/procfs_tree.h"

#include "base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_PROCESSES = 256 };

struct world {
	struct procfs_tree tree;
	struct drm_scan *scan;
	struct gpu_result *result;
};

static atomic_bool stop;

static void process_put(struct world *world, uint32_t pid, uint64_t start_ticks)
{
	struct procfs_tree_process process = procfs_tree_process(pid, "draws");
	process.start_ticks = start_ticks;
	procfs_tree_put(&world->tree, &process);
	char path[64];
	snprintf(path, sizeof(path), "%u/fd/.keep", pid); /* its folder */
	procfs_tree_write(&world->tree, path, "-");
}

static void descriptor_put(struct world *world, uint32_t pid, uint32_t number, const char *target, const char *text)
{
	char path[512], link[512];
	snprintf(path, sizeof(path), "%u/fdinfo/%u", pid, number);
	procfs_tree_write(&world->tree, path, "%s", text);
	snprintf(link, sizeof(link), "%s/%u/fd/%u", world->tree.root, pid, number);
	unlink(link);
	assert_int_equal(symlink(target, link), 0);
}

/* A descriptor of the i915 at 02.0, or another gpu where the client id is above 100. */
static void client_put(struct world *world, uint32_t pid, uint32_t number, uint32_t client, uint64_t render_ns, uint64_t video_ns)
{
	char text[512];
	snprintf(text, sizeof(text),
	        "pos:\t0\ndrm-driver:\ti915\ndrm-client-id:\t%u\ndrm-pdev:\t0000:0%u:02.0\ndrm-engine-render:\t%llu ns\n"
	        "drm-engine-video:\t%llu ns\ndrm-engine-capacity-video:\t2\n",
	        client % 100, client / 100, (unsigned long long)render_ns, (unsigned long long)video_ns);
	descriptor_put(world, pid, number, "/dev/dri/renderD128", text);
}

static void descriptor_remove(struct world *world, uint32_t pid, uint32_t number)
{
	char path[64];
	snprintf(path, sizeof(path), "%u/fd/%u", pid, number);
	procfs_tree_remove(&world->tree, path);
	snprintf(path, sizeof(path), "%u/fdinfo/%u", pid, number);
	procfs_tree_remove(&world->tree, path);
}

static void process_remove(struct world *world, uint32_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "%u", pid);
	procfs_tree_remove(&world->tree, path);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char error[256];
	assert_non_null(world);
	world->result = calloc(1, sizeof(*world->result));
	assert_non_null(world->result);
	assert_int_equal(procfs_tree_open(&world->tree), 0);
	assert_int_equal(drm_scan_new(world->tree.root, MAX_PROCESSES, (uint64_t)NS_PER_S * 60, &world->scan, error), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	drm_scan_free(world->scan);
	procfs_tree_close(&world->tree);
	free(world->result);
	free(world);
	return 0;
}

static void look(struct world *world)
{
	memset(world->result, 0, sizeof(*world->result));
	world->result->busy_ratio = NAN;
	drm_scan_look(world->scan, &stop, world->result);
	for (uint32_t i = 1; i < world->result->count; i++)
		assert_true(world->result->users[i - 1].pid < world->result->users[i].pid);
}

/* Gpu time of a process, -1 if it is no user. */
static int64_t time_of(const struct world *world, uint32_t pid)
{
	for (uint32_t i = 0; i < world->result->count; i++) {
		if (world->result->users[i].pid == pid)
			return (int64_t)world->result->users[i].time_ns;
	}
	return -1;
}

static void only_users_are_found(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	process_put(world, 20, 2000);
	process_put(world, 30, 3000);
	client_put(world, 20, 5, 1, 700, 30);
	descriptor_put(world, 10, 3, "/dev/null", "pos:\t0\n");
	descriptor_put(world, 30, 3, "/home/x/card9", "pos:\t0\nflags:\t0100002\n"); /* a file that is named like one */
	descriptor_put(world, 30, 4, "anon_inode:[eventfd]", "eventfd-count: 0\n");
	descriptor_put(world, 30, 5, "/dev/dri/renderD128x", "drm-driver: i915\ndrm-client-id: 9\ndrm-engine-render: 5 ns\n");
	look(world);
	assert_int_equal(world->result->count, 1);
	assert_int_equal(time_of(world, 20), 730);
	assert_true(world->result->users[0].start_time_ns == 2000 * (uint64_t)NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	assert_true(world->result->tells);
	assert_true(isnan(world->result->busy_ratio)); /* of one look nothing is known */
	client_put(world, 20, 5, 1, 1700, 30);
	look(world);
	assert_int_equal(time_of(world, 20), 1730);
	assert_true(!isnan(world->result->busy_ratio));
	assert_true(world->result->busy_ratio >= 0 && world->result->busy_ratio <= 1);
}

static void the_device_may_lie_anywhere(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	descriptor_put(world, 10, 3, "/var/lib/container/gpu/card0", "drm-driver: amdgpu\ndrm-client-id: 1\ndrm-engine-gfx: 5 ns\n");
	look(world);
	assert_int_equal(time_of(world, 10), 5);
}

static void duplicates_count_once(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	process_put(world, 20, 2000);
	client_put(world, 10, 5, 1, 100, 0);
	client_put(world, 10, 6, 1, 100, 0); /* dup() */
	client_put(world, 20, 5, 1, 100, 0); /* passed on, or inherited */
	client_put(world, 20, 6, 101, 7, 0); /* the same number on another gpu is another client */
	look(world);
	assert_int_equal(time_of(world, 10), 100);
	assert_int_equal(time_of(world, 20), 7);
	client_put(world, 10, 6, 1, 150, 0); /* read at different moments */
	client_put(world, 20, 5, 1, 160, 0);
	client_put(world, 10, 5, 1, 150, 0);
	look(world);
	assert_int_equal(time_of(world, 10), 150);
	assert_int_equal(time_of(world, 20), 7);
}

/* The one who is left gets what comes, not what was. */
static void a_client_is_passed_on(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	process_put(world, 20, 2000);
	client_put(world, 10, 5, 1, 1000, 0);
	client_put(world, 20, 5, 1, 1000, 0);
	look(world);
	assert_int_equal(time_of(world, 20), 0);
	descriptor_remove(world, 10, 5);
	for (int i = 0; i < 3; i++)
		look(world);
	client_put(world, 20, 5, 1, 1500, 0);
	look(world);
	assert_int_equal(time_of(world, 10), 1000); /* who stops keeps what it had */
	assert_int_equal(time_of(world, 20), 500);
	process_remove(world, 10);
	look(world);
	assert_int_equal(time_of(world, 10), -1);
	assert_int_equal(time_of(world, 20), 500);
}

static void a_pid_used_again_is_another_process(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	client_put(world, 10, 5, 1, 1000, 0);
	look(world);
	process_remove(world, 10);
	process_put(world, 10, 5000);
	client_put(world, 10, 5, 2, 30, 0);
	look(world);
	assert_int_equal(time_of(world, 10), 30);
}

static void counters_that_step_back_count_once(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	const uint64_t values[] = {1000, 900, 950, 1100};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		client_put(world, 10, 5, 1, values[i], 0);
		look(world);
		assert_int_equal(time_of(world, 10), i == 3 ? 1100 : 1000);
	}
}

/* A process that could not be read for a moment has not used all of its time anew. */
static void a_gap_counts_once(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	client_put(world, 10, 5, 1, 1000, 0);
	look(world);
	descriptor_remove(world, 10, 5);
	look(world);
	client_put(world, 10, 5, 1, 1200, 0);
	look(world);
	assert_int_equal(time_of(world, 10), 1200);
}

/* Of 1000 cycles that passed, 250 were this client's: a quarter of the time between the looks. */
static void cycles_are_a_part_of_the_time(void **state)
{
	struct world *world = *state;
	const char *const texts[] = {
	        "drm-driver: xe\ndrm-client-id: 1\ndrm-cycles-rcs: 500\ndrm-total-cycles-rcs: 10000\n",
	        "drm-driver: xe\ndrm-client-id: 1\ndrm-cycles-rcs: 750\ndrm-total-cycles-rcs: 11000\n",
	};
	process_put(world, 10, 1000);
	descriptor_put(world, 10, 3, "/dev/dri/renderD128", texts[0]);
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	look(world);
	uint64_t between_ns = clock_now_ns(CLOCK_MONOTONIC);
	assert_int_equal(time_of(world, 10), 0);
	descriptor_put(world, 10, 3, "/dev/dri/renderD128", texts[1]);
	usleep(20000); /* so that there is some time to divide */
	uint64_t slept_ns = clock_now_ns(CLOCK_MONOTONIC) - between_ns;
	look(world);
	uint64_t most_ns = clock_now_ns(CLOCK_MONOTONIC) - begin_ns;
	assert_in_range(time_of(world, 10), slept_ns / 4, most_ns / 4 + 1);
	assert_true(world->result->busy_ratio > 0 && world->result->busy_ratio <= 1);
}

static void cycles_at_the_highest_frequency(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	descriptor_put(
	        world, 10, 3, "/dev/dri/renderD128", "drm-driver: msm\ndrm-client-id: 1\ndrm-cycles-gpu: 500\ndrm-maxfreq-gpu: 500 MHz\n");
	look(world);
	assert_int_equal(time_of(world, 10), 1000);
}

static void a_busy_engine_of_two_is_half(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	client_put(world, 10, 5, 1, 0, 0);
	look(world);
	client_put(world, 10, 5, 1, 0, (uint64_t)NS_PER_S * 3600); /* more than there was time for */
	look(world);
	assert_true(fabs(world->result->busy_ratio - 1) < 1e-9);
	look(world);
	assert_true(fabs(world->result->busy_ratio) < 1e-9);
}

/* A driver that does not tell is absent, not zero. */
static void a_driver_that_does_not_tell(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	descriptor_put(world, 10, 3, "/dev/dri/renderD128", "drm-driver: virtio_gpu\ndrm-client-id: 1\ndrm-total-memory: 5 KiB\n");
	look(world);
	look(world);
	assert_int_equal(world->result->count, 0);
	assert_false(world->result->tells);
	assert_true(isnan(world->result->busy_ratio));
}

static void nobody_uses_it(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	look(world);
	look(world);
	assert_int_equal(world->result->count, 0);
	assert_true(world->result->tells);
	assert_true(fabs(world->result->busy_ratio) < 1e-9);
}

/* With no time for it, each look still takes one more of the others, so all are found in the end; and who is known is read every time. */
static void a_small_budget_goes_round(void **state)
{
	struct world *world = *state;
	char error[256];
	enum { COUNT = 20 };
	drm_scan_free(world->scan);
	assert_int_equal(drm_scan_new(world->tree.root, MAX_PROCESSES, 0, &world->scan, error), 0);
	for (uint32_t pid = 1; pid <= COUNT; pid++) {
		process_put(world, pid, pid);
		client_put(world, pid, 3, pid, 10, 0);
	}
	look(world);
	assert_true(world->result->count < COUNT);
	for (uint32_t i = 0; i < 2 * COUNT; i++)
		look(world);
	assert_int_equal(world->result->count, COUNT);
	client_put(world, 7, 3, 7, 15, 0);
	look(world);
	assert_int_equal(time_of(world, 7), 15);
}

/* A process that begins is looked at before the others. */
static void the_young_come_first(void **state)
{
	struct world *world = *state;
	for (uint32_t pid = 100; pid < 150; pid++)
		process_put(world, pid, pid);
	look(world);
	process_put(world, 200, 900);
	look(world);
	client_put(world, 200, 3, 1, 10, 0); /* opened a little after its start */
	look(world);
	assert_int_equal(time_of(world, 200), 10);
}

static void garbage_is_survived(void **state)
{
	struct world *world = *state;
	process_put(world, 10, 1000);
	process_put(world, 20, 1000);
	procfs_tree_write(&world->tree, "20/stat", "20 (x");
	descriptor_put(world, 10, 3, "/dev/dri/card0", "drm-driver: \x01\x02\ndrm-client-id: 1\ndrm-engine-render: 5 ns\n");
	descriptor_put(world, 10, 4, "/dev/dri/card0", "drm-driver: i915\ndrm-client-id: 1\ndrm-engine-render: 99999999999999999999 ns\n");
	descriptor_put(world, 20, 4, "/dev/dri/card0", "drm-driver: i915\ndrm-client-id: 2\ndrm-engine-render: 5 ns\n");
	procfs_tree_write(&world->tree, "30", "no folder");
	procfs_tree_write(&world->tree, "4294967297/stat", "x");
	look(world);
	look(world);
	assert_int_equal(world->result->count, 0);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        WORLD_TEST(only_users_are_found),
	        WORLD_TEST(the_device_may_lie_anywhere),
	        WORLD_TEST(duplicates_count_once),
	        WORLD_TEST(a_client_is_passed_on),
	        WORLD_TEST(a_pid_used_again_is_another_process),
	        WORLD_TEST(counters_that_step_back_count_once),
	        WORLD_TEST(a_gap_counts_once),
	        WORLD_TEST(cycles_are_a_part_of_the_time),
	        WORLD_TEST(cycles_at_the_highest_frequency),
	        WORLD_TEST(a_busy_engine_of_two_is_half),
	        WORLD_TEST(a_driver_that_does_not_tell),
	        WORLD_TEST(nobody_uses_it),
	        WORLD_TEST(a_small_budget_goes_round),
	        WORLD_TEST(the_young_come_first),
	        WORLD_TEST(garbage_is_survived),
	};
#undef WORLD_TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
