/* daemon_config.c - the configuration of a daemon: the file, the command line, the usual places. */
#include "cli/daemon_config.h"

#include "base/assert.h"
#include "base/complain.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/exit_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLAIN_BYTES = 64 * 1024, LEAST_FD = 10 };

static bool set_option(struct config *config, const char *option, const char *section, const char *key, const char *text)
{
	char error[256];

	if (config_set_plain(config, section, key, text, error))
		return true;
	complain("daemon: %s: %s", option, error);
	return false;
}

static bool set_interval(struct config *config, const char *text)
{
	char seconds[40];
	double value;

	if (!text_to_duration(text, &value)) {
		complain("daemon: --interval takes a time: 0.2, 200ms");
		return false;
	}
	snprintf(seconds, sizeof(seconds), "%.9g", value);
	return set_option(config, "--interval", "sampling", "interval", seconds);
}

/* --db as typed is relative to here, where the daemon will not be. */
static bool set_database(struct config *config, const char *typed)
{
	char here[PATH_BYTES], path[PATH_BYTES * 2];

	if (typed[0] == '/')
		return set_option(config, "--db", "storage", "path", typed);
	if (!getcwd(here, sizeof(here))) {
		complain("daemon: --db %s: this folder has no path: %s", typed, strerror(errno));
		return false;
	}
	snprintf(path, sizeof(path), "%s/%s", here, typed);
	return set_option(config, "--db", "storage", "path", path);
}

/* Empty paths become the usual places. */
static bool set_places(struct config *config, const char *instance)
{
	char path[PATH_BYTES];

	if (config->storage_path[0] == '\0' && !set_option(config, "the usual place", "storage", "path", path_database(instance, path)))
		return false;
	if (config->log_path[0] == '\0' && !set_option(config, "the usual place", "log", "path", path_log(instance, path)))
		return false;
	if (config->storage_path[0] != '\0' && config->log_path[0] != '\0')
		return true;
	complain("daemon: no usual place for database and log: set HOME, or storage.path and log.path in the configuration");
	return false;
}

static bool set_overrides(struct config *config, const struct daemon_overrides *overrides)
{
	if (overrides->interval && !set_interval(config, overrides->interval))
		return false;
	if (overrides->sampler && !set_option(config, "--sampler", "sampling", "sampler", overrides->sampler))
		return false;
	if (overrides->database && !set_database(config, overrides->database))
		return false;
	return set_places(config, overrides->instance);
}

int daemon_config_resolve(const struct daemon_overrides *overrides, struct config *config, struct config_origin *ret_origin)
{
	const char *key;
	char error[256];
	int failed = config_load(overrides->config_path, config, ret_origin);

	if (failed)
		return failed;
	if (!set_overrides(config, overrides))
		return EXIT_USAGE;
	if (!config_check(config, &key, error)) {
		complain("daemon: %s", error);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

/* Fills and seals it: no child can change what another one reads. */
static int fill(int fd, const struct config *config)
{
	static char plain[PLAIN_BYTES];
	size_t length = config_write_plain(config, plain, sizeof(plain));

	RH_ASSERT(length < sizeof(plain));
	int failed = file_write_all(fd, plain, length);
	if (!failed && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		failed = -errno;
	return failed;
}

int daemon_config_fd(const struct config *config)
{
	int low = memfd_create("rogue-hunter-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (low < 0)
		return -errno;
	/* Above the descriptors that children find their things at. */
	int fd = fcntl(low, F_DUPFD_CLOEXEC, LEAST_FD), failed = fd < 0 ? -errno : fill(fd, config);
	closefd(&low);
	if (failed)
		closefd(&fd);
	return failed ? failed : fd;
}
