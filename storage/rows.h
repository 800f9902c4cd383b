/*
 * rows.h - one row of columns.def as text for people, as JSON and as CSV, driven by its table of columns. For the commands that show what is stored.
 *
 * Absent is "-" for people, a missing key in JSON, an empty cell in CSV. Codes are shown by name. Command names pass the sanitiser or the
 * JSON and CSV writers, whatever bytes they hold.
 */
#ifndef STORAGE_ROWS_H
#define STORAGE_ROWS_H

#include "storage/storage.h"

#include <stdio.h>

struct json;

enum { ROWS_TEXT_BYTES = 256 };

/*
 * Opens the database of a command.
 *   instance  as for path_database(), where path is NULL
 *   error     receives the reason of a failure
 * Returns 0, or the exit code of a command that cannot go on: 3 no database, 4 disk full, 1 anything else.
 */
int rows_open(const char *instance, const char *path, enum storage_mode mode, struct storage **ret_storage, char error[STORAGE_TEXT_BYTES]);

/* Column of that name, NULL if there is none. */
const struct storage_column *rows_column(const struct storage_column *columns, size_t count, const char *name);

/* The value for people: wall-clock labels as local time, scores with one decimal. Returns out. */
char *rows_text(const struct storage_column *column, const void *row, char out[ROWS_TEXT_BYTES]);

/* The same for a cell of a list: labels without their fraction, so that a row fits 80 columns. Returns out. */
char *rows_cell(const struct storage_column *column, const void *row, char out[ROWS_TEXT_BYTES]);

/* Columns that such a cell takes. */
unsigned rows_cell_width(const struct storage_column *column);

/* Is it a number for people, to be aligned to the right? */
bool rows_is_number(const struct storage_column *column);

/* How long an event lasted, so far where it is open. */
double rows_lasted_ns(const struct storage_event *event);

/* Keys and values, into an object that is open. */
void rows_json(const struct storage_column *columns, size_t count, const void *row, struct json *json);

/* A line of names, and a line of values; without the end of the line. */
void rows_csv_names(const struct storage_column *columns, size_t count, FILE *out);
void rows_csv(const struct storage_column *columns, size_t count, const void *row, FILE *out);

#endif
