/*
 * Regression 8 (collectd#3773, psutil#286): a pid in use again gave negative or huge rates. A process whose pid another one has must come
 * as another process at once: with its own start time and counters, nothing left of the old one. Forced live, and on a tree.
 */
#include "tests/support/procfs_live.h"
#include "tests/support/procfs_tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void burn(void)
{
	for (volatile uint64_t i = 0; i < 30000000; i++)
		;
}

static void nothing(void)
{
}

/* The old process dies and the new one is born between two ticks. */
static void check_live(uint32_t fd_limit)
{
	struct procfs_live live;
	procfs_live_open(&live, fd_limit, 64);
	pid_t pid = procfs_live_child(burn);
	usleep(50000); /* start times differ: they are kept in clock ticks */
	for (int i = 0; i < 3; i++)
		procfs_live_tick(&live);
	const struct raw_process old = *procfs_live_find(&live, pid);
	procfs_live_kill(pid);
	pid_t again = procfs_live_child_as(pid, nothing);
	if (again == -EPERM || again == -ENOSYS || again == -EINVAL) {
		procfs_live_close(&live);
		puts("skipped: choosing a pid takes Linux 5.5 and CAP_CHECKPOINT_RESTORE");
		skip();
	}
	assert_int_equal(again, pid);
	procfs_live_tick(&live);
	const struct raw_process *record = procfs_live_find(&live, pid);
	assert_non_null(record);
	assert_true(record->start_time_ns > old.start_time_ns);
	assert_int_equal(record->cpu_time_ns, procfs_live_cpu_ns(pid));
	assert_true(record->cpu_time_ns < old.cpu_time_ns);
	assert_int_equal(record->syscalls, procfs_live_number(pid, "io", "syscr:") + procfs_live_number(pid, "io", "syscw:"));
	assert_true(rh_has(record->present, RH_F_mem_bytes));
	procfs_live_kill(pid);
	procfs_live_tick(&live);
	assert_null(procfs_live_find(&live, pid));
	procfs_live_close(&live);
}

static void test_live(void **state)
{
	(void)state;
	check_live(100000);
}

/* Without a file kept open only the start time tells. */
static void test_live_without_files(void **state)
{
	(void)state;
	check_live(0);
}

static void test_tree(void **state)
{
	(void)state;
	struct procfs_tree tree;
	assert_int_equal(procfs_tree_open(&tree), 0);
	struct source_options options = {.proc_root = tree.root, .max_processes = 16, .refresh_parts = 4, .thread_limit = 8};
	struct source *source;
	struct raw_process records[16];
	struct raw_system system;
	struct source_tick tick;
	char error[256];
	assert_int_equal(source_procfs_open(&options, &source, error), 0);
	struct procfs_tree_process old = procfs_tree_process(70, "old"), new = procfs_tree_process(70, "new");
	old.user_ticks = 5000;
	old.run_ns = UINT64_C(50035000000);
	old.read_bytes = 1 << 30;
	old.minor_faults = 100000;
	old.threads = 2;
	new.start_ticks = old.start_ticks + 1;
	new.run_ns = 100000000;
	procfs_tree_put(&tree, &old);
	procfs_tree_put_thread(&tree, 70, 70, 'S', old.run_ns, 1, 7);
	procfs_tree_put_thread(&tree, 70, 71, 'S', 5, 1000000, 7000);
	assert_int_equal(source->operations->tick(source, UINT64_MAX, records, &system, &tick), 0);
	assert_int_equal(records[0].wakeups, 7007);
	procfs_tree_remove(&tree, "70/task");
	procfs_tree_put(&tree, &new);
	assert_int_equal(source->operations->tick(source, UINT64_MAX, records, &system, &tick), 0);
	assert_int_equal(tick.count, 1);
	assert_string_equal(records[0].command, "new");
	assert_int_equal(records[0].cpu_time_ns, 100000000);
	assert_int_equal(records[0].wakeups, new.slices);
	assert_int_equal(records[0].runnable_time_ns, new.wait_ns);
	assert_int_equal(records[0].read_bytes, 4096);
	assert_int_equal(records[0].minor_faults, 100);
	source->operations->close(&source);
	procfs_tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_live),
	        cmocka_unit_test(test_live_without_files),
	        cmocka_unit_test(test_tree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
