/*
 * What `doctor` makes of the probe's answer: nothing in it is trusted.
 */
#include "readers/doctor/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct report report;

static bool read_text(const char *text)
{
	memset(&report, 0, sizeof(report));
	return ask_read(&report, text, strlen(text));
}

#define ANSWER(members) "{\"schema\":\"rogue-hunter.probe/1\"" members "}"

static void what_is_no_answer(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "null", "{}", "rogue-hunter: no memory\n", "{\"schema\":1}",
	        "{\"schema\":\"rogue-hunter.probe/2\",\"signals\":[]}", ANSWER("") ANSWER("")};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(read_text(texts[i]));
		assert_true(report.probe_error[0] != '\0');
	}
}

static void what_is_one(void **state)
{
	(void)state;
	assert_true(read_text(
	        ANSWER(",\"uid\":7,\"kernel\":\"6.1\",\"signals\":[{\"name\":\"energy\",\"available\":true,\"why\":\"opened\"}]")));
	assert_int_equal(report.uid, 7);
	assert_string_equal(report.kernel, "6.1");
	assert_true(report.signals[RH_SIGNAL_energy].available);
	assert_string_equal(report.signals[RH_SIGNAL_energy].why, "opened");
	assert_false(report.signals[RH_SIGNAL_pmu].available);
	assert_true(report.open_ms < 0);
}

/* Wrong types, unknown names, too many of them: left out, and nothing worse. */
static void what_is_odd_in_it(void **state)
{
	char many[65536] = "{\"schema\":\"rogue-hunter.probe/1\",\"capabilities\":[{\"name\":\"CAP_X\",\"number\":64},{\"number\":-1}";
	(void)state;

	assert_true(
	        read_text(ANSWER(",\"signals\":[1,null,{},{\"name\":7},{\"name\":\"unheard_of\",\"available\":true},{\"name\":\"energy\","
	                         "\"available\":\"yes\",\"why\":9}],\"capabilities\":{},\"kernel\":[],\"uid\":\"x\"")));
	assert_false(report.signals[RH_SIGNAL_energy].available);
	assert_string_equal(report.signals[RH_SIGNAL_energy].why, "");
	assert_int_equal(report.capability_count, 0);

	for (int i = 0; i < 100; i++)
		strcat(many, ",{\"name\":\"CAP_WITH_A_NAME_THAT_IS_FAR_TOO_LONG_FOR_ITS_PLACE\",\"number\":1}");
	strcat(many, "]}");
	assert_true(read_text(many));
	assert_int_equal(report.capability_count, EXAMINE_CAPABILITIES);
	assert_int_equal(strlen(report.capabilities[0].name), sizeof(report.capabilities[0].name) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_no_answer),
	        cmocka_unit_test(what_is_one),
	        cmocka_unit_test(what_is_odd_in_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
