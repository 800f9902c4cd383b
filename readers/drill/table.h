/*
 * table.h - rounds of a drill for people and as JSON, and their sums with the targets.
 */
#ifndef READERS_DRILL_TABLE_H
#define READERS_DRILL_TABLE_H

#include "readers/drill/round.h"

/* One round: a few lines for people, one line of JSON. */
void drill_table_round(const struct drill_round *round);
void drill_table_round_json(const struct drill_round *round);

/* Sums over rounds. */
struct drill_sums {
	struct drill_sum {
		uint32_t rounds, failed, happened, detected, kind_right, culprit_right, wrong_sure, false_alarms, timed;
		uint64_t samples, samples_due;
		float first_s[1000]; /* of the rounds that were detected, up to that many */
	} kinds[DRILL_KINDS];
};
void drill_table_add(struct drill_sums *sums, const struct drill_round *round);

/* Prints a line for each kind that was done, and the targets. Returns whether all are met. */
bool drill_table_sums(struct drill_sums *sums, bool quiet);

#endif
