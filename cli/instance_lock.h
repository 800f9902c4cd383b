/*
 * instance_lock.h - one daemon per instance name, and finding it.
 *
 * A record lock (fcntl) on the file of path_lock(): the kernel drops it with the process, however that ends, and says which process holds
 * it. So no pid is ever read from a file, and none can be stale. The file stays; only the lock counts.
 */
#ifndef CLI_INSTANCE_LOCK_H
#define CLI_INSTANCE_LOCK_H

#include <sys/types.h>

/*
 * Takes the lock for the calling process, until it ends. A fork does not inherit it: call this in the process that stays.
 * Returns 0, or -errno with a sentence in `error`; -EAGAIN where another process has it, whose pid the sentence names.
 */
int instance_lock_take(const char *instance, char error[256]);

/* Returns the pid of the process that holds the lock, 0 if there is none, or -errno with a sentence in `error`. */
pid_t instance_lock_holder(const char *instance, char error[256]);

#endif
