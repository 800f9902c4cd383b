/*
 * pauses.h - pauses in the database: a row for lists and queries, its culprits and victims, and the whole finding as a JSON document.
 *
 * Conventions, errors and modes are those of storage.h.
 */
#ifndef STORAGE_PAUSES_H
#define STORAGE_PAUSES_H

#include "storage/storage.h"

enum { STORAGE_SENTENCE_BYTES = 241, STORAGE_WHO_BYTES = 88, STORAGE_CLASS_BYTES = 16, STORAGE_GROUP_BYTES = 96 };

/* A pause is known by its boot and its number in it. Codes are kept by name: whoever asks with SQL reads words. */
struct storage_pause {
	char boot_id[40];
	uint32_t number;                 /* per boot, from 1 */
	uint32_t merged_into;            /* 0: not merged */
	char state[STORAGE_CLASS_BYTES]; /* interim, final, merged */
	char class[STORAGE_CLASS_BYTES], word[STORAGE_CLASS_BYTES];
	uint64_t start_realtime_ns, start_boottime_ns, duration_ns, span_ns;
	float both_ratio;
	uint64_t signals;
	char judge[24];
	char worst[STORAGE_WHO_BYTES], who[STORAGE_WHO_BYTES]; /* as in lists */
	char sentence[STORAGE_SENTENCE_BYTES];
};

struct storage_culprit {
	uint32_t rank; /* from 1 */
	char role[STORAGE_CLASS_BYTES], kind[STORAGE_CLASS_BYTES];
	char name[STORAGE_WHO_BYTES];
	char command[RH_COMMAND_BYTES]; /* any bytes */
	uint32_t pid, process_count;
	uint64_t start_time_ns, harm_ns;
	float share_ratio; /* NAN: NULL */
	double amount;
	char cgroup[STORAGE_GROUP_BYTES];
};

struct storage_victim {
	uint32_t rank;
	char name[STORAGE_WHO_BYTES];
	char command[RH_COMMAND_BYTES];
	uint32_t pid;
	uint64_t start_time_ns, longest_ns, total_ns;
	char wait[STORAGE_CLASS_BYTES];
	char cgroup[STORAGE_GROUP_BYTES];
};

/* ---- writing (STORAGE_TRACK, inside a transaction) ---- */

/*
 * Inserts a pause, or replaces what was kept under its boot and number, culprits and victims included. `document` is the JSON text of one line.
 * Returns 0 or -errno; the caller then rolls back.
 */
int storage_put_pause(struct storage *storage, const struct storage_pause *pause, const char *document,
        const struct storage_culprit *culprits, uint32_t culprit_count, const struct storage_victim *victims, uint32_t victim_count);

/* Interim pauses of other boots, or of this one left by an earlier tracker, become final as they are (in the row; documents keep what was said). Returns their number or -errno. */
int storage_finish_interim_pauses(struct storage *storage);

/* ---- queries (every mode) ---- */

struct storage_pause_filter {
	uint64_t since_realtime_ns, until_realtime_ns; /* that overlap it; 0 no limit */
	const char *class;                             /* NULL: any */
	bool with_merged;
	uint64_t
	        before_realtime_ns; /* only pauses that began before: for paging, the start of the last one received; 0 begins with the newest */
};

/* Newest first. Returns the number of rows, or -errno. */
int storage_pauses(struct storage *storage, const struct storage_pause_filter *filter, struct storage_pause *rows, size_t capacity);

/* Which pause is meant. */
struct storage_pause_key {
	char boot_prefix[40];    /* "" any boot: the newest pause of that number */
	uint32_t number;         /* 0: the newest but `back` */
	uint32_t back;           /* 0 the newest, 1 the one before, ... */
	uint64_t at_realtime_ns; /* not 0: the one that was going on then, or the nearest within an hour */
};

/* The row, and its document (owned by the caller; free()). Returns 1, 0 if there is none, -ENOTUNIQ if the prefix names two boots, or -errno. */
int storage_pause_find(struct storage *storage, const struct storage_pause_key *key, struct storage_pause *ret_pause, char **ret_document);

/* Highest number given out in that boot, 0 for none; or -errno. */
int64_t storage_last_pause_number(struct storage *storage, const char *boot_id);

/* Pauses of that class, or of any for NULL, that began since then and are not merged. Returns their number or -errno. */
int storage_count_pauses(struct storage *storage, const char *class, uint64_t since_realtime_ns);

#endif
