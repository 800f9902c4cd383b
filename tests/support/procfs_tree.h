/*
 * procfs_tree.h - a folder that looks like /proc, for tests of what reads it. Text is written as Linux 6 writes it.
 */
#ifndef TESTS_PROCFS_TREE_H
#define TESTS_PROCFS_TREE_H

#include <stdint.h>
#include <sys/types.h>

struct procfs_tree {
	char root[256];
};

/* One process, in the units of its files. */
struct procfs_tree_process {
	uint32_t pid, ppid, uid, threads, policy;
	const char *command;
	char state;
	uint32_t flags;
	int priority, nice;
	uint64_t minor_faults, major_faults, user_ticks, system_ticks, start_ticks, rss_pages, blkio_ticks;
	uint64_t run_ns, wait_ns, slices;
	uint64_t read_calls, write_calls, read_bytes, write_bytes;
	uint64_t peak_kb, rss_kb, anon_kb, shmem_kb, swap_kb, voluntary, involuntary; /* no memory lines where rss_kb is 0 */
};

/* Creates an empty folder. Returns 0 or -errno. */
int procfs_tree_open(struct procfs_tree *tree);

/* Removes the folder and all in it. */
void procfs_tree_close(struct procfs_tree *tree);

/* Writes a file, its folders included. Aborts where that fails: the test cannot go on. */
void procfs_tree_write(const struct procfs_tree *tree, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes bytes as they are. */
void procfs_tree_write_bytes(const struct procfs_tree *tree, const char *path, const void *bytes, size_t length);

/* Removes a file, or a folder with all in it. */
void procfs_tree_remove(const struct procfs_tree *tree, const char *path);

/* A process with sensible values. */
struct procfs_tree_process procfs_tree_process(uint32_t pid, const char *command);

/* Writes stat, schedstat, io and status of the process. */
void procfs_tree_put(const struct procfs_tree *tree, const struct procfs_tree_process *process);

/* Writes schedstat and stat of one of its threads. */
void procfs_tree_put_thread(
        const struct procfs_tree *tree, uint32_t pid, uint32_t tid, char state, uint64_t run_ns, uint64_t wait_ns, uint64_t slices);

/* Writes the files of an idle machine with two cpus and one disk. */
void procfs_tree_put_machine(const struct procfs_tree *tree);

#endif
