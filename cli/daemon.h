/*
 * daemon.h - `rogue-hunter daemon`: collector and tracker, supervised, in the background or on this terminal; and the end of it.
 */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

/* Returns 0 once the daemon runs (or, in the foreground, has ended in good order), 1 failure or already running, 2 usage or configuration, 3 nothing to
 * stop, 4 no room for the ring or the database. */
int daemon_main(int argc, char **argv);

#endif
