/*
 * options.h - the command line of rh-collector.
 */
#ifndef COLLECTOR_OPTIONS_H
#define COLLECTOR_OPTIONS_H

#include "base/config.h"

/* Exit codes, as of every program of rogue-hunter. */
enum collector_exit {
	COLLECTOR_OK = 0,
	COLLECTOR_FAILED = 1,
	COLLECTOR_USAGE = 2,     /* the command line or the configuration */
	COLLECTOR_RESOURCES = 4, /* shared memory is full */
};

struct options {
	struct config config;
	const char *instance; /* borrowed from argv; NULL for the default one */
	uint64_t samples;     /* stop after so many, 0 for never */
	int ready_fd;         /* receives a line when the first sample is published, -1 for none */
	int step_fd;          /* one tick for each byte read, -1 for the timer */
	bool probe;           /* tell what this machine allows, instead of sampling */
	bool console;         /* log on the terminal too */
	bool supervised;      /* the configuration came from a supervisor: the terminal is not ours */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/*
 * Reads the command line and the configuration handed over with it. Returns OPTIONS_RUN; OPTIONS_DONE after --help and --version, which
 * are answered on stdout; OPTIONS_WRONG after a sentence on stderr.
 */
enum options_result options_read(struct options *options, int argc, char **argv);

#endif
