/*
 * killed.c - rh-collector killed in the middle of its work leaves nothing behind but its samples: no program, map or link in the kernel, no
 * segment but its own, which says that its writer is dead.
 */
#include "base/clock.h"
#include "tests/load/watch.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <poll.h>
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
#include <unistd.h>

#include <cmocka.h>

enum { IDS_MOST = 256, GONE_TRIES = 300, GONE_STEP_MS = 20, WORKERS = 3, PROGRAM_MAPS = 64 };

/* What a process holds of the kernel's, by number. */
struct holdings {
	uint32_t programs[IDS_MOST], maps[IDS_MOST], links[IDS_MOST];
	unsigned program_count, map_count, link_count;
};

static void add(uint32_t *ids, unsigned *count, uint32_t id)
{
	for (unsigned i = 0; i < *count; i++)
		if (ids[i] == id)
			return;
	if (id != 0 && *count < IDS_MOST)
		ids[(*count)++] = id;
}

/* Lines of a descriptor's fdinfo name what it stands for. */
static void add_descriptor(struct holdings *holdings, const char *path)
{
	char line[256];
	uint32_t id;
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "prog_id: %" SCNu32, &id) == 1)
			add(holdings->programs, &holdings->program_count, id);
		else if (sscanf(line, "map_id: %" SCNu32, &id) == 1)
			add(holdings->maps, &holdings->map_count, id);
		else if (sscanf(line, "link_id: %" SCNu32, &id) == 1)
			add(holdings->links, &holdings->link_count, id);
	}
	if (file)
		fclose(file);
}

static int ask(enum bpf_cmd command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

/* A program's maps, of which the collector may have closed the descriptors. */
static void add_maps_of(struct holdings *holdings, uint32_t program)
{
	uint32_t ids[PROGRAM_MAPS];
	struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS, .map_ids = (uint64_t)(uintptr_t)ids};
	union bpf_attr get = {.prog_id = program};
	int fd = ask(BPF_PROG_GET_FD_BY_ID, &get);
	if (fd < 0)
		return;
	union bpf_attr about = {.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uint64_t)(uintptr_t)&info}};
	if (ask(BPF_OBJ_GET_INFO_BY_FD, &about) == 0)
		for (uint32_t i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS; i++)
			add(holdings->maps, &holdings->map_count, ids[i]);
	close(fd);
}

static void take_stock(struct holdings *holdings, pid_t pid)
{
	char path[300];
	memset(holdings, 0, sizeof(*holdings));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", (int)pid, entry->d_name);
		if (entry->d_name[0] != '.')
			add_descriptor(holdings, path);
	}
	closedir(folder);
	for (unsigned i = 0; i < holdings->program_count; i++)
		add_maps_of(holdings, holdings->programs[i]);
}

static bool exists(enum bpf_cmd command, uint32_t id)
{
	union bpf_attr get = {.prog_id = id}; /* all three numbers lie at the same place */
	int fd = ask(command, &get);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static unsigned count_existing(const struct holdings *holdings)
{
	unsigned count = 0;
	for (unsigned i = 0; i < holdings->program_count; i++)
		count += exists(BPF_PROG_GET_FD_BY_ID, holdings->programs[i]);
	for (unsigned i = 0; i < holdings->map_count; i++)
		count += exists(BPF_MAP_GET_FD_BY_ID, holdings->maps[i]);
	for (unsigned i = 0; i < holdings->link_count; i++)
		count += exists(BPF_LINK_GET_FD_BY_ID, holdings->links[i]);
	return count;
}

/* ---- set-up ---- */

struct killed {
	struct live_collector live;
	pid_t workers[WORKERS];
};

static _Noreturn void work(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	while (getppid() == parent) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	_exit(0);
}

static int begin(void **state)
{
	struct killed *killed = calloc(1, sizeof(*killed));
	pid_t parent = getpid();
	if (!killed)
		return -1;
	*state = killed;
	fflush(NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		if ((killed->workers[i] = fork()) == 0)
			work(parent);
	return live_collector_start(&killed->live, "killed", "sampling.interval=0.02\nsampling.max_cpu=100\n") ? 0 : -1;
}

static int end(void **state)
{
	struct killed *killed = *state;
	if (!killed)
		return 0;
	for (unsigned i = 0; i < WORKERS; i++) {
		kill(killed->workers[i], SIGKILL);
		waitpid(killed->workers[i], NULL, 0);
	}
	live_collector_stop(&killed->live);
	free(killed);
	return 0;
}

/* ---- the tests ---- */

static unsigned count_segments(const struct live_collector *live)
{
	unsigned count = 0;
	DIR *folder = opendir("/dev/shm");
	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		count += strstr(entry->d_name, live->instance) != NULL;
	if (folder)
		closedir(folder);
	return count;
}

static void nothing_is_left_in_the_kernel(void **state)
{
	struct killed *killed = *state;
	struct holdings holdings;
	for (unsigned i = 0; i < 10; i++)
		assert_true(live_collector_await(&killed->live, clock_now_ns(CLOCK_MONOTONIC)));
	take_stock(&holdings, killed->live.pid);
	print_message("%u programs, %u maps, %u links\n", holdings.program_count, holdings.map_count, holdings.link_count);
	bool is_bpf = watch_is_bpf(&killed->live);
	if (is_bpf) {
		assert_true(holdings.program_count > 0 && holdings.map_count > 0);
		assert_int_equal(count_existing(&holdings), holdings.program_count + holdings.map_count + holdings.link_count);
	}
	live_collector_kill(&killed->live);
	assert_int_equal(rh_writer_status(killed->live.ring), RH_DEAD);
	assert_int_equal(count_segments(&killed->live), 1);
	/* The kernel takes them away a moment later. */
	unsigned left = count_existing(&holdings);
	for (unsigned i = 0; i < GONE_TRIES && left > 0; i++) {
		poll(NULL, 0, GONE_STEP_MS);
		left = count_existing(&holdings);
	}
	assert_int_equal(left, 0);
	if (!is_bpf) {
		print_message("no kernel-direct sampling here (reason %u)\n", killed->live.view.system.sampler_reason);
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(nothing_is_left_in_the_kernel, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
