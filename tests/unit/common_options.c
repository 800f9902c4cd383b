/*
 * Command lines: the common options, and one plain sentence for each kind of mistake.
 */
#include "readers/common/options.h"

#include "tests/support/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct options options;
static uint64_t number;

/* A command with one option of its own in either form. */
static int command(int argc, char **argv)
{
	static const struct option known[] = {
	        OPTIONS_COMMON, OPTIONS_DATABASE, {"count", required_argument, NULL, 'c'}, {"own", no_argument, NULL, OPTIONS_OWN}, {0}};

	options = (struct options){.command = "test", .help = "usage: test\n"};
	number = 0;
	for (;;) {
		switch (options_next(&options, argc, argv, "c:", known)) {
		case OPTIONS_END:
			return options_no_arguments(&options, argc, argv) ? 0 : options.exit_code;
		case 'c':
			if (!options_number(&options, "--count", 2, 9, &number))
				return options.exit_code;
			break;
		case OPTIONS_OWN:
			break;
		default:
			return options.exit_code;
		}
	}
}

static void expect(const char *const argv[], int code, const char *out, const char *err)
{
	struct command_result result = command_run(command, argv);
	assert_string_equal(result.err, err);
	assert_string_equal(result.out, out);
	assert_int_equal(result.code, code);
	command_forget(&result);
}
#define ARGV(...) ((const char *const[]){"test", __VA_ARGS__ __VA_OPT__(, ) NULL})

static void good_lines(void **state)
{
	(void)state;
	expect(ARGV(), 0, "", "");
	assert_false(options.json);
	assert_null(options.instance);
	expect(ARGV("--json", "--name", "a.b-c_9", "--db=/x"), 0, "", "");
	assert_true(options.json);
	expect(ARGV("-c", "5"), 0, "", "");
	assert_int_equal(number, 5);
	expect(ARGV("--help", "--json"), 0, "usage: test\n", "");
	expect(ARGV("--json", "-h"), 0, "usage: test\n", "");
	expect(ARGV("--json", "--version"), 0, "rogue-hunter " RH_VERSION "\n", "");
	expect(ARGV("-V"), 0, "rogue-hunter " RH_VERSION "\n", "");
}

static void mistakes(void **state)
{
	static const char see[] = "; see `rogue-hunter test --help`\n";
	static const struct {
		const char *first, *second, *sentence;
	} cases[] = {
	        {"--jsn", NULL, "unknown option --jsn"},
	        {"-x", NULL, "unknown option -x"},
	        {"-c", NULL, "-c needs a value"},
	        {"--name", NULL, "--name needs a value"},
	        {"--json=yes", NULL, "--json=yes: this option takes no value"},
	        {"--own=yes", NULL, "--own=yes: this option takes no value"},
	        {"--own", "-xy", "unknown option -x"},
	        {"--count", "1", "--count takes a number from 2 to 9"},
	        {"--count", "10", "--count takes a number from 2 to 9"},
	        {"--count", "3x", "--count takes a number from 2 to 9"},
	        {"--name", "../../etc", "--name takes 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with a dot"},
	        {"--name", "", "--name takes 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with a dot"},
	        {"stray", NULL, "unexpected argument \"stray\""},
	        {"--\033[2J", NULL, "unknown option --?[2J"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char sentence[256];
		snprintf(sentence, sizeof(sentence), "rogue-hunter: test: %s%s", cases[i].sentence, see);
		expect((const char *const[]){"test", cases[i].first, cases[i].second, NULL}, 2, "", sentence);
	}
}

static void lines_can_be_read_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		expect(ARGV("-c", "3", "--bad"), 2, "", "rogue-hunter: test: unknown option --bad; see `rogue-hunter test --help`\n");
		expect(ARGV("-c", "4"), 0, "", "");
		assert_int_equal(number, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_lines),
	        cmocka_unit_test(mistakes),
	        cmocka_unit_test(lines_can_be_read_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
