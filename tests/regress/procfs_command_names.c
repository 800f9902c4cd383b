/*
 * Regression 2 (gosigar#81, gopsutil#1056, perfetto#1924): a ')', blank or line break in a command name broke the parsing of
 * /proc/PID/stat. Live processes with such names must be seen under their names, byte for byte, and with their own values.
 */
#include "tests/support/procfs_live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const names[] = {
        ")",
        "(",
        "a) R 1 1 1 0 -1",
        ") Z 0 0 0 (",
        "a b c",
        " ",
        "\n",
        "two\nlines",
        "\x1b[31mred\x1b[0m",
        "\xff\xfe\x80",
        "15 bytes long..",
        "cut \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
        "",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static const char *next_name;

static void take_name(void)
{
	prctl(PR_SET_NAME, next_name);
}

static void test_names(void **state)
{
	(void)state;
	struct procfs_live live;
	pid_t pids[NAMES];
	procfs_live_open(&live, 100000, 2);
	for (size_t i = 0; i < NAMES; i++) {
		next_name = names[i];
		pids[i] = procfs_live_child(take_name);
	}
	procfs_live_tick(&live);
	for (size_t i = 0; i < NAMES; i++) {
		char expected[RH_COMMAND_BYTES] = {0};
		memcpy(expected, names[i], strnlen(names[i], sizeof(expected) - 1));
		const struct raw_process *record = procfs_live_find(&live, pids[i]);
		assert_non_null(record);
		assert_memory_equal(record->command, expected, sizeof(expected));
		assert_int_equal(record->ppid, getpid());
		assert_int_equal(record->state, RH_STATE_sleeping);
		assert_int_equal(record->threads, 1);
		assert_int_equal(record->cpu_time_ns, procfs_live_cpu_ns(pids[i]));
		procfs_live_kill(pids[i]);
	}
	procfs_live_close(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
	if (PROCFS_LIVE_SKIPPED) {
		puts("skipped: ThreadSanitizer adds a thread to each child");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
