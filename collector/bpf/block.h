/*
 * block.h - block requests and reclaim, always on: the device time of each process, the latency of each disk, time in direct reclaim and compaction.
 *
 * Programs on issue and completion of requests, on begin and end of reclaim (block.bpf.c). docs/blame.md has the method.
 */
#ifndef COLLECTOR_BPF_BLOCK_H
#define COLLECTOR_BPF_BLOCK_H

#include "collector/bpf/part.h"

struct block; /* owned by the caller of block_open() until block_close() */

/* Loads and attaches (sampling.block). Returns 0 or -errno with a sentence in `error`. All memory it will use is allocated here. */
int block_open(const struct source_options *options, struct accounts *accounts, struct block **ret_block, char error[256]);

/*
 * After the walk: adds to `processes` (io_time, reclaim and compaction delays where the kernel's own are off), to `system` (latencies) and to `tick`
 * (signals, events_lost), with their present bits. Allocates nothing.
 */
void block_collect(struct block *block, const struct walk_view *walk, struct raw_process *processes, struct raw_system *system,
        struct source_tick *tick);

/*
 * Since it was opened, all disks together: how long they were busy, and the part of it that no living process is charged with. Device times of all
 * accounts and that part add up to the first, but for requests in flight.
 */
void block_totals(const struct block *block, uint64_t *ret_busy_ns, uint64_t *ret_unowned_ns);

void block_close(struct block **block);

#endif
