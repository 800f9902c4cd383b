/*
 * The column printer: alignment by display columns, cuts, colour only where it is welcome, what does not fit in a terminal.
 */
#include "readers/common/table.h"

#include "rogue/samples.h"
#include "tests/support/capture.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct table_column columns[] = {{"PID", 7, true}, {"PROCESS", 8, false}, {"SCORE", 5, true}, {"NOTE", 6, false}};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static void write_row(struct table *table, const char *const cells[COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++)
		table_cell(table, cells[i], TABLE_PLAIN);
	table_end_row(table);
}

static void lines_up(void **state)
{
	static const char *const rows[][COLUMNS] = {
	        {"1", "init", "0", "x"},
	        {"4194304", "a_long_name_here", "100", "a longer note"},
	        {"123456789", "", "57", ""}, /* a number wider than its column is never cut */
	        {"7", "\xe4\xb8\xad\xe6\x96\x87", "1", "y"},
	};
	struct table table;
	(void)state;

	table_begin(&table, capture_begin(), columns, COLUMNS, true);
	table_titles(&table);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		write_row(&table, rows[i]);
	assert_string_equal(capture_end(), "    PID PROCESS  SCORE NOTE\n"
	                                   "      1 init         0 x\n"
	                                   "4194304 a_long_~   100 a lon~\n"
	                                   "123456789             57 \n"
	                                   "      7 \xe4\xb8\xad\xe6\x96\x87         1 y\n");
}

static void a_short_row_ends_its_line(void **state)
{
	struct table table;
	(void)state;

	table_begin(&table, capture_begin(), columns, COLUMNS, false);
	table_cell(&table, "1", TABLE_PLAIN);
	table_end_row(&table);
	table_end_row(&table); /* an empty row is none */
	assert_string_equal(capture_end(), "      1\n");
}

static void a_wide_character_is_not_cut_in_two(void **state)
{
	static const struct table_column narrow[] = {{"T", 4, false}, {"U", 1, false}};
	struct table table;
	(void)state;

	table_begin(&table, capture_begin(), narrow, 2, false);
	table_cell(&table, "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97", TABLE_PLAIN); /* six columns */
	table_cell(&table, "|", TABLE_PLAIN);
	table_end_row(&table);
	assert_string_equal(capture_end(), "\xe4\xb8\xad~  |\n");
}

static void cells_are_sanitised(void **state)
{
	struct table table;
	(void)state;

	table_begin(&table, capture_begin(), columns, COLUMNS, false);
	write_row(&table, (const char *const[]){"1", "\033[2Jx\n", "\x9b", "\xe2\x80\xae"});
	assert_string_equal(capture_end(), "      1 ?[2Jx?       ? ?\n");
}

static void no_colour_off_a_terminal(void **state)
{
	struct table table;
	(void)state;

	table_begin(&table, capture_begin(), columns, 1, false);
	table_cell(&table, "1", TABLE_CRITICAL);
	table_end_row(&table);
	assert_null(strchr(capture_end(), '\033'));
}

static void bands_have_styles(void **state)
{
	(void)state;
	assert_int_equal(table_band_style(RH_BAND_low), TABLE_PLAIN);
	assert_int_equal(table_band_style(RH_BAND_medium), TABLE_MEDIUM);
	assert_int_equal(table_band_style(RH_BAND_critical), TABLE_CRITICAL);
	assert_int_equal(table_band_style(250), TABLE_PLAIN);
}

/* ---- on a terminal ---- */

struct pair {
	int master;
	FILE *stream;
};

static struct pair terminal_open(unsigned short columns_wide)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns_wide};
	struct pair pair;
	int slave;

	if (openpty(&pair.master, &slave, NULL, NULL, &size) != 0) {
		print_message("no pseudo terminal: skipped\n");
		skip();
	}
	pair.stream = fdopen(slave, "w");
	assert_non_null(pair.stream);
	return pair;
}

/* Ends the stream and returns what reached the terminal. */
static const char *terminal_close(struct pair *pair)
{
	static char text[4096];
	size_t used = 0;

	fflush(pair->stream);
	fcntl(pair->master, F_SETFL, O_NONBLOCK);
	for (ssize_t n; used < sizeof(text) - 1 && (n = read(pair->master, text + used, sizeof(text) - 1 - used)) > 0;)
		used += (size_t)n;
	text[used] = '\0';
	fclose(pair->stream);
	close(pair->master);
	return text;
}

static const char *critical_on_terminal(void)
{
	struct pair pair = terminal_open(80);
	struct table table;

	table_begin(&table, pair.stream, columns, 1, true);
	table_cell(&table, "1", TABLE_CRITICAL);
	table_end_row(&table);
	return terminal_close(&pair);
}

static void colour_follows_the_environment(void **state)
{
	(void)state;
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	assert_string_equal(critical_on_terminal(), "      \033[1;31m1\033[0m\r\n");
	setenv("NO_COLOR", "", 1); /* set but empty: https://no-color.org says that counts as unset */
	assert_non_null(strchr(critical_on_terminal(), '\033'));
	setenv("NO_COLOR", "1", 1);
	assert_null(strchr(critical_on_terminal(), '\033'));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_null(strchr(critical_on_terminal(), '\033'));
	unsetenv("TERM");
	assert_null(strchr(critical_on_terminal(), '\033'));
}

static void columns_that_do_not_fit_are_left_out(void **state)
{
	static const char *const row[COLUMNS] = {"1", "init", "0", "x"};
	struct table table;
	(void)state;

	setenv("TERM", "dumb", 1);
	struct pair pair = terminal_open(22); /* 7 + 1 + 8 + 1 + 5 */
	table_begin(&table, pair.stream, columns, COLUMNS, true);
	write_row(&table, row);
	assert_string_equal(terminal_close(&pair), "      1 init         0\r\n");

	pair = terminal_open(21);
	table_begin(&table, pair.stream, columns, COLUMNS, true);
	write_row(&table, row);
	assert_string_equal(terminal_close(&pair), "      1 init\r\n");

	pair = terminal_open(3); /* one column at least */
	table_begin(&table, pair.stream, columns, COLUMNS, true);
	write_row(&table, row);
	assert_string_equal(terminal_close(&pair), "      1\r\n");

	pair = terminal_open(3); /* asked for by name: all of them */
	table_begin(&table, pair.stream, columns, COLUMNS, false);
	write_row(&table, row);
	assert_string_equal(terminal_close(&pair), "      1 init         0 x\r\n");
}

static void a_terminal_that_is_not_utf8_gets_ascii(void **state)
{
	struct table table;
	(void)state;

	setenv("TERM", "dumb", 1);
	setenv("LC_ALL", "C", 1);
	struct pair pair = terminal_open(80);
	table_begin(&table, pair.stream, columns, COLUMNS, true);
	write_row(&table, (const char *const[COLUMNS]){"1", "caf\xc3\xa9\xe4\xb8\xad", "0", "x"});
	assert_string_equal(terminal_close(&pair), "      1 caf??        0 x\r\n");

	setenv("LC_ALL", "C.UTF-8", 1);
	pair = terminal_open(80);
	table_begin(&table, pair.stream, columns, COLUMNS, true);
	write_row(&table, (const char *const[COLUMNS]){"1", "caf\xc3\xa9", "0", "x"});
	assert_string_equal(terminal_close(&pair), "      1 caf\xc3\xa9         0 x\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(lines_up),
	        cmocka_unit_test(a_short_row_ends_its_line),
	        cmocka_unit_test(a_wide_character_is_not_cut_in_two),
	        cmocka_unit_test(cells_are_sanitised),
	        cmocka_unit_test(no_colour_off_a_terminal),
	        cmocka_unit_test(bands_have_styles),
	        cmocka_unit_test(colour_follows_the_environment),
	        cmocka_unit_test(columns_that_do_not_fit_are_left_out),
	        cmocka_unit_test(a_terminal_that_is_not_utf8_gets_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
