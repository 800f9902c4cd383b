/* rights.c - see rights.h. Linux. */
#include "collector/rights.h"

#include "base/capability.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024 }; /* who is in more of them than that keeps CAP_CHOWN */

#define RIGHT(name_, kept_, purpose_, lost_) \
	{ \
		.name = #name_, .number = (name_), .kept = (kept_), .purpose = (purpose_), .lost = (lost_) \
	}
static const struct right table[] = {
        RIGHT(CAP_BPF, true, "load programs into the kernel", "all that is kernel-direct"),
        RIGHT(CAP_PERFMON, true, "see processes and events; hardware counters", "all that is kernel-direct"),
        RIGHT(CAP_SYS_PTRACE, true, "read io and descriptors of others' processes", "disk and gpu use of others' processes"),
        RIGHT(CAP_DAC_READ_SEARCH, true, "open these files, which belong to others", "disk and gpu use of others' processes"),
        RIGHT(CAP_SYS_NICE, false, "raise the own priority, and that of the guard, which alone keeps it",
                "samples under overload are late; whether the whole machine stood still"),
        RIGHT(CAP_IPC_LOCK, false, "lock the own memory", "samples while memory is short are late"),
        RIGHT(CAP_SYS_RESOURCE, false, "be killed last when memory runs out; triggers on pressure",
                "the collector may be killed while memory is short"),
        RIGHT(CAP_SETGID, false, "join the group of ring.group", "the ring cannot be given to a group that one is not in"),
};

const struct right *rights_table(size_t *ret_count)
{
	*ret_count = sizeof(table) / sizeof(table[0]);
	return table;
}

static uint64_t kept_always(void)
{
	uint64_t keep = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].kept)
			keep |= CAPABILITY(table[i].number);
	return keep;
}

/* May locked memory grow without the right to lock any amount? */
static bool lift_memory_limit(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		return true;
	return setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
}

/* Whoever owns a file may give it to a group that he is in. */
static bool join_group(uint32_t group)
{
	gid_t groups[GROUPS_MAX];
	if (group == UINT32_MAX || group == getegid())
		return true;
	int count = getgroups(GROUPS_MAX - 1, groups);
	if (count < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	groups[count] = group;
	return setgroups((size_t)count + 1, groups) == 0;
}

uint64_t rights_prepare(uint32_t ring_group)
{
	uint64_t keep = kept_always();
	if (!lift_memory_limit())
		keep |= CAPABILITY(CAP_IPC_LOCK);
	if (!join_group(ring_group))
		keep |= CAPABILITY(CAP_CHOWN);
	return keep;
}

void rights_drop(uint64_t keep)
{
	int result = capability_keep(keep);
	if (result < 0)
		log_say(LOG_DEBUG_, "rights", "capabilities that are not needed cannot be given up: %s", strerror(-result));
}
