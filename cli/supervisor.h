/*
 * supervisor.h - keeps the daemon's processes running.
 *
 * The children are started one after the other, each when the one before is ready. Until all of them are, an orderly exit of one is the
 * end of the daemon, with its exit code and sentence. From then on one that ends is started again, after a wait that grows; only exit code
 * 2 (usage, configuration: a program that does not fit this one) ends the daemon. A collector that lives, is not stopped, and publishes
 * nothing for half a minute is killed and started again.
 */
#ifndef CLI_SUPERVISOR_H
#define CLI_SUPERVISOR_H

#include "cli/child.h"

struct supervisor_options {
	struct child_context context;
	uint64_t duration_ns; /* stop after this time, 0: never */
	bool foreground;      /* a terminal that hangs up ends the daemon */
	int report_fd;        /* for detach_report(), or -1; taken over */
};

/* Runs until a signal, --duration or a failed start. Returns the exit code. The caller has opened the log. */
int supervisor_run(const struct supervisor_options *options);

#endif
