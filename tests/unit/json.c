/*
 * JSON and CSV out: whatever bytes go in, a parser that is not ours (jansson) reads the document back, and no control byte is in it.
 */
#include "base/json.h"

#include "base/text.h"
#include "tests/unit/json_peer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Text written between capture() and captured(). */
static char *memory;
static size_t memory_size;
static FILE *stream;

static FILE *capture(void)
{
	free(memory);
	memory = NULL;
	stream = open_memstream(&memory, &memory_size);
	assert_non_null(stream);
	return stream;
}

static const char *captured(void)
{
	fclose(stream);
	return memory;
}

static int forget(void **state)
{
	(void)state;
	free(memory);
	memory = NULL;
	return 0;
}

static void assert_no_control(const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t c = 0;
		size_t bytes = text_decode(text + i, length - i, &c);
		assert_int_not_equal(bytes, 0);
		assert_false(text_is_unsafe(c));
		i += bytes;
	}
}

/* Writes bytes as the only member of an object and returns what jansson reads. Owned by the caller. */
static char *round_trip(const char *bytes, size_t length)
{
	struct json json;

	json_begin(&json, capture());
	json_object_begin(&json);
	json_key(&json, "text");
	json_text(&json, bytes, length);
	json_object_end(&json);
	const char *document = captured();
	assert_no_control(document, strlen(document));
	char *text = peer_text(document, "text");
	if (!text)
		fail_msg("refused: %s", document);
	return text;
}

static void valid_text_comes_back_unchanged(void **state)
{
	static const char *const texts[] = {"", "plain", "\"quoted\"", "back\\slash", "new\nline\ttab\r", "\033[31m", "\x7f", "\xc2\x9b",
	        "caf\xc3\xa9", "\xe2\x80\xaeRTL", "\xf0\x9f\x98\x80", "\xf3\xa0\x80\x81", "</script>", "=cmd|' /C calc'!A0"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *back = round_trip(texts[i], strlen(texts[i]));
		assert_string_equal(back, texts[i]);
		free(back);
	}
}

static void any_bytes_give_a_document(void **state)
{
	unsigned seed = 20261120;
	(void)state;
	for (unsigned bits = 0; bits < 1u << 16; bits += 7) {
		char pair[2] = {(char)(bits >> 8), (char)bits};
		free(round_trip(pair, 2));
	}
	for (int round = 0; round < 5000; round++) {
		char bytes[16];
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(rand_r(&seed) % 256);
		free(round_trip(bytes, (size_t)(rand_r(&seed) % 17)));
	}
}

static void invalid_bytes_become_the_replacement_character(void **state)
{
	(void)state;
	char *back = round_trip("a\xff"
	                        "b\xc3",
	        4);
	assert_string_equal(back, "a\xef\xbf\xbd"
	                          "b\xef\xbf\xbd");
	free(back);
	back = round_trip("cut here", 3);
	assert_string_equal(back, "cut");
	free(back);
	back = round_trip("nul\0tail", 8);
	assert_string_equal(back, "nul");
	free(back);
}

static void structure(void **state)
{
	struct json json;
	(void)state;

	json_begin(&json, capture());
	json_object_begin(&json);
	json_key(&json, "empty");
	json_array_begin(&json);
	json_array_end(&json);
	json_key(&json, "list");
	json_array_begin(&json);
	json_u64(&json, UINT64_MAX);
	json_i64(&json, INT64_MIN);
	json_object_begin(&json);
	json_object_end(&json);
	json_none(&json);
	json_array_end(&json);
	json_key(&json, "yes");
	json_bool(&json, true);
	json_object_end(&json);
	assert_string_equal(captured(), "{\"empty\":[],\"list\":[18446744073709551615,-9223372036854775808,{},null],\"yes\":true}");
}

static void deep_structure(void **state)
{
	struct json json;
	(void)state;

	json_begin(&json, capture());
	for (int i = 0; i < 32; i++) {
		json_array_begin(&json);
		json_u64(&json, 1);
	}
	for (int i = 0; i < 32; i++)
		json_array_end(&json);
	assert_true(peer_accepts(captured()));
}

static const char *real(double value, int digits)
{
	struct json json;

	json_begin(&json, capture());
	json_f64(&json, value, digits);
	return captured();
}

static void reals(void **state)
{
	(void)state;
	assert_string_equal(real(57.3f, 7), "57.3");
	assert_string_equal(real(0, 7), "0");
	assert_string_equal(real(-0.25, 7), "-0.25");
	assert_string_equal(real(NAN, 7), "null");
	assert_string_equal(real(INFINITY, 7), "null");
	assert_string_equal(real(-INFINITY, 7), "null");
	assert_string_equal(real(1234567, 7), "1234567");
	for (double value = 1e-300; value < 1e300; value *= 7.7e11) {
		char document[64];
		snprintf(document, sizeof(document), "[%s]", real(value, 17));
		assert_true(fabs(peer_number(document) - value) <= value * 1e-15);
	}
}

static void csv(const char *text, bool from_outside, const char *expected)
{
	csv_text(capture(), text, strlen(text), from_outside);
	assert_string_equal(captured(), expected);
}

static void csv_cells(void **state)
{
	(void)state;
	csv("plain", true, "plain");
	csv("", true, "");
	csv("a,b", true, "\"a,b\"");
	csv("say \"hi\"", true, "\"say \"\"hi\"\"\"");
	csv("two\nlines", true, "two?lines"); /* a line is a row, always */
	csv("=cmd", true, "\"'=cmd\"");
	csv("+1", true, "\"'+1\"");
	csv("-1", true, "\"'-1\"");
	csv("@sum", true, "\"'@sum\"");
	csv("-1", false, "-1");
	csv("\033[31m", true, "?[31m");
	csv("caf\xc3", true, "caf?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(valid_text_comes_back_unchanged),
	        cmocka_unit_test(any_bytes_give_a_document),
	        cmocka_unit_test(invalid_bytes_become_the_replacement_character),
	        cmocka_unit_test(structure),
	        cmocka_unit_test(deep_structure),
	        cmocka_unit_test(reals),
	        cmocka_unit_test(csv_cells),
	};
	return cmocka_run_group_tests(tests, NULL, forget);
}
