/*
 * options.h - the command line of rh-tracker.
 */
#ifndef TRACKER_OPTIONS_H
#define TRACKER_OPTIONS_H

#include "base/config.h"
#include "base/path.h"

struct options {
	const char *instance; /* borrowed from argv; NULL for the usual one */
	char database[PATH_BYTES];
	struct config config;
	int ready_fd;    /* -1: nobody waits */
	bool console;    /* log to the terminal too */
	bool supervised; /* started by the daemon: its log is the daemon's file */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* Reads command line and configuration. OPTIONS_WRONG comes with a sentence on stderr. */
enum options_result options_read(struct options *options, int argc, char **argv);

#endif
