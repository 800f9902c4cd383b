/*
 * quota.h - which cpu quota holds a control group back. Linux, v1 and v2.
 */
#ifndef TRACKER_QUOTA_H
#define TRACKER_QUOTA_H

#include "readers/tracker/group.h"
#include "readers/tracker/look.h"

struct quota {
	uint64_t quota_ns, period_ns;
	uint64_t periods, throttled; /* how often it was looked at, and found spent */
	char path[GROUP_PATH_BYTES]; /* of the group whose quota it is */
};

/*
 * The quota that held the group back may be that of a group around it: one that was ever spent goes before one that was not; of two such, the smaller share
 * of a cpu is meant. Returns false where there is none. Cost: up to three files a level.
 */
bool quota_find(struct look *look, const struct group_trees *trees, const struct group_member *member, struct quota *ret_quota);

#endif
