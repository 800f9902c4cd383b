/*
 * sentence.h - a pause in one line of at most 240 bytes, of a grammar that a test parses. docs/verdict.md has the grammar.
 */
#ifndef PAUSE_SENTENCE_H
#define PAUSE_SENTENCE_H

#include "pause/pause.h"

#include <stddef.h>

/*
 * The sentence with its tag. `id_digits` of the boot's 8 are shown in the tag, 4 at least. Printable ASCII. Returns its length.
 * What does not fit is left out in this order: detail of the caveat, third and second culprit, worst victim, share; never duration, WHAT, hedge, id.
 */
size_t pause_sentence(const struct pause *pause, unsigned id_digits, char out[PAUSE_SENTENCE_BYTES]);

/*
 * The offset from UTC in which the onset is told. Returns false, and 0, where the place is not known (a replay): times are then UTC and end in Z.
 */
bool pause_utc_offset(const struct pause *pause, int32_t *ret_offset_s);

/* The short form of WHO for lists: "40 x cc1 under make[812] 94%", "(outside)", "(nobody)", "(unclear)". Returns out. */
char *pause_who_short(const struct pause *pause, char out[PAUSE_NAME_BYTES + 8]);

/* "410 ms", "2.31 s", "3 min 12 s"; "9.2 GiB"; "94%", "under 1%", "all"; "-" for what is not a number. Each returns out. */
enum { PAUSE_FIGURE_BYTES = 32 };
char *pause_duration_text(uint64_t ns, char out[PAUSE_FIGURE_BYTES]);
char *pause_bytes_text(double bytes, char out[PAUSE_FIGURE_BYTES]);
char *pause_share_text(double ratio, char out[PAUSE_FIGURE_BYTES]);

#endif
