/* main.c - the command people type: finds and runs the commands of commands.def. */
#include "base/complain.h"
#include "base/file.h"
#include "base/nearest.h"
#include "cli/config_command.h"
#include "cli/config_load.h"
#include "cli/daemon.h"
#include "cli/daemon_config.h"
#include "cli/exit_codes.h"
#include "readers/doctor/doctor.h"
#include "readers/drill/drill.h"
#include "readers/events/events.h"
#include "readers/history/history.h"
#include "readers/pauses/pauses.h"
#include "readers/prune/prune.h"
#include "readers/status/status.h"
#include "readers/top/top.h"
#include "readers/watch/watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What of the configuration a command is given: each level but the last includes those before it. */
enum configured { CONFIGURED_NOTHING, CONFIGURED_DATABASE, CONFIGURED_RETENTION, CONFIGURED_WHOLE };

struct command {
	const char *name, *synopsis, *summary;
	int (*run)(int argc, char **argv);
	enum configured configured;
};

static const struct command commands[] = {
#define RH_COMMAND(name_, configured_, synopsis_, summary_) \
	{.name = #name_, .synopsis = (synopsis_), .summary = (summary_), .run = name_##_main, .configured = CONFIGURED_##configured_},
#include "cli/commands.def"
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int complain_unknown(const char *name)
{
	struct nearest nearest;

	nearest_begin(&nearest, name);
	for (size_t i = 0; i < COMMANDS; i++)
		nearest_offer(&nearest, commands[i].name);
	if (nearest.best)
		complain("unknown command \"%s\"; did you mean `rogue-hunter %s`?", name, nearest.best);
	else
		complain("unknown command \"%s\"; `rogue-hunter --help` lists them", name);
	return EXIT_USAGE;
}

static void print_help(FILE *out)
{
	fputs("rogue-hunter finds out which process made the machine pause.\n\nusage: rogue-hunter COMMAND [OPTION...]\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\nusage of each:\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  rogue-hunter %s %s\n", commands[i].name, commands[i].synopsis);
	fputs("\n`rogue-hunter COMMAND --help` says more; --version which release this is.\n"
	      "Every command but config and replay takes --name NAME, where several daemons run.\n"
	      "Exit codes: 0 ok, 1 failure, 2 usage, 3 no daemon or no data, 4 resources.\n",
	        out);
}

/* Behind "--" there are arguments alone. */
static int end_of_options(int argc, char **argv)
{
	int end = 1;

	while (end < argc && strcmp(argv[end], "--") != 0)
		end++;
	return end < argc ? end : argc;
}

/* Is that option given, as "--db F", "--db=F", or cut short as getopt_long() allows? */
static bool has_option(int argc, char **argv, const char *option)
{
	for (int i = 1, end = end_of_options(argc, argv); i < end; i++) {
		size_t length = strcspn(argv[i], "=");
		if (length > strlen("--") && strncmp(argv[i], option, length) == 0)
			return true;
	}
	return false;
}

/* What the configuration says and a reader, which does not read it, takes as an option. */
static const struct {
	enum configured level;
	const char *option, *section, *key;
} configured[] = {
        {CONFIGURED_DATABASE, "--db", "storage", "path"},
        {CONFIGURED_RETENTION, "--events-days", "storage", "events_days"},
        {CONFIGURED_RETENTION, "--machine-hours", "storage", "machine_hours"},
        {CONFIGURED_RETENTION, "--pauses-days", "storage", "pauses_days"},
        {CONFIGURED_RETENTION, "--baseline-days", "storage", "baseline_days"},
};
enum { CONFIGURED = sizeof(configured) / sizeof(configured[0]) };

/* Is one of the options that the configuration would give still to be given? Where none is, its faults are no hindrance. */
static bool lacks_options(const struct command *command, int argc, char **argv)
{
	for (size_t i = 0; i < CONFIGURED; i++)
		if (command->configured >= configured[i].level && !has_option(argc, argv, configured[i].option))
			return true;
	return false;
}

/* Runs a command with what is configured behind the options that were typed; one that was typed counts. */
static int run_configured(const struct command *command, int argc, char **argv)
{
	char options[CONFIGURED][32], values[CONFIGURED][CONFIG_TEXT_BYTES];
	struct config config;
	struct config_origin origin;
	int failed = config_load(NULL, &config, &origin), count = end_of_options(argc, argv), typed = count;

	if (failed)
		return failed;
	char **extended = calloc((size_t)argc + 2 * CONFIGURED + 1, sizeof(*extended));
	if (!extended) {
		complain("no memory");
		return EXIT_FAILED;
	}
	memcpy(extended, argv, (size_t)typed * sizeof(*argv));
	for (size_t i = 0; i < CONFIGURED; i++) {
		const struct config_row *row = config_row_of(configured[i].section, configured[i].key);
		config_write_value(&config, row, values[i], sizeof(values[i]));
		if (command->configured < configured[i].level || values[i][0] == '\0' || has_option(argc, argv, configured[i].option))
			continue;
		snprintf(options[i], sizeof(options[i]), "%s", configured[i].option);
		extended[count++] = options[i];
		extended[count++] = values[i];
	}
	memcpy(extended + count, argv + typed, (size_t)(argc - typed) * sizeof(*argv));
	count += argc - typed;
	int result = command->run(count, extended);
	free(extended);
	return result;
}

/* Runs a command with all of the configuration, as --config-fd of the programs that sample. */
static int run_with_whole(const struct command *command, int argc, char **argv)
{
	char option[] = "--config-fd", number[16];
	struct config config;
	struct config_origin origin;
	int failed = config_load(NULL, &config, &origin);

	if (failed)
		return failed;
	int fd = daemon_config_fd(&config);
	char **extended = fd < 0 ? NULL : calloc((size_t)argc + 3, sizeof(*extended));
	if (!extended) {
		complain("the configuration cannot be handed over: %s", strerror(fd < 0 ? -fd : errno));
		closefd(&fd);
		return EXIT_FAILED;
	}
	snprintf(number, sizeof(number), "%d", fd);
	extended[0] = argv[0];
	extended[1] = option;
	extended[2] = number;
	memcpy(extended + 3, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
	int result = command->run(argc + 2, extended);
	free(extended);
	closefd(&fd);
	return result;
}

/* --help and --version need no configuration, least of all a sound one. */
static bool asks_what_it_is(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "-V") == 0)
			return true;
	return has_option(argc, argv, "--help") || has_option(argc, argv, "--version");
}

static int run(const struct command *command, int argc, char **argv)
{
	if (asks_what_it_is(argc, argv))
		return command->run(argc, argv);
	if (command->configured == CONFIGURED_WHOLE)
		return has_option(argc, argv, "--config-fd") ? command->run(argc, argv) : run_with_whole(command, argc, argv);
	if (lacks_options(command, argc, argv))
		return run_configured(command, argc, argv);
	return command->run(argc, argv);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

/* `rogue-hunter help top` is `rogue-hunter top --help`. */
static int run_help(int argc, char **argv)
{
	char help[] = "--help";

	if (argc < 3) {
		print_help(stdout);
		return EXIT_OK;
	}
	const struct command *command = find(argv[2]);
	if (!command)
		return complain_unknown(argv[2]);
	memmove(argv + 1, argv + 2, (size_t)(argc - 2) * sizeof(*argv));
	argv[argc - 1] = help;
	return run(command, argc - 1, argv + 1);
}

/* `rogue-hunter --json status`: says where the option belongs. */
static int complain_option(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (find(argv[i])) {
			complain("options follow the command: `rogue-hunter %s %s`", argv[i], argv[1]);
			return EXIT_USAGE;
		}
	complain("unknown option %s; options follow a command, and `rogue-hunter --help` lists those", argv[1]);
	return EXIT_USAGE;
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (is_one_of(argv[1], "--version", "-V", "version")) {
		puts("rogue-hunter " RH_VERSION);
		return EXIT_OK;
	}
	if (is_one_of(argv[1], "--help", "-h", "help"))
		return run_help(argc, argv);
	if (argv[1][0] == '-')
		return complain_option(argc, argv);
	const struct command *command = find(argv[1]);
	return command ? run(command, argc - 1, argv + 1) : complain_unknown(argv[1]);
}

int main(int argc, char **argv)
{
	int result = dispatch(argc, argv);

	/* A listing that the disk had no room for is a failure, though the command itself ran. A closed pipe is the reader's choice. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && result == EXIT_OK && errno != EPIPE) {
		complain("cannot write the output: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return result;
}
