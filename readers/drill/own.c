/*
 * own.c - a daemon for the drill alone. A warden, forked off and in a session of its own, is its parent: it ends the daemon and removes what that left
 * as soon as the drill is gone, however that died. Should the warden be killed the daemon ends by itself, and the drill removes the rest.
 */
#include "readers/drill/own.h"

#include "base/complain.h"
#include "base/file.h"
#include "readers/drill/clear.h"
#include "readers/drill/stage.h"
#include "rogue/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 20000, STOP_MS = 10000, LOOK_MS = 50, SETTLE_MS = 2000, PATH_SPARE = 64, LOG_BYTES = 4096 };

/* What is told of a drill's pauses is told here alone. */
static const char config_text[] = "[notify]\njournal = \"off\"\n";

/* ---- the warden ---- */

static _Noreturn void become_daemon(const struct own *own, pid_t warden)
{
	char program[OWN_PATH_BYTES], config[OWN_PATH_BYTES + PATH_SPARE], log[OWN_PATH_BYTES + PATH_SPARE];
	const char *arguments[] = {
	        "rogue-hunter", "daemon", "--foreground", "--name", own->name, "--db", own->database, "--config", config, NULL};
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != warden || length <= 0)
		_exit(1);
	program[length] = '\0';
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	snprintf(config, sizeof(config), "%s/config.toml", own->folder);
	snprintf(log, sizeof(log), "%s/log", own->folder);
	int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (out < 0 || in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(1);
	execv(program, (char *const *)(uintptr_t)arguments);
	_exit(1);
}

static void end_daemon(pid_t daemon)
{
	uint64_t limit_ns = stage_now() + STOP_MS * (uint64_t)NS_PER_MS;

	kill(daemon, SIGTERM);
	while (waitpid(daemon, NULL, WNOHANG) == 0) {
		if (stage_now() > limit_ns)
			kill(daemon, SIGKILL);
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	}
}

static _Noreturn void watch_over(const struct own *own, int pipe)
{
	pid_t warden;
	struct pollfd look = {.fd = pipe, .events = POLLIN};

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "drill-warden");
	warden = getpid();
	pid_t daemon = fork();
	if (daemon == 0)
		become_daemon(own, warden);
	bool runs = daemon > 0;
	while (runs && poll(&look, 1, LOOK_MS) == 0)
		runs = waitpid(daemon, NULL, WNOHANG) == 0;
	if (runs)
		end_daemon(daemon);
	while (poll(&look, 1, -1) < 0 && errno == EINTR) /* the log is there for as long as the drill may ask for it */
		;
	clear_folder(own->folder);
	_exit(0);
}

/* ---- the drill ---- */

static bool write_config(const struct own *own)
{
	char path[OWN_PATH_BYTES + PATH_SPARE];

	snprintf(path, sizeof(path), "%s/config.toml", own->folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && file_write_all(fd, config_text, strlen(config_text)) == 0;
	closefd(&fd);
	return ok;
}

static bool is_there(const struct own *own)
{
	struct rh_ring *ring;
	bool there = rh_open(own->name, &ring, NULL) == RH_OK;

	if (there)
		there = rh_newest(ring) > 0 && access(own->database, R_OK) == 0;
	rh_close(&ring);
	return there;
}

/* The last line of its log, which says why it ended. */
static void complain_with_log(const struct own *own)
{
	char path[OWN_PATH_BYTES + PATH_SPARE], text[LOG_BYTES];

	snprintf(path, sizeof(path), "%s/log", own->folder);
	ssize_t length = file_read_at(AT_FDCWD, path, text, sizeof(text));
	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	const char *line = length > 0 ? strrchr(text, '\n') : NULL;
	complain("the daemon of the drill did not start: %s", line ? line + 1 : length > 0 ? text : "it said nothing");
}

static bool fork_warden(struct own *own)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	fflush(NULL);
	own->warden = fork();
	if (own->warden == 0) {
		closefd(&ends[1]);
		watch_over(own, ends[0]);
	}
	closefd(&ends[0]);
	own->pipe = ends[1];
	return own->warden > 0;
}

bool own_start(struct own *own)
{
	const char *temporary = getenv("TMPDIR");
	uint64_t limit_ns = stage_now() + START_MS * (uint64_t)NS_PER_MS;

	*own = (struct own){.warden = -1, .pipe = -1};
	snprintf(own->name, sizeof(own->name), "drill-%d", (int)getpid());
	snprintf(own->folder, sizeof(own->folder), "%s/rogue-hunter-drill-XXXXXX",
	        temporary && temporary[0] == '/' ? temporary : "/var/tmp");
	if (!mkdtemp(own->folder)) {
		complain("no folder can be made for the daemon of the drill: %s", strerror(errno));
		own->folder[0] = '\0';
		return false;
	}
	snprintf(own->database, sizeof(own->database), "%.280s/drill.db", own->folder);
	if (!write_config(own) || !fork_warden(own)) {
		complain("the daemon of the drill cannot be started: %s", strerror(errno));
		return false;
	}
	while (!is_there(own)) {
		if (stage_now() > limit_ns) {
			complain_with_log(own);
			return false;
		}
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	}
	stage_sleep_until(stage_now() + SETTLE_MS * (uint64_t)NS_PER_MS); /* so that it knows what is usual */
	return true;
}

void own_stop(struct own *own)
{
	closefd(&own->pipe);
	while (own->warden > 0 && waitpid(own->warden, NULL, 0) < 0 && errno == EINTR)
		;
	if (own->folder[0])
		clear_folder(own->folder);
	*own = (struct own){.warden = -1, .pipe = -1};
}
