/*
 * part.h - what the parts of the kernel-direct back end know of each other.
 *
 *   walk    records of all processes, one system call per tick              (walk.h)
 *   sched   context switches and ends of processes                          (sched.h)
 *   block   block requests, reclaim                                         (block.h)
 *   rare    locks of the kernel, signals that stop us, kills                (rare.h)
 * source.c opens them, runs the walk, and lets the others add to the records. A part that cannot be opened is left out: its signals stay off
 * and what it feeds is absent.
 */
#ifndef COLLECTOR_BPF_PART_H
#define COLLECTOR_BPF_PART_H

#include "collector/bpf/accounts.h"
#include "collector/bpf/walk_record.h"
#include "collector/source.h"

/* One walk. Borrowed until the next one. */
struct walk_view {
	const struct walk_record *records; /* of process i of the tick, for i < count */
	const struct walk_waiting *waiting;
	uint32_t count, waiting_count;
	uint32_t waiting_lost;  /* waiting threads there was no room for in `waiting` */
	uint64_t begin_boot_ns; /* when the walk began, BOOTTIME */
	uint64_t begin_rq_ns;   /* the same on the clock of run queues */
	struct account_cpu sum; /* what the programs counted on all cpus until right after it */
};

#endif
