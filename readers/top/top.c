/*
 * top.c - `rogue-hunter top`: the newest sample of the ring, once, as a table or as JSON.
 *
 * The ring outlives its collector: the last sample of a dead one is shown as well, but said to be old, and the exit code is 3.
 */
#include "readers/top/top.h"

#include "base/complain.h"
#include "base/json.h"
#include "readers/common/attach.h"
#include "readers/common/batch.h"
#include "readers/common/columns.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/common/table.h"
#include "readers/common/value.h"
#include "readers/top/head.h"
#include "rogue/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On a terminal: the head, an empty line, the titles, the line that counts the rest, and the shell's prompt. */
enum { DEFAULT_ROWS = 20, LEAST_ROWS = 3, LINES_AROUND = HEAD_LINES + 4 };

static const char default_fields[] = "pid,command,score,band,cpu_blame_ms_per_s,runnable_ms_per_s,cpu_pct,mem_bytes,disk_io_bytes_per_s,"
                                     "state,dominant_resource";

static const char help_text[] =
        "usage: rogue-hunter top [-n N | --all] [--sort FIELD] [--fields LIST] [--json] [--name NAME]\n"
        "\n"
        "Shows the newest sample once: the state of the machine and its processes, the most rogue first.\n"
        "\n"
        "  -n N           at most N processes (20, or what the terminal has room for)\n"
        "  --all          every process\n"
        "  --sort FIELD   order by this field, numbers from the largest down (score)\n"
        "  --fields LIST  show these fields, separated by commas; `top --fields help` lists them\n"
        "  --json         one JSON object: writer, system, processes\n"
        "  --name NAME    of the daemon of that name\n"
        "  --help         this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure, 2 usage, 3 no daemon runs (its last sample is shown if it can still be read).\n";

struct request {
	struct options options;
	uint32_t limit;            /* processes to show; 0: what fits */
	const struct rh_row *sort; /* NULL: by score */
	struct columns columns;
	bool fields_given;
};

static int read_fields(struct request *request)
{
	char error[256];

	if (strcmp(optarg, "help") == 0) {
		columns_print(stdout, COLUMNS_PROCESS);
		return OPTIONS_STOP;
	}
	if (!columns_parse(&request->columns, COLUMNS_PROCESS, optarg, error))
		return options_mistake(&request->options, "--fields: %s", error);
	request->fields_given = true;
	return 0;
}

static int read_sort(struct request *request)
{
	request->sort = columns_find(COLUMNS_PROCESS, optarg);
	if (request->sort)
		return 0;
	return options_mistake(
	        &request->options, "--sort: unknown field \"%s\": did you mean %s?", optarg, columns_nearest(COLUMNS_PROCESS, optarg));
}

enum { OPTION_ALL = OPTIONS_OWN, OPTION_SORT, OPTION_FIELDS };

static int read_option(struct request *request, int option)
{
	uint64_t number;

	switch (option) {
	case 'n':
		if (!options_number(&request->options, "-n", 1, BATCH_ALL, &number))
			return OPTIONS_STOP;
		request->limit = (uint32_t)number;
		return 0;
	case OPTION_ALL:
		request->limit = BATCH_ALL;
		return 0;
	case OPTION_SORT:
		return read_sort(request);
	case OPTION_FIELDS:
		return read_fields(request);
	default:
		return OPTIONS_STOP;
	}
}

/* Returns false where the command is at its end. */
static bool read_options(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {OPTIONS_COMMON, {"all", no_argument, NULL, OPTION_ALL},
	        {"sort", required_argument, NULL, OPTION_SORT}, {"fields", required_argument, NULL, OPTION_FIELDS}, {0}};

	for (;;) {
		int option = options_next(&request->options, argc, argv, "n:", known);
		if (option == OPTIONS_END)
			return options_no_arguments(&request->options, argc, argv);
		if (option == OPTIONS_STOP || read_option(request, option) == OPTIONS_STOP)
			return false;
	}
}

/* ---- order ---- */

/* Names and ids read best upwards, quantities downwards; absent comes last; equal ones are in order of pid. */
static int order(const void *left, const void *right, void *sort)
{
	const struct rh_process *a = left, *b = right;
	const struct rh_row *row = sort;
	bool in_a = value_is_present(row, a), in_b = value_is_present(row, b);
	int compared = value_compare(row, a, b);

	if (in_a && in_b && row->kind != RH_KIND_IDENT)
		compared = -compared;
	else if (in_a != in_b)
		compared = in_b - in_a;
	return compared != 0 ? compared : (a->pid > b->pid) - (a->pid < b->pid);
}

static uint32_t sort_batch(const struct request *request, struct batch *batch, uint32_t limit)
{
	static const char by_default[] = "score";
	const struct rh_row *row = request->sort ? request->sort : columns_find(COLUMNS_PROCESS, by_default);

	qsort_r(batch->records, batch->count, sizeof(batch->records[0]), order, (void *)(uintptr_t)row);
	return batch->count < limit ? batch->count : limit;
}

/* ---- output ---- */

static void print_table(const struct request *request, const struct batch *batch, uint32_t count)
{
	struct table_column titles[COLUMNS_MAX];
	const struct columns *columns = &request->columns;
	char text[VALUE_TEXT_BYTES];
	struct table table;

	for (size_t i = 0; i < columns->count; i++)
		titles[i] = (struct table_column){columns->rows[i]->title, columns->rows[i]->width, value_is_number(columns->rows[i])};
	table_begin(&table, stdout, titles, columns->count, !request->fields_given);
	table_titles(&table);
	for (uint32_t row = 0; row < count; row++) {
		const struct rh_process *process = &batch->records[row];
		enum table_style style = table_band_style(process->band);
		for (size_t i = 0; i < columns->count; i++)
			table_cell(&table, value_cell(columns->rows[i], process, text), style);
		table_end_row(&table);
	}
	if (count < batch->total)
		printf("%u more (--all shows them)\n", batch->total - count);
}

static void print_json(const struct request *request, const struct batch *batch, uint32_t count, enum rh_status writer, uint64_t age_ns)
{
	struct columns system, fields = request->columns;
	const char *status = attach_status_name(writer);
	struct json json;

	columns_all(&system, COLUMNS_SYSTEM);
	if (!request->fields_given)
		columns_all(&fields, COLUMNS_PROCESS);
	json_begin(&json, stdout);
	json_object_begin(&json);
	json_key(&json, "writer");
	json_text(&json, status, strlen(status));
	json_key(&json, "age_ns");
	json_u64(&json, age_ns);
	json_key(&json, "total");
	json_u64(&json, batch->total);
	json_key(&json, "system");
	value_json_object(&system, &batch->system, &json);
	json_key(&json, "processes");
	json_array_begin(&json);
	for (uint32_t row = 0; row < count; row++)
		value_json_object(&fields, &batch->records[row], &json);
	json_array_end(&json);
	json_object_end(&json);
	putchar('\n');
}

/* How many processes to show where that is not given: as many as the terminal has room for. */
static uint32_t default_limit(const struct request *request)
{
	unsigned rows = terminal_of(stdout).rows;
	if (request->options.json || rows == 0)
		return DEFAULT_ROWS;
	return rows > LINES_AROUND + LEAST_ROWS ? rows - LINES_AROUND : LEAST_ROWS;
}

static int show(const struct request *request, struct rh_ring *ring, struct batch *batch)
{
	enum rh_status status = batch_latest(ring, BATCH_ALL, batch);
	if (status != RH_OK) {
		complain("no sample can be read: %s", rh_status_text(status));
		return attach_exit_code(status);
	}
	enum rh_status writer = rh_writer_status(ring);
	uint64_t age_ns = rh_heartbeat_age_ns(ring);
	uint32_t count = sort_batch(request, batch, request->limit ? request->limit : default_limit(request));

	if (request->options.json) {
		print_json(request, batch, count, writer, age_ns);
	} else {
		struct window window;
		window_of(ring, &window);
		head_print(stdout, batch, &window, writer, age_ns);
		putchar('\n');
		print_table(request, batch, count);
	}
	if (writer != RH_RUNNING)
		complain("this is the last sample there is: the collector is %s", rh_status_text(writer));
	return attach_exit_code(writer);
}

int top_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "top", .help = help_text}};
	struct batch batch = {0};
	struct rh_ring *ring;
	char error[256];

	columns_parse(&request.columns, COLUMNS_PROCESS, default_fields, error);
	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	int code = attach_open(request.options.instance, &ring);
	if (code != 0)
		return code;
	code = show(&request, ring, &batch);
	batch_free(&batch);
	rh_close(&ring);
	return output_end(code);
}
