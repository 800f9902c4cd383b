/*
 * drill.c - `rogue-hunter drill`: command line, the list of kinds, and the rounds one after the other.
 */
#include "readers/drill/drill.h"

#include "base/complain.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/drill/own.h"
#include "readers/drill/result.h"
#include "readers/drill/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NO_DAEMON = 3, DEFAULT_SECONDS = 3, MOST_SECONDS = 30, MOST_ROUNDS = 1000, BETWEEN_LEAST_MS = 2000, BETWEEN_MOST_MS = 4000 };

static const char help_text[] =
        "usage: rogue-hunter drill KIND|all [--seconds N] [--rounds N] [--seed N] [--dir FOLDER] [--json]\n"
        "                          [--name NAME] [--db FILE] | [--own] | [--dry-run]\n"
        "       rogue-hunter drill [--json]\n"
        "\n"
        "Makes something pause, for a few seconds and in a bounded way, and reports whether the running daemon noticed it,\n"
        "said what it was and who did it, and how fast. Its victims measure by themselves how long they really stood still.\n"
        "Without KIND: lists the kinds, what each needs, and whether it can be done here.\n"
        "\n"
        "  --seconds N   length of the injection, 1 to 30 (3)\n"
        "  --rounds N    how often, 1 to 1000 (1); 2 to 4 s between\n"
        "  --seed N      sizes, counts, priorities and names are drawn from this number, the same for the same number; 0 for\n"
        "                middling ones with plain names (drawn from the clock)\n"
        "  --dir FOLDER  where files are put, on a disk (the folder of the database, else TMPDIR, else /var/tmp)\n"
        "  --dry-run     only inject, and report what the victims measured; takes no daemon\n"
        "  --own         with a daemon for the drill alone, that is removed afterwards\n"
        "  --json        one JSON object a line for each round\n"
        "  --name NAME   of the daemon of that name\n"
        "  --db FILE     with this database\n"
        "  --help        this text\n"
        "\n"
        "Exit code: 0 ok, 1 a target was missed or failure, 2 usage, 3 no daemon.\n";

struct request {
	struct options options;
	struct round_plan plan;
	const char *directory;
	const struct drill_kind *kind; /* NULL for all */
	uint64_t rounds;
	bool dry_run, own, list, seeded;
};

static bool read_kind(struct request *request, int argc, char **argv)
{
	struct options *options = &request->options;
	const char *name = argv[optind];

	request->list = !name;
	if (!name || strcmp(name, "all") == 0)
		return !name || optind + 1 == argc || (options_mistake(options, "one kind at a time, or all"), false);
	for (unsigned i = 0; i < DRILL_KINDS; i++)
		if (strcmp(drill_kinds[i].name, name) == 0)
			request->kind = &drill_kinds[i];
	if (!request->kind)
		options_mistake(options, "there is no drill \"%s\"; `rogue-hunter drill` lists them", name);
	else if (optind + 1 < argc)
		options_mistake(options, "one kind at a time, or all");
	return request->kind && optind + 1 == argc;
}

static bool read_options(struct request *request, int argc, char **argv)
{
	enum { SECONDS = OPTIONS_OWN, ROUNDS, SEED, DIR_, DRY_RUN, OWN };
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {"seconds", required_argument, NULL, SECONDS},
	        {"rounds", required_argument, NULL, ROUNDS}, {"seed", required_argument, NULL, SEED},
	        {"dir", required_argument, NULL, DIR_}, {"dry-run", no_argument, NULL, DRY_RUN}, {"own", no_argument, NULL, OWN}, {0}};
	struct options *options = &request->options;
	bool ok = true;

	for (int code; ok && (code = options_next(options, argc, argv, "", known)) != OPTIONS_END;)
		switch (code) {
		case SECONDS:
			ok = options_number(options, "--seconds", 1, MOST_SECONDS, &request->plan.seconds);
			break;
		case ROUNDS:
			ok = options_number(options, "--rounds", 1, MOST_ROUNDS, &request->rounds);
			break;
		case SEED:
			ok = request->seeded = options_number(options, "--seed", 0, INT64_MAX, &request->plan.seed);
			break;
		case DIR_:
			request->directory = optarg;
			break;
		case DRY_RUN:
			request->dry_run = true;
			break;
		case OWN:
			request->own = true;
			break;
		default:
			ok = false;
		}
	if (ok && request->directory && (request->directory[0] != '/' || strlen(request->directory) > STAGE_PATH_BYTES - 80)) {
		options_mistake(options, "--dir takes an absolute path of at most %d bytes", STAGE_PATH_BYTES - 80);
		return false;
	}
	if (ok && request->own && (request->dry_run || options->instance)) {
		options_mistake(options, "--own starts a daemon: neither --dry-run nor --name go with it");
		return false;
	}
	return ok && read_kind(request, argc, argv);
}

/* ---- the list ---- */

static void list_json(const struct request *request)
{
	char reason[STAGE_REASON_BYTES];
	struct json json;

	for (unsigned i = 0; i < DRILL_KINDS; i++) {
		const struct drill_kind *kind = &drill_kinds[i];
		bool possible = needs_are_met(&request->plan.place, kind->needs, reason);
		json_begin(&json, stdout);
		json_object_begin(&json);
		json_key(&json, "drill");
		json_text(&json, kind->name, SIZE_MAX);
		json_key(&json, "classes");
		json_text(&json, kind->classes, SIZE_MAX);
		json_key(&json, "summary");
		json_text(&json, kind->summary, SIZE_MAX);
		json_key(&json, "possible");
		json_bool(&json, possible);
		json_key(&json, "reason");
		if (possible)
			json_none(&json);
		else
			json_text(&json, reason, sizeof(reason));
		json_object_end(&json);
		putchar('\n');
	}
}

static int list(const struct request *request)
{
	char reason[STAGE_REASON_BYTES], needs[STAGE_REASON_BYTES];

	if (request->options.json) {
		list_json(request);
		return 0;
	}
	for (unsigned i = 0; i < DRILL_KINDS; i++) {
		const struct drill_kind *kind = &drill_kinds[i];
		bool possible = needs_are_met(&request->plan.place, kind->needs, reason);
		printf("%-9s %s\n          needs %s; ", kind->name, kind->summary, needs_text(kind->needs, needs));
		printf("%s%s\n", possible ? "can be done here" : "cannot be done here: ", possible ? "" : reason);
	}
	return 0;
}

/* ---- the rounds ---- */

/* Returns false if the kind cannot be done though it was asked for by name, or failed. */
static bool play(const struct request *request, const struct drill_kind *kind, uint32_t number, struct drill_sums *sums)
{
	struct drill_round round;
	char reason[STAGE_REASON_BYTES];

	if (!needs_are_met(&request->plan.place, kind->needs, reason)) {
		if (number == 1)
			complain("drill %s cannot be done here: %s", kind->name, reason);
		return !request->kind;
	}
	round_play(&request->plan, kind, number, &round);
	if (round.failure[0])
		complain("drill %s failed: %s", kind->name, round.failure);
	if (request->options.json)
		drill_table_round_json(&round);
	else
		drill_table_round(&round);
	drill_table_add(sums, &round);
	return !round.failure[0];
}

/* So that one round is not taken for the sequel of the other. */
static void rest_between(const struct request *request, uint32_t number)
{
	uint64_t span_ms = BETWEEN_MOST_MS - BETWEEN_LEAST_MS, ms = BETWEEN_LEAST_MS + (request->plan.seed + number * 797U) % span_ms;
	stage_sleep_until(stage_now() + ms * NS_PER_MS);
}

static int play_all(const struct request *request)
{
	static struct drill_sums sums;
	const struct drill_kind *first = request->kind ? request->kind : drill_kinds;
	const struct drill_kind *end = request->kind ? request->kind + 1 : drill_kinds + DRILL_KINDS;
	bool played = true, quiet = request->options.json || (request->kind && request->rounds == 1) || request->dry_run;

	for (uint32_t number = 1; number <= request->rounds; number++)
		for (const struct drill_kind *kind = first; kind < end; kind++) {
			if (number > 1 || kind > first)
				rest_between(request, number);
			played &= play(request, kind, number, &sums);
		}
	bool reached = request->dry_run || drill_table_sums(&sums, quiet);
	return played && reached ? 0 : 1;
}

static int run(struct request *request)
{
	struct own own = {.warden = -1, .pipe = -1};
	const char *instance = request->options.instance, *database = request->options.database;

	if (request->dry_run)
		return play_all(request);
	if (request->own && !own_start(&own)) {
		own_stop(&own);
		return EXIT_NO_DAEMON;
	}
	int code = request->own ? result_open(own.name, own.database, &request->plan.source)
	                        : result_open(instance, database, &request->plan.source);
	stage_come_first(); /* so that a verdict is seen when it is there */
	if (code == 0)
		code = play_all(request);
	result_close(&request->plan.source);
	own_stop(&own);
	return code;
}

int drill_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "drill", .help = help_text}, .plan = {.seconds = DEFAULT_SECONDS}, .rounds = 1};
	char usual[PATH_BYTES];

	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	const char *database = request.options.database ? request.options.database : path_database(request.options.instance, usual);
	needs_look(&request.plan.place, request.directory, database);
	if (!request.seeded)
		request.plan.seed = clock_now_ns(CLOCK_REALTIME) / NS_PER_MS % 1000000000 + 1;
	if (request.list)
		return output_end(list(&request));
	return output_end(run(&request));
}
