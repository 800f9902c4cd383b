/* The sketch against the exact quantiles of what went in, merged parts against the whole, its bytes and damaged ones. */
#include "base/sketch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VALUES = 20000 };

static double values[VALUES];

/* 0 to 1, always the same. */
static double next_random(void)
{
	static uint64_t state = UINT64_C(0x853c49e6748fea9b);

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(state >> 11) / (double)(UINT64_C(1) << 53);
}

static double normal(void)
{
	return sqrt(-2 * log(1 - next_random())) * cos(2 * M_PI * next_random());
}

/* ---- distributions ---- */

static double uniform_scores(void)
{
	return 100 * next_random();
}

static double lognormal(void)
{
	return exp(normal() * 1.2);
}

static double mostly_idle(void)
{
	return next_random() < 0.8 ? 0 : 0.01 + 800 * next_random();
}

static double two_humps(void)
{
	return next_random() < 0.97 ? fabs(12 + normal()) : 83 + normal();
}

static double one_value(void)
{
	return 12.5;
}

static double whole_steps(void)
{
	return floor(5 * next_random());
}

static double heavy_tail(void)
{
	return 0.05 / (1 - next_random());
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* What the value counts as. */
static double counted(double value)
{
	return value < SKETCH_MIN ? 0 : fmin(value, SKETCH_MAX);
}

static void assert_quantiles(const struct sketch *sketch, size_t count, double from)
{
	qsort(values, count, sizeof(values[0]), compare);
	assert_int_equal(sketch_count(sketch), count);
	for (double q = from; q <= 1; q += 0.001) {
		double exact = counted(values[(size_t)(q * (double)(count - 1))]), told = sketch_quantile(sketch, q);
		if (fabs(told - exact) > exact * (SKETCH_ERROR + 1e-6))
			fail_msg("quantile %g: %g told, %g is exact", q, told, exact);
	}
	assert_float_equal(sketch->max, (float)fmin(values[count - 1], SKETCH_MAX), 0);
}

static void quantiles_are_within_the_error(void **state)
{
	double (*const distributions[])(void) = {uniform_scores, lognormal, mostly_idle, two_humps, one_value, whole_steps, heavy_tail};

	(void)state;
	for (size_t d = 0; d < sizeof(distributions) / sizeof(distributions[0]); d++)
		for (size_t count = 1; count <= VALUES; count *= 20) {
			struct sketch sketch = {0};
			for (size_t i = 0; i < count; i++)
				sketch_add(&sketch, values[i] = distributions[d]());
			assert_quantiles(&sketch, count, 0);
		}
}

/* Over all eight decades the lowest values share a bucket: quantiles above them are as exact as ever, those in it are told too high. */
static void low_values_collapse_first(void **state)
{
	struct sketch sketch = {0};
	double lowest_kept = SKETCH_MAX / 140000;
	size_t below = 0;

	(void)state;
	for (size_t i = 0; i < VALUES; i++) {
		values[i] = i ? SKETCH_MIN * pow(SKETCH_MAX / SKETCH_MIN, next_random()) : SKETCH_MAX;
		below += values[i] < lowest_kept;
		sketch_add(&sketch, values[i]);
	}
	assert_true(below > VALUES / 5 && below < VALUES / 2);
	assert_quantiles(&sketch, VALUES, (double)(below + 1) / VALUES);
	assert_true(sketch_quantile(&sketch, 0) > values[0] && sketch_quantile(&sketch, 0) < lowest_kept * 1.1);
}

static void merged_parts_are_the_whole(void **state)
{
	double (*const distributions[])(void) = {uniform_scores, lognormal, mostly_idle, heavy_tail};

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct sketch whole = {0}, parts[3] = {0}, left = {0}, right;
		/* Some rounds reach over the whole range, so that parts have collapsed differently. */
		double scale = round % 2 ? 1 : pow(10, 6 * next_random() - 1);
		size_t count = (size_t)(300 * next_random());
		for (size_t i = 0; i < count; i++) {
			double value = distributions[round % 4]() * (next_random() < 0.1 ? scale : 1);
			sketch_add(&whole, value);
			sketch_add(&parts[(size_t)(3 * next_random())], value);
		}
		for (unsigned i = 0; i < 3; i++)
			sketch_merge(&left, &parts[i]);
		right = parts[2];
		sketch_merge(&right, &parts[0]);
		sketch_merge(&right, &parts[1]);
		assert_memory_equal(&left, &whole, sizeof(whole));
		assert_memory_equal(&right, &whole, sizeof(whole));
	}
}

static void what_is_no_size_is_left_out_or_zero(void **state)
{
	struct sketch sketch = {0};

	(void)state;
	assert_float_equal(sketch_quantile(&sketch, 0.5), 0, 0);
	sketch_add(&sketch, NAN);
	assert_int_equal(sketch_count(&sketch), 0);
	sketch_add(&sketch, -3);
	sketch_add(&sketch, -INFINITY);
	sketch_add(&sketch, 0.00999);
	assert_int_equal(sketch_count(&sketch), 3);
	assert_float_equal(sketch_quantile(&sketch, 1), 0, 0);
	sketch_add(&sketch, INFINITY);
	assert_float_equal(sketch.max, SKETCH_MAX, 0);
	assert_true(fabs(sketch_quantile(&sketch, 1) / SKETCH_MAX - 1) <= SKETCH_ERROR);
	assert_float_equal(sketch_quantile(&sketch, -7), 0, 0);
}

static void bytes_bring_it_back(void **state)
{
	unsigned char bytes[SKETCH_BYTES];
	struct sketch back;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct sketch sketch = {0};
		size_t count = (size_t)(pow(next_random(), 4) * 5000);
		for (size_t i = 0; i < count; i++)
			sketch_add(&sketch, round % 3 ? heavy_tail() : uniform_scores());
		if (round % 5 == 0)
			sketch_add(&sketch, 1e6 * next_random());
		size_t length = sketch_write(&sketch, bytes);
		assert_true(length <= SKETCH_BYTES);
		assert_true(sketch_read(&back, bytes, length));
		assert_memory_equal(&back, &sketch, sizeof(back));
		/* Cut off anywhere, or longer than it is, it is nothing. */
		for (size_t cut = 0; cut < length; cut++) {
			assert_false(sketch_read(&back, bytes, cut));
			assert_int_equal(sketch_count(&back), 0);
		}
		bytes[length % SKETCH_BYTES] = 1;
		if (length < SKETCH_BYTES)
			assert_false(sketch_read(&back, bytes, length + 1));
	}
}

/* Ranks are whole numbers: among more values than a double can count, the greatest is still the last. */
static void ranks_are_exact(void **state)
{
	struct sketch sketch = {.zeros = (UINT64_C(1) << 54) - 3};

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		sketch_add(&sketch, pow(2, i));
	assert_true(fabs(sketch_quantile(&sketch, 1) - 256) <= 256 * SKETCH_ERROR);
	assert_float_equal(sketch_quantile(&sketch, 0.99), 0, 0);
}

/* The fullest sketch there can be. */
static void full_counts_stay_within_their_bytes(void **state)
{
	unsigned char bytes[SKETCH_BYTES];
	struct sketch sketch = {.zeros = UINT64_C(1) << 50}, back;

	(void)state;
	for (unsigned i = 0; i < SKETCH_BUCKETS; i++)
		sketch_add(&sketch, 12 * pow(1.1, i));
	for (unsigned i = 0; i < 40; i++) {
		struct sketch same = sketch;
		sketch_merge(&sketch, &same);
	}
	assert_true(sketch_count(&sketch) > sketch.zeros && sketch.zeros >= UINT64_C(1) << 60);
	assert_true(fabs(sketch_quantile(&sketch, 1) / (double)sketch.max - 1) <= SKETCH_ERROR);
	size_t length = sketch_write(&sketch, bytes);
	assert_true(length <= SKETCH_BYTES);
	assert_true(sketch_read(&back, bytes, length));
	assert_memory_equal(&back, &sketch, sizeof(back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(quantiles_are_within_the_error),
	        cmocka_unit_test(low_values_collapse_first),
	        cmocka_unit_test(merged_parts_are_the_whole),
	        cmocka_unit_test(what_is_no_size_is_left_out_or_zero),
	        cmocka_unit_test(bytes_bring_it_back),
	        cmocka_unit_test(ranks_are_exact),
	        cmocka_unit_test(full_counts_stay_within_their_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
