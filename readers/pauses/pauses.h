/*
 * pauses.h - `rogue-hunter pauses`, `explain` and `replay`: the pauses that were noticed, one of them in full, and those of a recorded ring.
 */
#ifndef READERS_PAUSES_PAUSES_H
#define READERS_PAUSES_PAUSES_H

/* Returns 0 ok, 1 failure, 2 usage, 3 no database. */
int pauses_main(int argc, char **argv);

/* Returns 0 ok, 1 failure, 2 usage, 3 no database, or no such pause. */
int explain_main(int argc, char **argv);

/* Returns 0 ok, 1 failure, 2 usage, 3 no ring in the file. */
int replay_main(int argc, char **argv);

#endif
