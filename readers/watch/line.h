/*
 * line.h - one sample on one line, for people or as JSON.
 */
#ifndef READERS_WATCH_LINE_H
#define READERS_WATCH_LINE_H

#include "readers/common/batch.h"
#include "readers/common/columns.h"

#include <stdio.h>

/* Which fields: none chosen means the usual line, and every field in JSON. */
struct line_fields {
	struct columns system, process;
	bool chosen;
};

/*
 * Writes one line.
 *   batch  the sample; its first record is the most rogue process
 *   lost   samples that were missed just before this one
 */
void line_text(FILE *out, const struct batch *batch, uint64_t lost, const struct line_fields *fields);

/* The same as one JSON object: lost, system, and processes: the rogue ones, or the one nearest to it. */
void line_json(FILE *out, const struct batch *batch, uint64_t lost, const struct line_fields *fields);

#endif
