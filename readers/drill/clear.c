/*
 * clear.c - putting back what a round of a drill changed: processes, files, control groups, and whom it stopped.
 */
#include "readers/drill/clear.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLEAR_MS = 10000, LOOK_MS = 5 };

/* Kills our children. A child that was not waited for keeps its number, so no other process can be hit. */
static void kill_children(void)
{
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (file)
		fclose(file);
}

void clear_processes(const struct stage *stage)
{
	uint64_t limit_ns = stage_now() + CLEAR_MS * (uint64_t)NS_PER_MS;
	uint32_t count = stage->actor_count;

	for (uint32_t i = 0; i < count && i < STAGE_ACTORS; i++) {
		const struct stage_actor *actor = &stage->actors[i];
		if (actor->pid && stage_start_time_ns((pid_t)actor->pid) == actor->start_time_ns)
			kill((pid_t)actor->pid, SIGKILL);
	}
	while (stage_now() < limit_ns) {
		pid_t gone;
		kill_children();
		while ((gone = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (gone < 0 && errno == ECHILD)
			return;
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	}
}

static void continue_stopped(struct stage *stage)
{
	pid_t pid = (pid_t)stage->stopped;

	if (pid > 0 && stage_start_time_ns(pid) == stage->stopped_start_ns)
		kill(pid, SIGCONT);
	stage->stopped = 0;
}

static void empty_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			unlinkat(fd, entry->d_name, 0);
	if (folder)
		closedir(folder);
	else
		closefd(&fd);
}

/* A process that is about to die may still make a file in it. */
void clear_folder(const char *path)
{
	uint64_t limit_ns = stage_now() + CLEAR_MS * (uint64_t)NS_PER_MS;

	empty_folder(path);
	while (rmdir(path) != 0 && errno == ENOTEMPTY && stage_now() < limit_ns) {
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
		empty_folder(path);
	}
}

/* Kills all that is in a group. */
static void empty_group(const char *path)
{
	char procs[STAGE_PATH_BYTES + 16];
	int pid;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	FILE *file = fopen(procs, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		if (pid != getpid())
			kill(pid, SIGKILL);
	if (file)
		fclose(file);
}

static void remove_group(const char *path)
{
	uint64_t limit_ns = stage_now() + CLEAR_MS * (uint64_t)NS_PER_MS;

	while (rmdir(path) != 0 && errno == EBUSY && stage_now() < limit_ns) {
		empty_group(path);
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	}
}

/* Is a group of a drill left below that root? */
static bool has_groups(const char *root)
{
	DIR *folder = opendir(root);
	bool found = false;

	for (struct dirent *entry; folder && !found && (entry = readdir(folder));)
		found = strncmp(entry->d_name, STAGE_GROUP_PREFIX, strlen(STAGE_GROUP_PREFIX)) == 0;
	if (folder)
		closedir(folder);
	return found;
}

/* Another drill's groups, which found the controller there, keep it. */
static void take_control_back(const struct stage_control *control)
{
	char path[STAGE_PATH_BYTES + 32], text[24];

	if (has_groups(control->root))
		return;
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", control->root);
	snprintf(text, sizeof(text), "-%s", control->name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && file_write_all(fd, text, strlen(text)) != 0)
		errno = 0; /* a group has given it on to groups of its own by now: it is in use */
	closefd(&fd);
}

void clear_rest(struct stage *stage)
{
	continue_stopped(stage);
	for (uint32_t i = 0; i < stage->group_count && i < STAGE_GROUPS; i++)
		remove_group(stage->groups[i]);
	for (uint32_t i = 0; i < stage->control_count && i < STAGE_GROUPS; i++)
		take_control_back(&stage->controls[i]);
	for (uint32_t i = 0; i < stage->folder_count && i < STAGE_FOLDERS; i++)
		clear_folder(stage->folders[i]);
	stage->group_count = stage->folder_count = stage->control_count = 0;
}
