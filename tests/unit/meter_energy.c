/* meter_energy.c - energy of each process: shares of packages, counters that begin anew, processes that come and go. */
#include "collector/meters/meter.h"
#include "tests/support/procfs_tree.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_PROCESSES = 64 };

struct world {
	struct procfs_tree tree;
	struct config config;
	struct meter *meter;
	struct raw_process processes[MAX_PROCESSES];
	struct raw_system system;
	uint32_t count;
	char error[256];
};

static void package_put(struct world *world, unsigned number, const char *name, uint64_t range_uj, uint64_t energy_uj)
{
	char path[128];
	snprintf(path, sizeof(path), "class/powercap/intel-rapl:%u/name", number);
	procfs_tree_write(&world->tree, path, "%s\n", name);
	snprintf(path, sizeof(path), "class/powercap/intel-rapl:%u/max_energy_range_uj", number);
	procfs_tree_write(&world->tree, path, "%llu\n", (unsigned long long)range_uj);
	snprintf(path, sizeof(path), "class/powercap/intel-rapl:%u/energy_uj", number);
	procfs_tree_write(&world->tree, path, "%llu\n", (unsigned long long)energy_uj);
}

static int world_open(struct world *world)
{
	const struct meter_options options = {
	        .config = &world->config, .proc_root = "/proc", .sys_root = world->tree.root, .max_processes = MAX_PROCESSES};
	return meter_energy_open(&options, &world->meter, world->error);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	assert_non_null(world);
	config_defaults(&world->config);
	assert_int_equal(procfs_tree_open(&world->tree), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	if (world->meter != NULL)
		world->meter->operations->close(&world->meter);
	assert_null(world->meter);
	procfs_tree_close(&world->tree);
	free(world);
	return 0;
}

/* Fresh records, as a source gives them. */
static void begin(struct world *world)
{
	memset(world->processes, 0, sizeof(world->processes));
	memset(&world->system, 0, sizeof(world->system));
	world->count = 0;
	world->system.cpus = 2;
	rh_set(world->system.present, RH_S_cpus_count);
}

static void put(struct world *world, uint32_t pid, uint64_t start, uint64_t cpu_ms)
{
	struct raw_process *process = &world->processes[world->count++];
	process->pid = pid;
	process->start_time_ns = start;
	process->cpu_time_ns = cpu_ms * NS_PER_MS;
	rh_set(process->present, RH_F_cpu_time_ns);
}

static bool tick(struct world *world, uint64_t ms)
{
	return world->meter->operations->tick(world->meter, ms * NS_PER_MS, world->processes, world->count, &world->system);
}

static int64_t energy_of(const struct world *world, uint32_t pid)
{
	for (uint32_t i = 0; i < world->count; i++) {
		if (world->processes[i].pid == pid)
			return rh_has(world->processes[i].present, RH_F_energy_uj) ? (int64_t)world->processes[i].energy_uj : -1;
	}
	return -2;
}

/* Two cpus for a second; one process half of one, another a quarter: an eighth and a quarter of the energy are theirs, the rest was idle. */
static void energy_is_divided_by_cpu_time(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 1000000000, 500);
	package_put(world, 1, "package-1", 1000000000, 7000);
	package_put(world, 2, "psys", 1000000000, 1);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 9000);
	put(world, 20, 1, 50);
	assert_true(tick(world, 0));
	assert_int_equal(energy_of(world, 10), 0);

	package_put(world, 0, "package-0", 1000000000, 500 + 6000000);
	package_put(world, 1, "package-1", 1000000000, 7000 + 2000000);
	package_put(world, 2, "psys", 1000000000, 90000000);
	begin(world);
	put(world, 20, 1, 50 + 250); /* in any order */
	put(world, 10, 1, 9000 + 500);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 2000000);
	assert_int_equal(energy_of(world, 20), 1000000);

	begin(world); /* it goes on from there; nothing is used */
	put(world, 20, 1, 300);
	put(world, 10, 1, 9600);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 2000000);
	assert_int_equal(energy_of(world, 20), 1000000);
}

static void the_counter_begins_anew(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 10000000, 9000000);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 0);
	tick(world, 0);
	package_put(world, 0, "package-0", 10000000, 3000000);
	begin(world);
	put(world, 10, 1, 2000);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 4000000);
}

/* After a suspend it may stand anywhere: no machine takes megawatts. */
static void absurd_energy_is_nobodys(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 262143328850, 5000000);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 0);
	tick(world, 0);
	package_put(world, 0, "package-0", 262143328850, 0);
	begin(world);
	put(world, 10, 1, 1000);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 0);
}

static void processes_come_and_go(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 1000000000, 0);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 100);
	tick(world, 0);
	package_put(world, 0, "package-0", 1000000000, 2000000);
	begin(world);
	put(world, 10, 7, 200); /* another one with that pid: all it used was in this interval */
	put(world, 74, 7, 100); /* as if by hashing the same place */
	put(world, 138, 7, 300);
	put(world, 11, 7, 0);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 200000);
	assert_int_equal(energy_of(world, 74), 100000);
	assert_int_equal(energy_of(world, 138), 300000);
	assert_int_equal(energy_of(world, 11), 0);
	package_put(world, 0, "package-0", 1000000000, 4000000);
	begin(world);
	put(world, 138, 7, 300);
	put(world, 74, 7, 300);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 138), 300000);
	assert_int_equal(energy_of(world, 74), 300000);
}

/* Cpu times are read one after the other; their sum may be above what the cpus have. The energy is not. */
static void no_more_is_given_than_was_used(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 1000000000, 0);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 0);
	put(world, 20, 1, 0);
	tick(world, 0);
	package_put(world, 0, "package-0", 1000000000, 1000000);
	begin(world);
	put(world, 10, 1, 1500);
	put(world, 20, 1, 1500);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 500000);
	assert_int_equal(energy_of(world, 20), 500000);
}

static void unknown_cpu_time_is_no_energy(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 1000000000, 0);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 100);
	world->processes[0].present[0] = world->processes[0].present[1] = 0;
	assert_true(tick(world, 0));
	assert_int_equal(energy_of(world, 10), -1);
}

static void a_counter_that_cannot_be_read(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 1000000000, 0);
	assert_int_equal(world_open(world), 0);
	begin(world);
	put(world, 10, 1, 100);
	assert_true(tick(world, 0));
	procfs_tree_write(&world->tree, "class/powercap/intel-rapl:0/energy_uj", "nothing\n");
	begin(world);
	put(world, 10, 1, 200);
	assert_false(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), -1);
	package_put(world, 0, "package-0", 1000000000, 90000000); /* it is not known when that was used */
	begin(world);
	put(world, 10, 1, 300);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 0);
	package_put(world, 0, "package-0", 1000000000, 92000000);
	begin(world);
	put(world, 10, 1, 1300);
	assert_true(tick(world, 1000));
	assert_int_equal(energy_of(world, 10), 1000000);
}

static void more_processes_than_there_is_room_for(void **state)
{
	struct world *world = *state;
	package_put(world, 0, "package-0", 1000000000, 0);
	const struct meter_options options = {
	        .config = &world->config, .proc_root = "/proc", .sys_root = world->tree.root, .max_processes = MAX_PROCESSES / 2};
	assert_int_equal(meter_energy_open(&options, &world->meter, world->error), 0);
	begin(world);
	for (uint32_t i = 0; i < MAX_PROCESSES; i++)
		put(world, 1 + i * 64, 1, 100);
	assert_true(tick(world, 0));
	assert_int_equal(energy_of(world, 1), 0);
	assert_int_equal(energy_of(world, 1 + (MAX_PROCESSES - 1) * 64), -1);
}

static void a_machine_without(void **state)
{
	struct world *world = *state;
	assert_int_equal(world_open(world), -ENODEV);
	assert_non_null(strstr(world->error, "modprobe intel_rapl_msr"));
	package_put(world, 0, "psys", 1000000000, 0);
	assert_int_equal(world_open(world), -ENODEV);
	package_put(world, 1, "package-0", 1000000000, 0);
	assert_int_equal(world_open(world), 0);
	world->meter->operations->close(&world->meter);
	snprintf(world->config.meters_energy, sizeof(world->config.meters_energy), "off");
	assert_int_equal(world_open(world), -ENODEV);
	assert_non_null(strstr(world->error, "meters.energy"));
}

/* The kernel lets root alone read it. */
static void without_the_right(void **state)
{
	struct world *world = *state;
	char path[512];
	package_put(world, 0, "package-0", 1000000000, 0);
	snprintf(path, sizeof(path), "%s/class/powercap/intel-rapl:0/energy_uj", world->tree.root);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(world->tree.root, 0755), 0);
	bool was_root = geteuid() == 0;
	if (was_root && seteuid(65534) != 0)
		skip();
	int result = world_open(world);
	if (was_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(result, -EACCES);
	assert_non_null(strstr(world->error, "root"));
	assert_non_null(strstr(world->error, "CVE-2020-8694"));
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        WORLD_TEST(energy_is_divided_by_cpu_time),
	        WORLD_TEST(the_counter_begins_anew),
	        WORLD_TEST(absurd_energy_is_nobodys),
	        WORLD_TEST(processes_come_and_go),
	        WORLD_TEST(no_more_is_given_than_was_used),
	        WORLD_TEST(unknown_cpu_time_is_no_energy),
	        WORLD_TEST(a_counter_that_cannot_be_read),
	        WORLD_TEST(more_processes_than_there_is_room_for),
	        WORLD_TEST(a_machine_without),
	        WORLD_TEST(without_the_right),
	};
#undef WORLD_TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
