/*
 * live_collector.h - the real rh-collector over the real machine, in an instance of its own, for tests and benchmarks.
 *
 * It ends with the program that started it, however that ends.
 */
#ifndef TESTS_SUPPORT_LIVE_COLLECTOR_H
#define TESTS_SUPPORT_LIVE_COLLECTOR_H

#include "rogue/reader.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct live_collector {
	char instance[65];
	pid_t pid;
	struct rh_ring *ring;
	struct rh_view view; /* the newest sample that was waited for */
};

/*
 * Starts a collector and waits for its first sample.
 *   config  lines "section.key=value", each with its newline
 * The program is $BIN/rh-collector, or ../bin/rh-collector beside this program. Returns false, with a sentence on stderr, if there is no sample.
 */
bool live_collector_start(struct live_collector *live, const char *name, const char *config);

/*
 * Waits for the first sample that was begun at `monotonic_ns` or later, ten seconds at most. Returns whether live->view is that sample. A
 * program that waits without a break sees the samples one by one.
 */
bool live_collector_await(struct live_collector *live, uint64_t monotonic_ns);

/* Record of a process in live->view, valid copy. `exited`: the last record of one that is gone. Returns false if there is none. */
bool live_collector_find(const struct live_collector *live, pid_t pid, bool exited, struct rh_process *ret_record);

/* Ends it in good order, detaches, removes what is left of its segment. Returns its wait status, -1 if it had to be killed. */
int live_collector_stop(struct live_collector *live);

/* Kills it, and leaves its segment as it is; live_collector_stop() is still to be called. */
void live_collector_kill(struct live_collector *live);

#endif
