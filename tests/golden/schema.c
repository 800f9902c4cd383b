/*
 * Writes everything that is derived from the field tables and that others come to rely on: the schema of the ring, the names in JSON, CSV and
 * OpenMetrics, and the SQL. schema.sh compares it with schema.txt: a change must be seen, and meant.
 *
 * usage: golden_schema FOLDER     a new folder for a database
 */
#include "base/json.h"
#include "readers/common/value.h"
#include "rogue/tables.h"
#include "storage/storage.h"

#include <sqlite3.h>
#include <stdlib.h>

static const char *const type_names[] = {"u8", "u16", "u32", "u64", "i8", "i16", "i32", "f32", "text16"};
static const char *const kind_names[] = {"IDENT", "STATE", "GAUGE", "COUNTER", "RATE", "SHARE", "SCORE"};
static const char *const aggregate_names[] = {"NONE", "SUM", "MAX", "LAST"};

static void print_rows(const char *scope, const struct rh_row *rows, size_t count)
{
	char metric[96];

	printf("\n# %s: id name type unit kind aggregate offset size width title, then the OpenMetrics name\n", scope);
	for (size_t i = 0; i < count; i++) {
		const struct rh_row *row = &rows[i];
		printf("%u %s %s \"%s\" %s %s %u %u %u \"%s\" %s\n", row->id, row->name, type_names[row->type], rh_unit_text(row->unit),
		        kind_names[row->kind], aggregate_names[row->aggregate], row->offset, row->size, row->width, row->title,
		        rh_metric_name(row, scope, metric));
	}
}

/* A line for each item: a difference shows which. */
static void print_split(const char *list)
{
	for (; *list; list++) {
		putchar(*list);
		if (*list == ',')
			putchar('\n');
	}
}

static void print_json(const struct columns *columns, const void *record)
{
	struct json json;
	char *memory;
	size_t size;
	FILE *stream = open_memstream(&memory, &size);

	if (!stream)
		exit(EXIT_FAILURE);
	json_begin(&json, stream);
	value_json_object(columns, record, &json);
	fclose(stream);
	print_split(memory);
	putchar('\n');
	free(memory);
}

/* A record of zeros in which every field is present: shows the names and the shape of every value. */
static void print_values(const char *scope, enum columns_scope columns_scope)
{
	union {
		struct rh_process process;
		struct rh_system system;
	} record = {0};
	struct columns columns;

	memset(&record, 0xff, sizeof(record.process.present));
	columns_all(&columns, columns_scope);
	printf("\n# %s as JSON\n", scope);
	print_json(&columns, &record);
	printf("\n# %s as CSV\n", scope);
	for (size_t i = 0; i < columns.count; i++) {
		printf("%s ", columns.rows[i]->name);
		value_csv(columns.rows[i], &record, stdout);
		putchar('\n');
	}
}

static int print_statement(void *context, int columns, char **values, char **names)
{
	(void)context;
	(void)columns;
	(void)names;
	print_split(values[0]);
	puts(";");
	return 0;
}

/* The SQL as SQLite keeps it in a database that storage has just created. */
static int print_sql(const char *folder)
{
	char path[4096], notice[STORAGE_TEXT_BYTES], error[STORAGE_TEXT_BYTES];
	struct storage *storage;
	sqlite3 *database = NULL;

	snprintf(path, sizeof(path), "%s/schema.db", folder);
	const struct storage_options options = {.path = path, .mode = STORAGE_TRACK};
	if (storage_open(&options, &storage, notice, error) != 0) {
		fprintf(stderr, "%s\n", error);
		return EXIT_FAILURE;
	}
	puts("\n# SQL");
	int result = sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(
		        database, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name", print_statement, NULL, NULL);
	if (result != SQLITE_OK)
		fprintf(stderr, "%s\n", sqlite3_errstr(result));
	sqlite3_close(database);
	storage_close(&storage);
	return result == SQLITE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: golden_schema FOLDER\n");
		return 2;
	}
	printf("# process record: %zu bytes, system record: %zu bytes\n", sizeof(struct rh_process), sizeof(struct rh_system));
	print_rows("process", rh_process_rows, RH_PROCESS_ROWS);
	print_rows("system", rh_system_rows, RH_SYSTEM_ROWS);
	print_values("process", COLUMNS_PROCESS);
	print_values("system", COLUMNS_SYSTEM);
	return print_sql(argv[1]);
}
