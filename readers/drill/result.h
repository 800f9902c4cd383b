/*
 * result.h - what the daemon said of a round: its pauses from the database, its samples from the ring.
 */
#ifndef READERS_DRILL_RESULT_H
#define READERS_DRILL_RESULT_H

#include "readers/drill/round.h"

struct result_source; /* a daemon that is asked */

/*
 * Attaches to the daemon of an instance (NULL: the usual one) and opens its database (NULL: the usual one).
 * Returns 0, or the exit code after a sentence.
 */
int result_open(const char *instance, const char *database, struct result_source **ret_source);
void result_close(struct result_source **source);

/* The collector's process. */
void result_collector(const struct result_source *source, pid_t *ret_pid, uint64_t *ret_start_ns);

/* A round begins; is looked at, every 50 ms; and is over, after which it is waited for a verdict, 3 s at most. */
void result_begin(struct result_source *source, const struct stage *stage);
void result_look(struct result_source *source, const struct stage *stage);
void result_end(struct result_source *source, const struct stage *stage, struct drill_round *round);

#endif
