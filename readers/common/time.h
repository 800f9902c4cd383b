/*
 * time.h - moments as people type them.
 */
#ifndef READERS_COMMON_TIME_H
#define READERS_COMMON_TIME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads a moment: a duration ago ("90s", "2h", "7d"), seconds since 1970 ("@1700000000"), a local date ("2026-11-20": its begin), date and
 * time ("2026-11-20 14:03", "2026-11-20T14:03:07"), or a time of day alone ("14:03", "14:03:07": the last such moment that is past).
 *   now_ns  REALTIME
 * Returns true, or false if it is none or lies before 1970.
 */
bool time_read(const char *text, uint64_t now_ns, uint64_t *ret_realtime_ns);

#endif
