/*
 * machine.h - the system record: what holds for the whole machine, from two raw readings of it.
 */
#ifndef COLLECTOR_MACHINE_H
#define COLLECTOR_MACHINE_H

#include "collector/moment.h"
#include "collector/source.h"

/* What the processes of a sample add up to in its span. */
struct machine_sums {
	double cpu_ns;       /* of all of them, of those that ended too */
	double brief_cpu_ns; /* of it, of those that came and went */
	uint32_t brief_count;
	bool briefs_known;         /* the ends of processes were watched */
	double run_delay_ms_per_s; /* suffered by all of them */
	bool run_delay_known;
	float longest_run_wait_ns, longest_stuck_wait_ns; /* of any of them that is no kernel thread, in the interval */
	bool run_waits_known, stuck_waits_known;
};

/*
 * Fills the machine's part of the system record: levels and counters, and where the span is comparable also the rates.
 *   before  the reading of the sample before; looked at only if span->comparable
 * Returns false where cpu counters ran backwards: the cpu ratios are then left out, and the sample is to be called discontinuous.
 */
bool machine_fill(struct rh_system *system, const struct raw_system *now, const struct raw_system *before, const struct span *span,
        const struct machine_sums *sums);

#endif
