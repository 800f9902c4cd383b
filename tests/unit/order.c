/* order.c - the order of a frame, against a plain sort of the same rows. */
#include "collector/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS = 5000 };

static struct pool pool;
static struct order order;
static float scores[ROWS];
static uint32_t pids[ROWS], expected[ROWS];

static int setup(void **state)
{
	(void)state;
	order_init(&order, &pool, ROWS);
	return pool.failed;
}

static int teardown(void **state)
{
	(void)state;
	pool_release(&pool);
	return 0;
}

static int by_score(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	if (scores[i] != scores[j])
		return scores[i] > scores[j] ? -1 : 1;
	if (pids[i] != pids[j])
		return pids[i] < pids[j] ? -1 : 1;
	return i < j ? -1 : 1;
}

static int by_pid(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	if (pids[i] != pids[j])
		return pids[i] < pids[j] ? -1 : 1;
	return i < j ? -1 : 1;
}

static void check(uint32_t count, uint32_t first, uint32_t keep)
{
	uint32_t kept = keep < count ? keep : count, leading = first < count ? first : count;
	for (uint32_t i = 0; i < count; i++)
		expected[i] = i;
	qsort(expected, count, sizeof(expected[0]), by_score);
	qsort(expected + leading, kept - leading, sizeof(expected[0]), by_pid);
	const uint32_t *rows = order_rows(&order, scores, pids, count, first, keep);
	for (uint32_t i = 0; i < kept; i++)
		assert_int_equal(rows[i], expected[i]);
}

static void random_rows(uint32_t count, uint32_t highest_pid, unsigned distinct_scores)
{
	for (uint32_t i = 0; i < count; i++) {
		scores[i] = (float)((unsigned)rand() % distinct_scores);
		pids[i] = (uint32_t)rand() % highest_pid;
	}
}

static void equals_a_plain_sort(void **state)
{
	(void)state;
	const uint32_t counts[] = {0, 1, 2, 63, 64, 65, 500, ROWS};
	const uint32_t highest[] = {3, 2000, 4194304, UINT32_MAX};
	srand(5);
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		for (size_t h = 0; h < sizeof(highest) / sizeof(highest[0]); h++) {
			random_rows(counts[c], highest[h], 100000);
			check(counts[c], 64, UINT32_MAX);
			check(counts[c], 64, 64);
			check(counts[c], 64, 300);
			random_rows(counts[c], highest[h], 3);
			check(counts[c], 64, 1000);
		}
	}
}

static void rows_that_are_sorted_already(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ROWS; i++) {
		pids[i] = i + 1;
		scores[i] = 0;
	}
	check(ROWS, 64, ROWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(equals_a_plain_sort),
	        cmocka_unit_test(rows_that_are_sorted_already),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
