/*
 * figures.h - figures as they stand in sentences and lists: never more than three digits, whole percents.
 */
#ifndef PAUSE_FIGURES_H
#define PAUSE_FIGURES_H

#include "pause/pause.h"

enum { PAUSE_FIGURE_BYTES = 32 };

/* "410 ms", "2.31 s", "14.2 s", "3 min 12 s", "8 h 12 min", "41 d 16 h". Returns out. */
char *pause_duration_text(uint64_t ns, char out[PAUSE_FIGURE_BYTES]);

/* A quota or its period, as it was set: "20 ms", "1 s" instead of "1.00 s". Returns out. */
char *pause_quota_text(uint64_t ns, char out[PAUSE_FIGURE_BYTES]);

/* "512 MiB", "9.2 GiB"; "-" for NAN. Returns out. */
char *pause_bytes_text(double bytes, char out[PAUSE_FIGURE_BYTES]);

/* Of a metric: "94%"; "under 1%" and "all" instead of 0% and 100%, which nothing is measured so exactly for; "-" for NAN. Returns out. */
char *pause_share_text(double ratio, char out[PAUSE_FIGURE_BYTES]);

/* Of time in a state of the machine (steal, idle): the same with "over 99%" instead of "all". Returns out. */
char *pause_state_text(double ratio, char out[PAUSE_FIGURE_BYTES]);

/* Whole percents of a ratio, 0 to 100; 0 for NAN. */
int pause_percents(double ratio);

/*
 * The offset from UTC in which the onset is told. Returns false, and 0, where the place is not known (a replay): times are then UTC and end in Z.
 */
bool pause_utc_offset(const struct pause *pause, int32_t *ret_offset_s);

#endif
