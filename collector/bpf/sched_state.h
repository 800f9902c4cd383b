/*
 * sched_state.h - what the switch program keeps between context switches: of each cpu, and of threads in an uninterruptible wait.
 *
 * Included by the program (clang -target bpf) and by the collector, which maps the cpus' part to see the slices that are still going on.
 * All of it is written under the lock of the cpu's run queue, the cpu's part by that cpu alone.
 *
 * The method. A slice is the time between two context switches of a cpu; its owner is the process that runs. Each thread that waited when the
 * slice began adds the slice's length to the owner's blame when it ends. A thread that came during the slice is met when it is picked to run,
 * at once or many slices later: then the rest of the slice in which it came, found in the ring of slices by the time it was queued, is added
 * to the blame of that slice's owner. So every wait is charged in full to those who ran meanwhile, at the price of one look at each switch.
 */
#ifndef COLLECTOR_BPF_SCHED_STATE_H
#define COLLECTOR_BPF_SCHED_STATE_H

#include <stdint.h>

enum {
	SCHED_SLICES = 128,        /* of each cpu; a power of two */
	SCHED_STUCK_SLOTS = 16384, /* threads in an uninterruptible wait at the same time; a power of two */
	SCHED_STUCK_PROBES = 8,
	SCHED_SAMPLED_EACH = 256, /* one run in this many has its time taken */
};
#define SCHED_NOBODY UINT32_MAX /* slot of a slice in which no process is to be charged: the cpu was idle */

struct sched_slice {
	uint64_t end_ns; /* clock of run queues; its begin is the end of the one before */
	uint32_t slot, tgid;
};

struct sched_cpu {
	uint64_t sequence; /* odd while the rest is being written */
	uint64_t slices;   /* ended so far: the newest lies at (slices - 1) % SCHED_SLICES */
	uint64_t begin_ns; /* of the slice that is going on; 0: none has been seen to begin */
	uint32_t slot, tgid; /* its owner */
	uint32_t waiting;    /* threads that waited when it began */
	uint32_t reserved;
	uint64_t switches;
	uint64_t sampled, sampled_ns; /* runs whose time was taken, and that time */
	struct sched_slice ring[SCHED_SLICES];
};

struct sched_stuck {
	uint32_t tid;   /* 0: free */
	uint32_t kind;  /* enum sched_stuck_kind */
	uint64_t since_ns;
};
enum sched_stuck_kind { SCHED_STUCK_OTHER, SCHED_STUCK_IO, SCHED_STUCK_MEMORY };

#endif
