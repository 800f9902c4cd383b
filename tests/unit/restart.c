/* The wait before a child is started again: grows, has an end, and is forgiven after a minute of health. */
#include "cli/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MS = NS_PER_MS };
static const uint64_t minute_ns = 60 * (uint64_t)NS_PER_S;

static void test_grows(void **state)
{
	static const uint64_t expected_ms[] = {200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct restart restart = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++)
		assert_int_equal(restart_delay_ns(&restart, minute_ns - 1) / MS, expected_ms[i]);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(restart_delay_ns(&restart, 0) / MS, 30000);
}

static void test_forgiven(void **state)
{
	struct restart restart = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		restart_delay_ns(&restart, 0);
	assert_int_equal(restart_delay_ns(&restart, minute_ns) / MS, 200);
	assert_int_equal(restart_delay_ns(&restart, 0) / MS, 400);
}

/* Even a count that has wrapped waits no shorter than the first time and no longer than the longest. */
static void test_wrap(void **state)
{
	struct restart restart = {.failures = UINT32_MAX};

	(void)state;
	assert_int_equal(restart_delay_ns(&restart, 0) / MS, 30000);
	assert_int_equal(restart_delay_ns(&restart, 0) / MS, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_grows),
	        cmocka_unit_test(test_forgiven),
	        cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
