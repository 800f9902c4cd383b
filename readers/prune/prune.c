/*
 * prune.c - `rogue-hunter prune`: removes what is past its time, beside a running tracker, in small transactions.
 */
#include "readers/prune/prune.h"

#include "base/clock.h"
#include "base/complain.h"
#include "base/config.h"
#include "base/json.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "storage/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { EXIT_NO_ROOM = 4, BATCH = 256 };

static const char help_text[] =
        "usage: rogue-hunter prune [--dry-run] [--force] [--events-days N] [--machine-hours N] [--pauses-days N] [--baseline-days N]\n"
        "                          [--json] [--name NAME] [--db FILE]\n"
        "\n"
        "Removes events that ended, machine snapshots that were taken, pauses that began, and days of what is known of how each command\n"
        "usually behaves, longer ago than the configuration keeps them.\n"
        "The daemon does this by itself every few hours (storage.prune_hours).\n"
        "\n"
        "  --dry-run          only say what would go\n"
        "  --force            do not ask\n"
        "  --events-days N    days that ended events are kept (storage.events_days)\n"
        "  --machine-hours N  hours that machine snapshots are kept (storage.machine_hours)\n"
        "  --pauses-days N    days that pauses are kept (storage.pauses_days)\n"
        "  --baseline-days N  days that usual behaviour is kept (storage.baseline_days)\n"
        "  --json             one JSON object: dry_run, events, snapshots, machine_snapshots, pauses, baselines\n"
        "  --name NAME        of the daemon of that name\n"
        "  --db FILE          of this database\n"
        "  --help             this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure or not confirmed, 2 usage, 3 no database, 4 disk full.\n";

enum option_code { DRY_RUN = OPTIONS_OWN, FORCE, EVENTS_DAYS, MACHINE_HOURS, PAUSES_DAYS, BASELINE_DAYS };

struct request {
	struct options options;
	bool dry_run, force;
	uint64_t events_days, machine_hours, pauses_days, baseline_days;
};

static bool read_options(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {"dry-run", no_argument, NULL, DRY_RUN},
	        {"force", no_argument, NULL, FORCE}, {"events-days", required_argument, NULL, EVENTS_DAYS},
	        {"machine-hours", required_argument, NULL, MACHINE_HOURS}, {"pauses-days", required_argument, NULL, PAUSES_DAYS},
	        {"baseline-days", required_argument, NULL, BASELINE_DAYS}, {0}};
	struct options *options = &request->options;

	for (int code; (code = options_next(options, argc, argv, "", known)) != OPTIONS_END;)
		switch (code) {
		case DRY_RUN:
			request->dry_run = true;
			break;
		case FORCE:
			request->force = true;
			break;
		case EVENTS_DAYS:
			if (!options_number(options, "--events-days", 1, 36500, &request->events_days))
				return false;
			break;
		case MACHINE_HOURS:
			if (!options_number(options, "--machine-hours", 1, 87600, &request->machine_hours))
				return false;
			break;
		case PAUSES_DAYS:
			if (!options_number(options, "--pauses-days", 1, 36500, &request->pauses_days))
				return false;
			break;
		case BASELINE_DAYS:
			if (!options_number(options, "--baseline-days", 1, 3650, &request->baseline_days))
				return false;
			break;
		default:
			return false;
		}
	return options_no_arguments(options, argc, argv);
}

static uint64_t hours_before(uint64_t now_ns, uint64_t hours)
{
	uint64_t ns = hours * 3600 * NS_PER_S;

	return now_ns > ns ? now_ns - ns : 0;
}

static struct storage_limits limits_of(const struct request *request)
{
	uint64_t now_ns = clock_now_ns(CLOCK_REALTIME);

	return (struct storage_limits){
	        .events_before_ns = hours_before(now_ns, 24 * request->events_days),
	        .machine_before_ns = hours_before(now_ns, request->machine_hours),
	        .pauses_before_ns = hours_before(now_ns, 24 * request->pauses_days),
	        .baseline_before_ns = hours_before(now_ns, 24 * request->baseline_days),
	};
}

static bool is_nothing(const struct storage_pruned *pruned)
{
	return pruned->events == 0 && pruned->machine_snapshots == 0 && pruned->pauses == 0 && pruned->baselines == 0;
}

/* What goes, or would go. */
static void print_amounts(const struct storage_pruned *pruned)
{
	printf("events %" PRIu64 ", their snapshots %" PRIu64 ", machine snapshots %" PRIu64 ", pauses %" PRIu64
	       ", days of usual behaviour %" PRIu64,
	        pruned->events, pruned->snapshots, pruned->machine_snapshots, pruned->pauses, pruned->baselines);
}

/* Asks on a terminal. Without one nobody can answer, and nothing is removed. */
static bool confirm(const struct storage_pruned *pruned)
{
	char answer[16];

	if (!isatty(STDIN_FILENO)) {
		complain("prune: nobody can be asked here: give --force, or --dry-run to see what would go");
		return false;
	}
	printf("To be removed: ");
	print_amounts(pruned);
	printf(". Go on? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void print(const struct request *request, const struct storage_pruned *pruned)
{
	struct json json;

	if (!request->options.json) {
		printf("%s: ", request->dry_run ? "would be removed" : "removed");
		print_amounts(pruned);
		putchar('\n');
		return;
	}
	json_begin(&json, stdout);
	json_object_begin(&json);
	json_key(&json, "dry_run");
	json_bool(&json, request->dry_run);
	json_key(&json, "events");
	json_u64(&json, pruned->events);
	json_key(&json, "snapshots");
	json_u64(&json, pruned->snapshots);
	json_key(&json, "machine_snapshots");
	json_u64(&json, pruned->machine_snapshots);
	json_key(&json, "pauses");
	json_u64(&json, pruned->pauses);
	json_key(&json, "baselines");
	json_u64(&json, pruned->baselines);
	json_object_end(&json);
	putchar('\n');
}

/* Removes batch after batch. Returns 0 or -errno; ret_sum is what went in either case. */
static int prune_all(struct storage *storage, const struct storage_limits *limits, struct storage_pruned *ret_sum)
{
	struct storage_pruned batch;

	*ret_sum = (struct storage_pruned){0};
	do {
		int failed = storage_prune(storage, limits, BATCH, &batch);
		if (failed)
			return failed;
		ret_sum->events += batch.events;
		ret_sum->snapshots += batch.snapshots;
		ret_sum->machine_snapshots += batch.machine_snapshots;
		ret_sum->pauses += batch.pauses;
		ret_sum->baselines += batch.baselines;
	} while (!is_nothing(&batch));
	return 0;
}

static int run(struct storage *storage, const struct request *request)
{
	struct storage_limits limits = limits_of(request);
	struct storage_pruned pruned;
	int failed = storage_prunable(storage, &limits, &pruned);

	if (failed == 0 && !request->dry_run && !is_nothing(&pruned)) {
		if (!request->force && !confirm(&pruned))
			return 1;
		failed = prune_all(storage, &limits, &pruned);
	}
	if (failed) {
		complain("%s", storage_error(storage));
		return failed == -ENOSPC ? EXIT_NO_ROOM : 1;
	}
	print(request, &pruned);
	return 0;
}

int prune_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "prune", .help = help_text}};
	char error[STORAGE_TEXT_BYTES];
	struct config defaults;
	struct storage *storage;

	config_defaults(&defaults);
	request.events_days = (uint64_t)defaults.storage_events_days;
	request.machine_hours = (uint64_t)defaults.storage_machine_hours;
	request.pauses_days = (uint64_t)defaults.storage_pauses_days;
	request.baseline_days = (uint64_t)defaults.storage_baseline_days;
	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	enum storage_mode mode = request.dry_run ? STORAGE_READ : STORAGE_MAINTAIN;
	int code = rows_open(request.options.instance, request.options.database, mode, &storage, error);
	if (code) {
		complain("%s", error);
		return code;
	}
	code = run(storage, &request);
	storage_close(&storage);
	return output_end(code);
}
