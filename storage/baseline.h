/*
 * baseline.h - how each command usually behaves, day by day, in the database.
 *
 * A day is one of UTC: it neither jumps with the clocks nor moves with the machine, so that rows written under different zones still add up.
 *
 * Conventions, errors and modes are those of storage.h.
 */
#ifndef STORAGE_BASELINE_H
#define STORAGE_BASELINE_H

#include "base/sketch.h"
#include "storage/storage.h"

/* One command on one day. */
struct storage_baseline {
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) STORAGE_DECLARE_##type(name);
#include "storage/columns.def"
	struct sketch score, cpu_pct; /* of the process with the highest at each moment */
};

/* One command over several days. */
struct storage_usual {
	uint32_t days, first_day; /* days of which something is known, and the first of them; 0 if there is none */
	uint32_t earlier_days;    /* of them, those before `until_day` */
	uint32_t days_as_high;    /* of the earlier ones, those whose peak was at least what was asked about */
	uint64_t samples_count;
	float peak_score, peak_cpu_pct;
	uint32_t pauses_count;
	struct sketch score, cpu_pct;
};

/* What is asked about a command. */
struct storage_usual_query {
	const char *command; /* [RH_COMMAND_BYTES] any bytes */
	uint32_t since_day, until_day;
	float score, cpu_pct; /* days with such a score, or where that is NAN such a cpu use, are counted */
};

/* ---- writing (STORAGE_TRACK, inside a transaction) ---- */

/* Merges each row into what is kept of that command and day; its id does not matter. Returns 0 or -errno; the caller then rolls back. */
int storage_put_baselines(struct storage *storage, const struct storage_baseline *rows, size_t count);

/* ---- queries (every mode) ---- */

/*
 * All that is known of a command over the days since_day to until_day. A sketch that is damaged counts as empty.
 * Returns 1, 0 if nothing is known, or -errno. Cost: a look at one row a day.
 */
int storage_usual(struct storage *storage, const struct storage_usual_query *query, struct storage_usual *ret_usual);

#endif
