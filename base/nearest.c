/* nearest.c - the known word closest to one that is not known. */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

enum { WORD_MAX = 63 };

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's table, and a swap of neighbours counts as one edit. */
unsigned nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	size_t a_length = strnlen(a, WORD_MAX), b_length = strnlen(b, WORD_MAX);

	for (size_t j = 0; j <= b_length; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned replace = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = min_of(replace, min_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min_of(row[j], before[j - 2] + 1);
		}
		unsigned *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[b_length];
}

void nearest_begin(struct nearest *nearest, const char *word)
{
	*nearest = (struct nearest){.word = word};
}

bool nearest_offer(struct nearest *nearest, const char *known)
{
	unsigned distance = nearest_distance(nearest->word, known);

	/* One edit for every three letters of the known word: "statsu" is status, "foo" is not top. */
	if (distance > strlen(known) / 3 || (nearest->best && distance >= nearest->distance))
		return false;
	nearest->best = known;
	nearest->distance = distance;
	return true;
}
