/*
 * surroundings.h - what only the machine itself knows of a pause: host and memory, control groups, quotas, disks, and whatever else decides which
 * remedies fit. Read from /proc and /sys when the pause is judged, within a time that is set: what is late is left out, and stays empty.
 */
#ifndef TRACKER_SURROUNDINGS_H
#define TRACKER_SURROUNDINGS_H

#include "pause/remedy.h"

struct surroundings; /* owned by the caller of surroundings_new() until surroundings_free() */

/* The usual time that gathering may take. */
#define SURROUNDINGS_BUDGET_NS (UINT64_C(10) * 1000 * 1000)

/*
 * Opens what it reads from. Comes before rights are given up: the kernel's log asks for them only when it is opened.
 *   root       folder with proc, sys, dev and usr in it: "/", or another one for tests
 *   budget_ns  time that one gathering may take; a single read that the kernel holds up is not cut short
 * NULL without memory. Cost: some 20 system calls.
 */
struct surroundings *surroundings_new(const char *root, uint64_t budget_ns);
void surroundings_free(struct surroundings **surroundings);

/* Takes in what the kernel logged since the last call; to be called with every sample. `boottime_ns` is now. Cost: a system call. */
void surroundings_listen(struct surroundings *surroundings, uint64_t boottime_ns);

/*
 * Fills in what is empty of pause->place, the control groups of culprits and victims, the scope's group, quota and period, and the disk's name; and
 * adds to the facts, which the caller has begun. Processes that ended, or whose pid is somebody else's by now, get the group that an earlier judgement
 * found, or none.
 * Cost: three system calls a process named, some 60 more.
 */
void surroundings_gather(struct surroundings *surroundings, struct pause *pause, struct pause_facts *facts);

/* Files that were left out for lack of time, since the begin. */
uint64_t surroundings_late(const struct surroundings *surroundings);

#endif
