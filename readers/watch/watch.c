/*
 * watch.c - `rogue-hunter watch`: one line for each sample, as they come.
 *
 * Follows the daemon over restarts of its collector. Ends with 0 where somebody ended it (interrupt, closed pipe, --count), with 3 where
 * the daemon is gone and none takes its place in time.
 */
#include "readers/watch/watch.h"

#include "base/clock.h"
#include "base/complain.h"
#include "readers/common/attach.h"
#include "readers/common/follow.h"
#include "readers/common/options.h"
#include "readers/watch/line.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A supervisor restarts a collector well within this time. */
static const uint64_t patience_ns = UINT64_C(10) * NS_PER_S;

static const char help_text[] =
        "usage: rogue-hunter watch [--fields LIST] [--count N] [--json] [--name NAME]\n"
        "\n"
        "Writes one line for each sample: the state of the machine and its most rogue process.\n"
        "\n"
        "  --fields LIST  only these fields of the machine and of that process; `watch --fields help` lists them\n"
        "  --count N      end after N samples\n"
        "  --json         one JSON object a line: sample, lost, system, processes (all rogue ones, or the most rogue one)\n"
        "  --name NAME    of the daemon of that name\n"
        "  --help         this text\n"
        "\n"
        "Exit code: 0 ended by you, 1 failure, 2 usage, 3 no daemon runs.\n";

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

struct request {
	struct options options;
	struct line_fields fields;
	uint64_t count; /* lines to write, 0 for ever */
};

/* Splits a list of both kinds of fields into one list for each. */
static int read_fields(struct request *request)
{
	struct line_fields *fields = &request->fields;
	struct columns both;
	char error[256];

	if (strcmp(optarg, "help") == 0) {
		columns_print(stdout, COLUMNS_SYSTEM);
		columns_print(stdout, COLUMNS_PROCESS);
		return OPTIONS_STOP;
	}
	if (!columns_parse(&both, COLUMNS_ANY, optarg, error))
		return options_mistake(&request->options, "--fields: %s", error);
	*fields = (struct line_fields){.chosen = true};
	for (size_t i = 0; i < both.count; i++) {
		struct columns *columns = columns_is_process(both.rows[i]) ? &fields->process : &fields->system;
		columns->rows[columns->count++] = both.rows[i];
	}
	return 0;
}

/* Returns false where the command is at its end. */
static bool read_options(struct request *request, int argc, char **argv)
{
	enum { FIELDS = OPTIONS_OWN, COUNT };
	static const struct option known[] = {
	        OPTIONS_COMMON, {"fields", required_argument, NULL, FIELDS}, {"count", required_argument, NULL, COUNT}, {0}};

	for (;;) {
		switch (options_next(&request->options, argc, argv, "", known)) {
		case OPTIONS_END:
			return options_no_arguments(&request->options, argc, argv);
		case FIELDS:
			if (read_fields(request) == OPTIONS_STOP)
				return false;
			break;
		case COUNT:
			if (!options_number(&request->options, "--count", 1, UINT64_MAX, &request->count))
				return false;
			break;
		default:
			return false;
		}
	}
}

/* No SA_RESTART: a signal ends the wait for the next sample. */
static void install_signals(void)
{
	struct sigaction end = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is seen as a failed write */
}

/* Writes one line. Returns 0, or -errno where nobody reads it any more. */
static int write_line(const struct request *request, const struct batch *batch, uint64_t lost)
{
	if (request->options.json)
		line_json(stdout, batch, lost, &request->fields);
	else
		line_text(stdout, batch, lost, &request->fields);
	return fflush(stdout) == 0 ? 0 : -errno;
}

/* Exit code for a line that could not be written: a reader that has gone away is a good end. */
static int write_failed(int error)
{
	if (error == -EPIPE || error == -EINTR)
		return 0;
	complain("cannot write: %s", strerror(-error));
	return EXIT_FAILURE;
}

/* Says once that nothing comes. Returns true where it is time to give up: never on a hung collector, for that is what is being watched for. */
static bool give_up(enum rh_status state, uint64_t *silent_since_ns)
{
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC);

	if (*silent_since_ns == 0) {
		*silent_since_ns = now;
		complain("the collector is %s; waiting for another", rh_status_text(state));
	}
	if (state == RH_HUNG || now - *silent_since_ns < patience_ns)
		return false;
	complain("no collector has come back");
	return true;
}

/* Follows until somebody ends it. Returns the exit code. */
static int watch(const struct request *request, struct follow *follow, struct batch *batch)
{
	uint64_t written = 0, lost_before = 0, silent_since_ns = 0;

	while (!interrupted && (request->count == 0 || written < request->count)) {
		enum rh_status status = follow_next(follow, RH_TOP_BY_SCORE, batch);
		if (status == RH_OK) {
			int error = write_line(request, batch, follow->lost - lost_before);
			if (error != 0)
				return write_failed(error);
			lost_before = follow->lost;
			silent_since_ns = 0;
			written++;
		} else if (status == RH_DEAD || status == RH_CLOSED || status == RH_REPLACED || status == RH_HUNG) {
			if (give_up(status, &silent_since_ns))
				return attach_exit_code(status);
		} else if (status != RH_TIMEOUT) {
			complain("the samples can no longer be read: %s", rh_status_text(status));
			return attach_exit_code(status);
		}
	}
	return 0;
}

int watch_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "watch", .help = help_text}};
	struct batch batch = {0};
	struct follow follow;

	columns_all(&request.fields.system, COLUMNS_SYSTEM);
	columns_all(&request.fields.process, COLUMNS_PROCESS);
	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	install_signals();
	int code = follow_begin(&follow, request.options.instance);
	if (code != 0)
		return code;
	enum rh_status writer = rh_writer_status(follow.ring);
	if (writer == RH_RUNNING || writer == RH_HUNG || writer == RH_REPLACED) {
		code = watch(&request, &follow, &batch);
	} else {
		complain("the collector is %s", rh_status_text(writer));
		code = attach_exit_code(writer);
	}
	batch_free(&batch);
	follow_close(&follow);
	return code;
}
