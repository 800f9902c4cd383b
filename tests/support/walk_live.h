/*
 * walk_live.h - the walk inside the kernel, on the real machine. For tests; failures end the test.
 */
#ifndef TESTS_WALK_LIVE_H
#define TESTS_WALK_LIVE_H

#include "collector/bpf/walk.h"

#include <stdbool.h>
#include <sys/types.h>

struct walk_live {
	struct walk *walk;
	struct walk_result result; /* of the newest walk */
};

/* May this process walk at all? Where not it says why, for a test to be skipped. */
bool walk_live_is_possible(void);

/* Opens a walk of that way ("syscall", "iterator") in one piece. Returns 0 or -errno: this kernel has no such way. */
int walk_live_open(struct walk_live *live, const char *way);

/* Opens a walk by system call in chunks; between two of them `progress` is called, NULL for none. */
int walk_live_open_chunked(struct walk_live *live, uint32_t chunk, void (*progress)(void *context), void *context);
void walk_live_close(struct walk_live *live);
void walk_live_run(struct walk_live *live);

/* The record of that process in the newest walk, or NULL. */
const struct walk_record *walk_live_find(const struct walk_live *live, pid_t pid);

/* The same as the collector gets it. Fails the test if there is none. */
struct raw_process walk_live_process(const struct walk_live *live, pid_t pid);

#endif
