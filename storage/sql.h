/*
 * sql.h - every SQL text of the project, put together by the compiler from the tables of columns and fields.
 */
#ifndef STORAGE_SQL_H
#define STORAGE_SQL_H

#include <stdint.h>

enum sql_statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_PUT_EVENT,
	SQL_DROP_SNAPSHOT,
	SQL_PUT_SNAPSHOT,
	SQL_PUT_MACHINE,
	SQL_PUT_MACHINE_PROCESS,
	SQL_PUT_STATE,
	SQL_CLOSE_OTHER_BOOTS,
	SQL_EVENTS,
	SQL_EVENT_BY_ID,
	SQL_SNAPSHOTS,
	SQL_STATE,
	SQL_OPEN_EVENTS,
	SQL_COUNT_ALL,
	SQL_PRUNABLE,
	SQL_PRUNE_FORGET,
	SQL_PRUNE_CHOOSE_EVENTS,
	SQL_PRUNE_SNAPSHOTS,
	SQL_PRUNE_EVENTS,
	SQL_PRUNE_CHOOSE_MACHINES,
	SQL_PRUNE_MACHINE_PROCESSES,
	SQL_PRUNE_MACHINES,
	SQL_PRUNE_CHOOSE_PAUSES,
	SQL_PRUNE_CULPRITS,
	SQL_PRUNE_VICTIMS,
	SQL_PRUNE_PAUSES,
	SQL_PRUNE_CHOOSE_BASELINES,
	SQL_PRUNE_BASELINES,
	SQL_PUT_PAUSE,
	SQL_PAUSE_ID,
	SQL_DROP_CULPRITS,
	SQL_DROP_VICTIMS,
	SQL_PUT_CULPRIT,
	SQL_PUT_VICTIM,
	SQL_FINISH_INTERIM,
	SQL_PAUSES,
	SQL_PAUSE_BY_NUMBER,
	SQL_PAUSE_NEWEST,
	SQL_PAUSE_AT,
	SQL_LAST_PAUSE_NUMBER,
	SQL_COUNT_PAUSES,
	SQL_PUT_BASELINE,
	SQL_BASELINES,
	SQL_COUNT
};

const char *sql_text(enum sql_statement which);

/* Statements that create all tables and indexes. */
const char *sql_schema(void);

/* Hash of that text, above 0 and below 2^31: the database's user_version. */
int32_t sql_schema_hash(void);

/* Marks a database file as ours: "rogh". */
enum { SQL_APPLICATION_ID = 0x726f6768 };

#endif
