/*
 * storage.h - the database of events: what was rogue, when, and with which values. All SQL of the project lies behind this header.
 *
 * One process writes (the tracker, STORAGE_TRACK); any number read. The database is in WAL mode: readers and the writer do not wait for
 * each other. Every query below is one short read transaction that fills the caller's buffer and ends before the call returns, so that no
 * slow terminal can hold the write-ahead log.
 *
 * Errors are -errno: -ENOENT no database, -EEXIST the database has another version or belongs to another program, -EBUSY somebody else
 * writes, -ENOSPC disk full, -EAGAIN the write-ahead log is at its limit and a reader holds it, -EBADMSG corrupt, -EIO, -EACCES, ...;
 * storage_error() has the sentence. Nothing here logs or exits. Threads: a handle may be used by one thread at a time.
 */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "rogue/samples.h"

enum { STORAGE_TEXT_BYTES = 512 };

struct storage; /* owned by the caller of storage_open() until storage_close() */

enum storage_mode {
	STORAGE_READ,     /* queries only; never creates or changes anything */
	STORAGE_MAINTAIN, /* an existing database, beside a running tracker: pruning */
	STORAGE_TRACK,    /* the one writer: creates, keeps an unusable file aside, holds a lock */
};

struct storage_options {
	const char *path;
	enum storage_mode mode;
	unsigned lock_wait_ms;    /* STORAGE_TRACK: how long to wait for another tracker to end, that of a daemon that was killed */
	uint64_t wal_limit_bytes; /* STORAGE_TRACK: size of the write-ahead log at which writing pauses; 0 for 16 MiB */
};

/* ---- rows ---- */

#define STORAGE_DECLARE_key(name) uint64_t name
#define STORAGE_DECLARE_u8(name) uint8_t name
#define STORAGE_DECLARE_u32(name) uint32_t name
#define STORAGE_DECLARE_u64(name) uint64_t name
#define STORAGE_DECLARE_opt64(name) uint64_t name
#define STORAGE_DECLARE_f32(name) float name
#define STORAGE_DECLARE_text16(name) char name[RH_COMMAND_BYTES]
#define STORAGE_DECLARE_text40(name) char name[40]
#define STORAGE_DECLARE_text200(name) char name[200]

/* One event: a process at or above the tracking band, from the sample in which it got there. */
struct storage_event {
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) STORAGE_DECLARE_##type(name);
#include "storage/columns.def"
};

/* One process at one moment of its event. */
struct storage_snapshot {
#define STORAGE_SNAPSHOT_COLUMN(name, type, code, title, width, brief) STORAGE_DECLARE_##type(name);
#include "storage/columns.def"
	struct rh_process process;
};

/* What the tracker last wrote about itself. */
struct storage_state {
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) STORAGE_DECLARE_##type(name);
#include "storage/columns.def"
};

/* Tables of code names. */
enum storage_code {
	STORAGE_CODE_none,
	STORAGE_CODE_band,
	STORAGE_CODE_event,
	STORAGE_CODE_closed_by,
	STORAGE_CODE_snapshot,
	STORAGE_CODE_running,
	STORAGE_CODE_persistence
};

/* Codes: STORAGE_event_open, STORAGE_closed_by_gone, STORAGE_snapshot_peak, STORAGE_persistence_paused, ... */
enum storage_code_value {
#define STORAGE_CODE(table, value, name) STORAGE_##table##_##name = (value),
#include "storage/columns.def"
};
enum { STORAGE_SNAPSHOT_KINDS = STORAGE_snapshot_checkpoint + 1 };

enum storage_type {
	STORAGE_TYPE_key,
	STORAGE_TYPE_u8,
	STORAGE_TYPE_u32,
	STORAGE_TYPE_u64,
	STORAGE_TYPE_opt64,
	STORAGE_TYPE_f32,
	STORAGE_TYPE_f64,
	STORAGE_TYPE_text16,
	STORAGE_TYPE_text40,
	STORAGE_TYPE_text200,
	STORAGE_TYPE_text,
};

/* One column of columns.def as data, for programs that print rows. */
struct storage_column {
	const char *name, *title, *brief;
	uint16_t offset, size, width;
	uint8_t type; /* enum storage_type */
	uint8_t code; /* enum storage_code */
};

const struct storage_column *storage_event_columns(size_t *ret_count);
const struct storage_column *storage_snapshot_columns(size_t *ret_count);
const struct storage_column *storage_state_columns(size_t *ret_count);

/* Name of a code, "unknown" for one that this version does not know. */
const char *storage_code_name(enum storage_code table, unsigned value);

/* ---- opening ---- */

/*
 * Opens a database.
 *   ret_storage  receives the handle (owned), NULL on failure
 *   notice       STORAGE_TRACK: receives a sentence if an unusable file was kept aside under another name, else ""
 *   error        receives the reason of a failure
 * A file is only ever moved aside if its name ends in ".db" and it is ours or no database at all; the database of another program is refused.
 * Returns 0 or -errno as above.
 */
int storage_open(const struct storage_options *options, struct storage **ret_storage, char notice[STORAGE_TEXT_BYTES],
        char error[STORAGE_TEXT_BYTES]);

/* Ends an open transaction without its changes, closes, frees and sets the pointer to NULL. NULL is allowed. */
void storage_close(struct storage **storage);

/* The sentence of the last call that failed. Borrowed until the next call. */
const char *storage_error(const struct storage *storage);

/* Bytes of the database file and of its write-ahead log. */
uint64_t storage_file_bytes(const struct storage *storage);
uint64_t storage_wal_bytes(const struct storage *storage);

/* ---- queries (every mode) ---- */

/* Which events. Zeroed it means all of them. */
struct storage_filter {
	uint64_t before_id;         /* only older ones; 0 begins with the newest. For paging: the id of the last one received */
	uint64_t since_realtime_ns; /* only events that were open at this time or later; 0 no limit */
	uint64_t until_realtime_ns; /* only events that began at this time or earlier; 0 no limit */
	const char *command;        /* NULL, or a name; * ? and [...] match as in the shell */
	uint8_t least_band;         /* only events whose peak was in this band or a higher one */
	bool open_only;
};

/* Fills rows with the events that pass, newest first. Returns their number, or -errno. */
int storage_events(struct storage *storage, const struct storage_filter *filter, struct storage_event *rows, size_t capacity);

/* One event. Returns 1, 0 if there is none of that number, or -errno. */
int storage_event_by_id(struct storage *storage, uint64_t id, struct storage_event *ret_event);

/* Snapshots of an event in order of time, from the one after (after_boottime_ns, after_id); 0, 0 begins with the first. Returns their number, or -errno. */
int storage_snapshots(struct storage *storage, uint64_t event_id, uint64_t after_boottime_ns, uint64_t after_id,
        struct storage_snapshot *rows, size_t capacity);

/* How much there is. */
struct storage_counts {
	uint64_t events, open_events, snapshots, machine_snapshots, pauses;
};
/* Returns 0 or -errno. Cost: counts the rows. */
int storage_count(struct storage *storage, struct storage_counts *ret_counts);

/* Number of open events, or -errno. Cost: one look into an index. */
int64_t storage_open_events(struct storage *storage);

/* What the tracker last wrote about itself. Returns 1, 0 if it never did, or -errno. */
int storage_state(struct storage *storage, struct storage_state *ret_state);

/* ---- retention (STORAGE_MAINTAIN, STORAGE_TRACK) ---- */

#define STORAGE_DAY_NS UINT64_C(86400000000000)

struct storage_limits {
	uint64_t events_before_ns;   /* REALTIME: ended events that ended before it go, with their snapshots */
	uint64_t machine_before_ns;  /* REALTIME: machine snapshots taken before it go */
	uint64_t pauses_before_ns;   /* REALTIME: pauses that began before it go, with their culprits and victims */
	uint64_t baseline_before_ns; /* REALTIME: days (UTC) of a command's usual behaviour that ended before it go */
};
struct storage_pruned {
	uint64_t events, snapshots, machine_snapshots, pauses, baselines;
};

/* Counts what storage_prune() would remove. Returns 0 or -errno. */
int storage_prunable(struct storage *storage, const struct storage_limits *limits, struct storage_pruned *ret_pruned);

/*
 * Removes at most `batch` events and as many of each other kind in one transaction and gives the room back to the file system.
 * Call again while *ret_pruned is not all zero: in between others get to write. Returns 0 or -errno.
 */
int storage_prune(struct storage *storage, const struct storage_limits *limits, unsigned batch, struct storage_pruned *ret_pruned);

/* ---- writing (STORAGE_TRACK) ---- */

/*
 * Begins a transaction.
 *   durable  its commit (and so all commits before it) survives a power cut too; else it survives the death of every process
 * Returns 0, -EAGAIN while the write-ahead log is at its limit and a reader holds it (tries to shorten it first), or -errno.
 * Cost: a durable commit syncs the log file once.
 */
int storage_begin(struct storage *storage, bool durable);

/* Commits. Returns 0; or -errno, then nothing of the transaction was kept. */
int storage_commit(struct storage *storage);

/* Ends an open transaction without its changes; none may be open. */
void storage_rollback(struct storage *storage);

/* Inserts (id 0) or updates an event. Returns 0 with its number, or -errno; the caller then rolls back. */
int storage_put_event(struct storage *storage, const struct storage_event *event, uint64_t *ret_id);

/* Inserts a snapshot; one of kind entry, peak or exit replaces the event's one before. */
int storage_put_snapshot(struct storage *storage, const struct storage_snapshot *snapshot);

/* Inserts a snapshot of the machine with its `count` highest-scored processes. */
int storage_put_machine(
        struct storage *storage, const char *boot_id, const struct rh_system *system, const struct rh_process *processes, size_t count);

int storage_put_state(struct storage *storage, const struct storage_state *state);

/*
 * Lets others see that writing is paused: tries to write the state, past the limit of the log, and leaves a note beside the database that takes
 * no room on a full disk. The next commit takes the note away. storage_state() knows of both.
 */
void storage_note_pause(struct storage *storage, const struct storage_state *state);

/* Closes the open events of other boots, with the last time they were seen as their end. Returns their number, or -errno. */
int storage_close_other_boots(struct storage *storage, const char *boot_id);

/* After -EBADMSG: keeps the corrupt file aside and begins a new one. Returns 0 with a sentence in notice, or -errno. */
int storage_begin_anew(struct storage *storage, char notice[STORAGE_TEXT_BYTES]);

#endif
