/*
 * round.h - one round of a drill: what was injected, what the victims measured, and what was said of it.
 */
#ifndef READERS_DRILL_ROUND_H
#define READERS_DRILL_ROUND_H

#include "readers/drill/kinds.h"
#include "readers/drill/needs.h"
#include "readers/drill/victim.h"

enum { ROUND_TEXT_BYTES = 256 };

/* What the daemon said. Times are from the first stand-still, or from the end of the last; NAN where there is none. */
struct round_verdict {
	bool asked;                                /* else a dry run */
	bool detected, kind_right, culprit_right;  /* of the pause that fits best */
	bool wrong_sure;                           /* a stranger was named with more than 0.8 */
	uint32_t pause_count;                      /* that overlap the injection */
	char id[24], class[16], word[16], who[96]; /* "" for none */
	char sentence[ROUND_TEXT_BYTES];
	double both_ratio;
	double first_s, after_end_s;       /* from onset and end to the first time that it was in the database */
	double said_first_s, said_final_s; /* as the document says */
	uint64_t samples, samples_due;     /* published during the injection, and what the interval asks for */
	double lateness_s;                 /* the latest of them */
};

struct drill_round {
	const struct drill_kind *kind;
	uint64_t seed;
	uint32_t number; /* from 1 */
	char variant[STAGE_REASON_BYTES];
	char failure[STAGE_REASON_BYTES]; /* why it could not be played; "" if it was */
	uint64_t begin_ns, until_ns;
	struct victim_truth truth;
	char worst[RH_COMMAND_BYTES];
	bool happened; /* a victim stood still for as long as counts */
	struct round_verdict verdict;
};

/* How a drill is done. */
struct round_plan {
	struct needs_place place;
	uint64_t seconds, seed;       /* seed 0: plain names and middling sizes */
	struct result_source *source; /* what the daemon says; NULL for a dry run. Borrowed. */
};

/* Plays a round to its end, clears up, and asks. Takes the injection's time and up to 4 s more. */
void round_play(const struct round_plan *plan, const struct drill_kind *kind, uint32_t number, struct drill_round *ret_round);

#endif
