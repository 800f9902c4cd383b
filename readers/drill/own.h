/*
 * own.h - a daemon for the drill alone, with ring and database of its own, that is gone when the drill is.
 */
#ifndef READERS_DRILL_OWN_H
#define READERS_DRILL_OWN_H

#include <stdbool.h>
#include <sys/types.h>

enum { OWN_PATH_BYTES = 320 };

struct own {
	char name[32];               /* of the instance */
	char folder[OWN_PATH_BYTES]; /* that is removed with all files in it */
	char database[OWN_PATH_BYTES];
	pid_t warden; /* ends the daemon and removes the folder as soon as the pipe is closed; -1 for none */
	int pipe;
};

/* Starts it and waits until it publishes and stores, 20 s at most. Returns whether it does; complains if not. */
bool own_start(struct own *own);

/* Ends it, and waits until all is removed. */
void own_stop(struct own *own);

#endif
