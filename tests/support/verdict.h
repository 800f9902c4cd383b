/*
 * verdict.h - what a test may ask of the findings in a world, each question with an answer that fails the test; and what must hold of any finding.
 */
#ifndef TESTS_SUPPORT_VERDICT_H
#define TESTS_SUPPORT_VERDICT_H

#include "tests/support/pause_grammar.h"
#include "tests/support/world.h"

/* Pauses that were found, whatever was said of each. */
uint32_t verdict_count(const struct world *world);

/* The newest finding of the pause of that number, which must be final. */
const struct pause *verdict_of(const struct world *world, uint32_t number);

/* The same where exactly one pause was found, or none. */
const struct pause *verdict_only(const struct world *world);
void verdict_none(const struct world *world);

/* It is of that class, with that word, and its duration is that, to a sample. */
void verdict_is(const struct pause *pause, enum pause_class class, enum pause_word word, double duration_s);

/* `name` alone is named as culprit. */
void verdict_names(const struct pause *pause, const char *name);

/* Nobody is: there are candidates at most. */
void verdict_names_nobody(const struct pause *pause);

/* That name is among the victims, having stood still for so long, to a sample; or is not. Returns it. */
const struct pause_victim *verdict_victim(const struct pause *pause, const char *name, double longest_s);
void verdict_spares(const struct pause *pause, const char *name);

/* The sentence of the newest finding of that number has that text in it, and is of the grammar. Returns it as read back. */
struct grammar_pause verdict_sentence(const struct world *world, uint32_t number, const char *text);

/*
 * What holds of all findings: the sentence is of the grammar and says what the finding says, confidence keeps to its bounds and its words, nobody
 * is victim and culprit but by his own fault, interim findings come before the final one of their number. And judged again, twice, the ring gives
 * the same documents to the byte; those that were given while it was written are the same as well, as long as the ring holds all samples. Frees the world.
 */
void verdict_end(struct world **world);

#endif
