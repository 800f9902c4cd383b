/*
 * Regression 18: a reader that never lets go of its snapshot. The write-ahead log stays within its limit, writing pauses with a reason,
 * resumes when the reader is gone, and what was committed before the pause is there.
 */
#include "tests/unit/storage_fixture.h"

#include <errno.h>

enum { LIMIT_BYTES = 1 << 20, TRANSACTION_BYTES = 64 << 10, TRIES = 20000 };

static int put_one(struct fixture *fixture, uint64_t n)
{
	struct storage_snapshot snapshot = {.event_id = 1, .snapshot = STORAGE_snapshot_checkpoint, .sample_id = n, .boottime_ns = n};

	int failed = storage_begin(fixture->storage, false);
	if (failed)
		return failed;
	for (int i = 0; i < 8 && failed == 0; i++)
		failed = storage_put_snapshot(fixture->storage, &snapshot);
	assert_int_equal(failed, 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
	return 0;
}

static void log_is_bounded_under_a_held_reader(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *reader;
	uint64_t written = 0;
	int failed = 0;

	fixture->wal_limit_bytes = LIMIT_BYTES;
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_int_equal(put_one(fixture, 0), 0);
	assert_int_equal(sqlite3_open(fixture->path, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM process_snapshots", NULL, NULL, NULL), SQLITE_OK);

	while (written < TRIES && (failed = put_one(fixture, written + 1)) == 0)
		written++;
	assert_int_equal(failed, -EAGAIN);
	assert_non_null(strstr(storage_error(fixture->storage), "a reader holds"));
	assert_true(written > 20);
	uint64_t paused_bytes = storage_wal_bytes(fixture->storage);
	assert_true(paused_bytes < LIMIT_BYTES + TRANSACTION_BYTES);
	for (int i = 0; i < 50; i++)
		assert_int_equal(put_one(fixture, 0), -EAGAIN);
	assert_int_equal(storage_wal_bytes(fixture->storage), paused_bytes);

	sqlite3_close(reader);
	assert_int_equal(put_one(fixture, written + 1), 0);
	assert_true(storage_wal_bytes(fixture->storage) < paused_bytes);
	struct storage_counts counts;
	assert_int_equal(storage_count(fixture->storage, &counts), 0);
	assert_int_equal(counts.snapshots, 8 * (written + 2));
}

/* The control: without a reader the same work never pauses and the log stays far below its limit for ever. */
static void log_is_reused_without_readers(void **state)
{
	struct fixture *fixture = *state;

	fixture->wal_limit_bytes = LIMIT_BYTES;
	assert_int_equal(fixture_reopen(fixture), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(put_one(fixture, i), 0);
		assert_true(storage_wal_bytes(fixture->storage) < LIMIT_BYTES / 2);
	}
}

/* Our own queries are no such readers: between their calls nothing holds the log. */
static void queries_hold_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct storage_snapshot row;

	fixture->wal_limit_bytes = LIMIT_BYTES;
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_int_equal(put_one(fixture, 0), 0);
	struct storage *reader = fixture_reader(fixture);
	assert_non_null(reader);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(storage_snapshots(reader, 1, 0, 0, &row, 1), 1);
		assert_int_equal(put_one(fixture, i), 0);
	}
	storage_close(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(log_is_bounded_under_a_held_reader, fixture_open, fixture_close),
	        cmocka_unit_test_setup_teardown(log_is_reused_without_readers, fixture_open, fixture_close),
	        cmocka_unit_test_setup_teardown(queries_hold_nothing, fixture_open, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
