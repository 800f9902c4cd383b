/*
 * inject.h - the kinds of drill.def: each inject_NAME() builds one up in the keeper, and what each needs of the machine.
 */
#ifndef READERS_DRILL_INJECT_H
#define READERS_DRILL_INJECT_H

#include "readers/drill/stage.h"

/* What a kind needs beyond ordinary processes. */
enum drill_need {
	DRILL_NEEDS_REAL_TIME = 1,
	DRILL_NEEDS_DISK = 2, /* a folder that is no memory */
	DRILL_NEEDS_SHM = 4,  /* a folder that is */
	DRILL_NEEDS_MEMORY_GROUP = 8,
	DRILL_NEEDS_CPU_GROUP = 16,
	DRILL_NEEDS_SIGNAL = 32,
	DRILL_NEEDS_BITS = 6, /* how many */
};

/* Each starts the processes of its kind. Returns false after stage_fail(). */
#define DRILL_KIND(name, classes, least_ms, needs, summary) bool inject_##name(struct stage *stage);
#include "readers/drill/drill.def"

/* ---- parts of several kinds ---- */

/* Uses a cpu for as long as the injection lasts. */
void inject_hog(struct stage *stage, const struct stage_part *part);

/* A large process that does nothing, and one of moderate use elsewhere: innocent. */
bool inject_bystanders(struct stage *stage);

/* One victim_sleeper() on each cpu that is loaded, at that nice value. */
bool inject_sleepers(struct stage *stage, int nice);

/* Creates a file of that size in a folder, not sparse, written out to the disk and dropped from memory. Returns false after stage_fail(). */
bool inject_file(struct stage *stage, const char *folder, const char *name, uint64_t bytes, char ret_path[STAGE_PATH_BYTES]);

#endif
