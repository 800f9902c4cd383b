/*
 * at_rest.h - waits until a process has come to rest, on a busy machine too: only then values of it stand still while they are compared.
 *
 * That it uses no cpu for a while is not enough, and neither is its state: who waits for a cpu uses none, and who has just been marked as sleeping or
 * stopped may still have to leave his. Include it after cmocka.h.
 */
#ifndef TESTS_TRUTH_AT_REST_H
#define TESTS_TRUTH_AT_REST_H

#include "tests/support/procfs_live.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { AT_REST_TRIES = 4000, AT_REST_STEP_US = 5000 };

/* Does no thread of it run, wait for a cpu, or wait for a page? Those that have ended count as asleep. */
static inline bool at_rest_all_sleep(pid_t pid)
{
	char path[300], text[512];
	bool all = true;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (const struct dirent *entry; all && (entry = readdir(folder));) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", pid, entry->d_name);
		FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue; /* it is gone */
		size_t length = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
		text[length] = '\0';
		const char *at = strrchr(text, ')');
		all = !at || (at[2] != 'R' && at[2] != 'D');
	}
	closedir(folder);
	return all;
}

/* Waits until all threads of it sleep, or are gone. */
static inline void at_rest_await(pid_t pid)
{
	uint64_t before = 0;
	for (int i = 0; i < AT_REST_TRIES; i++) {
		bool is_asleep = at_rest_all_sleep(pid);
		uint64_t now = procfs_live_cpu_ns(pid);
		if (i > 2 && now == before && is_asleep)
			return;
		before = now;
		usleep(AT_REST_STEP_US);
	}
	fail_msg("process %d does not come to rest", pid);
}

/* Stops one that never gives its cpu away by itself: the one time that it does is when it has stopped. */
static inline void at_rest_stop(pid_t pid)
{
	uint64_t given = procfs_live_number(pid, "status", "\nvoluntary_ctxt_switches:");
	kill(pid, SIGSTOP);
	procfs_live_await_state(pid, 'T');
	for (int i = 0; procfs_live_number(pid, "status", "\nvoluntary_ctxt_switches:") == given; i++) {
		if (i == AT_REST_TRIES)
			fail_msg("process %d does not leave its cpu", pid);
		usleep(AT_REST_STEP_US / 10);
	}
}

#endif
