/*
 * blame_io.h - who made others wait for a disk, and for memory: pure arithmetic over the records of a sample, no I/O, no clock.
 *
 * docs/blame.md has the methods, their sources and their limits. In short:
 *   io   the block-io waiting of each process is divided among all by the device time of their requests in the same interval; device
 *        time of flushers (kernel threads) first goes to those who dirtied pages in the last blame.window seconds, or whose pages are still dirty
 *   mem  the waiting for memory of each process is divided among all by growth of footprint, dirtying and major faults in the last
 *        blame.window seconds
 * Nobody is blamed for his own waiting: that part is left out. What nobody can be blamed for stays unattributed.
 */
#ifndef COLLECTOR_BLAME_IO_H
#define COLLECTOR_BLAME_IO_H

#include "base/config.h"
#include "collector/moment.h"
#include "collector/pool.h"
#include "rogue/samples.h"

struct blame_io; /* what is remembered of the last blame.window seconds, by process */

/* Takes memory for `capacity` records from the pool, those of processes that are gone included. Check pool->failed. */
struct blame_io *blame_io_init(struct pool *pool, const struct config *config, uint32_t capacity);

/*
 * Sets io_blame_ms_per_s, mem_blame_ms_per_s and (with the flushers' time divided) io_time_ms_per_s of `count` records, and io_delay_ms_per_s and
 * mem_delay_ms_per_s of the system record, where what they are made of is present. Allocates nothing. Cost: linear, about 30 ns a record.
 */
void blame_io_run(struct blame_io *blame, const struct span *span, struct rh_process *records, uint32_t count, struct rh_system *system);

#endif
