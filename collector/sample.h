/*
 * sample.h - one sample from end to end: raw records from the source, then deltas, blame, contention, scores, stress.
 *
 * Pure but for the source: moments are given. Allocates nothing after sample_open().
 */
#ifndef COLLECTOR_SAMPLE_H
#define COLLECTOR_SAMPLE_H

#include "collector/delta.h"
#include "collector/publish.h"
#include "collector/score.h"
#include "collector/stress.h"

struct blame_io;

/* Adds to raw records what no source can know. Returns bits of enum rh_signal. Allocates nothing. */
typedef uint64_t sample_add(void *context, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system);

struct sample {
	/* the sample taken last; borrowed until the next one */
	struct rh_system system;
	struct rh_process *records;
	uint32_t count; /* of records; exited processes included */
	uint32_t total; /* count, and processes there was no room for */

	/* to be set by the caller who has something to add; NULL for nothing */
	sample_add *add;
	void *add_context;

	/* private */
	const struct config *config; /* borrowed */
	struct source *source;       /* borrowed */
	uint32_t uid;                /* of this process */
	struct delta delta;
	struct score_columns columns;
	uint32_t *pids;
	float *delay_ms_per_s, *blame_ms_per_s, *wanted_pct;
	struct blame_io *blame_io;
	uint32_t rows;            /* room for so many records */
	struct raw_system raw[2]; /* taking turns */
	unsigned current;         /* the newer of them */
	struct moment before;     /* of the sample taken last */
	bool has_before;
	struct stress stress;
	uint64_t lost;        /* processes there was no room for, since the start */
	uint64_t events_lost; /* of the source, since the start */
	uint64_t clamped;     /* counters of processes that ran backwards, since the start */
};

/* Takes memory for `capacity` processes from the pool. Check pool->failed. */
void sample_open(struct sample *sample, const struct config *config, struct source *source, struct pool *pool, uint32_t capacity);

/*
 * Takes one sample.
 *   called     now: the moment that it stands for, unless the source knows a better one
 *   budget_ns  time the source should use at most
 * Returns 0, or -errno of the source: the sample taken last then stays as it is, and the next span begins there.
 */
int sample_take(struct sample *sample, const struct moment *called, uint64_t budget_ns);

/* The sample taken last, for publish_sample(). Borrowed until the next sample_take(). */
struct publish_batch sample_batch(const struct sample *sample);

#endif
