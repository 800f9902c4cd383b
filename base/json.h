/*
 * json.h - a streaming JSON writer. Strings from outside become valid JSON whatever bytes they hold.
 *
 * Writes to a FILE; commas are kept track of. Numbers that are not finite become null. Nesting up to 32 deep.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out; /* borrowed */
	unsigned depth;
	uint32_t has_items; /* bit per depth */
	bool after_key;
};

void json_begin(struct json *json, FILE *out);
void json_object_begin(struct json *json);
void json_object_end(struct json *json);
void json_array_begin(struct json *json);
void json_array_end(struct json *json);
void json_key(struct json *json, const char *key);
/* At most length bytes, up to NUL. Bytes that are not UTF-8 become U+FFFD; controls, C1, bidirectional and invisible ones are escaped. */
void json_text(struct json *json, const char *text, size_t length);
void json_u64(struct json *json, uint64_t value);
void json_i64(struct json *json, int64_t value);
/* Shortest of up to `digits` significant digits. */
void json_f64(struct json *json, double value, int digits);
void json_bool(struct json *json, bool value);
void json_none(struct json *json);

/* One CSV cell, quoted where RFC 4180 asks for it, sanitised, and defused (leading = + - @ get a ') where `text_from_outside`. */
void csv_text(FILE *out, const char *text, size_t length, bool text_from_outside);

#endif
