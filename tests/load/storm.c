/*
 * storm.c - many processes that hardly live: a fork bomb in a process group of limited size, a thousand children that live under a millisecond.
 *
 * The collector goes on, and what it does not see it says. Once with each back end.
 */
#include "base/clock.h"
#include "tests/load/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { BOMB_MOST = 400, BOMB_MS = 3000, BOMB_LIFE_S = 8, CLEAN_TRIES = 400, CHILDREN = 1000, PATH_BYTES = 128 };

struct storm {
	struct live_collector live;
	bool by_bpf;
	char group[PATH_BYTES], mount[PATH_BYTES]; /* what is to be removed */
	_Atomic uint64_t *made;                    /* processes that the bomb made; memory shared with it */
};

/* ---- a group of limited size ---- */

static bool write_text(const char *folder, const char *name, const char *text)
{
	char path[2 * PATH_BYTES];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool make_group(struct storm *storm, const char *root)
{
	char limit[16];
	snprintf(storm->group, sizeof(storm->group), "%s/rogue-storm-%d", root, (int)getpid());
	snprintf(limit, sizeof(limit), "%d", BOMB_MOST);
	if (mkdir(storm->group, 0700) == 0 && write_text(storm->group, "pids.max", limit))
		return true;
	rmdir(storm->group);
	storm->group[0] = '\0';
	return false;
}

/* Where the pids controller is mounted, or is mounted by us alone. */
static bool find_group(struct storm *storm)
{
	static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (make_group(storm, roots[i]))
			return true;
	snprintf(storm->mount, sizeof(storm->mount), "/tmp/rogue-storm-XXXXXX");
	if (!mkdtemp(storm->mount))
		storm->mount[0] = '\0';
	return storm->mount[0] && mount("pids", storm->mount, "cgroup", 0, "pids") == 0 && make_group(storm, storm->mount);
}

/* Kills all that is in the group. Returns how many there were. */
static unsigned kill_group(const struct storm *storm)
{
	char path[2 * PATH_BYTES];
	unsigned count = 0;
	int pid;
	snprintf(path, sizeof(path), "%s/cgroup.procs", storm->group);
	FILE *file = fopen(path, "r");
	while (file && fscanf(file, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

static void remove_group(struct storm *storm)
{
	if (storm->group[0]) {
		write_text(storm->group, "pids.max", "0");
		for (unsigned i = 0; i < CLEAN_TRIES && (kill_group(storm) > 0 || rmdir(storm->group) != 0); i++) {
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
			poll(NULL, 0, 10);
		}
	}
	if (storm->mount[0]) {
		umount(storm->mount);
		rmdir(storm->mount);
	}
	storm->group[0] = storm->mount[0] = '\0';
}

/* ---- set-up ---- */

static int begin(void **state, bool by_bpf)
{
	struct storm *storm = calloc(1, sizeof(*storm));
	char config[96];
	if (!storm)
		return -1;
	*state = storm;
	storm->by_bpf = by_bpf;
	snprintf(config, sizeof(config), "sampling.interval=0.1\nsampling.sampler=%s\n", by_bpf ? "bpf" : "procfs");
	storm->made = mmap(NULL, sizeof(*storm->made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return storm->made != MAP_FAILED && live_collector_start(&storm->live, "storm", config) ? 0 : -1;
}

static int begin_by_procfs(void **state)
{
	return begin(state, false);
}

static int begin_by_bpf(void **state)
{
	return begin(state, true);
}

static int end(void **state)
{
	struct storm *storm = *state;
	if (!storm)
		return 0;
	remove_group(storm);
	live_collector_stop(&storm->live);
	if (storm->made != MAP_FAILED)
		munmap((void *)(uintptr_t)storm->made, sizeof(*storm->made));
	free(storm);
	return 0;
}

static struct storm *storm_of(void **state)
{
	struct storm *storm = *state;
	assert_true(live_collector_await(&storm->live, 0));
	if (storm->by_bpf != watch_is_bpf(&storm->live)) {
		print_message("no kernel-direct sampling here (reason %u)\n", storm->live.view.system.sampler_reason);
		skip();
	}
	return storm;
}

/* ---- the bomb ---- */

/* Every process of it makes others until the time is over; most of them end at once. */
static _Noreturn void explode(uint64_t until_ns, _Atomic uint64_t *made)
{
	unsigned seed = (unsigned)getpid();
	alarm(BOMB_LIFE_S);
	signal(SIGCHLD, SIG_IGN);
	while (clock_now_ns(CLOCK_MONOTONIC) < until_ns) {
		seed = seed * 1103515245 + 12345;
		pid_t child = fork();
		if (child > 0)
			++*made;
		if (child == 0) {
			if (seed >> 16 & 7)
				_exit(0);
			alarm(BOMB_LIFE_S);
			seed ^= (unsigned)getpid();
		}
	}
	_exit(0);
}

static void light_bomb(const struct storm *storm, uint64_t until_ns)
{
	char text[16];
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	if (write_text(storm->group, "cgroup.procs", text))
		explode(until_ns, storm->made);
	_exit(1);
}

/* Forks of the machine since it was started. */
static uint64_t forks_now(void)
{
	char line[256];
	uint64_t forks = 0;
	FILE *file = fopen("/proc/stat", "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "processes %" SCNu64, &forks) == 1)
			break;
	fclose(file);
	return forks;
}

/*
 * All that the bomb made must be told of, as new ones or as those that came and went, or be counted as lost. Others make processes too, and threads, which
 * the kernel counts among its forks. These were counted before the first sample began: on a busy machine it takes a while, and others go on.
 */
static void assert_counted(const struct storm *storm, const struct watch *watch, uint64_t forks_before)
{
	uint64_t made = *storm->made, forks = forks_now() - forks_before;
	uint64_t lost = watch->last.lost_count - watch->first.lost_count;
	print_message("%" PRIu64 " made, %" PRIu64 " forks of the machine: %" PRIu64 " seen new, %" PRIu64 " came and went, %" PRIu64
	              " lost\n",
	        made, forks, watch->news, watch->briefs, lost);
	assert_true(made > BOMB_MOST);
	assert_true((double)(watch->news + watch->briefs) <= 1.03 * (double)forks + 50);
	if (storm->by_bpf) /* from /proc only those that are there at a sample */
		assert_true((double)(watch->news + watch->briefs + lost) >= 0.97 * (double)made);
}

static void fork_bomb_is_outlived(void **state)
{
	struct storm *storm = storm_of(state);
	struct watch watch;
	if (!find_group(storm)) {
		print_message("no controller of the number of processes (pids) can be used here\n");
		skip();
	}
	uint64_t forks_before = forks_now();
	watch_begin(&watch, &storm->live);
	light_bomb(storm, clock_now_ns(CLOCK_MONOTONIC) + BOMB_MS * (uint64_t)NS_PER_MS);
	watch_for(&watch, &storm->live, BOMB_MS + 300);
	remove_group(storm);
	watch_until(&watch, &storm->live, clock_now_ns(CLOCK_MONOTONIC));
	watch_until(&watch, &storm->live, clock_now_ns(CLOCK_MONOTONIC));
	watch_assert_sound(&watch, "fork bomb");
	assert_counted(storm, &watch, forks_before);
}

/* ---- the short-lived ---- */

static uint64_t rusage_cpu_ns(const struct rusage *usage)
{
	return ((uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * NS_PER_S) +
	       ((uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * NS_PER_US);
}

/* Children that work for a fifth of a millisecond. Returns their cpu time in all. */
static uint64_t have_children(void)
{
	uint64_t cpu_ns = 0;
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct rusage usage;
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			uint64_t until_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + 200 * (uint64_t)NS_PER_US;
			while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
				;
			_exit(0);
		}
		assert_int_equal(wait4(child, NULL, 0, &usage), child);
		cpu_ns += rusage_cpu_ns(&usage);
	}
	return cpu_ns;
}

static void short_lived_are_counted_with_their_cpu(void **state)
{
	struct storm *storm = storm_of(state);
	struct watch watch;
	struct rh_process record;
	double brief_ns = 0;
	uint64_t briefs = 0;
	watch_begin(&watch, &storm->live);
	uint64_t from = storm->live.view.sample + 1;
	uint64_t cpu_ns = have_children();
	watch_until(&watch, &storm->live, clock_now_ns(CLOCK_MONOTONIC));
	watch_until(&watch, &storm->live, clock_now_ns(CLOCK_MONOTONIC));
	for (uint64_t i = from; i <= watch.cursor; i++) {
		assert_int_equal(rh_at(storm->live.ring, i, &storm->live.view), RH_OK);
		assert_true(live_collector_find(&storm->live, getpid(), false, &record));
		if (rh_has(record.present, RH_F_brief_count))
			briefs += record.brief_count;
		if (rh_has(record.present, RH_F_brief_cpu_pct))
			brief_ns += (double)record.brief_cpu_pct / 100 * (double)storm->live.view.system.elapsed_ns;
	}
	watch_assert_sound(&watch, "short-lived");
	print_message("%" PRIu64 " of %d children, %.1f ms of %.1f ms of cpu\n", briefs, CHILDREN, brief_ns / NS_PER_MS,
	        (double)cpu_ns / NS_PER_MS);
	if (!storm->by_bpf)
		return; /* /proc forgets them */
	/* One that was there at a sample is not one that came and went between two. */
	assert_true(briefs <= CHILDREN && briefs + watch.samples >= CHILDREN);
	assert_true(brief_ns <= 1.03 * (double)cpu_ns && brief_ns >= 0.97 * (double)cpu_ns - (double)watch.samples * NS_PER_MS);
}

#define BOTH(test) \
	{#test " by procfs", test, begin_by_procfs, end, NULL}, \
	{ \
#test " by bpf", test, begin_by_bpf, end, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(fork_bomb_is_outlived),
	        BOTH(short_lived_are_counted_with_their_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
