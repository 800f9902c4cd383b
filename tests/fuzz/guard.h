/*
 * guard.h - included before the library's own files where they are fuzzed: its mappings get a page without rights on both sides, so
 * that a read beside one is a fault and not luck.
 */
#ifndef TESTS_FUZZ_GUARD_H
#define TESTS_FUZZ_GUARD_H

#include <sys/mman.h>

void *guarded_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int guarded_munmap(void *address, size_t length);

#ifdef GUARD_MAPPINGS
#define mmap guarded_mmap
#define munmap guarded_munmap
#endif

#endif
