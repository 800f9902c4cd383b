/*
 * clear.h - putting back what a round of a drill changed.
 */
#ifndef READERS_DRILL_CLEAR_H
#define READERS_DRILL_CLEAR_H

#include "readers/drill/stage.h"

/* Kills all descendants of the calling process, which must be their subreaper, and waits for them, 10 s at most. */
void clear_processes(const struct stage *stage);

/*
 * Continues what was stopped, removes the folders with their files, and the control groups with whoever is left in them; takes back the controllers that
 * these were given.
 */
void clear_rest(struct stage *stage);

/* Removes a folder with the files in it, none of which may be a folder. One that is not there is none to remove. Tries for 10 s at most. */
void clear_folder(const char *path);

#endif
