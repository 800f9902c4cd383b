/*
 * procfs_live.h - the /proc back end on the real /proc, and children to look at. For tests; failures end the test.
 */
#ifndef TESTS_PROCFS_LIVE_H
#define TESTS_PROCFS_LIVE_H

#include "collector/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCFS_LIVE_CAPACITY = 65536 };

struct procfs_live {
	struct source *source;
	struct raw_process *records; /* [PROCFS_LIVE_CAPACITY] */
	struct raw_system system;
	struct source_tick tick;
};

/* ThreadSanitizer runs a thread of its own in each process: what a test expects of the threads of its children does not hold. */
#if defined(__SANITIZE_THREAD__)
#define PROCFS_LIVE_SKIPPED true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PROCFS_LIVE_SKIPPED true
#endif
#endif
#ifndef PROCFS_LIVE_SKIPPED
#define PROCFS_LIVE_SKIPPED false
#endif

/* Opens /proc with at most fd_limit files kept open, REFRESH_PARTS refresh parts and threads looked at up to 64. */
void procfs_live_open(struct procfs_live *live, uint32_t fd_limit, uint32_t refresh_parts);
void procfs_live_close(struct procfs_live *live);
void procfs_live_tick(struct procfs_live *live);

/* The record of that process in the newest tick, or NULL. */
const struct raw_process *procfs_live_find(const struct procfs_live *live, pid_t pid);

/*
 * Starts a child that runs `work` and then sleeps. Returns its pid once it sleeps: it does not run again until it is told to. The child ends
 * with this process, however it ends.
 */
pid_t procfs_live_child(void (*work)(void));

/* The same with a pid of its own choice, which nobody may have. Returns -errno if the kernel or the rights do not allow it. */
pid_t procfs_live_child_as(pid_t pid, void (*work)(void));

/* Kills the child and waits for it. */
void procfs_live_kill(pid_t pid);

/* Waits until /proc says that the main thread of the process is in that state. */
void procfs_live_await_state(pid_t pid, char state);

/* cpu time of a process by its clock, in ns. */
uint64_t procfs_live_cpu_ns(pid_t pid);

/* The number behind `key` in /proc/PID/file, read with the C library. Fails the test if there is none. */
uint64_t procfs_live_number(pid_t pid, const char *file, const char *key);

#endif
