/*
 * aside.c - a database file that cannot be used is never deleted or overwritten: it is renamed, with a date, and a new one is begun.
 *
 * A mistyped --db must not move somebody's file about, nor leave traces beside it. So only names that end in ".db" are ever moved, and a
 * database of another program is refused where it lies.
 */
#include "storage/internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char suffix[] = ".db";

static bool may_be_moved(const struct storage *storage)
{
	size_t length = strlen(storage->path);
	return length >= sizeof(suffix) && strcmp(storage->path + length - (sizeof(suffix) - 1), suffix) == 0;
}

static int refuse_to_move(struct storage *storage)
{
	snprintf(storage->error, sizeof(storage->error),
	        "%.300s cannot be used as the database, and only files named *.db are moved aside: give another path", storage->path);
	return -EEXIST;
}

int aside_refuse_foreign(struct storage *storage)
{
	snprintf(storage->error, sizeof(storage->error), "%.300s is a database of another program: give another path", storage->path);
	return -EEXIST;
}

/* ---- before anything is opened or made: the first bytes ---- */

/* The header of SQLite's file format, https://www.sqlite.org/fileformat.html */
enum { HEADER_BYTES = 100, SCHEMA_COOKIE_AT = 40, APPLICATION_ID_AT = 68 };
static const char magic[16] = "SQLite format 3";

static uint32_t header_number(const char *header, size_t at)
{
	const unsigned char *bytes = (const unsigned char *)header + at;
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* With a mark that is not ours; or without one, and tables were made in it. */
static bool is_foreign(const char *header)
{
	uint32_t application = header_number(header, APPLICATION_ID_AT);
	return application != SQL_APPLICATION_ID && (application != 0 || header_number(header, SCHEMA_COOKIE_AT) != 0);
}

static int judge_bytes(struct storage *storage, int fd)
{
	char header[HEADER_BYTES + 1];
	struct stat status;

	if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
		snprintf(storage->error, sizeof(storage->error), "cannot use %.300s as the database: it is no regular file", storage->path);
		return -EINVAL;
	}
	ssize_t length = file_pread(fd, header, sizeof(header));
	if (length == HEADER_BYTES && memcmp(header, magic, sizeof(magic)) == 0)
		return is_foreign(header) ? aside_refuse_foreign(storage) : 0;
	return length > 0 && !may_be_moved(storage) ? refuse_to_move(storage) : 0;
}

int aside_look(struct storage *storage)
{
	/* O_NONBLOCK: a FIFO must not hang us. What cannot be opened is for the next step to complain of. */
	int fd = open(storage->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int failed = fd < 0 ? 0 : judge_bytes(storage, fd);

	closefd(&fd);
	return failed;
}

/* ---- an open database ---- */

/* Runs a query with one integer as its result. Returns SQLite's code. */
static int ask(sqlite3 *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	*ret_value = 0;
	if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	int finished = sqlite3_finalize(statement);
	return rc == SQLITE_OK ? finished : rc;
}

enum aside_verdict aside_judge(struct storage *storage)
{
	int64_t application = 0, version = 0, objects = 0;
	int rc = ask(storage->db, "PRAGMA application_id", &application);

	if (rc == SQLITE_OK)
		rc = ask(storage->db, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK)
		rc = ask(storage->db, "SELECT count(*) FROM sqlite_schema", &objects);
	if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
		return application == 0 || application == SQL_APPLICATION_ID ? ASIDE_DAMAGED : ASIDE_FOREIGN;
	if (rc != SQLITE_OK) {
		storage_fail(storage, rc, "cannot read the database");
		return ASIDE_UNREADABLE;
	}
	if (application == 0 && objects == 0)
		return ASIDE_EMPTY;
	if (application != SQL_APPLICATION_ID)
		return ASIDE_FOREIGN;
	return version == sql_schema_hash() ? ASIDE_OURS : ASIDE_OTHER;
}

/* ---- moving ---- */

/* "/x/events.db" becomes "/x/events-20261120T104501.db", with "-2" and so on where that is taken. */
static int free_name(const char *path, char ret_path[PATH_MAX])
{
	size_t stem = strlen(path) - (sizeof(suffix) - 1);
	time_t now = time(NULL);
	struct tm local;
	char stamp[32] = "";

	if (localtime_r(&now, &local))
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &local);
	for (unsigned attempt = 1; attempt < 1000; attempt++) {
		char number[16] = "";
		if (attempt > 1)
			snprintf(number, sizeof(number), "-%u", attempt);
		int length = snprintf(ret_path, PATH_MAX, "%.*s-%s%s%s", (int)stem, path, stamp, number, suffix);
		if (length >= PATH_MAX - 8)
			return -ENAMETOOLONG;
		if (access(ret_path, F_OK) != 0 && errno == ENOENT)
			return 0;
	}
	return -EEXIST;
}

/* Renames PATH + tail; one that does not exist is fine. */
static int move_part(const char *from, const char *to, const char *tail)
{
	char from_part[PATH_MAX + 8], to_part[PATH_MAX + 8];

	snprintf(from_part, sizeof(from_part), "%s%s", from, tail);
	snprintf(to_part, sizeof(to_part), "%s%s", to, tail);
	return rename(from_part, to_part) == 0 || errno == ENOENT ? 0 : -errno;
}

int aside_move(struct storage *storage, char ret_path[PATH_MAX])
{
	char index[PATH_MAX + 8];

	if (!may_be_moved(storage))
		return refuse_to_move(storage);
	int failed = free_name(storage->path, ret_path);
	/* The log goes first: left alone beside a new database of the same name, SQLite would play it into that. */
	if (failed == 0)
		failed = move_part(storage->path, ret_path, "-wal");
	if (failed == 0)
		failed = move_part(storage->path, ret_path, "");
	if (failed) {
		snprintf(storage->error, sizeof(storage->error), "cannot keep the unusable database %.300s aside: %s", storage->path,
		        strerror(-failed));
		return failed;
	}
	snprintf(index, sizeof(index), "%s-shm", storage->path);
	unlink(index); /* an index of the log, made anew from it */
	return 0;
}
