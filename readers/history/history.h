/*
 * history.h - `rogue-hunter history`: what was recorded, by time, command and band.
 */
#ifndef READERS_HISTORY_HISTORY_H
#define READERS_HISTORY_HISTORY_H

/* Returns 0 ok, 1 failure, 2 usage, 3 no database, or nothing in it that fits. */
int history_main(int argc, char **argv);

#endif
