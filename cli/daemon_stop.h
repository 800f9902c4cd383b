/*
 * daemon_stop.h - `rogue-hunter daemon --stop`.
 */
#ifndef CLI_DAEMON_STOP_H
#define CLI_DAEMON_STOP_H

/* Ends the daemon of that instance and waits until it has. Returns 0, 1 where it cannot, 3 if none runs; one sentence on stderr for those. */
int daemon_stop(const char *instance);

#endif
