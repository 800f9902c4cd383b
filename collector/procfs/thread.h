/*
 * thread.h - the threads of processes that have more than one.
 *
 * /proc/PID/schedstat is of the main thread alone, so run-queue waits and time slices of a process are added up over
 * /proc/PID/task. That forgets threads that ended: what was last seen of them is folded into sums kept here, so that sums never fall.
 * Threads that were born and ended between two looks are missed; their cpu time is not, it comes from /proc/PID/stat.
 */
#ifndef COLLECTOR_PROCFS_THREAD_H
#define COLLECTOR_PROCFS_THREAD_H

#include "collector/procfs/file.h"
#include "collector/procfs/parse.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROCFS_THREAD_NONE = UINT32_MAX };

struct procfs_thread {
	struct procfs_schedstat seen;
	uint32_t tid, next; /* index of the next thread of the process, or of the next free one */
	int schedstat_fd;
	char state; /* letter of task/TID/stat, '?' until it was read */
	bool listed;
};

/* Room for the threads of all processes. */
struct procfs_thread_pool {
	struct procfs_thread *threads; /* [capacity], borrowed */
	uint32_t capacity, used, free; /* `free` is the list of given-back ones below `used` */
};

/* The threads of one process. Zero is not a valid set: procfs_thread_set_clear() makes one. */
struct procfs_thread_set {
	uint32_t first, count;
	bool stale;                   /* a thread has ended or is new: list the folder again */
	struct procfs_schedstat gone; /* sums of the ended ones */
};

/* `threads` is memory for `capacity` of them, zeroed. */
void procfs_thread_pool_init(struct procfs_thread_pool *pool, struct procfs_thread *threads, uint32_t capacity);

void procfs_thread_set_clear(struct procfs_thread_set *set);

/* Gives the threads back. What was seen of them is folded in, except that of `keep_tid` (0: none). */
void procfs_thread_set_release(
        struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files, uint32_t keep_tid);

/* Closes the files kept open for the threads. */
void procfs_thread_set_close_files(struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files);

/* What a look at all threads found. */
struct procfs_thread_sums {
	struct procfs_schedstat living; /* without those of set->gone */
	uint32_t running, stuck;
};

/*
 * Looks at the threads of process `pid`, which has `expected` of them. A thread whose schedstat is unchanged did not run, so it is in
 * the state it was in; of the others the state is read. buffer [size] is scratch.
 * Returns 0, -errno if the list cannot be read, or -ENOSPC if the pool has no room for all of them.
 * Cost: about 1 us a thread, 8 us for one that ran.
 */
int procfs_thread_set_read(struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files, uint32_t pid,
        uint32_t expected, char *buffer, size_t size, struct procfs_thread_sums *ret_sums);

#endif
