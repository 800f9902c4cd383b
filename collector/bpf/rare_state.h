/*
 * rare_state.h - what rare.bpf.c and rare.c share: waits for locks of the kernel and who held them, who stopped the collector, who was killed.
 *
 * Included by the programs (clang -target bpf) and by the collector, which has all of it mapped.
 *
 * Locks. A thread that has to sleep for a lock is noted, at the one place that its id gives. So is the lock, in a row: who held it when somebody
 * began to wait, and who was given it by the end of a wait, each with the time from which on. The last of these holds lie in a ring, and a wait of 10 ms or
 * more is divided among those who held the lock meanwhile, each by how long: at its end by the program, and while it goes on by the collector at
 * each tick. `mark_ns` is the time up to which a wait has been charged: whoever exchanges it owns the difference,
 * and whoever exchanges it for 0 owns the wait and frees its place.
 */
#ifndef COLLECTOR_BPF_RARE_STATE_H
#define COLLECTOR_BPF_RARE_STATE_H

#include <stdint.h>

enum {
	WAIT_SLOTS = 4096, /* by thread id; of two threads with the same place that wait at once the second is lost. A power of two */
	WAIT_GROUP = 64,   /* slots counted together, so that the collector need not look at empty ones */
	WAIT_LEAST_NS = 10000000, /* shorter waits are nobody's fault */
	LOCK_BITS = 7,
	LOCK_ROWS = 1 << LOCK_BITS, /* locks that somebody waits for at the same time */
	LOCK_PROBES = 8,
	LOCK_HOLDS = 32, /* remembered of each; a power of two */
	HOLDER_BITS = 9,
	HOLDER_WAYS = 8, /* places of a bucket */
	HOLDERS = HOLDER_WAYS << HOLDER_BITS,
};

/* A thread that sleeps until it gets a lock. */
struct lock_wait {
	uint32_t tid; /* 0: free */
	uint32_t tgid;
	uint64_t lock;     /* its address */
	uint64_t since_ns; /* MONOTONIC */
	uint64_t mark_ns;  /* charged up to here; 0: it is over, or has not quite begun */
	uint32_t row;      /* index + 1; 0: no row was free */
	uint32_t reserved;
};

/* Up to the next one in the ring. */
struct lock_hold {
	uint64_t begin_ns; /* MONOTONIC */
	uint32_t tgid;     /* 0: not known */
	uint32_t reserved;
};

/* A lock. Its row is given to another one when nobody waits for it any more. */
struct lock_row {
	uint64_t lock;     /* address; 0: free */
	uint64_t first_ns; /* what is older in the ring is of another time, or of another lock */
	uint32_t waiters;
	uint32_t holds; /* so far: the newest lies at (holds - 1) % LOCK_HOLDS */
	uint64_t reserved;
	struct lock_hold ring[LOCK_HOLDS];
};

/* A process that made others wait for locks. */
struct lock_holder {
	uint32_t tgid; /* 0: free */
	uint32_t reserved;
	uint64_t blame_ns;
};

struct rare_cpu {
	uint64_t contentions; /* runs of the two programs of locks */
	uint64_t reserved[7];
};
_Static_assert(sizeof(struct rare_cpu) == 64, "one cache line per cpu");

/* Signals that stop the collector. */
struct rare_stop {
	uint64_t since_ns;   /* MONOTONIC; 0: it is not stopped */
	uint64_t stopped_ns; /* times that are over, summed up */
	uint32_t sender;     /* of the newest one */
	uint32_t reserved;
	char command[16];
};

/* The newest process that the kernel killed for lack of memory. */
struct rare_victim {
	uint32_t count; /* so far; counted before and after the rest is written: odd meanwhile */
	uint32_t pid;
	char command[16]; /* "": this kernel does not tell */
};

static inline uint32_t lock_place(uint64_t lock)
{
	return (uint32_t)((lock >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - LOCK_BITS));
}

/* First place of the bucket of a process. */
static inline uint32_t holder_place(uint32_t tgid)
{
	return (tgid * UINT32_C(0x9E3779B1) >> (32 - HOLDER_BITS)) * HOLDER_WAYS;
}

/* The part of the time between `from_ns` and `to_ns` that falls to one hold, the newest holds first. */
struct hold_part {
	uint32_t tgid;
	uint64_t ns;       /* 0: nothing */
	uint64_t begin_ns; /* what is before it falls to older holds */
};

/* For i-th newest hold. Goes on as long as begin_ns > from_ns, with begin_ns as the next `to_ns`, up to LOCK_HOLDS of them. */
static inline struct hold_part hold_part_of(const struct lock_row *row, uint32_t i, uint64_t from_ns, uint64_t to_ns)
{
	const struct lock_hold *hold = &row->ring[(row->holds - 1 - i) & (LOCK_HOLDS - 1)];
	struct hold_part part = {.tgid = hold->tgid, .begin_ns = hold->begin_ns};
	if (part.begin_ns < row->first_ns) {
		part.tgid = 0; /* nobody knows */
		part.begin_ns = from_ns;
	}
	if (part.begin_ns < from_ns)
		part.begin_ns = from_ns;
	if (part.begin_ns > to_ns)
		part.begin_ns = to_ns;
	part.ns = to_ns - part.begin_ns;
	return part;
}

#endif
