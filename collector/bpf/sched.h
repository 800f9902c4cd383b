/*
 * sched.h - scheduler accounting, always on: who ran while others waited, the longest waits, and the last words of processes that end.
 *
 * One program on sched_switch, one on the end of processes (sched.bpf.c). docs/blame.md has the method. The programs go away with this
 * process, however it ends: nothing is pinned.
 */
#ifndef COLLECTOR_BPF_SCHED_H
#define COLLECTOR_BPF_SCHED_H

#include "collector/bpf/part.h"

struct sched; /* owned by the caller of sched_open() until sched_close() */

/*
 * Loads and attaches what the configuration asks for (sampling.scheduler, sampling.last_words). Returns 0, also if only one of the two could be
 * attached, or -errno with a sentence in `error`. All memory it will use is allocated here.
 */
int sched_open(const struct source_options *options, struct accounts *accounts, struct sched **ret_sched, char error[256]);

/* What sched_open() goes by, for tests to go by something else. */
struct sched_limits {
	uint32_t words_bytes; /* room for last words between two ticks; a power of two, whole pages */
	uint64_t judged_ns;   /* the cost of watching is judged this often */
	uint64_t mean_ns;     /* the budget is the mean over this time: a storm may cost more, for as long as there were none before */
	uint64_t pause_ns, pause_most_ns; /* how long it is then left off: longer each time, until it has kept to the budget for as long */
};
int sched_open_within(const struct source_options *options, const struct sched_limits *limits, struct accounts *accounts,
        struct sched **ret_sched, char error[256]);

/* Right before the walk: the interval ends here. */
void sched_begin(struct sched *sched);

/*
 * Right after it: adds to `processes` (cpu_blame, longest waits, io and memory waits, run delay of ended threads, brief sums), to `system` (switches,
 * run_delay_unowned, hook_ns) and to `tick` (ended, signals, events_lost, degraded), with their present bits. Keeps its own cost: above the
 * budget it detaches the switch program and tries again later. Allocates nothing.
 *   interval_ns  since the tick before
 */
void sched_collect(struct sched *sched, const struct walk_view *walk, uint64_t interval_ns, struct raw_process *processes,
        struct raw_system *system, struct source_tick *tick);

void sched_close(struct sched **sched);

#endif
