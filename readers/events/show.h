/*
 * show.h - `rogue-hunter events show ID`: one event with its snapshots.
 */
#ifndef READERS_EVENTS_SHOW_H
#define READERS_EVENTS_SHOW_H

int show_main(int argc, char **argv);

#endif
