/*
 * Regression 9 (psutil#2895): a start time that could not be read was taken for another process. Unknown is not different: the process
 * stays the one it was, its counters go on, and when the start time can be read again nothing has changed.
 */
#include "tests/support/procfs_tree.h"

#include "collector/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_unreadable(void **state)
{
	(void)state;
	static const char *const cut[] = {
	        "70 (worker) S 1 1 1 0 -1 4194304 100 5 3 6 7 3 8 9 20 0 1 0", /* before the start time */
	        "70 (worker) S 1 1 1 0 -1 4194304 100 5 3 6 7 3 8 9 20 0 1 0 ?",
	        "70 (worker) S 1",
	        "",
	};
	struct procfs_tree tree;
	assert_int_equal(procfs_tree_open(&tree), 0);
	struct source_options options = {.proc_root = tree.root, .max_processes = 16, .refresh_parts = 1, .thread_limit = 8};
	struct source *source;
	struct raw_process records[16];
	struct raw_system system;
	struct source_tick tick;
	char error[256];
	assert_int_equal(source_procfs_open(&options, &source, error), 0);
	struct procfs_tree_process process = procfs_tree_process(70, "worker");
	procfs_tree_put(&tree, &process);
	assert_int_equal(source->operations->tick(source, UINT64_MAX, records, &system, &tick), 0);
	const struct raw_process before = records[0];
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		process.run_ns += 1000;
		procfs_tree_put(&tree, &process);
		procfs_tree_write(&tree, "70/stat", "%s", cut[i]);
		assert_int_equal(source->operations->tick(source, UINT64_MAX, records, &system, &tick), 0);
		assert_int_equal(tick.count, 1);
		assert_true(rh_has(records[0].present, RH_F_start_time_ns));
		assert_int_equal(records[0].start_time_ns, before.start_time_ns);
		assert_true(records[0].cpu_time_ns >= before.cpu_time_ns);
		assert_int_equal(records[0].read_bytes, before.read_bytes);
		assert_int_equal(records[0].minor_faults, before.minor_faults);
	}
	procfs_tree_put(&tree, &process);
	assert_int_equal(source->operations->tick(source, UINT64_MAX, records, &system, &tick), 0);
	assert_int_equal(records[0].start_time_ns, before.start_time_ns);
	assert_int_equal(records[0].cpu_time_ns, before.cpu_time_ns + sizeof(cut) / sizeof(cut[0]) * 1000);
	source->operations->close(&source);
	procfs_tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_unreadable)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
