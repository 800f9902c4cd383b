/*
 * waits.h - what a process waited for in one sample, told apart. Shared by who notices and who adds up, so that they never differ.
 */
#ifndef PAUSE_WAITS_H
#define PAUSE_WAITS_H

#include "rogue/samples.h"

/* Fractions of the sample's interval, summed over threads; single waits in ns. */
struct waits {
	double run, cpu;            /* waiting for a cpu; running */
	double io, memory, reclaim; /* for storage; for memory, reclaim and compaction included; these two alone */
	double run_longest_ns, stuck_longest_ns;
	bool run_exact; /* single waits are known */
};

/*
 * Tells them apart.
 *   refaults_per_s  evicted pages that were needed again, of the machine in this sample: a process whose waiting for storage is for pages of its own that
 *                   were taken from it waits for memory, though the kernel counts most of that as waiting for storage
 */
struct waits waits_of(const struct rh_process *record, uint64_t now_ns, double refaults_per_s);

/* Waits that are short, but leave next to nothing in between: cpu time had for each second of waiting, a single wait, multiples of a single wait that is a pause. */
#define WAITS_CHOKED_CPU 0.15
#define WAITS_CHOKED_SINGLE_NS 50e6
#define WAITS_CHOKED_TIMES 3

/* Is it one of our own programs? */
bool waits_is_own(const char command[RH_COMMAND_BYTES]);

/* That rate between two samples; 0 where it is not known. */
double waits_refaults(const struct rh_system *before, const struct rh_system *now);

#endif
