/*
 * options.c - the command line of rh-tracker, see options.h.
 */
#include "readers/tracker/options.h"

#include "base/complain.h"
#include "base/text.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

static const char help[] =
        "usage: rh-tracker [OPTION]...\n"
        "Follows the samples of a collector and keeps rogue processes as events in a database. Usually started by `rogue-hunter daemon`.\n"
        "\n"
        "  --name NAME        instance whose ring is read\n"
        "  --db FILE          database\n"
        "  --config-fd N      read the configuration, as section.key=value lines, from file descriptor N\n"
        "  --console          write the log to the terminal too\n"
        "  --ready-fd N       write a line to file descriptor N when the database is open\n"
        "  --help, --version\n";

enum option_code { NAME = 1, DATABASE, CONFIG_FD, CONSOLE, READY_FD, HELP, VERSION };

static const struct option long_options[] = {
        {"name", required_argument, NULL, NAME},
        {"db", required_argument, NULL, DATABASE},
        {"config-fd", required_argument, NULL, CONFIG_FD},
        {"console", no_argument, NULL, CONSOLE},
        {"ready-fd", required_argument, NULL, READY_FD},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {NULL, 0, NULL, 0},
};

/* Says what is wrong with the command line; the value of a function that finds it so. */
#define WRONG(...) (complain(__VA_ARGS__), OPTIONS_WRONG)

static enum options_result read_fd(const char *option, int *ret_fd)
{
	uint64_t value;

	if (!text_to_u64(optarg, INT_MAX, &value))
		return WRONG("--%s takes the number of a file descriptor", option);
	*ret_fd = (int)value;
	return OPTIONS_RUN;
}

/* A pure switch over the options. */
static enum options_result read_option(struct options *options, int code, const char **database, int *config_fd)
{
	switch (code) {
	case NAME:
		options->instance = optarg;
		return path_is_instance(optarg) ? OPTIONS_RUN
		                                : WRONG("--name takes 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot");
	case DATABASE:
		*database = optarg;
		return OPTIONS_RUN;
	case CONFIG_FD:
		return read_fd("config-fd", config_fd);
	case CONSOLE:
		options->console = true;
		return OPTIONS_RUN;
	case READY_FD:
		return read_fd("ready-fd", &options->ready_fd);
	case HELP:
		fputs(help, stdout);
		return OPTIONS_DONE;
	case VERSION:
		puts("rh-tracker " RH_VERSION);
		return OPTIONS_DONE;
	default: /* getopt has said what is wrong */
		return OPTIONS_WRONG;
	}
}

/* --db goes before the configuration, that before the usual place. */
static enum options_result choose_database(struct options *options, const char *given)
{
	if (!given && options->config.storage_path[0])
		given = options->config.storage_path;
	if (!given)
		path_database(options->instance, options->database);
	else if (snprintf(options->database, sizeof(options->database), "%s", given) >= (int)sizeof(options->database))
		return WRONG("the path of the database is too long");
	return options->database[0] ? OPTIONS_RUN : WRONG("there is no usual place for the database: give --db FILE");
}

enum options_result options_read(struct options *options, int argc, char **argv)
{
	const char *database = NULL;
	char error[256];
	int config_fd = -1;

	*options = (struct options){.ready_fd = -1};
	config_defaults(&options->config);
	for (int code; (code = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		enum options_result result = read_option(options, code, &database, &config_fd);
		if (result != OPTIONS_RUN)
			return result;
	}
	if (optind < argc)
		return WRONG("rh-tracker takes no arguments, only options");
	if (config_fd >= 0 && !config_read_plain_fd(&options->config, config_fd, error))
		return WRONG("configuration: %s", error);
	options->supervised = config_fd >= 0;
	return choose_database(options, database);
}
