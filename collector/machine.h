/*
 * machine.h - the system record: what holds for the whole machine, from two raw readings of it.
 */
#ifndef COLLECTOR_MACHINE_H
#define COLLECTOR_MACHINE_H

#include "collector/moment.h"
#include "collector/source.h"

/*
 * Fills the machine's part of the system record: levels and counters, and where the span is comparable also the rates.
 *   before            the reading of the sample before; looked at only if span->comparable
 *   processes_cpu_ns  cpu time found in processes in the span, for the account of the whole
 * Returns false where cpu counters ran backwards: the cpu ratios are then left out, and the sample is to be called discontinuous.
 */
bool machine_fill(struct rh_system *system, const struct raw_system *now, const struct raw_system *before, const struct span *span,
        double processes_cpu_ns);

#endif
