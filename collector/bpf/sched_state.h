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
 * A thread that is moved to another cpu while it waits is charged for at that moment, and waits anew over there.
 */
#ifndef COLLECTOR_BPF_SCHED_STATE_H
#define COLLECTOR_BPF_SCHED_STATE_H

#include <stdint.h>

enum {
	SCHED_SLICES = 128,        /* of each cpu; a power of two */
	SCHED_STUCK_SLOTS = 16384, /* threads in an uninterruptible wait at the same time; a power of two */
	SCHED_STUCK_PROBES = 8,
	SCHED_RUN_SLOTS = 32768,  /* threads whose newest run is remembered; a power of two */
	SCHED_RUN_SHIFT = 10,     /* its unit is 1.024 us */
	SCHED_SAMPLED_EACH = 256, /* one run in this many has its time taken */
};
#define SCHED_NOBODY UINT32_MAX /* slot of a slice in which no process is to be charged: the cpu was idle */

struct sched_slice {
	uint64_t end_ns; /* clock of run queues; its begin is the end of the one before */
	uint32_t slot, tgid;
};

struct sched_cpu {
	uint64_t sequence;   /* odd while the rest is being written */
	uint64_t slices;     /* ended so far: the newest lies at (slices - 1) % SCHED_SLICES */
	uint64_t begin_ns;   /* of the slice that is going on; 0: none has been seen to begin */
	uint32_t slot, tgid; /* its owner */
	uint32_t waiting;    /* threads that waited when it began */
	uint32_t reserved;
	uint64_t switches;
	uint64_t first_ns;            /* when the first switch was seen; what was queued before is not looked into */
	uint64_t sampled, sampled_ns; /* runs whose time was taken, and that time */
	struct sched_slice ring[SCHED_SLICES];
};

/*
 * The kernel's run delay of a thread when it last began to run: what has come since is the wait it is in. Found by thread id; of two with the same
 * place the newer one has it.
 */
struct sched_run {
	uint32_t tid, delay; /* modulo 2^32 */
};

/* What is to be known of a thread the next time it runs. */
struct sched_stuck {
	uint32_t tid;             /* 0: free */
	uint32_t kind;            /* bits of enum sched_stuck_kind */
	uint64_t since_ns;        /* begin of the uninterruptible wait */
	uint64_t asleep_since_ns; /* when a sleeper was marked as queued */
};
enum sched_stuck_kind {
	SCHED_STUCK_WAITS = 1, /* it is in an uninterruptible wait since since_ns, ... */
	SCHED_STUCK_IO = 2,    /* ... for block io */
	SCHED_STUCK_MEMORY = 4,
	/*
	 * The kernel marked it as queued while it slept (6.12 and later do that to a sleeper that was still on the queue and is moved to another
	 * cpu), and will count its sleep from then on as run delay.
	 */
	SCHED_STUCK_ASLEEP = 8,
};

#endif
