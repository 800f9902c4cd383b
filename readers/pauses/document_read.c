/*
 * document_read.c - typed access to a pause's JSON document, see document_read.h.
 */
#include "readers/pauses/document_read.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

static const char schema_name[] = "rogue-hunter.pause/";

json_t *document_parse(const char *text, size_t length, char error[DOCUMENT_ERROR_BYTES])
{
	json_error_t fault;

	if (length > DOCUMENT_BYTES_MOST) {
		snprintf(error, DOCUMENT_ERROR_BYTES, "its document is longer than %d MiB", DOCUMENT_BYTES_MOST / (1024 * 1024));
		return NULL;
	}
	json_t *document = json_loadb(text, length, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &fault);
	const char *schema = document_text(document, "schema");

	if (!document)
		snprintf(error, DOCUMENT_ERROR_BYTES, "its document is damaged: %s", fault.text);
	else if (strncmp(schema, schema_name, sizeof(schema_name) - 1) != 0)
		snprintf(error, DOCUMENT_ERROR_BYTES, "its document is not one of a pause");
	else if (strcmp(schema + sizeof(schema_name) - 1, "1") != 0)
		snprintf(error, DOCUMENT_ERROR_BYTES, "its document was written by a later version (%.40s); --json prints it", schema);
	else
		return document;
	json_decref(document);
	return NULL;
}

const json_t *document_object(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);
	return json_is_object(member) ? member : NULL;
}

size_t document_list(const json_t *object, const char *key, const json_t **ret_list)
{
	const json_t *member = json_object_get(object, key);
	size_t count = json_array_size(member);

	*ret_list = json_is_array(member) ? member : NULL;
	return count < DOCUMENT_ITEMS_MOST ? count : DOCUMENT_ITEMS_MOST;
}

const json_t *document_item(const json_t *list, size_t i)
{
	const json_t *item = json_array_get(list, i);
	return json_is_object(item) ? item : NULL;
}

const char *document_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

double document_number(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);
	double number = json_is_number(member) ? json_number_value(member) : NAN;
	return isfinite(number) ? number : NAN;
}

uint64_t document_count(const json_t *object, const char *key, uint64_t otherwise)
{
	double number = document_number(object, key);

	if (isnan(number) || number < 0)
		return otherwise;
	return number < 0x1p63 ? (uint64_t)number : UINT64_C(1) << 63;
}

uint64_t document_ns(const json_t *object, const char *key)
{
	uint64_t us = document_count(object, key, 0);
	return us < INT64_MAX / 1000 ? us * 1000 : INT64_MAX;
}

bool document_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

void document_write(FILE *out, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length;) {
		uint32_t code_point;
		size_t bytes = text_decode(text + i, length - i, &code_point);

		if (bytes == 0)
			fputs("\\ufffd", out);
		else if (code_point == '\t' || code_point == '\n' || code_point == '\r')
			fputc(' ', out); /* between values; within a string they are no JSON */
		else if (!text_is_unsafe(code_point))
			fwrite(text + i, 1, bytes, out);
		else if (code_point > 0xffff)
			fprintf(out, "\\u%04x\\u%04x", 0xd800 | (code_point - 0x10000) >> 10, 0xdc00 | (code_point & 0x3ff));
		else
			fprintf(out, "\\u%04x", code_point);
		i += bytes ? bytes : 1;
	}
	fputc('\n', out);
}
