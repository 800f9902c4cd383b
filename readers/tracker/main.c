/*
 * main.c - rh-tracker: reads every sample, keeps processes at or above the tracking band as events in the database.
 *
 * Order of initialisation: command line and configuration, the end of all capabilities, log, database, then "ready"; the ring may come, go and come back at any time.
 */
#include "base/capability.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "readers/tracker/feed.h"
#include "readers/tracker/options.h"
#include "readers/tracker/persist.h"
#include "readers/tracker/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2, EXIT_RESOURCES = 4 };

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

static void watch_signals(void)
{
	struct sigaction action = {.sa_handler = ask_to_stop}; /* no SA_RESTART: waiting ends at once */

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a terminal that is gone is no reason to end */
}

/* Supervised it writes to the log file of the daemon, by itself to the terminal alone. */
static void start_log(const struct options *options)
{
	char error[256];
	char usual[PATH_BYTES] = "";
	const char *path = options->config.log_path;

	if (!path[0] && options->supervised)
		path = path_log(options->instance, usual);
	if (log_open_configured("tracker", &options->config, path, options->console || !options->supervised, error) < 0)
		log_say(LOG_WARNING_, "log", "%s", error);
}

static void say_ready(int *ready_fd)
{
	static const char line[] = "ready\n";

	if (*ready_fd >= 0)
		file_write_all(*ready_fd, line, sizeof(line) - 1);
	closefd(ready_fd);
}

static void take_sample(struct feed *feed, struct track *track, struct persist *persist, struct report *report)
{
	track_step(track, &feed->sample);
	report_events(track);
	persist_sample(persist, feed);
	if (report_sample(report, feed, track, persist))
		persist_state_due(persist);
}

static void run(struct feed *feed, struct track *track, struct persist *persist)
{
	struct report report = {0};

	while (!stop_asked) {
		uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
		enum rh_status status = feed_next(feed, track, persist_wants_top(persist, now_ns));
		if (feed->attached) {
			feed->attached = false;
			persist_attached(persist, track, feed);
		}
		report_status(&report, status);
		if (status == RH_OK)
			take_sample(feed, track, persist, &report);
		persist_flush(persist, track, clock_now_ns(CLOCK_BOOTTIME));
	}
}

static int start(struct options *options)
{
	static struct persist persist; /* too large for a stack */
	struct track *track = track_new(&options->config);
	struct feed *feed = feed_new(options->instance);
	char error[STORAGE_TEXT_BYTES] = "no memory";

	int failed = track && feed ? persist_open(&persist, &options->config, options->database, error) : -ENOMEM;
	if (failed == 0) {
		log_say(LOG_INFO_, "tracker_started", "processes from score %.0f on are kept in %s", track_floor(track), options->database);
		say_ready(&options->ready_fd);
		run(feed, track, &persist);
		persist_close(&persist, track);
		log_say(LOG_INFO_, "tracker_stopped", "%llu samples, %llu lost", (unsigned long long)persist.state.samples_count,
		        (unsigned long long)persist.state.lost_count);
	} else {
		fprintf(stderr, "rogue-hunter: %s\n", error);
	}
	feed_free(&feed);
	track_free(&track);
	return failed == 0 ? EXIT_SUCCESS : failed == -ENOMEM ? EXIT_RESOURCES : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct options options;

	switch (options_read(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	}
	watch_signals();
	/* It reads a ring and writes files, all of its own user: also root needs no more than that. Where the kernel refuses, all goes on as well. */
	(void)capability_keep(0);
	start_log(&options);
	int code = start(&options);
	log_close();
	return code;
}
