/*
 * pause_made.h - pauses for tests: the worked examples of the wording, and pauses of random content.
 */
#ifndef TESTS_SUPPORT_PAUSE_MADE_H
#define TESTS_SUPPORT_PAUSE_MADE_H

#include "pause/pause.h"

struct made_example {
	const char *sentence; /* what must be said, with four digits of the boot */
	struct pause pause;
};

/* The worked example of that number, from 0; false behind the last one. */
bool made_example(unsigned number, struct made_example *ret_example);

/* A pause about nothing yet: final, with a place, that began at that second of 2026-11-20 in a zone one hour east of UTC. */
void made_plain(struct pause *ret_pause, enum pause_class class, uint32_t number, unsigned second_of_day);

/* Adds somebody who is named. Returns him. */
struct pause_who *made_who(struct pause *pause, enum pause_role role, enum pause_kind kind, const char *name, float share_ratio);

/* Adds somebody who stood still, and makes the pause at least so long. */
void made_victim(struct pause *pause, const char *name, uint64_t longest_ns);

/* How sure; the word follows. */
void made_sure(struct pause *pause, float class_ratio, float both_ratio, bool recorded);

/*
 * Any pause: every field random, numbers often extreme, names of any bytes or such as try to look like the grammar. With `sensible` classes, codes
 * and counts are in their ranges; else even these are random.
 */
void made_random(unsigned *seed, bool sensible, struct pause *ret_pause);

#endif
