/*
 * find.h - which pause is meant: "7c1f-44", "44", "last", "-2", "@14:03"; and the shortest id that says so.
 */
#ifndef READERS_PAUSES_FIND_H
#define READERS_PAUSES_FIND_H

#include "storage/pauses.h"

#include <stdbool.h>

enum { FIND_ID_BYTES = 32, FIND_DIGITS_LEAST = 4, FIND_DIGITS_MOST = 8 };

/*
 * Reads what was typed.
 *   now_ns  REALTIME: a time of day means the last one past
 * Returns false if it names no pause.
 */
bool find_read(const char *text, uint64_t now_ns, struct storage_pause_key *ret_key);

/* Does an argument look like "-2": the one before the last? */
bool find_is_back(const char *argument);

/* Shortest ids of one pause after the other. Begin with {0} and the storage. */
struct find_ids {
	struct storage *storage; /* borrowed */
	char boot_id[40];        /* private: the boot asked for last, and the digits that its pauses took so far */
	unsigned digits;
};

/*
 * How many digits of its boot id a pause needs, 4 to 8, to be no other's; at least as many as those of its boot before it, so that they look alike.
 * Cost: a query, and one more for each digit above 4.
 */
unsigned find_digits(struct find_ids *ids, const struct storage_pause *pause);

/* "7c1f-44". Returns out. */
char *find_id(struct find_ids *ids, const struct storage_pause *pause, char out[FIND_ID_BYTES]);

#endif
