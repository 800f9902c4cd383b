/* child.c - one supervised process. */
#include "cli/child.h"

#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors a child finds open beside the standard streams; its options name them. */
enum { CONFIG_FD = 3, READY_FD = 4, FIRST_UNUSED_FD = 5 };

enum { ARGUMENTS_MAX = 12, ENVIRONMENT_MAX = 32, VARIABLE_BYTES = 1024 };

/* Nothing else of the caller's environment reaches a child: no PATH, no LD_PRELOAD, no IFS. */
static const char *const kept_variables[] = {
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "NO_COLOR",
        "TERM",
        "TZ",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
};

struct command_line {
	char program[PATH_BYTES];
	const char *arguments[ARGUMENTS_MAX];
	size_t count;
	char variables[ENVIRONMENT_MAX][VARIABLE_BYTES];
	char *environment[ENVIRONMENT_MAX];
};

void child_init(struct child *child, const struct child_spec *spec)
{
	*child = (struct child){.spec = spec, .ready_fd = -1, .stderr_fd = -1};
}

static void add(struct command_line *line, const char *option, const char *value)
{
	line->arguments[line->count++] = option;
	if (value)
		line->arguments[line->count++] = value;
}

static void build_environment(struct command_line *line)
{
	size_t count = 0;

	snprintf(line->variables[0], VARIABLE_BYTES, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	line->environment[count++] = line->variables[0];
	for (size_t i = 0; i < sizeof(kept_variables) / sizeof(kept_variables[0]); i++) {
		const char *value = getenv(kept_variables[i]);
		if (!value)
			continue;
		int length = snprintf(line->variables[count], VARIABLE_BYTES, "%s=%s", kept_variables[i], value);
		if (length >= VARIABLE_BYTES)
			continue; /* half a path would be another one */
		line->environment[count] = line->variables[count];
		count++;
	}
	line->environment[count] = NULL;
}

static void build(struct command_line *line, const struct child_spec *spec, const struct child_context *context)
{
	line->count = 0;
	path_program(spec->program, line->program);
	add(line, spec->program, NULL);
	if (context->instance)
		add(line, "--name", context->instance);
	add(line, "--config-fd", "3");
	add(line, "--ready-fd", "4");
	if (spec->database)
		add(line, "--db", context->database);
	if (context->console)
		add(line, "--console", NULL);
	line->arguments[line->count] = NULL;
	build_environment(line);
}

/* Ends of pipes and files lie above the descriptors that a child is given, so that dup2() overwrites none of them. */
static int pipe_above(int ends[2])
{
	int low[2];

	if (pipe2(low, O_CLOEXEC) != 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FIRST_UNUSED_FD);
	int failed = ends[0] < 0 || ends[1] < 0 ? -errno : 0;
	closefd(&low[0]);
	closefd(&low[1]);
	if (failed) {
		closefd(&ends[0]);
		closefd(&ends[1]);
	}
	return failed;
}

/* In the new process. A message of its failure goes where the child's own would. */
static _Noreturn void become(const struct command_line *line, pid_t parent, int config_fd, int ready_fd, int stderr_fd)
{
	sigset_t none;

	/* Survives exec, unless the program gains rights by it. A parent that died before this line would go unnoticed. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(1);
	signal(SIGPIPE, SIG_DFL); /* an ignored SIGHUP (nohup) stays ignored */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDONLY);
	bool placed = dup2(null, STDIN_FILENO) >= 0 && dup2(config_fd, CONFIG_FD) >= 0 && dup2(ready_fd, READY_FD) >= 0 &&
	              (stderr_fd < 0 || dup2(stderr_fd, STDERR_FILENO) >= 0);
	close_range(FIRST_UNUSED_FD, ~0U, 0);
	if (placed) /* execve() takes no const, and changes nothing */
		execve(line->program, (char *const *)(uintptr_t)line->arguments, line->environment);
	dprintf(STDERR_FILENO, "rogue-hunter: cannot run %s: %s\n", line->program, strerror(errno));
	_exit(1);
}

static int open_pipes(const struct child_context *context, int ready[2], int error_stream[2])
{
	ready[0] = ready[1] = error_stream[0] = error_stream[1] = -1;
	int failed = pipe_above(ready);
	if (!failed && !context->console)
		failed = pipe_above(error_stream);
	return failed;
}

/* Returns the pid of the new process, or -errno. */
static pid_t spawn(const struct command_line *line, int config_fd, int ready_fd, int stderr_fd)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become(line, parent, config_fd, ready_fd, stderr_fd);
	return pid < 0 ? -errno : pid;
}

int child_start(struct child *child, const struct child_context *context, char error[256])
{
	static struct command_line line; /* 36 KiB: not on the stack */
	int ready[2], error_stream[2];

	build(&line, child->spec, context);
	if (line.program[0] == '\0') {
		snprintf(error, 256, "%s is not installed beside rogue-hunter", child->spec->program);
		return -ENOENT;
	}
	int failed = open_pipes(context, ready, error_stream);
	pid_t pid = failed ? failed : spawn(&line, context->config_fd, ready[1], error_stream[1]);
	closefd(&ready[1]);
	closefd(&error_stream[1]);
	if (pid < 0) {
		closefd(&ready[0]);
		closefd(&error_stream[0]);
		snprintf(error, 256, "cannot start %s: %s", child->spec->program, strerror(-pid));
		return pid;
	}
	child->pid = child->last_pid = pid;
	child->ready_fd = ready[0];
	child->stderr_fd = error_stream[0];
	if (child->stderr_fd >= 0)
		fcntl(child->stderr_fd, F_SETFL, O_NONBLOCK);
	child->is_ready = false;
	child->started_ns = clock_now_ns(CLOCK_MONOTONIC);
	child->restart_ns = 0;
	child->said[0] = '\0';
	child->line_length_ = 0;
	return 0;
}

enum child_ending child_reap(struct child *child, int *ret_code)
{
	siginfo_t info = {0};

	if (child->pid == 0 || waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
		return CHILD_RUNS;
	*ret_code = info.si_status;
	child->pid = 0;
	child->is_ready = false;
	closefd(&child->ready_fd);
	closefd(&child->stderr_fd);
	return info.si_code == CLD_EXITED ? CHILD_EXITED : CHILD_KILLED;
}

bool child_hear_ready(struct child *child)
{
	char byte;

	child->is_ready = read(child->ready_fd, &byte, 1) == 1;
	closefd(&child->ready_fd);
	return child->is_ready;
}

/* Takes one byte more of the line. Returns true at its end, with the line in child->said. Only the begin of an overlong line is kept. */
static bool take_byte(struct child *child, char byte)
{
	if (byte != '\n') {
		if (child->line_length_ + 1 < sizeof(child->line_))
			child->line_[child->line_length_++] = byte;
		return false;
	}
	memcpy(child->said, child->line_, child->line_length_);
	child->said[child->line_length_] = '\0';
	child->line_length_ = 0;
	return true;
}

const char *child_hear_line(struct child *child)
{
	/* Byte by byte, so that nothing behind the line is taken: these are a few sentences in the life of a program. */
	while (child->stderr_fd >= 0) {
		char byte;
		ssize_t got = read(child->stderr_fd, &byte, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL;
		if (got == 0) {
			closefd(&child->stderr_fd);
			return child->line_length_ > 0 && take_byte(child, '\n') ? child->said : NULL;
		}
		if (take_byte(child, byte))
			return child->said;
	}
	return NULL;
}

void child_signal(const struct child *child, int signal_number)
{
	if (child->pid > 0)
		kill(child->pid, signal_number);
}
