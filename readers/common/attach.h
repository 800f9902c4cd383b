/*
 * attach.h - attaching to the ring of a daemon, and what its statuses mean for a command.
 */
#ifndef READERS_COMMON_ATTACH_H
#define READERS_COMMON_ATTACH_H

#include "rogue/reader.h"

/* Exit code of a command for which this status is the final answer (status.def). */
int attach_exit_code(enum rh_status status);

/* "RUNNING", "NO_SEGMENT", ...: the name of a status, for JSON. */
const char *attach_status_name(enum rh_status status);

/*
 * Attaches to an instance (NULL: the usual one), and complains in one sentence where that fails.
 * Returns 0 and a handle for rh_close(), or the exit code.
 */
int attach_open(const char *instance, struct rh_ring **ret_ring);

/* Why an attach failed, in one sentence, and what to do about it where that is known. Returns out. */
char *attach_reason(enum rh_status status, const struct rh_error *error, char out[512]);

/* Complains about an attach that failed. Returns the exit code, 0 for RH_OK. */
int attach_failed(enum rh_status status, const struct rh_error *error);

#endif
