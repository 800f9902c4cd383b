/*
 * drill.h - `rogue-hunter drill`: injects a known fault, bounded, and reports whether it was noticed and blamed right, and how fast.
 */
#ifndef READERS_DRILL_DRILL_H
#define READERS_DRILL_DRILL_H

/* Returns 0 ok, 1 a target was missed or failure, 2 usage, 3 no daemon. */
int drill_main(int argc, char **argv);

#endif
