/* A database that cannot be used is kept under a dated name and a new one begun; other people's files are left alone. */
#include "tests/unit/storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static unsigned files_named(const struct fixture *fixture, const char *begin, const char *end)
{
	DIR *folder = opendir(fixture->folder);
	unsigned found = 0;

	for (struct dirent *entry; (entry = readdir(folder));) {
		size_t length = strlen(entry->d_name);
		found += strncmp(entry->d_name, begin, strlen(begin)) == 0 && length >= strlen(end) &&
		         strcmp(entry->d_name + length - strlen(end), end) == 0;
	}
	closedir(folder);
	return found;
}

static void write_file(const char *path, const char *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static void execute(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_good_database_is_opened_again(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(1, "x");

	fixture_put(fixture, &in);
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_string_equal(fixture->notice, "");
	assert_int_equal(storage_open_events(fixture->storage), 1);
	struct stat status;
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
}

static void another_schema_is_kept_aside(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(1, "x");

	fixture_put(fixture, &in);
	storage_close(&fixture->storage);
	execute(fixture->path, "PRAGMA user_version = 1");
	for (unsigned round = 1; round <= 2; round++) { /* twice within a second: two names */
		assert_int_equal(fixture_reopen(fixture), 0);
		assert_non_null(strstr(fixture->notice, "another version"));
		assert_int_equal(files_named(fixture, "events-", ".db"), round);
		assert_int_equal(storage_open_events(fixture->storage), 0);
		storage_close(&fixture->storage);
		execute(fixture->path, "PRAGMA user_version = 2");
	}
}

static int64_t ask(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

/* Here a reader keeps the newest commits (the change of version among them) from leaving the log, so they are in the old file only with it. */
static void the_log_goes_with_its_database(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(1, "x");
	char kept[600] = "";
	sqlite3 *reader;

	assert_int_equal(sqlite3_open(fixture->path, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM process_events", NULL, NULL, NULL), SQLITE_OK);
	fixture_put(fixture, &in);
	storage_close(&fixture->storage);
	execute(fixture->path, "PRAGMA user_version = 1");
	assert_int_equal(fixture_reopen(fixture), 0);
	const char *name = strstr(fixture->notice, "kept as ");
	assert_non_null(name);
	assert_int_equal(sscanf(name, "kept as %599[^,]", kept), 1);
	assert_int_equal(files_named(fixture, "events-", "-wal"), 1);
	assert_int_equal(ask(kept, "SELECT count(*) FROM process_events"), 1);
	assert_int_equal(ask(kept, "PRAGMA user_version"), 1);
	sqlite3_close(reader);
}

static void no_database_is_kept_aside(void **state)
{
	struct fixture *fixture = *state;
	static const char text[] =
	        "this is not a database, but it is somebody's, and long enough to have a header of a hundred bytes as SQLite wants it";

	storage_close(&fixture->storage);
	write_file(fixture->path, text, sizeof(text));
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_non_null(strstr(fixture->notice, "kept as"));
	assert_int_equal(files_named(fixture, "events-", ".db"), 1);
	assert_int_equal(storage_open_events(fixture->storage), 0);
}

static void a_damaged_database_is_kept_aside(void **state)
{
	struct fixture *fixture = *state;
	char rubbish[4000];

	storage_close(&fixture->storage);
	int fd = open(fixture->path, O_WRONLY);
	memset(rubbish, 0x5a, sizeof(rubbish));
	assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), 100), sizeof(rubbish)); /* the schema's page, behind the file's header */
	close(fd);
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_non_null(strstr(fixture->notice, "damaged"));
	assert_int_equal(storage_open_events(fixture->storage), 0);
}

/* Damage that only shows in use: the caller asks for a new one. */
static void damage_found_later_is_kept_aside(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(1, "x"), row;
	struct stat status;
	char rubbish[4096];

	fixture_put(fixture, &in);
	storage_close(&fixture->storage);
	assert_int_equal(stat(fixture->path, &status), 0);
	int fd = open(fixture->path, O_WRONLY);
	memset(rubbish, 0x5a, sizeof(rubbish));
	for (off_t at = 4096 * 2; at < status.st_size; at += 4096)
		assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), at), sizeof(rubbish));
	close(fd);
	int opened = fixture_reopen(fixture);
	if (opened == 0 && fixture->notice[0] == '\0') {
		assert_int_equal(storage_events(fixture->storage, &(struct storage_filter){0}, &row, 1), -EBADMSG);
		assert_int_equal(storage_begin_anew(fixture->storage, fixture->notice), 0);
	}
	assert_non_null(strstr(fixture->notice, "damaged"));
	assert_int_equal(fixture_put(fixture, &in), 1);
	assert_int_equal(files_named(fixture, "events-", ".db"), 1);
}

static void other_files_are_never_moved(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;

	storage_close(&fixture->storage);
	snprintf(fixture->path, sizeof(fixture->path), "%s/shadow", fixture->folder);
	write_file(fixture->path, "root:secret", 11);
	assert_int_equal(fixture_reopen(fixture), -EEXIST);
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_size, 11);
	assert_null(strstr(fixture->error, "secret"));

	snprintf(fixture->path, sizeof(fixture->path), "%s/places.db", fixture->folder);
	execute(fixture->path, "CREATE TABLE moz_places(id)");
	assert_int_equal(fixture_reopen(fixture), -EEXIST);
	assert_non_null(strstr(fixture->error, "another program"));
	assert_int_equal(files_named(fixture, "places", ".db"), 1);
	assert_int_equal(files_named(fixture, "places", "-wal"), 0); /* not even opened for writing */
	execute(fixture->path, "PRAGMA application_id = 7");
	assert_int_equal(fixture_reopen(fixture), -EEXIST);
	assert_int_equal(files_named(fixture, "shadow", "") + files_named(fixture, "places", ""), 2); /* no lock beside either */
}

/* A FIFO would hang who opens it, a device or folder is no place for a database; neither is given a lock file. */
static void only_regular_files_are_opened(void **state)
{
	struct fixture *fixture = *state;
	const enum storage_mode modes[] = {STORAGE_READ, STORAGE_MAINTAIN, STORAGE_TRACK};
	char fifo[400];

	snprintf(fifo, sizeof(fifo), "%s/fifo.db", fixture->folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	const char *const paths[] = {fifo, fixture->folder, "/dev/null"};
	for (size_t i = 0; i < 9; i++) {
		struct storage_options options = {.path = paths[i / 3], .mode = modes[i % 3]};
		struct storage *storage;
		assert_int_equal(storage_open(&options, &storage, fixture->notice, fixture->error), -EINVAL);
		assert_non_null(strstr(fixture->error, "no regular file"));
	}
	assert_int_equal(files_named(fixture, "fifo", ""), 1);
	assert_int_equal(access("/dev/null-lock", F_OK), -1);
	unlink(fifo);
}

/* A file that SQLite has opened but nobody filled, as a tracker leaves it that was killed at once, is taken. */
static void an_empty_database_is_filled(void **state)
{
	struct fixture *fixture = *state;

	storage_close(&fixture->storage);
	snprintf(fixture->path, sizeof(fixture->path), "%s/begun.db", fixture->folder);
	execute(fixture->path, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
	assert_int_equal(fixture_reopen(fixture), 0);
	assert_string_equal(fixture->notice, "");
	assert_int_equal(storage_open_events(fixture->storage), 0);
}

static void links_and_writable_files_are_refused(void **state)
{
	struct fixture *fixture = *state;
	char link[400];

	storage_close(&fixture->storage);
	snprintf(link, sizeof(link), "%s/link.db", fixture->folder);
	assert_int_equal(symlink(fixture->path, link), 0);
	char *path = strdup(fixture->path);
	snprintf(fixture->path, sizeof(fixture->path), "%s", link);
	assert_true(fixture_reopen(fixture) < 0);
	snprintf(fixture->path, sizeof(fixture->path), "%s", path);
	free(path);
	assert_int_equal(chmod(fixture->path, 0666), 0);
	assert_int_equal(fixture_reopen(fixture), -EPERM);
}

static void one_tracker_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct storage_options options = {.path = fixture->path, .mode = STORAGE_TRACK};
	struct storage *second;

	assert_int_equal(storage_open(&options, &second, fixture->notice, fixture->error), -EBUSY);
	assert_non_null(strstr(fixture->error, "another tracker"));
	assert_null(second);
}

static void readers_never_create(void **state)
{
	struct fixture *fixture = *state;
	struct storage_options options = {.mode = STORAGE_READ};
	char path[400];
	struct storage *reader;

	snprintf(path, sizeof(path), "%s/none.db", fixture->folder);
	options.path = path;
	assert_int_equal(storage_open(&options, &reader, fixture->notice, fixture->error), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	options.path = "/nowhere at all/x.db";
	assert_int_equal(storage_open(&options, &reader, fixture->notice, fixture->error), -ENOENT);
}

int main(void)
{
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
	        WITH_DATABASE(a_good_database_is_opened_again),
	        WITH_DATABASE(another_schema_is_kept_aside),
	        WITH_DATABASE(the_log_goes_with_its_database),
	        WITH_DATABASE(no_database_is_kept_aside),
	        WITH_DATABASE(a_damaged_database_is_kept_aside),
	        WITH_DATABASE(damage_found_later_is_kept_aside),
	        WITH_DATABASE(other_files_are_never_moved),
	        WITH_DATABASE(only_regular_files_are_opened),
	        WITH_DATABASE(an_empty_database_is_filled),
	        WITH_DATABASE(links_and_writable_files_are_refused),
	        WITH_DATABASE(one_tracker_at_a_time),
	        WITH_DATABASE(readers_never_create),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
