/* stress.c - up at once, down after a stay: times are given, none is measured. */
#include "collector/stress.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Feeds scores at moments in tenths of a second (hold is 5 s) and expects levels. */
struct step {
	unsigned tenths;
	double score;
	enum rh_stress level;
};

static void expect(const struct config *config, const struct step *steps, size_t count)
{
	struct stress stress = {0};
	for (size_t i = 0; i < count; i++) {
		uint64_t at_ns = UINT64_C(1000) * NS_PER_S + steps[i].tenths * UINT64_C(100) * NS_PER_MS;
		assert_int_equal(stress_update(&stress, config, steps[i].score, at_ns), steps[i].level);
	}
}
#define EXPECT(steps) expect(&config, steps, sizeof(steps) / sizeof((steps)[0]))

static void rises_at_once_and_falls_after_hold(void **state)
{
	(void)state;
	struct config config;
	config_defaults(&config);
	const struct step steps[] = {
	        {0, 10, RH_STRESS_normal},
	        {1, 50, RH_STRESS_elevated},
	        {2, 70, RH_STRESS_critical},
	        {3, 0, RH_STRESS_critical},
	        {51, 0, RH_STRESS_critical},
	        {52, 0, RH_STRESS_normal},
	        {53, 80, RH_STRESS_critical},
	};
	EXPECT(steps);
}

static void falls_by_way_of_elevated_if_that_was_touched(void **state)
{
	(void)state;
	struct config config;
	config_defaults(&config);
	const struct step steps[] = {
	        {0, 90, RH_STRESS_critical},
	        {30, 55, RH_STRESS_critical},
	        {49, 0, RH_STRESS_critical},
	        {50, 0, RH_STRESS_elevated},
	        {79, 0, RH_STRESS_elevated},
	        {80, 0, RH_STRESS_normal},
	};
	EXPECT(steps);
}

static void each_touch_begins_the_stay_anew(void **state)
{
	(void)state;
	struct config config;
	config_defaults(&config);
	const struct step steps[] = {
	        {0, 60, RH_STRESS_elevated},
	        {40, 49.9, RH_STRESS_elevated},
	        {45, 50, RH_STRESS_elevated},
	        {94, 10, RH_STRESS_elevated},
	        {95, 10, RH_STRESS_normal},
	};
	EXPECT(steps);
}

static void without_hold_it_follows(void **state)
{
	(void)state;
	struct config config;
	config_defaults(&config);
	config.stress_hold = 0;
	const struct step steps[] = {{0, 90, RH_STRESS_critical}, {0, 60, RH_STRESS_elevated}, {0, 0, RH_STRESS_normal}};
	EXPECT(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rises_at_once_and_falls_after_hold),
	        cmocka_unit_test(falls_by_way_of_elevated_if_that_was_touched),
	        cmocka_unit_test(each_touch_begins_the_stay_anew),
	        cmocka_unit_test(without_hold_it_follows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
