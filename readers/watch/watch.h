/*
 * watch.h - `rogue-hunter watch`: one line for each sample.
 */
#ifndef READERS_WATCH_WATCH_H
#define READERS_WATCH_WATCH_H

/* Returns 0 (also when interrupted), 1 failure, 2 usage, 3 no daemon. */
int watch_main(int argc, char **argv);

#endif
