/*
 * publish.h - putting a sample into the ring: how large the ring is, which records a frame holds in which order and how long, and a new
 * ring where the old one was taken away. After the first sample nothing here is fatal.
 */
#ifndef COLLECTOR_PUBLISH_H
#define COLLECTOR_PUBLISH_H

#include "base/config.h"
#include "collector/order.h"
#include "shm/writer.h"

struct publish_options {
	const struct config *config; /* borrowed for the life of the publisher */
	const char *instance;        /* borrowed likewise; NULL for the one of the calling user */
	const char *boot_id;         /* borrowed likewise; NULL where unknown */
	uint64_t interval_ns;
	uint64_t memory_bytes;    /* of the machine, 0 where unknown */
	uint64_t writer_start_ns; /* start of the collector, since boot */
	uint32_t processes;       /* present at start */
	uint32_t capacity;        /* most records a batch may have */
	uint32_t group;           /* group that may read, (uint32_t)-1 to leave it */
};

struct publish {
	struct ring_writer *writer; /* NULL while there is no ring */
	struct ring_options ring;
	struct order order;
	uint64_t history_ns;
	uint32_t rogues_max;
	float tracking_floor;
	uint32_t rings;  /* created so far */
	uint32_t pause;  /* samples until a ring is tried again where shared memory was full */
	char error[256]; /* why there is no ring */
};

/* Records of one sample, as parallel columns. */
struct publish_batch {
	const struct rh_process *records;
	const float *scores;
	const uint32_t *pids;
	uint32_t count;
	uint32_t total; /* processes sampled, `count` and those there was no room for */
};

/* What a frame holds. */
struct publish_shape {
	uint32_t keep;   /* records, those of the highest scores */
	uint32_t stride; /* bytes of each */
};

/*
 * Bytes of the arena: the configured history at that interval, a quarter more, of half as many processes again as there are now; between
 * ring.min_mib and the lesser of ring.max_mib and 2 % of the memory (which wins over the minimum).
 */
uint64_t publish_arena_bytes(const struct config *config, uint64_t interval_ns, uint64_t memory_bytes, uint32_t processes);

/*
 * Shape of a frame of `count` processes that still lets an arena hold `frames` of them: full records if they fit, else records cut after
 * the hottest fields, else fewer records, though never fewer than RH_TOP_BY_SCORE.
 */
struct publish_shape publish_shape(uint64_t arena_bytes, uint32_t count, uint64_t frames);

/*
 * Creates the ring, and takes memory from the pool. Returns 0, or -errno with a sentence in publish->error: -ENOSPC where even the smallest
 * ring does not fit, -EEXIST where another collector publishes under this name.
 */
int publish_open(struct publish *publish, const struct publish_options *options, struct pool *pool);

/*
 * Publishes one sample, in a new ring if the old one was removed or replaced.
 *   system       rogue_count and the bits of degraded that tell the shape of the frame are filled in here
 *   interval_ns  now aimed at
 * Returns 0, or -errno with a sentence in publish->error where there is no ring and none can be made; a later call tries again: the next one, or
 * where shared memory is full one of the next few, since finding that out takes and gives back all that is left of it.
 */
int publish_sample(struct publish *publish, struct rh_system *system, const struct publish_batch *batch, uint64_t interval_ns);

/* Tells readers that the collector lives: none is due, or the next one takes its time. publish_sample() does so by itself. */
void publish_heartbeat(struct publish *publish);

/* Tells readers that the ring is closed, and removes it. */
void publish_close(struct publish *publish);

#endif
