/*
 * pool.h - memory that is reserved at start and becomes resident where it is used.
 *
 * Arrays are sized for the largest number of processes that the configuration allows; a machine with 300 of them pays for 300.
 * Each array is a mapping of its own, zero until written, and without huge pages: one touched byte must not cost 2 MiB.
 */
#ifndef COLLECTOR_POOL_H
#define COLLECTOR_POOL_H

#include <stdbool.h>
#include <stddef.h>

enum { POOL_PARTS = 96 };

struct pool {
	struct {
		void *base;
		size_t bytes;
	} parts[POOL_PARTS];
	unsigned count;
	bool failed; /* some pool_take() found no memory: check once, after the last */
};

/* An array of `count` items of `size` bytes, zeroed. Borrowed until pool_release(). NULL sets `failed`. */
void *pool_take(struct pool *pool, size_t count, size_t size);

/* Gives everything back. */
void pool_release(struct pool *pool);

#endif
