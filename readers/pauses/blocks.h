/*
 * blocks.h - the blocks of `rogue-hunter explain`, in their order. Each is written whatever the document holds, with "none" where it holds nothing.
 */
#ifndef READERS_PAUSES_BLOCKS_H
#define READERS_PAUSES_BLOCKS_H

#include "readers/pauses/page.h"

#include <jansson.h>
#include <stdbool.h>

enum { BLOCKS_ID_BYTES = 32, BLOCKS_LIST_BYTES = 120 };

/* What is told beside the document. */
struct explanation {
	const json_t *document;   /* borrowed */
	char id[BLOCKS_ID_BYTES]; /* as short as it may be: "7c1f-44" */
	bool is_left_interim;     /* no final judgement came, and none will */
	char same_class
	        [BLOCKS_LIST_BYTES]; /* ids of the pauses of this class in the 24 hours before, this one included; "" where not looked up */
};

/* All of them. */
void blocks_print(FILE *out, const struct explanation *explanation);

/* One after the other. */
void blocks_head(struct page *page, const struct explanation *explanation);
void blocks_verdict(struct page *page, const struct explanation *explanation);
void blocks_culprits(struct page *page, const json_t *document);
void blocks_victims(struct page *page, const json_t *document);
void blocks_evidence(struct page *page, const json_t *document, bool against);
void blocks_causes(struct page *page, const json_t *document);
void blocks_signals(struct page *page, const json_t *document);
void blocks_remedies(struct page *page, const json_t *document);
void blocks_last(struct page *page, const struct explanation *explanation);

/* A value of a document in its unit ("78%", "112 MiB", "41 203"), "-" for NAN. Returns out. */
enum { BLOCKS_VALUE_BYTES = 48 };
char *blocks_value(double value, const char *unit, char out[BLOCKS_VALUE_BYTES]);

#endif
