/*
 * actor.c - the processes of a round: how one is forked and made what its part asks for, and who is who.
 */
#include "readers/drill/stage.h"

#include "base/file.h"
#include "readers/drill/inject_group.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALARM_S = 15, LOOK_MS = 2, START_TIME_FIELD = 22, STAT_BYTES = 1024 };

uint64_t stage_start_time_ns(pid_t pid)
{
	char path[32], text[STAT_BYTES];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	const char *at = strrchr(text, ')'); /* the second field ends there, whatever a command holds */
	for (unsigned field = 2; at && field < START_TIME_FIELD; field++)
		at = strchr(at + 1, ' ');
	long ticks = sysconf(_SC_CLK_TCK);
	return at && ticks > 0 ? strtoull(at + 1, NULL, 10) * ((uint64_t)NS_PER_S / (uint64_t)ticks) : 0;
}

bool stage_is_on(const struct stage *stage)
{
	uint64_t until_ns = stage->until_ns;
	return until_ns == 0 || stage_now() < until_ns;
}

void stage_sleep_until(uint64_t boottime_ns)
{
	struct timespec until = clock_timespec(boottime_ns);
	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

void stage_mark(struct stage *stage, pid_t pid)
{
	if (pid > 0 && pid < STAGE_PIDS)
		atomic_fetch_or(&stage->stormed[pid / 64], UINT64_C(1) << (pid % 64));
}

/* A start from /proc is cut to a clock tick of 10 ms. */
static bool is_same_start(uint64_t one_ns, uint64_t other_ns)
{
	uint64_t apart_ns = one_ns > other_ns ? one_ns - other_ns : other_ns - one_ns;
	return apart_ns <= 20 * (uint64_t)NS_PER_MS;
}

const struct stage_actor *stage_find(const struct stage *stage, uint32_t pid, uint64_t start_time_ns)
{
	uint32_t count = stage->actor_count;
	bool stormed = pid < STAGE_PIDS && stage->stormed[pid / 64] >> (pid % 64) & 1 && start_time_ns >= stage->begin_ns &&
	               start_time_ns <= stage->over_ns;

	for (uint32_t i = 0; i < count && i < STAGE_ACTORS; i++) {
		const struct stage_actor *actor = &stage->actors[i];
		if (actor->pid == pid && is_same_start(actor->start_time_ns, start_time_ns))
			return actor;
	}
	for (uint32_t i = 0; stormed && i < count && i < STAGE_ACTORS; i++)
		if (stage->actors[i].role == STAGE_CULPRIT)
			return &stage->actors[i];
	return NULL;
}

/* ---- taking a part ---- */

static void enter(struct stage *stage, enum stage_role role, const char *name)
{
	uint32_t i = atomic_fetch_add(&stage->actor_count, 1);

	if (i >= STAGE_ACTORS)
		_exit(1);
	struct stage_actor *actor = &stage->actors[i];
	actor->role = (uint8_t)role;
	snprintf(actor->command, sizeof(actor->command), "%s", name);
	actor->start_time_ns = stage_start_time_ns(getpid());
	actor->pid = (uint32_t)getpid();
}

/* Ends with its parent, and with the time in any case; is the first that the kernel kills should memory run out. */
static void be_bounded(const struct stage *stage, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	alarm((unsigned)(stage->duration_ns / NS_PER_S) + ALARM_S);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "900", 3) != 3)
		errno = 0; /* without it the kernel chooses by size */
	closefd(&fd);
}

/* Takes on the attributes of a part. Returns false after stage_fail(). */
static bool become(struct stage *stage, const struct stage_part *part)
{
	struct sched_param param = {.sched_priority = part->fifo};
	cpu_set_t cpus;

	prctl(PR_SET_NAME, part->name);
	if (part->own_session)
		setsid();
	if (part->group && !group_enter(part->group))
		return stage_fail(stage, "control group %s cannot be entered: %s", part->group, strerror(errno));
	CPU_ZERO(&cpus);
	if (part->cpu >= 0)
		CPU_SET((size_t)part->cpu, &cpus);
	if (part->cpu >= 0 && sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		return stage_fail(stage, "cpu %d cannot be used: %s", part->cpu, strerror(errno));
	if (part->nice && setpriority(PRIO_PROCESS, 0, part->nice) != 0)
		return stage_fail(stage, "nice %d was refused: %s", part->nice, strerror(errno));
	if (part->fifo && sched_setscheduler(0, SCHED_FIFO, &param) != 0)
		return stage_fail(stage, "real-time priority %d was refused: %s", part->fifo, strerror(errno));
	return true;
}

static void await_begin(const struct stage *stage)
{
	while (stage->begin_ns == 0)
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	stage_sleep_until(stage->begin_ns);
}

static _Noreturn void take_part(struct stage *stage, const struct stage_part *part, pid_t parent)
{
	be_bounded(stage, parent);
	if (!become(stage, part))
		_exit(1);
	if (part->ready)
		part->ready(stage, part);
	enter(stage, part->role, part->name);
	if (part->role == STAGE_CULPRIT || part->role == STAGE_MEMBER)
		await_begin(stage);
	part->act(stage, part);
	_exit(0);
}

static bool fork_part(struct stage *stage, const struct stage_part *part)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return stage_fail(stage, "no process can be made: %s", strerror(errno));
	if (pid == 0)
		take_part(stage, part, parent);
	return true;
}

bool stage_start(struct stage *stage, const struct stage_part *part)
{
	stage->started_count++;
	return fork_part(stage, part);
}

static _Noreturn void lead_crew(struct stage *stage, const char *name, const struct stage_part *parts, size_t count, pid_t parent)
{
	be_bounded(stage, parent);
	prctl(PR_SET_NAME, name);
	enter(stage, parts[0].role, name);
	for (size_t i = 0; i < count; i++)
		if (!fork_part(stage, &parts[i]))
			_exit(1);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	for (;;)
		pause(); /* it is there as long as the round is */
}

bool stage_start_crew(struct stage *stage, const char *name, const struct stage_part *parts, size_t count)
{
	pid_t parent = getpid();

	stage->started_count += (uint32_t)count + 1;
	pid_t pid = fork();
	if (pid < 0)
		return stage_fail(stage, "no process can be made: %s", strerror(errno));
	if (pid == 0)
		lead_crew(stage, name, parts, count, parent);
	return true;
}
