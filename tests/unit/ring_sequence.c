/*
 * ring_sequence.c - the 32-bit sequence at its end: samples whose even value wraps to 0, and a reader that slept for exactly 2^31 laps.
 * Includes the writer, to set the number of its next sample where no test could publish its way to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shm/writer.c"
#include "tests/support/ring_fixture.h"

enum { SLOTS = 4 };

static void jump_to(struct ring_writer *writer, uint64_t next)
{
	writer->next = writer->oldest = next;
	ck_pr_store_64(&writer->control->oldest, next);
}

static void test_even_values(void **state)
{
	(void)state;
	assert_int_equal(seg_even(1, SLOTS), 2);
	assert_int_equal(seg_even(SLOTS, SLOTS), 2);
	assert_int_equal(seg_even(SLOTS + 1, SLOTS), 4);
	assert_int_equal(seg_even((UINT64_C(1) << 31) * SLOTS, SLOTS), 0);
	assert_int_equal(seg_even((UINT64_C(1) << 31) * SLOTS + 1, SLOTS), 2);
}

static void test_across_the_wrap(void **state)
{
	struct ring_fixture f;
	const uint64_t wrap = (UINT64_C(1) << 31) * SLOTS; /* the last number before even() begins again with 2 */
	struct rh_view view;

	(void)state;
	assert_int_equal(fixture_start(&f, "wrap", SLOTS, 1 << 20), 0);
	jump_to(f.writer, wrap - 2 * SLOTS + 1);
	/* Slots as the laps before would have left them: without that a sequence of 1 looks newer than the values before the wrap. */
	for (uint64_t n = wrap - 3 * SLOTS + 1; n <= wrap - 2 * SLOTS; n++)
		slot_of(f.writer, n)->sequence.sequence = seg_even(n, SLOTS);
	for (uint64_t n = wrap - 2 * SLOTS + 1; n <= wrap + 3 * SLOTS; n++) {
		assert_int_equal(fixture_publish(&f, n, 2), n);
		assert_int_equal(rh_latest(f.ring, &view), RH_OK);
		assert_true(view.sample == n && rh_valid(&view));
		assert_int_equal(rh_at(f.ring, n - SLOTS, &view), RH_LAPPED);
		assert_int_equal(rh_at(f.ring, n + 1, &view), RH_NONE);
		if (n > wrap - SLOTS)
			assert_int_equal(rh_at(f.ring, n - SLOTS + 1, &view), RH_OK);
	}
	fixture_end(&f);
}

static void test_slept_for_all_laps(void **state)
{
	struct ring_fixture f;
	struct rh_view view, late;
	const uint64_t later = 1 + (UINT64_C(1) << 31) * SLOTS;

	(void)state;
	assert_int_equal(fixture_start(&f, "slept", SLOTS, 1 << 20), 0);
	assert_int_equal(fixture_publish(&f, 1, 2), 1);
	assert_int_equal(rh_latest(f.ring, &view), RH_OK);
	assert_true(rh_valid(&view));
	jump_to(f.writer, later);
	assert_int_equal(fixture_publish(&f, later, 2), later);
	assert_int_equal(rh_latest(f.ring, &late), RH_OK);
	assert_int_equal(late.even_, view.even_); /* the same sequence value ... */
	assert_false(rh_valid(&view));            /* ... and yet not the same sample */
	assert_true(rh_valid(&late));
	assert_int_equal(rh_at(f.ring, 1, &view), RH_LAPPED);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_even_values),
	        cmocka_unit_test(test_across_the_wrap),
	        cmocka_unit_test(test_slept_for_all_laps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
