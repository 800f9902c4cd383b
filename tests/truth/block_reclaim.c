/*
 * block_reclaim.c - a process that does not fit into its memory control group takes memory back from itself: that time is in its account, while it goes on
 * too, and in nobody else's.
 *
 * Skipped where there is no right to watch it, or to make a control group.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/block_live.h"

enum { FILE_MIB = 96, LIMIT_MIB = 24 };

static struct block_live live;
static char group[300]; /* of this test */

static void pass(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * NS_PER_MS};
	while (nanosleep(&time, &time) < 0)
		continue;
}

/* Where memory control groups (version 1) are mounted. */
static bool find_mount(char *ret_path, size_t size)
{
	struct mntent *entry;
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	bool found = false;
	while (mounts && !found && (entry = getmntent(mounts)) != NULL) {
		found = strcmp(entry->mnt_type, "cgroup") == 0 && hasmntopt(entry, "memory");
		if (found)
			snprintf(ret_path, size, "%s", entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

static bool group_write(const char *file, const char *text)
{
	char path[400];
	snprintf(path, sizeof(path), "%s/%s", group, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

static bool group_make(void)
{
	char mount[200], limit[32];
	if (!find_mount(mount, sizeof(mount)))
		return false;
	snprintf(group, sizeof(group), "%s/rogue-hunter-test-%d", mount, (int)getpid());
	snprintf(limit, sizeof(limit), "%u", LIMIT_MIB << 20);
	return mkdir(group, 0700) == 0 && group_write("memory.limit_in_bytes", limit);
}

/* Removes the group when this program is gone, however it went: its end of the pipe closes then. */
static pid_t janitor_start(int *ret_pipe)
{
	int ends[2];
	char byte;
	if (pipe(ends) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		while (read(ends[0], &byte, 1) > 0)
			continue;
		/* the last pages of who was killed may still be charged for a moment */
		for (unsigned i = 0; i < 500 && rmdir(group) < 0; i++)
			pass(10);
		_exit(access(group, F_OK) == 0);
	}
	close(ends[0]);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	*ret_pipe = ends[1];
	return pid;
}

/* Reads a mapped file again and again, which does not fit into its group. */
static pid_t thrasher_start(int fd)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	char self[16];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(self, sizeof(self), "%d", (int)getpid());
	volatile char *map = mmap(NULL, (size_t)FILE_MIB << 20, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || !group_write("tasks", self))
		_exit(1);
	for (;;)
		for (size_t i = 0; i < (size_t)FILE_MIB << 20; i += 4096)
			(void)map[i];
}

static uint64_t reclaim_ns(pid_t pid)
{
	const struct raw_process *process = block_live_find(&live, pid);
	return process && rh_has(process->present, RH_F_reclaim_delay_ms_per_s) ? process->reclaim_delay_ns : 0;
}

static void thrashing_in_a_group(void **state)
{
	(void)state;
	int fd = block_live_file(&live, FILE_MIB, O_RDONLY);
	if (fd < 0)
		skip();
	pid_t thrasher = thrasher_start(fd), idle = fork();
	if (idle == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	close(fd);
	uint64_t before = 0, most = 0;
	for (unsigned i = 0; i < 40; i++) {
		pass(50);
		block_live_tick(&live);
		assert_true(reclaim_ns(thrasher) >= most);
		most = reclaim_ns(thrasher);
		if (i == 10)
			before = most;
	}
	const struct account *account = accounts_find(&live.accounts, (uint32_t)thrasher);
	uint32_t reclaims = account ? account->reclaims : 0;
	assert_int_equal(waitpid(thrasher, NULL, WNOHANG), 0);
	kill(thrasher, SIGKILL);
	kill(idle, SIGKILL);
	waitpid(thrasher, NULL, 0);
	waitpid(idle, NULL, 0);
	print_message("%u reclaims, %.1f ms in 1.5 s\n", reclaims, (double)(most - before) / 1e6);
	assert_true(reclaims > 10);
	assert_true(most > before);
	assert_true(most - before < 4 * (uint64_t)NS_PER_S);
	assert_int_equal(reclaim_ns(idle), 0);
	assert_true(live.tick.signals >> RH_SIGNAL_reclaim & 1);
}

/* Requests can be left alone by configuration: then device time is absent, not zero. */
static void reclaim_alone(void **state)
{
	(void)state;
	char error[256];
	struct source_options options = {.config = &live.config, .max_processes = BLOCK_LIVE_MOST, .interval_ns = 200 * NS_PER_MS};
	block_close(&live.block);
	live.config.sampling_block = false;
	assert_int_equal(block_open(&options, &live.accounts, &live.block, error), 0);
	block_live_tick(&live);
	assert_true(live.count > 0);
	assert_int_equal(live.tick.signals, UINT64_C(1) << RH_SIGNAL_reclaim);
	assert_false(rh_has(live.processes[0].present, RH_F_io_time_ms_per_s));
	assert_true(rh_has(live.processes[0].present, RH_F_reclaim_delay_ms_per_s));
	assert_false(rh_has(live.system.present, RH_S_disk_slowest_latency_ns));
	assert_false(rh_has(live.system.present, RH_S_disk_latency_max_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(thrashing_in_a_group), cmocka_unit_test(reclaim_alone)};
	const char *why_not = block_live_open(&live);
	int result = 77, janitor_pipe = -1, status = 0;
	pid_t janitor = -1;
	if (!why_not && !group_make())
		why_not = "there are no memory control groups (version 1) here, or no right to make one";
	if (group[0])
		janitor = janitor_start(&janitor_pipe);
	if (why_not)
		fprintf(stderr, "skipped: %s\n", why_not);
	else
		result = cmocka_run_group_tests(tests, NULL, NULL);
	block_live_close(&live);
	if (janitor > 0) {
		close(janitor_pipe);
		waitpid(janitor, &status, 0);
	}
	if (status != 0)
		fprintf(stderr, "%s could not be removed\n", group);
	return status != 0 ? 1 : result;
}
