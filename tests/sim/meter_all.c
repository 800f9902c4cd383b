/*
 * meter_all.c - a machine without any device: nothing is opened, no thread is started, no field gets a value. And with all of them: all of it
 * is there, and nothing is left after the end.
 */
#include "collector/meters/meter.h"
#include "tests/support/procfs_tree.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t none[2];

static unsigned entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

struct world {
	struct procfs_tree tree;
	struct config config;
	char sys_root[300];
	struct meter_options options;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	assert_non_null(world);
	config_defaults(&world->config);
	assert_int_equal(procfs_tree_open(&world->tree), 0);
	snprintf(world->sys_root, sizeof(world->sys_root), "%s/sys", world->tree.root);
	world->options = (struct meter_options){
	        .config = &world->config, .proc_root = world->tree.root, .sys_root = world->sys_root, .max_processes = 16};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	procfs_tree_close(&world->tree);
	free(world);
	return 0;
}

static void absent_is_absent(void **state)
{
	struct world *world = *state;
	unsigned threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
	struct meters meters;
	world->config.meters_pmu_processes = 4;
	meters_open(&meters, &world->options);
	assert_int_equal(meters.count, 0);
	assert_int_equal(entries("/proc/self/task"), threads);
	assert_int_equal(entries("/proc/self/fd"), files);
	struct raw_process process = {.pid = 10, .start_time_ns = 5};
	struct raw_system system = {0};
	assert_int_equal(meters_tick(&meters, NS_PER_S, &process, 1, &system), 0);
	assert_memory_equal(process.present, none, sizeof(none));
	assert_memory_equal(system.present, none, sizeof(none));
	meters_close(&meters);
}

/* Why there is none: what was looked for, in one sentence. */
static void the_sentences(void **state)
{
	struct world *world = *state;
	struct meter *meter;
	char error[256] = "", expected[512];
	assert_int_equal(meter_gpu_drm_open(&world->options, &meter, error), -ENODEV);
	snprintf(expected, sizeof(expected), "no DRM device (there is no %s/class/drm)", world->sys_root);
	assert_string_equal(error, expected);
	procfs_tree_write(&world->tree, "sys/class/drm/version", "drm 1.1.0 20060810\n");
	assert_int_equal(meter_gpu_drm_open(&world->options, &meter, error), -ENODEV);
	snprintf(expected, sizeof(expected), "no DRM device (%s/class/drm is empty)", world->sys_root);
	assert_string_equal(error, expected);
	procfs_tree_write(&world->tree, "sys/class/drm/card0/dev", "226:0\n");
	assert_int_equal(meter_gpu_drm_open(&world->options, &meter, error), -ENODEV);
	assert_non_null(strstr(error, "has no renderD*"));
	procfs_tree_write(&world->tree, "sys/class/drm/renderD128/dev", "226:128\n");
	snprintf(world->config.meters_gpu, sizeof(world->config.meters_gpu), "off");
	assert_int_equal(meter_gpu_drm_open(&world->options, &meter, error), -ENODEV);
	assert_non_null(strstr(error, "meters.gpu"));
	assert_null(meter);
}

static void all_there_is(void **state)
{
	struct world *world = *state;
	unsigned threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
	struct meters meters;
	const uint64_t energy = UINT64_C(1) << RH_SIGNAL_energy, gpu = UINT64_C(1) << RH_SIGNAL_gpu_drm;
	world->config.meters_gpu_interval = 0.005;
	procfs_tree_write(&world->tree, "sys/class/drm/renderD128/dev", "226:128\n");
	procfs_tree_write(&world->tree, "sys/class/powercap/intel-rapl:0/name", "package-0\n");
	procfs_tree_write(&world->tree, "sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
	procfs_tree_write(&world->tree, "sys/class/powercap/intel-rapl:0/energy_uj", "5\n");
	struct procfs_tree_process usual = procfs_tree_process(10, "draws");
	procfs_tree_put(&world->tree, &usual);
	char link[512];
	procfs_tree_write(&world->tree, "10/fd/.keep", "-");
	procfs_tree_write(&world->tree, "10/fdinfo/3", "drm-driver: i915\ndrm-client-id: 1\ndrm-engine-render: 70 ns\n");
	snprintf(link, sizeof(link), "%s/10/fd/3", world->tree.root);
	assert_int_equal(symlink("/dev/dri/renderD128", link), 0);

	meters_open(&meters, &world->options);
	assert_int_equal(meters.count, 2);
	unsigned working = entries("/proc/self/task");
	assert_true(working > threads); /* a sanitizer may have one of its own from here on */
	uint64_t signals = 0;
	struct raw_process process = {0};
	for (int i = 0; i < 60000 && process.gpu_time_ns != 70; i++) {
		struct raw_system system = {0};
		process = (struct raw_process){.pid = 10, .cpu_time_ns = 5};
		process.start_time_ns = usual.start_ticks * ((uint64_t)NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
		rh_set(process.present, RH_F_cpu_time_ns);
		signals = meters_tick(&meters, NS_PER_S, &process, 1, &system);
		usleep(1000);
	}
	assert_true(signals == (energy | gpu));
	assert_int_equal(process.gpu_time_ns, 70);
	assert_true(rh_has(process.present, RH_F_gpu_time_ns));
	assert_true(rh_has(process.present, RH_F_energy_uj));
	assert_false(rh_has(process.present, RH_F_cycles_count));
	meters_close(&meters);
	assert_int_equal(meters.count, 0);
	for (int i = 0; i < 60000 && entries("/proc/self/task") != working - 1; i++)
		usleep(1000); /* the kernel lists a thread a little longer than it is waited for */
	assert_int_equal(entries("/proc/self/task"), working - 1);
	assert_int_equal(entries("/proc/self/fd"), files);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        WORLD_TEST(absent_is_absent),
	        WORLD_TEST(the_sentences),
	        WORLD_TEST(all_there_is),
	};
#undef WORLD_TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
