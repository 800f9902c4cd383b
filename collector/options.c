/* options.c - see options.h. */
#include "collector/options.h"

#include "base/complain.h"
#include "base/path.h"
#include "base/text.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
        "usage: rh-collector [OPTION]...\n"
        "Samples the processes of this machine and publishes them in shared memory. Usually started by `rogue-hunter daemon`.\n"
        "\n"
        "  --name NAME          instance whose ring is written\n"
        "  --config-fd N        read the configuration, as section.key=value lines, from file descriptor N\n"
        "  --interval SECONDS   time between samples\n"
        "  --sampler NAME       auto, bpf or procfs\n"
        "  --proc-root DIR      where the proc file system is mounted\n"
        "  --samples N          stop after N samples\n"
        "  --console            write the log to the terminal too\n"
        "  --ready-fd N         write a line to file descriptor N when the first sample is published\n"
        "  --step-fd N          take a sample for each byte read from file descriptor N, by the clock of DIR/uptime\n"
        "  --probe              tell as JSON what this machine and these rights allow, instead of sampling\n"
        "  --help, --version\n";

enum option_code { NAME = 1, CONFIG_FD, INTERVAL, SAMPLER, PROC_ROOT, SAMPLES, CONSOLE, READY_FD, STEP_FD, PROBE, HELP, VERSION };

static const struct option long_options[] = {
        {"name", required_argument, NULL, NAME},
        {"config-fd", required_argument, NULL, CONFIG_FD},
        {"interval", required_argument, NULL, INTERVAL},
        {"sampler", required_argument, NULL, SAMPLER},
        {"proc-root", required_argument, NULL, PROC_ROOT},
        {"samples", required_argument, NULL, SAMPLES},
        {"console", no_argument, NULL, CONSOLE},
        {"ready-fd", required_argument, NULL, READY_FD},
        {"step-fd", required_argument, NULL, STEP_FD},
        {"probe", no_argument, NULL, PROBE},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {NULL, 0, NULL, 0},
};

/* What is applied over the configuration, whatever the order of the options. */
struct overrides {
	const char *interval, *sampler, *proc_root;
	int config_fd;
};

/* Says what is wrong with the command line; the value of a function that finds it so. */
#define WRONG(...) (complain(__VA_ARGS__), OPTIONS_WRONG)

static enum options_result read_fd(const char *option, const char *text, int *ret_fd)
{
	uint64_t value;
	if (!text_to_u64(text, INT_MAX, &value))
		return WRONG("--%s takes the number of a file descriptor", option);
	*ret_fd = (int)value;
	return OPTIONS_RUN;
}

static enum options_result read_name(struct options *options, const char *text)
{
	if (!path_is_instance(text))
		return WRONG("--name takes 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot");
	options->instance = text;
	return OPTIONS_RUN;
}

/* A pure switch over the options. */
static enum options_result read_option(struct options *options, struct overrides *overrides, int code, const char *text)
{
	switch (code) {
	case NAME:
		return read_name(options, text);
	case CONFIG_FD:
		return read_fd("config-fd", text, &overrides->config_fd);
	case INTERVAL:
		overrides->interval = text;
		return OPTIONS_RUN;
	case SAMPLER:
		overrides->sampler = text;
		return OPTIONS_RUN;
	case PROC_ROOT:
		overrides->proc_root = text;
		return OPTIONS_RUN;
	case SAMPLES:
		return text_to_u64(text, UINT64_MAX, &options->samples) ? OPTIONS_RUN : WRONG("--samples takes a number");
	case CONSOLE:
		options->console = true;
		return OPTIONS_RUN;
	case READY_FD:
		return read_fd("ready-fd", text, &options->ready_fd);
	case STEP_FD:
		return read_fd("step-fd", text, &options->step_fd);
	case PROBE:
		options->probe = true;
		return OPTIONS_RUN;
	case HELP:
		fputs(help, stdout);
		return OPTIONS_DONE;
	case VERSION:
		puts("rh-collector " RH_VERSION);
		return OPTIONS_DONE;
	default: /* getopt has said what is wrong */
		return OPTIONS_WRONG;
	}
}

static enum options_result override(struct config *config, const char *key, const char *text)
{
	char error[256];
	if (text && !config_set_plain(config, "sampling", key, text, error))
		return WRONG("%s", error);
	return OPTIONS_RUN;
}

static enum options_result apply(struct options *options, const struct overrides *overrides)
{
	struct config *config = &options->config;
	const char *key;
	char error[256];
	if (overrides->config_fd >= 0 && !config_read_plain_fd(config, overrides->config_fd, error))
		return WRONG("%s", error);
	options->supervised = overrides->config_fd >= 0;
	if (override(config, "interval", overrides->interval) != OPTIONS_RUN ||
	        override(config, "sampler", overrides->sampler) != OPTIONS_RUN ||
	        override(config, "proc_root", overrides->proc_root) != OPTIONS_RUN)
		return OPTIONS_WRONG;
	if (!config_check(config, &key, error))
		return WRONG("%s: %s", key, error);
	return OPTIONS_RUN;
}

enum options_result options_read(struct options *options, int argc, char **argv)
{
	struct overrides overrides = {.config_fd = -1};
	int code;
	memset(options, 0, sizeof(*options));
	config_defaults(&options->config);
	options->ready_fd = options->step_fd = -1;
	while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		enum options_result result = read_option(options, &overrides, code, optarg);
		if (result != OPTIONS_RUN)
			return result;
	}
	if (optind < argc)
		return WRONG("rh-collector takes no arguments, only options: see --help");
	return apply(options, &overrides);
}
