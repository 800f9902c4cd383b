/*
 * Regression 13: the writer is killed with SIGKILL at a random moment, again and again. Every commit that it reported is there, nothing
 * half-written is, and the database passes SQLite's integrity check. So it does where a power cut took a part of the log.
 */
#include "tests/unit/storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 25, SNAPSHOTS_EACH = 4 };

/* Commits events with their snapshots for ever, and reports each number after its commit. */
static _Noreturn void write_for_ever(struct fixture *fixture, int report)
{
	if (fixture_reopen(fixture) != 0)
		_exit(1);
	for (uint32_t n = 1;; n++) {
		struct storage_event event = fixture_event(n, "x");
		struct storage_snapshot snapshot = {.snapshot = STORAGE_snapshot_checkpoint, .boottime_ns = 1};
		uint64_t id = 0;

		event.start_time_ns = ((uint64_t)getpid() << 32) + n;
		if (storage_begin(fixture->storage, n % 8 == 0) || storage_put_event(fixture->storage, &event, &id))
			_exit(1);
		snapshot.event_id = id;
		for (int i = 0; i < SNAPSHOTS_EACH; i++)
			if (storage_put_snapshot(fixture->storage, &snapshot))
				_exit(1);
		if (storage_commit(fixture->storage))
			_exit(1);
		if (write(report, &id, sizeof(id)) != sizeof(id))
			_exit(1);
	}
}

/* Runs a writer for a while. Returns the last number that it reported. */
static uint64_t run_and_kill(struct fixture *fixture, long delay_us)
{
	int pipe_fds[2];
	uint64_t id, last = 0;

	assert_int_equal(pipe(pipe_fds), 0);
	pid_t child = fork();
	if (child == 0)
		write_for_ever(fixture, pipe_fds[1]);
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &last, sizeof(last)), sizeof(last)); /* at work */
	nanosleep(&(struct timespec){.tv_nsec = delay_us * 1000}, NULL);
	kill(child, SIGKILL);
	while (read(pipe_fds[0], &id, sizeof(id)) == sizeof(id))
		last = id;
	close(pipe_fds[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void check_integrity(const char *path)
{
	sqlite3 *db;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static void nothing_committed_is_lost(void **state)
{
	struct fixture *fixture = *state;
	uint64_t total = 0;

	storage_close(&fixture->storage);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t last = run_and_kill(fixture, rand() % 20000);
		assert_true(last > total);
		assert_int_equal(fixture_reopen(fixture), 0);
		assert_string_equal(fixture->notice, "");
		struct storage_counts counts;
		assert_int_equal(storage_count(fixture->storage, &counts), 0);
		/* The kill may fall between a commit and its report: one more than reported is right, one less never. */
		assert_in_range(counts.events, last, last + 1);
		assert_int_equal(counts.snapshots, counts.events * SNAPSHOTS_EACH);
		total = counts.events;
		storage_close(&fixture->storage);
		check_integrity(fixture->path);
	}
}

/* A power cut may leave any beginning of the log: what opens then is some earlier state, whole. */
static void cut_logs_leave_a_whole_database(void **state)
{
	struct fixture *fixture = *state;
	char log[700];
	unsigned cut_logs = 0;

	storage_close(&fixture->storage);
	snprintf(log, sizeof(log), "%s-wal", fixture->path);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t last = run_and_kill(fixture, rand() % 10000);
		struct stat status;
		struct storage_counts counts;
		assert_int_equal(stat(log, &status), 0);
		if (status.st_size > 0) {
			cut_logs++;
			assert_int_equal(truncate(log, rand() % status.st_size), 0);
		}
		assert_int_equal(fixture_reopen(fixture), 0);
		assert_string_equal(fixture->notice, "");
		assert_int_equal(storage_count(fixture->storage, &counts), 0);
		assert_true(counts.events <= last + 1);
		assert_int_equal(counts.snapshots, counts.events * SNAPSHOTS_EACH);
		storage_close(&fixture->storage);
		check_integrity(fixture->path);
	}
	assert_true(cut_logs > ROUNDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(nothing_committed_is_lost, fixture_open, fixture_close),
	        cmocka_unit_test_setup_teardown(cut_logs_leave_a_whole_database, fixture_open, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
