/*
 * judge.h - notices pauses in the samples of a ring, and judges them: class, culprits, victims, confidence, evidence.
 *
 * Samples go in, findings come out. It reads no clock, no file and no configuration but its own, only the ring: a recording judged again gives the
 * same findings. Most samples cost a look at their system record; the processes of the samples in a pause, and of the seconds before it, are gone
 * through when it is judged, at its first report, once a second while it lasts, and at its end.
 */
#ifndef PAUSE_JUDGE_H
#define PAUSE_JUDGE_H

#include "base/config.h"
#include "pause/pause.h"
#include "rogue/reader.h"

struct judge; /* owned by the caller of judge_new() until judge_free() */

/* `config` is borrowed for its life. NULL without memory. */
struct judge *judge_new(const struct config *config);
void judge_free(struct judge **judge);

/* The samples to come are of that boot and of another ring than before; what was open ends. `next_number` is that of the next pause of this boot, from 1. */
void judge_begin(struct judge *judge, const char *boot_id, uint32_t next_number);

/* Takes in the sample of a view, and looks back in its ring where there is something to judge. Samples come in order; missing ones are told by their numbers. */
void judge_step(struct judge *judge, struct rh_ring *ring, const struct rh_view *view);

/*
 * The next thing to tell, oldest first: an interim judgement, a final one, or one that replaces an earlier final one of the same number because the
 * pause went on. Returns false where there is none. Borrowed until the next call of a judge function.
 */
bool judge_next(struct judge *judge, struct pause *ret_pause);

/* The number that the next pause will get. */
uint32_t judge_next_number(const struct judge *judge);

/* Whether a pause is going on at the moment. */
bool judge_is_open(const struct judge *judge);

#endif
