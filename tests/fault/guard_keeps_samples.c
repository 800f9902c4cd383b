/*
 * guard_keeps_samples.c - the collector goes on sampling while everything else is held up, and its samples tell so: ordinary hogs, real-time hogs on
 * every cpu, a fork storm, reclaim in a group short of memory, an fsync storm, each for three seconds.
 *
 * Of the samples that were due in that time at least four fifths must be published, and no sample may be lost to a reader that comes later. Under the
 * real-time hogs the canaries must tell of the starvation, and the guard, if it is a deadline thread, must not. What needs rights or a controller that are
 * not there is skipped. All workers end by themselves.
 */
#include "base/clock.h"
#include "tests/support/live_collector.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	INTERVAL_MS = 200,
	FAULT_MS = 3000,
	START_MS = 300, /* for all workers to be there */
	SETTLE_MS = 700,
	LIFE_S = 10,
	KEPT_PCT = 80,
	WORKERS_MOST = 64,
	HOGS_EACH_CPU = 8,
	PRIORITY = 99,
	FORKERS = 4,
	FORKED_MOST = 200,
	READERS = 3,
	GROUP_MIB = 32,
	FILE_MIB = 192,
	WRITERS = 3,
	WRITE_BYTES = 128 << 10,
	TMPFS = 0x01021994,
	PATH_BYTES = 128,
};

struct fault {
	struct live_collector live;
	char group[PATH_BYTES], file[PATH_BYTES]; /* what is to be removed */
	pid_t workers[WORKERS_MOST];
	unsigned count;
	uint32_t stalls;           /* reported before */
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC */
};

/* What the samples of that time tell. */
struct told {
	unsigned samples;
	uint64_t lost;
	double guard_ms, canary_ms; /* longest lateness */
	unsigned canaries_late;     /* most at once */
	uint32_t class, boosts;
	uint32_t stalls;    /* as it reported them */
	double pressure_ms; /* of memory or io, whichever was more, as it sums it up */
};

static uint64_t now_ns(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

static void sleep_until(uint64_t monotonic_ns)
{
	const struct timespec until = clock_timespec(monotonic_ns);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* ---- workers ---- */

/* Starts one that works from begin_ns on and is to be gone at end_ns. `group`: into that control group first. */
static void start(
        struct fault *fault, const char *group, void (*prepare)(unsigned which), void (*work)(const struct fault *fault, unsigned which))
{
	unsigned which = fault->count;
	char path[2 * PATH_BYTES];
	assert_true(which < WORKERS_MOST);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		fault->workers[fault->count++] = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	if (group) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", group);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(77);
		close(fd);
	}
	if (prepare)
		prepare(which);
	sleep_until(fault->begin_ns);
	work(fault, which);
	_exit(0);
}

static void spin(const struct fault *fault, unsigned which)
{
	(void)which;
	while (now_ns() < fault->end_ns)
		;
}

/* The `which`th of the cpus that may be used, round and round. */
static void bind_to(unsigned which)
{
	cpu_set_t cpus;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		_exit(77);
	unsigned skip = which % (unsigned)CPU_COUNT(&cpus), cpu = 0;
	for (; !CPU_ISSET(cpu, &cpus) || skip-- > 0; cpu++)
		;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		_exit(77);
}

static void be_real_time(unsigned which)
{
	const struct sched_param priority = {.sched_priority = PRIORITY};
	bind_to(which);
	if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
		_exit(77);
}

static void fork_on(const struct fault *fault, unsigned which)
{
	(void)which;
	while (now_ns() < fault->end_ns) {
		pid_t child = fork();
		if (child == 0) {
			uint64_t until_ns = now_ns() + NS_PER_MS;
			while (now_ns() < until_ns)
				;
			_exit(0);
		}
		while (waitpid(-1, NULL, child > 0 ? WNOHANG : 0) > 0 && child > 0)
			;
	}
}

/* Touches the pages of a file that has no room in the group. */
static void touch_file(const struct fault *fault, unsigned which)
{
	size_t bytes = (size_t)FILE_MIB << 20, page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open(fault->file, O_RDONLY | O_CLOEXEC);
	const volatile char *memory = fd >= 0 ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (memory == MAP_FAILED)
		_exit(1);
	for (size_t at = which * bytes / READERS; now_ns() < fault->end_ns; at = (at + page) % bytes)
		(void)memory[at];
}

static void write_and_sync(const struct fault *fault, unsigned which)
{
	static const char block[WRITE_BYTES];
	char path[2 * PATH_BYTES];
	snprintf(path, sizeof(path), "%s.%u", fault->file, which);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	unlink(path);
	for (off_t at = 0; fd >= 0 && now_ns() < fault->end_ns; at = (at + WRITE_BYTES) % (16 * WRITE_BYTES))
		if (pwrite(fd, block, WRITE_BYTES, at) != WRITE_BYTES || fsync(fd) != 0)
			_exit(1);
	_exit(fd < 0 ? 1 : 0);
}

/* ---- control groups: version 1 where the controller is mounted by itself, or version 2 ---- */

static bool write_text(const char *folder, const char *name, unsigned long value)
{
	char path[2 * PATH_BYTES];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && dprintf(fd, "%lu", value) > 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool make_group(struct fault *fault, const char *root, const char *limit, unsigned long value)
{
	snprintf(fault->group, sizeof(fault->group), "%s/rogue-guard-%d", root, (int)getpid());
	if (mkdir(fault->group, 0700) == 0) {
		if (write_text(fault->group, limit, value))
			return true;
		rmdir(fault->group);
	}
	fault->group[0] = '\0';
	return false;
}

/* A file in the working folder or beside the temporary ones, whichever is on a disk. Returns false where neither is. */
static bool make_file(struct fault *fault)
{
	static const char *const folders[] = {".", "/var/tmp"};
	struct statfs about;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (statfs(folders[i], &about) != 0 || about.f_type == TMPFS)
			continue;
		snprintf(fault->file, sizeof(fault->file), "%s/rogue-guard-XXXXXX", folders[i]);
		int fd = mkstemp(fault->file);
		if (fd < 0)
			continue;
		bool ok = ftruncate(fd, (off_t)FILE_MIB << 20) == 0;
		close(fd);
		if (ok)
			return true;
		unlink(fault->file);
	}
	fault->file[0] = '\0';
	return false;
}

/* ---- set-up ---- */

static int begin(void **state)
{
	char config[64];
	struct fault *fault = calloc(1, sizeof(*fault));
	*state = fault;
	snprintf(config, sizeof(config), "sampling.interval=%g\nsampling.max_cpu=100\n", INTERVAL_MS / 1000.0);
	if (!fault || !live_collector_start(&fault->live, "guard", config))
		return -1;
	uint64_t warm_ns = now_ns() + SETTLE_MS * (uint64_t)NS_PER_MS;
	fault->begin_ns = warm_ns + START_MS * (uint64_t)NS_PER_MS;
	fault->end_ns = fault->begin_ns + FAULT_MS * (uint64_t)NS_PER_MS;
	sleep_until(warm_ns);
	if (!live_collector_await(&fault->live, warm_ns - 2 * INTERVAL_MS * (uint64_t)NS_PER_MS))
		return -1;
	fault->stalls = fault->live.view.system.psi_stalls_count;
	return 0;
}

static int end(void **state)
{
	struct fault *fault = *state;
	if (!fault)
		return 0;
	for (unsigned i = 0; i < fault->count; i++) {
		kill(fault->workers[i], SIGKILL);
		waitpid(fault->workers[i], NULL, 0);
	}
	live_collector_stop(&fault->live);
	for (unsigned i = 0; fault->group[0] && rmdir(fault->group) != 0 && i < 100; i++)
		poll(NULL, 0, 20);
	if (fault->file[0])
		unlink(fault->file);
	free(fault);
	return 0;
}

/* ---- what a reader finds afterwards ---- */

static void note(struct told *told, const struct rh_system *system)
{
	told->samples++;
	if (rh_has(system->present, RH_S_guard_lateness_ns) && (double)system->guard_lateness_ns / NS_PER_MS > told->guard_ms)
		told->guard_ms = (double)system->guard_lateness_ns / NS_PER_MS;
	if (rh_has(system->present, RH_S_canary_lateness_ns) && (double)system->canary_lateness_ns / NS_PER_MS > told->canary_ms)
		told->canary_ms = (double)system->canary_lateness_ns / NS_PER_MS;
	if (rh_has(system->present, RH_S_canaries_late_count) && system->canaries_late_count > told->canaries_late)
		told->canaries_late = system->canaries_late_count;
	double pressure = fmax((double)system->psi_memory_some_ms_per_s, (double)system->psi_io_some_ms_per_s);
	told->pressure_ms += pressure * (double)system->elapsed_ns / NS_PER_S;
	told->class = system->guard_class;
	told->boosts = system->guard_boosts_count;
}

/* Waits until the workers are gone. Skips the test if one of them was refused what it needs. */
static struct told run(struct fault *fault, const char *what)
{
	struct told told = {0};
	struct rh_view view;
	enum rh_status result;
	uint64_t cursor = rh_newest(fault->live.ring);
	bool refused = false, failed = false;
	for (unsigned i = 0; i < fault->count; i++) {
		int status;
		assert_int_equal(waitpid(fault->workers[i], &status, 0), fault->workers[i]);
		refused |= WIFEXITED(status) && WEXITSTATUS(status) == 77;
		failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	fault->count = 0;
	if (refused)
		skip();
	assert_false(failed);
	sleep_until(fault->end_ns + SETTLE_MS * (uint64_t)NS_PER_MS);
	while ((result = rh_next(fault->live.ring, &cursor, &told.lost, &view)) == RH_OK) {
		if (view.system.monotonic_ns >= fault->begin_ns && view.system.monotonic_ns < fault->end_ns)
			note(&told, &view.system);
		told.stalls = view.system.psi_stalls_count - fault->stalls;
	}
	assert_int_equal(rh_writer_status(fault->live.ring), RH_RUNNING);
	print_message("%s: %u of %d samples; canaries late by up to %.0f ms on %u cpus, guard (%u) by %.1f ms, %u boosts; %.0f ms of "
	              "pressure, %u stalls reported\n",
	        what, told.samples, FAULT_MS / INTERVAL_MS, told.canary_ms, told.canaries_late, told.class, told.guard_ms, told.boosts,
	        told.pressure_ms, told.stalls);
	return told;
}

static void expect_kept(const struct told *told)
{
	assert_int_equal(told->lost, 0);
	assert_true(told->samples * 100 >= KEPT_PCT * FAULT_MS / INTERVAL_MS);
}

/* ---- faults ---- */

static void under_ordinary_hogs(void **state)
{
	struct fault *fault = *state;
	unsigned hogs = HOGS_EACH_CPU * (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	for (unsigned i = 0; i < hogs && i < WORKERS_MOST; i++)
		start(fault, NULL, NULL, spin);
	struct told told = run(fault, "ordinary hogs");
	expect_kept(&told);
}

static void under_real_time_hogs_on_every_cpu(void **state)
{
	struct fault *fault = *state;
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (2 * cpus > WORKERS_MOST)
		skip();
	for (unsigned i = 0; i < 2 * cpus; i++)
		start(fault, NULL, be_real_time, spin);
	struct told told = run(fault, "real-time hogs");
	if (told.class != RH_GUARD_CLASS_deadline)
		skip();
	expect_kept(&told);
	assert_true(told.canary_ms >= 300);
	assert_int_equal(told.canaries_late, cpus);
	assert_true(told.guard_ms < 150);
	assert_true(told.boosts > 0);
}

static void under_a_fork_storm(void **state)
{
	struct fault *fault = *state;
	if (!make_group(fault, "/sys/fs/cgroup/pids", "pids.max", FORKED_MOST) &&
	        !make_group(fault, "/sys/fs/cgroup", "pids.max", FORKED_MOST))
		skip();
	for (unsigned i = 0; i < FORKERS; i++)
		start(fault, fault->group, NULL, fork_on);
	struct told told = run(fault, "fork storm");
	expect_kept(&told);
}

static void under_reclaim(void **state)
{
	struct fault *fault = *state;
	const unsigned long limit = (unsigned long)GROUP_MIB << 20;
	bool grouped = make_group(fault, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", limit) ||
	               make_group(fault, "/sys/fs/cgroup", "memory.max", limit);
	if (!grouped || !make_file(fault))
		skip();
	for (unsigned i = 0; i < READERS; i++)
		start(fault, fault->group, NULL, touch_file);
	struct told told = run(fault, "reclaim");
	expect_kept(&told);
}

static void under_an_fsync_storm(void **state)
{
	struct fault *fault = *state;
	if (!make_file(fault))
		skip();
	for (unsigned i = 0; i < WRITERS; i++)
		start(fault, NULL, NULL, write_and_sync);
	struct told told = run(fault, "fsync storm");
	expect_kept(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(under_ordinary_hogs, begin, end),
	        cmocka_unit_test_setup_teardown(under_real_time_hogs_on_every_cpu, begin, end),
	        cmocka_unit_test_setup_teardown(under_a_fork_storm, begin, end),
	        cmocka_unit_test_setup_teardown(under_reclaim, begin, end),
	        cmocka_unit_test_setup_teardown(under_an_fsync_storm, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
