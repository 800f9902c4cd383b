/*
 * pauses.c - pauses in the database, see pauses.h.
 *
 * A pause is found in an index first and read then: its document is far longer than all the rest of its row.
 */
#include "storage/pauses.h"

#include "storage/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_BYTES = 1 << 20 }; /* a document has some tens of KiB; nothing longer goes in, or is taken for one */

/* "The nearest within an hour." */
static const uint64_t NEAR_NS = UINT64_C(3600000000000);

/* A time of a filter: SQLite's integers have a sign. 0 means no limit, as does all that no clock will show. */
static void bind_until(struct binder *binder, uint64_t realtime_ns)
{
	bind_u64(binder, realtime_ns == 0 || realtime_ns > INT64_MAX ? INT64_MAX : realtime_ns);
}

static void bind_since(struct binder *binder, uint64_t realtime_ns)
{
	bind_u64(binder, realtime_ns > INT64_MAX ? INT64_MAX : realtime_ns);
}

/* The number of a query whose answer is one number, or -errno. */
static int64_t answer(struct storage *storage, struct binder *binder)
{
	int rc = sqlite3_step(binder->statement);
	int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(binder->statement, 0) : 0;
	int failed = query_finish(storage, binder, rc, 0);

	return failed ? failed : value;
}

/* ---- writing ---- */

/* Runs a statement whose only parameter is the key of a pause. */
static int run_for(struct storage *storage, enum sql_statement which, uint64_t id)
{
	struct binder binder = write_prepare(storage, which);

	if (binder.statement)
		bind_u64(&binder, id);
	return write_put(storage, &binder);
}

static int put_row(struct storage *storage, const struct storage_pause *pause, const char *document)
{
	struct binder binder = write_prepare(storage, SQL_PUT_PAUSE);
	size_t count;
	const struct storage_column *columns = pauses_columns(&count);

	if (binder.statement) {
		bind_text(&binder, document);
		bind_columns(&binder, columns, count, pause);
	}
	return write_put(storage, &binder);
}

/* Key of the row, whether it was there before or not. Returns 0 or -errno. */
static int find_id(struct storage *storage, const struct storage_pause *pause, uint64_t *ret_id)
{
	struct binder binder = query_prepare(storage, SQL_PAUSE_ID);

	*ret_id = 0;
	if (!binder.statement)
		return query_unusable(storage);
	bind_text(&binder, pause->boot_id);
	bind_u64(&binder, pause->number);
	int64_t id = answer(storage, &binder);
	if (id < 0)
		return (int)id;
	*ret_id = (uint64_t)id;
	return id > 0 ? 0 : -EIO;
}

/* One culprit or victim. */
static int put_part(struct storage *storage, enum sql_statement which, uint64_t id, const struct storage_column *columns,
        size_t column_count, const void *row)
{
	struct binder binder = write_prepare(storage, which);

	if (binder.statement) {
		bind_u64(&binder, id);
		bind_columns(&binder, columns, column_count, row);
	}
	return write_put(storage, &binder);
}

int storage_put_pause(struct storage *storage, const struct storage_pause *pause, const char *document,
        const struct storage_culprit *culprits, uint32_t culprit_count, const struct storage_victim *victims, uint32_t victim_count)
{
	size_t culprit_columns_count, victim_columns_count;
	const struct storage_column *culprit_columns = pauses_culprit_columns(&culprit_columns_count);
	const struct storage_column *victim_columns = pauses_victim_columns(&victim_columns_count);
	uint64_t id;

	if (strnlen(document, DOCUMENT_BYTES) == DOCUMENT_BYTES) {
		snprintf(storage->error, sizeof(storage->error), "the document of a pause is too long for the database");
		return -EFBIG;
	}
	int failed = put_row(storage, pause, document);
	if (failed == 0)
		failed = find_id(storage, pause, &id);
	if (failed == 0)
		failed = run_for(storage, SQL_DROP_CULPRITS, id);
	if (failed == 0)
		failed = run_for(storage, SQL_DROP_VICTIMS, id);
	for (uint32_t i = 0; i < culprit_count && failed == 0; i++)
		failed = put_part(storage, SQL_PUT_CULPRIT, id, culprit_columns, culprit_columns_count, &culprits[i]);
	for (uint32_t i = 0; i < victim_count && failed == 0; i++)
		failed = put_part(storage, SQL_PUT_VICTIM, id, victim_columns, victim_columns_count, &victims[i]);
	return failed;
}

int storage_finish_interim_pauses(struct storage *storage)
{
	struct binder binder = write_prepare(storage, SQL_FINISH_INTERIM);
	int failed = write_put(storage, &binder);

	return failed ? failed : sqlite3_changes(storage->db);
}

/* ---- queries ---- */

/* A row as the queries give it: one column of their own, the columns of columns.def, and so on. Returns the index of the next. */
static int read_pause(sqlite3_stmt *statement, struct storage_pause *ret_pause)
{
	size_t count;
	const struct storage_column *columns = pauses_columns(&count);
	int index = 1;

	memset(ret_pause, 0, sizeof(*ret_pause));
	read_columns(statement, &index, columns, count, ret_pause);
	return index;
}

int storage_pauses(struct storage *storage, const struct storage_pause_filter *filter, struct storage_pause *rows, size_t capacity)
{
	struct binder binder = query_prepare(storage, SQL_PAUSES);
	int count = 0, rc = SQLITE_DONE;

	if (!binder.statement)
		return query_unusable(storage);
	if (capacity > INT_MAX)
		capacity = INT_MAX;
	bind_since(&binder, filter->since_realtime_ns);
	bind_until(&binder, filter->until_realtime_ns);
	bind_until(&binder, filter->before_realtime_ns);
	bind_text(&binder, filter->class);
	bind_u64(&binder, filter->with_merged);
	bind_u64(&binder, capacity);
	while (binder.rc == SQLITE_OK && (size_t)count < capacity && (rc = sqlite3_step(binder.statement)) == SQLITE_ROW)
		read_pause(binder.statement, &rows[count++]);
	return query_finish(storage, &binder, rc, count);
}

/* A copy of a document. Returns 1 or -errno. */
static int copy_document(struct storage *storage, sqlite3_stmt *statement, int index, char **ret_document)
{
	const unsigned char *text = sqlite3_column_text(statement, index);
	int length = sqlite3_column_bytes(statement, index);

	if (!text || length >= DOCUMENT_BYTES) {
		snprintf(storage->error, sizeof(storage->error), "the document of that pause cannot be read");
		return -EBADMSG;
	}
	char *document = malloc((size_t)length + 1);
	if (!document) {
		snprintf(storage->error, sizeof(storage->error), "no memory");
		return -ENOMEM;
	}
	memcpy(document, text, (size_t)length);
	document[length] = '\0';
	*ret_document = document;
	return 1;
}

static enum sql_statement statement_for(const struct storage_pause_key *key)
{
	if (key->at_realtime_ns)
		return SQL_PAUSE_AT;
	return key->number ? SQL_PAUSE_BY_NUMBER : SQL_PAUSE_NEWEST;
}

static void bind_key(struct binder *binder, const struct storage_pause_key *key)
{
	char prefix[sizeof(key->boot_prefix)];

	snprintf(prefix, sizeof(prefix), "%.*s", (int)sizeof(prefix) - 1, key->boot_prefix);
	bind_text(binder, prefix);
	if (key->at_realtime_ns) {
		bind_u64(binder, key->at_realtime_ns > INT64_MAX / 2 ? INT64_MAX / 2 : key->at_realtime_ns);
		bind_u64(binder, NEAR_NS);
	} else {
		bind_u64(binder, key->number ? key->number : key->back);
	}
}

int storage_pause_find(struct storage *storage, const struct storage_pause_key *key, struct storage_pause *ret_pause, char **ret_document)
{
	struct binder binder = query_prepare(storage, statement_for(key));
	int found = 0;

	*ret_document = NULL;
	if (!binder.statement)
		return query_unusable(storage);
	bind_key(&binder, key);
	int rc = binder.rc == SQLITE_OK ? sqlite3_step(binder.statement) : SQLITE_DONE;
	if (rc == SQLITE_ROW && sqlite3_column_int64(binder.statement, 0) != 0) {
		snprintf(storage->error, sizeof(storage->error), "the ids of more than one boot begin so: give more digits");
		found = -ENOTUNIQ;
	} else if (rc == SQLITE_ROW) {
		int index = read_pause(binder.statement, ret_pause);
		found = copy_document(storage, binder.statement, index, ret_document);
	}
	return query_finish(storage, &binder, rc, found);
}

int64_t storage_last_pause_number(struct storage *storage, const char *boot_id)
{
	struct binder binder = query_prepare(storage, SQL_LAST_PAUSE_NUMBER);

	if (!binder.statement)
		return query_unusable(storage);
	bind_text(&binder, boot_id);
	return answer(storage, &binder);
}

int storage_count_pauses(struct storage *storage, const char *class, uint64_t since_realtime_ns)
{
	struct binder binder = query_prepare(storage, SQL_COUNT_PAUSES);

	if (!binder.statement)
		return query_unusable(storage);
	bind_since(&binder, since_realtime_ns);
	bind_text(&binder, class);
	int64_t count = answer(storage, &binder);
	return count > INT_MAX ? INT_MAX : (int)count;
}
