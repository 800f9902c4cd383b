/*
 * stage.c - the keeper of a round: plays it, and clears up whatever becomes of it or of the drill.
 */
#include "readers/drill/stage.h"

#include "base/file.h"
#include "readers/drill/clear.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 5000, LOOK_MS = 2, KEEPER_PRIORITY = 60 };

struct stage *stage_new(void)
{
	struct stage *stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return stage == MAP_FAILED ? NULL : stage;
}

void stage_free(struct stage **stage)
{
	if (*stage)
		munmap(*stage, sizeof(**stage));
	*stage = NULL;
}

bool stage_fail(struct stage *stage, const char *format, ...)
{
	va_list arguments;

	if (stage->failure[0])
		return false; /* the first reason counts */
	va_start(arguments, format);
	vsnprintf(stage->failure, sizeof(stage->failure), format, arguments);
	va_end(arguments);
	return false;
}

void stage_tell(struct stage *stage, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(stage->variant, sizeof(stage->variant), format, arguments);
	va_end(arguments);
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
uint64_t stage_draw(struct stage *stage, uint64_t low, uint64_t high)
{
	uint64_t z = stage->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return stage->plain ? low + (high - low) / 2 : low + z % (high - low + 1);
}

const char *stage_name(struct stage *stage, const char *plain)
{
	static const char *const names[] = {"indexer", "transcoder", "renderer", "solver", "packer", "updater", "thumbnailer", "importer",
	        "analyser", "mailer", "player", "editor", "panel", "terminal", "viewer", "calendar", "scanner", "archiver", "mixer",
	        "reporter"};
	uint64_t which = stage_draw(stage, 0, 2 * sizeof(names) / sizeof(names[0]) - 1);

	if (stage->plain || which % 2)
		return plain;
	while (stage->names_used & 1U << which / 2) /* nobody is mistaken for another by name alone */
		which = (which + 2) % (2 * sizeof(names) / sizeof(names[0]));
	stage->names_used |= 1U << which / 2;
	return names[which / 2];
}

const char *stage_folder(struct stage *stage, const char *directory)
{
	uint32_t i = stage->folder_count;

	if (i == STAGE_FOLDERS) {
		stage_fail(stage, "too many folders");
		return NULL;
	}
	char *path = stage->folders[i];
	int length = snprintf(path, STAGE_PATH_BYTES, "%s/rogue-hunter-drill-%d-XXXXXX", directory, (int)getpid());
	if (length >= STAGE_PATH_BYTES || !mkdtemp(path)) {
		path[0] = '\0';
		stage_fail(stage, "no folder can be made in %s: %s", directory, strerror(errno));
		return NULL;
	}
	stage->folder_count = i + 1;
	return path;
}

/* ---- the keeper ---- */

void stage_come_first(void)
{
	struct sched_param param = {.sched_priority = KEEPER_PRIORITY};
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
}

/* Again like anybody else. */
static void stand_back(void)
{
	struct sched_param param = {0};
	sched_setscheduler(0, SCHED_OTHER, &param);
}

/* Sleeps. Returns false as soon as the drill is gone, or has had enough. */
static bool sleep_until(int pipe, uint64_t until_ns)
{
	for (uint64_t now_ns; (now_ns = stage_now()) < until_ns;) {
		struct pollfd look = {.fd = pipe, .events = POLLIN};
		struct timespec left = clock_timespec(until_ns - now_ns);
		if (ppoll(&look, 1, &left, NULL) > 0)
			return false;
	}
	return true;
}

/* Has everybody entered himself, to the last field? */
static bool are_all_here(const struct stage *stage)
{
	uint32_t count = stage->actor_count;

	if (count < stage->started_count)
		return false;
	for (uint32_t i = 0; i < count && i < STAGE_ACTORS; i++)
		if (stage->actors[i].pid == 0)
			return false;
	return true;
}

bool stage_await_all(struct stage *stage)
{
	uint64_t limit_ns = stage_now() + READY_MS * (uint64_t)NS_PER_MS;

	while (!are_all_here(stage) && !stage->failure[0]) {
		if (stage_now() > limit_ns)
			return stage_fail(stage, "only %u of %u processes were ready in %d s", stage->actor_count, stage->started_count,
			        READY_MS / 1000);
		if (!sleep_until(stage->pipe, stage_now() + LOOK_MS * (uint64_t)NS_PER_MS))
			return false;
	}
	return !stage->failure[0];
}

/* Lets the injection begin when all are there. Returns whether they are. */
static bool begin(struct stage *stage)
{
	if (!stage_await_all(stage))
		return false;
	uint64_t begin_ns = stage_now() + STAGE_LEAD_MS * (uint64_t)NS_PER_MS;
	stage->until_ns = begin_ns + stage->duration_ns;
	stage->begin_ns = begin_ns;
	return true;
}

static _Noreturn void keep(struct stage *stage, bool (*build)(struct stage *stage), int pipe)
{
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "drill-keeper");
	stage->pipe = pipe;
	/* Files are made, and taken away, as anybody would: ahead of everything it would be a pause by itself. */
	bool built = build(stage);
	stage_come_first();
	if (built && begin(stage))
		sleep_until(pipe, stage->until_ns + STAGE_TAIL_MS * (uint64_t)NS_PER_MS);
	stage->over_ns = stage_now();
	clear_processes(stage);
	stand_back();
	clear_rest(stage);
	_exit(0);
}

int stage_play(struct stage *stage, bool (*build)(struct stage *stage), struct stage_keeper *ret_keeper)
{
	int ends[2];

	*ret_keeper = (struct stage_keeper){.pid = -1, .pipe = -1};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0) {
		int failed = -errno;
		closefd(&ends[0]);
		closefd(&ends[1]);
		return failed;
	}
	if (pid == 0) {
		closefd(&ends[1]);
		keep(stage, build, ends[0]);
	}
	closefd(&ends[0]);
	*ret_keeper = (struct stage_keeper){.pid = pid, .pipe = ends[1]};
	return 0;
}

/* Waits for the keeper, with WNOHANG or 0 as options. Returns whether it is gone. */
static bool await(struct stage *stage, struct stage_keeper *keeper, int options)
{
	int status = 0;

	if (keeper->pid < 0)
		return true;
	pid_t pid;
	while ((pid = waitpid(keeper->pid, &status, options)) < 0 && errno == EINTR)
		;
	if (pid == 0)
		return false;
	keeper->pid = -1;
	closefd(&keeper->pipe);
	if (!WIFEXITED(status)) {
		stage_fail(stage, "its keeper was killed");
		stage->over_ns = stage->over_ns ? stage->over_ns : stage_now();
		clear_rest(stage);
	}
	return true;
}

bool stage_is_over(struct stage *stage, struct stage_keeper *keeper)
{
	return await(stage, keeper, WNOHANG);
}

void stage_end(struct stage *stage, struct stage_keeper *keeper)
{
	closefd(&keeper->pipe);
	await(stage, keeper, 0);
}
