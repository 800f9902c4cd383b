/*
 * ring_watch.h - the supervisor's view of the ring: does the collector still publish, and what did a dead one leave behind?
 */
#ifndef CLI_RING_WATCH_H
#define CLI_RING_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

/* Does that collector live and run, and yet publish nothing? One that is stopped (SIGSTOP, a debugger) is not hung: somebody wants it so. */
bool ring_watch_is_hung(const char *instance, pid_t collector);

/*
 * Waits until no living collector has the ring. Those of a daemon that was killed end by themselves, but a moment after it, and the next daemon may
 * come sooner. Gives up after 5 s: such a collector is nobody's orphan, and the next one will say so.
 */
void ring_watch_await_orphan(const char *instance);

/* Removes the segment of that collector if it died without doing so. Returns true if there was one to remove. */
bool ring_watch_remove(const char *instance, pid_t collector);

/*
 * Removes segments that collectors of this user and name were making when they were killed: "NAME.PID.new", of pids that are no more. Returns how
 * many.
 */
unsigned ring_watch_sweep(const char *instance);

#endif
