/* ring_watch.c - the supervisor's view of the ring, through the same library as every other reader. */
#include "cli/ring_watch.h"

#include "base/clock.h"
#include "base/file.h"
#include "rogue/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* State of the writer of the instance's ring, RH_NO_SEGMENT where the ring is not the work of that process. */
static enum rh_status state_of(const char *instance, pid_t writer)
{
	enum rh_status state = RH_NO_SEGMENT;
	struct rh_ring *ring;
	struct rh_info info;

	if (rh_open(instance, &ring, NULL) != RH_OK)
		return RH_NO_SEGMENT;
	rh_info(ring, &info);
	if (info.writer_pid == (uint32_t)writer)
		state = rh_writer_status(ring);
	rh_close(&ring);
	return state;
}

static bool has_living_writer(const char *instance)
{
	enum rh_status state;
	struct rh_ring *ring;

	if (rh_open(instance, &ring, NULL) != RH_OK)
		return false;
	state = rh_writer_status(ring);
	rh_close(&ring);
	return state == RH_RUNNING || state == RH_HUNG;
}

void ring_watch_await_orphan(const char *instance)
{
	enum { LOOKS = 250, LOOK_MS = 20 };
	struct timespec pause = clock_timespec((uint64_t)LOOK_MS * NS_PER_MS);

	for (int i = 0; i < LOOKS && has_living_writer(instance); i++)
		nanosleep(&pause, NULL);
}

/* Letter of the state in /proc/PID/stat, behind the last ')': the name in front may hold any. */
static char process_state(pid_t pid)
{
	char path[40], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return '?';
	const char *end_of_name = strrchr(text, ')');
	return end_of_name && end_of_name[1] == ' ' ? end_of_name[2] : '?';
}

bool ring_watch_is_hung(const char *instance, pid_t collector)
{
	if (state_of(instance, collector) != RH_HUNG)
		return false;
	char state = process_state(collector);
	return state != 'T' && state != 't';
}

/* Is that the name of an unfinished segment of the instance, by a process that is no more? */
static bool is_left_over(const char *name, const char *segment)
{
	size_t length = strlen(segment), digits;

	if (strncmp(name, segment, length) != 0 || name[length] != '.')
		return false;
	name += length + 1;
	digits = strspn(name, "0123456789");
	if (digits == 0 || digits > 9 || strcmp(name + digits, ".new") != 0)
		return false;
	return kill((pid_t)strtol(name, NULL, 10), 0) != 0 && errno == ESRCH;
}

unsigned ring_watch_sweep(const char *instance)
{
	const struct dirent *entry;
	struct stat status;
	unsigned removed = 0;
	char name[80];

	DIR *folder = rh_segment_name(instance, name) == RH_OK ? opendir("/dev/shm") : NULL;
	while (folder && (entry = readdir(folder)) != NULL)
		if (is_left_over(entry->d_name, name + 1) && fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		        status.st_uid == geteuid() && unlinkat(dirfd(folder), entry->d_name, 0) == 0)
			removed++;
	if (folder)
		closedir(folder);
	return removed;
}

bool ring_watch_remove(const char *instance, pid_t collector)
{
	char name[80];

	return state_of(instance, collector) == RH_DEAD && rh_segment_name(instance, name) == RH_OK && shm_unlink(name) == 0;
}
