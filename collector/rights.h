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
 * Gives up all capabilities but those of the table that are kept. Two things that the start has begun must go on without them: locked memory may
 * grow (the limit is lifted, or CAP_IPC_LOCK stays: a stack that cannot grow would be the end), and a ring made anew is given to its group
 * (which is joined, or CAP_CHOWN stays).
 *   ring_group  the group that may read the ring, (uint32_t)-1 for none
 * Call after self_protect() and before the first thread is started. What is refused is said in the log at level debug. As a user without
 * capabilities nothing changes.
 */
void rights_drop(uint32_t ring_group);

#endif
