/*
 * events.h - `rogue-hunter events`: what was tracked.
 */
#ifndef READERS_EVENTS_EVENTS_H
#define READERS_EVENTS_EVENTS_H

/* Returns 0 ok, 1 failure, 2 usage, 3 no database or no such event. */
int events_main(int argc, char **argv);

#endif
