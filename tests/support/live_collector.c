/* live_collector.c - see live_collector.h. */
#include "tests/support/live_collector.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 20000, STOP_MS = 10000, STOP_STEP_MS = 10 };
static const uint64_t await_ns = 10 * (uint64_t)NS_PER_S;

static bool program_path(char path[PATH_MAX])
{
	const char *bin = getenv("BIN");
	char self[PATH_MAX - 32];
	if (bin)
		return snprintf(path, PATH_MAX, "%s/rh-collector", bin) < PATH_MAX;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return false;
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	return snprintf(path, PATH_MAX, "%s/../bin/rh-collector", self) < PATH_MAX;
}

static _Noreturn void run(const char *instance, const char *config_fd, const char *ready_fd, pid_t parent)
{
	char path[PATH_MAX];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && program_path(path)) {
		execl(path, "rh-collector", "--name", instance, "--config-fd", config_fd, "--ready-fd", ready_fd, (char *)NULL);
		perror(path);
	}
	_exit(127);
}

/* Both descriptors are inherited. Returns the pid, or -1. */
static pid_t spawn(const char *instance, int config_fd, int ready_fd)
{
	char config_text[16], ready_text[16];
	pid_t parent = getpid();
	snprintf(config_text, sizeof(config_text), "%d", config_fd);
	snprintf(ready_text, sizeof(ready_text), "%d", ready_fd);
	pid_t child = fork();
	if (child == 0)
		run(instance, config_text, ready_text, parent);
	return child;
}

static bool is_ready(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char line[16];
	return poll(&wait, 1, READY_MS) == 1 && read(fd, line, sizeof(line)) == 6;
}

bool live_collector_start(struct live_collector *live, const char *name, const char *config)
{
	int ready[2] = {-1, -1}, config_fd = memfd_create("configuration", 0);
	memset(live, 0, sizeof(*live));
	snprintf(live->instance, sizeof(live->instance), "%s-%d", name, (int)getpid());
	bool ok = config_fd >= 0 && dprintf(config_fd, "sampling.proc_root=/proc\n%s", config) > 0 && pipe(ready) == 0;
	if (ok)
		live->pid = spawn(live->instance, config_fd, ready[1]);
	close(config_fd);
	close(ready[1]);
	ok = ok && live->pid > 0 && is_ready(ready[0]);
	close(ready[0]);
	ok = ok && rh_open(live->instance, &live->ring, NULL) == RH_OK;
	if (!ok)
		fprintf(stderr, "rh-collector has published nothing\n");
	return ok;
}

/* The oldest sample from `monotonic_ns` on that has been published, searched from the newest back. */
static bool find_sample(struct live_collector *live, uint64_t monotonic_ns)
{
	struct rh_view view;
	if (rh_latest(live->ring, &view) != RH_OK || view.system.monotonic_ns < monotonic_ns)
		return false;
	do
		live->view = view;
	while (rh_at(live->ring, live->view.sample - 1, &view) == RH_OK && view.system.monotonic_ns >= monotonic_ns);
	return true;
}

bool live_collector_await(struct live_collector *live, uint64_t monotonic_ns)
{
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + await_ns;
	while (clock_now_ns(CLOCK_MONOTONIC) < until_ns) {
		if (find_sample(live, monotonic_ns))
			return true;
		rh_wait(live->ring, rh_newest(live->ring), await_ns);
	}
	return false;
}

bool live_collector_find(const struct live_collector *live, pid_t pid, bool exited, struct rh_process *ret_record)
{
	for (uint32_t i = 0; i < live->view.count; i++) {
		if (live->view.pids[i] != (uint32_t)pid || !rh_copy(&live->view, i, ret_record))
			continue;
		if (((ret_record->flags & RH_PROCESS_exited) != 0) == exited)
			return rh_valid(&live->view);
	}
	return false;
}

void live_collector_kill(struct live_collector *live)
{
	if (live->pid <= 0)
		return;
	kill(live->pid, SIGKILL);
	waitpid(live->pid, NULL, 0);
	live->pid = 0;
}

int live_collector_stop(struct live_collector *live)
{
	int status = -1;
	char segment[80];
	if (live->pid > 0)
		kill(live->pid, SIGTERM);
	for (int ms = 0; live->pid > 0 && ms < STOP_MS; ms += STOP_STEP_MS) {
		if (waitpid(live->pid, &status, WNOHANG) == live->pid)
			live->pid = 0;
		else
			poll(NULL, 0, STOP_STEP_MS);
	}
	if (live->pid > 0)
		status = -1;
	live_collector_kill(live);
	rh_close(&live->ring);
	if (rh_segment_name(live->instance, segment) == RH_OK)
		shm_unlink(segment);
	return status;
}
