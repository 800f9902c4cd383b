/* stress.c - see stress.h. */
#include "collector/stress.h"

#include "base/clock.h"

enum rh_stress stress_update(struct stress *stress, const struct config *config, double max_score, uint64_t monotonic_ns)
{
	uint64_t until_ns = monotonic_ns + (uint64_t)(config->stress_hold * NS_PER_S);
	bool critical = max_score >= config->stress_critical;
	bool elevated = max_score >= config->stress_elevated;
	if (critical)
		stress->critical_until_ns = until_ns;
	if (elevated)
		stress->elevated_until_ns = until_ns;
	if (critical || monotonic_ns < stress->critical_until_ns)
		return RH_STRESS_critical;
	if (elevated || monotonic_ns < stress->elevated_until_ns)
		return RH_STRESS_elevated;
	return RH_STRESS_normal;
}
