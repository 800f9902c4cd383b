/*
 * internal.h - what the files of storage/ share. Nobody else includes it.
 */
#ifndef STORAGE_INTERNAL_H
#define STORAGE_INTERNAL_H

#include "storage/baseline.h"
#include "storage/pauses.h"
#include "storage/sql.h"
#include "storage/storage.h"

#include <limits.h>
#include <sqlite3.h>

struct storage {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT]; /* prepared at first use */
	enum storage_mode mode;
	int lock_fd; /* STORAGE_TRACK: flock()ed while this writer lives */
	uint64_t wal_limit_bytes;
	uint64_t wal_frames;       /* in the log since it was last begun from its start */
	uint64_t wal_checkpointed; /* of them when a checkpoint was last tried */
	int busy_ms;               /* how long a statement waits for another process */
	bool durable;              /* the connection syncs its commits */
	bool in_transaction;
	bool noted;          /* the note beside the database tells of a pause */
	char path[PATH_MAX]; /* of the real folder: no symbolic link in it */
	char error[STORAGE_TEXT_BYTES];
};

/* ---- open.c ---- */

/* Notes what failed, from SQLite's code. Returns -errno. */
int storage_fail(struct storage *storage, int rc, const char *what);

/* The statement, prepared and reset; NULL (with storage_fail()) where that is impossible. Borrowed. */
sqlite3_stmt *storage_statement(struct storage *storage, enum sql_statement which);

/* Runs a statement that returns no rows, and resets it. Returns 0 or -errno. */
int storage_run(struct storage *storage, sqlite3_stmt *statement, const char *what);

/* Closes the database and its statements, but keeps the handle and its lock. */
void storage_detach(struct storage *storage);

/* ---- aside.c ---- */

/* What lies at a path. */
enum aside_verdict {
	ASIDE_OURS,      /* a database of this schema */
	ASIDE_EMPTY,     /* nothing, or an empty database: to be filled in */
	ASIDE_OTHER,     /* a database of ours with another schema */
	ASIDE_DAMAGED,   /* a corrupt database of ours, or no database at all */
	ASIDE_FOREIGN,   /* a database of another program */
	ASIDE_UNREADABLE /* none of this could be found out: storage_fail() said why */
};

/* Looks at the first bytes of the file, before anything is made beside it. Returns 0, or -errno where it is surely not for us. */
int aside_look(struct storage *storage);

/* Says that it is a database of another program. Returns -EEXIST. */
int aside_refuse_foreign(struct storage *storage);

/* Looks into an open database. */
enum aside_verdict aside_judge(struct storage *storage);

/* Moves the (closed) database and its write-ahead log to a dated name beside it. Returns 0 with that name, or -errno. */
int aside_move(struct storage *storage, char ret_path[PATH_MAX]);

/* ---- note.c ---- */

void note_clear(struct storage *storage);
void note_pause(struct storage *storage, const struct storage_state *state);

/* Lays a pause over a state that could not say so itself. */
void note_read(const struct storage *storage, struct storage_state *state);

/* ---- wal.c ---- */

/* Counts frames from now on, in place of SQLite's own checkpoints. */
void wal_watch(struct storage *storage);

/* Moves what it can into the database file, never waiting. Returns 0, or -EAGAIN while the log is at its limit. */
int wal_make_room(struct storage *storage);

/* ---- column.c ---- */

/* Values for the parameters of a statement, from the first on. Begin with {.statement = s}. */
struct binder {
	sqlite3_stmt *statement;
	int index; /* parameters bound */
	int rc;    /* first failure */
};

void bind_u64(struct binder *binder, uint64_t value);
void bind_text(struct binder *binder, const char *text);
void bind_blob(struct binder *binder, const void *bytes, size_t length);

/* Two columns: what can be shown anywhere, and the exact bytes where those differ. */
void bind_command(struct binder *binder, const char command[RH_COMMAND_BYTES]);
void bind_columns(struct binder *binder, const struct storage_column *columns, size_t count, const void *row);
void bind_process(struct binder *binder, const struct rh_process *process);
void bind_system(struct binder *binder, const struct rh_system *system);

/* The same for the result columns of a row, from *index on. What is not there or out of range becomes zero, or absent. */
void read_columns(sqlite3_stmt *statement, int *index, const struct storage_column *columns, size_t count, void *ret_row);
void read_process(sqlite3_stmt *statement, int *index, struct rh_process *ret_process);

/* Columns of the tables of pauses and baselines. */
const struct storage_column *pauses_columns(size_t *ret_count);
const struct storage_column *pauses_culprit_columns(size_t *ret_count);
const struct storage_column *pauses_victim_columns(size_t *ret_count);
const struct storage_column *baseline_columns(size_t *ret_count);

/* ---- write.c ---- */

/* A binder for a statement of an open transaction; its statement is NULL where that cannot be used. */
struct binder write_prepare(struct storage *storage, enum sql_statement which);

/* Steps a statement whose parameters are bound; where it could not be prepared, says so. Returns 0 or -errno. */
int write_put(struct storage *storage, struct binder *binder);

/* ---- query.c ---- */

/* A binder for a query; its statement is NULL where that cannot be used: return query_unusable(). */
struct binder query_prepare(struct storage *storage, enum sql_statement which);
int query_unusable(struct storage *storage);

/* Ends a query: resets the statement, so that its read transaction is over. Returns `result`, or -errno after a failure. */
int query_finish(struct storage *storage, struct binder *binder, int rc, int result);

/* ---- prune.c ---- */

/* Values for the statements of a pruning, as many as it takes. */
void prune_bind(struct binder *binder, const struct storage_limits *limits, unsigned batch);

#endif
