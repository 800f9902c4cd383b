/*
 * group.h - control groups of processes and what they allow, from /proc/PID/cgroup and the files of the cgroup file systems. Linux, v1 and v2.
 *
 * Paths are the kernel's own, any bytes but newline, until group_show() makes them fit for people.
 */
#ifndef TRACKER_GROUP_H
#define TRACKER_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GROUP_PATH_BYTES = 1024, GROUP_UNIT_BYTES = 64, GROUP_FILE_BYTES = GROUP_PATH_BYTES + 64 };

/* Which tree is asked for. Of v1, where each controller may have a tree of its own, that controller's goes before the unified one. */
enum group_tree { GROUP_TREE_unified, GROUP_TREE_cpu, GROUP_TREE_memory };

/* Where the trees are, below a folder. */
struct group_trees {
	int fd;                    /* of the folder; borrowed */
	const char *unified, *cpu; /* NULL: not there */
};

/* What a process tells of itself. */
struct group_member {
	char path[GROUP_PATH_BYTES]; /* "" not known; "/" the root */
	bool present;                /* the process lives, and is the one that is meant */
	bool unified;                /* the path is of the v2 tree */
	bool removed;                /* the group is gone, though the process is still in it */
	uint32_t session;            /* its id; 0 not known */
};

/*
 * Takes session and start time of the text of /proc/PID/stat, whatever the command name in it. Returns false where it is no such text.
 *   ret_start_ns  since boot, suspend included; truncated to the kernel's ticks
 */
bool group_read_stat(const char *text, uint32_t *ret_session, uint64_t *ret_start_ns);

/* Takes the path of that tree out of the text of /proc/PID/cgroup. Returns false, with an empty path, where there is none or it is too long. */
bool group_read_path(const char *text, enum group_tree tree, struct group_member *member);

/* Can files of the group be asked for? Not of one outside of our own namespace, of one that is removed, or of no path. */
bool group_has_files(const struct group_member *member);

/* Path of a file of a group in the tree mounted there, NULL where it is mounted nowhere, or the path is too long. Returns out. */
const char *group_file(const char *mount, const char *group, const char *file, char out[GROUP_FILE_BYTES]);

/* Cuts the last component off. Returns false at the root, which is left as it is. */
bool group_parent(char path[GROUP_PATH_BYTES]);

/* The path as printable ASCII. Of one that is too long parts in the middle are replaced by "~": who manages it is at its begin, its name at the end. Returns out. */
char *group_show(const char *path, char *out, size_t size);

/*
 * The innermost service or scope, else slice, of the path: what systemctl calls it. Returns the length of the path up to its end; 0, with "" in unit,
 * where there is none, or its name is too long.
 */
size_t group_unit(const char *path, char unit[GROUP_UNIT_BYTES]);

/* Is there such a word among those that spaces, commas or newlines divide? */
bool group_lists(const char *words, const char *word);

/* The texts of cpu.max ("20000 100000"), or cpu.cfs_quota_us and cpu.cfs_period_us. Returns false where there is no limit, or no sense. */
bool group_read_cpu_max(const char *text, uint64_t *ret_quota_ns, uint64_t *ret_period_ns);
bool group_read_cfs(const char *quota, const char *period, uint64_t *ret_quota_ns, uint64_t *ret_period_ns);

#endif
