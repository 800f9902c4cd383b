/*
 * surroundings_fixture.h - a machine that a test of the surroundings makes up, and a pause on it.
 */
#ifndef TESTS_UNIT_SURROUNDINGS_FIXTURE_H
#define TESTS_UNIT_SURROUNDINGS_FIXTURE_H

#include "readers/tracker/surroundings.h"

#include "base/clock.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { CULPRIT = 812, VICTIM = 900, TICK_NS = 10 * NS_PER_MS };
static const uint64_t patience_ns = 30 * (uint64_t)NS_PER_S; /* a slow test machine must not leave anything out */

struct world {
	char root[200];
	struct surroundings *surroundings;
	struct pause pause;
	struct pause_facts facts;
};

static inline void path_of(const struct world *world, const char *name, char out[1400])
{
	snprintf(out, 1400, "%s/%s", world->root, name);
	for (char *slash = out + strlen(world->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(out, 0755);
		*slash = '/';
	}
}

static inline void put(const struct world *world, const char *name, const char *text)
{
	char path[1400];

	path_of(world, name, path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static inline int begin(void **state)
{
	struct world *world = *state = calloc(1, sizeof(*world));
	const char *parent = getenv("TMPDIR");

	snprintf(world->root, sizeof(world->root), "%s/rh-surroundings-XXXXXX", parent ? parent : "/tmp");
	assert_non_null(mkdtemp(world->root));
	put(world, "proc/meminfo",
	        "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable: 9000000 kB\nAnonPages: 9000000 kB\nDirty: 300000 kB\nWriteback: "
	        "20000 kB\n"
	        "SwapTotal: 4194304 kB\nSwapFree: 1000 kB\n");
	put(world, "proc/sys/kernel/hostname", "at\033las\n");
	put(world, "proc/sys/kernel/osrelease", "6.18.4-amd64\n");
	put(world, "proc/sys/kernel/sched_autogroup_enabled", "1\n");
	put(world, "proc/sys/vm/dirty_bytes", "0\n");
	put(world, "proc/sys/vm/dirty_ratio", "20\n");
	put(world, "proc/version", "Linux version 6.18.4 (x@y) (gcc) #1 SMP PREEMPT_DYNAMIC Debian\n");
	put(world, "proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet\n");
	put(world, "sys/devices/system/cpu/online", "0-3,6,8-9\n");
	world->pause = (struct pause){.boot_id = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10",
	        .number = 1,
	        .class = PAUSE_CLASS_cpu,
	        .start_boottime_ns = clock_now_ns(CLOCK_BOOTTIME),
	        .start_realtime_ns = clock_now_ns(CLOCK_REALTIME),
	        .span_ns = NS_PER_S,
	        .window_ns = 4 * (uint64_t)NS_PER_S,
	        .culprit_count = 1,
	        .victim_count = 3};
	world->pause.culprits[0] = (struct pause_who){.pid = CULPRIT, .start_time_ns = 5 * (uint64_t)NS_PER_S + 123, .process_count = 1};
	for (uint32_t i = 0; i < 3; i++)
		world->pause.victims[i] = (struct pause_victim){.pid = VICTIM + i, .start_time_ns = (9 + i) * (uint64_t)NS_PER_S + 9999999};
	return 0;
}

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static inline int end(void **state)
{
	struct world *world = *state;

	surroundings_free(&world->surroundings);
	nftw(world->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(world);
	return 0;
}

static inline void gather(struct world *world)
{
	if (!world->surroundings)
		world->surroundings = surroundings_new(world->root, patience_ns);
	assert_non_null(world->surroundings);
	surroundings_gather(world->surroundings, &world->pause, &world->facts);
	assert_int_equal(surroundings_late(world->surroundings), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
