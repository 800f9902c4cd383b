/*
 * blame.c - the estimate of who made whom wait: the identity with the waiting suffered, and who counts as a victim; and how much of blame, estimated
 * or measured, is harm.
 */
#include "collector/blame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/near.h"

enum { ROWS = 2000 };

static float cpu[ROWS], delay[ROWS], blame[ROWS], harm[ROWS], wanted[ROWS];

static double unseen_pct;

static struct blame_result estimate(uint32_t count, double cpus)
{
	struct blame_input input = {
	        .count = count,
	        .cpu_pct = cpu,
	        .delay_ms_per_s = delay,
	        .unseen_pct = unseen_pct,
	        .cpus = cpus,
	        .floor_pct = 1,
	        .victim_fraction = 0.5,
	};
	return blame_estimate(&input, blame, harm);
}

static double sum(const float *values, uint32_t count)
{
	double total = 0;
	for (uint32_t i = 0; i < count; i++)
		total += (double)values[i];
	return total;
}

static int clear(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		cpu[i] = delay[i] = blame[i] = 0;
	unseen_pct = 0;
	return 0;
}

/* The formula as it is written down, pair by pair. */
static double blame_by_pairs(uint32_t p, uint32_t count)
{
	double total = sum(cpu, count), result = 0;
	for (uint32_t q = 0; q < count; q++)
		if (q != p && delay[q] > 0)
			result += (double)delay[q] * (double)cpu[p] / (total - (double)cpu[q]);
	return result;
}

static void equals_the_sum_over_pairs(void **state)
{
	(void)state;
	srand(7);
	for (uint32_t i = 0; i < 50; i++) {
		cpu[i] = (float)(rand() % 1000) / 10;
		delay[i] = rand() % 3 ? (float)(rand() % 2000) / 10 : 0;
	}
	estimate(50, 4);
	for (uint32_t p = 0; p < 50; p++)
		assert_near(blame[p], blame_by_pairs(p, 50), 1e-3 + blame_by_pairs(p, 50) * 1e-5);
}

static void blame_is_the_waiting_suffered(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t count = 2 + (uint32_t)rand() % (ROWS - 2);
		for (uint32_t i = 0; i < count; i++) {
			cpu[i] = rand() % 4 ? (float)(rand() % 10000) / 100 : 0;
			delay[i] = rand() % 4 ? (float)(rand() % 100000) / 100 : 0;
		}
		unseen_pct = rand() % 2 ? rand() % 1000 : 0;
		struct blame_result result = estimate(count, 8);
		double suffered = sum(delay, count);
		assert_near(result.attributed_ms_per_s + result.unattributed_ms_per_s, suffered, suffered * 1e-6);
		assert_near(sum(blame, count), result.attributed_ms_per_s, suffered * 1e-5);
		assert_true(sum(harm, count) <= result.harm_ms_per_s + suffered * 1e-5);
		assert_true(result.harm_ms_per_s <= result.attributed_ms_per_s);
	}
}

static void hogs_harm_light_sleepers(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		cpu[i] = 50;
	for (uint32_t i = 4; i < 14; i++) {
		cpu[i] = 0.5F;
		delay[i] = 20;
	}
	struct blame_result result = estimate(14, 2);
	/* Fair would be 14 percent each; a sleeper with half a percent is nearly wholly a victim. */
	assert_true(result.harm_ms_per_s > 0.9 * 200);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(harm[i] > 40);
	assert_true(harm[4] < 1);
}

static void hogs_do_not_harm_hogs(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		cpu[i] = 50;
		delay[i] = 500;
	}
	struct blame_result result = estimate(4, 2);
	assert_near(sum(blame, 4), 2000, 0.1);
	assert_near(result.harm_ms_per_s, 0, 1e-6);
	assert_near(sum(harm, 4), 0, 1e-6);
}

/* Nobody else ran: no process can have kept it waiting. */
static void waiting_alone_stays_unattributed(void **state)
{
	(void)state;
	cpu[0] = 80;
	delay[0] = 300;
	struct blame_result result = estimate(3, 1);
	assert_near(result.unattributed_ms_per_s, 300, 1e-6);
	assert_near(sum(blame, 3), 0, 0);
}

static void nobody_ran(void **state)
{
	(void)state;
	delay[0] = delay[1] = 10;
	struct blame_result result = estimate(2, 1);
	assert_near(result.unattributed_ms_per_s, 20, 1e-6);
	assert_near(sum(blame, 2), 0, 0);
	result = estimate(0, 1);
	assert_near(result.attributed_ms_per_s, 0, 0);
}

/* Three quarters of the others' cpu went to processes that nobody saw: so does the blame. */
static void who_stays_is_not_blamed_for_who_came_and_went(void **state)
{
	(void)state;
	cpu[0] = 20;
	delay[1] = 400;
	unseen_pct = 60;
	struct blame_result result = estimate(2, 1);
	assert_near(blame[0], 100, 1e-3);
	assert_near(harm[0], 80, 1e-3); /* 20 percent are 0.8 of the half of its fair share, from which all counts */
	assert_near(result.attributed_ms_per_s, 100, 1e-6);
	assert_near(result.unattributed_ms_per_s, 300, 1e-6);
}

/* Who waits for itself alone is not blamed: what it suffered goes to the others, however small they are. */
static void own_waiting_is_never_own_blame(void **state)
{
	(void)state;
	cpu[0] = 99;
	delay[0] = 100;
	cpu[1] = 1;
	estimate(2, 1);
	assert_near(blame[0], 0, 1e-4);
	assert_near(blame[1], 100, 1e-3);
}

static void weight_falls_to_nothing_at_the_fraction(void **state)
{
	(void)state;
	assert_near(blame_victim_weight(0, 40, 0.5), 1, 0);
	assert_near(blame_victim_weight(10, 40, 0.5), 0.5, 1e-9);
	assert_near(blame_victim_weight(20, 40, 0.5), 0, 1e-9);
	assert_near(blame_victim_weight(90, 40, 0.5), 0, 0);
}

/* A machine of two hogs and forty sleepers of which all wait: who takes next to nothing harms nobody. */
static void who_takes_little_harms_nobody(void **state)
{
	(void)state;
	const uint32_t count = 42;
	for (uint32_t i = 0; i < count; i++) {
		cpu[i] = i < 2 ? 80 : 1;
		delay[i] = i < 2 ? 200 : 100;
	}
	estimate(count, 2);
	assert_true(blame[2] > 20);
	assert_true(harm[0] > 800);
	assert_true(harm[2] < 0.5F * blame[2]);
	assert_near(blame_taker_weight(1, 20, 0.5), 0.1, 1e-9);
	assert_near(blame_taker_weight(10, 20, 0.5), 1, 1e-9);
	assert_near(blame_taker_weight(50, 6400, 0.5), 1, 1e-9);
}

/* ---- measured blame: blame[] is given ---- */

static struct blame_input measured(uint32_t count, double cpus, double slice_pct)
{
	for (uint32_t i = 0; i < count; i++)
		wanted[i] = cpu[i] + delay[i] / 10;
	return (struct blame_input){
	        .count = count,
	        .cpu_pct = cpu,
	        .delay_ms_per_s = delay,
	        .cpus = cpus,
	        .floor_pct = 1,
	        .victim_fraction = 0.5,
	        .slice_pct = slice_pct,
	        .wanted_pct = wanted,
	};
}

/* One that holds a cpu, by its priority, and one that waits for it: all of the waiting is harm. */
static void who_starves_another_harms_him(void **state)
{
	(void)state;
	cpu[0] = 95;
	delay[1] = 950;
	wanted[1] = 95;
	blame[0] = 950;
	struct blame_input input = measured(2, 2, 2);
	blame_harm(&input, blame, harm);
	assert_true(harm[0] > 800);
	assert_near(harm[1], 0, 0);
}

/* A hundred wait a millisecond or two each second for somebody with a percent of a cpu: noise, in intervals of any length. */
static void a_bystander_harms_nobody(void **state)
{
	const double slices_pct[] = {8, 2, 0.4};
	(void)state;
	cpu[0] = 80;
	blame[0] = 4000;
	cpu[1] = 1;
	blame[1] = 150;
	for (uint32_t i = 2; i < 102; i++) {
		cpu[i] = 0.2F;
		delay[i] = 41.5F;
	}
	for (size_t i = 0; i < 3; i++) {
		struct blame_input input = measured(102, 2, slices_pct[i]);
		blame_harm(&input, blame, harm);
		assert_near(harm[1], 0, 0);
		assert_true(harm[0] > 3000);
	}
}

/* A crowd of hogs in a sample so short that only some had their slice: nobody has wronged anybody. */
static void a_crowd_takes_turns(void **state)
{
	const uint32_t count = 200;
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		bool had_a_slice = i % 2 == 0;
		cpu[i] = had_a_slice ? 2 : 0;
		delay[i] = had_a_slice ? 980 : 1000;
		blame[i] = had_a_slice ? 1980 : 0;
	}
	struct blame_input input = measured(count, 2, 2);
	blame_harm(&input, blame, harm);
	assert_near(sum(harm, count), 0, 1e-6);
	/* by the estimate too */
	float estimated[ROWS];
	blame_estimate(&input, estimated, harm);
	assert_near(sum(harm, count), 0, 1e-6);
	/* but two that are never let in by ten hogs are victims */
	for (uint32_t i = 0; i < 12; i++) {
		cpu[i] = i < 10 ? 20 : 0;
		delay[i] = i < 10 ? 800 : 1000;
		blame[i] = i < 10 ? 1000 : 0;
	}
	input = measured(12, 2, 2);
	blame_harm(&input, blame, harm);
	assert_true(harm[0] > 100);
}

static void harm_is_at_most_the_victims_waiting(void **state)
{
	(void)state;
	srand(5);
	for (unsigned round = 0; round < 100; round++) {
		const uint32_t count = 2 + (uint32_t)rand() % 100;
		double blamed = 0, suffered = 0;
		for (uint32_t i = 0; i < count; i++) {
			cpu[i] = rand() % 4 ? (float)(rand() % 10000) / 100 : 0;
			delay[i] = rand() % 4 ? (float)(rand() % 100000) / 100 : 0;
			blame[i] = (float)(rand() % 1000);
			blamed += (double)blame[i];
			suffered += (double)delay[i];
		}
		for (uint32_t i = 0; i < count; i++)
			blame[i] *= blamed > 0 ? (float)(suffered / blamed) : 0;
		struct blame_input input = measured(count, 4, 2);
		double fair_pct = blame_fair_pct(&input), victims = 0;
		for (uint32_t i = 0; i < count; i++)
			victims += (double)delay[i] * blame_victim_weight((double)cpu[i], fair_pct, 0.5);
		blame_harm(&input, blame, harm);
		assert_true(sum(harm, count) <= victims + 1e-3 * suffered + 1e-6);
	}
}

/* Threads of one process that wait for each other are in its blame, and no harm to others. */
static void threads_in_their_own_way_are_no_harm(void **state)
{
	(void)state;
	cpu[0] = 400;
	delay[0] = 60000;
	blame[0] = 60100;
	cpu[1] = 0.1F;
	delay[1] = 100;
	struct blame_input input = measured(2, 4, 2);
	blame_harm(&input, blame, harm);
	assert_near(harm[0], 100, 1);
}

static void a_taker_has_his_share_of_the_cpu(void **state)
{
	(void)state;
	struct blame_input input = measured(0, 1, 0);
	assert_near(blame_measured_taker(&input, 50, 500), 1, 1e-9); /* half a core, one waiting: exactly his share */
	assert_near(blame_measured_taker(&input, 25, 250), 0, 1e-9); /* half of it */
	assert_near(blame_measured_taker(&input, 37.5, 375), 0.5, 1e-9);
	assert_near(blame_measured_taker(&input, 0, 100), 0, 0);
	assert_near(blame_measured_taker(&input, 100, 0), 1, 1e-9);
	input.slice_pct = 4;
	assert_near(blame_measured_taker(&input, 4, 4000), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(equals_the_sum_over_pairs, clear),
	        cmocka_unit_test_setup(blame_is_the_waiting_suffered, clear),
	        cmocka_unit_test_setup(hogs_harm_light_sleepers, clear),
	        cmocka_unit_test_setup(hogs_do_not_harm_hogs, clear),
	        cmocka_unit_test_setup(waiting_alone_stays_unattributed, clear),
	        cmocka_unit_test_setup(nobody_ran, clear),
	        cmocka_unit_test_setup(who_stays_is_not_blamed_for_who_came_and_went, clear),
	        cmocka_unit_test_setup(own_waiting_is_never_own_blame, clear),
	        cmocka_unit_test_setup(who_takes_little_harms_nobody, clear),
	        cmocka_unit_test(weight_falls_to_nothing_at_the_fraction),
	        cmocka_unit_test_setup(who_starves_another_harms_him, clear),
	        cmocka_unit_test_setup(a_bystander_harms_nobody, clear),
	        cmocka_unit_test_setup(a_crowd_takes_turns, clear),
	        cmocka_unit_test_setup(harm_is_at_most_the_victims_waiting, clear),
	        cmocka_unit_test_setup(threads_in_their_own_way_are_no_harm, clear),
	        cmocka_unit_test_setup(a_taker_has_his_share_of_the_cpu, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
