/*
 * top.h - `rogue-hunter top`: the newest sample, once.
 */
#ifndef READERS_TOP_TOP_H
#define READERS_TOP_TOP_H

/* Returns 0, 1 failure, 2 usage, 3 no daemon or a sample of one that no longer runs. */
int top_main(int argc, char **argv);

#endif
