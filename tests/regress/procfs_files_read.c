/*
 * Regression 16 (process-exporter#246, htop#1712, moby#15204): a monitor that read smaps or cmdline stalled the processes it watched, or
 * hung with them. The sampling path must open nothing of a process but files that take no mmap lock, whatever the process does; and it
 * must not allocate. Both are seen at the calls themselves: the linker leads them here (--wrap; with
 * 64-bit file offsets openat() and mmap() are openat64() and mmap64()).
 */
#include "tests/support/procfs_live.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TICKS = 1000, CHILDREN = 20 };

static bool is_watching;
static unsigned opened, allocations;
static char wrong_path[128];

/* By lock: schedstat none; stat, status: spin locks; io: a spin lock and exec_update_lock; task: a directory. */
static bool is_harmless(const char *path)
{
	static const char *const harmless[] = {"schedstat", "stat", "status", "io", "task"};
	const char *slash = strrchr(path, '/');
	if (!slash)
		return false;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strcmp(slash + 1, harmless[i]) == 0)
			return true;
	return false;
}

int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__real_mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset);

int __wrap_openat64(int folder, const char *path, int flags, ...)
{
	if (is_watching) {
		opened++;
		if (!is_harmless(path) && !wrong_path[0])
			snprintf(wrong_path, sizeof(wrong_path), "%s", path);
	}
	return __real_openat64(folder, path, flags);
}

void *__wrap_malloc(size_t size)
{
	allocations += is_watching;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations += is_watching;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	allocations += is_watching;
	return __real_realloc(memory, size);
}

void *__wrap_mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	allocations += is_watching;
	return __real_mmap64(address, length, protection, flags, fd, offset);
}

static void nothing(void)
{
}

/* Processes come, run and go all the while. */
static void test_files(void **state)
{
	(void)state;
	struct procfs_live live;
	pid_t children[CHILDREN] = {0};
	procfs_live_open(&live, 100000, 16);
	for (int i = 0; i < TICKS; i++) {
		pid_t *child = &children[i % CHILDREN];
		if (i % 5 == 0) {
			if (*child)
				procfs_live_kill(*child);
			*child = procfs_live_child(nothing);
		} else if (*child) {
			kill(*child, SIGSTOP);
			kill(*child, SIGCONT);
		}
		is_watching = true;
		procfs_live_tick(&live);
		is_watching = false;
	}
	assert_string_equal(wrong_path, "");
	assert_int_equal(allocations, 0);
	assert_true(opened > TICKS); /* the watch was on */
	for (int i = 0; i < CHILDREN; i++)
		if (children[i])
			procfs_live_kill(children[i]);
	procfs_live_close(&live);
}

/* The negative control: the wrappers see what they are to see. */
static void test_watch(void **state)
{
	(void)state;
	opened = allocations = 0;
	is_watching = true;
	int fd = openat(-1, "/proc/self/smaps", 0);
	void *volatile memory = malloc(1);
	is_watching = false;
	free(memory);
	close(fd);
	assert_string_equal(wrong_path, "/proc/self/smaps");
	assert_int_equal(opened, 1);
	assert_int_equal(allocations, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_watch)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
