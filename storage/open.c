/*
 * open.c - opening and closing a database, and what every use of a statement shares.
 */
#include "storage/internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAL_LIMIT_BYTES = 16 << 20 };

static int errno_of(sqlite3 *db, int rc)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EBADMSG;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return EACCES;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system == EDQUOT ? ENOSPC : system ? system : EIO;
	default:
		return EINVAL;
	}
}

int storage_fail(struct storage *storage, int rc, const char *what)
{
	int errnum = errno_of(storage->db, rc);
	const char *reason = errnum == EINVAL && storage->db ? sqlite3_errmsg(storage->db) : strerror(errnum);

	if (errnum == EBADMSG)
		reason = "it is damaged";
	else if (errnum == EBUSY)
		reason = "another process writes to it";
	snprintf(storage->error, sizeof(storage->error), "%s %.250s: %.120s", what, storage->path, reason);
	return -errnum;
}

const char *storage_error(const struct storage *storage)
{
	return storage->error;
}

sqlite3_stmt *storage_statement(struct storage *storage, enum sql_statement which)
{
	sqlite3_stmt **statement = &storage->statements[which];

	if (*statement) {
		sqlite3_reset(*statement);
		return *statement;
	}
	int rc = sqlite3_prepare_v3(storage->db, sql_text(which), -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
	if (rc != SQLITE_OK)
		storage_fail(storage, rc, "cannot use the database");
	return *statement;
}

int storage_run(struct storage *storage, sqlite3_stmt *statement, const char *what)
{
	int rc = sqlite3_step(statement);
	int failed = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : storage_fail(storage, rc, what);

	sqlite3_reset(statement);
	return failed;
}

void storage_detach(struct storage *storage)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(storage->statements[i]);
		storage->statements[i] = NULL;
	}
	sqlite3_close(storage->db);
	storage->db = NULL;
	storage->durable = true; /* how a connection begins */
	storage->in_transaction = false;
}

/* Runs one or more statements of our own. Returns 0 or -errno. */
static int execute(struct storage *storage, const char *sql)
{
	int rc = sqlite3_exec(storage->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : storage_fail(storage, rc, "cannot set up the database");
}

/* The folder's real path with the file's name: SQLite refuses symbolic links anywhere in a path, we only in its last part. */
static int resolve(struct storage *storage, const char *path, bool create)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX], real[PATH_MAX], error[256];

	int length = snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
	if (*name == '\0' || length >= (int)sizeof(folder)) {
		snprintf(storage->error, sizeof(storage->error), "the path of the database names no file or is too long");
		return -EINVAL;
	}
	if (create && access(folder, F_OK) != 0) {
		int failed = file_make_directory(folder, error);
		if (failed) {
			snprintf(storage->error, sizeof(storage->error), "%s", error);
			return failed;
		}
	}
	if (!realpath(folder, real)) {
		int failed = errno;
		snprintf(storage->error, sizeof(storage->error), "there is no database %.300s: %s", path, strerror(failed));
		return -failed;
	}
	length = snprintf(storage->path, sizeof(storage->path), "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
	return length < PATH_MAX - 64 ? 0 : -ENAMETOOLONG;
}

/* One tracker for a database. The lock file stays: removing it would let two trackers lock two different files. */
static int take_lock(struct storage *storage, unsigned wait_ms)
{
	enum { TRY_MS = 20 };
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s-lock", storage->path);
	int fd = file_open_private(path, O_RDWR);
	if (fd < 0) {
		snprintf(storage->error, sizeof(storage->error), "cannot open %.300s: %s", path, strerror(-fd));
		return fd;
	}
	storage->lock_fd = fd;
	/* Tried again and again rather than waited for: the wait has an end. */
	for (unsigned ms = 0; ms < wait_ms && flock(fd, LOCK_EX | LOCK_NB) != 0; ms += TRY_MS)
		usleep(TRY_MS * 1000);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(storage->error, sizeof(storage->error), "the database %.300s is in use by another tracker", storage->path);
		return -EBUSY;
	}
	note_clear(storage);
	return 0;
}

/* Makes sure that the file is there with our owner and mode before SQLite opens it. Its log and index take over both. */
static int touch(struct storage *storage)
{
	int fd = file_open_private(storage->path, O_RDWR);
	if (fd < 0) {
		snprintf(storage->error, sizeof(storage->error), "cannot open the database %.300s: %s", storage->path,
		        fd == -EPERM ? "it belongs to somebody else, is writable by all, or is no regular file" : strerror(-fd));
		return fd;
	}
	closefd(&fd);
	return 0;
}

static int open_file(struct storage *storage, int flags, bool immutable)
{
	char uri[3 * PATH_MAX + 32] = "file:";
	size_t length = strlen(uri);

	for (const char *next = storage->path; *next; next++) /* '?' '#' '%' mean something in a URI */
		length +=
		        (size_t)snprintf(uri + length, sizeof(uri) - length, strchr("?#%", *next) ? "%%%02x" : "%c", (unsigned char)*next);
	if (immutable)
		snprintf(uri + length, sizeof(uri) - length, "?immutable=1");
	int rc = sqlite3_open_v2(uri, &storage->db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		int failed = storage_fail(storage, rc, "cannot open the database");
		sqlite3_close(storage->db);
		storage->db = NULL;
		return failed;
	}
	sqlite3_busy_timeout(storage->db, storage->busy_ms);
	/* Half a MiB of page cache, and nothing of the file mapped: the monitor stays small. */
	sqlite3_exec(storage->db, "PRAGMA cache_size = -512; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF", NULL, NULL, NULL);
	return 0;
}

static int create_schema(struct storage *storage)
{
	char mark[128];

	snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", SQL_APPLICATION_ID,
	        (int)sql_schema_hash());
	int failed = execute(storage, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE");
	if (failed == 0)
		failed = execute(storage, sql_schema());
	return failed ? failed : execute(storage, mark);
}

/* Opens the file for the tracker, begins a new one where the old cannot be used. */
static int open_for_tracking(struct storage *storage, char notice[STORAGE_TEXT_BYTES])
{
	char kept[PATH_MAX];

	notice[0] = '\0';
	for (;;) {
		int failed = touch(storage);
		if (failed == 0)
			failed = open_file(storage, SQLITE_OPEN_READWRITE, false);
		if (failed)
			return failed;
		enum aside_verdict verdict = aside_judge(storage);
		const char *fault = "is damaged or is no database";
		switch (verdict) {
		case ASIDE_OURS:
		case ASIDE_EMPTY:
			failed = verdict == ASIDE_EMPTY ? create_schema(storage) : execute(storage, "PRAGMA journal_mode = WAL");
			wal_watch(storage);
			return failed;
		case ASIDE_FOREIGN:
			return aside_refuse_foreign(storage);
		case ASIDE_UNREADABLE:
			return -EIO;
		case ASIDE_OTHER:
			fault = "has the schema of another version";
			sqlite3_wal_checkpoint_v2(storage->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
			break;
		case ASIDE_DAMAGED:
			break;
		}
		storage_detach(storage);
		failed = aside_move(storage, kept);
		if (failed)
			return failed;
		snprintf(notice, STORAGE_TEXT_BYTES, "the database %.150s %s: it is kept as %.150s, and a new one was begun", storage->path,
		        fault, kept);
	}
}

static int open_existing(struct storage *storage)
{
	struct stat status;

	if (stat(storage->path, &status) != 0) {
		int failed = errno;
		snprintf(storage->error, sizeof(storage->error), "there is no database %.300s: %s", storage->path, strerror(failed));
		return -failed;
	}
	if (!S_ISREG(status.st_mode)) { /* SQLite would wait for who writes to a FIFO */
		snprintf(storage->error, sizeof(storage->error), "%.300s is no database: it is no regular file", storage->path);
		return -EINVAL;
	}
	int failed = open_file(storage, storage->mode == STORAGE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, false);
	if (failed)
		return failed;
	enum aside_verdict verdict = aside_judge(storage);
	if (verdict == ASIDE_UNREADABLE && storage->mode == STORAGE_READ && storage_wal_bytes(storage) == 0) {
		/* A reader that may not write beside the file cannot use its log's index. Where no tracker runs there is no log either. */
		storage_detach(storage);
		failed = open_file(storage, SQLITE_OPEN_READONLY, true);
		if (failed)
			return failed;
		verdict = aside_judge(storage);
	}
	switch (verdict) {
	case ASIDE_OURS:
		wal_watch(storage);
		return 0;
	case ASIDE_EMPTY:
		snprintf(storage->error, sizeof(storage->error), "the database %.300s is still empty", storage->path);
		return -ENOENT;
	case ASIDE_OTHER:
		snprintf(storage->error, sizeof(storage->error), "the database %.300s has the schema of another version", storage->path);
		return -EEXIST;
	case ASIDE_FOREIGN:
		return aside_refuse_foreign(storage);
	case ASIDE_DAMAGED:
		snprintf(storage->error, sizeof(storage->error), "%.300s is damaged or is no database", storage->path);
		return -EBADMSG;
	case ASIDE_UNREADABLE:
		break;
	}
	return -EIO;
}

int storage_open(const struct storage_options *options, struct storage **ret_storage, char notice[STORAGE_TEXT_BYTES],
        char error[STORAGE_TEXT_BYTES])
{
	struct storage *storage = calloc(1, sizeof(*storage));

	*ret_storage = NULL;
	notice[0] = error[0] = '\0';
	if (!storage) {
		snprintf(error, STORAGE_TEXT_BYTES, "no memory");
		return -ENOMEM;
	}
	storage->lock_fd = -1;
	storage->mode = options->mode;
	storage->durable = true; /* how a connection begins */
	storage->busy_ms = options->mode == STORAGE_MAINTAIN ? 5000 : 1000;
	storage->wal_limit_bytes = options->wal_limit_bytes ? options->wal_limit_bytes : WAL_LIMIT_BYTES;
	bool tracking = options->mode == STORAGE_TRACK;
	int failed = resolve(storage, options->path, tracking);
	if (failed == 0 && tracking)
		failed = aside_look(storage);
	if (failed == 0 && tracking)
		failed = take_lock(storage, options->lock_wait_ms);
	if (failed == 0)
		failed = tracking ? open_for_tracking(storage, notice) : open_existing(storage);
	if (failed) {
		snprintf(error, STORAGE_TEXT_BYTES, "%s", storage->error);
		storage_close(&storage);
		return failed;
	}
	*ret_storage = storage;
	return 0;
}

int storage_begin_anew(struct storage *storage, char notice[STORAGE_TEXT_BYTES])
{
	char kept[PATH_MAX], other[STORAGE_TEXT_BYTES];

	storage_detach(storage);
	int failed = aside_move(storage, kept);
	if (failed == 0)
		failed = open_for_tracking(storage, other);
	if (failed == 0)
		snprintf(notice, STORAGE_TEXT_BYTES, "the database %.150s is damaged: it is kept as %.150s, and a new one was begun",
		        storage->path, kept);
	return failed;
}

void storage_close(struct storage **storage)
{
	if (!*storage)
		return;
	storage_detach(*storage);
	closefd(&(*storage)->lock_fd);
	free(*storage);
	*storage = NULL;
}

static uint64_t bytes_of(const struct storage *storage, const char *tail)
{
	char path[PATH_MAX + 8];
	struct stat status;

	snprintf(path, sizeof(path), "%s%s", storage->path, tail);
	return stat(path, &status) == 0 && status.st_size > 0 ? (uint64_t)status.st_size : 0;
}

uint64_t storage_file_bytes(const struct storage *storage)
{
	return bytes_of(storage, "");
}

uint64_t storage_wal_bytes(const struct storage *storage)
{
	return bytes_of(storage, "-wal");
}
