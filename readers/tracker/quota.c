/* quota.c - cpu quotas of control groups, see quota.h. */
#include "readers/tracker/quota.h"

#include <stdio.h>
#include <string.h>

enum { GROUP_LEVELS = 32 };

static bool read_quota(struct look *look, const struct group_trees *trees, const char *group, bool unified, struct quota *quota)
{
	const char *mount = unified ? trees->unified : trees->cpu;
	char file[GROUP_FILE_BYTES], amount[64] = "";
	const char *text;

	*quota = (struct quota){0};
	if (!group_file(mount, group, unified ? "cpu.max" : "cpu.cfs_quota_us", file) || (text = look_at(look, trees->fd, file)) == NULL)
		return false;
	snprintf(amount, sizeof(amount), "%s", text);
	if (!unified && (!group_file(mount, group, "cpu.cfs_period_us", file) || (text = look_at(look, trees->fd, file)) == NULL))
		return false;
	if (unified ? !group_read_cpu_max(amount, &quota->quota_ns, &quota->period_ns)
	            : !group_read_cfs(amount, text, &quota->quota_ns, &quota->period_ns))
		return false;
	if (group_file(mount, group, "cpu.stat", file) && (text = look_at(look, trees->fd, file)) != NULL) {
		quota->periods = look_number_of(text, "nr_periods");
		quota->throttled = look_number_of(text, "nr_throttled");
	}
	snprintf(quota->path, sizeof(quota->path), "%s", group);
	return true;
}

/* One that was ever spent goes before one that was not; of two such, the smaller share of a cpu. */
static bool is_tighter(const struct quota *a, const struct quota *b)
{
	if (b->period_ns == 0 || (a->throttled > 0) != (b->throttled > 0))
		return b->period_ns == 0 || a->throttled > 0;
	return (double)a->quota_ns / (double)a->period_ns < (double)b->quota_ns / (double)b->period_ns;
}

bool quota_find(struct look *look, const struct group_trees *trees, const struct group_member *member, struct quota *ret_quota)
{
	struct quota quota;
	char group[GROUP_PATH_BYTES];
	int levels = 0;

	*ret_quota = (struct quota){0};
	if (!group_has_files(member))
		return false;
	memcpy(group, member->path, sizeof(group));
	do {
		if (read_quota(look, trees, group, member->unified, &quota) && is_tighter(&quota, ret_quota))
			*ret_quota = quota;
	} while (++levels < GROUP_LEVELS && group_parent(group));
	return ret_quota->period_ns > 0;
}
