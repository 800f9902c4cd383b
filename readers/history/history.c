/*
 * history.c - `rogue-hunter history`: events by time, command and band, as a table, JSON or CSV.
 */
#include "readers/history/history.h"

#include "base/clock.h"
#include "base/complain.h"
#include "base/json.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/common/table.h"
#include "readers/common/time.h"
#include "readers/common/value.h"
#include "rogue/tables.h"
#include "storage/rows.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_NO_DATA = 3, PAGE_ROWS = 64 };

static const char help_text[] =
        "usage: rogue-hunter history [--since T] [--until T] [--command C] [--band B] [--format table|json|csv] "
        "[-n N] [--name NAME] [--db FILE]\n"
        "\n"
        "Shows the recorded events, the newest first.\n"
        "\n"
        "  --since T    only those that were under way at this time or later\n"
        "  --until T    only those that began at this time or earlier\n"
        "               T: a time ago (90s, 2h, 7d), a local date or time (2026-11-20, 2026-11-20T14:03:07, 14:03), "
        "seconds since 1970 (@1700000000)\n"
        "  --command C  only of this command; * ? [...] match as in the shell\n"
        "  --band B     only those whose score reached this band: low, medium, elevated, high, critical\n"
        "  --format F   table, json or csv\n"
        "  --json       the same as --format json: one JSON object: events\n"
        "  -n N         at most N events (all)\n"
        "  --name NAME  of the daemon of that name\n"
        "  --db FILE    of this database\n"
        "  --help       this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure, 2 usage, 3 no database, or nothing in it that fits.\n";

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };
enum option_code { SINCE = OPTIONS_OWN, UNTIL, COMMAND, BAND, FORMAT };

struct request {
	struct options options;
	struct storage_filter filter;
	char command[RH_COMMAND_BYTES];
	enum format format;
	uint64_t limit;
};

/* The columns shown to people, those first that a terminal of 80 columns has room for; "" is how long it lasted, which is no column of the table. */
static const char *const shown[] = {"id", "entry_realtime_ns", "", "pid", "command", "peak_score", "peak_band", "closed_by",
        "exit_realtime_ns", "uid", "samples_count"};
enum { SHOWN = sizeof(shown) / sizeof(shown[0]) };

/* ---- command line ---- */

static bool read_moment(struct request *request, const char *option, uint64_t *ret_realtime_ns)
{
	if (time_read(optarg, clock_now_ns(CLOCK_REALTIME), ret_realtime_ns))
		return true;
	options_mistake(&request->options,
	        "%s takes a time ago (2h), a date (2026-11-20, 2026-11-20T14:03:07) or seconds since 1970 (@1700000000)", option);
	return false;
}

static bool read_band(struct request *request)
{
	for (unsigned band = 0; band < RH_BAND_COUNT; band++)
		if (strcmp(optarg, rh_code(RH_CODE_band, band)->name) == 0) {
			request->filter.least_band = (uint8_t)band;
			return true;
		}
	options_mistake(&request->options, "--band takes low, medium, elevated, high or critical");
	return false;
}

static bool read_format(struct request *request)
{
	static const char *const names[] = {[FORMAT_TABLE] = "table", [FORMAT_JSON] = "json", [FORMAT_CSV] = "csv"};

	for (unsigned format = FORMAT_TABLE; format <= FORMAT_CSV; format++)
		if (strcmp(optarg, names[format]) == 0) {
			request->format = (enum format)format;
			return true;
		}
	options_mistake(&request->options, "--format takes table, json or csv");
	return false;
}

/* The kernel keeps 15 bytes of a name: a longer one that is typed in full means the same process. */
static bool read_command(struct request *request)
{
	bool pattern = strpbrk(optarg, "*?[") != NULL;

	if (!pattern)
		snprintf(request->command, sizeof(request->command), "%s", optarg);
	request->filter.command = pattern ? optarg : request->command;
	return true;
}

static bool read_option(struct request *request, int code)
{
	switch (code) {
	case SINCE:
		return read_moment(request, "--since", &request->filter.since_realtime_ns);
	case UNTIL:
		return read_moment(request, "--until", &request->filter.until_realtime_ns);
	case COMMAND:
		return read_command(request);
	case BAND:
		return read_band(request);
	case FORMAT:
		return read_format(request);
	case 'n':
		return options_number(&request->options, "-n", 1, INT32_MAX, &request->limit);
	default:
		return false;
	}
}

static bool read_options(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {"since", required_argument, NULL, SINCE},
	        {"until", required_argument, NULL, UNTIL}, {"command", required_argument, NULL, COMMAND},
	        {"band", required_argument, NULL, BAND}, {"format", required_argument, NULL, FORMAT}, {0}};

	for (int code; (code = options_next(&request->options, argc, argv, "n:", known)) != OPTIONS_END;)
		if (!read_option(request, code))
			return false;
	if (request->options.json)
		request->format = FORMAT_JSON;
	return options_no_arguments(&request->options, argc, argv);
}

/* ---- output ---- */

struct printer {
	enum format format;
	const struct storage_column *columns;
	size_t count;
	struct table_column titles[SHOWN];
	struct table table;
	struct json json;
};

static void begin_table(struct printer *printer)
{
	for (size_t i = 0; i < SHOWN; i++) {
		const struct storage_column *column = rows_column(printer->columns, printer->count, shown[i]);
		printer->titles[i] = (struct table_column){.title = "LASTED", .width = 7, .right = true};
		if (column)
			printer->titles[i] = (struct table_column){
			        .title = column->title, .width = rows_cell_width(column), .right = rows_is_number(column)};
	}
	table_begin(&printer->table, stdout, printer->titles, SHOWN, true);
}

static void begin(struct printer *printer, enum format format)
{
	printer->format = format;
	printer->columns = storage_event_columns(&printer->count);
	switch (format) {
	case FORMAT_TABLE:
		begin_table(printer);
		break;
	case FORMAT_JSON:
		json_begin(&printer->json, stdout);
		json_object_begin(&printer->json);
		json_key(&printer->json, "events");
		json_array_begin(&printer->json);
		break;
	case FORMAT_CSV:
		rows_csv_names(printer->columns, printer->count, stdout);
		putchar('\n');
		break;
	}
}

static void print_row(struct table *table, const struct printer *printer, const struct storage_event *event)
{
	for (size_t i = 0; i < SHOWN; i++) {
		const struct storage_column *column = rows_column(printer->columns, printer->count, shown[i]);
		char text[ROWS_TEXT_BYTES];
		enum table_style style = TABLE_PLAIN;
		if (column)
			rows_cell(column, event, text);
		else
			value_duration(rows_lasted_ns(event), text);
		if (column && column->code == STORAGE_CODE_band)
			style = table_band_style(event->peak_band);
		table_cell(table, text, style);
	}
	table_end_row(table);
}

static void print(struct printer *printer, const struct storage_event *event, bool first)
{
	switch (printer->format) {
	case FORMAT_TABLE:
		if (first)
			table_titles(&printer->table);
		print_row(&printer->table, printer, event);
		break;
	case FORMAT_JSON:
		json_object_begin(&printer->json);
		rows_json(printer->columns, printer->count, event, &printer->json);
		json_object_end(&printer->json);
		break;
	case FORMAT_CSV:
		rows_csv(printer->columns, printer->count, event, stdout);
		putchar('\n');
		break;
	}
}

static void end(struct printer *printer)
{
	if (printer->format != FORMAT_JSON)
		return;
	json_array_end(&printer->json);
	json_object_end(&printer->json);
	putchar('\n');
}

/* A page at a time: no history is too long for memory, and nothing of ours holds the database while the terminal is slow. */
static int64_t print_pages(struct storage *storage, const struct request *request, struct printer *printer)
{
	struct storage_filter filter = request->filter;
	struct storage_event rows[PAGE_ROWS];
	uint64_t printed = 0;

	while (printed < request->limit) {
		uint64_t wanted = request->limit - printed;
		int count = storage_events(storage, &filter, rows, wanted < PAGE_ROWS ? (size_t)wanted : PAGE_ROWS);
		if (count < 0)
			return count;
		if (count == 0)
			break;
		for (int i = 0; i < count; i++)
			print(printer, &rows[i], printed++ == 0);
		filter.before_id = rows[count - 1].id;
	}
	return (int64_t)printed;
}

int history_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "history", .help = help_text}, .limit = UINT64_MAX};
	char error[STORAGE_TEXT_BYTES];
	struct printer printer;
	struct storage *storage;

	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	int code = rows_open(request.options.instance, request.options.database, STORAGE_READ, &storage, error);
	if (code) {
		complain("%s", error);
		return code;
	}
	begin(&printer, request.format);
	int64_t printed = print_pages(storage, &request, &printer);
	end(&printer);
	if (printed < 0) {
		complain("%s", storage_error(storage));
		code = 1;
	} else if (printed == 0) {
		complain("nothing was recorded that fits");
		code = EXIT_NO_DATA;
	}
	storage_close(&storage);
	return output_end(code);
}
