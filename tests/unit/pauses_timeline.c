/*
 * The timeline of a pause: whatever its length, it fits 60 columns, of which the pause takes half or more; what was not seen is never drawn as quiet.
 */
#include "readers/pauses/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Ratios as a timeline draws them: '#' 1, '+' 0.6, '.' 0.2, '-' 0, '?' null. Owned: json_decref(). */
static json_t *ratios_of(const char *symbols)
{
	json_t *ratios = json_array();

	for (; *symbols; symbols++)
		json_array_append_new(ratios, *symbols == '?'   ? json_null()
		                              : *symbols == '#' ? json_integer(1)
		                              : *symbols == '+' ? json_real(0.6)
		                              : *symbols == '.' ? json_real(0.2)
		                                                : json_real(0));
	return ratios;
}

static const char *drawn(const char *symbols, double bucket_us, double from_us, double span_us)
{
	static char line[TIMELINE_COLUMNS + 1];
	json_t *ratios = ratios_of(symbols);
	struct timeline_scale scale = timeline_scale(strlen(symbols), bucket_us, from_us, span_us);

	assert_true(scale.count <= TIMELINE_COLUMNS);
	for (size_t i = 0; i < scale.count; i++)
		line[i] = timeline_symbol(&scale, ratios, i);
	line[scale.count] = '\0';
	json_decref(ratios);
	return line;
}

static void every_length_fits(void **state)
{
	(void)state;
	for (size_t columns = 1; columns <= 4096; columns += columns < 200 ? 1 : 37)
		for (size_t lead = 0; lead <= columns; lead += 1 + columns / 9)
			for (size_t pause = 1; lead + pause <= columns; pause += 1 + columns / 11) {
				struct timeline_scale scale = timeline_scale(columns, 1000, -1000.0 * (double)lead, 1000.0 * (double)pause);
				assert_true(scale.count <= TIMELINE_COLUMNS && scale.lead + scale.pause <= scale.count);
				assert_true(scale.pause * 2 >= scale.count);
				assert_true(scale.join == 1 || scale.repeat == 1);
				/* The pause is drawn at its length. */
				double drawn_us = (double)scale.pause * scale.column_us;
				assert_true(
				        drawn_us >= 1000.0 * (double)pause - 1e-6 && drawn_us < 1000.0 * (double)pause + scale.column_us);
			}
}

static void long_and_short_ones_are_scaled(void **state)
{
	(void)state;
	assert_string_equal(drawn("--##--", 100, -200, 200), "-------------########################################-------");
	assert_string_equal(
	        drawn("---##########################################-", 50, -150, 2100), "---##########################################-");
	/* 96 columns of pause become 48, each of two. */
	char symbols[121];
	memset(symbols, '-', 12);
	memset(symbols + 12, '#', 96);
	memset(symbols + 108, '-', 12);
	symbols[120] = '\0';
	assert_string_equal(drawn(symbols, 50, -600, 4800), "------################################################------");
}

static void the_unseen_is_never_quiet(void **state)
{
	char symbols[101];

	(void)state;
	assert_string_equal(drawn("??????????????????????????????", 50, 0, 1500), "??????????????????????????????");
	/* Two become one: quiet and unseen is unseen, busy and unseen is what was seen of it. */
	for (size_t i = 0; i < 100; i++)
		symbols[i] = i % 2 ? '?' : i < 50 ? '-' : '#';
	symbols[100] = '\0';
	const char *line = drawn(symbols, 50, 0, 5000);
	assert_null(strchr(line, '-'));
	assert_int_equal(line[0], '?');
	assert_non_null(strchr(line, '#'));
	/* A row that ends before others was not seen there. */
	json_t *ratios = ratios_of("##");
	struct timeline_scale scale = timeline_scale(40, 50, 0, 2000);
	assert_int_equal(timeline_symbol(&scale, ratios, 0), '#');
	assert_int_equal(timeline_symbol(&scale, ratios, 2), '?');
	json_decref(ratios);
}

static void values_have_their_symbols(void **state)
{
	static const struct {
		double ratio;
		char symbol;
	} values[] = {
	        {0, '-'}, {-3, '-'}, {0.009, '-'}, {0.01, '.'}, {0.49, '.'}, {0.5, '+'}, {0.94, '+'}, {0.95, '#'}, {1, '#'}, {7, '#'}};
	struct timeline_scale scale = timeline_scale(30, 50, 0, 1500);

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *ratios = json_pack("[f]", values[i].ratio);
		assert_int_equal(timeline_symbol(&scale, ratios, 0), values[i].symbol);
		json_decref(ratios);
	}
	json_t *text = json_pack("[s]", "1");
	assert_int_equal(timeline_symbol(&scale, text, 0), '?');
	json_decref(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_length_fits),
	        cmocka_unit_test(long_and_short_ones_are_scaled),
	        cmocka_unit_test(the_unseen_is_never_quiet),
	        cmocka_unit_test(values_have_their_symbols),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
