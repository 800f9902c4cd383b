/*
 * block_state.h - what block.bpf.c and block.c share: requests in flight, reclaims under way, and one row per disk.
 *
 * Included by the programs (clang -target bpf) and by the collector, which has all of it mapped.
 *
 * Device time. Each nanosecond during which a disk has requests in flight is divided among them by weight: their bytes, and 32 KiB more for each,
 * which is about what a disk does in the time that any request takes. Divided evenly, a small read that waits behind large ones would have as much
 * of the disk as they do. So that an event costs the same however many there are, every disk has a sum of 1 / (weight in flight) over time, its
 * `service`: a request is charged with its weight times service(end) - service(begin), and the charges of all requests add up to the time the
 * disk was busy. A request that is still in flight at a tick is charged by the collector with what has come together since, so that a disk that
 * hangs for seconds shows at once. `mark` is the service up to which a request has been charged: whoever exchanges it owns the difference.
 */
#ifndef COLLECTOR_BPF_BLOCK_STATE_H
#define COLLECTOR_BPF_BLOCK_STATE_H

#include <stdint.h>

enum {
	PENDING_BITS = 14,
	PENDING_SLOTS = 1 << PENDING_BITS, /* requests in flight and reclaims under way, at most about half as many */
	PENDING_PROBES = 8,
	PENDING_GROUP = 64, /* slots counted together, so that the collector need not look at empty ones */
	DISK_ROWS = 512,    /* for up to 256 disks */
	DISK_PROBES = 16,
	DISK_BANKS = 2, /* longest request of an interval: programs write bank epoch % 2, the collector reads the other one and clears it */
	SERVICE_SHIFT = 20, /* service is in 2^-20 ns */
	WEIGHT_SHIFT = 12,  /* weights are in 4 KiB */
	WEIGHT_LEAST = 8,
	WEIGHT_MOST = 1 << 10, /* a discard of gigabytes moves none */
	KIND_BITS = 16,
};

/* The lower KIND_BITS of pending.kind; the upper ones are the weight of a request in flight. */
enum {
	PENDING_OWNED = 0, /* a request that was not given to the device yet */
	PENDING_RECLAIM,
	PENDING_COMPACTION,
	PENDING_DISK, /* in flight: plus the index of the row of its disk */
};

/* At one of PENDING_PROBES places from the hash of its key on. */
struct pending {
	uint64_t key;  /* address of the request or task; 0: free */
	uint32_t tgid; /* whose it is */
	uint32_t kind;
	uint64_t begin_ns; /* MONOTONIC */
	uint64_t mark;     /* charged up to here: service of the disk, or MONOTONIC; never 0 while it is under way */
};

/* Written under a lock, `sequence` odd meanwhile. Claimed at one of DISK_PROBES places, never given back. */
struct disk_row {
	uint64_t sequence;
	uint64_t last_ns; /* MONOTONIC, of the last change */
	uint64_t service;
	uint64_t busy_ns;              /* with a request in flight */
	uint64_t requests, latency_ns; /* completed, and the sum of their times from issue to completion */
	uint64_t unowned_ns;           /* device time of processes that are gone */
	uint64_t latency_max_ns[DISK_BANKS];
	uint32_t inflight, weight; /* requests, and the sum of their weights */
	uint32_t number;           /* major << 20 | minor; 0: free */
	uint32_t reserved[11];
};
_Static_assert(sizeof(struct disk_row) == 128, "two cache lines");

static inline uint32_t pending_kind(uint32_t kind_and_weight)
{
	return kind_and_weight & ((1u << KIND_BITS) - 1);
}

static inline uint32_t pending_weight(uint32_t kind_and_weight)
{
	return kind_and_weight >> KIND_BITS;
}

static inline uint32_t request_weight(uint32_t bytes)
{
	uint32_t weight = WEIGHT_LEAST + (bytes >> WEIGHT_SHIFT);
	return weight < WEIGHT_MOST ? weight : WEIGHT_MOST;
}

static inline uint32_t pending_place(uint64_t key)
{
	return (uint32_t)((key >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - PENDING_BITS));
}

#endif
