/*
 * query.c - what can be asked. Each call is one statement, and so one short read transaction.
 */
#include "storage/internal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const char cannot_read[] = "cannot read the database";

int query_unusable(struct storage *storage)
{
	return storage->db ? storage_fail(storage, sqlite3_errcode(storage->db), cannot_read) : -EBADMSG;
}

int query_finish(struct storage *storage, struct binder *binder, int rc, int result)
{
	int failed = 0;

	if (binder->rc != SQLITE_OK)
		rc = binder->rc;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		failed = storage_fail(storage, rc, cannot_read);
	sqlite3_reset(binder->statement);
	return failed ? failed : result;
}

struct binder query_prepare(struct storage *storage, enum sql_statement which)
{
	return (struct binder){.statement = storage->db ? storage_statement(storage, which) : NULL};
}

static void read_event(sqlite3_stmt *statement, struct storage_event *ret_event)
{
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);
	int index = 0;

	memset(ret_event, 0, sizeof(*ret_event));
	read_columns(statement, &index, columns, count, ret_event);
}

int storage_events(struct storage *storage, const struct storage_filter *filter, struct storage_event *rows, size_t capacity)
{
	struct binder binder = query_prepare(storage, SQL_EVENTS);
	int count = 0, rc = SQLITE_DONE;

	if (!binder.statement)
		return query_unusable(storage);
	if (capacity > INT_MAX)
		capacity = INT_MAX;
	bind_u64(&binder, filter->before_id);
	bind_u64(&binder, filter->since_realtime_ns);
	bind_u64(&binder, filter->until_realtime_ns);
	bind_text(&binder, filter->command);
	bind_u64(&binder, filter->least_band);
	bind_u64(&binder, filter->open_only);
	bind_u64(&binder, capacity);
	while (binder.rc == SQLITE_OK && (size_t)count < capacity && (rc = sqlite3_step(binder.statement)) == SQLITE_ROW)
		read_event(binder.statement, &rows[count++]);
	return query_finish(storage, &binder, rc, count);
}

int storage_event_by_id(struct storage *storage, uint64_t id, struct storage_event *ret_event)
{
	struct binder binder = query_prepare(storage, SQL_EVENT_BY_ID);

	if (!binder.statement)
		return query_unusable(storage);
	bind_u64(&binder, id);
	int rc = sqlite3_step(binder.statement);
	if (rc == SQLITE_ROW)
		read_event(binder.statement, ret_event);
	return query_finish(storage, &binder, rc, rc == SQLITE_ROW);
}

int storage_snapshots(struct storage *storage, uint64_t event_id, uint64_t after_boottime_ns, uint64_t after_id,
        struct storage_snapshot *rows, size_t capacity)
{
	struct binder binder = query_prepare(storage, SQL_SNAPSHOTS);
	size_t columns_count;
	const struct storage_column *columns = storage_snapshot_columns(&columns_count);
	int count = 0, rc = SQLITE_DONE;

	if (!binder.statement)
		return query_unusable(storage);
	if (capacity > INT_MAX)
		capacity = INT_MAX;
	bind_u64(&binder, event_id);
	bind_u64(&binder, after_boottime_ns);
	bind_u64(&binder, after_id);
	bind_u64(&binder, capacity);
	while (binder.rc == SQLITE_OK && (size_t)count < capacity && (rc = sqlite3_step(binder.statement)) == SQLITE_ROW) {
		int index = 0;
		read_columns(binder.statement, &index, columns, columns_count, &rows[count]);
		read_process(binder.statement, &index, &rows[count].process);
		count++;
	}
	return query_finish(storage, &binder, rc, count);
}

int storage_state(struct storage *storage, struct storage_state *ret_state)
{
	struct binder binder = query_prepare(storage, SQL_STATE);
	size_t count;
	const struct storage_column *columns = storage_state_columns(&count);
	int index = 0;

	if (!binder.statement)
		return query_unusable(storage);
	memset(ret_state, 0, sizeof(*ret_state));
	int rc = sqlite3_step(binder.statement);
	if (rc == SQLITE_ROW)
		read_columns(binder.statement, &index, columns, count, ret_state);
	int found = query_finish(storage, &binder, rc, rc == SQLITE_ROW);
	if (found == 1)
		note_read(storage, ret_state);
	return found;
}

int64_t storage_open_events(struct storage *storage)
{
	struct binder binder = query_prepare(storage, SQL_OPEN_EVENTS);

	if (!binder.statement)
		return query_unusable(storage);
	int rc = sqlite3_step(binder.statement);
	int64_t count = rc == SQLITE_ROW ? sqlite3_column_int64(binder.statement, 0) : 0;
	int failed = query_finish(storage, &binder, rc, 0);
	return failed ? failed : count;
}

int storage_count(struct storage *storage, struct storage_counts *ret_counts)
{
	struct binder binder = query_prepare(storage, SQL_COUNT_ALL);

	if (!binder.statement)
		return query_unusable(storage);
	int rc = sqlite3_step(binder.statement);
	*ret_counts = (struct storage_counts){
	        .events = (uint64_t)sqlite3_column_int64(binder.statement, 0),
	        .open_events = (uint64_t)sqlite3_column_int64(binder.statement, 1),
	        .snapshots = (uint64_t)sqlite3_column_int64(binder.statement, 2),
	        .machine_snapshots = (uint64_t)sqlite3_column_int64(binder.statement, 3),
	        .pauses = (uint64_t)sqlite3_column_int64(binder.statement, 4),
	};
	return query_finish(storage, &binder, rc, 0);
}

int storage_prunable(struct storage *storage, const struct storage_limits *limits, struct storage_pruned *ret_pruned)
{
	struct binder binder = query_prepare(storage, SQL_PRUNABLE);

	if (!binder.statement)
		return query_unusable(storage);
	prune_bind(&binder, limits, 0);
	int rc = sqlite3_step(binder.statement);
	*ret_pruned = (struct storage_pruned){
	        .events = (uint64_t)sqlite3_column_int64(binder.statement, 0),
	        .snapshots = (uint64_t)sqlite3_column_int64(binder.statement, 1),
	        .machine_snapshots = (uint64_t)sqlite3_column_int64(binder.statement, 2),
	        .pauses = (uint64_t)sqlite3_column_int64(binder.statement, 3),
	        .baselines = (uint64_t)sqlite3_column_int64(binder.statement, 4),
	};
	return query_finish(storage, &binder, rc, 0);
}
