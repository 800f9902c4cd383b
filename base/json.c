/* json.c - a streaming JSON writer, and CSV cells. */
#include "base/json.h"

#include "base/assert.h"
#include "base/text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

void json_begin(struct json *json, FILE *out)
{
	*json = (struct json){.out = out};
}

/* Comma where an item came before on this level; a value after its key needs none. */
static void before_value(struct json *json)
{
	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (json->depth > 0) {
		uint32_t bit = UINT32_C(1) << (json->depth - 1);
		if (json->has_items & bit)
			fputc(',', json->out);
		json->has_items |= bit;
	}
}

static void open_level(struct json *json, char bracket)
{
	before_value(json);
	RH_ASSERT(json->depth < DEPTH_MAX);
	fputc(bracket, json->out);
	json->has_items &= ~(UINT32_C(1) << json->depth);
	json->depth++;
}

static void close_level(struct json *json, char bracket)
{
	RH_ASSERT(json->depth > 0 && !json->after_key);
	json->depth--;
	fputc(bracket, json->out);
}

void json_object_begin(struct json *json)
{
	open_level(json, '{');
}

void json_object_end(struct json *json)
{
	close_level(json, '}');
}

void json_array_begin(struct json *json)
{
	open_level(json, '[');
}

void json_array_end(struct json *json)
{
	close_level(json, ']');
}

static void put_escaped(FILE *out, uint32_t code_point)
{
	if (code_point > 0xffff) {
		code_point -= 0x10000;
		fprintf(out, "\\u%04x\\u%04x", 0xd800 | code_point >> 10, 0xdc00 | (code_point & 0x3ff));
	} else {
		fprintf(out, "\\u%04x", code_point);
	}
}

static void put_text(FILE *out, const char *text, size_t length)
{
	length = strnlen(text, length);
	fputc('"', out);
	for (size_t i = 0; i < length;) {
		uint32_t code_point;
		size_t bytes = text_decode(text + i, length - i, &code_point);

		if (bytes == 0)
			fputs("\\ufffd", out);
		else if (code_point == '"' || code_point == '\\')
			fprintf(out, "\\%c", (int)code_point);
		else if (text_is_unsafe(code_point))
			put_escaped(out, code_point);
		else
			fwrite(text + i, 1, bytes, out);
		i += bytes ? bytes : 1;
	}
	fputc('"', out);
}

void json_key(struct json *json, const char *key)
{
	RH_ASSERT(!json->after_key);
	before_value(json);
	put_text(json->out, key, SIZE_MAX);
	fputc(':', json->out);
	json->after_key = true;
}

void json_text(struct json *json, const char *text, size_t length)
{
	before_value(json);
	put_text(json->out, text, length);
}

void json_u64(struct json *json, uint64_t value)
{
	before_value(json);
	fprintf(json->out, "%" PRIu64, value);
}

void json_i64(struct json *json, int64_t value)
{
	before_value(json);
	fprintf(json->out, "%" PRId64, value);
}

void json_f64(struct json *json, double value, int digits)
{
	char text[40];

	if (!isfinite(value)) {
		json_none(json);
		return;
	}
	before_value(json);
	snprintf(text, sizeof(text), "%.*g", digits, value);
	/* A locale's decimal comma would not be JSON. */
	for (char *c = text; *c; c++)
		if (*c == *localeconv()->decimal_point)
			*c = '.';
	fputs(text, json->out);
}

void json_bool(struct json *json, bool value)
{
	before_value(json);
	fputs(value ? "true" : "false", json->out);
}

void json_none(struct json *json)
{
	before_value(json);
	fputs("null", json->out);
}

void csv_text(FILE *out, const char *text, size_t length, bool text_from_outside)
{
	char clean[1024];

	text_sanitise(text, length, clean, sizeof(clean));
	/* A spreadsheet would run a cell that begins so as a formula. */
	bool defuse = text_from_outside && clean[0] != '\0' && strchr("=+-@", clean[0]);
	if (!defuse && !strpbrk(clean, "\",; ")) {
		fputs(clean, out);
		return;
	}
	fputc('"', out);
	if (defuse)
		fputc('\'', out);
	for (const char *c = clean; *c; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}
