/*
 * victim.h - who stands still in a drill, and measures it: the truth that a verdict is held against.
 *
 * A victim goes round in turns of known length. What a turn takes longer than that it stood still; of a wait that reaches back before the begin of the
 * injection only the part since then counts.
 */
#ifndef READERS_DRILL_VICTIM_H
#define READERS_DRILL_VICTIM_H

#include "readers/drill/stage.h"

/* A place for the measures of the calling process; never NULL (beyond the last, one that nobody looks at). */
struct stage_stand *victim_stand(struct stage *stage);

/* A turn begins, and ends. */
void victim_turn_begins(struct stage_stand *stand, uint64_t from_ns);
void victim_turn_ends(struct stage *stage, struct stage_stand *stand);

/* Are victims still watched? */
bool victim_is_watched(const struct stage *stage);

/* Parts: sleeps a few ms, works a fraction of one (or `size` us), and looks how late it is; and one that never sleeps. */
void victim_sleeper(struct stage *stage, const struct stage_part *part);
void victim_spinner(struct stage *stage, const struct stage_part *part);
/* Writes 4 KiB to `path` and fsyncs, a few times a second. */
void victim_syncer(struct stage *stage, const struct stage_part *part);
/* Reads a page of `path` (size bytes) that is on the disk alone, a few times a second. */
void victim_cold_reader(struct stage *stage, const struct stage_part *part);
/* Reads all pages of `path` (size bytes), mapped, in each turn; 20 ms between. */
void victim_toucher(struct stage *stage, const struct stage_part *part);
/* Writes a byte to `path`, every 20 ms. */
void victim_byte_writer(struct stage *stage, const struct stage_part *part);

/* The longest stand-still of all victims so far, those still going on included. */
struct victim_truth {
	uint64_t longest_ns, sum_ns, count, from_ns, to_ns; /* from the first to the last of at least least_ns; 0 where there was none */
	uint32_t worst_pid;
	uint32_t victims; /* that stood still for least_ns */
};
void victim_truth(const struct stage *stage, struct victim_truth *ret_truth);

#endif
