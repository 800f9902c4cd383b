/*
 * inject_group.c - control groups of a round, of version 1 (a tree for each controller) or 2 (one tree).
 */
#include "readers/drill/inject_group.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_BYTES = 512 };

/* Name of a controller in both versions, and the file that only a usable one of version 1 has at its root or below. */
static const char *const names[] = {[GROUP_CPU] = "cpu", [GROUP_MEMORY] = "memory", [GROUP_PIDS] = "pids"};

struct root {
	char path[STAGE_PATH_BYTES];
	bool unified; /* version 2 */
};

/* Is the word one of a list? */
static bool has_word(const char *list, const char *word, const char *separators)
{
	size_t length = strlen(word);

	for (const char *at = list + strspn(list, separators); *at; at += strspn(at, separators)) {
		size_t span = strcspn(at, separators);
		if (span == length && strncmp(at, word, length) == 0)
			return true;
		at += span;
	}
	return false;
}

static bool has_controller(const char *path, const char *name)
{
	char file[STAGE_PATH_BYTES + 24], text[TEXT_BYTES];

	snprintf(file, sizeof(file), "%s/cgroup.controllers", path);
	return file_read_at(AT_FDCWD, file, text, sizeof(text)) > 0 && has_word(text, name, " \n");
}

/* Where the controller is mounted. Returns false where it is not. */
static bool find_root(enum group_controller controller, struct root *ret_root)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool found = false;
	struct mntent *entry;

	while (mounts && !found && (entry = getmntent(mounts))) {
		if (strlen(entry->mnt_dir) >= sizeof(ret_root->path) - 64)
			continue;
		if (strcmp(entry->mnt_type, "cgroup") == 0)
			found = has_word(entry->mnt_opts, names[controller], ",");
		else if (strcmp(entry->mnt_type, "cgroup2") == 0)
			found = has_controller(entry->mnt_dir, names[controller]);
		ret_root->unified = strcmp(entry->mnt_type, "cgroup2") == 0;
		snprintf(ret_root->path, sizeof(ret_root->path), "%s", entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

bool group_is_usable(enum group_controller controller, char reason[STAGE_REASON_BYTES])
{
	struct root root;

	if (!find_root(controller, &root))
		snprintf(reason, STAGE_REASON_BYTES, "no control group controller \"%s\" is mounted", names[controller]);
	else if (access(root.path, W_OK) != 0)
		snprintf(reason, STAGE_REASON_BYTES, "no control group can be made in %s: %s", root.path, strerror(errno));
	else
		return true;
	return false;
}

/* Writes into a file of a group. Returns 0 or -errno. */
static int put(const char *group, const char *file, const char *text)
{
	char path[STAGE_PATH_BYTES + 48];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int failed = fd < 0 ? -errno : file_write_all(fd, text, strlen(text));
	closefd(&fd);
	return failed;
}

/* Gives the controller to the groups below the root. Where they did not have it that is noted first, and taken back in the end. */
static void give_control(struct stage *stage, const char *root, const char *name)
{
	char path[STAGE_PATH_BYTES + 48], text[TEXT_BYTES];
	uint32_t i = stage->control_count;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	if (i == STAGE_GROUPS || file_read_at(AT_FDCWD, path, text, sizeof(text)) < 0 || has_word(text, name, " \n"))
		return;
	snprintf(stage->controls[i].root, STAGE_PATH_BYTES, "%s", root);
	snprintf(stage->controls[i].name, sizeof(stage->controls[i].name), "%s", name);
	stage->control_count = i + 1;
	snprintf(text, sizeof(text), "+%s", name);
	if (put(root, "cgroup.subtree_control", text) != 0)
		stage->control_count = i; /* so does the limit fail, which is told */
}

const char *group_create(struct stage *stage, enum group_controller controller)
{
	uint32_t i = stage->group_count;
	struct root root;
	char reason[STAGE_REASON_BYTES];

	if (!group_is_usable(controller, reason) || !find_root(controller, &root) || i == STAGE_GROUPS) {
		stage_fail(stage, "%s", i == STAGE_GROUPS ? "too many control groups" : reason);
		return NULL;
	}
	if (root.unified)
		give_control(stage, root.path, names[controller]);
	snprintf(stage->groups[i], STAGE_PATH_BYTES, "%s/" STAGE_GROUP_PREFIX "%d-%u", root.path, (int)getpid(), i);
	if (mkdir(stage->groups[i], 0755) != 0) {
		stage_fail(stage, "no control group can be made in %s: %s", root.path, strerror(errno));
		return NULL;
	}
	stage->group_count = i + 1;
	return stage->groups[i];
}

/* Writes into the file of whichever version the group is of. */
static bool limit(
        struct stage *stage, const char *group, const char *v1_file, const char *v1_text, const char *v2_file, const char *v2_text)
{
	int failed = put(group, v1_file, v1_text);

	if (failed == -ENOENT)
		failed = put(group, v2_file, v2_text);
	return failed == 0 || stage_fail(stage, "%s cannot be limited: %s", group, strerror(-failed));
}

bool group_limit_cpu(struct stage *stage, const char *group, uint64_t quota_us, uint64_t period_us)
{
	char quota[32], period[32], both[80];

	snprintf(quota, sizeof(quota), "%" PRIu64, quota_us);
	snprintf(period, sizeof(period), "%" PRIu64, period_us);
	snprintf(both, sizeof(both), "%s %s", quota, period);
	return limit(stage, group, "cpu.cfs_period_us", period, "cpu.max", both) &&
	       limit(stage, group, "cpu.cfs_quota_us", quota, "cpu.max", both);
}

bool group_limit_memory(struct stage *stage, const char *group, uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	return limit(stage, group, "memory.limit_in_bytes", text, "memory.max", text);
}

bool group_limit_pids(struct stage *stage, const char *group, uint64_t count)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, count);
	return limit(stage, group, "pids.max", text, "pids.max", text);
}

bool group_enter(const char *group)
{
	int failed = put(group, "cgroup.procs", "0");

	errno = -failed;
	return failed == 0;
}
