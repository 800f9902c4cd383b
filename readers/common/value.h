/*
 * value.h - one field of a record as text for people, as JSON and as a CSV cell.
 *
 * Absent is not zero: it is "-" for people, a missing key in JSON and an empty cell in CSV. Codes are shown by name, bit sets as lists of
 * names. Every string passes the sanitiser or the JSON and CSV writers.
 * A `record` is a struct rh_process or struct rh_system, whichever the row belongs to.
 */
#ifndef READERS_COMMON_VALUE_H
#define READERS_COMMON_VALUE_H

#include "readers/common/columns.h"

#include <stdint.h>
#include <stdio.h>

struct json;

enum { VALUE_TEXT_BYTES = 256 };

/* Does the record hold a value for this field? */
bool value_is_present(const struct rh_row *row, const void *record);

/* Does the field hold a number (no text, no code, no bit set)? Such columns are aligned to the right. */
bool value_is_number(const struct rh_row *row);

/* The value for people: scaled, with its unit where the column title leaves it open ("1.4G", "3m02s"). Returns out. */
char *value_text(const struct rh_row *row, const void *record, char out[VALUE_TEXT_BYTES]);

/* The value for a column of the field's width: as value_text(), but states and flags shrink to letters. Returns out. */
char *value_cell(const struct rh_row *row, const void *record, char out[VALUE_TEXT_BYTES]);

/* Key and value, or nothing where it is absent. */
void value_json(const struct rh_row *row, const void *record, struct json *json);

/* One object with the chosen fields. */
void value_json_object(const struct columns *columns, const void *record, struct json *json);

/* One cell, empty where absent; no comma. Bit sets are names joined by '|'. */
void value_csv(const struct rh_row *row, const void *record, FILE *out);

/* Orders two records by one field: below 0, 0, above 0. Absent sorts below every value. */
int value_compare(const struct rh_row *row, const void *a, const void *b);

/* A time span in at most 7 columns: "412us", "2.31s", "3m02s", "5h07m", "12d03h". Returns out. */
char *value_duration(double ns, char out[16]);

/* A number in at most 7 columns: "0", "0.4", "312", "48213", "1.2M". Returns out. */
char *value_number(double number, char out[16]);

#endif
