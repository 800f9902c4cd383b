/* procfs_live.c - the /proc back end on the real /proc; see procfs_live.h. */
#include "tests/support/procfs_live.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { AWAIT_TRIES = 20000, AWAIT_PAUSE_NS = 500000 };

void procfs_live_open(struct procfs_live *live, uint32_t fd_limit, uint32_t refresh_parts)
{
	const struct source_options options = {
	        .proc_root = "/proc",
	        .interval_ns = 200 * NS_PER_MS,
	        .max_processes = PROCFS_LIVE_CAPACITY,
	        .refresh_parts = refresh_parts,
	        .thread_limit = 64,
	        .fd_limit = fd_limit,
	};
	char error[256];
	*live = (struct procfs_live){.records = calloc(PROCFS_LIVE_CAPACITY, sizeof(live->records[0]))};
	assert_non_null(live->records);
	assert_int_equal(source_procfs_open(&options, &live->source, error), 0);
}

void procfs_live_close(struct procfs_live *live)
{
	live->source->operations->close(&live->source);
	free(live->records);
	live->records = NULL;
}

void procfs_live_tick(struct procfs_live *live)
{
	assert_int_equal(live->source->operations->tick(live->source, UINT64_MAX, live->records, &live->system, &live->tick), 0);
}

const struct raw_process *procfs_live_find(const struct procfs_live *live, pid_t pid)
{
	for (uint32_t i = 0; i < live->tick.count; i++)
		if (live->records[i].pid == (uint32_t)pid)
			return &live->records[i];
	return NULL;
}

static _Noreturn void child_run(pid_t parent, int ready_fd, void (*work)(void))
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	work();
	if (write(ready_fd, "x", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

/* Waits until the child has done its work and sleeps. */
static void await_child(int ready_fd, pid_t pid)
{
	char byte;
	ssize_t got;
	do
		got = read(ready_fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	assert_int_equal(got, 1);
	close(ready_fd);
	procfs_live_await_state(pid, 'S');
}

pid_t procfs_live_child_as(pid_t wanted, void (*work)(void))
{
	int ready[2];
	pid_t parent = getpid();
	assert_int_equal(pipe(ready), 0);
	struct clone_args arguments = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&wanted, .set_tid_size = wanted ? 1 : 0};
	pid_t pid = wanted ? (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments)) : fork();
	int error = errno;
	if (pid == 0)
		child_run(parent, ready[1], work);
	close(ready[1]);
	if (pid < 0) {
		close(ready[0]);
		return -error;
	}
	await_child(ready[0], pid);
	return pid;
}

pid_t procfs_live_child(void (*work)(void))
{
	pid_t pid = procfs_live_child_as(0, work);
	assert_true(pid > 0);
	return pid;
}

void procfs_live_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static size_t read_text(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	FILE *stream = fopen(path, "r");
	assert_non_null(stream);
	size_t length = fread(text, 1, size - 1, stream);
	fclose(stream);
	text[length] = '\0';
	return length;
}

void procfs_live_await_state(pid_t pid, char state)
{
	const struct timespec pause = {.tv_nsec = AWAIT_PAUSE_NS};
	char text[4096];
	for (int i = 0; i < AWAIT_TRIES; i++) {
		read_text(pid, "stat", text, sizeof(text));
		const char *command_end = strrchr(text, ')');
		if (command_end && command_end[1] == ' ' && command_end[2] == state)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("process %d did not come into state %c", (int)pid, state);
}

uint64_t procfs_live_cpu_ns(pid_t pid)
{
	clockid_t clock;
	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	return clock_now_ns(clock);
}

uint64_t procfs_live_number(pid_t pid, const char *file, const char *key)
{
	char text[8192];
	read_text(pid, file, text, sizeof(text));
	const char *found = strstr(text, key);
	assert_non_null(found);
	uint64_t number;
	assert_int_equal(sscanf(found + strlen(key), " %" SCNu64, &number), 1);
	return number;
}
