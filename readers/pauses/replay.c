/*
 * replay.c - `rogue-hunter replay`: the pauses in a copied ring, judged anew.
 */
#include "base/complain.h"
#include "base/config.h"
#include "base/file.h"
#include "pause/document.h"
#include "pause/judge.h"
#include "pause/sentence.h"
#include "readers/common/attach.h"
#include "readers/common/options.h"
#include "readers/common/output.h"
#include "readers/pauses/document_read.h"
#include "readers/pauses/find.h"
#include "readers/pauses/pauses.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_NO_DATA = 3, OPTION_CONFIG_FD = OPTIONS_OWN };

static const char help_text[] =
        "usage: rogue-hunter replay FILE [--json] [--config-fd N]\n"
        "\n"
        "Judges the samples of a copied ring (cp /dev/shm/rogue-hunter.0 FILE) as the daemon would, and prints the pauses in it, the "
        "oldest "
        "first.\n"
        "\n"
        "  --json         the document of each, one on a line\n"
        "  --config-fd N  the configuration, as section.key=value lines, from file descriptor N instead of from its file\n"
        "  --help         this text\n"
        "\n"
        "Exit code: 0 ok, 1 failure, 2 usage, 3 no such file, or no ring in it.\n";

/* What was found: the newest judgement of each pause, in their order. */
struct findings {
	struct pause *pauses; /* owned */
	size_t count, capacity;
	uint64_t samples, lost;
};

/* Returns false where the command is at its end. */
static bool read_options(struct options *options, int argc, char **argv, struct config *config, const char **ret_file)
{
	static const struct option known[] = {OPTIONS_EVERYWHERE, {"json", no_argument, NULL, OPTIONS_JSON},
	        {"config-fd", required_argument, NULL, OPTION_CONFIG_FD}, {0}};
	char error[256];
	uint64_t fd;

	config_defaults(config);
	for (int option; (option = options_next(options, argc, argv, "", known)) != OPTIONS_END;) {
		if (option != OPTION_CONFIG_FD || !options_number(options, "--config-fd", 0, INT_MAX, &fd))
			return false;
		if (!config_read_plain_fd(config, (int)fd, error)) {
			options_mistake(options, "%s", error);
			return false;
		}
	}
	*ret_file = argv[optind];
	if (argc - optind == 1)
		return true;
	options_mistake(options, "give one file, the copy of a ring");
	return false;
}

/* A later judgement of a pause takes the place of the one before. Returns false without memory. */
static bool keep(struct findings *findings, const struct pause *pause)
{
	for (size_t i = findings->count; i > 0; i--)
		if (findings->pauses[i - 1].number == pause->number) {
			findings->pauses[i - 1] = *pause;
			return true;
		}
	if (findings->count == findings->capacity) {
		size_t capacity = findings->capacity ? 2 * findings->capacity : 8;
		struct pause *more = reallocarray(findings->pauses, capacity, sizeof(*more));
		if (!more)
			return false;
		findings->pauses = more;
		findings->capacity = capacity;
	}
	findings->pauses[findings->count++] = *pause;
	return true;
}

/* Takes every sample through a judge, from the oldest on. Returns the exit code. */
static int judge_all(struct rh_ring *ring, const struct config *config, struct findings *findings)
{
	struct judge *judge = judge_new(config);
	struct pause *pause = malloc(sizeof(*pause));
	struct rh_view view;
	struct rh_info info;
	uint64_t cursor = 0;
	bool kept = judge && pause;
	enum rh_status status = RH_OK;

	rh_info(ring, &info);
	if (kept)
		judge_begin(judge, info.boot_id, 1);
	while (kept && (status = rh_next(ring, &cursor, &findings->lost, &view)) == RH_OK) {
		judge_step(judge, ring, &view);
		findings->samples++;
		while (kept && judge_next(judge, pause))
			kept = keep(findings, pause);
	}
	free(pause);
	if (judge)
		judge_free(&judge);
	if (!kept)
		complain("no memory");
	else if (status != RH_NONE)
		complain("after %" PRIu64 " samples: %s", findings->samples, rh_status_text(status));
	return kept && status == RH_NONE ? 0 : 1;
}

/* Returns the exit code. */
static int print(const struct findings *findings, bool as_json)
{
	char sentence[PAUSE_SENTENCE_BYTES];

	for (size_t i = 0; i < findings->count; i++) {
		if (!as_json) {
			pause_sentence(&findings->pauses[i], FIND_DIGITS_LEAST, sentence);
			puts(sentence);
			continue;
		}
		char *document = pause_document_text(&findings->pauses[i]);
		if (!document) {
			complain("no memory");
			return 1;
		}
		document_write(stdout, document);
		free(document);
	}
	if (findings->count == 0 && !as_json)
		printf("no pause in %" PRIu64 " samples\n", findings->samples);
	return 0;
}

static int replay(const char *file, const struct config *config, bool as_json)
{
	struct findings findings = {0};
	struct rh_error error = {0};
	struct rh_ring *ring;

	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		int reason = errno;
		complain("%s cannot be opened: %s", file, strerror(reason));
		return reason == ENOENT ? EXIT_NO_DATA : 1;
	}
	enum rh_status status = rh_open_fd(fd, &ring, &error);
	closefd(&fd);
	if (status != RH_OK) {
		complain("%s: %s", file, error.text[0] ? error.text : rh_status_text(status));
		return status == RH_SYSTEM ? 1 : EXIT_NO_DATA;
	}
	int code = judge_all(ring, config, &findings), printed = print(&findings, as_json);
	free(findings.pauses);
	rh_close(&ring);
	return code ? code : printed;
}

int replay_main(int argc, char **argv)
{
	struct options options = {.command = "replay", .help = help_text};
	struct config config;
	const char *file;

	if (!read_options(&options, argc, argv, &config, &file))
		return options.exit_code;
	return output_end(replay(file, &config, options.json));
}
