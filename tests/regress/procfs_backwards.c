/*
 * Regression 10 (psutil#2172, htop#904): cpu counters that run backwards after a suspend or a cpu hotplug became spikes of 100 %. What the
 * source gives must never fall, a step back must mark the sample, and counting goes on behind it as before.
 */
#include "tests/support/procfs_tree.h"

#include "collector/source.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct cpu {
	uint64_t user, idle, iowait, steal;
	unsigned cpus;
};

static struct procfs_tree tree;
static struct source *source;
static struct raw_system before, now;

/* Gives the machine those times, in ticks. Returns whether the sample was marked; no counter may have fallen. */
static bool follow(struct cpu cpu)
{
	struct raw_process records[4];
	struct source_tick tick;
	char cpus[128] = "";
	for (unsigned i = 0, at = 0; i < cpu.cpus; i++)
		at += (unsigned)snprintf(cpus + at, sizeof(cpus) - at, "cpu%u 1 1 1 1\n", i);
	procfs_tree_write(&tree, "stat", "cpu  %" PRIu64 " 0 0 %" PRIu64 " %" PRIu64 " 0 0 %" PRIu64 "\n%s", cpu.user, cpu.idle, cpu.iowait,
	        cpu.steal, cpus);
	before = now;
	assert_int_equal(source->operations->tick(source, UINT64_MAX, records, &now, &tick), 0);
	assert_true(now.cpu_busy_ns >= before.cpu_busy_ns && now.cpu_idle_ns >= before.cpu_idle_ns);
	assert_true(now.cpu_iowait_ns >= before.cpu_iowait_ns && now.cpu_steal_ns >= before.cpu_steal_ns);
	return tick.discontinuous;
}

static void test_backwards(void **state)
{
	(void)state;
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	struct source_options options = {.max_processes = 4, .refresh_parts = 1};
	char error[256];
	assert_int_equal(procfs_tree_open(&tree), 0);
	options.proc_root = tree.root;
	assert_int_equal(source_procfs_open(&options, &source, error), 0);
	struct cpu cpu = {.user = 10000, .idle = 90000, .iowait = 500, .steal = 70, .cpus = 4};
	assert_false(follow(cpu));
	cpu.user += 20, cpu.idle += 60;
	assert_false(follow(cpu));
	assert_int_equal(now.cpu_busy_ns - before.cpu_busy_ns, 20 * tick_ns);

	/* Everything begins again, as after some suspends. */
	cpu.user = 5, cpu.idle = 30, cpu.iowait = 0, cpu.steal = 0;
	assert_true(follow(cpu));
	assert_int_equal(now.cpu_busy_ns, before.cpu_busy_ns);
	cpu.user += 7, cpu.idle += 73;
	assert_false(follow(cpu));
	assert_int_equal(now.cpu_busy_ns - before.cpu_busy_ns, 7 * tick_ns);
	assert_int_equal(now.cpu_idle_ns - before.cpu_idle_ns, 73 * tick_ns);

	/* A cpu goes, and comes back. */
	cpu.cpus = 3;
	assert_true(follow(cpu));
	assert_false(follow(cpu));
	cpu.cpus = 4;
	assert_true(follow(cpu));

	/* iowait steps back by a little, as it does on every kernel: waited out, not counted twice. */
	cpu.iowait += 50;
	assert_false(follow(cpu));
	uint64_t iowait_ns = now.cpu_iowait_ns;
	for (int i = 0; i < 10; i++) {
		cpu.iowait -= 1;
		assert_false(follow(cpu));
		cpu.iowait += 1;
		assert_false(follow(cpu));
	}
	assert_int_equal(now.cpu_iowait_ns, iowait_ns);
	source->operations->close(&source);
	procfs_tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_backwards)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
