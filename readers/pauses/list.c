/*
 * list.c - `rogue-hunter pauses`: the newest pauses, a line each.
 */
#include "base/clock.h"
#include "base/complain.h"
#include "base/text.h"
#include "pause/pause.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/common/table.h"
#include "readers/common/time.h"
#include "readers/common/value.h"
#include "readers/pauses/document_read.h"
#include "readers/pauses/find.h"
#include "readers/pauses/pauses.h"
#include "storage/rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_ROWS = 20, PAGE_ROWS = 64, NARROW = 80, WIDE = 110 };

static const char help_text[] =
        "usage: rogue-hunter pauses [-n N] [--since T] [--until T] [--class C] [--all] [--json] [--name NAME] [--db FILE]\n"
        "\n"
        "Shows the pauses that were noticed, the newest first: when, for how long, of what kind, how sure that is, who stood "
        "still the longest,\n"
        "and who caused it. `rogue-hunter explain ID` tells all of one.\n"
        "\n"
        "  -n N         at most N pauses (20)\n"
        "  --since T    only those that were going on at this time or later\n"
        "  --until T    only those that began at this time or earlier\n"
        "               T: a time ago (90s, 2h, 7d), a local date or time (2026-11-20, 2026-11-20T14:03:07, 14:03), "
        "seconds since 1970 (@1700000000)\n"
        "  --class C    only those of this kind: suspend, host, cpu, one_cpu, memory, oom, io, throttle, stuck, monitor, "
        "unexplained\n"
        "  --all        those too that turned out to be part of another\n"
        "  --json       the document of each, one on a line\n"
        "  --name NAME  of the daemon of that name\n"
        "  --db FILE    of this database\n"
        "  --help       this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure, 2 usage, 3 no database.\n";

struct request {
	struct options options;
	struct storage_pause_filter filter;
	uint64_t limit;
};

/* ---- command line ---- */

static bool read_moment(struct request *request, const char *option, uint64_t *ret_realtime_ns)
{
	if (time_read(optarg, clock_now_ns(CLOCK_REALTIME), ret_realtime_ns))
		return true;
	options_mistake(&request->options,
	        "%s takes a time ago (2h), a date or time (2026-11-20, 2026-11-20T14:03:07, 14:03) or seconds since 1970 (@1700000000)",
	        option);
	return false;
}

static bool read_class(struct request *request)
{
	for (unsigned code = 0; code < PAUSE_CLASSES; code++)
		if (strcmp(optarg, pause_class_name(code)) == 0) {
			request->filter.class = pause_class_name(code);
			return true;
		}
	options_mistake(
	        &request->options, "--class takes suspend, host, cpu, one_cpu, memory, oom, io, throttle, stuck, monitor or unexplained");
	return false;
}

static bool read_options(struct request *request, int argc, char **argv)
{
	enum { SINCE = OPTIONS_OWN, UNTIL, CLASS, ALL };
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {"since", required_argument, NULL, SINCE},
	        {"until", required_argument, NULL, UNTIL}, {"class", required_argument, NULL, CLASS}, {"all", no_argument, NULL, ALL}, {0}};
	bool sound = true;

	for (int code; sound && (code = options_next(&request->options, argc, argv, "n:", known)) != OPTIONS_END;)
		switch (code) {
		case 'n':
			sound = options_number(&request->options, "-n", 1, INT32_MAX, &request->limit);
			break;
		case SINCE:
			sound = read_moment(request, "--since", &request->filter.since_realtime_ns);
			break;
		case UNTIL:
			sound = read_moment(request, "--until", &request->filter.until_realtime_ns);
			break;
		case CLASS:
			sound = read_class(request);
			break;
		case ALL:
			request->filter.with_merged = true;
			break;
		default:
			return false;
		}
	return sound && options_no_arguments(&request->options, argc, argv);
}

/* ---- for people ---- */

enum { ID, START, DURATION, CLASS, SURE, WORST, WHO, COLUMNS };

struct printer {
	struct find_ids ids;
	struct table_column columns[COLUMNS];
	struct table table;
	bool wide;
};

static void begin_table(struct printer *printer)
{
	const struct terminal terminal = terminal_of(stdout);
	unsigned width = terminal.columns ? terminal.columns : NARROW, taken = COLUMNS - 1;

	printer->wide = width >= WIDE;
	printer->columns[ID] = (struct table_column){.title = "ID", .width = 8, .right = true};
	printer->columns[START] = (struct table_column){.title = "START", .width = printer->wide ? 19 : 11};
	printer->columns[DURATION] = (struct table_column){.title = "DUR", .width = 7, .right = true};
	printer->columns[CLASS] = (struct table_column){.title = "CLASS", .width = printer->wide ? 11 : 8};
	printer->columns[SURE] = (struct table_column){.title = "SURE", .width = 8};
	printer->columns[WORST] = (struct table_column){.title = "WORST", .width = printer->wide ? 22 : 12};
	for (size_t i = 0; i < WHO; i++)
		taken += printer->columns[i].width;
	printer->columns[WHO] = (struct table_column){.title = "WHO", .width = width > taken + 8 ? width - taken : 8};
	table_begin(&printer->table, stdout, printer->columns, COLUMNS, true);
}

/* How sure it is, as a word: figures of confidence stand in `explain` alone. */
static const char *sure_word(const char *word)
{
	static const struct {
		const char *word, *brief;
	} words[] = {{"unexplained", "-"}, {"very_likely", "v.likely"}, {"almost_certain", "alm.cert"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].brief;
	return word;
}

/* Of "40 x cc1 under make[812] 94%" the name is cut, never the share. */
static void cut_name(char *who, size_t size, size_t columns)
{
	char safe[STORAGE_WHO_BYTES + 8], share[16];

	text_sanitise(who, size, safe, sizeof(safe));
	char *blank = strrchr(safe, ' ');
	size_t length = blank ? strlen(blank) : 0;
	if (text_columns(safe) <= columns || length < 3 || length >= sizeof(share) || length + 2 > columns || blank[length - 1] != '%')
		return;
	memcpy(share, blank, length + 1);
	*blank = '\0';
	text_cut(safe, columns - length - 1);
	snprintf(who, size, "%s~%s", safe, share);
}

static void who_text(struct printer *printer, const struct storage_pause *pause, char out[STORAGE_WHO_BYTES + 8])
{
	struct storage_pause into = *pause;
	char id[FIND_ID_BYTES];

	snprintf(out, STORAGE_WHO_BYTES + 8, "%.*s", STORAGE_WHO_BYTES - 1, pause->who);
	if (pause->merged_into) {
		into.number = pause->merged_into;
		snprintf(out, STORAGE_WHO_BYTES + 8, "(part of %s)", find_id(&printer->ids, &into, id));
	}
	cut_name(out, STORAGE_WHO_BYTES + 8, printer->columns[WHO].width);
}

static void print_row(struct printer *printer, const struct storage_pause *pause)
{
	bool interim = strcmp(pause->state, "interim") == 0;
	char id[FIND_ID_BYTES], label[40], start[24], lasted[16], duration[24], who[STORAGE_WHO_BYTES + 8];

	clock_label(pause->start_realtime_ns, label);
	snprintf(start, sizeof(start), "%.19s", label);
	if (strlen(start) > 10)
		start[10] = ' ';
	snprintf(duration, sizeof(duration), "%s%s", value_duration((double)pause->duration_ns, lasted), interim ? "+" : "");
	who_text(printer, pause, who);
	table_cell(&printer->table, find_id(&printer->ids, pause, id), TABLE_PLAIN);
	if (printer->wide)
		table_cell(&printer->table, start, TABLE_PLAIN);
	else
		table_cell(&printer->table, strlen(start) == 19 ? (start[16] = '\0', start + 5) : start, TABLE_PLAIN);
	table_cell(&printer->table, duration, interim ? TABLE_HIGH : TABLE_PLAIN);
	table_cell(&printer->table, pause->class, TABLE_PLAIN);
	table_cell(&printer->table, sure_word(pause->word), TABLE_PLAIN);
	table_cell(&printer->table, pause->worst, TABLE_PLAIN);
	table_cell(&printer->table, who, TABLE_PLAIN);
	table_end_row(&printer->table);
}

/* ---- both forms ---- */

/* Returns 0 or -errno. */
static int print_document(struct storage *storage, const struct storage_pause *pause)
{
	struct storage_pause_key key = {.number = pause->number};
	struct storage_pause found;
	char *document = NULL;

	snprintf(key.boot_prefix, sizeof(key.boot_prefix), "%s", pause->boot_id);
	int result = storage_pause_find(storage, &key, &found, &document);
	if (result > 0 && document)
		document_write(stdout, document);
	free(document);
	return result < 0 ? result : 0;
}

/* A page at a time: no list is too long for memory, and nothing of ours holds the database while the terminal is slow. */
static int64_t print_pages(struct storage *storage, const struct request *request)
{
	struct storage_pause_filter filter = request->filter;
	struct printer printer = {.ids = {.storage = storage}};
	uint64_t printed = 0;
	int failed = 0;

	struct storage_pause *rows = calloc(PAGE_ROWS, sizeof(*rows));
	if (!rows)
		return -1;
	while (printed < request->limit && failed == 0) {
		uint64_t wanted = request->limit - printed;
		int count = storage_pauses(storage, &filter, rows, wanted < PAGE_ROWS ? (size_t)wanted : PAGE_ROWS);
		if (count <= 0) {
			failed = count;
			break;
		}
		for (int i = 0; i < count && failed == 0; i++) {
			if (request->options.json) {
				failed = print_document(storage, &rows[i]);
				continue;
			}
			if (printed == 0 && i == 0) {
				begin_table(&printer);
				table_titles(&printer.table);
			}
			print_row(&printer, &rows[i]);
		}
		printed += (uint64_t)count;
		filter.before_realtime_ns = rows[count - 1].start_realtime_ns;
	}
	free(rows);
	return failed < 0 ? failed : (int64_t)printed;
}

/* Nothing is good news: it says how far the news goes. */
static void print_none(struct storage *storage, const struct request *request)
{
	const struct storage_pause_filter *filter = &request->filter;
	struct storage_state state;
	char label[40];

	if (request->options.json)
		return;
	if (filter->class || filter->since_realtime_ns || filter->until_realtime_ns) {
		puts("no pause that fits");
		return;
	}
	if (storage_state(storage, &state) != 1) {
		puts("no pause so far; nothing has been watched yet");
		return;
	}
	clock_label(state.started_realtime_ns, label);
	label[strlen(label) > 19 ? 19 : 0] = '\0';
	label[label[0] ? 10 : 0] = label[0] ? ' ' : '\0';
	if (state.running)
		printf("no pause so far; watched since %s\n", label);
	else {
		char end[40];
		clock_label(state.updated_realtime_ns, end);
		end[strlen(end) > 19 ? 19 : 0] = '\0';
		end[end[0] ? 10 : 0] = end[0] ? ' ' : '\0';
		printf("no pause so far; watched from %s to %s, and not now\n", label, end);
	}
}

int pauses_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "pauses", .help = help_text}, .limit = DEFAULT_ROWS};
	char error[STORAGE_TEXT_BYTES];
	struct storage *storage;

	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	int code = rows_open(request.options.instance, request.options.database, STORAGE_READ, &storage, error);
	if (code) {
		complain("%s", error);
		return code;
	}
	int64_t printed = print_pages(storage, &request);
	if (printed < 0) {
		complain("%s", storage_error(storage));
		code = 1;
	} else if (printed == 0) {
		print_none(storage, &request);
	}
	storage_close(&storage);
	return output_end(code);
}
