/*
 * explain.c - `rogue-hunter explain`: one pause, in all that is known of it.
 */
#include "base/clock.h"
#include "base/complain.h"
#include "base/text.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/pauses/blocks.h"
#include "readers/pauses/document_read.h"
#include "readers/pauses/find.h"
#include "readers/pauses/pauses.h"
#include "storage/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_NO_DATA = 3, MERGES_MOST = 8, SAME_CLASS_MOST = 6, DAY_S = 86400 };

static const char help_text[] =
        "usage: rogue-hunter explain ID | last | -N | @TIME [--json] [--name NAME] [--db FILE]\n"
        "\n"
        "Tells all that is known of one pause: the verdict, its course, who caused it, who stood still, the evidence for and against, the "
        "causes\n"
        "that were rejected, what was not measured, and what can be done.\n"
        "\n"
        "  ID           as `rogue-hunter pauses` shows it (7c1f-44), or its number alone: of the newest boot that has it\n"
        "  last         the newest; -2 is the one before it, -3 the one before that\n"
        "  @TIME        the one that was going on then, or the nearest within an hour: @14:03, @14:03:07, @2026-11-20T14:03, @2h (ago)\n"
        "\n"
        "  --json       its document\n"
        "  --name NAME  of the daemon of that name\n"
        "  --db FILE    of this database\n"
        "  --help       this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure, 2 usage, 3 no database, or no such pause.\n";

/* ---- command line ---- */

/* Takes "-2" out of the arguments, which getopt would take for an option. Returns it, NULL where there is none; shortens *argc. */
static char *take_back(int *argc, char **argv)
{
	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		bool is_value = i > 1 && (strcmp(argv[i - 1], "--db") == 0 || strcmp(argv[i - 1], "--name") == 0);
		if (is_value || !find_is_back(argv[i]))
			continue;
		char *taken = argv[i];
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i - 1) * sizeof(*argv));
		argv[--*argc] = NULL;
		return taken;
	}
	return NULL;
}

/* Returns false where the command is at its end. */
static bool read_options(struct options *options, int argc, char **argv, struct storage_pause_key *ret_key, const char **ret_typed)
{
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {0}};
	const char *typed = take_back(&argc, argv);

	if (options_next(options, argc, argv, "", known) != OPTIONS_END)
		return false;
	if (!typed && optind < argc)
		typed = argv[optind++];
	*ret_typed = typed;
	if (typed && optind == argc && find_read(typed, clock_now_ns(CLOCK_REALTIME), ret_key))
		return true;
	options_mistake(options, "give one pause: its id, as `rogue-hunter pauses` shows it, last, -2, or a time (@14:03)");
	return false;
}

/* ---- one pause ---- */

/* A pause as it was found. */
struct found {
	struct storage_pause row;
	char *document; /* owned */
};

/* Follows a pause that turned out to be part of another, and says so. Returns 1, 0 if the other is gone, or -errno. */
static int follow_merge(struct storage *storage, struct find_ids *ids, struct found *found)
{
	int result = 1;

	for (unsigned merges = 0; result == 1 && found->row.merged_into && merges < MERGES_MOST; merges++) {
		struct storage_pause_key key = {.number = found->row.merged_into};
		struct storage_pause into = found->row;
		char part[FIND_ID_BYTES], whole[FIND_ID_BYTES];
		into.number = found->row.merged_into;
		printf("%s merged into %s\n", find_id(ids, &found->row, part), find_id(ids, &into, whole));
		snprintf(key.boot_prefix, sizeof(key.boot_prefix), "%s", found->row.boot_id);
		free(found->document);
		found->document = NULL;
		result = storage_pause_find(storage, &key, &found->row, &found->document);
	}
	if (result == 1)
		putchar('\n');
	return result;
}

/* Ids of the pauses of its class in the day before its end, the newest last. */
static void list_same_class(struct storage *storage, struct find_ids *ids, const struct storage_pause *row, char out[BLOCKS_LIST_BYTES])
{
	const uint64_t day_ns = DAY_S * (uint64_t)NS_PER_S;
	struct storage_pause_filter filter = {.class = row->class,
	        .until_realtime_ns = row->start_realtime_ns,
	        .since_realtime_ns = row->start_realtime_ns > day_ns ? row->start_realtime_ns - day_ns : 0};
	struct storage_pause *rows = calloc(SAME_CLASS_MOST + 1, sizeof(*rows));
	int count = rows ? storage_pauses(storage, &filter, rows, SAME_CLASS_MOST + 1) : 0;
	size_t used = 0;

	for (int i = (count > SAME_CLASS_MOST ? SAME_CLASS_MOST : count) - 1; i >= 0; i--) {
		char id[FIND_ID_BYTES];
		find_id(ids, &rows[i], id);
		if (used + strlen(id) + 8 > BLOCKS_LIST_BYTES)
			break;
		used += (size_t)snprintf(out + used, BLOCKS_LIST_BYTES - used, "%s%s",
		        used > 0                  ? ", "
		        : count > SAME_CLASS_MOST ? "..., "
		                                  : "",
		        id);
	}
	free(rows);
}

/* Returns the exit code. */
static int explain(struct storage *storage, struct find_ids *ids, const struct found *found)
{
	struct explanation explanation = {0};
	char error[DOCUMENT_ERROR_BYTES];

	find_id(ids, &found->row, explanation.id);
	json_t *document = document_parse(found->document, strlen(found->document), error);
	if (!document) {
		complain("pause %s: %s", explanation.id, error);
		return 1;
	}
	explanation.document = document;
	explanation.is_left_interim = strcmp(found->row.state, "interim") != 0;
	if (document_count(document, "same_class_today_count", 0) > 0)
		list_same_class(storage, ids, &found->row, explanation.same_class);
	blocks_print(stdout, &explanation);
	json_decref(document);
	return 0;
}

static int complain_none(const char *typed, const struct storage_pause_key *key)
{
	if (key->at_realtime_ns)
		complain("there was no pause at %s, or within an hour of it", typed + 1);
	else if (key->number == 0 && key->back == 0)
		complain("there was no pause so far");
	else
		complain("there is no pause %s (any more); `rogue-hunter pauses` lists them", typed);
	return EXIT_NO_DATA;
}

/* Returns the exit code. */
static int find_and_explain(struct storage *storage, const struct options *options, const struct storage_pause_key *key, const char *typed)
{
	struct find_ids ids = {.storage = storage};
	struct found found = {0};
	int code = 1, result = storage_pause_find(storage, key, &found.row, &found.document);

	/* A program is given what it asked for: the document of a merged one names the other. */
	if (result == 1 && !options->json && found.row.merged_into)
		result = follow_merge(storage, &ids, &found);
	if (result == 0)
		code = complain_none(typed, key);
	else if (result == -ENOTUNIQ)
		complain("%s may mean pauses of several boots: give more digits of the boot", typed);
	else if (result < 0 || !found.document)
		complain("%s", storage_error(storage));
	else if (options->json) {
		document_write(stdout, found.document);
		code = 0;
	} else {
		code = explain(storage, &ids, &found);
	}
	free(found.document);
	return code;
}

int explain_main(int argc, char **argv)
{
	struct options options = {.command = "explain", .help = help_text};
	char error[STORAGE_TEXT_BYTES];
	struct storage_pause_key key;
	struct storage *storage;
	const char *typed;

	if (!read_options(&options, argc, argv, &key, &typed))
		return options.exit_code;
	int code = rows_open(options.instance, options.database, STORAGE_READ, &storage, error);
	if (code) {
		complain("%s", error);
		return code;
	}
	code = find_and_explain(storage, &options, &key, typed);
	storage_close(&storage);
	return output_end(code);
}
