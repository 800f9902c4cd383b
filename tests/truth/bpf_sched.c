/*
 * Blame on the running kernel: it adds up to the waiting that others suffered, whoever moves, forks or sleeps; and it falls on the one who ran,
 * also while he is still at it.
 */
#include "base/clock.h"
#include "tests/support/sched_live.h"

#include <math.h>
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

#include "tests/support/near.h"

enum { WATCH_MS = 2000, PART_MS = 200, TRIES = 5, WINDOWS = 3, SETTLE_MS = 300, STUCK_MS = 400, LOOKS_MOST = 400, CHILDREN_MOST = 16 };

static pid_t children[CHILDREN_MOST];
static int child_count;

static void start(int cpu, void (*work)(void))
{
	assert_true(child_count < CHILDREN_MOST);
	children[child_count] = sched_live_child(cpu, work);
	assert_true(children[child_count++] > 0);
}

static int stop_all(void **state)
{
	(void)state;
	for (int i = 0; i < child_count; i++)
		sched_live_kill(children[i]);
	child_count = 0;
	return 0;
}

/* ---- loads ---- */

static void spin(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

static void spin_first(void)
{
	const struct sched_param first = {.sched_priority = 1};
	if (sched_setscheduler(0, SCHED_FIFO, &first) == 0)
		spin();
	_exit(1);
}

/* Two processes that wake one another. */
static void ping_pong(void)
{
	int there[2], back[2];
	char byte = 0;
	if (pipe(there) != 0 || pipe(back) != 0)
		_exit(1);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		/* Killed with its parent: it holds both ends of the pipes, and would wait for ever. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent && read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	while (write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		;
}

static void fork_on(void)
{
	for (;;) {
		pid_t pid = fork();
		if (pid == 0) {
			for (volatile unsigned i = 0; i < 100000; i++)
				;
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void work_and_rest(void)
{
	const struct timespec rest = {.tv_nsec = 500 * NS_PER_US};
	for (;;) {
		for (volatile unsigned i = 0; i < 1000000; i++)
			;
		nanosleep(&rest, NULL);
	}
}

/* ---- adding up ---- */

/* Over one window. Returns false where something else was going on: more than there is room for, so that sums must differ. */
static bool watch_sums(struct sched_live *live, const char *what)
{
	uint64_t lost = 0;
	sched_live_reset(live);
	for (int i = 0; i < WATCH_MS / PART_MS; i++) {
		sched_live_watch(live, PART_MS);
		lost += live->tick.events_lost;
	}
	printf("%s: suffered %.1f ms, inflicted %.4f of it, with what nobody inflicted %.4f\n", what, live->delay_ns / NS_PER_MS,
	        live->blame_ns / live->delay_ns, (live->blame_ns + live->unowned_ns) / live->delay_ns);
	return lost == 0;
}

/* The middle one of three. */
static double middle(const double of[WINDOWS])
{
	double low = fmin(of[0], of[1]), high = fmax(of[0], of[1]);
	return fmax(low, fmin(high, of[2]));
}

/*
 * In the middle one of three windows: in a single one, who is moved in the very slice in which he came may weigh more than he does in the long run.
 * `busy`: no cpu is ever idle, so that whoever waits waits for somebody.
 */
static void check_sums(struct sched_live *live, const char *what, bool busy)
{
	double inflicted[WINDOWS], explained[WINDOWS], extra[WINDOWS];
	sched_live_watch(live, SETTLE_MS);
	for (int window = 0; window < WINDOWS; window++) {
		for (int i = 1; !watch_sums(live, what) && i < TRIES; i++)
			;
		assert_int_equal(live->backwards, 0);
		assert_true(live->delay_ns > 100.0 * NS_PER_MS); /* else this load shows nothing */
		inflicted[window] = live->blame_ns / live->delay_ns;
		explained[window] = (live->blame_ns + live->unowned_ns) / live->delay_ns;
		extra[window] = (live->blame_ns + live->unowned_ns - live->delay_ns) / (WATCH_MS * NS_PER_MS);
	}
	/*
	 * Seen on 6.18, for some minutes, with loads that sleep and wake all the time: the kernel counts exactly one thread as ready (h_nr_runnable) that no task is.
	 * What others inflict on that one nobody suffers.
	 */
	if (fabs(middle(extra) - 1) < 0.03)
		return;
	if (busy)
		assert_near(middle(inflicted), 1, 0.03);
	assert_near(middle(explained), 1, 0.03);
}

static void test_sum_hogs(void **state)
{
	int hogs = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN) + 1;
	for (int i = 0; i < hogs && i < CHILDREN_MOST; i++)
		start(-1, spin);
	check_sums(*state, "hogs that are moved about", true);
}

static void test_sum_pairs(void **state)
{
	for (int i = 0; i < 4; i++)
		start(-1, ping_pong);
	check_sums(*state, "pairs that wake one another", false);
}

static void test_sum_forks(void **state)
{
	for (int i = 0; i < 4; i++)
		start(-1, fork_on);
	check_sums(*state, "forks", false);
}

static void test_sum_mix(void **state)
{
	for (int i = 0; i < 2; i++) {
		start(-1, spin);
		start(-1, ping_pong);
		start(-1, fork_on);
		start(-1, work_and_rest);
		start(-1, work_and_rest);
	}
	check_sums(*state, "a mix", true);
}

/* ---- who it falls on ---- */

/* A real-time hog does not let go of the cpu: no slice of his ends, and yet he is blamed from tick to tick for what his victim waits. */
static void test_hog_at_work(void **state)
{
	struct sched_live *live = *state;
	start(0, spin);
	sched_live_watch(live, 100);
	start(0, spin_first);
	sched_live_watch(live, 100);
	const struct raw_process *hog = sched_live_find(live, children[1]), *victim = sched_live_find(live, children[0]);
	if (!hog || hog->policy != RH_POLICY_fifo) {
		print_message("no right to use real-time priority\n");
		skip();
	}
	assert_non_null(victim);
	uint64_t blame_ns = hog->cpu_blame_ns, wait_ns = victim->runnable_time_ns, switches = hog->voluntary_csw + hog->involuntary_csw;
	sched_live_reset(live);
	sched_live_watch(live, 500);
	hog = sched_live_find(live, children[1]);
	victim = sched_live_find(live, children[0]);
	assert_non_null(hog);
	assert_non_null(victim);
	double blamed_ms = (double)(hog->cpu_blame_ns - blame_ns) / NS_PER_MS,
	       waited_ms = (double)(victim->runnable_time_ns - wait_ns) / NS_PER_MS;
	printf("hog at work: victim waited %.2f ms, hog blamed for %.2f of the %.2f ms that all waited, %llu switches\n", waited_ms,
	        blamed_ms, live->delay_ns / NS_PER_MS, (unsigned long long)(hog->voluntary_csw + hog->involuntary_csw - switches));
	assert_true(waited_ms > 400);
	assert_true(blamed_ms > waited_ms * 0.97);
	assert_true(blamed_ms < live->delay_ns / NS_PER_MS * 1.03);
	assert_true(victim->run_wait_max_ns > 0.9F * (float)waited_ms * NS_PER_MS);
}

/* Three on one cpu: each is to blame for what the two others waited while he ran. */
static void test_shares(void **state)
{
	struct sched_live *live = *state;
	const struct raw_process *now[3];
	uint64_t blame_ns[3], wait_ns[3], cpu_ns[3];
	for (int i = 0; i < 3; i++)
		start(0, spin);
	sched_live_watch(live, SETTLE_MS);
	for (int i = 0; i < 3; i++) {
		now[i] = sched_live_find(live, children[i]);
		assert_non_null(now[i]);
		blame_ns[i] = now[i]->cpu_blame_ns;
		wait_ns[i] = now[i]->runnable_time_ns;
		cpu_ns[i] = now[i]->cpu_time_ns;
	}
	sched_live_watch(live, WATCH_MS);
	double blamed_ms = 0, waited_ms = 0;
	for (int i = 0; i < 3; i++) {
		now[i] = sched_live_find(live, children[i]);
		assert_non_null(now[i]);
		double own_ms = (double)(now[i]->cpu_blame_ns - blame_ns[i]) / NS_PER_MS,
		       ran_ms = (double)(now[i]->cpu_time_ns - cpu_ns[i]) / NS_PER_MS;
		printf("three on one cpu: ran %.1f ms, blamed for %.1f\n", ran_ms, own_ms);
		blamed_ms += own_ms;
		waited_ms += (double)(now[i]->runnable_time_ns - wait_ns[i]) / NS_PER_MS;
		assert_true(own_ms > ran_ms * 2 * 0.97); /* more if others waited too */
	}
	printf("three on one cpu: waited %.1f ms, blamed for %.1f\n", waited_ms, blamed_ms);
	assert_true(waited_ms > WATCH_MS);
}

/* ---- waits that are no waiting for a cpu ---- */

static _Atomic uint64_t *stuck_ns; /* how long it was in truth, 0 until then; shared with who is */

/* Who starts a child by vfork() waits for it, uninterruptibly, until it is gone. */
static void wait_for_vfork(void)
{
	const struct timespec a_while = {.tv_nsec = STUCK_MS * NS_PER_MS};
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	pid_t pid = vfork();
	if (pid == 0) {
		nanosleep(&a_while, NULL);
		*stuck_ns = clock_now_ns(CLOCK_MONOTONIC) - begin_ns;
		_exit(0);
	}
	for (;;)
		pause();
}

static void test_stuck(void **state)
{
	struct sched_live *live = *state;
	float longest_ns = 0;
	stuck_ns = mmap(NULL, sizeof(*stuck_ns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(stuck_ns, MAP_FAILED);
	sched_live_tick(live);
	start(-1, wait_for_vfork);
	for (int after = 0, i = 0; after < STUCK_MS / 50 && i<LOOKS_MOST; after += *stuck_ns> 0, i++) {
		sched_live_watch(live, 1);
		const struct raw_process *child = sched_live_find(live, children[0]);
		assert_non_null(child);
		assert_true(rh_has(child->present, RH_F_stuck_wait_max_ns));
		longest_ns = child->stuck_wait_max_ns > longest_ns ? child->stuck_wait_max_ns : longest_ns;
	}
	/* By the child's own clock: on a busy machine it wakes late, and both begin and end wait for a cpu. */
	printf("stuck: %.1f ms of %.1f\n", (double)longest_ns / NS_PER_MS, (double)*stuck_ns / NS_PER_MS);
	assert_true(*stuck_ns >= STUCK_MS * (uint64_t)NS_PER_MS);
	assert_near(longest_ns / NS_PER_MS, (double)*stuck_ns / NS_PER_MS, 30);
	munmap((void *)(uintptr_t)stuck_ns, sizeof(*stuck_ns));
	sched_live_tick(live);
	assert_near(sched_live_find(live, children[0])->stuck_wait_max_ns, 0, 0); /* an interval later it is over */
	assert_true(sched_live_find(live, getpid())->stuck_wait_max_ns < STUCK_MS * NS_PER_MS);
}

int main(void)
{
	static struct sched_live live;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_prestate_setup_teardown(test_sum_hogs, NULL, stop_all, &live),
	        cmocka_unit_test_prestate_setup_teardown(test_sum_pairs, NULL, stop_all, &live),
	        cmocka_unit_test_prestate_setup_teardown(test_sum_forks, NULL, stop_all, &live),
	        cmocka_unit_test_prestate_setup_teardown(test_sum_mix, NULL, stop_all, &live),
	        cmocka_unit_test_prestate_setup_teardown(test_hog_at_work, NULL, stop_all, &live),
	        cmocka_unit_test_prestate_setup_teardown(test_shares, NULL, stop_all, &live),
	        cmocka_unit_test_prestate_setup_teardown(test_stuck, NULL, stop_all, &live),
	};
	sched_live_init(&live);
	if (!sched_live_open(&live))
		return 77;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sched_live_close(&live);
	return failed;
}
