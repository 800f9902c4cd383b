/*
 * status.c - `rogue-hunter status`: health in one look, of the collector's ring and of the tracker's database.
 */
#include "readers/status/status.h"

#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/status/print.h"

static const char help_text[] =
        "usage: rogue-hunter status [--json] [--name NAME] [--db FILE]\n"
        "\n"
        "Shows whether the daemon runs and how well: back end, stress, sampling, open events, and what the watching costs.\n"
        "\n"
        "  --json       one JSON object\n"
        "  --name NAME  of the daemon of that name\n"
        "  --db FILE    of this database\n"
        "  --help       this text\n"
        "\n"
        "Exit code: 0 the daemon runs, 1 failure, 2 usage, 3 it does not run.\n";

/* Returns false where the command is at its end. */
static bool read_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {OPTIONS_COMMON, OPTIONS_DATABASE, {0}};

	return options_next(options, argc, argv, "", known) == OPTIONS_END && options_no_arguments(options, argc, argv);
}

int status_main(int argc, char **argv)
{
	struct options options = {.command = "status", .help = help_text};
	struct health health;

	if (!read_options(&options, argc, argv))
		return options.exit_code;
	health_gather(&health, options.instance, options.database);
	if (options.json)
		print_json(stdout, &health);
	else
		print_text(stdout, &health);
	int code = health_exit_code(&health);
	health_free(&health);
	return output_end(code);
}
