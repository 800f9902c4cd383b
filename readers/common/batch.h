/*
 * batch.h - one sample as a private, consistent copy.
 */
#ifndef READERS_COMMON_BATCH_H
#define READERS_COMMON_BATCH_H

#include "rogue/reader.h"

enum { BATCH_ALL = UINT32_MAX };

/* Begin with {0}, end with batch_free(). */
struct batch {
	uint64_t sample;
	uint32_t count; /* records copied */
	uint32_t total; /* processes sampled */
	struct rh_system system;
	struct rh_process *records; /* owned; [count], the top 64 by score first, then the rest by pid */
	uint32_t capacity_;         /* private */
};

void batch_free(struct batch *batch);

/*
 * Copies a view, at most `limit` records of it (BATCH_ALL for all).
 * Returns RH_OK, RH_LAPPED where the writer came by meanwhile (the batch is then not to be used), RH_SYSTEM (no memory).
 */
enum rh_status batch_copy(const struct rh_view *view, uint32_t limit, struct batch *batch);

/* Copies the newest sample likewise. Returns RH_OK, RH_NONE, RH_BUSY, RH_CORRUPT, RH_SYSTEM. */
enum rh_status batch_latest(struct rh_ring *ring, uint32_t limit, struct batch *batch);

#endif
