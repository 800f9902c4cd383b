/*
 * main.c - rh-tracker: reads every sample, keeps processes at or above the tracking band as events in the database, and has pauses judged.
 *
 * Order of initialisation: command line and configuration, the kernel's log, the end of all capabilities, log, database, then "ready"; the ring may come,
 * go and come back at any time.
 */
#include "base/capability.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "readers/tracker/baseline.h"
#include "readers/tracker/feed.h"
#include "readers/tracker/judging.h"
#include "readers/tracker/options.h"
#include "readers/tracker/persist.h"
#include "readers/tracker/report.h"
#include "readers/tracker/surroundings.h"

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

/* All that lives as long as the program. */
struct tracker {
	const struct options *options;
	struct track *track;
	struct feed *feed;
	struct surroundings *surroundings;
	struct pauses *pauses;
	struct baseline *baseline;
	struct notify notify;
	struct judging judging;
	struct persist persist;
	struct report report;
};

/* The database, while it can be asked. */
static struct storage *storage_of(const struct tracker *tracker)
{
	return tracker->persist.paused ? NULL : tracker->persist.storage;
}

static void take_sample(struct tracker *tracker, uint64_t now_ns)
{
	surroundings_listen(tracker->surroundings, now_ns);
	judging_sample(&tracker->judging, tracker->feed, storage_of(tracker));
	track_step(tracker->track, &tracker->feed->sample);
	baseline_sample(tracker->baseline, tracker->feed);
	report_events(tracker->track);
	persist_sample(&tracker->persist, tracker->feed);
	if (report_sample(&tracker->report, tracker->feed, tracker->track, &tracker->persist))
		persist_state_due(&tracker->persist);
}

static void run(struct tracker *tracker)
{
	while (!stop_asked) {
		uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
		enum rh_status status = feed_next(tracker->feed, tracker->track, persist_wants_top(&tracker->persist, now_ns));
		now_ns = clock_now_ns(CLOCK_BOOTTIME);
		if (tracker->feed->attached) {
			tracker->feed->attached = false;
			persist_attached(&tracker->persist, tracker->track, tracker->feed);
			judging_attached(&tracker->judging, tracker->feed, storage_of(tracker));
		}
		report_status(&tracker->report, status);
		if (status == RH_OK)
			take_sample(tracker, now_ns);
		persist_flush(&tracker->persist, tracker->track, now_ns);
		baseline_flush(tracker->baseline, storage_of(tracker), now_ns, false);
		notify_poll(&tracker->notify, clock_now_ns(CLOCK_MONOTONIC));
	}
}

static void stop(struct tracker *tracker)
{
	notify_end(&tracker->notify);
	baseline_flush(tracker->baseline, storage_of(tracker), clock_now_ns(CLOCK_BOOTTIME), true);
	persist_close(&tracker->persist, tracker->track);
	log_say(LOG_INFO_, "tracker_stopped",
	        "%llu samples, %llu lost, %llu judgements of pauses; %llu commands without room, %llu late looks",
	        (unsigned long long)tracker->persist.state.samples_count, (unsigned long long)tracker->persist.state.lost_count,
	        (unsigned long long)tracker->pauses->found_count, (unsigned long long)baseline_dropped(tracker->baseline),
	        (unsigned long long)surroundings_late(tracker->surroundings));
}

/* Returns 0, or -errno with a sentence in `error`. */
static int open_all(struct tracker *tracker, char error[STORAGE_TEXT_BYTES])
{
	const struct config *config = &tracker->options->config;

	snprintf(error, STORAGE_TEXT_BYTES, "no memory");
	notify_begin(&tracker->notify, config, NULL);
	tracker->track = track_new(config);
	tracker->feed = feed_new(tracker->options->instance);
	tracker->baseline = baseline_new(config);
	tracker->pauses = pauses_new(config, tracker->surroundings, &tracker->notify);
	if (!tracker->track || !tracker->feed || !tracker->baseline || !tracker->pauses || !tracker->surroundings)
		return -ENOMEM;
	if (judging_begin(&tracker->judging, config, tracker->pauses, tracker->baseline) != 0)
		return -ENOMEM;
	int failed = persist_open(&tracker->persist, config, tracker->options->database, error);
	tracker->persist.pauses = tracker->pauses;
	return failed;
}

static int start(struct tracker *tracker, int *ready_fd)
{
	char error[STORAGE_TEXT_BYTES];
	int failed = open_all(tracker, error);

	if (failed == 0) {
		log_say(LOG_INFO_, "tracker_started", "processes from score %.0f on are kept in %s", track_floor(tracker->track),
		        tracker->options->database);
		say_ready(ready_fd);
		run(tracker);
		stop(tracker);
	} else {
		fprintf(stderr, "rogue-hunter: %s\n", error);
	}
	judging_end(&tracker->judging);
	pauses_free(&tracker->pauses);
	baseline_free(&tracker->baseline);
	feed_free(&tracker->feed);
	track_free(&tracker->track);
	return failed == 0 ? EXIT_SUCCESS : failed == -ENOMEM ? EXIT_RESOURCES : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct tracker tracker = {.options = &options}; /* too large for a stack */

	switch (options_read(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	}
	watch_signals();
	tracker.surroundings = surroundings_new("/", SURROUNDINGS_BUDGET_NS);
	/* It reads a ring and writes files, all of its own user: also root needs no more than that. Where the kernel refuses, all goes on as well. */
	(void)capability_keep(0);
	start_log(&options);
	int code = start(&tracker, &options.ready_fd);
	surroundings_free(&tracker.surroundings);
	log_close();
	return code;
}
