/*
 * options.h - what the command lines of all commands have in common: --name, --json, --db, --help, --version and the wording of mistakes.
 *
 *     static const struct option known[] = {OPTIONS_COMMON, {"count", required_argument, NULL, 'c'}, {0}};
 *     struct options options = {.command = "watch", .help = help_text};
 *     for (int c; (c = options_next(&options, argc, argv, "c:", known)) != OPTIONS_END;)
 *             switch (c) {
 *             case 'c': ... break;
 *             default: return options.exit_code;
 *             }
 */
#ifndef READERS_COMMON_OPTIONS_H
#define READERS_COMMON_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	OPTIONS_END = -1,  /* all options are read: the arguments begin at argv[optind] */
	OPTIONS_STOP = -2, /* help or version was shown, or a mistake reported: leave with exit_code */
};

/* Values of long options lie above all letters; a command's own begin with OPTIONS_OWN. */
enum { OPTIONS_OWN = 256, OPTIONS_NAME = 1000, OPTIONS_JSON, OPTIONS_DB, OPTIONS_HELP, OPTIONS_VERSION };

/* clang-format off */
#define OPTIONS_EVERYWHERE \
	{"help", no_argument, NULL, OPTIONS_HELP}, \
	{"version", no_argument, NULL, OPTIONS_VERSION}
#define OPTIONS_COMMON \
	OPTIONS_EVERYWHERE, \
	{"name", required_argument, NULL, OPTIONS_NAME}, \
	{"json", no_argument, NULL, OPTIONS_JSON}
#define OPTIONS_DATABASE \
	{"db", required_argument, NULL, OPTIONS_DB}
/* clang-format on */

struct options {
	const char *command; /* as typed: "events show" */
	const char *help;    /* shown by --help; ends in a newline */
	/* results, borrowed from argv */
	const char *instance; /* NULL: the usual one */
	const char *database; /* NULL: the usual one */
	bool json;
	int exit_code; /* for OPTIONS_STOP */
	bool started_; /* private */
};

/*
 * Reads the next option that is the command's own; handles the common ones, as far as `known` has them, and -h and -V.
 * Returns its value from `known`, OPTIONS_END or OPTIONS_STOP. The value's text is in optarg.
 */
int options_next(struct options *options, int argc, char **argv, const char *letters, const struct option *known);

/* Reports a mistake in the command line and sets exit_code to 2. Returns OPTIONS_STOP. */
int options_mistake(struct options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads optarg as a whole number. Returns true, or false after options_mistake(). */
bool options_number(struct options *options, const char *option, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Reports any argument left after the options. Returns true if there is none. */
bool options_no_arguments(struct options *options, int argc, char **argv);

#endif
