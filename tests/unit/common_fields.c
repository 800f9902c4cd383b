/*
 * Fields by name, and as text, JSON and CSV: lists as people type them, every unit, every code, and absent everywhere.
 */
#include "readers/common/columns.h"
#include "readers/common/value.h"

#include "base/json.h"
#include "rogue/tables.h"
#include "tests/support/capture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SET(record, prefix, field, value) \
	do { \
		(record)->field = (value); \
		rh_set((record)->present, prefix##field); \
	} while (0)

static const struct rh_row *row_of(const char *name)
{
	const struct rh_row *row = columns_find(COLUMNS_ANY, name);
	if (!row)
		fail_msg("no field %s", name);
	return row;
}

static const char *text_of(const char *name, const void *record)
{
	static char text[VALUE_TEXT_BYTES];
	return value_text(row_of(name), record, text);
}

static const char *cell_of(const char *name, const void *record)
{
	static char text[VALUE_TEXT_BYTES];
	return value_cell(row_of(name), record, text);
}

static const char *json_of(const char *name, const void *record)
{
	struct json json;
	json_begin(&json, capture_begin());
	json_object_begin(&json);
	value_json(row_of(name), record, &json);
	json_object_end(&json);
	return capture_end();
}

static const char *csv_of(const char *name, const void *record)
{
	value_csv(row_of(name), record, capture_begin());
	return capture_end();
}

/* ---- lists ---- */

static void a_list_keeps_its_order(void **state)
{
	struct columns columns;
	char error[256];
	(void)state;

	assert_true(columns_parse(&columns, COLUMNS_PROCESS, "score,pid,score", error));
	assert_int_equal(columns.count, 3);
	assert_string_equal(columns.rows[0]->name, "score");
	assert_string_equal(columns.rows[1]->name, "pid");
	assert_ptr_equal(columns.rows[2], columns.rows[0]);
}

static void every_field_can_be_asked_for(void **state)
{
	struct columns columns;
	char error[256];
	size_t count;
	(void)state;

	for (int scope = COLUMNS_PROCESS; scope <= COLUMNS_SYSTEM; scope++) {
		const struct rh_row *rows = columns_rows((enum columns_scope)scope, &count);
		for (size_t i = 0; i < count; i++) {
			assert_true(columns_parse(&columns, COLUMNS_ANY, rows[i].name, error));
			assert_ptr_equal(columns.rows[0], &rows[i]);
			assert_int_equal(columns_is_process(&rows[i]), scope == COLUMNS_PROCESS);
		}
		columns_all(&columns, (enum columns_scope)scope);
		assert_int_equal(columns.count, count);
	}
}

static void an_unknown_field_names_the_nearest(void **state)
{
	static const struct {
		const char *list, *sentence;
	} cases[] = {
	        {"scoer", "unknown field \"scoer\": did you mean score?"},
	        {"pid,cpu", "unknown field \"cpu\": did you mean cpu_pct?"},
	        {"blame", "unknown field \"blame\": did you mean io_blame_ms_per_s?"},
	        {"comand", "unknown field \"comand\": did you mean command?"},
	        {"pid,,score", NULL},
	        {"", NULL},
	        {"pid,", NULL},
	        {"pid ", NULL},
	        {"stress", NULL}, /* of the machine, not of a process */
	        {"a_name_that_is_far_longer_than_any_field_name_could_ever_be", NULL},
	};
	struct columns columns;
	char error[256];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		error[0] = '\0';
		assert_false(columns_parse(&columns, COLUMNS_PROCESS, cases[i].list, error));
		if (cases[i].sentence)
			assert_string_equal(error, cases[i].sentence);
		assert_non_null(strstr(error, "did you mean"));
	}
}

static void too_long_a_list_is_refused(void **state)
{
	char list[4 * (COLUMNS_MAX + 1) + 1] = "";
	struct columns columns;
	char error[256];
	(void)state;

	for (int i = 0; i <= COLUMNS_MAX; i++)
		memcpy(list + 4 * i, "pid,", 5);
	list[sizeof(list) - 2] = '\0';
	assert_false(columns_parse(&columns, COLUMNS_PROCESS, list, error));
	list[4 * COLUMNS_MAX - 1] = '\0';
	assert_true(columns_parse(&columns, COLUMNS_PROCESS, list, error));
	assert_int_equal(columns.count, COLUMNS_MAX);
}

/* ---- values ---- */

static void absent_is_not_zero(void **state)
{
	static const struct rh_process process;
	static const struct rh_system machine;
	size_t count;
	(void)state;

	for (int scope = COLUMNS_PROCESS; scope <= COLUMNS_SYSTEM; scope++) {
		const struct rh_row *rows = columns_rows((enum columns_scope)scope, &count);
		const void *record = scope == COLUMNS_PROCESS ? (const void *)&process : (const void *)&machine;
		for (size_t i = 0; i < count; i++) {
			assert_string_equal(text_of(rows[i].name, record), "-");
			assert_string_equal(cell_of(rows[i].name, record), "-");
			assert_string_equal(json_of(rows[i].name, record), "{}");
			assert_string_equal(csv_of(rows[i].name, record), "");
		}
	}
}

/* Every field present and at its largest: no text outgrows its buffer, every JSON value is there. */
static void every_field_at_its_limit(void **state)
{
	size_t count;
	(void)state;

	for (int scope = COLUMNS_PROCESS; scope <= COLUMNS_SYSTEM; scope++) {
		const struct rh_row *rows = columns_rows((enum columns_scope)scope, &count);
		union {
			struct rh_process process;
			struct rh_system machine;
			unsigned char bytes[RH_SYSTEM_MAX_BYTES];
		} record;
		memset(&record, 0xff, sizeof(record));
		for (size_t i = 0; i < count; i++) {
			assert_in_range(strlen(text_of(rows[i].name, &record)), 1, VALUE_TEXT_BYTES - 1);
			assert_int_not_equal(strlen(json_of(rows[i].name, &record)), 2);
			csv_of(rows[i].name, &record);
		}
	}
}

static void units_for_people(void **state)
{
	struct rh_process p = {0};
	struct rh_system s = {0};
	(void)state;

	SET(&p, RH_F_, pid, 4194304);
	assert_string_equal(text_of("pid", &p), "4194304");
	SET(&p, RH_F_, nice, -20);
	assert_string_equal(text_of("nice", &p), "-20");
	SET(&p, RH_F_, score, 57.4f);
	assert_string_equal(text_of("score", &p), "57");
	SET(&p, RH_F_, cpu_pct, 99.96f);
	assert_string_equal(text_of("cpu_pct", &p), "100.0");
	SET(&p, RH_F_, mem_share, 38.04f);
	assert_string_equal(text_of("mem_share", &p), "38.0x");
	SET(&p, RH_F_, mem_bytes, UINT64_C(1503238553));
	assert_string_equal(text_of("mem_bytes", &p), "1.4G");
	SET(&p, RH_F_, cpu_blame_ms_per_s, 310.2f);
	assert_string_equal(text_of("cpu_blame_ms_per_s", &p), "310");
	SET(&p, RH_F_, runnable_ms_per_s, 0.42f);
	assert_string_equal(text_of("runnable_ms_per_s", &p), "0.4");
	SET(&p, RH_F_, faults_count, 1234567);
	assert_string_equal(text_of("faults_count", &p), "1.2M");
	SET(&p, RH_F_, cpu_time_ns, UINT64_C(187000000000));
	assert_string_equal(text_of("cpu_time_ns", &p), "3m07s");
	SET(&s, RH_S_, load_ratio, 2.1f);
	assert_string_equal(text_of("load_ratio", &s), "2.10");
	SET(&s, RH_S_, realtime_ns, UINT64_C(1763640000123000000));
	assert_non_null(strstr(text_of("realtime_ns", &s), ":00.123"));
}

static void codes_by_name(void **state)
{
	struct rh_process p = {0};
	struct rh_system s = {0};
	(void)state;

	SET(&p, RH_F_, state, RH_STATE_stuck);
	assert_string_equal(text_of("state", &p), "stuck");
	assert_string_equal(cell_of("state", &p), "D");
	assert_string_equal(json_of("state", &p), "{\"state\":\"stuck\"}");
	SET(&p, RH_F_, band, RH_BAND_critical);
	assert_string_equal(csv_of("band", &p), "critical");
	SET(&p, RH_F_, dominant_resource, RH_RESOURCE_memory);
	assert_string_equal(cell_of("dominant_resource", &p), "memory");
	SET(&p, RH_F_, policy, 200); /* of a later version */
	assert_string_equal(json_of("policy", &p), "{\"policy\":\"unknown\"}");
	SET(&p, RH_F_, flags, RH_PROCESS_kernel_thread | RH_PROCESS_new);
	assert_string_equal(text_of("flags", &p), "kernel_thread,new");
	assert_string_equal(cell_of("flags", &p), "kn");
	assert_string_equal(json_of("flags", &p), "{\"flags\":[\"kernel_thread\",\"new\"]}");
	assert_string_equal(csv_of("flags", &p), "kernel_thread|new");
	SET(&p, RH_F_, flags, 0);
	assert_string_equal(cell_of("flags", &p), "-");
	assert_string_equal(json_of("flags", &p), "{\"flags\":[]}");
	SET(&s, RH_S_, sampler_reason, RH_SAMPLER_REASON_best);
	assert_string_equal(json_of("sampler_reason", &s), "{\"sampler_reason\":\"best\"}");
	SET(&s, RH_S_, stress, RH_STRESS_elevated);
	assert_string_equal(text_of("stress", &s), "elevated");
}

static void numbers_in_json_and_csv(void **state)
{
	struct rh_process p = {0};
	(void)state;

	SET(&p, RH_F_, start_time_ns, UINT64_MAX);
	assert_string_equal(json_of("start_time_ns", &p), "{\"start_time_ns\":18446744073709551615}");
	assert_string_equal(csv_of("start_time_ns", &p), "18446744073709551615");
	SET(&p, RH_F_, priority, -101);
	assert_string_equal(json_of("priority", &p), "{\"priority\":-101}");
	assert_string_equal(csv_of("priority", &p), "-101");
	SET(&p, RH_F_, score, 57.3f);
	assert_string_equal(json_of("score", &p), "{\"score\":57.3}");
	assert_string_equal(csv_of("score", &p), "57.3");
	SET(&p, RH_F_, score, NAN);
	assert_string_equal(json_of("score", &p), "{\"score\":null}");
	assert_string_equal(csv_of("score", &p), "");
}

static void hostile_commands(void **state)
{
	struct rh_process p = {0};
	(void)state;

	rh_set(p.present, RH_F_command);
	memcpy(p.command, "\033[2Ja\x9b\n)(\"\\,=xx", sizeof(p.command)); /* all 16 bytes used, no NUL */
	assert_string_equal(text_of("command", &p), "?[2Ja?\?)(\"\\,=xx");
	assert_string_equal(json_of("command", &p), "{\"command\":\"\\u001b[2Ja\\ufffd\\u000a)(\\\"\\\\,=xx\"}");
	assert_string_equal(csv_of("command", &p), "\"?[2Ja?\?)(\"\"\\,=xx\"");
	memcpy(p.command, "=cmd|x\0hidden..", sizeof(p.command));
	assert_string_equal(csv_of("command", &p), "\"'=cmd|x\"");
}

static void durations_fit_their_column(void **state)
{
	static const struct {
		double ns;
		const char *text;
	} cases[] = {{0, "0"}, {-1, "0"}, {400, "0.40us"}, {412e3, "412us"}, {2.31e9, "2.31s"}, {59.7e9, "59.7s"}, {60e9, "1m00s"},
	        {999.4e3, "999us"}, {999.6e3, "1.00ms"}, {999.9e6, "1.00s"}, {59.94e9, "59.9s"}, {59.96e9, "1m00s"}, {182.97e9, "3m03s"},
	        {18420e9, "5h07m"}, {1047600e9, "12d03h"}, {1e18, "11574d"}, {1e30, "49710d"}};
	char text[16];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(value_duration(cases[i].ns, text), cases[i].text);
	for (double ns = 1; ns < 1e19; ns *= 1.01)
		assert_in_range(strlen(value_duration(ns, text)), 1, 7);
}

static void numbers_fit_their_column(void **state)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {{0, "0"}, {0.04, "0"}, {-0.04, "0"}, {0.4, "0.4"}, {9.94, "9.9"}, {9.96, "10"}, {312.4, "312"}, {999999, "999999"},
	        {1.2e6, "1.2M"}, {999.6e6, "1.0G"}, {-3.2, "-3.2"}, {NAN, "?"}, {INFINITY, "?"}};
	char text[16];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(value_number(cases[i].number, text), cases[i].text);
	for (double number = 1e-3; number < 1.8e19; number *= 1.01)
		assert_in_range(strlen(value_number(number, text)), 1, 7);
}

static void order_of_values(void **state)
{
	struct rh_process a = {0}, b = {0};
	(void)state;

	assert_int_equal(value_compare(row_of("score"), &a, &b), 0);
	SET(&a, RH_F_, score, -1.0f);
	assert_true(value_compare(row_of("score"), &a, &b) > 0); /* absent is below every value */
	assert_true(value_compare(row_of("score"), &b, &a) < 0);
	SET(&b, RH_F_, score, 3.0f);
	assert_true(value_compare(row_of("score"), &a, &b) < 0);
	SET(&a, RH_F_, nice, -20);
	SET(&b, RH_F_, nice, 19);
	assert_true(value_compare(row_of("nice"), &a, &b) < 0);
	SET(&a, RH_F_, start_time_ns, UINT64_MAX);
	SET(&b, RH_F_, start_time_ns, UINT64_MAX - 1); /* equal as doubles */
	assert_true(value_compare(row_of("start_time_ns"), &a, &b) > 0);
}

static void the_list_of_fields_names_them_all(void **state)
{
	size_t count;
	const struct rh_row *rows = columns_rows(COLUMNS_PROCESS, &count);
	(void)state;

	columns_print(capture_begin(), COLUMNS_PROCESS);
	const char *list = capture_end();
	for (size_t i = 0; i < count; i++)
		assert_non_null(strstr(list, rows[i].name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_list_keeps_its_order),
	        cmocka_unit_test(every_field_can_be_asked_for),
	        cmocka_unit_test(an_unknown_field_names_the_nearest),
	        cmocka_unit_test(too_long_a_list_is_refused),
	        cmocka_unit_test(absent_is_not_zero),
	        cmocka_unit_test(every_field_at_its_limit),
	        cmocka_unit_test(units_for_people),
	        cmocka_unit_test(codes_by_name),
	        cmocka_unit_test(numbers_in_json_and_csv),
	        cmocka_unit_test(hostile_commands),
	        cmocka_unit_test(durations_fit_their_column),
	        cmocka_unit_test(numbers_fit_their_column),
	        cmocka_unit_test(order_of_values),
	        cmocka_unit_test(the_list_of_fields_names_them_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
