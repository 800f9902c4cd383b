/*
 * Regression 12: the disk is full (a tmpfs of 2 MiB in a mount namespace of our own). Writing fails with the disk's error, what was
 * committed stays readable, and with room again the same handle writes on.
 */
#include "storage/baseline.h"
#include "storage/pauses.h"
#include "tests/unit/storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

static int put_one(struct fixture *fixture, uint64_t n)
{
	struct storage_snapshot snapshot = {.event_id = 1, .snapshot = STORAGE_snapshot_checkpoint, .sample_id = n, .boottime_ns = n};

	int failed = storage_begin(fixture->storage, n % 2);
	if (failed == 0) {
		failed = storage_put_snapshot(fixture->storage, &snapshot);
		if (failed == 0)
			return storage_commit(fixture->storage);
		storage_rollback(fixture->storage);
	}
	return failed;
}

/* A pause with a document of some size, and what is known of a command. */
static int put_pause(struct fixture *fixture, uint32_t n)
{
	static char document[3000];
	struct storage_pause pause = {.boot_id = "b", .number = n, .state = "final", .start_realtime_ns = n};
	struct storage_culprit culprit = {.rank = 1, .name = "hog"};
	struct storage_baseline baseline = {.command = "hog", .day = 1, .samples_count = 1};

	memset(document, ' ', sizeof(document) - 1);
	int failed = storage_begin(fixture->storage, true);
	if (failed)
		return failed;
	failed = storage_put_pause(fixture->storage, &pause, document, &culprit, 1, NULL, 0);
	if (failed == 0)
		failed = storage_put_baselines(fixture->storage, &baseline, 1);
	if (failed == 0)
		return storage_commit(fixture->storage);
	storage_rollback(fixture->storage);
	return failed;
}

/* Takes all the room there is left. */
static void fill_disk(const char *path)
{
	char block[4096] = {1};
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void full_disk_pauses_and_resumes(void **state)
{
	struct fixture *fixture = *state;
	struct storage_counts counts;
	char filler[300];
	uint64_t written = 0;
	int failed = 0;

	snprintf(filler, sizeof(filler), "%s/filler", fixture->folder);
	for (int round = 0; round < 3; round++) {
		fill_disk(filler);
		while ((failed = put_one(fixture, written + 1)) == 0)
			written++;
		assert_int_equal(failed, -ENOSPC);
		assert_non_null(strstr(storage_error(fixture->storage), strerror(ENOSPC)));
		assert_int_equal(put_one(fixture, written + 1), -ENOSPC);
		assert_int_equal(storage_count(fixture->storage, &counts), 0);
		assert_int_equal(counts.snapshots, written);
		unlink(filler);
		for (int i = 0; i < 50; i++)
			assert_int_equal(put_one(fixture, ++written), 0);
	}
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_int_equal(storage_count(fixture->storage, &counts), 0);
	assert_int_equal(counts.snapshots, written);
}

static void pauses_are_kept_whole_or_not_at_all(void **state)
{
	struct fixture *fixture = *state;
	struct storage_counts counts;
	struct storage_usual usual;
	char filler[300];
	uint32_t written = 0;
	int failed;

	snprintf(filler, sizeof(filler), "%s/filler", fixture->folder);
	fill_disk(filler);
	while ((failed = put_pause(fixture, written + 1)) == 0)
		written++;
	assert_int_equal(failed, -ENOSPC);
	unlink(filler);
	assert_int_equal(storage_count(fixture->storage, &counts), 0);
	assert_int_equal(counts.pauses, written);
	assert_int_equal(storage_last_pause_number(fixture->storage, "b"), written);
	assert_int_equal(put_pause(fixture, ++written), 0);
	const struct storage_usual_query query = {.command = "hog\0\0\0\0\0\0\0\0\0\0\0\0", .until_day = 9};
	assert_int_equal(storage_usual(fixture->storage, &query, &usual), 1);
	assert_int_equal(usual.samples_count, written);
}

static void opening_on_a_full_disk_fails_cleanly(void **state)
{
	struct fixture *fixture = *state;
	char filler[300];

	storage_close(&fixture->storage);
	unlink(fixture->path);
	snprintf(filler, sizeof(filler), "%s/filler", fixture->folder);
	fill_disk(filler);
	assert_int_equal(fixture_reopen(fixture), -ENOSPC);
	unlink(filler);
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_string_equal(fixture->notice, ""); /* what the first try left behind is no damage */
	assert_int_equal(put_one(fixture, 1), 0);
}

static int open_on_small_disk(void **state)
{
	struct fixture *fixture = *state = fixture_new("/mnt");
	return fixture_reopen(fixture);
}

int main(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	        mount("small", "/mnt", "tmpfs", 0, "size=2m,mode=0755") != 0) {
		printf("skipped: no right to mount a small file system (%s)\n", strerror(errno));
		return 77;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(full_disk_pauses_and_resumes, open_on_small_disk, fixture_close),
	        cmocka_unit_test_setup_teardown(pauses_are_kept_whole_or_not_at_all, open_on_small_disk, fixture_close),
	        cmocka_unit_test_setup_teardown(opening_on_a_full_disk_fails_cleanly, open_on_small_disk, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
