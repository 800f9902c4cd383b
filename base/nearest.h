/*
 * nearest.h - "did you mean ...?": the known word closest to one that is not known.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stdbool.h>

struct nearest {
	const char *word; /* borrowed: the word that is looked for */
	const char *best; /* borrowed: the closest one offered so far, NULL before the first close one */
	unsigned distance;
};

void nearest_begin(struct nearest *nearest, const char *word);

/* Offers a known word. Returns true if it is closer than all before it, and close enough to be worth a suggestion. */
bool nearest_offer(struct nearest *nearest, const char *known);

/* Edits (insert, delete, replace, swap of neighbours) that turn one word into the other; words count up to 63 bytes. */
unsigned nearest_distance(const char *a, const char *b);

#endif
