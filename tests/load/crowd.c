/*
 * crowd.c - more processes, and more threads, than a machine should have: 31,000 and 20,000. The collector goes on, at its rate or openly slower,
 * and tells of all of them. Left out where the machine has no room.
 */
#include "base/clock.h"
#include "tests/load/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	PROCESSES = 31000,
	THREADS = 20000,
	KIB_EACH = 160,
	SPARE_PIDS = 1200, /* left to the others */
	STACK_BYTES = 16 << 10,
	OWN_EACH = 32,
	LIFE_S = 150, /* a busy machine takes a minute to make them */
	LOOKED_UP = 40,
	WATCH_MS = 2500,
	SETTLED_MS = 1000,
	STEP_MS = 50,
	GONE_MS = 10000,
};

struct crowd {
	struct live_collector live;
	pid_t keeper; /* of the group that the crowd is */
	struct shared {
		_Atomic int ready;
		_Atomic unsigned count;
		pid_t some[LOOKED_UP];
	} * shared;
};

static uint64_t number_in(const char *path, const char *key)
{
	char line[256];
	uint64_t number = 0;
	FILE *file = fopen(path, "r");
	while (file && number == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			number = strtoull(line + strlen(key), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

/* How many tasks there are now. */
static uint64_t tasks_now(void)
{
	char text[128];
	FILE *file = fopen("/proc/loadavg", "r");
	const char *slash = file && fgets(text, sizeof(text), file) ? strchr(text, '/') : NULL;
	if (file)
		fclose(file);
	return slash ? strtoull(slash + 1, NULL, 10) : 0;
}

/* How many of `wanted` tasks there is room for; 0, with a sentence, where it is less than half. */
static unsigned room_for(unsigned wanted)
{
	uint64_t most = number_in("/proc/sys/kernel/pid_max", ""), now = tasks_now() + SPARE_PIDS;
	uint64_t available_kib = number_in("/proc/meminfo", "MemAvailable:");
	uint64_t room = most > now ? most - now : 0;
	if (room > wanted)
		room = wanted;
	if (room > available_kib / 2 / KIB_EACH)
		room = available_kib / 2 / KIB_EACH;
	if (room >= wanted / 2)
		return (unsigned)room;
	print_message("room for %" PRIu64 " more tasks, %u are wanted\n", room, wanted);
	return 0;
}

/* ---- crowds ---- */

/* Ends with the first, which ends with this test. */
static int stay(void *keeper)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == *(const pid_t *)keeper)
		pause();
	_exit(0);
}

/*
 * One in OWN_EACH has memory of its own, the others have the first one's, like children of vfork(): processes all the same. With memory of its own for each the
 * pages of the first would be in 31,000 address spaces, and whoever asks the kernel where a page is - reclaim, DAMON - holds up every fork for minutes.
 */
static void be_processes(struct shared *shared, unsigned count)
{
	static pid_t keeper;
	size_t bytes = (size_t)count * STACK_BYTES;
	char *stacks = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	keeper = getpid();
	if (stacks == MAP_FAILED)
		return;
	madvise(stacks, bytes, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < count; i++) {
		int shares = i % OWN_EACH == 0 ? 0 : CLONE_VM;
		pid_t child = clone(stay, stacks + ((size_t)i + 1) * STACK_BYTES, shares | SIGCHLD, &keeper);
		if (child < 0)
			break; /* others took what was left */
		shared->some[i * (uint64_t)LOOKED_UP / count] = child;
		shared->count = i + 1;
	}
}

static void *idle(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void be_threads(struct shared *shared, unsigned count)
{
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (shared->count < count && pthread_create(&thread, &attributes, idle, NULL) == 0)
		shared->count++;
}

/* Watches all the while. */
static void gather(struct crowd *crowd, struct watch *watch, void (*be)(struct shared *, unsigned), unsigned count)
{
	pid_t parent = getpid();
	fflush(NULL);
	crowd->keeper = fork();
	assert_true(crowd->keeper >= 0);
	if (crowd->keeper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		alarm(LIFE_S);
		if (getppid() != parent)
			_exit(0);
		be(crowd->shared, count);
		crowd->shared->ready = 1;
		for (;;)
			pause();
	}
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + LIFE_S * (uint64_t)NS_PER_S;
	while (!crowd->shared->ready && clock_now_ns(CLOCK_MONOTONIC) < until_ns)
		watch_for(watch, &crowd->live, STEP_MS);
	assert_int_equal(crowd->shared->ready, 1);
}

/* They are children of the test once their own parent is gone. Those that have not ended yet would be in the way of the next test. */
static void disperse(struct crowd *crowd, struct watch *watch)
{
	bool are_left = crowd->keeper > 0;
	if (are_left)
		kill(-crowd->keeper, SIGKILL);
	for (int ms = 0; ms < GONE_MS && are_left; ms += STEP_MS) {
		pid_t ended;
		while ((ended = waitpid(-crowd->keeper, NULL, WNOHANG)) > 0)
			;
		are_left = ended == 0;
		if (are_left && watch)
			watch_for(watch, &crowd->live, STEP_MS);
		else if (are_left)
			poll(NULL, 0, STEP_MS);
	}
	crowd->keeper = 0;
}

/* ---- set-up ---- */

/* The /proc back end meets its crowd in bench/collector_tick: here it would only take its time. */
static int begin(void **state)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	if (!crowd)
		return -1;
	*state = crowd;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	crowd->shared = mmap(NULL, sizeof(*crowd->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return crowd->shared != MAP_FAILED && live_collector_start(&crowd->live, "crowd",
	                                              "sampling.interval=0.2\nsampling.sampler=bpf\nring.history=10\nring.min_mib=256\n")
	               ? 0
	               : -1;
}

static int end(void **state)
{
	struct crowd *crowd = *state;
	if (!crowd)
		return 0;
	disperse(crowd, NULL);
	live_collector_stop(&crowd->live);
	munmap(crowd->shared, sizeof(*crowd->shared));
	free(crowd);
	return 0;
}

static struct crowd *crowd_of(void **state, unsigned wanted, unsigned *ret_room)
{
	struct crowd *crowd = *state;
	assert_true(live_collector_await(&crowd->live, 0));
	*ret_room = room_for(wanted);
	if (!watch_is_bpf(&crowd->live))
		print_message("no kernel-direct sampling here (reason %u)\n", crowd->live.view.system.sampler_reason);
	else if (*ret_room > 0)
		return crowd;
	skip();
	return NULL;
}

/* ---- the tests ---- */

/* Watches while they come, while they are there, and while they go. */
static void watch_all(struct crowd *crowd, struct watch *watch)
{
	watch_until(watch, &crowd->live, clock_now_ns(CLOCK_MONOTONIC));
	watch_for(watch, &crowd->live, WATCH_MS);
	watch_until(watch, &crowd->live, clock_now_ns(CLOCK_MONOTONIC));
}

static void crowd_of_processes_is_told_of(void **state)
{
	unsigned room, found = 0;
	struct crowd *crowd = crowd_of(state, PROCESSES, &room);
	struct watch watch;
	struct rh_process record;
	watch_begin(&watch, &crowd->live);
	gather(crowd, &watch, be_processes, room);
	watch_all(crowd, &watch);
	const struct rh_view *view = &crowd->live.view;
	assert_true(view->total >= crowd->shared->count);
	assert_true(view->count == view->total || (view->system.degraded & RH_DEGRADED_fewer_records));
	for (unsigned i = 0; i < LOOKED_UP; i++)
		found +=
		        live_collector_find(&crowd->live, crowd->shared->some[i], false, &record) && record.ppid == (uint32_t)crowd->keeper;
	if (found != LOOKED_UP)
		print_message("%u of %d found, %u of %u records\n", found, LOOKED_UP, view->count, view->total);
	assert_true(found == LOOKED_UP || view->count < view->total);
	/* Where room is made for them while they come, some may be missing from a sample, but not for long, and not unsaid. */
	uint64_t lost = watch.last.lost_count;
	watch_for(&watch, &crowd->live, SETTLED_MS);
	assert_int_equal(watch.last.lost_count, lost);
	disperse(crowd, &watch);
	watch_until(&watch, &crowd->live, clock_now_ns(CLOCK_MONOTONIC));
	watch_assert_sound(&watch, "crowd of processes");
}

static void crowd_of_threads_is_told_of(void **state)
{
	unsigned room;
	struct crowd *crowd = crowd_of(state, THREADS, &room);
	struct watch watch;
	struct rh_process record;
	watch_begin(&watch, &crowd->live);
	gather(crowd, &watch, be_threads, room);
	watch_all(crowd, &watch);
	assert_true(live_collector_find(&crowd->live, crowd->keeper, false, &record));
	assert_int_equal(record.threads_count, crowd->shared->count + 1);
	assert_true(record.cpu_time_ns > 0);
	disperse(crowd, &watch);
	watch_until(&watch, &crowd->live, clock_now_ns(CLOCK_MONOTONIC));
	watch_assert_sound(&watch, "crowd of threads");
	assert_int_equal(watch.last.lost_count, watch.first.lost_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(crowd_of_processes_is_told_of, begin, end),
	        cmocka_unit_test_setup_teardown(crowd_of_threads_is_told_of, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
