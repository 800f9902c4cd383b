/*
 * hog.h - a process that takes all the cpu it gets and says at any time how much that was: the truth for short intervals.
 *
 * It stamps its cpu time with CLOCK_MONOTONIC some 50,000 times a second into memory shared with its parent, which can look up what it was at
 * any moment of the last second. It ends with its parent, however that ends.
 */
#ifndef TESTS_SUPPORT_HOG_H
#define TESTS_SUPPORT_HOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hog {
	pid_t pid;
	struct hog_stamps *stamps; /* shared memory */
};

/*
 * Starts it.
 *   rest_us  after each millisecond of work it sleeps for so long; 0 never
 * Returns false where there is no memory or process.
 */
bool hog_start(struct hog *hog, unsigned rest_us);

/* Its cpu time at a moment that is over, between two stamps in proportion. Returns false if there are none around it, or they are more than 10 ms apart and it ran between them. */
bool hog_cpu_at(const struct hog *hog, uint64_t monotonic_ns, double *ret_cpu_ns);

void hog_stop(struct hog *hog);

#endif
