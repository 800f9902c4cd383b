/*
 * pauses.h - what becomes of a finding of the judge: surroundings and remedies are added, it is put into words, kept for the database, logged, and
 * told to the journal and to notify.command.
 *
 * Findings wait in memory until they are stored: one for each pause, the newest, and at most PAUSES_QUEUE of them. Who stores takes them all in one
 * transaction and says pauses_stored(). While storing is impossible newer findings take the place of older ones of the same pause, and where there is no
 * room the oldest goes, and is counted.
 */
#ifndef TRACKER_PAUSES_H
#define TRACKER_PAUSES_H

#include "pause/remedy.h"
#include "readers/tracker/notify.h"
#include "storage/pauses.h"

struct surroundings; /* readers/tracker/surroundings.h */

enum { PAUSES_QUEUE = 32, PAUSES_KNOWN = 64 };

/* A finding in words, that waits to be stored. */
struct pauses_entry {
	bool used, final, merged;
	uint8_t class;
	uint64_t order; /* rises with each finding */
	struct storage_pause row;
	struct storage_culprit culprits[PAUSE_CULPRITS];
	struct storage_victim victims[PAUSE_VICTIMS];
	uint32_t culprit_count, victim_count;
	char *document; /* owned */
};

/* Who is blamed, so far as it makes a difference to people: one of forty compilers more or less does not. */
struct pauses_verdict {
	uint8_t class, kind;
	bool named;
	uint32_t pid, ancestor_pid;
	uint64_t start_time_ns;
	char command[RH_COMMAND_BYTES];
};

/* What was done about a pause so far. */
struct pauses_known {
	char boot_id[40];
	uint32_t number; /* 0: none */
	uint8_t stored_class;
	bool stored, logged, final_logged, notified;
	uint64_t judged_ns; /* when the verdict was first heard */
	uint64_t logged_duration_ns;
	struct pauses_verdict verdict, logged_verdict;
};

struct pauses {
	/* results */
	uint64_t found_count, dropped_count;
	char last_id[PAUSE_ID_BYTES];
	/* private */
	const struct config *config;       /* borrowed */
	struct surroundings *surroundings; /* borrowed; NULL: nothing is known of the machine */
	struct notify *notify;             /* borrowed; NULL: nobody is told */
	uint64_t order;
	uint32_t next_known;
	struct pauses_entry queue[PAUSES_QUEUE];
	struct pauses_known known[PAUSES_KNOWN]; /* the last ones */
};

/* Allocates it (owned; pauses_free()); what it is given is borrowed for its life. NULL without memory. */
struct pauses *pauses_new(const struct config *config, struct surroundings *surroundings, struct notify *notify);
void pauses_free(struct pauses **pauses);

/*
 * Takes a finding in.
 *   pause    is filled up in place
 *   facts    what the caller knows already, zeroed else; filled up likewise
 *   storage  to count the pauses of the day; NULL where it cannot be asked
 *   now_ns   BOOTTIME
 * Returns whether it is the first final judgement of this pause.
 * Cost: what surroundings_gather() takes, three queries, a document of some 10 KiB.
 */
bool pauses_take(struct pauses *pauses, struct pause *pause, struct pause_facts *facts, struct storage *storage, uint64_t now_ns);

/* Is there anything to be stored? `ret_urgent`: it is worth a sync of the disk. */
bool pauses_are_marked(const struct pauses *pauses, bool *ret_urgent);

/* Stores all that waits, in the transaction that is open. Returns 0 or -errno. */
int pauses_put(const struct pauses *pauses, struct storage *storage);

/* The transaction is committed. */
void pauses_stored(struct pauses *pauses);

/* The number from which a new row of pauses of that boot may be counted: above every one that is stored or waits. 0 where the database cannot be asked. */
uint32_t pauses_next_number(const struct pauses *pauses, struct storage *storage, const char *boot_id);

#endif
