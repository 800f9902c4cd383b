/*
 * sentence.h - a pause in one line of at most 240 bytes, of a grammar that a test parses. docs/verdict.md has the grammar.
 */
#ifndef PAUSE_SENTENCE_H
#define PAUSE_SENTENCE_H

#include "pause/figures.h"
#include "pause/pause.h"

#include <stddef.h>

/*
 * The sentence with its tag. `id_digits` of the boot's 8 are shown in the tag, 4 at least. Printable ASCII. Returns its length.
 * What does not fit is left out in this order: detail of the caveat, third and second culprit, worst victim, share; never duration, WHAT, hedge, id.
 */
size_t pause_sentence(const struct pause *pause, unsigned id_digits, char out[PAUSE_SENTENCE_BYTES]);

/* The short form of WHO for lists: "40 x cc1 under make[812] 94%", "(outside)", "(nobody)", "(unclear)". Returns out. */
char *pause_who_short(const struct pause *pause, char out[PAUSE_NAME_BYTES + 8]);

#endif
