/*
 * config_toml.h - TOML text into a configuration. The only door between C and the C++ parser.
 */
#ifndef CLI_CONFIG_TOML_H
#define CLI_CONFIG_TOML_H

#include "base/config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct config_fault {
	unsigned line, column; /* 0 where the fault has no place */
	char rule[256];        /* what must hold; never any of the text */
};

/*
 * Reads TOML over *config and checks the rules of config.def.
 *   text  [length], need not end in NUL
 * Returns true, or false with the first fault of the file in *ret_fault; *config then counts for nothing.
 */
bool config_toml_read(const char *text, size_t length, struct config *config, struct config_fault *ret_fault);

#ifdef __cplusplus
}
#endif
#endif
