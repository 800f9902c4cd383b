/*
 * Processes that the walk in the kernel lacks are found in /proc; and accounts of processes that become too small are moved to larger ones.
 *
 * The walk is played by this test: it leaves one process out.
 */
#include "base/clock.h"
#include "collector/bpf/accounts.h"
#include "collector/bpf/unlisted.h"
#include "tests/support/procfs_live.h"
#include "tests/support/walk_live.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROOM = UNLISTED_MOST, TICKS = 4096 };

static void nothing(void)
{
}

static void open_unlisted(struct unlisted *unlisted, struct pool *pool)
{
	const struct source_options options = {
	        .proc_root = "/proc", .interval_ns = 200 * NS_PER_MS, .max_processes = 1024, .thread_limit = 64};
	char error[256];
	memset(unlisted, 0, sizeof(*unlisted));
	assert_int_equal(unlisted_open(unlisted, &options, pool, error), 0);
}

/* A walk that has every process but that one. The real walk comes after the list was read, so nobody who lives is missing from it. */
static void play_walk(struct unlisted *unlisted, struct walk_live *live, pid_t but)
{
	walk_live_run(live);
	for (uint32_t i = 0; i < live->result.view.count; i++)
		if (live->result.view.records[i].pid != (uint32_t)but)
			unlisted_seen(unlisted, live->result.view.records[i].pid);
}

static bool is_sampled(struct unlisted *unlisted, pid_t pid, struct raw_process *ret_process)
{
	static struct raw_process processes[ROOM];
	uint32_t count = unlisted_sample(unlisted, processes, ROOM);
	for (uint32_t i = 0; i < count; i++)
		if (processes[i].pid == (uint32_t)pid) {
			*ret_process = processes[i];
			return true;
		}
	return false;
}

static struct unlisted unlisted;

static void test_whole_list(void **state)
{
	(void)state;
	struct pool pool = {0};
	struct walk_live live;
	struct raw_process process;
	open_unlisted(&unlisted, &pool);
	assert_int_equal(walk_live_open(&live, "auto"), 0);
	pid_t pid = procfs_live_child(nothing);
	assert_true(unlisted_list_all(&unlisted) > 1);
	play_walk(&unlisted, &live, pid);
	assert_true(is_sampled(&unlisted, pid, &process));
	assert_int_equal(process.ppid, getpid());
	assert_int_equal(process.cpu_time_ns, procfs_live_cpu_ns(pid));
	/* From then on it needs no list. */
	play_walk(&unlisted, &live, pid);
	assert_true(is_sampled(&unlisted, pid, &process));
	/* The walk has it after all: never twice. */
	play_walk(&unlisted, &live, 0);
	assert_false(is_sampled(&unlisted, pid, &process));
	procfs_live_kill(pid);
	walk_live_close(&live);
	unlisted_close(&unlisted);
	pool_release(&pool);
}

static void test_parts(void **state)
{
	(void)state;
	struct pool pool = {0};
	struct walk_live live;
	struct raw_process process;
	bool found = false;
	open_unlisted(&unlisted, &pool);
	assert_int_equal(walk_live_open(&live, "auto"), 0);
	pid_t pid = procfs_live_child(nothing);
	for (int tick = 0; tick < TICKS && !found; tick++) {
		unlisted_list(&unlisted, 16); /* as few as can be at once */
		play_walk(&unlisted, &live, pid);
		found = is_sampled(&unlisted, pid, &process);
	}
	assert_true(found);
	procfs_live_kill(pid);
	assert_false(is_sampled(&unlisted, pid, &process));
	walk_live_close(&live);
	unlisted_close(&unlisted);
	pool_release(&pool);
}

static void test_accounts(void **state)
{
	(void)state;
	enum { FEW = 1024, MANY = 8192 };
	struct accounts few, many;
	assert_int_equal(accounts_open(&few, FEW), 0);
	assert_int_equal(accounts_open(&many, MANY), 0);
	assert_true(many.slots > few.slots);
	for (uint32_t pid = 1; pid <= few.slots / 2 + 1; pid++) {
		struct account *account = &few.map[account_place(pid, few.slots)];
		account->tgid = pid;
		account->cpu_blame_ns = 1000 + pid;
		account->stuck = 1;
	}
	few.cpu_map[0].blocks = 77;
	assert_true(accounts_are_crowded(&few));
	accounts_move(&many, &few);
	assert_false(accounts_are_crowded(&many));
	for (uint32_t pid = 1; pid <= few.slots / 2 + 1; pid++) {
		const struct account *account = accounts_find(&many, pid);
		assert_non_null(account);
		assert_int_equal(account->cpu_blame_ns, 1000 + pid);
		assert_int_equal(account->stuck, 0);
	}
	assert_int_equal(accounts_sum(&many).blocks, 77);
	accounts_close(&few);
	accounts_close(&many);
}

/* A run of pids without a gap, and another one of the same places: there is room for both. */
static void test_accounts_of_runs(void **state)
{
	(void)state;
	enum { RUN = 4000, FIRST = 300 };
	struct accounts from, to;
	assert_int_equal(accounts_open(&from, 8 * RUN), 0);
	assert_int_equal(accounts_open(&to, 1), 0);
	for (uint32_t pid = FIRST; pid < FIRST + RUN; pid++) {
		from.map[account_place(pid, from.slots)].tgid = pid;
		from.map[account_place(pid + to.slots, from.slots)].tgid = pid + to.slots;
	}
	accounts_move(&to, &from);
	for (uint32_t pid = FIRST; pid < FIRST + RUN; pid++) {
		assert_non_null(accounts_find(&to, pid));
		assert_non_null(accounts_find(&to, pid + to.slots));
	}
	accounts_close(&from);
	accounts_close(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_whole_list),
	        cmocka_unit_test(test_parts),
	        cmocka_unit_test(test_accounts),
	        cmocka_unit_test(test_accounts_of_runs),
	};
	if (!walk_live_is_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
