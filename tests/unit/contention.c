/* contention.c - when a resource counts as scarce. */
#include "collector/contention.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/near.h"

static const struct contention_input unknown = {
        .cpu_busy_ratio = NAN,
        .mem_used_ratio = NAN,
        .disk_busy_ratio = NAN,
        .gpu_busy_ratio = NAN,
        .psi_cpu_some_ms_per_s = NAN,
        .psi_memory_full_ms_per_s = NAN,
        .psi_io_full_ms_per_s = NAN,
        .wakeups_per_s = NAN,
        .cpus = 2,
};

static float of(const struct contention_input *input, unsigned resource)
{
	struct config config;
	float contention[RH_RESOURCE_COUNT];
	config_defaults(&config);
	contention_compute(&config, input, contention);
	assert_near(contention[RH_RESOURCE_none], 0, 0);
	return contention[resource];
}

static void ramps_from_the_configured_fraction(void **state)
{
	(void)state;
	const struct {
		double busy, expected;
	} cases[] = {{0, 0}, {0.7, 0}, {0.85, 0.5}, {1, 1}, {1.3, 1}, {-0.1, 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct contention_input input = unknown;
		input.cpu_busy_ratio = input.gpu_busy_ratio = cases[i].busy;
		assert_near(of(&input, RH_RESOURCE_cpu), cases[i].expected, 1e-6);
		assert_near(of(&input, RH_RESOURCE_gpu), cases[i].expected, 1e-6);
	}
	struct contention_input input = unknown;
	input.mem_used_ratio = 0.9;
	input.disk_busy_ratio = 0.75;
	assert_near(of(&input, RH_RESOURCE_memory), 0.5, 1e-6);
	assert_near(of(&input, RH_RESOURCE_disk), 0.5, 1e-6);
}

static void pressure_counts_where_it_is_larger(void **state)
{
	(void)state;
	struct contention_input input = unknown;
	input.cpu_busy_ratio = 0.76; /* 0.2 */
	input.psi_cpu_some_ms_per_s = 100;
	assert_near(of(&input, RH_RESOURCE_cpu), 0.5, 1e-6);
	input.psi_cpu_some_ms_per_s = 10;
	assert_near(of(&input, RH_RESOURCE_cpu), 0.2, 1e-6);
	input.psi_memory_full_ms_per_s = 900;
	input.psi_io_full_ms_per_s = 50;
	assert_near(of(&input, RH_RESOURCE_memory), 1, 1e-6);
	assert_near(of(&input, RH_RESOURCE_disk), 0.25, 1e-6);
}

static void wakeups_are_measured_per_core(void **state)
{
	(void)state;
	struct contention_input input = unknown;
	input.wakeups_per_s = 10000;
	assert_near(of(&input, RH_RESOURCE_wakeups), 0.25, 1e-6);
	input.cpus = 0; /* not known: as if it were one */
	assert_near(of(&input, RH_RESOURCE_wakeups), 0.5, 1e-6);
}

static void unknown_stays_unknown(void **state)
{
	(void)state;
	for (unsigned r = RH_RESOURCE_cpu; r < RH_RESOURCE_COUNT; r++)
		assert_true(isnan(of(&unknown, r)) != 0);
}

static void ramp_from_one_is_a_step(void **state)
{
	(void)state;
	struct config config;
	struct contention_input input = unknown;
	float contention[RH_RESOURCE_COUNT];
	config_defaults(&config);
	config.contention_cpu_from = 1;
	input.cpu_busy_ratio = 0.999;
	contention_compute(&config, &input, contention);
	assert_near(contention[RH_RESOURCE_cpu], 0, 0);
	input.cpu_busy_ratio = 1;
	contention_compute(&config, &input, contention);
	assert_near(contention[RH_RESOURCE_cpu], 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ramps_from_the_configured_fraction),
	        cmocka_unit_test(pressure_counts_where_it_is_larger),
	        cmocka_unit_test(wakeups_are_measured_per_core),
	        cmocka_unit_test(unknown_stays_unknown),
	        cmocka_unit_test(ramp_from_one_is_a_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
