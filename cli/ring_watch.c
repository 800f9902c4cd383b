/* ring_watch.c - the supervisor's view of the ring, through the same library as every other reader. */
#include "cli/ring_watch.h"

#include "base/clock.h"
#include "base/file.h"
#include "rogue/reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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

bool ring_watch_remove(const char *instance, pid_t collector)
{
	char name[80];

	return state_of(instance, collector) == RH_DEAD && rh_segment_name(instance, name) == RH_OK && shm_unlink(name) == 0;
}
