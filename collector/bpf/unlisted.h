/*
 * unlisted.h - processes that /proc lists and the walk lacks: some kernels leave the first process, or others, out of what programs may see.
 *
 * They are few and nearly always the same, so the search for them costs little: of the list in /proc one part in 32 is compared with the walk in every
 * fourth tick. What is found is sampled from /proc from then on, until it ends or turns up in the walk.
 * The part is read right before the walk. So who is in it, is not in the walk and still lives is hidden, not new.
 */
#ifndef COLLECTOR_BPF_UNLISTED_H
#define COLLECTOR_BPF_UNLISTED_H

#include "collector/pool.h"
#include "collector/procfs/process.h"

enum { UNLISTED_MOST = 64, UNLISTED_THREADS = 1024 };

struct unlisted {
	struct procfs_reader reader;
	struct procfs_process processes[UNLISTED_MOST];
	uint32_t count;
	uint64_t pids;      /* of these, one bit for pid % 64 */
	uint64_t *listed;   /* [PROCFS_PID_MAX / 64] pids in the part of the list that is being compared */
	uint32_t low, high; /* the lowest and highest of them; high 0: nothing is being compared */
};

/* Opens /proc. Memory is taken of `pool`. Returns 0, or -errno with a sentence in `error`. */
int unlisted_open(struct unlisted *unlisted, const struct source_options *options, struct pool *pool, char error[256]);

/* Reads the whole list, for the next walk to be compared with. Returns how many processes it has, or -errno. Cost: 1 us for each. */
int64_t unlisted_list_all(struct unlisted *unlisted);

/* Before a walk over about `processes` processes: reads the next part of the list where it is time to. */
void unlisted_list(struct unlisted *unlisted, uint32_t processes);

/* The walk has that process. */
void unlisted_seen(struct unlisted *unlisted, uint32_t pid);

/* After unlisted_seen() for each process of the walk: samples those it lacks into `processes` [room]. Returns how many. */
uint32_t unlisted_sample(struct unlisted *unlisted, struct raw_process *processes, uint32_t room);

void unlisted_close(struct unlisted *unlisted);

#endif
