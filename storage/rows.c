/*
 * rows.c - rows of columns.def for people and programs, see rows.h.
 */
#include "storage/rows.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { EXIT_NO_DATA = 3, EXIT_NO_ROOM = 4, SECONDS_LABEL = sizeof("2026-11-20 14:03:07") - 1 };

int rows_open(const char *instance, const char *path, enum storage_mode mode, struct storage **ret_storage, char error[STORAGE_TEXT_BYTES])
{
	char usual[PATH_BYTES], notice[STORAGE_TEXT_BYTES];
	size_t used;

	*ret_storage = NULL;
	if (!path)
		path = path_database(instance, usual);
	if (!path[0]) {
		snprintf(error, STORAGE_TEXT_BYTES, "there is no usual place for the database: give --db FILE");
		return EXIT_NO_DATA;
	}
	int failed = storage_open(&(struct storage_options){.path = path, .mode = mode}, ret_storage, notice, error);
	switch (failed) {
	case 0:
		return 0;
	case -ENOENT:
	case -ENOTDIR:
		used = strlen(error);
		snprintf(error + used, STORAGE_TEXT_BYTES - used, "; `rogue-hunter daemon` makes and fills it");
		return EXIT_NO_DATA;
	case -ENOSPC:
		return EXIT_NO_ROOM;
	default:
		return 1;
	}
}

const struct storage_column *rows_column(const struct storage_column *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(columns[i].name, name) == 0)
			return &columns[i];
	return NULL;
}

/* Any of the integer types. */
static uint64_t integer_of(const struct storage_column *column, const void *row)
{
	const void *member = (const char *)row + column->offset;

	switch (column->size) {
	case sizeof(uint8_t):
		return *(const uint8_t *)member;
	case sizeof(uint32_t):
		return *(const uint32_t *)member;
	default:
		return *(const uint64_t *)member;
	}
}

static double real_of(const struct storage_column *column, const void *row)
{
	const void *member = (const char *)row + column->offset;

	return column->type == STORAGE_TYPE_f64 ? *(const double *)member : (double)*(const float *)member;
}

static const char *text_of(const struct storage_column *column, const void *row)
{
	return (const char *)row + column->offset;
}

static bool is_text(const struct storage_column *column)
{
	return column->type == STORAGE_TYPE_text16 || column->type == STORAGE_TYPE_text40 || column->type == STORAGE_TYPE_text200 ||
	       column->type == STORAGE_TYPE_text;
}

static bool is_absent(const struct storage_column *column, const void *row)
{
	return column->type == STORAGE_TYPE_opt64 && integer_of(column, row) == 0;
}

static bool is_label(const struct storage_column *column)
{
	static const char suffix[] = "realtime_ns";
	size_t length = strlen(column->name);

	return length >= sizeof(suffix) - 1 && strcmp(column->name + length - (sizeof(suffix) - 1), suffix) == 0;
}

/* "2026-11-20 14:03:07.412": the zone is the reader's own. */
static void label_text(uint64_t realtime_ns, char out[ROWS_TEXT_BYTES])
{
	char label[40];

	snprintf(out, ROWS_TEXT_BYTES, "%.23s", clock_label(realtime_ns, label));
	if (strlen(out) > 10)
		out[10] = ' ';
}

char *rows_text(const struct storage_column *column, const void *row, char out[ROWS_TEXT_BYTES])
{
	if (is_absent(column, row))
		snprintf(out, ROWS_TEXT_BYTES, "-");
	else if (is_text(column))
		text_sanitise(text_of(column, row), column->size, out, ROWS_TEXT_BYTES);
	else if (column->type == STORAGE_TYPE_f32)
		snprintf(out, ROWS_TEXT_BYTES, "%.1f", real_of(column, row));
	else if (column->code != STORAGE_CODE_none)
		snprintf(out, ROWS_TEXT_BYTES, "%s", storage_code_name(column->code, (unsigned)integer_of(column, row)));
	else if (is_label(column))
		label_text(integer_of(column, row), out);
	else
		snprintf(out, ROWS_TEXT_BYTES, "%" PRIu64, integer_of(column, row));
	return out;
}

char *rows_cell(const struct storage_column *column, const void *row, char out[ROWS_TEXT_BYTES])
{
	rows_text(column, row, out);
	if (is_label(column))
		out[SECONDS_LABEL] = '\0';
	return out;
}

unsigned rows_cell_width(const struct storage_column *column)
{
	return is_label(column) ? SECONDS_LABEL : column->width;
}

bool rows_is_number(const struct storage_column *column)
{
	return !is_text(column) && !is_label(column) && column->code == STORAGE_CODE_none;
}

double rows_lasted_ns(const struct storage_event *event)
{
	uint64_t end = event->exit_boottime_ns ? event->exit_boottime_ns : event->last_boottime_ns;
	return end > event->entry_boottime_ns ? (double)(end - event->entry_boottime_ns) : 0;
}

void rows_json(const struct storage_column *columns, size_t count, const void *row, struct json *json)
{
	for (size_t i = 0; i < count; i++) {
		const struct storage_column *column = &columns[i];
		if (is_absent(column, row))
			continue;
		json_key(json, column->name);
		if (is_text(column))
			json_text(json, text_of(column, row), column->size);
		else if (column->type == STORAGE_TYPE_f32)
			json_f64(json, real_of(column, row), 6);
		else if (column->code != STORAGE_CODE_none)
			json_text(json, storage_code_name(column->code, (unsigned)integer_of(column, row)), SIZE_MAX);
		else
			json_u64(json, integer_of(column, row));
	}
}

void rows_csv_names(const struct storage_column *columns, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? "," : "", columns[i].name);
}

void rows_csv(const struct storage_column *columns, size_t count, const void *row, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct storage_column *column = &columns[i];
		if (i)
			fputc(',', out);
		if (is_absent(column, row))
			continue;
		if (is_text(column))
			csv_text(out, text_of(column, row), column->size, column->type == STORAGE_TYPE_text16);
		else if (column->type == STORAGE_TYPE_f32)
			fprintf(out, "%.6g", real_of(column, row));
		else if (column->code != STORAGE_CODE_none)
			fputs(storage_code_name(column->code, (unsigned)integer_of(column, row)), out);
		else
			fprintf(out, "%" PRIu64, integer_of(column, row));
	}
}
