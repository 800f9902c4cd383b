/*
 * show.c - `rogue-hunter events show ID`: one event, and the process at its moments.
 */
#include "readers/events/show.h"

#include "base/complain.h"
#include "base/json.h"
#include "base/text.h"
#include "readers/common/columns.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/common/table.h"
#include "readers/common/value.h"
#include "rogue/tables.h"
#include "storage/rows.h"

#include <inttypes.h>
#include <stdio.h>

enum { EXIT_NO_DATA = 3, PAGE_ROWS = 16, CHECKPOINTS_SHOWN = 20, LABEL_COLUMNS = 20 };

static const char help_text[] =
        "usage: rogue-hunter events show ID [--json] [--name NAME] [--db FILE]\n"
        "\n"
        "Shows one event: when it began and ended, and the process at its begin, at its peak, at checkpoints and at its end.\n"
        "\n"
        "  --json       one JSON object, with every field of every snapshot\n"
        "  --name NAME  of the daemon of that name\n"
        "  --db FILE    of this database\n"
        "  --help       this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure, 2 usage, 3 no database, or no event of that number.\n";

static const char fields[] = "score,band,cpu_pct,mem_bytes,disk_io_bytes_per_s,cpu_blame_ms_per_s,runnable_ms_per_s,state,threads_count";

/* How snapshots are printed, and how many checkpoints are left out between two that are shown. */
struct printer {
	struct json *json; /* NULL: a table */
	struct table *table;
	const struct columns *columns;
	uint64_t stride, checkpoints;
};

static void print_snapshot_json(const struct storage_snapshot *snapshot, const struct printer *printer)
{
	size_t count;
	const struct storage_column *columns = storage_snapshot_columns(&count);

	json_object_begin(printer->json);
	rows_json(columns, count, snapshot, printer->json);
	json_key(printer->json, "process");
	value_json_object(printer->columns, &snapshot->process, printer->json);
	json_object_end(printer->json);
}

static void print_snapshot_row(const struct storage_snapshot *snapshot, const struct printer *printer)
{
	size_t count;
	const struct storage_column *columns = storage_snapshot_columns(&count);
	char text[ROWS_TEXT_BYTES];

	table_cell(printer->table, rows_text(rows_column(columns, count, "snapshot"), snapshot, text), TABLE_PLAIN);
	table_cell(printer->table, rows_text(rows_column(columns, count, "realtime_ns"), snapshot, text), TABLE_PLAIN);
	for (size_t i = 0; i < printer->columns->count; i++) {
		const struct rh_row *row = printer->columns->rows[i];
		enum table_style style = row->id == RH_F_band ? table_band_style(snapshot->process.band) : TABLE_PLAIN;
		table_cell(printer->table, value_cell(row, &snapshot->process, text), style);
	}
	table_end_row(printer->table);
}

static void print_snapshot(const struct storage_snapshot *snapshot, struct printer *printer)
{
	if (printer->json)
		print_snapshot_json(snapshot, printer);
	else if (snapshot->snapshot != STORAGE_snapshot_checkpoint || printer->checkpoints++ % printer->stride == 0)
		print_snapshot_row(snapshot, printer);
}

/* Returns 0 or -errno. */
static int print_snapshots(struct storage *storage, uint64_t event_id, struct printer *printer)
{
	struct storage_snapshot rows[PAGE_ROWS];
	uint64_t boottime_ns = 0, id = 0;
	int count;

	while ((count = storage_snapshots(storage, event_id, boottime_ns, id, rows, PAGE_ROWS)) > 0) {
		for (int i = 0; i < count; i++)
			print_snapshot(&rows[i], printer);
		boottime_ns = rows[count - 1].boottime_ns;
		id = rows[count - 1].id;
	}
	return count;
}

static int print_json(struct storage *storage, const struct storage_event *event)
{
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);
	struct columns all;
	struct json json;

	columns_all(&all, COLUMNS_PROCESS);
	json_begin(&json, stdout);
	json_object_begin(&json);
	rows_json(columns, count, event, &json);
	json_key(&json, "snapshots");
	json_array_begin(&json);
	struct printer printer = {.json = &json, .columns = &all};
	int failed = print_snapshots(storage, event->id, &printer);
	json_array_end(&json);
	json_object_end(&json);
	putchar('\n');
	return failed;
}

static void print_event(const struct storage_event *event)
{
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);
	struct terminal terminal = terminal_of(stdout);
	char text[ROWS_TEXT_BYTES];

	for (size_t i = 0; i < count; i++) {
		printf("%-*s ", LABEL_COLUMNS, columns[i].name);
		table_styled(stdout, &terminal, rows_text(&columns[i], event, text), TABLE_PLAIN);
		putchar('\n');
	}
	putchar('\n');
}

static int print_text(struct storage *storage, const struct storage_event *event)
{
	struct table_column titles[2 + COLUMNS_MAX] = {{.title = "SNAPSHOT", .width = 10}, {.title = "TIME", .width = 23}};
	struct columns chosen;
	struct table table;
	char error[256];

	columns_parse(&chosen, COLUMNS_PROCESS, fields, error);
	for (size_t i = 0; i < chosen.count; i++)
		titles[2 + i] = (struct table_column){
		        .title = chosen.rows[i]->title, .width = chosen.rows[i]->width, .right = value_is_number(chosen.rows[i])};
	print_event(event);
	table_begin(&table, stdout, titles, 2 + chosen.count, true);
	table_titles(&table);
	struct printer printer = {.table = &table, .columns = &chosen, .stride = event->checkpoints_count / CHECKPOINTS_SHOWN + 1};
	int failed = print_snapshots(storage, event->id, &printer);
	if (printer.stride > 1)
		printf("(one of %" PRIu64 " of its %" PRIu64 " checkpoints; --json shows all)\n", printer.stride, printer.checkpoints);
	return failed;
}

/* Reads the command line. Returns false where the command is at its end. */
static bool read_options(struct options *options, int argc, char **argv, uint64_t *ret_id)
{
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {0}};

	if (options_next(options, argc, argv, "", known) != OPTIONS_END)
		return false;
	if (argc - optind == 1 && text_to_u64(argv[optind], INT64_MAX, ret_id))
		return true;
	options_mistake(options, "give the number of one event, as `rogue-hunter events` shows it");
	return false;
}

int show_main(int argc, char **argv)
{
	struct options options = {.command = "events show", .help = help_text};
	char error[STORAGE_TEXT_BYTES];
	struct storage_event event;
	struct storage *storage;
	uint64_t id;

	if (!read_options(&options, argc, argv, &id))
		return options.exit_code;
	int code = rows_open(options.instance, options.database, STORAGE_READ, &storage, error);
	if (code) {
		complain("%s", error);
		return code;
	}
	int found = storage_event_by_id(storage, id, &event);
	if (found == 1)
		found = options.json ? print_json(storage, &event) : print_text(storage, &event);
	else if (found == 0) {
		complain("there is no event %" PRIu64 " (any more)", id);
		code = EXIT_NO_DATA;
	}
	if (found < 0) {
		complain("%s", storage_error(storage));
		code = 1;
	}
	storage_close(&storage);
	return output_end(code);
}
