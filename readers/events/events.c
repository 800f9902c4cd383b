/*
 * events.c - `rogue-hunter events`: the newest events, a line each.
 */
#include "readers/events/events.h"

#include "base/complain.h"
#include "base/json.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/common/table.h"
#include "readers/common/value.h"
#include "readers/events/show.h"
#include "storage/rows.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_NO_DATA = 3, DEFAULT_ROWS = 20, PAGE_ROWS = 64 };

static const char help_text[] = "usage: rogue-hunter events [-n N] [--open] [--json] [--name NAME] [--db FILE]\n"
                                "       rogue-hunter events show ID [--json] [--name NAME] [--db FILE]\n"
                                "\n"
                                "Shows the processes that were tracked as rogue, the newest first; or one of them with its snapshots.\n"
                                "\n"
                                "  -n N         at most N events (20)\n"
                                "  --open       only those that have not ended\n"
                                "  --json       one JSON object: events\n"
                                "  --name NAME  of the daemon of that name\n"
                                "  --db FILE    of this database\n"
                                "  --help       this text\n"
                                "\n"
                                "Exit code: 0 ok, 1 failure, 2 usage, 3 no database, or no event in it.\n";

struct request {
	struct options options;
	uint64_t limit;
	bool open_only;
};

/* The columns shown to people; "" is how long it lasted, which is no column of the table. */
static const char *const shown[] = {"id", "entry_realtime_ns", "", "pid", "command", "peak_score", "peak_band", "state", "closed_by"};
enum { SHOWN = sizeof(shown) / sizeof(shown[0]) };

static bool read_options(struct request *request, int argc, char **argv)
{
	enum { OPEN = OPTIONS_OWN };
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {"open", no_argument, NULL, OPEN}, {0}};
	struct options *options = &request->options;

	for (int code; (code = options_next(options, argc, argv, "n:", known)) != OPTIONS_END;)
		switch (code) {
		case 'n':
			if (!options_number(options, "-n", 1, INT32_MAX, &request->limit))
				return false;
			break;
		case OPEN:
			request->open_only = true;
			break;
		default:
			return false;
		}
	if (optind < argc && strcmp(argv[optind], "show") == 0) {
		options_mistake(options, "show stands ahead of all options: `rogue-hunter events show ID`");
		return false;
	}
	return options_no_arguments(options, argc, argv);
}

/* ---- for people ---- */

static void begin_table(struct table *table, struct table_column titles[SHOWN])
{
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);

	for (size_t i = 0; i < SHOWN; i++) {
		const struct storage_column *column = rows_column(columns, count, shown[i]);
		titles[i] = (struct table_column){.title = "LASTED", .width = 7, .right = true};
		if (column)
			titles[i] = (struct table_column){
			        .title = column->title, .width = rows_cell_width(column), .right = rows_is_number(column)};
	}
	table_begin(table, stdout, titles, SHOWN, true);
}

static void print_row(struct table *table, const struct storage_event *event)
{
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);
	enum table_style style = event->state == STORAGE_event_open ? table_band_style(event->peak_band) : TABLE_PLAIN;

	for (size_t i = 0; i < SHOWN; i++) {
		const struct storage_column *column = rows_column(columns, count, shown[i]);
		char text[ROWS_TEXT_BYTES];
		if (column)
			rows_cell(column, event, text);
		else
			value_duration(rows_lasted_ns(event), text);
		table_cell(table, text, column && column->code == STORAGE_CODE_band ? style : TABLE_PLAIN);
	}
	table_end_row(table);
}

/* ---- both forms ---- */

/* A page at a time: no list is too long for memory, and no reader of ours holds the database while the terminal is slow. */
static int64_t print_pages(struct storage *storage, const struct request *request, struct table *table, struct json *json)
{
	struct storage_filter filter = {.open_only = request->open_only};
	struct storage_event rows[PAGE_ROWS];
	uint64_t printed = 0;
	size_t column_count;
	const struct storage_column *columns = storage_event_columns(&column_count);

	while (printed < request->limit) {
		uint64_t wanted = request->limit - printed;
		int count = storage_events(storage, &filter, rows, wanted < PAGE_ROWS ? (size_t)wanted : PAGE_ROWS);
		if (count < 0)
			return count;
		for (int i = 0; i < count; i++) {
			if (!json) {
				if (printed == 0 && i == 0)
					table_titles(table);
				print_row(table, &rows[i]);
				continue;
			}
			json_object_begin(json);
			rows_json(columns, column_count, &rows[i], json);
			json_object_end(json);
		}
		if (count == 0)
			break;
		printed += (uint64_t)count;
		filter.before_id = rows[count - 1].id;
	}
	return (int64_t)printed;
}

static int64_t print_json(struct storage *storage, const struct request *request)
{
	struct json json;

	json_begin(&json, stdout);
	json_object_begin(&json);
	json_key(&json, "events");
	json_array_begin(&json);
	int64_t printed = print_pages(storage, request, NULL, &json);
	json_array_end(&json);
	json_object_end(&json);
	putchar('\n');
	return printed;
}

static int64_t print_table(struct storage *storage, const struct request *request)
{
	struct table_column titles[SHOWN];
	struct table table;

	begin_table(&table, titles);
	return print_pages(storage, request, &table, NULL);
}

int events_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "events", .help = help_text}, .limit = DEFAULT_ROWS};
	char error[STORAGE_TEXT_BYTES];
	struct storage *storage;

	if (argc > 1 && strcmp(argv[1], "show") == 0)
		return show_main(argc - 1, argv + 1);
	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	int code = rows_open(request.options.instance, request.options.database, STORAGE_READ, &storage, error);
	if (code) {
		complain("%s", error);
		return code;
	}
	int64_t printed = request.options.json ? print_json(storage, &request) : print_table(storage, &request);
	if (printed < 0) {
		complain("%s", storage_error(storage));
		code = 1;
	} else if (printed == 0) {
		complain(request.open_only ? "no process is tracked as rogue now" : "no process was tracked as rogue so far");
		code = EXIT_NO_DATA;
	}
	storage_close(&storage);
	return output_end(code);
}
