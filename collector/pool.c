/* pool.c - see pool.h. */
#include "collector/pool.h"

#include "base/assert.h"

#include <sys/mman.h>

void *pool_take(struct pool *pool, size_t count, size_t size)
{
	size_t bytes;
	RH_ASSERT(pool->count < POOL_PARTS);
	if (__builtin_mul_overflow(count, size, &bytes) || bytes == 0) {
		pool->failed = true;
		return NULL;
	}
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED) {
		pool->failed = true;
		return NULL;
	}
	/* Refused only by kernels without huge pages, where there is nothing to refuse. */
	(void)madvise(base, bytes, MADV_NOHUGEPAGE);
	pool->parts[pool->count].base = base;
	pool->parts[pool->count].bytes = bytes;
	pool->count++;
	return base;
}

void pool_release(struct pool *pool)
{
	while (pool->count > 0) {
		pool->count--;
		munmap(pool->parts[pool->count].base, pool->parts[pool->count].bytes);
	}
	pool->failed = false;
}
