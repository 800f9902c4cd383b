/* pace.c - see pace.h. */
#include "collector/pace.h"

#include "base/clock.h"

#include <math.h>

enum {
	HOT_TICKS = 3,
	CALM_TICKS = 10,
	STEPS = 4, /* intervals are multiples of a quarter of the configured one */
};
#define SMOOTHING 0.125
#define CALM_PART 0.8 /* the interval shrinks if 80 percent of it would do */
#define LONGEST_NS (60.0 * NS_PER_S)

void pace_init(struct pace *pace, uint64_t base_ns, double allowed_pct)
{
	*pace = (struct pace){.base_ns = base_ns, .interval_ns = base_ns, .allowed = allowed_pct / 100};
}

/* The shortest interval of those allowed in which a tick of that cost is not too much. */
static uint64_t interval_for(const struct pace *pace, double wanted_ns)
{
	double step_ns = (double)pace->base_ns / STEPS;
	double interval_ns = ceil(fmin(wanted_ns, LONGEST_NS) / step_ns) * step_ns;
	return interval_ns > (double)pace->base_ns ? (uint64_t)interval_ns : pace->base_ns;
}

uint64_t pace_update(struct pace *pace, uint64_t cpu_ns)
{
	double now_ns = (double)cpu_ns;
	pace->cost_ns = pace->cost_ns > 0 ? pace->cost_ns + SMOOTHING * (now_ns - pace->cost_ns) : now_ns;
	double wanted_ns = pace->cost_ns / pace->allowed, interval_ns = (double)pace->interval_ns;
	bool is_hot = wanted_ns > interval_ns && now_ns / pace->allowed > interval_ns;
	bool is_calm = pace_is_slowed(pace) && wanted_ns < interval_ns * CALM_PART;

	pace->hot = is_hot ? pace->hot + 1 : 0;
	pace->calm = is_calm ? pace->calm + 1 : 0;
	if (pace->hot >= HOT_TICKS || pace->calm >= CALM_TICKS) {
		pace->interval_ns = interval_for(pace, wanted_ns);
		pace->hot = pace->calm = 0;
	}
	return pace->interval_ns;
}

bool pace_is_slowed(const struct pace *pace)
{
	return pace->interval_ns > pace->base_ns;
}
