/*
 * attach.h - attaching to the ring of a daemon, and taking whole batches out of it that are consistent.
 */
#ifndef READERS_COMMON_ATTACH_H
#define READERS_COMMON_ATTACH_H

#include "rogue/reader.h"

enum { ATTACH_ALL = UINT32_MAX };

/* A private, consistent copy of one sample. Begin with {0}. */
struct batch {
	uint64_t sample;
	uint32_t count; /* records copied */
	uint32_t total; /* processes sampled */
	struct rh_system system;
	struct rh_process *records; /* owned; [count], the top 64 by score first, then the rest by pid */
	uint32_t capacity_;         /* private */
};

void batch_free(struct batch *batch);

/* Exit code of a command for which this status is the final answer (status.def). */
int attach_exit_code(enum rh_status status);

/* "RUNNING", "NO_SEGMENT", ...: the name of a status, for JSON. */
const char *attach_status_name(enum rh_status status);

/*
 * Attaches to an instance (NULL: the usual one), and complains in one sentence where that fails.
 * Returns 0 and a handle for rh_close(), or the exit code.
 */
int attach_open(const char *instance, struct rh_ring **ret_ring);

/*
 * Copies the newest sample, at most `limit` records of it (ATTACH_ALL for all).
 * Returns RH_OK, RH_NONE, RH_BUSY, RH_CORRUPT, RH_SYSTEM (no memory).
 */
enum rh_status attach_latest(struct rh_ring *ring, uint32_t limit, struct batch *batch);

/* Follows the samples of an instance, over restarts of its collector. All members but the first are results. */
struct follow {
	const char *instance; /* borrowed; NULL for the usual one */
	struct rh_ring *ring; /* owned; follow_close() */
	uint64_t cursor;      /* number of the last sample taken */
	uint64_t lost;        /* samples that were gone before they could be taken, since follow_open() */
	uint64_t generation;  /* changes where another collector took over, whose numbers begin anew */
};

/*
 * Attaches and places the cursor.
 *   from_oldest  begin with the oldest sample there is, else with the next one to come
 * Returns RH_OK or what rh_open() returns, with a sentence in `error`.
 */
enum rh_status follow_open(struct follow *follow, const char *instance, bool from_oldest, struct rh_error *error);

/* The same for the next sample to come, complaining as attach_open() does. Returns 0 or the exit code. */
int attach_follow(const char *instance, struct follow *follow);

void follow_close(struct follow *follow);

/*
 * Waits for the next sample and copies it, at most `limit` records of it. Attaches anew where a new collector has taken the name.
 * Returns within about two sampling periods: RH_OK; RH_TIMEOUT (nothing yet, or a signal came); RH_HUNG, RH_DEAD, RH_CLOSED or RH_REPLACED (the state
 * of a writer that has no successor yet: call again to go on waiting for one); RH_CORRUPT; RH_SYSTEM.
 */
enum rh_status follow_next(struct follow *follow, uint32_t limit, struct batch *batch);

#endif
