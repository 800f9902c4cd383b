/* waits.c - see waits.h. */
#include "pause/waits.h"

#include <math.h>
#include <string.h>

/* Major faults per second from which waiting for storage may be waiting for evicted pages, and the part of them that must be refaults. */
static const double faults_least_per_s = 100, refaults_part = 0.3;

#define LEVEL(field) (rh_has(record->present, RH_F_##field) ? (double)record->field : 0)

struct waits waits_of(const struct rh_process *record, uint64_t now_ns, double refaults_per_s)
{
	/* A wait cannot have begun before the process did. */
	const double age_ns = now_ns > record->start_time_ns ? (double)(now_ns - record->start_time_ns) : 0;
	double faults_per_s = LEVEL(pageins_per_s);
	struct waits waits = {
	        .run = LEVEL(runnable_ms_per_s) / 1000,
	        .cpu = LEVEL(cpu_pct) / 100,
	        .io = LEVEL(blkio_delay_ms_per_s) / 1000,
	        .reclaim = (LEVEL(reclaim_delay_ms_per_s) + LEVEL(compaction_delay_ms_per_s)) / 1000,
	        .run_longest_ns = fmin(age_ns, LEVEL(run_wait_max_ns)),
	        .stuck_longest_ns = fmin(age_ns, LEVEL(stuck_wait_max_ns)),
	        .run_exact = rh_has(record->present, RH_F_run_wait_max_ns),
	};
	waits.memory = waits.reclaim + (LEVEL(thrashing_delay_ms_per_s) + LEVEL(swapin_delay_ms_per_s)) / 1000;
	if (faults_per_s >= faults_least_per_s && refaults_per_s >= refaults_part * faults_per_s) {
		waits.memory += waits.io;
		waits.io = 0;
	}
	return waits;
}
#undef LEVEL

bool waits_is_own(const char command[RH_COMMAND_BYTES])
{
	static const char *const own[] = {"rh-", "rogue-hunter"};
	return strncmp(command, own[0], strlen(own[0])) == 0 || strncmp(command, own[1], strlen(own[1])) == 0;
}

double waits_refaults(const struct rh_system *before, const struct rh_system *now)
{
	bool known = rh_has(before->present, RH_S_refaults_count) && rh_has(now->present, RH_S_refaults_count) &&
	             now->refaults_count > before->refaults_count;
	double seconds = now->boottime_ns > before->boottime_ns ? (double)(now->boottime_ns - before->boottime_ns) / 1e9 : 0;
	return known && seconds > 0 ? (double)(now->refaults_count - before->refaults_count) / seconds : 0;
}
