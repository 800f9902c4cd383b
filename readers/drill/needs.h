/*
 * needs.h - what a kind of drill needs of the machine, and why it cannot be done where that is missing.
 */
#ifndef READERS_DRILL_NEEDS_H
#define READERS_DRILL_NEEDS_H

#include "readers/drill/inject.h"

/* Where a drill may work. */
struct needs_place {
	char directory[STAGE_PATH_BYTES]; /* for files */
	uint64_t memory_bytes;            /* that is available */
	uint32_t cpu_count;               /* the first that we may run on, of those that are to be loaded */
	uint16_t cpus[STAGE_CPUS];
};

/*
 * Looks at the machine.
 *   directory  where files are to be put; NULL for the folder of the database, else that for temporary files
 */
void needs_look(struct needs_place *ret_place, const char *directory, const char *database);

/* May a kind with these needs (bits of enum drill_need) be done? If not, `reason` receives why, in one sentence. */
bool needs_are_met(const struct needs_place *place, unsigned needs, char reason[STAGE_REASON_BYTES]);

/* "real-time scheduling, a folder on a disk": what these bits are. Returns out. */
char *needs_text(unsigned needs, char out[STAGE_REASON_BYTES]);

#endif
