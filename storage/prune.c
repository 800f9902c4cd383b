/*
 * prune.c - retention: what is past its time goes, in small transactions, and its room goes back to the file system.
 */
#include "storage/internal.h"

#include <errno.h>

static const char cannot_prune[] = "cannot prune the database";

void prune_bind(struct binder *binder, const struct storage_limits *limits, unsigned batch)
{
	const uint64_t values[] = {batch, limits->events_before_ns, limits->machine_before_ns, limits->pauses_before_ns,
	        limits->baseline_before_ns / STORAGE_DAY_NS};
	int count = sqlite3_bind_parameter_count(binder->statement);

	for (int i = 0; i < count && i < (int)(sizeof(values) / sizeof(values[0])); i++)
		bind_u64(binder, values[i]);
}

/* Runs one statement of a pruning, with the limits as its parameters where it takes them. Returns the rows changed, or -errno. */
static int64_t step(struct storage *storage, enum sql_statement which, const struct storage_limits *limits, unsigned batch)
{
	sqlite3_stmt *statement = storage_statement(storage, which);

	if (!statement)
		return storage_fail(storage, sqlite3_errcode(storage->db), cannot_prune);
	prune_bind(&(struct binder){.statement = statement}, limits, batch);
	int failed = storage_run(storage, statement, cannot_prune);
	return failed ? failed : sqlite3_changes(storage->db);
}

struct prune_step {
	enum sql_statement which;
	uint64_t *ret_rows; /* NULL: the number does not matter */
};

static int run_steps(struct storage *storage, const struct storage_limits *limits, unsigned batch, struct storage_pruned *ret_pruned)
{
	const struct prune_step steps[] = {
	        {SQL_PRUNE_FORGET, NULL},
	        {SQL_PRUNE_CHOOSE_EVENTS, NULL},
	        {SQL_PRUNE_SNAPSHOTS, &ret_pruned->snapshots},
	        {SQL_PRUNE_EVENTS, &ret_pruned->events},
	        {SQL_PRUNE_FORGET, NULL},
	        {SQL_PRUNE_CHOOSE_MACHINES, NULL},
	        {SQL_PRUNE_MACHINE_PROCESSES, NULL},
	        {SQL_PRUNE_MACHINES, &ret_pruned->machine_snapshots},
	        {SQL_PRUNE_FORGET, NULL},
	        {SQL_PRUNE_CHOOSE_PAUSES, NULL},
	        {SQL_PRUNE_CULPRITS, NULL},
	        {SQL_PRUNE_VICTIMS, NULL},
	        {SQL_PRUNE_PAUSES, &ret_pruned->pauses},
	        {SQL_PRUNE_FORGET, NULL},
	        {SQL_PRUNE_CHOOSE_BASELINES, NULL},
	        {SQL_PRUNE_BASELINES, &ret_pruned->baselines},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t rows = step(storage, steps[i].which, limits, batch);
		if (rows < 0)
			return (int)rows;
		if (steps[i].ret_rows)
			*steps[i].ret_rows = (uint64_t)rows;
	}
	return 0;
}

int storage_prune(struct storage *storage, const struct storage_limits *limits, unsigned batch, struct storage_pruned *ret_pruned)
{
	*ret_pruned = (struct storage_pruned){0};
	if (storage->db &&
	        sqlite3_exec(storage->db, "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE IF NOT EXISTS chosen(id INTEGER PRIMARY KEY)",
	                NULL, NULL, NULL) != SQLITE_OK)
		return storage_fail(storage, sqlite3_errcode(storage->db), cannot_prune);
	int failed = storage_begin(storage, false);
	if (failed)
		return failed;
	failed = run_steps(storage, limits, batch, ret_pruned);
	if (failed == 0)
		failed = storage_commit(storage);
	if (failed) {
		storage_rollback(storage);
		*ret_pruned = (struct storage_pruned){0};
		return failed;
	}
	/* Bounded, as the transaction above: the pages come at the end of the file one by one. */
	if (sqlite3_exec(storage->db, "PRAGMA incremental_vacuum(2048)", NULL, NULL, NULL) != SQLITE_OK)
		return storage_fail(storage, sqlite3_errcode(storage->db), cannot_prune);
	return 0;
}
