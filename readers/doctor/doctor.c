/*
 * doctor.c - `rogue-hunter doctor`: every signal that there is, whether it is available here, and what enables it.
 */
#include "readers/doctor/doctor.h"

#include "base/text.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/doctor/doctor_print.h"

#include <limits.h>
#include <stdlib.h>

static const char help_text[] =
        "usage: rogue-hunter doctor [--json] [--name NAME] [--config-fd N]\n"
        "\n"
        "Tries everything that rogue-hunter can look at, with the rights of whoever asks, and lists it: is it available, why not, what is "
        "lost without\n"
        "it, and what enables it. Tells too what the running daemon uses of it, and with which capabilities.\n"
        "\n"
        "  --json         one JSON object\n"
        "  --name NAME    of the daemon of that name\n"
        "  --config-fd N  the configuration, as section.key=value lines, from file descriptor N instead of from its file\n"
        "  --help         this text\n"
        "\n"
        "Exit code: 0 the report was made, whatever is missing, 1 failure, 2 usage.\n";

enum { OPTION_CONFIG_FD = OPTIONS_OWN };

/* Returns false where the command is at its end. */
static bool read_options(struct options *options, int argc, char **argv, int *ret_config_fd)
{
	static const struct option known[] = {OPTIONS_COMMON, {"config-fd", required_argument, NULL, OPTION_CONFIG_FD}, {0}};
	uint64_t number;

	*ret_config_fd = -1;
	for (int option; (option = options_next(options, argc, argv, "", known)) != OPTIONS_END;) {
		if (option != OPTION_CONFIG_FD || !options_number(options, "--config-fd", 0, INT_MAX, &number))
			return false;
		*ret_config_fd = (int)number;
	}
	return options_no_arguments(options, argc, argv);
}

int doctor_main(int argc, char **argv)
{
	struct options options = {.command = "doctor", .help = help_text};
	int config_fd;

	if (!read_options(&options, argc, argv, &config_fd))
		return options.exit_code;
	struct report *report = calloc(1, sizeof(*report));
	if (!report)
		return output_end(EXIT_FAILURE);
	examine(report, options.instance, config_fd);
	if (options.json)
		doctor_print_json(stdout, report);
	else
		doctor_print_text(stdout, report);
	int code = report->probed ? EXIT_SUCCESS : EXIT_FAILURE;
	free(report);
	return output_end(code);
}
