/* stillness.c - see stillness.h. */
#include "collector/guard/stillness.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

enum { LATE_FROM_MS = 100 }; /* canaries_late_count, as system.def says */

/* ---- life ---- */

static void say_class(const struct stillness *stillness, const struct guard_options *options)
{
	struct guard_reading reading;
	guard_read(stillness->guard, 1, &reading);
	if (reading.class == RH_GUARD_CLASS_deadline)
		return;
	bool is_normal = reading.class == RH_GUARD_CLASS_normal;
	log_say(is_normal ? LOG_WARNING_ : LOG_INFO_, "guard", "the guard is %s: the deadline class is not permitted%s",
	        is_normal ? "an ordinary thread" : "a real-time thread",
	        is_normal && options->boost_after_ns > 0 ? ", and samples that are overdue cannot be put ahead" : "");
}

static void open_guard(struct stillness *stillness, const struct config *config)
{
	const struct guard_options options = {
	        .guard_hz = (uint32_t)config->guard_hz,
	        .canary_hz = (uint32_t)config->guard_canary_hz,
	        .boost_after_ns = (uint64_t)(config->guard_boost_after * NS_PER_S),
	};
	int result = guard_open(&options, &stillness->guard);
	if (result < 0)
		log_say(LOG_WARNING_, "guard", "there is no guard: %s", strerror(-result));
	else
		say_class(stillness, &options);
}

static void open_triggers(struct stillness *stillness)
{
	int result = psi_triggers_open(PSI_FOLDER, &stillness->triggers);
	if (result < 0)
		log_say(LOG_DEBUG_, "guard", "stalls are not reported by the kernel: %s", psi_trigger_refusal(-result));
}

void stillness_open(struct stillness *stillness, const struct config *config)
{
	*stillness = (struct stillness){0};
	if (config->guard_enabled)
		open_guard(stillness, config);
	if (strcmp(config->guard_psi_triggers, "off") != 0)
		open_triggers(stillness);
}

void stillness_close(struct stillness *stillness)
{
	guard_close(&stillness->guard);
	psi_triggers_close(&stillness->triggers);
}

/* ---- samples ---- */

void stillness_expect(struct stillness *stillness, uint64_t end_ns)
{
	if (stillness->guard)
		guard_expect(stillness->guard, end_ns);
}

void stillness_done(struct stillness *stillness, uint64_t next_ns)
{
	if (stillness->guard)
		guard_done(stillness->guard, next_ns);
}

#define SET(field, value) \
	do { \
		system->field = (value); \
		rh_set(system->present, RH_S_##field); \
	} while (0)

static uint64_t fill_guard(struct stillness *stillness, struct rh_system *system)
{
	struct guard_reading reading;
	guard_read(stillness->guard, LATE_FROM_MS * (uint64_t)NS_PER_MS, &reading);
	SET(guard_lateness_ns, (float)reading.guard_late_max_ns);
	SET(guard_class, (uint32_t)reading.class);
	SET(guard_boosts_count, reading.boosts);
	if (rh_has(system->present, RH_S_elapsed_ns) && system->elapsed_ns > 0)
		SET(guard_cost_ratio, (float)((double)(reading.cpu_ns - stillness->cpu_ns) / (double)system->elapsed_ns));
	stillness->cpu_ns = reading.cpu_ns;
	uint64_t signals = (uint64_t)(reading.class == RH_GUARD_CLASS_deadline) << RH_SIGNAL_guard_deadline;
	if (reading.canaries == 0)
		return signals;
	SET(canary_lateness_ns, (float)reading.canary_late_max_ns);
	SET(canary_cpu, (uint16_t)reading.canary_cpu);
	SET(canaries_late_count, (uint16_t)reading.canaries_late);
	return signals | UINT64_C(1) << RH_SIGNAL_canaries;
}

uint64_t stillness_fill(struct stillness *stillness, struct rh_system *system)
{
	uint64_t signals = stillness->guard ? fill_guard(stillness, system) : 0;
	if (!stillness->triggers)
		return signals;
	SET(psi_stalls_count, psi_triggers_count(stillness->triggers));
	return signals | UINT64_C(1) << RH_SIGNAL_psi_triggers;
}
#undef SET
