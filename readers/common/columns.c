/*
 * columns.c - choosing fields by name, see columns.h.
 */
#include "readers/common/columns.h"

#include "base/nearest.h"
#include "readers/common/table.h"
#include "rogue/tables.h"

#include <string.h>

enum { NAME_BYTES = 40 };

_Static_assert((int)COLUMNS_MAX >= (int)RH_FIELD_IDS, "a choice holds every field of a scope");

const struct rh_row *columns_rows(enum columns_scope scope, size_t *ret_count)
{
	*ret_count = scope == COLUMNS_SYSTEM ? RH_SYSTEM_ROWS : RH_PROCESS_ROWS;
	return scope == COLUMNS_SYSTEM ? rh_system_rows : rh_process_rows;
}

bool columns_is_process(const struct rh_row *row)
{
	return row >= rh_process_rows && row < rh_process_rows + RH_PROCESS_ROWS;
}

const struct rh_row *columns_find(enum columns_scope scope, const char *name)
{
	const struct rh_row *row = NULL;

	if (scope & COLUMNS_PROCESS)
		row = rh_row_by_name(rh_process_rows, RH_PROCESS_ROWS, name);
	if (!row && (scope & COLUMNS_SYSTEM))
		row = rh_row_by_name(rh_system_rows, RH_SYSTEM_ROWS, name);
	return row;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How far a field's name is from what was typed: names that contain it come first, the shorter the nearer. */
static size_t distance(const char *typed, const char *name)
{
	if (typed[0] && strstr(name, typed))
		return strlen(name);
	return 1000 + nearest_distance(typed, name);
}

static const char *nearer(const char *typed, const char *best, const struct rh_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!best || distance(typed, rows[i].name) < distance(typed, best))
			best = rows[i].name;
	return best;
}

const char *columns_nearest(enum columns_scope scope, const char *name)
{
	const char *best = NULL;

	if (scope & COLUMNS_PROCESS)
		best = nearer(name, best, rh_process_rows, RH_PROCESS_ROWS);
	if (scope & COLUMNS_SYSTEM)
		best = nearer(name, best, rh_system_rows, RH_SYSTEM_ROWS);
	return best;
}

void columns_all(struct columns *columns, enum columns_scope scope)
{
	size_t count;
	const struct rh_row *rows = columns_rows(scope, &count);

	columns->count = count;
	for (size_t i = 0; i < count; i++)
		columns->rows[i] = &rows[i];
}

bool columns_parse(struct columns *columns, enum columns_scope scope, const char *list, char error[256])
{
	const char *rest = list;

	columns->count = 0;
	for (;;) {
		char name[NAME_BYTES + 1];
		size_t length = strcspn(rest, ",");
		snprintf(name, sizeof(name), "%.*s", (int)smaller(length, NAME_BYTES), rest);

		const struct rh_row *row = columns_find(scope, name);
		if (!row) {
			snprintf(error, 256, "unknown field \"%s\": did you mean %s?", name, columns_nearest(scope, name));
			return false;
		}
		if (columns->count == COLUMNS_MAX) {
			snprintf(error, 256, "more than %d fields asked for", COLUMNS_MAX);
			return false;
		}
		columns->rows[columns->count++] = row;
		if (rest[length] == '\0')
			return true;
		rest += length + 1;
	}
}

void columns_print(FILE *out, enum columns_scope scope)
{
	static const struct table_column titles[] = {{"FIELD", 28, false}, {"UNIT", 24, false}, {"MEANING", 80, false}};
	struct columns columns;
	struct table table;

	columns_all(&columns, scope);
	table_begin(&table, out, titles, sizeof(titles) / sizeof(titles[0]), false);
	table_titles(&table);
	for (size_t i = 0; i < columns.count; i++) {
		table_cell(&table, columns.rows[i]->name, TABLE_PLAIN);
		table_cell(&table, rh_unit_text(columns.rows[i]->unit), TABLE_PLAIN);
		table_cell(&table, columns.rows[i]->brief, TABLE_PLAIN);
		table_end_row(&table);
	}
}
