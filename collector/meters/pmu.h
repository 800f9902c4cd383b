/*
 * pmu.h - the meter of hardware counters with what it counts as a parameter: for tests, on machines that have no such counters.
 */
#ifndef COLLECTOR_METERS_PMU_H
#define COLLECTOR_METERS_PMU_H

#include "collector/meters/meter.h"

enum { PMU_EVENTS = 2 }; /* instructions, cycles */

struct pmu_options {
	struct {
		uint32_t type; /* enum perf_type_id of linux/perf_event.h */
		uint64_t config;
	} events[PMU_EVENTS];
	uint64_t choose_ns; /* time between two choices of processes */
};

/* As meter_pmu_open(). */
int pmu_open_events(const struct meter_options *options, const struct pmu_options *pmu_options, struct meter **ret_meter, char error[256]);

#endif
