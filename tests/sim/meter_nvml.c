/*
 * meter_nvml.c - gpu time by NVML, with a library of the test's own that looks like it (support/nvml_fake.c), found as the real one would be.
 *
 * The program starts itself anew with LD_LIBRARY_PATH pointing to that library.
 */
#include "collector/meters/gpu_nvml.h"
#include "tests/support/nvml_fake.h"
#include "tests/support/procfs_tree.h"

#include "base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PROCESSES = 3, PATIENCE_MS = 60000, NOT_SUPPORTED = 3, NOT_FOUND = 6, NOT_LOADED = 9 };

struct world {
	struct procfs_tree tree;
	char sys_root[300];
	struct config config;
	struct meter *meter;
	void *library;
	struct nvml_fake *fake;
	struct raw_process processes[PROCESSES];
	struct raw_system system;
	char error[256];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	assert_non_null(world);
	config_defaults(&world->config);
	world->config.meters_gpu_interval = 0.005;
	assert_int_equal(procfs_tree_open(&world->tree), 0);
	snprintf(world->sys_root, sizeof(world->sys_root), "%s/sys", world->tree.root);
	procfs_tree_write(&world->tree, "sys/module/nvidia/version", "1\n");
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct procfs_tree_process process = procfs_tree_process(10 + i * 10, "trains");
		procfs_tree_put(&world->tree, &process);
	}
	world->library = dlopen(NVML_FAKE_PATH, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(world->library);
	world->fake = dlsym(world->library, NVML_FAKE_SYMBOL);
	assert_non_null(world->fake);
	pthread_mutex_lock(&world->fake->mutex);
	world->fake->init_result = 0;
	world->fake->devices = NVML_FAKE_DEVICES;
	memset(world->fake->device, 0, sizeof(world->fake->device));
	world->fake->inits = world->fake->shutdowns = 0;
	pthread_mutex_unlock(&world->fake->mutex);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	if (world->meter != NULL)
		world->meter->operations->close(&world->meter);
	assert_int_equal(world->fake->shutdowns, world->fake->init_result == 0 ? world->fake->inits : 0);
	dlclose(world->library);
	procfs_tree_close(&world->tree);
	free(world);
	return 0;
}

static int world_open(struct world *world)
{
	const struct meter_options options = {
	        .config = &world->config, .proc_root = world->tree.root, .sys_root = world->sys_root, .max_processes = PROCESSES};
	return meter_gpu_nvml_open(&options, &world->meter, world->error);
}

/* One tick that takes over all that is known. */
static bool tick(struct world *world)
{
	memset(world->processes, 0, sizeof(world->processes));
	memset(&world->system, 0, sizeof(world->system));
	for (uint32_t i = 0; i < PROCESSES; i++) {
		world->processes[i].pid = 10 + i * 10;
		world->processes[i].start_time_ns = procfs_tree_process(world->processes[i].pid, "trains").start_ticks *
		                                    ((uint64_t)NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	}
	return world->meter->operations->tick(world->meter, (uint64_t)NS_PER_S * 3600, world->processes, PROCESSES, &world->system);
}

static int64_t time_of(const struct world *world, uint32_t index)
{
	const struct raw_process *process = &world->processes[index];
	return rh_has(process->present, RH_F_gpu_time_ns) ? (int64_t)process->gpu_time_ns : -1;
}

static void sample_put(struct world *world, unsigned device, unsigned pid, unsigned sm_pct, unsigned encoder_pct)
{
	unsigned at = world->fake->device[device].samples++;
	world->fake->device[device].sample[at].pid = pid;
	world->fake->device[device].sample[at].sm_pct = sm_pct;
	world->fake->device[device].sample[at].encoder_pct = encoder_pct;
}

/* Ticks until the first process has so much gpu time. */
static void tick_until(struct world *world, int64_t time_ns)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (tick(world) && time_of(world, 0) >= time_ns)
			return;
		usleep(1000);
	}
	fail_msg("no gpu time within a minute");
}

/* Every look adds 10 us for each percent; both gpus and all their engines count. */
static void use_adds_up(void **state)
{
	struct world *world = *state;
	sample_put(world, 0, 10, 50, 10);
	sample_put(world, 0, 20, 30, 0);
	sample_put(world, 0, 0, 90, 0);     /* the idle process of some driver */
	sample_put(world, 0, 77777, 90, 0); /* gone, or of another pid namespace */
	sample_put(world, 1, 20, 10, 0);
	world->fake->device[0].gpu_pct = 80;
	world->fake->device[1].gpu_pct = 10;
	assert_int_equal(world_open(world), 0);
	int64_t before = 0;
	for (int64_t looks = 1; looks <= 3; looks++) {
		tick_until(world, looks * 600 * NS_PER_US);
		assert_true(time_of(world, 0) >= before);
		before = time_of(world, 0);
		assert_int_equal(before % (600 * NS_PER_US), 0);
		assert_int_equal(time_of(world, 1), before / 600 * 400);
		assert_int_equal(time_of(world, 2), -1);
	}
	assert_true(rh_has(world->system.present, RH_S_gpu_contention_ratio));
	assert_true(fabs(world->system.gpu_busy_ratio - 0.8) < 1e-9);
}

static void who_stops_keeps_what_he_had(void **state)
{
	struct world *world = *state;
	sample_put(world, 0, 20, 100, 0);
	sample_put(world, 1, 10, 10, 0);
	assert_int_equal(world_open(world), 0);
	tick_until(world, 200 * NS_PER_US);
	pthread_mutex_lock(&world->fake->mutex);
	world->fake->device[0].process_result = NOT_FOUND; /* nobody uses that one now */
	pthread_mutex_unlock(&world->fake->mutex);
	tick_until(world, time_of(world, 0) + 200 * NS_PER_US); /* the thread has seen it */
	int64_t kept = time_of(world, 1);
	assert_true(kept > 0);
	tick_until(world, time_of(world, 0) + 200 * NS_PER_US);
	assert_int_equal(time_of(world, 1), kept);
}

static void a_gpu_that_tells_of_itself_alone(void **state)
{
	struct world *world = *state;
	bool worked = false;
	world->fake->device[0].process_result = world->fake->device[1].process_result = NOT_SUPPORTED;
	world->fake->device[1].gpu_pct = 30;
	world->fake->device[0].rates_result = NOT_SUPPORTED;
	assert_int_equal(world_open(world), 0);
	for (int i = 0; i < PATIENCE_MS && !worked; i++) {
		worked = tick(world);
		usleep(1000);
	}
	assert_true(worked);
	assert_true(fabs(world->system.gpu_busy_ratio - 0.3) < 1e-9);
	assert_int_equal(time_of(world, 0), -1);
}

static void a_gpu_that_tells_nothing(void **state)
{
	struct world *world = *state;
	for (unsigned i = 0; i < NVML_FAKE_DEVICES; i++)
		world->fake->device[i].process_result = world->fake->device[i].rates_result = NOT_SUPPORTED;
	assert_int_equal(world_open(world), 0);
	for (int i = 0; i < 20; i++) {
		assert_false(tick(world));
		assert_false(rh_has(world->system.present, RH_S_gpu_contention_ratio));
		assert_int_equal(time_of(world, 0), -1);
		usleep(1000);
	}
}

static void no_driver(void **state)
{
	struct world *world = *state;
	procfs_tree_remove(&world->tree, "sys/module/nvidia");
	assert_int_equal(world_open(world), -ENODEV);
	assert_non_null(strstr(world->error, "no NVIDIA driver"));
	assert_int_equal(world->fake->inits, 0); /* the library was not even asked: it would load the driver */
}

static void no_library(void **state)
{
	struct world *world = *state;
	const struct meter_options options = {
	        .config = &world->config, .proc_root = world->tree.root, .sys_root = world->sys_root, .max_processes = PROCESSES};
	assert_int_equal(gpu_nvml_open_library(&options, "libnvidia-ml.so.none", &world->meter, world->error), -ENODEV);
	assert_non_null(strstr(world->error, "libnvidia-ml.so.none is not installed"));
	assert_null(world->meter);
	assert_int_equal(gpu_nvml_open_library(&options, "libm.so.6", &world->meter, world->error), -ENODEV);
	assert_non_null(strstr(world->error, "too old"));
	assert_null(world->meter);
}

static void a_library_that_does_not_begin(void **state)
{
	struct world *world = *state;
	world->fake->init_result = NOT_LOADED;
	assert_int_equal(world_open(world), -ENODEV);
	assert_non_null(strstr(world->error, "Driver Not Loaded"));
	assert_null(world->meter);
	assert_int_equal(world->fake->inits, 1);
}

static void a_machine_without_gpus(void **state)
{
	struct world *world = *state;
	world->fake->devices = 0;
	assert_int_equal(world_open(world), -ENODEV);
	assert_non_null(strstr(world->error, "no gpu"));
}

static void switched_off(void **state)
{
	struct world *world = *state;
	snprintf(world->config.meters_gpu, sizeof(world->config.meters_gpu), "off");
	assert_int_equal(world_open(world), -ENODEV);
	assert_non_null(strstr(world->error, "meters.gpu"));
	assert_int_equal(world->fake->inits, 0);
}

int main(int count, char **arguments)
{
	(void)count;
	const char *path = getenv("LD_LIBRARY_PATH");
	if (path == NULL || strcmp(path, NVML_FAKE_FOLDER) != 0) {
		setenv("LD_LIBRARY_PATH", NVML_FAKE_FOLDER, 1);
		execv("/proc/self/exe", arguments);
		perror("execv");
		return 1;
	}
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        WORLD_TEST(use_adds_up),
	        WORLD_TEST(who_stops_keeps_what_he_had),
	        WORLD_TEST(a_gpu_that_tells_of_itself_alone),
	        WORLD_TEST(a_gpu_that_tells_nothing),
	        WORLD_TEST(no_driver),
	        WORLD_TEST(no_library),
	        WORLD_TEST(a_library_that_does_not_begin),
	        WORLD_TEST(a_machine_without_gpus),
	        WORLD_TEST(switched_off),
	};
#undef WORLD_TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
