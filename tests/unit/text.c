/*
 * Foreign text: every code point, every byte sequence of up to three bytes, every cut; against a decoder written another way (RFC 3629's
 * grammar), so that a fault would have to be made twice.
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- reference: the grammar of RFC 3629, section 4 ---- */

struct form {
	size_t length;
	unsigned char low[4], high[4];
};

static const struct form forms[] = {
        {1, {0x00}, {0x7f}},
        {2, {0xc2, 0x80}, {0xdf, 0xbf}},
        {3, {0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}},
        {3, {0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}},
        {3, {0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}},
        {3, {0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}},
        {4, {0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}},
        {4, {0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}},
        {4, {0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}},
};

static size_t reference_length(const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t matched = 0;
		while (matched < forms[i].length && matched < length && bytes[matched] >= forms[i].low[matched] &&
		        bytes[matched] <= forms[i].high[matched])
			matched++;
		if (matched == forms[i].length)
			return matched;
	}
	return 0;
}

static size_t encode(uint32_t code_point, unsigned char out[4])
{
	if (code_point < 0x80) {
		out[0] = (unsigned char)code_point;
		return 1;
	}
	size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--, code_point >>= 6)
		out[i] = (unsigned char)(0x80 | (code_point & 0x3f));
	out[0] = (unsigned char)((0xf00 >> length & 0xff) | code_point);
	return length;
}

static size_t decode(const unsigned char *bytes, size_t length, uint32_t *ret)
{
	return text_decode((const char *)bytes, length, ret);
}

static void every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		unsigned char bytes[4];
		uint32_t got = UINT32_MAX;
		size_t length = encode(c, bytes);
		bool surrogate = c >= 0xd800 && c <= 0xdfff;

		assert_int_equal(decode(bytes, length, &got), surrogate ? 0 : length);
		if (!surrogate)
			assert_int_equal(got, c);
		for (size_t cut = 0; cut < length; cut++)
			assert_int_equal(decode(bytes, cut, &got), 0);
	}
}

static void every_short_sequence(void **state)
{
	(void)state;
	for (uint32_t bits = 0; bits < 1u << 24; bits++) {
		unsigned char bytes[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8), (unsigned char)bits};
		uint32_t ignored;
		if (decode(bytes, 3, &ignored) != reference_length(bytes, 3))
			fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
	}
}

/* Four bytes: every lead and second byte, the edges of the last two. */
static void edges_of_four_bytes(void **state)
{
	static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0xbe, 0xbf, 0xc0, 0xff};
	(void)state;
	for (uint32_t bits = 0; bits < 1u << 16; bits++)
		for (size_t i = 0; i < sizeof(edges) * sizeof(edges); i++) {
			unsigned char bytes[4] = {
			        (unsigned char)(bits >> 8), (unsigned char)bits, edges[i / sizeof(edges)], edges[i % sizeof(edges)]};
			uint32_t ignored;
			if (decode(bytes, 4, &ignored) != reference_length(bytes, 4))
				fail_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
		}
}

/* ---- what is unsafe ---- */

static void controls_and_formats_are_unsafe(void **state)
{
	static const uint32_t formats[] = {0xad, 0x61c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
	        0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206f, 0xfeff, 0xfff9, 0xfffe, 0xffff, 0xe0001, 0xe0061,
	        0x10ffff};
	(void)state;
	for (uint32_t c = 0; c < 0x20; c++)
		assert_true(text_is_unsafe(c));
	for (uint32_t c = 0x7f; c < 0xa0; c++)
		assert_true(text_is_unsafe(c));
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		assert_true(text_is_unsafe(formats[i]));
}

static void letters_are_safe(void **state)
{
	static const uint32_t letters[] = {0xa0, 0xe4, 0x3b1, 0x416, 0x5d0, 0x627, 0x905, 0x3042, 0x4e2d, 0xac00, 0xfffd, 0x1f600, 0x20000};
	(void)state;
	for (uint32_t c = 0x20; c < 0x7f; c++)
		assert_false(text_is_unsafe(c));
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		assert_false(text_is_unsafe(letters[i]));
}

/* ---- sanitising ---- */

static void assert_harmless(const char *text)
{
	size_t length = strlen(text);
	for (size_t i = 0; i < length;) {
		uint32_t c = 0;
		size_t bytes = text_decode(text + i, length - i, &c);
		assert_int_not_equal(bytes, 0);
		assert_false(text_is_unsafe(c));
		i += bytes;
	}
}

static void every_pair_of_bytes_becomes_harmless(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1u << 16; bits++) {
		char in[2] = {(char)(bits >> 8), (char)bits}, out[8], again[8];
		size_t length = text_sanitise(in, 2, out, sizeof(out));
		assert_int_equal(length, strlen(out));
		assert_true(length <= 2);
		assert_harmless(out);
		text_sanitise(out, length, again, sizeof(again));
		assert_string_equal(again, out);
	}
}

static void random_bytes_become_harmless_in_any_room(void **state)
{
	unsigned seed = 20261120;
	(void)state;
	for (int round = 0; round < 20000; round++) {
		char in[24], out[40];
		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = (char)(rand_r(&seed) % 3 ? 0x80 | rand_r(&seed) % 128 : rand_r(&seed) % 256);
		size_t room = (size_t)(rand_r(&seed) % (int)sizeof(out));
		memset(out, 'X', sizeof(out));
		size_t length = text_sanitise(in, sizeof(in), out, room);
		if (room == 0) {
			assert_int_equal(out[0], 'X');
			continue;
		}
		assert_true(length < room);
		assert_int_equal(out[length], '\0');
		assert_int_equal(out[room], 'X'); /* nothing beyond the room */
		assert_harmless(out);
	}
}

static void sanitised(const char *in, size_t length, size_t room, const char *expected)
{
	char out[64];
	text_sanitise(in, length, out, room);
	assert_string_equal(out, expected);
}

static void sanitising_in_detail(void **state)
{
	(void)state;
	sanitised("plain", 5, 64, "plain");
	sanitised("plain", 3, 64, "pla");
	sanitised("nul\0hidden", 10, 64, "nul");
	sanitised("\033[2J\033]0;x\007", 11, 64, "?[2J?]0;x?");
	sanitised("\x9b\x33\x31m", 4, 64, "?31m"); /* C1 as a raw byte */
	sanitised("\xc2\x9b"
	          "31m",
	        5, 64, "?31m"); /* C1 as UTF-8 */
	sanitised("a\xe2\x80\xae"
	          "fdp.exe",
	        11, 64, "a?fdp.exe"); /* U+202E */
	sanitised("caf\xc3\xa9", 5, 64, "caf\xc3\xa9");
	sanitised("caf\xc3\xa9", 4, 64, "caf?"); /* cut in the middle, as the kernel cuts comm */
	sanitised("caf\xc3\xa9", 5, 5, "caf");   /* no room for both bytes: neither */
	sanitised("caf\xc3\xa9", 5, 6, "caf\xc3\xa9");
	sanitised("\xf0\x9f\x98\x80", 4, 4, "");
	sanitised("\xf0\x9f\x98", 3, 64, "???");
	sanitised("\x7f\n\t", 3, 64, "???");
}

/* ---- columns ---- */

static void columns_and_cuts(void **state)
{
	static const char mixed[] = "a\xe4\xb8\xad"
	                            "e\xcc\x81"
	                            "\xf0\x9f\x98\x80z"; /* a, wide, e with an accent, wide, z */
	static const size_t bytes_at[] = {0, 1, 1, 4, 7, 7, 11, 12, 12};
	(void)state;

	assert_int_equal(text_columns(""), 0);
	assert_int_equal(text_columns("abc"), 3);
	assert_int_equal(text_columns(mixed), 7);
	for (size_t columns = 0; columns < sizeof(bytes_at) / sizeof(bytes_at[0]); columns++) {
		char copy[sizeof(mixed)];
		memcpy(copy, mixed, sizeof(mixed));
		text_cut(copy, columns);
		assert_int_equal(strlen(copy), bytes_at[columns]);
		assert_true(text_columns(copy) <= columns);
		assert_harmless(copy);
	}
}

/* ---- numbers ---- */

static void whole_numbers(void **state)
{
	static const char *const bad[] = {
	        "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "18446744073709551616", "99999999999999999999999", "1\n"};
	uint64_t value;
	(void)state;

	assert_true(text_to_u64("0", UINT64_MAX, &value) && value == 0);
	assert_true(text_to_u64("18446744073709551615", UINT64_MAX, &value) && value == UINT64_MAX);
	assert_true(text_to_u64("007", 7, &value) && value == 7);
	assert_false(text_to_u64("8", 7, &value));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_to_u64(bad[i], UINT64_MAX, &value));
}

static void real_numbers(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "nan", "inf", "-inf", "0x10", "1,5", "1..2", "e5", "1e999", "--1"};
	double value;
	(void)state;

	assert_true(text_to_double("-2.5e1", -100, 100, &value) && value >= -25 && value <= -25);
	assert_true(text_to_double(".5", 0, 1, &value) && value >= 0.5 && value <= 0.5);
	assert_false(text_to_double("1.01", 0, 1, &value));
	assert_false(text_to_double("-0.01", 0, 1, &value));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_to_double(bad[i], -1e300, 1e300, &value));
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		double ms;
	} good[] = {{"200ms", 200}, {"1.5s", 1500}, {"10m", 600e3}, {"2h", 7200e3}, {"7d", 604800e3}, {"3", 3000}, {"0", 0}};
	static const char *const bad[] = {"", "s", "1x", "1 s", "-1s", "1sm", "ms", "1S"};
	double seconds;
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(text_to_duration(good[i].text, &seconds));
		assert_int_equal((long)(seconds * 1000 + 0.5), (long)good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_to_duration(bad[i], &seconds));
}

static void byte_sizes(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} cases[] = {{0, "0"}, {-5, "0"}, {1, "1"}, {512, "512"}, {999, "999"}, {1024, "1.0K"}, {9420, "9.2K"}, {37.0 * 1048576, "37M"},
	        {1.4 * 1073741824, "1.4G"}, {1023.9 * 1024, "1.0M"}, {5e15, "4.4P"}};
	char out[16];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_bytes(cases[i].bytes, out), cases[i].text);
	for (double bytes = 1; bytes < 1.8e19; bytes *= 1.01)
		assert_true(strlen(text_bytes(bytes, out)) <= 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_code_point),
	        cmocka_unit_test(every_short_sequence),
	        cmocka_unit_test(edges_of_four_bytes),
	        cmocka_unit_test(controls_and_formats_are_unsafe),
	        cmocka_unit_test(letters_are_safe),
	        cmocka_unit_test(every_pair_of_bytes_becomes_harmless),
	        cmocka_unit_test(random_bytes_become_harmless_in_any_room),
	        cmocka_unit_test(sanitising_in_detail),
	        cmocka_unit_test(columns_and_cuts),
	        cmocka_unit_test(whole_numbers),
	        cmocka_unit_test(real_numbers),
	        cmocka_unit_test(durations),
	        cmocka_unit_test(byte_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
