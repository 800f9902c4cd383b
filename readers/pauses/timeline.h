/*
 * timeline.h - the timeline of a pause in at most 60 columns, scaled so that the pause fills half of it or more.
 */
#ifndef READERS_PAUSES_TIMELINE_H
#define READERS_PAUSES_TIMELINE_H

#include "readers/pauses/page.h"

#include <jansson.h>
#include <stddef.h>

enum { TIMELINE_COLUMNS = 60, TIMELINE_ROWS = 8 };

/* How the columns of a document become those of the page. */
struct timeline_scale {
	double column_us; /* time that a column stands for */
	size_t lead;      /* columns before the onset */
	size_t pause;     /* columns of the pause */
	size_t count;     /* columns in all, TIMELINE_COLUMNS at most */
	size_t onset;     /* column of the document in which the pause begins */
	size_t join;      /* so many columns of the document become one, or */
	size_t repeat;    /* one becomes so many */
};

/*
 * Chooses the scale.
 *   columns    that the document has
 *   bucket_us  time of each, above 0
 *   from_us    begin of the first one, from the onset
 *   span_us    length of the pause; 0 where not known
 */
struct timeline_scale timeline_scale(size_t columns, double bucket_us, double from_us, double span_us);

/* The symbol of column i: '#' all of it, '+' half or more, '.' some, '-' none, '?' for what was not seen, as a whole or in part of a quiet column. */
char timeline_symbol(const struct timeline_scale *scale, const json_t *ratios, size_t i);

/* Writes the block with its head. */
void timeline_print(struct page *page, const json_t *document);

#endif
