/*
 * clock.h - the three clocks, in ns. MONOTONIC measures intervals, BOOTTIME includes suspend, REALTIME is only a label.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static inline uint64_t clock_now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Formats a REALTIME label as local time, "2026-11-20T14:03:07.412+01:00". Returns `out`. */
char *clock_label(uint64_t realtime_ns, char out[40]);

#endif
