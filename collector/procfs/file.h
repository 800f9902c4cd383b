/*
 * file.h - reading files of processes, keeping those open that are read again and again.
 *
 * Opening a file of /proc costs three to five times as much as reading it, but a file kept open pins about 4.4 kB of kernel memory and
 * one descriptor. So there is room for a bounded number in two classes: schedstat of processes (of those that are active; of all where
 * there are no clocks, see clock.h) and the hot files (stat and io of active processes, schedstat of their threads). What finds no
 * room is opened, read and closed.
 *
 * A file kept open belongs to one process for good: once that is gone, reading gives ESRCH, even if its pid is in use again.
 */
#ifndef COLLECTOR_PROCFS_FILE_H
#define COLLECTOR_PROCFS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum procfs_file_class { PROCFS_FILE_GATE, PROCFS_FILE_HOT, PROCFS_FILE_CLASSES };

struct procfs_files {
	int root_fd;                         /* the mount point */
	bool is_procfs;                      /* false: a folder for tests and simulation; nothing of it is kept open */
	bool has_clocks;                     /* its processes have cpu clocks, see clock.h */
	bool refused;                        /* a file was not kept open for want of room; reset by the caller */
	uint32_t limit[PROCFS_FILE_CLASSES]; /* descriptors; lowered where the system has no more, see procfs_file_regain() */
	uint32_t room[PROCFS_FILE_CLASSES];  /* what the limits were at first */
	uint32_t open[PROCFS_FILE_CLASSES];
};

/*
 * Opens the mount point and finds out how many files can be kept open: at most fd_limit, and what the process may open less a reserve
 * (its soft limit is raised to the hard one). Returns 0 or -errno.
 */
int procfs_file_open_root(struct procfs_files *files, const char *proc_root, uint32_t fd_limit);
void procfs_file_close_root(struct procfs_files *files);

enum { PROCFS_FILE_PATH_BYTES = 48 };

/* Path of a file below the mount point: PID/name, or PID/task/TID/name. Returns out. */
const char *procfs_file_path(uint32_t pid, const char *name, char out[PROCFS_FILE_PATH_BYTES]);
const char *procfs_file_thread_path(uint32_t pid, uint32_t tid, const char *name, char out[PROCFS_FILE_PATH_BYTES]);

/* Is there no such process any more, if reading ended with this -errno? */
bool procfs_file_is_gone(ssize_t error);

/* Opens, reads at most size bytes (not ended by NUL), closes. Returns the length or -errno. */
ssize_t procfs_file_read_once(struct procfs_files *files, const char *path, char *buffer, size_t size);

/*
 * Reads a file through *fd if that is open; otherwise opens it, and keeps it in *fd if `keep` and the class has room.
 * Returns the length or -errno. Files of a process come whole in one read.
 */
ssize_t procfs_file_read(
        struct procfs_files *files, enum procfs_file_class class, int *fd, bool keep, const char *path, char *buffer, size_t size);

/* Is this class over its limit, since descriptors ran out? Then some of its files must be dropped, or none can be read once. */
bool procfs_file_is_over(const struct procfs_files *files, enum procfs_file_class class);

/* Raises lowered limits a little. To be called now and then. */
void procfs_file_regain(struct procfs_files *files);

/* Closes a file kept open, if it is. */
void procfs_file_drop(struct procfs_files *files, enum procfs_file_class class, int *fd);

#endif
