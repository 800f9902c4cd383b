/* daemon.c - `rogue-hunter daemon`: command line, resolved configuration, log, lock; then the supervisor. */
#include "cli/daemon.h"

#include "base/complain.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/daemon_config.h"
#include "cli/daemon_stop.h"
#include "cli/detach.h"
#include "cli/exit_codes.h"
#include "cli/instance_lock.h"
#include "cli/ring_watch.h"
#include "cli/supervisor.h"
#include "readers/common/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
        "usage: rogue-hunter daemon [--foreground] [--name NAME] [--config FILE] [--db FILE]\n"
        "                           [--interval S] [--sampler auto|bpf|procfs] [--duration S]\n"
        "       rogue-hunter daemon --stop [--name NAME]\n"
        "\n"
        "Starts the collector, which samples every process into the ring, and the tracker, which keeps rogue ones in the\n"
        "database; starts either again should it end. Returns once the first sample is there.\n"
        "\n"
        "  --foreground    stay on this terminal and say what happens; Ctrl-C ends it\n"
        "  --stop          end the daemon that runs, and wait until it has\n"
        "  --name NAME     a daemon beside the usual one, with ring, database and log of its own\n"
        "  --config FILE   configuration, instead of the usual file (`rogue-hunter config path`)\n"
        "  --db FILE       database, instead of the usual one\n"
        "  --interval S    time between samples: 0.2, 200ms\n"
        "  --sampler WHICH back end that reads the processes\n"
        "  --duration S    end after that time: 60, 10m, 2h\n"
        "  --help          this text\n"
        "\n"
        "Exit codes: 0 ok, 1 failure or already running, 2 usage or configuration, 3 nothing to stop, 4 no room for the ring or the "
        "database.\n";

enum option_code { OPTION_FOREGROUND = OPTIONS_OWN, OPTION_STOP, OPTION_CONFIG, OPTION_INTERVAL, OPTION_SAMPLER, OPTION_DURATION };

enum { DURATION_MAX_S = 10000 * 86400 };

struct request {
	struct options options;
	bool foreground, stop;
	struct daemon_overrides overrides;
	double duration_s;
};

/* Returns 0, or OPTIONS_STOP after a mistake. */
static int take_option(struct request *request, int option)
{
	switch (option) {
	case OPTION_FOREGROUND:
		request->foreground = true;
		return 0;
	case OPTION_STOP:
		request->stop = true;
		return 0;
	case OPTION_CONFIG:
		request->overrides.config_path = optarg;
		return 0;
	case OPTION_INTERVAL:
		request->overrides.interval = optarg;
		return 0;
	case OPTION_SAMPLER:
		request->overrides.sampler = optarg;
		return 0;
	case OPTION_DURATION:
		if (text_to_duration(optarg, &request->duration_s) && request->duration_s > 0 && request->duration_s <= DURATION_MAX_S)
			return 0;
		return options_mistake(&request->options, "--duration takes a time above 0, of at most 10000d: 60, 10m, 2h");
	default:
		return OPTIONS_STOP;
	}
}

static bool read_options(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {
	        OPTIONS_EVERYWHERE,
	        OPTIONS_DATABASE,
	        {"name", required_argument, NULL, OPTIONS_NAME},
	        {"foreground", no_argument, NULL, OPTION_FOREGROUND},
	        {"stop", no_argument, NULL, OPTION_STOP},
	        {"config", required_argument, NULL, OPTION_CONFIG},
	        {"interval", required_argument, NULL, OPTION_INTERVAL},
	        {"sampler", required_argument, NULL, OPTION_SAMPLER},
	        {"duration", required_argument, NULL, OPTION_DURATION},
	        {0},
	};

	for (int c; (c = options_next(&request->options, argc, argv, "", known)) != OPTIONS_END;)
		if (take_option(request, c) == OPTIONS_STOP)
			return false;
	request->overrides.instance = request->options.instance;
	request->overrides.database = request->options.database;
	return options_no_arguments(&request->options, argc, argv);
}

/* In the process that stays. What fails here is told to the one who waits for the start, if it is not us. */
static int start_failed(int *report_fd, int exit_code, const char *sentence)
{
	if (*report_fd >= 0)
		detach_report(report_fd, exit_code, sentence);
	else
		complain("%s", sentence);
	return exit_code;
}

static int run(const struct request *request, const struct config *config, const char *origin, int config_fd, int report_fd)
{
	const struct supervisor_options options = {
	        .context =
	                {
	                        .instance = request->overrides.instance,
	                        .database = config->storage_path,
	                        .config_fd = config_fd,
	                        .console = request->foreground,
	                },
	        .duration_ns = (uint64_t)(request->duration_s * NS_PER_S),
	        .foreground = request->foreground,
	        .report_fd = report_fd,
	};
	char error[256];

	umask(027);
	if (instance_lock_take(options.context.instance, error) != 0 ||
	        log_open_configured("daemon", config, config->log_path, request->foreground, error) != 0)
		return start_failed(&report_fd, EXIT_FAILED, error);
	log_say(LOG_INFO_, "daemon_start", "rogue-hunter " RH_VERSION ", pid %d, database %s, configuration %s", (int)getpid(),
	        config->storage_path, origin);
	ring_watch_await_orphan(options.context.instance);
	int result = supervisor_run(&options);
	log_close();
	return result;
}

static int start(const struct request *request)
{
	struct config config;
	struct config_origin origin;
	int report_fd = -1, result = daemon_config_resolve(&request->overrides, &config, &origin);

	if (result)
		return result;
	close_range(STDERR_FILENO + 1, ~0U, 0); /* what the caller left open is not ours to hold for days */
	int config_fd = daemon_config_fd(&config);
	if (config_fd < 0) {
		complain("cannot hand the configuration on: %s", strerror(-config_fd));
		return EXIT_FAILED;
	}
	if (!request->foreground && (result = detach(&report_fd)) >= 0)
		return result;
	return run(request, &config, origin.is_read ? origin.path : "all defaults", config_fd, report_fd);
}

int daemon_main(int argc, char **argv)
{
	struct request request = {.options = {.command = "daemon", .help = help}};

	if (!read_options(&request, argc, argv))
		return request.options.exit_code;
	if (request.stop && request.foreground) {
		options_mistake(&request.options, "--stop and --foreground exclude each other");
		return request.options.exit_code;
	}
	return request.stop ? daemon_stop(request.overrides.instance) : start(&request);
}
