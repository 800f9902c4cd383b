/*
 * block_live.h - the block part of the kernel-direct back end on the real machine, without the rest of it: every process that has an account is
 * in the tick.
 */
#ifndef TESTS_SUPPORT_BLOCK_LIVE_H
#define TESTS_SUPPORT_BLOCK_LIVE_H

#include "collector/bpf/block.h"

#include <stdbool.h>
#include <sys/types.h>

enum { BLOCK_LIVE_MOST = 8192 };

struct block_live {
	struct config config;
	struct accounts accounts;
	struct block *block;
	bool asleep; /* say of all processes that they did not run since the tick before */
	/* of the newest tick */
	struct walk_record *records;   /* [BLOCK_LIVE_MOST] */
	struct raw_process *processes; /* the same ones */
	uint32_t count;
	struct raw_system system;
	struct source_tick tick;
	char folder[256];      /* on a disk */
	unsigned major, minor; /* of that disk, not of a partition */
};

/* Returns NULL if it could be opened, else a sentence why the test has to be skipped. */
const char *block_live_open(struct block_live *live);
void block_live_close(struct block_live *live);

/* One tick. Processes come in order of their pids. */
void block_live_tick(struct block_live *live);

/* What the newest tick says of a process; NULL if it has no account. */
const struct raw_process *block_live_find(const struct block_live *live, pid_t pid);

/* Device time of all processes of the newest tick. */
uint64_t block_live_sum_ns(const struct block_live *live);

/* How long the disk was busy since boot, as the kernel's own statistics say (/sys/dev/block/M:m/stat, io_ticks). */
uint64_t block_live_ticks_ms(const struct block_live *live);

/* A file of `mib` MiB in the folder, written out, not in the page cache, removed already. Returns its descriptor, opened with `flags`, or -1. */
int block_live_file(const struct block_live *live, unsigned mib, int flags);

#endif
