/*
 * contention.h - how scarce each resource is now, from 0 (plenty) to 1 (each user takes from another).
 *
 * A resource is scarce when little of it is left, or when somebody already waits for it: the larger of a ramp over the used
 * fraction (from contention.*_from to 1) and the pressure measured by the kernel (psi_full_at ms per second is 1).
 */
#ifndef COLLECTOR_CONTENTION_H
#define COLLECTOR_CONTENTION_H

#include "base/config.h"
#include "rogue/samples.h"

/* What is known of the machine; NAN where it is not. */
struct contention_input {
	double cpu_busy_ratio, mem_used_ratio, disk_busy_ratio, gpu_busy_ratio;
	double psi_cpu_some_ms_per_s, psi_memory_full_ms_per_s, psi_io_full_ms_per_s;
	double wakeups_per_s; /* of all processes together */
	double cpus;
};

/* Fills contention[] by enum rh_resource: 0..1, or NAN where nothing is known. The entry of RH_RESOURCE_none is 0. */
void contention_compute(const struct config *config, const struct contention_input *input, float contention[RH_RESOURCE_COUNT]);

#endif
