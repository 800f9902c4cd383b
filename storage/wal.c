/*
 * wal.c - keeps the write-ahead log bounded.
 *
 * SQLite starts the log over only when no reader still looks into it. A reader that never lets go would make it grow without end (our peers
 * have seen gigabytes), so we take over the checkpoints: at a quarter of the limit, what the readers allow is moved into the database file
 * without waiting; at the limit nothing more is written until the log could be emptied. The log thus never exceeds its limit by more than
 * one transaction.
 */
#include "storage/internal.h"

#include <errno.h>
#include <stdio.h>

enum {
	PAGE_BYTES = 4096,
	FRAME_BYTES = PAGE_BYTES + 24, /* of a page in the log, with its header */
	CHECKPOINT_BYTES = 4 << 20,    /* checkpoints come at least this often: each costs a sync of log and database */
};

static uint64_t checkpoint_bytes(const struct storage *storage)
{
	uint64_t quarter = storage->wal_limit_bytes / 4;
	return quarter < CHECKPOINT_BYTES ? quarter : CHECKPOINT_BYTES;
}

static int count_frames(void *context, sqlite3 *db, const char *name, int frames)
{
	struct storage *storage = context;

	(void)db;
	(void)name;
	storage->wal_frames = (uint64_t)frames;
	if (storage->wal_checkpointed > storage->wal_frames)
		storage->wal_checkpointed = 0; /* the log was begun from its start */
	return SQLITE_OK;
}

void wal_watch(struct storage *storage)
{
	char pragma[64];

	sqlite3_wal_hook(storage->db, count_frames, storage); /* replaces the automatic checkpoint */
	snprintf(pragma, sizeof(pragma), "PRAGMA journal_size_limit = %llu", (unsigned long long)checkpoint_bytes(storage));
	sqlite3_exec(storage->db, pragma, NULL, NULL, NULL);
	storage->wal_frames = storage->wal_checkpointed = 0;
}

/* A checkpoint that never waits for a reader. */
static int checkpoint(struct storage *storage, int mode)
{
	sqlite3_busy_timeout(storage->db, 0);
	int rc = sqlite3_wal_checkpoint_v2(storage->db, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(storage->db, storage->busy_ms);
	return rc;
}

int wal_make_room(struct storage *storage)
{
	uint64_t unchecked = storage->wal_frames - storage->wal_checkpointed;

	if (storage->wal_frames * FRAME_BYTES >= storage->wal_limit_bytes) {
		int rc = checkpoint(storage, SQLITE_CHECKPOINT_TRUNCATE);
		if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
			snprintf(storage->error, sizeof(storage->error),
			        "a reader holds the write-ahead log of the database, which has reached its limit (storage.wal_mib)");
			return -EAGAIN;
		}
		if (rc != SQLITE_OK)
			return storage_fail(storage, rc, "cannot empty the write-ahead log");
		storage->wal_frames = storage->wal_checkpointed = 0;
	} else if (unchecked * FRAME_BYTES >= checkpoint_bytes(storage)) {
		int rc = checkpoint(storage, SQLITE_CHECKPOINT_PASSIVE);
		if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
			return storage_fail(storage, rc, "cannot move the write-ahead log into the database");
		storage->wal_checkpointed = storage->wal_frames;
	}
	return 0;
}
