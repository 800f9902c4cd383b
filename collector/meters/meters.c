/* meters.c - the meters there are. See meter.h. */
#include "collector/meters/meter.h"

#include "base/log.h"

#include <stddef.h>

static const struct {
	const char *name;
	int (*open)(const struct meter_options *options, struct meter **ret_meter, char error[256]);
} table[] = {
        {"gpu_drm", meter_gpu_drm_open},
        {"gpu_nvml", meter_gpu_nvml_open},
        {"energy", meter_energy_open},
        {"pmu", meter_pmu_open},
};

_Static_assert(sizeof(table) / sizeof(table[0]) == METERS, "room for all in struct meters");

void meters_open(struct meters *meters, const struct meter_options *options)
{
	meters->count = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char error[256] = "";
		struct meter *meter;
		if (table[i].open(options, &meter, error) < 0)
			log_say(LOG_DEBUG_, "meter_absent", "%s: %s", table[i].name, error);
		else
			meters->open[meters->count++] = meter;
	}
}

uint64_t meters_tick(struct meters *meters, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system)
{
	uint64_t signals = 0;
	for (uint32_t i = 0; i < meters->count; i++) {
		const struct meter_operations *operations = meters->open[i]->operations;
		if (operations->tick(meters->open[i], interval_ns, processes, count, system))
			signals |= UINT64_C(1) << operations->signal;
	}
	return signals;
}

void meters_close(struct meters *meters)
{
	while (meters->count > 0) {
		meters->count--;
		meters->open[meters->count]->operations->close(&meters->open[meters->count]);
	}
}
