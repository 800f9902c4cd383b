/*
 * score.c - the rules of the design as tests: who is low, who is medium, and that nobody is critical whom nobody waits for.
 */
#include "collector/score.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/near.h"

enum { ROWS = 1024 };

struct world {
	struct config config;
	struct pool pool;
	struct score_columns columns;
	struct score_machine machine;
};

static int setup(void **state)
{
	static struct world world;
	world = (struct world){.machine.mem_total_bytes = 16.0 * (1 << 30)};
	config_defaults(&world.config);
	score_columns_take(&world.columns, &world.pool, ROWS);
	assert_false(world.pool.failed);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	pool_release(&world->pool);
	return 0;
}

static void set_contention(struct world *world, float value)
{
	for (unsigned r = RH_RESOURCE_cpu; r < RH_RESOURCE_COUNT; r++)
		world->machine.contention[r] = value;
}

static float score(struct world *world, uint32_t count)
{
	return score_run(&world->config, &world->machine, &world->columns, count);
}

static void lone_hog_on_idle_machine_is_medium(void **state)
{
	struct world *world = *state;
	world->columns.use[RH_RESOURCE_cpu][0] = 100;
	world->columns.state[0] = RH_STATE_running;
	for (uint32_t i = 1; i < 300; i++)
		world->columns.use[RH_RESOURCE_cpu][i] = 0.01F;
	float highest = score(world, 300);
	assert_near(highest, world->columns.score[0], 0);
	assert_in_range((int)highest, 40, 50);
	assert_int_equal(world->columns.band[0], RH_BAND_medium);
	assert_int_equal(world->columns.dominant[0], RH_RESOURCE_cpu);
	assert_int_equal(world->columns.band[1], RH_BAND_low);
}

/* Sixteen cores of it are no more than one: use alone never leaves the medium band. */
static void use_alone_is_capped(void **state)
{
	struct world *world = *state;
	world->columns.use[RH_RESOURCE_cpu][0] = 1600;
	world->columns.use[RH_RESOURCE_memory][0] = 15.0F * (1 << 30);
	world->columns.use[RH_RESOURCE_disk][0] = 5e9F;
	world->columns.use[RH_RESOURCE_gpu][0] = 100;
	assert_near(score(world, 1), 45, 0.001);
}

static void one_percent_on_idle_machine_is_low(void **state)
{
	struct world *world = *state;
	world->columns.use[RH_RESOURCE_cpu][0] = 1;
	assert_true(score(world, 200) < 1);
	assert_int_equal(world->columns.band[0], RH_BAND_low);
	/* Its share is large all the same: alone among idlers. */
	assert_near(world->columns.share[RH_RESOURCE_cpu][0], 1, 0.001);
}

/* Even the only user of a wholly contended cpu has just its fair share: it takes nothing from anybody. */
static void lone_user_of_scarce_cpu_has_no_share_score(void **state)
{
	struct world *world = *state;
	set_contention(world, 1);
	world->columns.use[RH_RESOURCE_cpu][0] = 100;
	assert_near(score(world, 1), 45, 0.001);
}

static void share_is_multiple_of_fair_share(void **state)
{
	struct world *world = *state;
	float *cpu = world->columns.use[RH_RESOURCE_cpu];
	cpu[0] = 60;
	for (uint32_t i = 1; i <= 4; i++)
		cpu[i] = 10;
	score(world, 5);
	assert_near(world->columns.share[RH_RESOURCE_cpu][0], 3.0, 1e-5);
	assert_near(world->columns.share[RH_RESOURCE_cpu][4], 0.5, 1e-5);
	assert_near(world->columns.disproportionality[0], 3.0, 1e-5);
}

/* Sum of shares over the users is their number, whatever the uses; more rows than a vector holds, and a rest. */
static void shares_of_users_sum_to_their_number(void **state)
{
	struct world *world = *state;
	const uint32_t count = 251;
	float *disk = world->columns.use[RH_RESOURCE_disk];
	for (uint32_t i = 0; i < count; i++)
		disk[i] = 65536.0F * (float)(1 + i * 37 % 101);
	score(world, count);
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += (double)world->columns.share[RH_RESOURCE_disk][i];
	assert_near(sum, count, 0.01);
}

static void share_score_counts_as_far_as_contended(void **state)
{
	struct world *world = *state;
	float *disk = world->columns.use[RH_RESOURCE_disk];
	disk[0] = 31 * 1e6F;
	for (uint32_t i = 1; i < 32; i++)
		disk[i] = 1e6F;
	world->columns.state[0] = RH_STATE_running;
	/* share = 31/62 * 32 = 16, weight 0.9 */
	world->machine.contention[RH_RESOURCE_disk] = 1;
	assert_near(score(world, 32), 10 * log2(16 * 0.9), 0.01);
	world->machine.contention[RH_RESOURCE_disk] = 0.5;
	assert_near(score(world, 32), 10 * log2(16 * 0.45), 0.01);
	assert_int_equal(world->columns.dominant[0], RH_RESOURCE_disk);
	world->machine.contention[RH_RESOURCE_disk] = NAN;
	assert_true(score(world, 32) < 10);
}

static void state_multiplies_share_score_alone(void **state)
{
	struct world *world = *state;
	float *disk = world->columns.use[RH_RESOURCE_disk];
	disk[0] = 31 * 1e6F;
	for (uint32_t i = 1; i < 32; i++)
		disk[i] = 1e6F;
	set_contention(world, 1);
	world->columns.state[0] = RH_STATE_zombie;
	assert_near(score(world, 32), 5 * log2(16 * 0.9), 0.01);
	world->columns.state[0] = 200; /* a code of a later version */
	assert_near(score(world, 32), 10 * log2(16 * 0.9), 0.01);
	world->columns.harm_ms_per_s[0] = 1023;
	world->columns.state[0] = RH_STATE_zombie;
	assert_near(score(world, 32), 100, 0.01);
}

static void harm_is_logarithm_of_waiting(void **state)
{
	struct world *world = *state;
	const float ms[] = {0, 1, 31, 127, 1023, 1e9F}, expected[] = {0, 10, 50, 70, 100, 100};
	for (uint32_t i = 0; i < 6; i++)
		world->columns.harm_ms_per_s[i] = ms[i];
	score(world, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_near(world->columns.harm_score[i], expected[i], 0.001);
	assert_int_equal(world->columns.band[2], RH_BAND_elevated);
	assert_int_equal(world->columns.band[3], RH_BAND_critical);
}

/* What is no user of any resource dominates nothing. */
static void nothing_dominates_in_an_idle_process(void **state)
{
	struct world *world = *state;
	set_contention(world, 1);
	world->columns.use[RH_RESOURCE_cpu][0] = 0.5F;
	world->columns.use[RH_RESOURCE_memory][0] = 4096;
	world->columns.use[RH_RESOURCE_cpu][1] = 50;
	score(world, 2);
	assert_int_equal(world->columns.dominant[0], RH_RESOURCE_none);
	assert_int_equal(world->columns.dominant[1], RH_RESOURCE_cpu);
}

static void floor_of_zero_counts_only_users(void **state)
{
	struct world *world = *state;
	world->config.score_cpu_floor = 0;
	world->columns.use[RH_RESOURCE_cpu][0] = 10;
	score(world, 100);
	assert_near(world->columns.share[RH_RESOURCE_cpu][0], 1, 1e-5);
}

static void nobody_gives_nothing(void **state)
{
	struct world *world = *state;
	set_contention(world, 1);
	assert_near(score(world, 0), 0, 0);
	assert_near(score(world, 3), 0, 0);
	assert_near(world->columns.share[RH_RESOURCE_cpu][0], 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(lone_hog_on_idle_machine_is_medium, setup, teardown),
	        cmocka_unit_test_setup_teardown(use_alone_is_capped, setup, teardown),
	        cmocka_unit_test_setup_teardown(one_percent_on_idle_machine_is_low, setup, teardown),
	        cmocka_unit_test_setup_teardown(lone_user_of_scarce_cpu_has_no_share_score, setup, teardown),
	        cmocka_unit_test_setup_teardown(share_is_multiple_of_fair_share, setup, teardown),
	        cmocka_unit_test_setup_teardown(shares_of_users_sum_to_their_number, setup, teardown),
	        cmocka_unit_test_setup_teardown(share_score_counts_as_far_as_contended, setup, teardown),
	        cmocka_unit_test_setup_teardown(state_multiplies_share_score_alone, setup, teardown),
	        cmocka_unit_test_setup_teardown(harm_is_logarithm_of_waiting, setup, teardown),
	        cmocka_unit_test_setup_teardown(nothing_dominates_in_an_idle_process, setup, teardown),
	        cmocka_unit_test_setup_teardown(floor_of_zero_counts_only_users, setup, teardown),
	        cmocka_unit_test_setup_teardown(nobody_gives_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
