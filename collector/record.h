/*
 * record.h - one raw record into one process record: what is the same in both, and rates from the difference of two raw ones.
 */
#ifndef COLLECTOR_RECORD_H
#define COLLECTOR_RECORD_H

#include "collector/moment.h"
#include "collector/source.h"

/* A record with everything but what is computed later: rates, shares, scores. */
void record_fill(struct rh_process *record, const struct raw_process *raw);

/*
 * Adds the rates between two raw records of a process, of the fields that both know.
 *   clamped  counters that ran backwards are added to it; their rates are 0
 * Returns the cpu time between them, in ns.
 */
double record_rates(struct rh_process *record, const struct raw_process *now, const struct raw_process *before, const struct span *span,
        uint32_t *clamped);

#endif
