/*
 * prune.h - `rogue-hunter prune`: removes what is past its time.
 */
#ifndef READERS_PRUNE_PRUNE_H
#define READERS_PRUNE_PRUNE_H

/* Returns 0 ok, 1 failure or refused, 2 usage, 3 no database, 4 disk full. */
int prune_main(int argc, char **argv);

#endif
