/*
 * sql.c - every SQL text, see sql.h.
 *
 * Each table's columns come from columns.def, fields.def or system.def, in their order, through three small macros per type: the column's
 * declaration, its name and its place holder. A table opens with its key and every later column brings its own leading comma, so that
 * tables can follow one another inside one list. Absent values are NULL. A command name takes two columns, see columns.def.
 *
 * Numbers of 64 bits are stored as SQLite's signed integers: one above 2^63 - 1 comes back unchanged but looks negative to SQL.
 */
#include "storage/sql.h"

#include <stddef.h>

/* Declaration of a column. Types of samples.h first, then those of columns.def that differ. */
#define DECLARE_u8(name) ", " name " INTEGER"
#define DECLARE_u16(name) ", " name " INTEGER"
#define DECLARE_u32(name) ", " name " INTEGER"
#define DECLARE_u64(name) ", " name " INTEGER"
#define DECLARE_i8(name) ", " name " INTEGER"
#define DECLARE_i16(name) ", " name " INTEGER"
#define DECLARE_i32(name) ", " name " INTEGER"
#define DECLARE_f32(name) ", " name " REAL"
#define DECLARE_text16(name) ", " name " TEXT, " name "_bytes BLOB"
#define DECLARE_key(name) name " INTEGER PRIMARY KEY AUTOINCREMENT"
#define DECLARE_opt64(name) ", " name " INTEGER"
#define DECLARE_text40(name) ", " name " TEXT"
#define DECLARE_text200(name) ", " name " TEXT"
#define DECLARE_text(name) ", " name " TEXT"
#define DECLARE_f64(name) ", " name " REAL"

/* Name of a column in a list. */
#define NAME_u8(name) ", " name
#define NAME_u16(name) ", " name
#define NAME_u32(name) ", " name
#define NAME_u64(name) ", " name
#define NAME_i8(name) ", " name
#define NAME_i16(name) ", " name
#define NAME_i32(name) ", " name
#define NAME_f32(name) ", " name
#define NAME_text16(name) ", " name ", " name "_bytes"
#define NAME_key(name) name
#define NAME_opt64(name) ", " name
#define NAME_text40(name) ", " name
#define NAME_text200(name) ", " name
#define NAME_text(name) ", " name
#define NAME_f64(name) ", " name

/* Place holder of a value. */
#define MARK_u8 ", ?"
#define MARK_u16 ", ?"
#define MARK_u32 ", ?"
#define MARK_u64 ", ?"
#define MARK_i8 ", ?"
#define MARK_i16 ", ?"
#define MARK_i32 ", ?"
#define MARK_f32 ", ?"
#define MARK_text16 ", ?, ?"
#define MARK_key "?"
#define MARK_opt64 ", ?"
#define MARK_text40 ", ?"
#define MARK_text200 ", ?"
#define MARK_text ", ?"
#define MARK_f64 ", ?"

/* Assignment of the new value when the row is there already. The key opens the list by assigning itself. */
#define ASSIGN_u8(name) ", " name " = excluded." name
#define ASSIGN_u32(name) ", " name " = excluded." name
#define ASSIGN_u64(name) ", " name " = excluded." name
#define ASSIGN_opt64(name) ", " name " = excluded." name
#define ASSIGN_f32(name) ", " name " = excluded." name
#define ASSIGN_text16(name) ", " name " = excluded." name ", " name "_bytes = excluded." name "_bytes"
#define ASSIGN_text40(name) ", " name " = excluded." name
#define ASSIGN_text200(name) ", " name " = excluded." name
#define ASSIGN_text(name) ", " name " = excluded." name
#define ASSIGN_key(name) name " = excluded." name

/* clang-format off */
static const char schema[] =
	"CREATE TABLE process_events("
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
	") STRICT;\n"
	/* One open event for a process: whatever goes wrong above, the database does not hold it twice. */
	"CREATE UNIQUE INDEX process_events_open ON process_events(boot_id, pid, start_time_ns) WHERE state = 0;\n"
	"CREATE INDEX process_events_exit ON process_events(exit_realtime_ns) WHERE state = 1;\n"
	"CREATE TABLE process_snapshots("
#define STORAGE_SNAPSHOT_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) DECLARE_##type(#name)
#include "rogue/fields.def"
	") STRICT;\n"
	"CREATE INDEX process_snapshots_event ON process_snapshots(event_id, boottime_ns);\n"
	"CREATE TABLE machine_snapshots(id INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT"
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) DECLARE_##type(#name)
#include "rogue/system.def"
	") STRICT;\n"
	"CREATE INDEX machine_snapshots_time ON machine_snapshots(realtime_ns);\n"
	"CREATE TABLE machine_snapshot_processes(snapshot_id INTEGER, rank INTEGER"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) DECLARE_##type(#name)
#include "rogue/fields.def"
	", PRIMARY KEY(snapshot_id, rank)) STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE daemon_state("
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
	") STRICT;\n"
	"CREATE TABLE pauses(id INTEGER PRIMARY KEY AUTOINCREMENT"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
	", document TEXT) STRICT;\n"
	"CREATE UNIQUE INDEX pauses_number ON pauses(number, boot_id);\n"
	/* All that lists choose by: rows, long as they are, are read only for what is shown. */
	"CREATE INDEX pauses_time ON pauses(start_realtime_ns, span_ns, duration_ns, state, class);\n"
	"CREATE TABLE pause_culprits(pause_id INTEGER"
#define STORAGE_CULPRIT_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
	", PRIMARY KEY(pause_id, rank)) STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE pause_victims(pause_id INTEGER"
#define STORAGE_VICTIM_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
	", PRIMARY KEY(pause_id, rank)) STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE command_baselines("
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) DECLARE_##type(#name)
#include "storage/columns.def"
	", score_sketch BLOB, cpu_sketch BLOB) STRICT;\n"
	"CREATE UNIQUE INDEX command_baselines_command ON command_baselines(ifnull(command_bytes, command), day);\n"
	"CREATE INDEX command_baselines_day ON command_baselines(day);\n";

static const char put_event[] =
	"INSERT INTO process_events("
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	") VALUES("
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
	") ON CONFLICT(id) DO UPDATE SET "
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) ASSIGN_##type(#name)
#include "storage/columns.def"
	;

static const char put_snapshot[] =
	"INSERT INTO process_snapshots("
#define STORAGE_SNAPSHOT_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) NAME_##type(#name)
#include "rogue/fields.def"
	") VALUES("
#define STORAGE_SNAPSHOT_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) MARK_##type
#include "rogue/fields.def"
	")";

static const char put_machine[] =
	"INSERT INTO machine_snapshots(boot_id"
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) NAME_##type(#name)
#include "rogue/system.def"
	") VALUES(?"
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) MARK_##type
#include "rogue/system.def"
	")";

static const char put_machine_process[] =
	"INSERT INTO machine_snapshot_processes(snapshot_id, rank"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) NAME_##type(#name)
#include "rogue/fields.def"
	") VALUES(?, ?"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) MARK_##type
#include "rogue/fields.def"
	")";

static const char put_state[] =
	"INSERT INTO daemon_state("
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	") VALUES("
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
	") ON CONFLICT(id) DO UPDATE SET "
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) ASSIGN_##type(#name)
#include "storage/columns.def"
	;

static const char get_events[] =
	"SELECT "
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	" FROM process_events WHERE (?1 = 0 OR id < ?1) AND (?2 = 0 OR state = 0 OR exit_realtime_ns >= ?2)"
	" AND (?3 = 0 OR entry_realtime_ns <= ?3) AND (?4 IS NULL OR command GLOB ?4) AND peak_band >= ?5 AND (?6 = 0 OR state = 0)"
	" ORDER BY id DESC LIMIT ?7";

static const char get_event[] =
	"SELECT "
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	" FROM process_events WHERE id = ?1";

static const char get_snapshots[] =
	"SELECT "
#define STORAGE_SNAPSHOT_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) NAME_##type(#name)
#include "rogue/fields.def"
	" FROM process_snapshots WHERE event_id = ?1 AND (boottime_ns, id) > (?2, ?3) ORDER BY boottime_ns, id LIMIT ?4";

static const char get_state[] =
	"SELECT "
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	" FROM daemon_state WHERE id = 1";

static const char put_pause[] =
	"INSERT INTO pauses(document"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	") VALUES(?"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
	") ON CONFLICT(boot_id, number) DO UPDATE SET document = excluded.document"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) ASSIGN_##type(#name)
#include "storage/columns.def"
	;

static const char put_culprit[] =
	"INSERT INTO pause_culprits(pause_id"
#define STORAGE_CULPRIT_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	") VALUES(?"
#define STORAGE_CULPRIT_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
	")";

static const char put_victim[] =
	"INSERT INTO pause_victims(pause_id"
#define STORAGE_VICTIM_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	") VALUES(?"
#define STORAGE_VICTIM_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
	")";

#define PAUSE_END "start_realtime_ns + max(span_ns, duration_ns)"

static const char get_pauses[] =
	"SELECT id"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	" FROM pauses WHERE (?1 = 0 OR " PAUSE_END " >= ?1) AND start_realtime_ns <= ?2 AND start_realtime_ns < ?3"
	" AND (?4 IS NULL OR class = ?4) AND (?5 = 1 OR state <> 'merged') ORDER BY start_realtime_ns DESC LIMIT ?6";

/*
 * Of the boots whose id begins with ?1; the first column tells that it begins that of another one too. Each pause is first found in an index:
 * documents are long, and a sort would carry them all.
 */
#define OF_BOOT "substr(boot_id, 1, length(?1)) = lower(?1)"

static const char get_pause_by_number[] =
	"SELECT ?1 <> '' AND EXISTS(SELECT 1 FROM pauses AS other WHERE " OF_BOOT " AND other.boot_id <> pauses.boot_id)"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	", document FROM pauses WHERE id = "
	"(SELECT id FROM pauses WHERE number = ?2 AND " OF_BOOT " ORDER BY +start_realtime_ns DESC LIMIT 1)";

static const char get_pause_newest[] =
	"SELECT 0"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	", document FROM pauses WHERE id = "
	"(SELECT id FROM pauses WHERE state <> 'merged' AND " OF_BOOT " ORDER BY start_realtime_ns DESC LIMIT 1 OFFSET ?2)";

static const char get_pause_at[] =
	"SELECT 0"
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	", document FROM pauses WHERE id = "
	"(SELECT id FROM pauses WHERE state <> 'merged' AND " OF_BOOT " AND start_realtime_ns <= ?2 + ?3 AND " PAUSE_END " >= ?2 - ?3"
	" ORDER BY max(start_realtime_ns - ?2, ?2 - (" PAUSE_END "), 0), start_realtime_ns DESC LIMIT 1)";

static const char put_baseline[] =
	"INSERT INTO command_baselines("
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	", score_sketch, cpu_sketch) VALUES("
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) MARK_##type
#include "storage/columns.def"
	", ?, ?) ON CONFLICT(id) DO UPDATE SET "
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) ASSIGN_##type(#name)
#include "storage/columns.def"
	", score_sketch = excluded.score_sketch, cpu_sketch = excluded.cpu_sketch";

static const char get_baselines[] =
	"SELECT "
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) NAME_##type(#name)
#include "storage/columns.def"
	", score_sketch, cpu_sketch FROM command_baselines"
	" WHERE ifnull(command_bytes, command) = ifnull(?2, ?1) AND day >= ?3 AND day <= ?4 ORDER BY day";
/* clang-format on */

/* Values of prune.c: ?1 is how many rows to choose at most, the others are what is past its time. */
#define OLD_EVENTS "FROM process_events WHERE state = 1 AND exit_realtime_ns < ?2"
#define OLD_MACHINES "FROM machine_snapshots WHERE realtime_ns < ?3"
#define OLD_PAUSES "FROM pauses WHERE start_realtime_ns < ?4"
#define OLD_BASELINES "FROM command_baselines WHERE day < ?5"

const char *sql_text(enum sql_statement which)
{
	switch (which) {
	case SQL_BEGIN:
		return "BEGIN IMMEDIATE";
	case SQL_COMMIT:
		return "COMMIT";
	case SQL_ROLLBACK:
		return "ROLLBACK";
	case SQL_PUT_EVENT:
		return put_event;
	case SQL_DROP_SNAPSHOT:
		return "DELETE FROM process_snapshots WHERE event_id = ?1 AND snapshot = ?2";
	case SQL_PUT_SNAPSHOT:
		return put_snapshot;
	case SQL_PUT_MACHINE:
		return put_machine;
	case SQL_PUT_MACHINE_PROCESS:
		return put_machine_process;
	case SQL_PUT_STATE:
		return put_state;
	case SQL_CLOSE_OTHER_BOOTS:
		return "UPDATE process_events SET state = 1, closed_by = ?2, exit_realtime_ns = last_realtime_ns, exit_boottime_ns = "
		       "last_boottime_ns"
		       " WHERE state = 0 AND boot_id <> ?1";
	case SQL_EVENTS:
		return get_events;
	case SQL_EVENT_BY_ID:
		return get_event;
	case SQL_SNAPSHOTS:
		return get_snapshots;
	case SQL_STATE:
		return get_state;
	case SQL_OPEN_EVENTS:
		return "SELECT count(*) FROM process_events WHERE state = 0";
	case SQL_COUNT_ALL:
		return "SELECT (SELECT count(*) FROM process_events), (SELECT count(*) FROM process_events WHERE state = 0),"
		       " (SELECT count(*) FROM process_snapshots), (SELECT count(*) FROM machine_snapshots), (SELECT count(*) FROM pauses)";
	case SQL_PRUNABLE:
		return "SELECT (SELECT count(*) " OLD_EVENTS
		       "), (SELECT count(*) FROM process_snapshots WHERE event_id IN (SELECT id " OLD_EVENTS
		       ")), (SELECT count(*) " OLD_MACHINES "), (SELECT count(*) " OLD_PAUSES "), (SELECT count(*) " OLD_BASELINES ")";
	case SQL_PRUNE_FORGET:
		return "DELETE FROM temp.chosen";
	case SQL_PRUNE_CHOOSE_EVENTS:
		return "INSERT INTO temp.chosen SELECT id " OLD_EVENTS " ORDER BY exit_realtime_ns LIMIT ?1";
	case SQL_PRUNE_SNAPSHOTS:
		return "DELETE FROM process_snapshots WHERE event_id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_EVENTS:
		return "DELETE FROM process_events WHERE id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_CHOOSE_MACHINES:
		return "INSERT INTO temp.chosen SELECT id " OLD_MACHINES " ORDER BY realtime_ns LIMIT ?1";
	case SQL_PRUNE_MACHINE_PROCESSES:
		return "DELETE FROM machine_snapshot_processes WHERE snapshot_id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_MACHINES:
		return "DELETE FROM machine_snapshots WHERE id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_CHOOSE_PAUSES:
		return "INSERT INTO temp.chosen SELECT id " OLD_PAUSES " ORDER BY start_realtime_ns LIMIT ?1";
	case SQL_PRUNE_CULPRITS:
		return "DELETE FROM pause_culprits WHERE pause_id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_VICTIMS:
		return "DELETE FROM pause_victims WHERE pause_id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_PAUSES:
		return "DELETE FROM pauses WHERE id IN (SELECT id FROM temp.chosen)";
	case SQL_PRUNE_CHOOSE_BASELINES:
		return "INSERT INTO temp.chosen SELECT id " OLD_BASELINES " ORDER BY day LIMIT ?1";
	case SQL_PRUNE_BASELINES:
		return "DELETE FROM command_baselines WHERE id IN (SELECT id FROM temp.chosen)";
	case SQL_PUT_PAUSE:
		return put_pause;
	case SQL_PAUSE_ID:
		return "SELECT id FROM pauses WHERE boot_id = ?1 AND number = ?2";
	case SQL_DROP_CULPRITS:
		return "DELETE FROM pause_culprits WHERE pause_id = ?1";
	case SQL_DROP_VICTIMS:
		return "DELETE FROM pause_victims WHERE pause_id = ?1";
	case SQL_PUT_CULPRIT:
		return put_culprit;
	case SQL_PUT_VICTIM:
		return put_victim;
	case SQL_FINISH_INTERIM:
		return "UPDATE pauses SET state = 'final' WHERE state = 'interim'";
	case SQL_PAUSES:
		return get_pauses;
	case SQL_PAUSE_BY_NUMBER:
		return get_pause_by_number;
	case SQL_PAUSE_NEWEST:
		return get_pause_newest;
	case SQL_PAUSE_AT:
		return get_pause_at;
	case SQL_LAST_PAUSE_NUMBER:
		return "SELECT ifnull(max(number), 0) FROM pauses WHERE boot_id = ?1";
	case SQL_COUNT_PAUSES:
		return "SELECT count(*) FROM pauses WHERE start_realtime_ns >= ?1 AND state <> 'merged' AND (?2 IS NULL OR class = ?2)";
	case SQL_PUT_BASELINE:
		return put_baseline;
	case SQL_BASELINES:
		return get_baselines;
	case SQL_COUNT:
		break;
	}
	return NULL;
}

const char *sql_schema(void)
{
	return schema;
}

int32_t sql_schema_hash(void)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *next = schema; *next; next++)
		hash = (hash ^ (unsigned char)*next) * 16777619u;
	hash &= INT32_MAX;
	return hash ? (int32_t)hash : 1;
}
