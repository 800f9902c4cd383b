/* kinds.c - the rows of drill.def as data. */
#include "readers/drill/kinds.h"

const struct drill_kind drill_kinds[DRILL_KINDS] = {
#define DRILL_KIND(name_, classes_, least_ms_, needs_, summary_) \
	{.name = #name_, \
	        .classes = (classes_), \
	        .summary = (summary_), \
	        .least_ms = (least_ms_), \
	        .needs = (needs_), \
	        .inject = inject_##name_},
#include "readers/drill/drill.def"
};
