/*
 * sched_live.h - scheduler accounting on the running kernel: the walk, the programs, and sums over processes from tick to tick.
 */
#ifndef TESTS_SUPPORT_SCHED_LIVE_H
#define TESTS_SUPPORT_SCHED_LIVE_H

#include "base/config.h"
#include "collector/bpf/sched.h"
#include "collector/bpf/walk.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SCHED_LIVE_PROCESSES = 65536 };

struct sched_live {
	struct config config; /* to be changed before sched_live_open() */
	struct sched_limits limits;
	struct walk *walk;
	struct accounts accounts;
	struct sched *sched;
	struct raw_process *processes[2]; /* of the newest tick and the one before, taking turns, by pid */
	uint32_t counts[2];
	unsigned current;
	struct raw_system system;
	struct source_tick tick;
	uint64_t begin_ns; /* of the newest walk, BOOTTIME */
	/* since sched_live_reset(), over all processes, those that have ended included; ns */
	double delay_ns, blame_ns, unowned_ns;
	uint64_t unowned_before_ns;
	unsigned backwards; /* times that the blame of a process became less */
};

/* Default configuration and limits. */
void sched_live_init(struct sched_live *live);

/* Returns false, with a sentence on stderr, where this machine does not allow it. */
bool sched_live_open(struct sched_live *live);

/* One tick. */
void sched_live_tick(struct sched_live *live);

/* Ticks every 50 ms for so long. */
void sched_live_watch(struct sched_live *live, unsigned ms);

/* The sums begin at the newest tick. */
void sched_live_reset(struct sched_live *live);

/* A process in the newest tick, NULL if it is not there. */
const struct raw_process *sched_live_find(const struct sched_live *live, pid_t pid);

/*
 * A child that calls `work` once it may; it ends with this process, and after a minute at the latest.
 *   cpu  the only one it may run on, -1 any
 */
pid_t sched_live_child(int cpu, void (*work)(void));
void sched_live_kill(pid_t pid);

void sched_live_close(struct sched_live *live);

#endif
