/*
 * The thread that writes lines: in order, none twice, none waited for; what hangs in a write hangs alone.
 */
#include "base/log_writer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int gate[2]; /* a write takes one byte from here before it goes on */
static char written[1 << 20];
static size_t written_length;

static void write_freely(const char *text, size_t length)
{
	memcpy(written + written_length, text, length);
	written_length += length;
}

static void write_through_gate(const char *text, size_t length)
{
	char byte;
	if (read(gate[0], &byte, 1) == 1)
		write_freely(text, length);
}

static int begin(void **state)
{
	(void)state;
	written_length = 0;
	return pipe(gate);
}

static int end(void **state)
{
	(void)state;
	close(gate[0]);
	close(gate[1]);
	return 0;
}

static void all_lines_in_order(void **state)
{
	enum { LINES = 20000 };
	char expected[64];
	size_t at = 0;
	unsigned accepted[LINES], count = 0;
	(void)state;

	assert_int_equal(log_writer_start(write_freely), 0);
	for (unsigned i = 0; i < LINES; i++) {
		int length = snprintf(expected, sizeof(expected), "line %u\n", i);
		if (log_writer_put(expected, (size_t)length))
			accepted[count++] = i;
	}
	assert_true(log_writer_stop());
	assert_true(count > 0);
	for (unsigned i = 0; i < count; i++) {
		size_t length = (size_t)snprintf(expected, sizeof(expected), "line %u\n", accepted[i]);
		assert_memory_equal(written + at, expected, length);
		at += length;
	}
	assert_int_equal(at, written_length);
}

/* While a write hangs, lines are taken as long as there is room, then refused; nothing waits. What was taken is written when it goes on. */
static void a_write_that_stalls(void **state)
{
	char line[16] = "x\n";
	unsigned taken = 0;
	(void)state;

	assert_int_equal(log_writer_start(write_through_gate), 0);
	while (taken < 1000 && log_writer_put(line, 2))
		taken++;
	assert_in_range(taken, 8, 64);
	assert_false(log_writer_put(line, 2));
	for (unsigned i = 0; i < taken; i++)
		assert_int_equal(write(gate[1], "g", 1), 1);
	assert_true(log_writer_stop());
	assert_int_equal(written_length, 2 * taken);
}

static void a_line_without_end(void **state)
{
	static char endless[65536];
	(void)state;

	assert_int_equal(log_writer_start(write_freely), 0);
	assert_false(log_writer_put(endless, sizeof(endless)));
	assert_true(log_writer_put("short\n", 6));
	assert_true(log_writer_stop());
	assert_int_equal(written_length, 6);
}

/* The end does not wait for ever; a later one, when the write has come back, finds it ended. */
static void an_end_while_it_hangs(void **state)
{
	(void)state;
	assert_int_equal(log_writer_start(write_through_gate), 0);
	assert_true(log_writer_put("late\n", 5));
	assert_false(log_writer_stop());
	assert_int_equal(write(gate[1], "g", 1), 1);
	assert_true(log_writer_stop());
	assert_int_equal(written_length, 5);
	assert_false(log_writer_runs());
	assert_true(log_writer_stop());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(all_lines_in_order, begin, end),
	        cmocka_unit_test_setup_teardown(a_write_that_stalls, begin, end),
	        cmocka_unit_test_setup_teardown(a_line_without_end, begin, end),
	        cmocka_unit_test_setup_teardown(an_end_while_it_hangs, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
