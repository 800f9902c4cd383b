/* The texts of control groups: paths for people, units, limits; and whatever bytes may come instead. */
#include "readers/tracker/group.h"

#include "pause/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void shown(void **state)
{
	char out[20];

	(void)state;
	assert_string_equal(group_show("/abcdefgh/123456789", out, sizeof(out)), "/abcdefgh/123456789");
	assert_string_equal(group_show("/abc/defgh/123456789", out, sizeof(out)), "/abc/~/123456789");
	assert_string_equal(group_show("/abcdefghijk/1234567890", out, sizeof(out)), "/~/1234567890");
	assert_string_equal(group_show("/a/1234567890123456", out, sizeof(out)), "/a/1234567890123456");
	assert_string_equal(group_show("/ab/123456789012345678", out, sizeof(out)), "~123456789012345678");
	assert_string_equal(group_show("", out, sizeof(out)), "");
}

/* Whatever the bytes are, nothing is read beyond them and every text ends in time: the sanitizer watches. */
static void any_bytes(void **state)
{
	static const char parts[][24] = {"0::", "/", "..", ":", "\n", "4:cpu,cpuacct:", " (deleted)", ".scope", "x", ")", " 1 2",
	        "\xf0\x9f", "name=systemd", "18446744073709551616"};
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[400] = "", shown[PAUSE_TEXT_BYTES], unit[GROUP_UNIT_BYTES];
		struct group_member member;
		uint32_t session;
		uint64_t start_ns, period_ns;
		for (int i = rand_r(&seed) % 15; i > 0; i--)
			strcat(text, parts[(unsigned)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]))]);
		char *exact = strdup(text);
		if (group_read_path(exact, (enum group_tree)(round % 3), &member)) {
			assert_true(member.path[0] == '/' && !strchr(member.path, '\n'));
			assert_true(group_unit(member.path, unit) <= strlen(member.path));
			assert_true(strlen(group_show(member.path, shown, sizeof(shown))) < sizeof(shown));
			for (int levels = 0; group_parent(member.path); levels++)
				assert_true(levels < 400);
			assert_true(member.path[strlen(member.path) - 1] == '/');
		} else {
			assert_string_equal(member.path, "");
		}
		group_read_stat(exact, &session, &start_ns);
		group_read_cpu_max(exact, &start_ns, &period_ns);
		free(exact);
	}
}

static void units(void **state)
{
	char unit[GROUP_UNIT_BYTES];

	(void)state;
	assert_int_equal(group_unit("/user.slice/session-2.scope/x.slice", unit), 27);
	assert_string_equal(unit, "session-2.scope");
	assert_int_equal(group_unit("/a.slice/b.slice", unit), 16);
	assert_string_equal(unit, "b.slice");
	assert_int_equal(group_unit("/.scope/plain", unit), 0);
	assert_int_equal(group_unit("/a.service/a-name-that-is-much-longer-than-any-unit-that-we-would-put-into-a-command.scope", unit), 0);
	assert_true(group_lists("cpuset cpu\n", "cpu") && !group_lists("cpuset cpuacct\n", "cpu") && !group_lists("", "cpu"));
}

static void limits(void **state)
{
	uint64_t quota_ns = 0, period_ns = 0;

	(void)state;
	assert_true(group_read_cpu_max("20000 100000\n", &quota_ns, &period_ns));
	assert_true(quota_ns == 20000000 && period_ns == 100000000);
	assert_true(group_read_cfs("5\n", "7\n", &quota_ns, &period_ns));
	assert_true(quota_ns == 5000 && period_ns == 7000);
	assert_false(group_read_cpu_max("max 100000\n", &quota_ns, &period_ns));
	assert_false(group_read_cpu_max("1 0\n", &quota_ns, &period_ns));
	assert_false(group_read_cpu_max("99999999999999999999 1\n", &quota_ns, &period_ns));
	assert_false(group_read_cfs("-1\n", "100000\n", &quota_ns, &period_ns));
	assert_false(group_read_cfs("", "100000\n", &quota_ns, &period_ns));
	assert_true(quota_ns == 5000 && period_ns == 7000); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(shown),
	        cmocka_unit_test(any_bytes),
	        cmocka_unit_test(units),
	        cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
