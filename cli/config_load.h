/*
 * config_load.h - the configuration of this call: defaults, and over them the file that applies.
 */
#ifndef CLI_CONFIG_LOAD_H
#define CLI_CONFIG_LOAD_H

#include "base/config.h"
#include "base/path.h"

struct config_origin {
	char path[PATH_BYTES]; /* of the file that applies; empty where there is no usual place */
	bool is_read;          /* false: there is no such file, all values are defaults */
};

/*
 * Loads the configuration.
 *   path        the file given on the command line, which must exist; NULL for the usual one, which need not
 *   ret_origin  where the values come from
 * Returns 0, or 2 after one sentence on stderr ("file:line:column: rule" for a fault in the file, never its content).
 */
int config_load(const char *path, struct config *config, struct config_origin *ret_origin);

#endif
