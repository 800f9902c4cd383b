/*
 * meter.h - small sources for what neither the task walk nor /proc can give: gpu time, energy, hardware counters.
 *
 * A meter adds to the raw records of whatever back end filled them in. What is slow (looking for gpu users, a vendor's library) it does in a
 * thread of its own (gpu.h); meter_tick() only takes over what is ready. A machine without the device has no such meter: its fields
 * are absent, never zero.
 *
 * Meters are opened after the collector has given up the rights it does not need: a thread keeps those it was started with. What they need of
 * them: CAP_SYS_PTRACE (gpu descriptors of others), CAP_DAC_READ_SEARCH (energy), CAP_PERFMON (hardware counters).
 */
#ifndef COLLECTOR_METERS_METER_H
#define COLLECTOR_METERS_METER_H

#include "collector/source.h"

struct meter; /* owned by the caller of an open function until close */

struct meter_operations {
	enum rh_signal signal; /* live while the meter is open and works */
	/*
	 * Adds to the records of one tick, fresh from a source: no bit of a meter's field is set in them yet. `interval_ns` is the time since the
	 * tick before, 0 in the first. Allocates nothing, waits for nothing. Returns whether it worked.
	 */
	bool (*tick)(struct meter *meter, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system);
	void (*close)(struct meter **meter);
};

struct meter {
	const struct meter_operations *operations;
};

struct meter_options {
	const struct config *config;
	const char *proc_root, *sys_root; /* "/proc", "/sys"; other folders for tests */
	uint32_t max_processes;
};

/*
 * Each returns 0, -ENODEV where the machine has no such device (or the configuration switches it off), or another -errno, with a sentence in
 * `error`: what was looked for and what would help.
 */
int meter_gpu_drm_open(const struct meter_options *options, struct meter **ret_meter, char error[256]);
int meter_gpu_nvml_open(const struct meter_options *options, struct meter **ret_meter, char error[256]);
int meter_energy_open(const struct meter_options *options, struct meter **ret_meter, char error[256]);
int meter_pmu_open(const struct meter_options *options, struct meter **ret_meter, char error[256]);

/* All meters of this machine. */
enum { METERS = 4 };
struct meters {
	struct meter *open[METERS];
	uint32_t count;
};

/* Opens those that can be opened; the others are logged at level debug. Never fails. */
void meters_open(struct meters *meters, const struct meter_options *options);

/* One tick of all. Returns the bits (of enum rh_signal) of those that worked. */
uint64_t meters_tick(struct meters *meters, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system);

void meters_close(struct meters *meters);

#endif
