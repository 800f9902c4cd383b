/* Configuration: every row of config.def keeps its rules, faults name the rule and never the value, the plain form is lossless. */
#include "base/config.h"

#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLAIN_BYTES = 64 * 1024 };

static const struct config_row *rows;
static size_t row_count;

static bool set(struct config *config, const struct config_row *row, struct config_value value, char error[256])
{
	error[0] = '\0';
	return config_set(config, row->section, row->key, &value, error);
}

static struct config_value integer(int64_t value)
{
	return (struct config_value){.type = CONFIG_INT, .integer = value};
}

static struct config_value real(double value)
{
	return (struct config_value){.type = CONFIG_REAL, .real = value};
}

static struct config_value text(const char *value)
{
	return (struct config_value){.type = CONFIG_TEXT, .text = value};
}

static bool is_number(const struct config_row *row)
{
	return row->type == CONFIG_INT || row->type == CONFIG_REAL;
}

/* Each default is a value that its own row accepts, and all of them together keep the rules between rows. */
static void test_defaults(void **state)
{
	struct config config, again;
	const char *key;
	char error[256], value[CONFIG_TEXT_BYTES];

	(void)state;
	config_defaults(&config);
	memcpy(&again, &config, sizeof(again));
	for (size_t i = 0; i < row_count; i++) {
		config_write_value(&config, &rows[i], value, sizeof(value));
		if (!config_set_plain(&again, rows[i].section, rows[i].key, value, error))
			fail_msg("default of %s.%s: %s", rows[i].section, rows[i].key, error);
	}
	assert_memory_equal(&config, &again, sizeof(config));
	assert_true(config_check(&config, &key, error));
	assert_true(row_count > 50);
}

/* Numbers: the ends of the range are in, what lies beyond is not, nan and infinity never are. */
static void test_ranges(void **state)
{
	struct config config;
	char error[256];

	(void)state;
	config_defaults(&config);
	for (size_t i = 0; i < row_count; i++) {
		const struct config_row *row = &rows[i];
		if (!is_number(row))
			continue;
		assert_true(set(&config, row, integer((int64_t)row->max), error));
		assert_false(set(&config, row, integer((int64_t)row->max + 1), error));
		assert_non_null(strstr(error, row->key));
		assert_false(set(&config, row, integer((int64_t)row->min - 1), error));
		assert_false(set(&config, row, integer(INT64_MAX), error));
		assert_false(set(&config, row, integer(INT64_MIN), error));
		assert_false(set(&config, row, real(strtod("nan", NULL)), error));
		assert_false(set(&config, row, real(strtod("inf", NULL)), error));
		assert_int_equal(set(&config, row, real(row->min), error), row->type == CONFIG_REAL);
		assert_false(set(&config, row, real(row->min - 1e-6), error));
	}
}

/* No row takes a value of another type, and what it says about that names the row and not the value. */
static void test_types(void **state)
{
	struct config config, before;
	char error[256];

	(void)state;
	config_defaults(&config);
	memcpy(&before, &config, sizeof(before));
	for (size_t i = 0; i < row_count; i++) {
		const struct config_row *row = &rows[i];
		bool is_text = row->type == CONFIG_TEXT || row->type == CONFIG_CHOICE;
		const struct config_value wrong[] = {
		        is_text ? integer(424242) : text("424242"),
		        row->type == CONFIG_BOOL ? text("424242") : (struct config_value){.type = CONFIG_BOOL},
		        {.type = CONFIG_CHOICE},
		        row->type == CONFIG_TEXT ? text("424242\n") : text("42424"),
		};

		for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
			assert_false(set(&config, row, wrong[w], error));
			assert_non_null(strstr(error, row->key));
			assert_non_null(strstr(error, "must be"));
			assert_null(strstr(error, "42424"));
		}
	}
	assert_memory_equal(&config, &before, sizeof(config));
}

static void test_texts(void **state)
{
	struct config config;
	char error[256], long_text[CONFIG_TEXT_BYTES + 1];

	(void)state;
	config_defaults(&config);
	memset(long_text, 'a', sizeof(long_text));
	long_text[CONFIG_TEXT_BYTES] = '\0';
	assert_false(config_set_plain(&config, "storage", "path", long_text, error));
	long_text[CONFIG_TEXT_BYTES - 1] = '\0';
	assert_true(config_set_plain(&config, "storage", "path", long_text, error));
	assert_true(config_set_plain(&config, "storage", "path", "/x/\303\244 b=c.d", error));
	assert_string_equal(config.storage_path, "/x/\303\244 b=c.d");
	assert_false(config_set_plain(&config, "storage", "path", "/x\033", error));
	assert_false(config_set_plain(&config, "storage", "path", "/x\177", error));
	assert_true(config_set_plain(&config, "sampling", "sampler", "procfs", error));
	assert_false(config_set_plain(&config, "sampling", "sampler", "proc", error)); /* the begin of a choice */
	assert_false(config_set_plain(&config, "sampling", "sampler", "auto|bpf", error));
	assert_false(config_set_plain(&config, "sampling", "sampler", "", error));
	assert_string_equal(error, "sampling.sampler must be one of \"auto\", \"bpf\", \"procfs\"");
}

static void test_unknown(void **state)
{
	struct config config;
	char error[256];

	(void)state;
	config_defaults(&config);
	assert_false(config_set_plain(&config, "sampling", "intervall", "1", error));
	assert_string_equal(error, "unknown key; did you mean sampling.interval?");
	assert_false(config_set_plain(&config, "ring", "interval", "1", error));
	assert_string_equal(error, "unknown key; did you mean sampling.interval?");
	assert_false(config_set_plain(&config, "samplng", "interval", "1", error));
	assert_string_equal(error, "unknown section; did you mean [sampling]?");
	assert_false(config_set_plain(&config, "log", "hunter2hunter2", "1", error));
	assert_null(strstr(error, "hunter2"));
	assert_null(strstr(error, "mean"));
}

/* Each rule between rows can be broken by values that every row by itself accepts, and is then named. */
static void test_rules(void **state)
{
	static const char *const broken[][3] = {
	        {"bands", "medium", "50"},
	        {"bands", "elevated", "65"},
	        {"bands", "critical", "60"},
	        {"stress", "critical", "50"},
	        {"ring", "min_mib", "513"},
	        {"storage", "path", "relative.db"},
	        {"log", "path", "relative.log"},
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct config config;
		const char *key = NULL;
		config_defaults(&config);
		assert_true(config_set_plain(&config, broken[i][0], broken[i][1], broken[i][2], error));
		assert_false(config_check(&config, &key, error));
		assert_memory_equal(key, broken[i][0], strlen(broken[i][0]));
		assert_non_null(strstr(error, key));
	}
}

static void randomise(struct config *config)
{
	char error[256], word[64];

	for (size_t i = 0; i < row_count; i++) {
		const struct config_row *row = &rows[i];
		long dice = random();
		double at = (double)dice / 2147483648.0;
		if (row->type == CONFIG_INT)
			assert_true(set(config, row, integer((int64_t)(row->min + at * (row->max - row->min))), error));
		if (row->type == CONFIG_REAL)
			assert_true(set(config, row, real(row->min + at * (row->max - row->min)), error));
		snprintf(word, sizeof(word), "/=%ld.\"\\ %ld", random(), random());
		if (row->type == CONFIG_TEXT)
			assert_true(set(config, row, text(word), error));
	}
	config->bands_medium = 0.1 + 0.2; /* digits that only the longest form keeps */
	config->bands_elevated = 1;
	config->bands_high = 2;
	config->bands_critical = 1e2 / 3;
	config->stress_elevated = 0;
	config->stress_critical = 1;
	config->ring_min_mib = 1;
}

static void test_plain_round_trip(void **state)
{
	static char plain[PLAIN_BYTES], tight[PLAIN_BYTES];
	char error[256];

	(void)state;
	srandom(1);
	for (int i = 0; i < 200; i++) {
		struct config config, back;
		config_defaults(&config);
		randomise(&config);
		size_t length = config_write_plain(&config, plain, sizeof(plain));
		assert_int_equal(length, strlen(plain));
		assert_int_equal(config_write_plain(&config, tight, 10), length);
		assert_int_equal(strlen(tight), 9);
		if (!config_read_plain(&back, plain, length, error))
			fail_msg("%s", error);
		assert_memory_equal(&config, &back, sizeof(config));
	}
}

static void test_plain_faults(void **state)
{
	static const char *const faults[] = {
	        "hunter2",
	        "hunter2\n",
	        "sampling.interval=1", /* cut off */
	        "sampling.interval\n",
	        "sampling=1\n",
	        "sampling.interval=\n",
	        "sampling.interval=1 \n",
	        "sampling.interval=1x\n",
	        "sampling.interval=hunter2\n",
	        "sampling.refresh_parts=1.5\n",
	        "sampling.refresh_parts=99999999999999999999\n",
	        "sampling.hunter2=1\n",
	        "\n",
	        "log.level=hunter2\n",
	        "bands.medium=99\n",
	};
	struct config config;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		memset(error, 0, sizeof(error));
		assert_false(config_read_plain(&config, faults[i], strlen(faults[i]), error));
		assert_int_equal(strncmp(error, "configuration", 13), 0);
		assert_null(strstr(error, "hunter2"));
	}
	assert_true(config_read_plain(&config, "", 0, error));
	assert_false(config_read_plain(&config, "sampling.sampler=auto\0\n", 23, error));
}

/* Whatever bytes come, the result is an answer, and a configuration that was accepted keeps its rules. */
static void test_plain_garbage(void **state)
{
	static char plain[PLAIN_BYTES];
	struct config config;
	const char *key;
	char error[256];
	unsigned accepted = 0, refused = 0;

	(void)state;
	srandom(2);
	for (int i = 0; i < 5000; i++) {
		config_defaults(&config);
		size_t length = config_write_plain(&config, plain, sizeof(plain));
		for (long flips = random() % 4; flips >= 0; flips--)
			plain[(size_t)random() % length] = (char)(i % 2 ? random() : '0' + random() % 10); /* digits may well be accepted */
		if (config_read_plain(&config, plain, length, error)) {
			accepted++;
			assert_true(config_check(&config, &key, error));
		} else {
			refused++;
		}
	}
	assert_true(accepted > 10 && refused > 10);
}

static void test_bands(void **state)
{
	struct config config;

	(void)state;
	config_defaults(&config);
	assert_int_equal(config_band(&config, 0), 0);
	assert_int_equal(config_band(&config, 39.99), 0);
	assert_int_equal(config_band(&config, 40), 1);
	assert_int_equal(config_band(&config, 50), 2);
	assert_int_equal(config_band(&config, 69.99), 3);
	assert_int_equal(config_band(&config, 100), 4);
	assert_true(config_band_floor(&config, "low") == 0);
	assert_true(config_band_floor(&config, "high") == 60);
	assert_true(config_band_floor(&config, "critical") == 70);
}

static void test_nearest(void **state)
{
	struct nearest nearest;

	(void)state;
	assert_int_equal(nearest_distance("", ""), 0);
	assert_int_equal(nearest_distance("", "abc"), 3);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	assert_int_equal(nearest_distance("statsu", "status"), 1);
	assert_int_equal(nearest_distance("abcdefgh", "hgfedcba"), nearest_distance("hgfedcba", "abcdefgh"));
	nearest_begin(&nearest, "evnts");
	assert_false(nearest_offer(&nearest, "status"));
	assert_true(nearest_offer(&nearest, "events"));
	assert_false(nearest_offer(&nearest, "events"));
	assert_string_equal(nearest.best, "events");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_defaults),
	        cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_types),
	        cmocka_unit_test(test_texts),
	        cmocka_unit_test(test_unknown),
	        cmocka_unit_test(test_rules),
	        cmocka_unit_test(test_plain_round_trip),
	        cmocka_unit_test(test_plain_faults),
	        cmocka_unit_test(test_plain_garbage),
	        cmocka_unit_test(test_bands),
	        cmocka_unit_test(test_nearest),
	};

	rows = config_rows(&row_count);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
