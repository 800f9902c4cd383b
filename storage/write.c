/*
 * write.c - what the tracker puts into the database.
 *
 * Durability: with synchronous = NORMAL a commit is in the log file, so it survives kill -9 of every process, but a power cut may take the
 * last ones. With FULL the log is synced at each commit. Who begins says which it must be; the pragma is a flag of the connection and costs
 * nothing to change. A durable commit makes all before it durable: the log is one file, synced as a whole.
 */
#include "storage/internal.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>

static const char cannot_write[] = "cannot write to the database";

static int set_durable(struct storage *storage, bool durable)
{
	if (storage->durable == durable)
		return 0;
	int rc = sqlite3_exec(storage->db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return storage_fail(storage, rc, cannot_write);
	storage->durable = durable;
	return 0;
}

static int begin(struct storage *storage)
{
	sqlite3_stmt *statement = storage_statement(storage, SQL_BEGIN);
	if (!statement)
		return storage_fail(storage, sqlite3_errcode(storage->db), cannot_write);
	int failed = storage_run(storage, statement, cannot_write);
	storage->in_transaction = failed == 0;
	return failed;
}

int storage_begin(struct storage *storage, bool durable)
{
	RH_ASSERT(!storage->in_transaction);
	if (!storage->db) {
		snprintf(storage->error, sizeof(storage->error), "the database is not open");
		return -EBADMSG;
	}
	int failed = wal_make_room(storage);
	if (failed == 0)
		failed = set_durable(storage, durable);
	return failed ? failed : begin(storage);
}

void storage_rollback(struct storage *storage)
{
	/* Some failures (disk full) have ended the transaction already. */
	if (storage->in_transaction && !sqlite3_get_autocommit(storage->db)) {
		sqlite3_stmt *rollback = storage_statement(storage, SQL_ROLLBACK);
		if (rollback) {
			sqlite3_step(rollback);
			sqlite3_reset(rollback);
		}
	}
	storage->in_transaction = false;
}

int storage_commit(struct storage *storage)
{
	RH_ASSERT(storage->in_transaction);
	sqlite3_stmt *commit = storage_statement(storage, SQL_COMMIT);
	int failed = commit ? storage_run(storage, commit, cannot_write) : -EIO;
	if (failed)
		storage_rollback(storage);
	else if (storage->noted)
		note_clear(storage);
	storage->in_transaction = false;
	return failed;
}

static int unusable(struct storage *storage)
{
	return storage_fail(storage, sqlite3_errcode(storage->db), cannot_write);
}

int write_put(struct storage *storage, struct binder *binder)
{
	if (!binder->statement)
		return unusable(storage);
	if (binder->rc != SQLITE_OK) {
		sqlite3_reset(binder->statement);
		return storage_fail(storage, binder->rc, cannot_write);
	}
	return storage_run(storage, binder->statement, cannot_write);
}

struct binder write_prepare(struct storage *storage, enum sql_statement which)
{
	RH_ASSERT(storage->in_transaction);
	return (struct binder){.statement = storage_statement(storage, which)};
}

int storage_put_event(struct storage *storage, const struct storage_event *event, uint64_t *ret_id)
{
	struct binder binder = write_prepare(storage, SQL_PUT_EVENT);
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);

	if (!binder.statement)
		return unusable(storage);
	bind_columns(&binder, columns, count, event);
	int failed = write_put(storage, &binder);
	*ret_id = event->id ? event->id : (uint64_t)sqlite3_last_insert_rowid(storage->db);
	return failed;
}

int storage_put_snapshot(struct storage *storage, const struct storage_snapshot *snapshot)
{
	size_t count;
	const struct storage_column *columns = storage_snapshot_columns(&count);

	if (snapshot->snapshot != STORAGE_snapshot_checkpoint) {
		struct binder drop = write_prepare(storage, SQL_DROP_SNAPSHOT);
		if (!drop.statement)
			return unusable(storage);
		bind_u64(&drop, snapshot->event_id);
		bind_u64(&drop, snapshot->snapshot);
		int failed = write_put(storage, &drop);
		if (failed)
			return failed;
	}
	struct binder binder = write_prepare(storage, SQL_PUT_SNAPSHOT);
	if (!binder.statement)
		return unusable(storage);
	bind_columns(&binder, columns, count, snapshot);
	bind_process(&binder, &snapshot->process);
	return write_put(storage, &binder);
}

int storage_put_machine(
        struct storage *storage, const char *boot_id, const struct rh_system *system, const struct rh_process *processes, size_t count)
{
	struct binder binder = write_prepare(storage, SQL_PUT_MACHINE);

	if (!binder.statement)
		return unusable(storage);
	bind_text(&binder, boot_id);
	bind_system(&binder, system);
	int failed = write_put(storage, &binder);
	uint64_t id = (uint64_t)sqlite3_last_insert_rowid(storage->db);
	for (size_t i = 0; i < count && failed == 0; i++) {
		struct binder row = write_prepare(storage, SQL_PUT_MACHINE_PROCESS);
		if (!row.statement)
			return unusable(storage);
		bind_u64(&row, id);
		bind_u64(&row, i + 1);
		bind_process(&row, &processes[i]);
		failed = write_put(storage, &row);
	}
	return failed;
}

int storage_put_state(struct storage *storage, const struct storage_state *state)
{
	struct binder binder = write_prepare(storage, SQL_PUT_STATE);
	size_t count;
	const struct storage_column *columns = storage_state_columns(&count);
	struct storage_state row = *state;

	if (!binder.statement)
		return unusable(storage);
	row.id = 1;
	bind_columns(&binder, columns, count, &row);
	return write_put(storage, &binder);
}

void storage_note_pause(struct storage *storage, const struct storage_state *state)
{
	if (storage->db && begin(storage) == 0) {
		if (storage_put_state(storage, state) == 0)
			storage_commit(storage);
		storage_rollback(storage);
	}
	note_pause(storage, state);
}

int storage_close_other_boots(struct storage *storage, const char *boot_id)
{
	struct binder binder = write_prepare(storage, SQL_CLOSE_OTHER_BOOTS);

	if (!binder.statement)
		return unusable(storage);
	bind_text(&binder, boot_id);
	bind_u64(&binder, STORAGE_closed_by_reboot);
	int failed = write_put(storage, &binder);
	return failed ? failed : sqlite3_changes(storage->db);
}
