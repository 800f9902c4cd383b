/*
 * remedy.h - what can be done about a pause: suggestions with their condition, command, undo and side effect, chosen by rules (remedies.def). Nothing is run.
 */
#ifndef PAUSE_REMEDY_H
#define PAUSE_REMEDY_H

#include "pause/pause.h"

/* What the rules want to know of the machine beside the pause itself; gathered when the pause is judged, all false or 0 where not known. */
struct pause_facts {
	bool cgroup2_cpu, cgroup2_memory, cgroup2_io; /* controllers of the unified tree are enabled where culprit and victim live */
	bool culprit_has_unit, victim_has_unit;       /* each is in a v2 unit of its own */
	bool same_unit, same_session;
	char culprit_unit[64], victim_unit[64]; /* "app-chrome-3120.scope" */
	bool autogroup;                         /* kernel.sched_autogroup_enabled */
	bool preempt_full;
	bool swap_absent_or_full, anonymous_over_half;
	bool memory_was_free;  /* 2 s before the onset, and yet programs had to reclaim */
	uint32_t memory_today; /* memory pauses in 24 hours */
	uint32_t host_today;
	char io_scheduler[24]; /* of the device: "bfq", "mq-deadline", "none" */
	bool io_cost;
	bool dirty_over_5_s;
	bool io_errors;             /* the kernel log has errors of the device in the window */
	uint32_t unit_quota_bursts; /* throttle: 1 demand only bursts over the quota, 2 above it on average, 0 not known */
	uint32_t kernel_major, kernel_minor, systemd_version;
	bool under_build_tool; /* culprit: workers under make, ninja, cargo */
	uint32_t workers;
	uint64_t culprit_bytes_before;              /* size of the culprit's unit before it grew */
	bool frozen_filesystem, network_filesystem; /* stuck: the waiting stacks are in a freeze; in NFS or FUSE */
	bool bare_metal;                            /* known not to be a virtual machine */
};

/* Fills in pause->remedies, at most PAUSE_REMEDIES, best first. A unit or pid stands in a command only if it matches [A-Za-z0-9:_.@-]+. */
void pause_remedies(struct pause *pause, const struct pause_facts *facts);

#endif
