/*
 * kinds.h - the rows of drill.def as data.
 */
#ifndef READERS_DRILL_KINDS_H
#define READERS_DRILL_KINDS_H

#include "readers/drill/inject.h"

struct drill_kind {
	const char *name, *classes, *summary;
	uint32_t least_ms;
	unsigned needs;
	bool (*inject)(struct stage *stage);
};

#define DRILL_KIND(name, classes, least_ms, needs, summary) DRILL_KIND_##name,
enum drill_kind_number {
#include "readers/drill/drill.def"
	DRILL_KINDS
};

extern const struct drill_kind drill_kinds[DRILL_KINDS];

#endif
