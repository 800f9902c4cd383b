/*
 * options.c - the common part of command lines, see options.h.
 */
#include "readers/common/options.h"

#include "base/complain.h"
#include "base/path.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { EXIT_USAGE = 2, LETTERS_BYTES = 64 };

int options_mistake(struct options *options, const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	complain("%s: %s; see `rogue-hunter %s --help`", options->command, sentence, options->command);
	options->exit_code = EXIT_USAGE;
	return OPTIONS_STOP;
}

static int show(struct options *options, const char *text)
{
	fputs(text, stdout);
	options->exit_code = 0;
	return OPTIONS_STOP;
}

/* Handles one of the common options. Returns false if it is the command's own; *ret_stop is OPTIONS_STOP where all is said. */
static bool handle_common(struct options *options, int option, int *ret_stop)
{
	*ret_stop = 0;
	switch (option) {
	case OPTIONS_NAME:
		options->instance = optarg;
		if (!path_is_instance(optarg))
			*ret_stop = options_mistake(options, "--name takes 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with a dot");
		return true;
	case OPTIONS_DB:
		options->database = optarg;
		return true;
	case OPTIONS_JSON:
		options->json = true;
		return true;
	case OPTIONS_HELP:
	case 'h':
		*ret_stop = show(options, options->help);
		return true;
	case OPTIONS_VERSION:
	case 'V':
		*ret_stop = show(options, "rogue-hunter " RH_VERSION "\n");
		return true;
	default:
		return false;
	}
}

/* Reports what getopt_long() refused: ':' a missing value, '?' an unknown option or a value that is not wanted. */
static int refused(struct options *options, int answer, char **argv)
{
	const char *typed = argv[optind - 1];

	if (answer == ':')
		return options_mistake(options, "%s needs a value", typed);
	if (optopt >= OPTIONS_OWN)
		return options_mistake(options, "%s: this option takes no value", typed);
	if (optopt > 0)
		return options_mistake(options, "unknown option -%c", optopt);
	return options_mistake(options, "unknown option %s", typed);
}

int options_next(struct options *options, int argc, char **argv, const char *letters, const struct option *known)
{
	char quiet_letters[LETTERS_BYTES];
	snprintf(quiet_letters, sizeof(quiet_letters), ":hV%s", letters); /* the colon: tell a missing value from an unknown option */

	if (!options->started_)
		optind = 0; /* the front command may have used getopt before */
	options->started_ = true;
	for (;;) {
		int stop, option = getopt_long(argc, argv, quiet_letters, known, NULL);
		if (option == -1)
			return OPTIONS_END;
		if (option == '?' || option == ':')
			return refused(options, option, argv);
		if (!handle_common(options, option, &stop))
			return option;
		if (stop == OPTIONS_STOP)
			return OPTIONS_STOP;
	}
}

bool options_number(struct options *options, const char *option, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	if (text_to_u64(optarg, max, ret_value) && *ret_value >= min)
		return true;
	options_mistake(options, "%s takes a number from %" PRIu64 " to %" PRIu64, option, min, max);
	return false;
}

bool options_no_arguments(struct options *options, int argc, char **argv)
{
	if (optind >= argc)
		return true;
	options_mistake(options, "unexpected argument \"%s\"", argv[optind]);
	return false;
}
