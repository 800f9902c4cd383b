/*
 * inject_cpu.c - who takes the cpu from others: many, those put ahead, real-time ones, a fork storm, and a group that spends its own quota.
 *
 * All that is started is of the keeper's session, victims included, and so of one autogroup (kernel.sched_autogroup_enabled): across sessions neither
 * the number of processes in one nor their nice values count. Many sessions are one of the ways.
 */
#include "readers/drill/inject.h"
#include "readers/drill/inject_group.h"
#include "readers/drill/victim.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CROWD_LEAST = 130,
	CROWD_MOST = 180,
	AHEAD_NICE = -20,
	VICTIM_NICE = 19,
	BYSTANDER_BYTES = 256 << 20,
	BYSTANDER_DUTY_US = 500, /* of each 5.5 ms */
	STORM_MOST = 600,        /* processes at a time */
	STORM_LIFE_S = 35,
};

/* ---- parts of several kinds ---- */

void inject_hog(struct stage *stage, const struct stage_part *part)
{
	(void)part;
	while (stage_is_on(stage))
		for (volatile unsigned i = 0; i < 100000; i++)
			;
}

/* Holds memory that it has written to once. */
static void hold_memory(struct stage *stage, const struct stage_part *part)
{
	unsigned char *memory = mmap(NULL, part->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)stage;
	if (memory != MAP_FAILED)
		memset(memory, 1, part->size);
}

static void do_nothing(struct stage *stage, const struct stage_part *part)
{
	(void)part;
	while (stage_is_on(stage))
		stage_sleep_until(stage_now() + 100 * (uint64_t)NS_PER_MS);
}

/* Works a tenth of the time. */
static void work_moderately(struct stage *stage, const struct stage_part *part)
{
	while (stage_is_on(stage)) {
		uint64_t work_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + part->size * NS_PER_US;
		while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < work_ns)
			;
		stage_sleep_until(stage_now() + 5 * (uint64_t)NS_PER_MS);
	}
}

bool inject_bystanders(struct stage *stage)
{
	uint64_t bytes = stage->spare_bytes / 8 < BYSTANDER_BYTES ? stage->spare_bytes / 8 : BYSTANDER_BYTES;
	int last = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	const struct stage_part large = {.role = STAGE_BYSTANDER,
	        .name = stage_name(stage, "idler"),
	        .act = do_nothing,
	        .ready = hold_memory,
	        .cpu = -1,
	        .size = bytes / 2 + stage_draw(stage, 0, bytes / 2)};
	const struct stage_part moderate = {.role = STAGE_BYSTANDER,
	        .name = stage_name(stage, "moderate"),
	        .act = work_moderately,
	        .cpu = last,
	        .size = BYSTANDER_DUTY_US};

	return stage_start(stage, &large) && stage_start(stage, &moderate);
}

bool inject_sleepers(struct stage *stage, int nice)
{
	const char *name = stage_name(stage, "victim");

	for (uint32_t i = 0; i < stage->cpu_count; i++) {
		const struct stage_part part = {
		        .role = STAGE_VICTIM, .name = name, .act = victim_sleeper, .cpu = stage->cpus[i], .nice = nice, .index = i};
		if (!stage_start(stage, &part))
			return false;
	}
	return true;
}

/* Starts `each` hogs like `hog`, of one command, on each of the first `cpus` loaded cpus, under one parent. */
static bool start_hogs(struct stage *stage, uint32_t cpus, uint64_t each, const struct stage_part *hog)
{
	const char *name = stage_name(stage, "hog");
	size_t count = cpus * (size_t)each;
	struct stage_part *parts = count ? calloc(count, sizeof(*parts)) : NULL;

	if (!parts)
		return stage_fail(stage, "no memory");
	for (size_t i = 0; i < count; i++) {
		parts[i] = *hog;
		parts[i].role = STAGE_CULPRIT;
		parts[i].name = name;
		parts[i].act = inject_hog;
		parts[i].cpu = stage->cpus[i % cpus];
	}
	bool ok = stage_start_crew(stage, "starter", parts, count);
	free(parts);
	return ok;
}

/* ---- the kinds ---- */

static bool may_raise_priority(void)
{
	int before = getpriority(PRIO_PROCESS, 0);
	bool may = setpriority(PRIO_PROCESS, 0, -1) == 0;
	setpriority(PRIO_PROCESS, 0, before);
	return may;
}

bool inject_cpu(struct stage *stage)
{
	enum { AHEAD, CROWD, SESSIONS } how = (unsigned)stage_draw(stage, AHEAD, SESSIONS);
	if (how == AHEAD && !may_raise_priority())
		how = CROWD;
	uint64_t each = how == AHEAD ? stage_draw(stage, 3, 6) : stage_draw(stage, CROWD_LEAST, CROWD_MOST);
	const struct stage_part hog = {.nice = how == AHEAD ? AHEAD_NICE : 0, .own_session = how == SESSIONS};

	stage_tell(stage, "%u on each of %u cpus, nice %d%s", (unsigned)each, stage->cpu_count, hog.nice,
	        hog.own_session ? ", each a session of its own" : "");
	return inject_bystanders(stage) && inject_sleepers(stage, 0) && start_hogs(stage, stage->cpu_count, each, &hog);
}

bool inject_rt(struct stage *stage)
{
	uint32_t cpus = stage_draw(stage, 0, 1) ? stage->cpu_count : 1;
	const struct stage_part hog = {.fifo = (int)stage_draw(stage, 1, 50)};

	stage_tell(stage, "FIFO %d on %u of %u cpus", hog.fifo, cpus, stage->cpu_count);
	return inject_bystanders(stage) && inject_sleepers(stage, 0) && start_hogs(stage, cpus, 1, &hog);
}

bool inject_nice(struct stage *stage)
{
	uint64_t each = stage_draw(stage, 4, 8);
	const struct stage_part hog = {0};

	stage_tell(stage, "%u on each of %u cpus against nice %d", (unsigned)each, stage->cpu_count, VICTIM_NICE);
	return inject_bystanders(stage) && inject_sleepers(stage, VICTIM_NICE) && start_hogs(stage, stage->cpu_count, each, &hog);
}

/* ---- fork storm ---- */

/*
 * Every process of it makes others until the time is over; most of them end at once. Their number is bounded by their own count, and by a control
 * group where there is one.
 */
static void storm(struct stage *stage, const struct stage_part *part)
{
	unsigned seed = part->index + 1;

	signal(SIGCHLD, SIG_IGN);
	while (stage_is_on(stage)) {
		seed = seed * 1103515245 + 12345;
		if (atomic_fetch_add(&stage->storm_count, 1) >= part->size) {
			atomic_fetch_sub(&stage->storm_count, 1);
			continue;
		}
		pid_t parent = getpid(), child = fork();
		if (child < 0)
			atomic_fetch_sub(&stage->storm_count, 1);
		if (child != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(STORM_LIFE_S);
		stage_mark(stage, getpid());
		if (getppid() != parent || seed >> 16 & 3)
			break;
		seed ^= (unsigned)getpid();
	}
	atomic_fetch_sub(&stage->storm_count, 1);
}

bool inject_forks(struct stage *stage)
{
	uint64_t most = stage_draw(stage, STORM_MOST / 2, STORM_MOST);
	const char *group = NULL;
	char reason[STAGE_REASON_BYTES];

	if (group_is_usable(GROUP_PIDS, reason)) {
		group = group_create(stage, GROUP_PIDS);
		if (!group || !group_limit_pids(stage, group, most + 2))
			return false;
	}
	stage->storm_count = 1; /* the first one */
	const struct stage_part part = {.role = STAGE_CULPRIT,
	        .name = stage_name(stage, "storm"),
	        .act = storm,
	        .cpu = -1,
	        .group = group,
	        .size = most,
	        .index = 1};
	stage_tell(stage, "%u processes at a time", (unsigned)most);
	return inject_bystanders(stage) && inject_sleepers(stage, 0) && stage_start(stage, &part);
}

/* ---- cpu quota ---- */

bool inject_throttle(struct stage *stage)
{
	uint64_t quota_ms = stage_draw(stage, 10, 40), period_ms = stage_draw(stage, 600, 1000), count = stage_draw(stage, 2, 4);
	const char *group = group_create(stage, GROUP_CPU), *name = stage_name(stage, "spinner");

	if (!group || !group_limit_cpu(stage, group, quota_ms * 1000, period_ms * 1000) || !inject_bystanders(stage))
		return false;
	stage_tell(stage, "%u tasks with %u ms of each %u ms", (unsigned)count, (unsigned)quota_ms, (unsigned)period_ms);
	for (unsigned i = 0; i < count; i++) {
		const struct stage_part part = {
		        .role = STAGE_MEMBER, .name = name, .act = victim_spinner, .cpu = -1, .group = group, .index = i};
		if (!stage_start(stage, &part))
			return false;
	}
	return true;
}
