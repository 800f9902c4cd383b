/*
 * daemon_config.h - the configuration that a daemon runs with, and how its children get it.
 */
#ifndef CLI_DAEMON_CONFIG_H
#define CLI_DAEMON_CONFIG_H

#include "cli/config_load.h"

/* What the command line says; NULL where it says nothing. Borrowed. */
struct daemon_overrides {
	const char *instance, *config_path, *database, *interval, *sampler;
};

/*
 * Loads the configuration, puts the command line over it, and fills in the usual places of database and log.
 * Returns 0, or 2 after one sentence on stderr.
 */
int daemon_config_resolve(const struct daemon_overrides *overrides, struct config *config, struct config_origin *ret_origin);

/* The plain form of a configuration in a sealed memory file, for children to inherit. Returns its descriptor (owned; at least 10) or -errno. */
int daemon_config_fd(const struct config *config);

#endif
