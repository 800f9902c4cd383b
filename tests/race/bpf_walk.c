/*
 * The walk in chunks while processes come and go between them.
 *
 * Invariants, counted over all walks:
 *   - who lasts from before a walk until after it is in it, wherever in the list those lie that come and go;
 *   - no pid is in it twice;
 *   - the values of who sleeps are those of a walk in one piece.
 * Negative control: chunks that go on by position in the list, as a careless walk would, must lose or double somebody under the same conditions.
 */
#include "tests/support/procfs_live.h"
#include "tests/support/walk_live.h"

#include <pthread.h>
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

enum { LASTING = 200, SACRIFICED = 300, CHURNERS = 3, BATCH = 40, CHUNK = 16, WALKS = 300, PIDS = 1 << 22 };

static pid_t lasting[LASTING]; /* a ring: the oldest is replaced by a new one before each walk */
static unsigned oldest;
static pid_t churners[CHURNERS];
static unsigned char *seen; /* [PIDS] how often */

static pid_t fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(1);
	return pid;
}

static pid_t fork_sleeper(void)
{
	pid_t pid = fork_bound();
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- those that come and go ---- */

static void *end_process(void *unused)
{
	usleep(200);
	_exit(0);
	return unused;
}

static _Noreturn void come_and_go(int kind)
{
	pthread_t thread;
	if (kind % 8 == 0)
		execl("/bin/true", "true", (char *)NULL);
	if (kind % 8 == 1 && pthread_create(&thread, NULL, end_process, NULL) == 0)
		pause();
	usleep((unsigned)rand() % 2000);
	_exit(0);
}

/* Children in batches: some exec, some are ended by a thread, and they are waited for in the reverse order. */
static _Noreturn void churn(void)
{
	for (;;) {
		pid_t pids[BATCH];
		for (int i = 0; i < BATCH; i++) {
			pids[i] = fork_bound();
			if (pids[i] == 0)
				come_and_go(i);
		}
		for (int i = BATCH; i > 0; i--)
			waitpid(pids[i - 1], NULL, 0);
	}
}

static int setup(void **state)
{
	(void)state;
	seen = mmap(NULL, PIDS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(seen != MAP_FAILED);
	for (int i = 0; i < LASTING; i++)
		lasting[i] = fork_sleeper();
	for (int i = 0; i < CHURNERS; i++) {
		churners[i] = fork_bound();
		if (churners[i] == 0)
			churn();
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < CHURNERS; i++)
		end(churners[i]);
	for (int i = 0; i < LASTING; i++)
		end(lasting[i]);
	munmap(seen, PIDS);
	return 0;
}

static void replace_oldest(void)
{
	end(lasting[oldest]);
	lasting[oldest] = fork_sleeper();
	oldest = (oldest + 1) % LASTING;
}

/* ---- what a walk has ---- */

static void note(uint32_t pid, int by)
{
	assert_in_range(pid, 1, PIDS - 1);
	seen[pid] = (unsigned char)(seen[pid] + by);
}

static void note_all(const struct walk_record *records, uint32_t count, int by)
{
	for (uint32_t i = 0; i < count; i++)
		note(records[i].pid, by);
}

static uint32_t doubled(const struct walk_record *records, uint32_t count)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += seen[records[i].pid] > 1;
	return sum;
}

static uint32_t lost(void)
{
	uint32_t sum = 0;
	for (int i = 0; i < LASTING; i++)
		sum += seen[lasting[i]] == 0;
	return sum;
}

static void test_churn(void **state)
{
	(void)state;
	struct walk_live live;
	uint32_t calls = 0, others = 0;
	assert_int_equal(walk_live_open_chunked(&live, CHUNK, NULL, NULL), 0);
	for (int round = 0; round < WALKS; round++) {
		replace_oldest();
		walk_live_run(&live);
		const struct walk_view *view = &live.result.view;
		note_all(view->records, view->count, 1);
		assert_int_equal(doubled(view->records, view->count), 0);
		assert_int_equal(lost(), 0);
		note_all(view->records, view->count, -1);
		calls += live.result.calls;
		others += view->count - LASTING;
	}
	printf("%d walks in %u calls, %u records of others, %u searches\n", WALKS, calls, others, live.result.searches);
	assert_true(calls > WALKS * LASTING / CHUNK);
	walk_live_close(&live);
}

static uint32_t place_of(const struct walk_live *live, pid_t pid)
{
	const struct walk_record *record = walk_live_find(live, pid);
	assert_non_null(record);
	return (uint32_t)(record - live->result.view.records);
}

/* Two walks in one piece, between which some ended: the one up to a place in the list, the other from there on. */
static void test_control(void **state)
{
	(void)state;
	static struct walk_record first[PIDS / 64];
	struct walk_live live;
	assert_int_equal(walk_live_open(&live, "syscall"), 0);
	walk_live_run(&live);
	uint32_t place = place_of(&live, lasting[(oldest + LASTING / 2) % LASTING]);
	assert_in_range(place, 1, PIDS / 64);
	memcpy(first, live.result.view.records, place * sizeof(first[0]));
	for (int i = 0; i < LASTING / 4; i++)
		replace_oldest();
	walk_live_run(&live);
	const struct walk_view *view = &live.result.view;
	note_all(first, place, 1);
	for (uint32_t i = place; i < view->count; i++)
		note(view->records[i].pid, 1);
	assert_true(lost() + doubled(first, place) > 0);
	walk_live_close(&live);
	memset(seen, 0, PIDS);
}

/* ---- the search ---- */

struct sacrifice {
	pid_t pids[SACRIFICED];
	uint32_t tasks_before, calls; /* threads up to the middle of them, and chunks so far */
	bool done;
};

/* Between two chunks: when the walk is in the midst of them all are ended, more than it looks back for. */
static void sacrifice_all(void *context)
{
	struct sacrifice *sacrifice = context;
	if (sacrifice->done || ++sacrifice->calls * CHUNK < sacrifice->tasks_before)
		return;
	for (int i = 0; i < SACRIFICED; i++)
		end(sacrifice->pids[i]);
	sacrifice->done = true;
}

/* Forks those who will be ended, and finds out where in the list the midst of them is. */
static void sacrifice_prepare(struct sacrifice *sacrifice, struct walk_live *whole)
{
	for (int i = 0; i < SACRIFICED; i++)
		sacrifice->pids[i] = fork_sleeper();
	for (int i = 0; i < LASTING / 4; i++)
		replace_oldest();
	walk_live_run(whole);
	uint32_t middle = place_of(whole, sacrifice->pids[SACRIFICED / 2]);
	sacrifice->calls = sacrifice->tasks_before = 0;
	for (uint32_t i = 0; i < middle; i++)
		sacrifice->tasks_before += whole->result.view.records[i].threads;
	sacrifice->done = false;
}

/* Where others come and go by hundreds meanwhile, the midst is missed: then once more. */
static void test_search(void **state)
{
	(void)state;
	enum { TRIES = 20 };
	static struct sacrifice sacrifice = {.done = true};
	struct walk_live live, whole;
	assert_int_equal(walk_live_open(&whole, "syscall"), 0);
	assert_int_equal(walk_live_open_chunked(&live, CHUNK, sacrifice_all, &sacrifice), 0);
	uint32_t searches = 0;
	for (int i = 0; i < TRIES && searches == 0; i++) {
		sacrifice_prepare(&sacrifice, &whole);
		walk_live_run(&live);
		const struct walk_view *view = &live.result.view;
		assert_true(sacrifice.done);
		searches = live.result.searches;
		note_all(view->records, view->count, 1);
		assert_int_equal(doubled(view->records, view->count), 0);
		assert_int_equal(lost(), 0);
		note_all(view->records, view->count, -1);
	}
	assert_true(searches > 0);
	walk_live_close(&live);
	walk_live_close(&whole);
}

/* ---- the same values ---- */

static void test_same_as_whole(void **state)
{
	(void)state;
	struct walk_live live, whole;
	assert_int_equal(walk_live_open(&whole, "syscall"), 0);
	assert_int_equal(walk_live_open_chunked(&live, CHUNK, NULL, NULL), 0);
	walk_live_run(&live);
	walk_live_run(&whole);
	assert_int_equal(whole.result.calls, 1);
	assert_true(live.result.calls > 1);
	for (int i = 0; i < LASTING; i++) {
		struct raw_process a = walk_live_process(&live, lasting[i]), b = walk_live_process(&whole, lasting[i]);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	walk_live_close(&live);
	walk_live_close(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_churn),
	        cmocka_unit_test(test_control),
	        cmocka_unit_test(test_search),
	        cmocka_unit_test(test_same_as_whole),
	};
	struct walk_live probe;
	if (!walk_live_is_possible() || walk_live_open(&probe, "syscall") < 0)
		return 77;
	walk_live_close(&probe);
	return cmocka_run_group_tests(tests, setup, teardown);
}
