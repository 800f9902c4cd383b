/*
 * main.c - rh-collector: reads every process, scores it, publishes the sample in shared memory. Usually a child of `rogue-hunter daemon`.
 *
 * Order of initialisation: command line and configuration, log, then what collector_open() lists.
 */
#include "base/log.h"
#include "collector/collector.h"
#include "collector/probe.h"
#include "rogue/tables.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

/* Supervised it writes where the supervisor said, by itself to the terminal. */
static void start_log(const struct options *options)
{
	char error[256];
	if (log_open_configured("collector", &options->config, options->config.log_path, options->console || !options->supervised, error) <
	        0)
		log_say(LOG_WARNING_, "log", "%s", error);
}

static void say_started(const struct collector *collector)
{
	const struct rh_system *system = &collector->sample.system;
	log_say(LOG_INFO_, "collector_started", "%u processes every %.3g s from the %s back end (%s)", system->process_count,
	        (double)collector->pace.interval_ns / NS_PER_S, rh_code(RH_CODE_sampler, system->sampler)->name,
	        rh_code(RH_CODE_sampler_reason, system->sampler_reason)->text);
}

static void say_stopped(const struct collector *collector)
{
	uint64_t cpu_ns = self_cpu_ns();
	log_say(LOG_INFO_, "collector_stopped",
	        "%" PRIu64 " samples, %" PRIu64 " ticks missed, %.1f s of cpu, %" PRIu64 " counters ran backwards", collector->published,
	        collector->tick.missed, (double)cpu_ns / NS_PER_S, collector->sample.clamped);
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct collector collector;
	char error[256] = "";

	switch (options_read(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_DONE:
		return COLLECTOR_OK;
	case OPTIONS_WRONG:
		return COLLECTOR_USAGE;
	}
	/* A terminal or a pipe that is gone is an error of that write, never the end of the collector. */
	signal(SIGPIPE, SIG_IGN);
	if (options.probe) {
		probe_write(stdout, &options.config);
		return fflush(stdout) == 0 ? COLLECTOR_OK : COLLECTOR_FAILED;
	}
	start_log(&options);
	enum collector_exit code = collector_open(&collector, &options, error);
	if (code == COLLECTOR_OK) {
		/* A disk that stalls must not hold up the samples that tell of it. Where no thread can be had, lines are written as before. */
		if (log_background() < 0)
			log_say(LOG_DEBUG_, "log", "no thread writes this log");
		say_started(&collector);
		collector_run(&collector);
		say_stopped(&collector);
	} else {
		fprintf(stderr, "rogue-hunter: %s\n", error);
	}
	collector_close(&collector);
	log_close();
	return (int)code;
}
