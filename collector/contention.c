/* contention.c - see contention.h. */
#include "collector/contention.h"

#include <math.h>

static double clamp01(double value)
{
	return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* 0 up to `from`, then linearly to 1 at 1. NAN stays NAN. */
static double ramp(double ratio, double from)
{
	if (isnan(ratio))
		return ratio;
	if (from >= 1)
		return ratio >= 1 ? 1 : 0;
	return clamp01((ratio - from) / (1 - from));
}

static double pressure(double ms_per_s, double full_at)
{
	return isnan(ms_per_s) ? ms_per_s : clamp01(ms_per_s / full_at);
}

void contention_compute(const struct config *config, const struct contention_input *input, float contention[RH_RESOURCE_COUNT])
{
	double full_at = config->contention_psi_full_at;
	double wakeups_reference = config->contention_wakeups_per_core * fmax(input->cpus, 1);

	/* fmax() takes the other argument where one is NAN: what is not known does not count. */
	contention[RH_RESOURCE_none] = 0;
	contention[RH_RESOURCE_cpu] =
	        (float)fmax(ramp(input->cpu_busy_ratio, config->contention_cpu_from), pressure(input->psi_cpu_some_ms_per_s, full_at));
	contention[RH_RESOURCE_gpu] = (float)ramp(input->gpu_busy_ratio, config->contention_gpu_from);
	contention[RH_RESOURCE_memory] =
	        (float)fmax(ramp(input->mem_used_ratio, config->contention_mem_from), pressure(input->psi_memory_full_ms_per_s, full_at));
	contention[RH_RESOURCE_disk] =
	        (float)fmax(ramp(input->disk_busy_ratio, config->contention_disk_from), pressure(input->psi_io_full_ms_per_s, full_at));
	contention[RH_RESOURCE_wakeups] = (float)pressure(input->wakeups_per_s, wakeups_reference);
}
