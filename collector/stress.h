/*
 * stress.h - stress level of the machine: up at once, down only after a stay below the threshold.
 */
#ifndef COLLECTOR_STRESS_H
#define COLLECTOR_STRESS_H

#include "base/config.h"
#include "rogue/samples.h"

/* When the highest score last reached each threshold. Zeroed: never. */
struct stress {
	uint64_t elevated_until_ns, critical_until_ns;
};

/*
 * Level after a sample with that highest score, taken at `monotonic_ns`. Rises at once; each level is left when the score has been
 * below its threshold for `stress.hold` seconds, so that critical falls by way of elevated only if elevated was touched since.
 */
enum rh_stress stress_update(struct stress *stress, const struct config *config, double max_score, uint64_t monotonic_ns);

#endif
