/* TOML to configuration: the place and the rule of each kind of fault, and never a word of the file. */
#include "cli/config_toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct example {
	const char *toml;
	unsigned line, column;
	const char *rule; /* a part of it */
};

/* "hunter2" stands for what may be private. */
static const struct example faults[] = {
        /* what is configured */
        {"[sampling]\ninterval = \"hunter2\"\n", 2, 12, "sampling.interval must be a number from 0.02 to 60"},
        {"[sampling]\ninterval = true\n", 2, 12, "sampling.interval must be a number"},
        {"[sampling]\ninterval = 0.001\n", 2, 12, "from 0.02 to 60"},
        {"[sampling]\ninterval = nan\n", 2, 12, "from 0.02 to 60"},
        {"[sampling]\n\n  interval = 61\n", 3, 14, "from 0.02 to 60"},
        {"[log]\nkeep = 1.5\n", 2, 8, "log.keep must be a whole number from 1 to 1000"},
        {"[log]\nkeep = [1]\n", 2, 8, "a value must be a number, true, false, or text"},
        {"[log]\nkeep = {a = 1}\n", 2, 8, "log.keep must be a whole number"},
        {"[log]\nkeep = 2026-11-20\n", 2, 8, "log.keep must be a whole number"},
        {"[log]\nlevel = \"hunter2\"\n", 2, 9, "log.level must be one of \"debug\""},
        {"[log]\npath = \"/a\\u0000b\"\n", 2, 8, "log.path must be text of at most 255 bytes without control characters"},
        {"[log]\npath = \"/a\\nb\"\n", 2, 8, "without control characters"},
        {"[log]\nlevl = \"info\"\n", 2, 1, "unknown key; did you mean log.level?"},
        {"[log]\nhunter2 = \"info\"\n", 2, 1, "unknown key;"},
        {"[lgo]\n", 1, 2, "unknown section; did you mean [log]?"},
        {"[hunter2hunter2]\n", 1, 2, "unknown section;"},
        {"hunter2 = 1\n", 1, 1, "a key must stand below its [section]"},
        {"[[log]]\nkeep = 1\n", 1, 3, "a key must stand below its [section]"},
        /* rules between keys: at the key, or where its section begins */
        {"[bands]\nmedium = 90\n", 2, 10, "bands.medium: bands must rise"},
        {"[bands]\ncritical = 45\n", 1, 1, "bands.medium: bands must rise"},
        {"[storage]\npath = \"hunter2.db\"\n", 2, 8, "storage.path: must be an absolute path"},
        /* the first fault of the file, though tables are kept sorted by name */
        {"[sampling]\ninterval = 0\n[log]\nkeep = 0\n", 2, 12, "sampling.interval"},
        {"[log]\npath = 1\nkeep = 0\n", 2, 8, "log.path"},
        /* what is TOML: the column is the parser's choice */
        {"hunter2:$6$hunter2:19000:0:99999:7:::\n", 1, 0, "a line must be a [section], key = value, or a # comment"},
        {"[log\nkeep = 1\n", 1, 0, "a section must be written [name]"},
        {"[=\n", 1, 0, "a line must be a [section]"},
        {"[log]\nkeep\n", 2, 0, "a line must be a [section]"},
        {"[log]\nkeep = 1 hunter2\n", 2, 0, "a line must be a [section]"},
        {"[log]\nlevel = hunter2\n", 2, 0, "a value must be a number"},
        {"[log]\nlevel = \"hunter2\n", 2, 17, "a text must stand between quotes and end on its line"},
        {"[log]\nlevel = 'hunter2\n", 2, 17, "a text must stand between quotes and end on its line"},
        {"[log]\nlevel = \"\"\"\nhunter2\"\"\"\n", 2, 9, "a text must stand between single quotes and end on its line"},
        {"[log]\nlevel = '''\nhunter2'''\n", 2, 9, "a text must stand between single quotes and end on its line"},
        {"[log]\nlevel = \"hunter2\\q\"\n", 2, 0, "unknown \\ escapes"},
        {"[log]\nkeep = 01\n", 2, 0, "a number must be written in decimal digits"},
        {"[log]\nkeep = 99999999999999999999\n", 2, 0, "fit in 64 bits"},
        {"[log]\nkeep = trud\n", 2, 0, "a truth value must be true or false"},
        {"[log]\nkeep = 1\nkeep = 2\n", 3, 0, "must not be given twice"},
        {"[log]\n[ring]\n[log]\n", 3, 0, "must not be given twice"},
        {"\xff\xfe", 1, 1, "all characters must be printable ASCII"},
        /* beyond ASCII: in a text behind a '=' and nowhere else, and nothing invisible */
        {"[log]\nl\303\244vel = 'info'\n", 2, 2, "all characters must be printable ASCII"},
        {"[log]\n'l\303\244vel' = 'info'\n", 2, 3, "all characters must be printable ASCII"},
        {"[log]\npath = '/\303\244' \303\244\n", 2, 13, "all characters must be printable ASCII"},
        {"log = {path = '\303\244'}\n", 1, 16, "all characters must be printable ASCII"},
        {"[log]\npath = 0a='\303\244'\n", 2, 12, "all characters must be printable ASCII"},         /* unreachable code of toml++ 3.3 */
        {"[log]\npath=[\nb='\303\244'\n]", 2, 6, "a value must be a number, true, false, or text"}, /* the same */
        {"[log]\npath = x'\303\244'\n", 2, 10, "all characters must be printable ASCII"},
        {"[log]\npath = '/\303\244\303'\n", 2, 11, "a text must be UTF-8"},
        {"[log]\npath = '/\355\240\200'\n", 2, 10, "a text must be UTF-8"},
        {"[log]\npath = \"/\302\237\"\n", 2, 10, "invisible characters are written"},
        {"[log]\npath = \"/\342\200\256\"\n", 2, 10, "invisible characters are written"},
        {"[log]\npath = \"/\\\303\244\"\n", 2, 0, "a text must be UTF-8"},
        {"[log]\npath = \"/\1\"\n", 2, 10, "a text must be UTF-8; control"},
        {"# \xff'\n", 1, 0, "the file must be UTF-8 text"},
        {"# hunter2\x01\n", 1, 0, "a comment must hold no control characters"},
};

static bool read_toml(const char *text, size_t length, struct config *config, struct config_fault *fault)
{
	config_defaults(config);
	memset(fault, 0x55, sizeof(*fault));
	return config_toml_read(text, length, config, fault);
}

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct example *example = &faults[i];
		struct config config;
		struct config_fault fault;

		if (read_toml(example->toml, strlen(example->toml), &config, &fault))
			fail_msg("accepted: %s", example->toml);
		if (!strstr(fault.rule, example->rule) || fault.line != example->line ||
		        (example->column && fault.column != example->column))
			fail_msg("%s%u:%u: %s", example->toml, fault.line, fault.column, fault.rule);
		assert_null(strstr(fault.rule, "hunter2"));
	}
}

static void test_values(void **state)
{
	static const char toml[] = "# all kinds\n[sampling]\ninterval = 1\nmax_cpu = 2.5e0\nsampler = 'bpf'\nrefresh_parts = 0x10\n"
	                           "[log]\npath = \"/a \\\"b\\\\ \\u00e4\"\nkeep = 1_000\n";
	struct config config;
	struct config_fault fault;

	(void)state;
	assert_true(read_toml(toml, sizeof(toml) - 1, &config, &fault));
	assert_true(config.sampling_interval == 1);
	assert_true(config.sampling_max_cpu == 2.5);
	assert_string_equal(config.sampling_sampler, "bpf");
	assert_int_equal(config.sampling_refresh_parts, 16);
	assert_string_equal(config.log_path, "/a \"b\\ \303\244");
	assert_int_equal(config.log_keep, 1000);
	assert_true(config.ring_history == 30); /* a default */
	assert_true(read_toml("", 0, &config, &fault));
	assert_true(read_toml("# \303\244 '\"\"\"'\r\n[log] # \303\244\r\n", 24, &config, &fault));
	assert_true(read_toml("\xef\xbb\xbf[log]\n", 9, &config, &fault)); /* byte order mark */
	assert_true(read_toml("sampling.interval = 1\nlog = {keep = 2}", 38, &config, &fault));
	assert_int_equal(config.log_keep, 2);
}

/* A folder's name may be of any language. */
static void test_utf8(void **state)
{
	static const char *const texts[] = {"/home/j\303\274rgen/x.db", "/\346\227\245\346\234\254", "/\360\237\220\247/a b"};
	struct config config;
	struct config_fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (const char *quote = "'\""; *quote; quote++) {
			char toml[200];
			size_t length =
			        (size_t)snprintf(toml, sizeof(toml), "[storage]\npath=\t%c%s%c # x\nlog = 1", *quote, texts[i], *quote);
			assert_false(read_toml(toml, length, &config, &fault)); /* for what comes after it */
			assert_int_equal(fault.line, 3);
			assert_true(read_toml(toml, length - strlen("log = 1"), &config, &fault));
			assert_string_equal(config.storage_path, texts[i]);
		}
}

/* toml++ 3.3 frees tables by recursion: depth must be bounded before it parses. */
static void test_depth(void **state)
{
	static char text[1024 * 1024];
	static const char *const begins[] = {"a", "[a", "a = [", "a = {a = "};
	static const char *const repeats[] = {".a", ".a", "[", "{a = "};

	(void)state;
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		struct config config;
		struct config_fault fault;
		size_t length = (size_t)snprintf(text, sizeof(text), "%s", begins[i]), step = strlen(repeats[i]);
		for (; length + step < sizeof(text); length += step)
			memcpy(text + length, repeats[i], step);
		assert_false(read_toml(text, length, &config, &fault));
		assert_string_equal(fault.rule, "a line must be at most 4096 bytes");
		assert_int_equal(fault.line, 1);
		/* the deepest that is let through */
		assert_false(read_toml(text, 4096, &config, &fault));
		assert_int_equal(fault.line, 1);
	}
}

/* Any bytes, and any damage to a good file: an answer, a place within the file, a rule of ours in plain ASCII. */
static void test_garbage(void **state)
{
	static const char good[] =
	        "[sampling]\ninterval = 0.5\nsampler = \"auto\"\n[bands]\nmedium = 41\n[log]\nlevel = \"debug\"\nkeep = 3\n";
	char text[400];
	unsigned accepted = 0;

	(void)state;
	srandom(3);
	for (int i = 0; i < 20000; i++) {
		struct config config;
		struct config_fault fault;
		size_t length = i % 4 ? sizeof(good) - 1 : (size_t)random() % sizeof(text);

		memcpy(text, good, sizeof(good));
		for (size_t n = 0; n < (i % 4 ? 3 : length); n++)
			text[i % 4 ? (size_t)random() % length : n] = (char)random();
		if (read_toml(text, length, &config, &fault)) {
			accepted++;
			continue;
		}
		assert_true(strlen(fault.rule) > 10);
		assert_true(fault.line >= 1 && fault.line <= length + 1 && fault.column >= 1);
		for (const char *c = fault.rule; *c; c++)
			assert_true(*c >= ' ' && *c <= '~');
	}
	assert_true(accepted > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_values),
	        cmocka_unit_test(test_utf8),
	        cmocka_unit_test(test_depth),
	        cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
