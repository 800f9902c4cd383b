/*
 * needs.c - what a kind of drill needs of the machine: memory that is free, rights, control groups, a folder of the right sort.
 */
#include "readers/drill/needs.h"

#include "base/capability.h"
#include "base/file.h"
#include "readers/drill/inject_group.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { LEAST_MIB = 1024, DISK_LEAST_MIB = 6144, MEMINFO_BYTES = 4096 };

static uint64_t available_bytes(void)
{
	char text[MEMINFO_BYTES];
	const char *at = file_read_at(AT_FDCWD, "/proc/meminfo", text, sizeof(text)) > 0 ? strstr(text, "MemAvailable:") : NULL;
	return at ? strtoull(at + strlen("MemAvailable:"), NULL, 10) << 10 : 0;
}

static void find_cpus(struct needs_place *place)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return; /* more cpus than fit there: none is bound to, and no kind can be done */
	for (unsigned i = 0; i < CPU_SETSIZE && place->cpu_count < STAGE_CPUS; i++)
		if (CPU_ISSET(i, &cpus))
			place->cpus[place->cpu_count++] = (uint16_t)i;
}

/* Copies all of a path but its last part. */
static void copy_folder(const char *path, char out[STAGE_PATH_BYTES])
{
	const char *end = strrchr(path, '/');
	snprintf(out, STAGE_PATH_BYTES, "%.*s", end ? (int)(end - path) : 0, path);
}

void needs_look(struct needs_place *ret_place, const char *directory, const char *database)
{
	const char *temporary = getenv("TMPDIR");

	*ret_place = (struct needs_place){.memory_bytes = available_bytes()};
	find_cpus(ret_place);
	if (directory)
		snprintf(ret_place->directory, STAGE_PATH_BYTES, "%s", directory);
	else if (database)
		copy_folder(database, ret_place->directory);
	if (ret_place->directory[0] == '\0' || (!directory && access(ret_place->directory, W_OK | X_OK) != 0))
		snprintf(ret_place->directory, STAGE_PATH_BYTES, "%s", temporary && temporary[0] == '/' ? temporary : "/var/tmp");
}

static bool is_in_memory(const struct statfs *fs)
{
	return (unsigned long)fs->f_type == TMPFS_MAGIC || (unsigned long)fs->f_type == RAMFS_MAGIC;
}

static bool has_folder(const char *path, bool in_memory, uint64_t mib, char reason[STAGE_REASON_BYTES])
{
	struct statfs fs;

	if (statfs(path, &fs) != 0 || access(path, W_OK | X_OK) != 0)
		snprintf(reason, STAGE_REASON_BYTES, "no file can be put into %s: %s", path, strerror(errno));
	else if (is_in_memory(&fs) != in_memory)
		snprintf(reason, STAGE_REASON_BYTES, in_memory ? "%s is no memory" : "%s is memory, no disk: name a folder with --dir",
		        path);
	else if ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >> 20 < mib)
		snprintf(reason, STAGE_REASON_BYTES, "less than %u MiB are free in %s", (unsigned)mib, path);
	else
		return true;
	return false;
}

static bool is_capable(int capability, const char *name, const char *of_what, char reason[STAGE_REASON_BYTES])
{
	if (capability_effective() & CAPABILITY(capability))
		return true;
	snprintf(reason, STAGE_REASON_BYTES, "%s takes %s: run it as root", of_what, name);
	return false;
}

static bool is_met(const struct needs_place *place, enum drill_need need, char reason[STAGE_REASON_BYTES])
{
	switch (need) {
	case DRILL_NEEDS_REAL_TIME:
		return is_capable(CAP_SYS_NICE, "CAP_SYS_NICE", "real-time scheduling", reason);
	case DRILL_NEEDS_DISK:
		return has_folder(place->directory, false, DISK_LEAST_MIB, reason);
	case DRILL_NEEDS_SHM:
		return has_folder("/dev/shm", true, LEAST_MIB, reason);
	case DRILL_NEEDS_MEMORY_GROUP:
		return group_is_usable(GROUP_MEMORY, reason);
	case DRILL_NEEDS_CPU_GROUP:
		return group_is_usable(GROUP_CPU, reason);
	case DRILL_NEEDS_SIGNAL:
		return geteuid() == 0 || is_capable(CAP_KILL, "CAP_KILL", "stopping the collector", reason);
	case DRILL_NEEDS_BITS:
		break;
	}
	return true;
}

bool needs_are_met(const struct needs_place *place, unsigned needs, char reason[STAGE_REASON_BYTES])
{
	if (place->cpu_count == 0) {
		snprintf(reason, STAGE_REASON_BYTES, "the cpus that it may run on cannot be told");
		return false;
	}
	if (place->memory_bytes >> 20 < LEAST_MIB) {
		snprintf(reason, STAGE_REASON_BYTES, "less than %d MiB of memory are available", LEAST_MIB);
		return false;
	}
	for (unsigned i = 0; i < DRILL_NEEDS_BITS; i++)
		if ((needs & 1U << i) && !is_met(place, (enum drill_need)(1U << i), reason))
			return false;
	return true;
}

char *needs_text(unsigned needs, char out[STAGE_REASON_BYTES])
{
	static const char *const texts[DRILL_NEEDS_BITS] = {"real-time scheduling", "a folder on a disk", "/dev/shm",
	        "memory control groups", "cpu control groups", "the right to signal the collector"};
	size_t length = 0;

	snprintf(out, STAGE_REASON_BYTES, "nothing");
	for (unsigned i = 0; i < DRILL_NEEDS_BITS; i++)
		if (needs & 1U << i)
			length += (size_t)snprintf(out + length, STAGE_REASON_BYTES - length, "%s%s", length ? ", " : "", texts[i]);
	return out;
}
