/*
 * moment.h - when a sample was taken, and the span between two of them.
 *
 * MONOTONIC measures the interval, BOOTTIME tells a suspend, REALTIME is a label. Values are given, never read here: a test or a
 * simulation brings its own.
 */
#ifndef COLLECTOR_MOMENT_H
#define COLLECTOR_MOMENT_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct moment {
	uint64_t monotonic_ns, boottime_ns, realtime_ns;
};

/* From one sample to the next. */
struct span {
	uint64_t elapsed_ns;        /* MONOTONIC */
	uint64_t begin_boottime_ns; /* when the sample before was taken */
	bool comparable;            /* there was a sample before, and no suspend since: rates can be computed */
};

/* How far BOOTTIME may run ahead of MONOTONIC between two samples before it was a suspend. */
enum { MOMENT_SUSPEND_NS = 10 * NS_PER_MS };

/* The clocks of one moment: read again where the thread lost its cpu in between, which would look like a suspend. */
static inline struct moment moment_now(void)
{
	struct moment now = {0};
	for (int tries = 0; tries < 8; tries++) {
		now.monotonic_ns = clock_now_ns(CLOCK_MONOTONIC);
		now.boottime_ns = clock_now_ns(CLOCK_BOOTTIME);
		now.realtime_ns = clock_now_ns(CLOCK_REALTIME);
		if (clock_now_ns(CLOCK_MONOTONIC) - now.monotonic_ns < NS_PER_MS)
			break;
	}
	return now;
}

/* The span between two moments; `before` is NULL for the first sample. */
static inline struct span moment_span(const struct moment *before, const struct moment *now)
{
	if (!before)
		return (struct span){0};
	struct span span = {.begin_boottime_ns = before->boottime_ns};
	if (now->monotonic_ns <= before->monotonic_ns)
		return span;
	span.elapsed_ns = now->monotonic_ns - before->monotonic_ns;
	uint64_t with_suspend_ns = now->boottime_ns - before->boottime_ns;
	span.comparable = with_suspend_ns <= span.elapsed_ns + MOMENT_SUSPEND_NS;
	return span;
}

#endif
