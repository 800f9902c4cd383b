/*
 * rights.h - the capabilities of the collector: what it needs, what for, and the end of all others.
 */
#ifndef COLLECTOR_RIGHTS_H
#define COLLECTOR_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct right {
	const char *name; /* "CAP_BPF" */
	unsigned number;  /* CAP_BPF */
	bool kept;        /* needed for as long as it samples; else at the start only */
	const char *purpose, *lost;
};

/* The table. Lives as long as the program. */
const struct right *rights_table(size_t *ret_count);

/*
 * Two things that the start has begun must go on without rights: locked memory may grow (the limit is lifted, or CAP_IPC_LOCK is to stay: a stack that
 * cannot grow would be the end), and a ring made anew is given to its group (which is joined, or CAP_CHOWN is to stay).
 *   ring_group  the group that may read the ring, (uint32_t)-1 for none
 * Returns what is to be kept: that, and the rows of the table that are kept. Call before the first thread is started: groups are changed for all
 * threads or for none.
 */
uint64_t rights_prepare(uint32_t ring_group);

/*
 * Gives up all capabilities but these, for the calling thread and all that it will start. A thread that was started before keeps its own. What is refused
 * is said in the log at level debug. As a user without capabilities nothing changes.
 */
void rights_drop(uint64_t keep);

#endif
