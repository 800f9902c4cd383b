/*
 * log_writer.h - a thread that writes lines which another thread has no time to write. Used by log.c alone.
 *
 * One thread puts, the writer takes: a ring of fixed slots, without locks. A disk that stalls holds up the writer alone.
 */
#ifndef BASE_LOG_WRITER_H
#define BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Starts the thread, at the lowest priority of the normal policy. There is one at most.
 *   write  called in it for each line, in order
 * Returns 0 or -errno.
 */
int log_writer_start(void (*write)(const char *text, size_t length));

/* Does it run? */
bool log_writer_runs(void);

/* Hands it a line, which is copied. Never waits. Returns false where there is no room, or the line is longer than a slot (4,096 bytes). */
bool log_writer_put(const char *text, size_t length);

/*
 * Lets it write what it has, and ends it. Waits for at most a second: a writer that hangs then is left alone. Returns whether it has ended: if not, what
 * it uses must stay.
 */
bool log_writer_stop(void);

#endif
