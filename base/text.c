/* text.c - making foreign text harmless, and reading numbers. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t text_decode(const char *text, size_t length, uint32_t *ret_code_point)
{
	/* Least code point that may take 1, 2, 3 or 4 bytes: anything below is an overlong form. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	size_t size;
	uint32_t code_point;

	if (length == 0)
		return 0;
	if (bytes[0] < 0x80) {
		*ret_code_point = bytes[0];
		return 1;
	}
	if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf) {
		size = 2;
		code_point = bytes[0] & 0x1fu;
	} else if (bytes[0] >= 0xe0 && bytes[0] <= 0xef) {
		size = 3;
		code_point = bytes[0] & 0x0fu;
	} else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4) {
		size = 4;
		code_point = bytes[0] & 0x07u;
	} else {
		return 0;
	}
	if (size > length)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code_point = code_point << 6 | (bytes[i] & 0x3fu);
	}
	if (code_point < least[size] || code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
		return 0;
	*ret_code_point = code_point;
	return size;
}

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code_point)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (code_point > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && code_point >= ranges[low].first;
}
#define IS_IN(ranges, code_point) is_in((ranges), sizeof(ranges) / sizeof((ranges)[0]), (code_point))

/* Unicode 15: categories Cc, Cf, Zl, Zp, variation selectors, private use and non-characters. */
static const struct range unsafe_ranges[] = {
        {0x0000, 0x001f},
        {0x007f, 0x009f},
        {0x00ad, 0x00ad},
        {0x034f, 0x034f},
        {0x0600, 0x0605},
        {0x061c, 0x061c},
        {0x06dd, 0x06dd},
        {0x070f, 0x070f},
        {0x0890, 0x0891},
        {0x08e2, 0x08e2},
        {0x115f, 0x1160},
        {0x17b4, 0x17b5},
        {0x180b, 0x180f},
        {0x200b, 0x200f},
        {0x2028, 0x202e},
        {0x2060, 0x206f},
        {0x3164, 0x3164},
        {0xd800, 0xf8ff},
        {0xfdd0, 0xfdef},
        {0xfe00, 0xfe0f},
        {0xfeff, 0xfeff},
        {0xffa0, 0xffa0},
        {0xfff0, 0xfffb},
        {0xfffe, 0xffff},
        {0x110bd, 0x110bd},
        {0x110cd, 0x110cd},
        {0x13430, 0x1343f},
        {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a},
        {0x1fffe, 0x1ffff},
        {0xe0000, 0x10ffff},
};

bool text_is_unsafe(uint32_t code_point)
{
	return IS_IN(unsafe_ranges, code_point);
}

size_t text_sanitise(const char *text, size_t length, char *out, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return 0;
	length = strnlen(text, length);
	for (size_t i = 0; i < length;) {
		uint32_t code_point;
		size_t bytes = text_decode(text + i, length - i, &code_point);
		bool keep = bytes > 0 && !text_is_unsafe(code_point);
		size_t room = keep ? bytes : 1;

		if (used + room + 1 > size)
			break;
		if (keep)
			memcpy(out + used, text + i, bytes);
		else
			out[used] = '?';
		used += room;
		i += bytes ? bytes : 1;
	}
	out[used] = '\0';
	return used;
}

void text_reduce_to_ascii(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		bool continues = ((unsigned char)*from & 0xc0) == 0x80;
		if (!continues)
			*to++ = (unsigned char)*from < 0x80 ? *from : '?';
	}
	*to = '\0';
}

/* Blocks whose characters take two columns: East Asian Width W and F, and the emoji that terminals draw wide. */
static const struct range wide_ranges[] = {
        {0x1100, 0x115f},
        {0x231a, 0x231b},
        {0x2329, 0x232a},
        {0x23e9, 0x23ec},
        {0x23f0, 0x23f0},
        {0x23f3, 0x23f3},
        {0x25fd, 0x25fe},
        {0x2614, 0x2615},
        {0x2648, 0x2653},
        {0x267f, 0x267f},
        {0x2693, 0x2693},
        {0x26a1, 0x26a1},
        {0x26aa, 0x26ab},
        {0x26bd, 0x26be},
        {0x26c4, 0x26c5},
        {0x26ce, 0x26ce},
        {0x26d4, 0x26d4},
        {0x26ea, 0x26ea},
        {0x26f2, 0x26f3},
        {0x26f5, 0x26f5},
        {0x26fa, 0x26fa},
        {0x26fd, 0x26fd},
        {0x2705, 0x2705},
        {0x270a, 0x270b},
        {0x2728, 0x2728},
        {0x274c, 0x274c},
        {0x274e, 0x274e},
        {0x2753, 0x2755},
        {0x2757, 0x2757},
        {0x2795, 0x2797},
        {0x27b0, 0x27b0},
        {0x27bf, 0x27bf},
        {0x2b1b, 0x2b1c},
        {0x2b50, 0x2b50},
        {0x2b55, 0x2b55},
        {0x2e80, 0x303e},
        {0x3041, 0x33ff},
        {0x3400, 0x4dbf},
        {0x4e00, 0xa4cf},
        {0xa960, 0xa97f},
        {0xac00, 0xd7a3},
        {0xf900, 0xfaff},
        {0xfe10, 0xfe19},
        {0xfe30, 0xfe6f},
        {0xff01, 0xff60},
        {0xffe0, 0xffe6},
        {0x16fe0, 0x18aff},
        {0x1aff0, 0x1b2ff},
        {0x1f004, 0x1f004},
        {0x1f0cf, 0x1f0cf},
        {0x1f18e, 0x1f18e},
        {0x1f191, 0x1f19a},
        {0x1f200, 0x1f265},
        {0x1f300, 0x1f320},
        {0x1f32d, 0x1f335},
        {0x1f337, 0x1f37c},
        {0x1f37e, 0x1f393},
        {0x1f3a0, 0x1f3ca},
        {0x1f3cf, 0x1f3d3},
        {0x1f3e0, 0x1f3f0},
        {0x1f3f4, 0x1f3f4},
        {0x1f3f8, 0x1f43e},
        {0x1f440, 0x1f440},
        {0x1f442, 0x1f4fc},
        {0x1f4ff, 0x1f53d},
        {0x1f54b, 0x1f54e},
        {0x1f550, 0x1f567},
        {0x1f57a, 0x1f57a},
        {0x1f595, 0x1f596},
        {0x1f5a4, 0x1f5a4},
        {0x1f5fb, 0x1f64f},
        {0x1f680, 0x1f6c5},
        {0x1f6cc, 0x1f6cc},
        {0x1f6d0, 0x1f6d2},
        {0x1f6d5, 0x1f6d7},
        {0x1f6dc, 0x1f6df},
        {0x1f6eb, 0x1f6ec},
        {0x1f6f4, 0x1f6fc},
        {0x1f7e0, 0x1f7eb},
        {0x1f7f0, 0x1f7f0},
        {0x1f90c, 0x1f93a},
        {0x1f93c, 0x1f945},
        {0x1f947, 0x1f9ff},
        {0x1fa70, 0x1faff},
        {0x20000, 0x3fffd},
};

/* Marks that sit on the character before them (categories Mn and Me of the scripts met in names). */
static const struct range combining_ranges[] = {
        {0x0300, 0x036f},
        {0x0483, 0x0489},
        {0x0591, 0x05bd},
        {0x05bf, 0x05bf},
        {0x05c1, 0x05c2},
        {0x05c4, 0x05c5},
        {0x05c7, 0x05c7},
        {0x0610, 0x061a},
        {0x064b, 0x065f},
        {0x0670, 0x0670},
        {0x06d6, 0x06dc},
        {0x06df, 0x06e4},
        {0x06e7, 0x06e8},
        {0x06ea, 0x06ed},
        {0x0900, 0x0902},
        {0x093a, 0x093a},
        {0x093c, 0x093c},
        {0x0941, 0x0948},
        {0x094d, 0x094d},
        {0x0951, 0x0957},
        {0x0e31, 0x0e31},
        {0x0e34, 0x0e3a},
        {0x0e47, 0x0e4e},
        {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff},
        {0x20d0, 0x20f0},
        {0x302a, 0x302d},
        {0x3099, 0x309a},
        {0xfe20, 0xfe2f},
};

static size_t columns_of(uint32_t code_point)
{
	if (code_point < 0x300)
		return 1;
	if (IS_IN(combining_ranges, code_point))
		return 0;
	return IS_IN(wide_ranges, code_point) ? 2 : 1;
}

/* Bytes of the longest begin of text that takes at most `columns`, and what it takes. */
static size_t measure(const char *text, size_t columns, size_t *ret_columns)
{
	size_t length = strlen(text), i = 0, taken = 0;

	while (i < length) {
		uint32_t code_point = '?';
		size_t bytes = text_decode(text + i, length - i, &code_point);
		size_t width = columns_of(code_point);

		if (taken + width > columns)
			break;
		taken += width;
		i += bytes ? bytes : 1;
	}
	*ret_columns = taken;
	return i;
}

size_t text_columns(const char *text)
{
	size_t columns;

	measure(text, SIZE_MAX, &columns);
	return columns;
}

void text_cut(char *text, size_t columns)
{
	size_t taken;

	text[measure(text, columns, &taken)] = '\0';
}

bool text_to_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		uint64_t digit = (uint64_t)(*text - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

/* strtod in the C locale, whatever the program's is, and without its hexadecimal, infinite and white-space forms. */
static bool parse_decimal(const char *text, const char **ret_end, double *ret_value)
{
	static locale_t plain;
	size_t length = strspn(text, "+-.0123456789eE");
	char copy[64], *end;

	if (plain == (locale_t)0)
		plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (length == 0 || length >= sizeof(copy) || plain == (locale_t)0)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*ret_value = strtod_l(copy, &end, plain);
	*ret_end = text + (end - copy);
	return end != copy && isfinite(*ret_value);
}

bool text_to_double(const char *text, double min, double max, double *ret_value)
{
	const char *end;
	double value;

	if (!parse_decimal(text, &end, &value) || *end != '\0' || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

bool text_to_duration(const char *text, double *ret_seconds)
{
	static const struct {
		const char *suffix;
		double seconds;
	} units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
	const char *end;
	double value;

	if (!parse_decimal(text, &end, &value) || value < 0)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix) == 0) {
			*ret_seconds = value * units[i].seconds;
			return true;
		}
	}
	return false;
}

char *text_bytes(double bytes, char out[16])
{
	static const char suffixes[] = "BKMGTPE";
	size_t step = 0;

	if (!(bytes > 0))
		bytes = 0;
	/* From 999.5 the rounded form would need a fourth digit. */
	while (bytes >= 999.5 && suffixes[step + 1]) {
		bytes /= 1024;
		step++;
	}
	if (step == 0)
		snprintf(out, 16, "%.0f", bytes);
	else
		snprintf(out, 16, bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, suffixes[step]);
	return out;
}
