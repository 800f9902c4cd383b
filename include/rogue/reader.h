/*
 * reader.h - read the samples of a running (or crashed) rogue-hunter collector in place.
 *
 * The collector publishes into a shared-memory ring; this library maps it read-only. A reader can neither slow
 * nor harm the writer, and a dead writer cannot harm a reader: no call spins, every wait has a time limit.
 *
 * The contract in three steps:
 *   1. rh_latest(), rh_next() or rh_at() fill a struct rh_view: the system record by value, the process records in place;
 *   2. scan, or copy out what outlives step 3;
 *   3. rh_valid(): only if it says true was everything read in step 2 consistent. Act only then.
 *
 *     struct rh_ring *ring;
 *     struct rh_view view;
 *     if (rh_open(NULL, &ring, NULL) == RH_OK) {
 *             if (rh_latest(ring, &view) == RH_OK) {
 *                     struct rh_process top;
 *                     bool some = rh_copy(&view, 0, &top);
 *                     if (some && rh_valid(&view))
 *                             printf("%u %.15s %.0f\n", top.pid, top.command, top.score);
 *             }
 *             rh_close(&ring);
 *     }
 *
 * Threads: a handle may be used by one thread at a time; different handles share nothing.
 * Values inside the segment are input: whatever a segment holds, no call reads outside of the mapping.
 * Since: 0.1 for every call of this file.
 */
#ifndef ROGUE_READER_H
#define ROGUE_READER_H

#include "rogue/samples.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Results of calls and states of a writer (status.def). */
enum rh_status {
#define RH_STATUS(value, name, exit, text) RH_##name = (value),
#include "rogue/status.def"
};

struct rh_ring; /* an attached segment; owned by the caller of rh_open() until rh_close() */

/* Why an attach failed. Filled by the callee, owned by the caller. */
struct rh_error {
	int errnum;     /* errno of the failed call, 0 if none failed */
	char text[256]; /* one sentence, no newline */
};

/*
 * One sample. Filled by rh_latest(), rh_at() and rh_next(); borrowed from the ring: it dies with rh_close().
 * `system` is a validated private copy. `record_base`, `scores` and `pids` point into shared memory: what they show may change under
 * the reader's eyes until rh_valid() has said that it had not. Row i of scores, pids and records is one process.
 */
struct rh_view {
	uint64_t sample;      /* number of the sample, 1, 2, ... */
	uint32_t count;       /* records in this view */
	uint32_t total;       /* processes sampled; more than count where the collector had to cut the list */
	uint32_t stride;      /* bytes from one record to the next; at least RH_PROCESS_HOT_BYTES */
	uint32_t system_size; /* bytes of `system` that the segment holds; the rest is zero */
	const float *scores;  /* [count] index column: scores */
	const uint32_t *pids; /* [count] index column: process ids */
	const unsigned char *record_base;
	const void *slot_;     /* private: for rh_valid() */
	uint32_t even_;        /* private: for rh_valid() */
	uint32_t record_size_; /* private: bytes of a record that carry fields */
	uint64_t known_[2];    /* private: fields that lie within them */
	union {
		struct rh_system system;
		unsigned char reserve_[RH_SYSTEM_MAX_BYTES]; /* fields of later minor versions fit without an ABI break */
	};
};

enum { RH_TYPE_UNKNOWN = 255 };

/* Place of one field, as the segment itself describes it. */
struct rh_field {
	char name[40];
	uint32_t id;
	uint32_t offset; /* bytes from the begin of the record */
	uint32_t size;   /* bytes */
	uint8_t type;    /* enum rh_type, or RH_TYPE_UNKNOWN for a type of a later version */
	uint8_t kind;    /* enum rh_kind */
	uint8_t scope;   /* 0 process record, 1 system record */
	char unit[16];   /* "bytes", "ms_per_s", ... */
};

/* Facts about an attached segment, constant for its life. */
struct rh_info {
	uint16_t major, minor; /* format version */
	uint32_t slots;        /* samples the ring holds at most */
	uint32_t record_size;  /* bytes of a full process record */
	uint32_t system_size;  /* bytes of the system record */
	uint32_t fields;       /* fields of both scopes together */
	uint32_t writer_pid;
	uint64_t writer_start_ns; /* start of the writer, since boot: with the pid its identity */
	uint64_t generation;      /* differs for every collector start */
	uint64_t created_realtime_ns;
	uint64_t period_ns; /* configured sampling interval */
	uint64_t arena_bytes;
	uint64_t total_bytes; /* size of the mapping */
	uint64_t schema_hash;
	char boot_id[40]; /* text form, lower case */
};

/*
 * Name of the segment for an instance.
 *   instance  instance name ([A-Za-z0-9._-], up to 64 bytes), or NULL for the one of the calling user
 *   ret_name  [80] receives "/rogue-hunter.NAME"
 * Returns RH_OK, or RH_INVALID for a name of other characters.
 */
enum rh_status rh_segment_name(const char *instance, char ret_name[80]);

/*
 * Attaches to the segment of an instance.
 *   instance  as for rh_segment_name(); for NULL the segment of the calling user, else that of root
 *   ret_ring  receives the handle (owned), NULL on failure
 *   error     NULL, or receives the reason
 * Returns RH_OK, RH_NO_SEGMENT, RH_FOREIGN (owned neither by root nor by the caller, or writable by others), RH_INCOMPATIBLE (another
 * major version), RH_NOT_A_SEGMENT (magic, sizes or offsets impossible), RH_INVALID, RH_SYSTEM.
 * Cost: one open, fstat, mmap.
 */
enum rh_status rh_open(const char *instance, struct rh_ring **ret_ring, struct rh_error *error);

/* The same for a file descriptor, which is duplicated: a memfd, a copy of a segment, a recording. Owner and mode are checked as well. */
enum rh_status rh_open_fd(int fd, struct rh_ring **ret_ring, struct rh_error *error);

/* Detaches, frees and sets the caller's pointer to NULL. A NULL ring is allowed. */
void rh_close(struct rh_ring **ring);

/*
 * Takes the pages of the ring that this reader has looked at out of its resident memory; they stay in the ring, and views stay usable. For readers
 * that run for long: in time the whole ring would count as theirs.
 * Cost: one system call, and later a page fault for each 64 KiB looked at again.
 */
void rh_trim(struct rh_ring *ring);

/* Fills in the constant facts of the segment. Cost: a copy of about 150 bytes. */
void rh_info(const struct rh_ring *ring, struct rh_info *ret_info);

/*
 * The newest sample.
 * Returns RH_OK, RH_NONE (nothing published yet), RH_BUSY (lapped at each of 8 tries), RH_CORRUPT.
 * Cost: about 30 ns when the header is in the cache; no system call.
 */
enum rh_status rh_latest(struct rh_ring *ring, struct rh_view *ret_view);

/*
 * Sample number `sample`.
 * Returns RH_OK, RH_NONE (not yet published, or 0), RH_LAPPED (overwritten), RH_CORRUPT.
 */
enum rh_status rh_at(struct rh_ring *ring, uint64_t sample, struct rh_view *ret_view);

/*
 * The sample after *cursor, or the oldest still there if that is gone.
 *   cursor  in: number of the last sample consumed, 0 to begin with the oldest; out: the number of the sample returned. rh_newest() gives
 *           the value with which to begin at the next one to come.
 *   lost    NULL, or increased by the samples that were skipped because they are gone for ever. Together with the samples returned
 *           they account for every number up to the cursor: got + lost == cursor, for a cursor that began at 0.
 * Returns RH_OK, RH_NONE (nothing new), RH_BUSY (lapped at each of 8 tries; the cursor keeps what was accounted for), RH_CORRUPT.
 */
enum rh_status rh_next(struct rh_ring *ring, uint64_t *cursor, uint64_t *lost, struct rh_view *ret_view);

/* Has nothing of the view been overwritten so far? True: all that was read from it up to now is consistent. Cost: two loads. */
bool rh_valid(const struct rh_view *view);

/* Number of the newest sample, 0 before the first. */
uint64_t rh_newest(const struct rh_ring *ring);

/* Number of the oldest sample that can still be read, 0 before the first. May be overwritten by the time it is used. */
uint64_t rh_oldest(const struct rh_ring *ring);

/* How many more samples can be published before sample `cursor + 1` is overwritten, as far as can be told from the room that the
 * newest sample takes: 0 means that it is gone or goes with the next one. A reader that has read everything sees the most there is,
 * rh_margin(ring, rh_newest(ring)); one that sees less than a quarter of that is too slow. */
uint64_t rh_margin(const struct rh_ring *ring, uint64_t cursor);

/* Record i of the view in place, NULL if i >= count. Read only fields that rh_has() says are present. */
static inline const struct rh_process *rh_record(const struct rh_view *view, uint32_t i)
{
	return i < view->count ? (const struct rh_process *)(const void *)(view->record_base + (size_t)i * view->stride)
	                       : (const struct rh_process *)0;
}

/* Copies record i into *ret_record; fields that this segment lacks or cut off are zero and not present.
 * Returns false if i >= count. What was copied counts only after rh_valid(). */
bool rh_copy(const struct rh_view *view, uint32_t i, struct rh_process *ret_record);

/* Row of the process with that pid. Returns its index, or -1. Cost: 2 ns a row. Counts only after rh_valid(). */
int64_t rh_find_pid(const struct rh_view *view, uint32_t pid);

/*
 * Sleeps until a sample newer than `seen` is published.
 *   timeout_ns  at most this long; longer than two sampling periods is cut to that, so that a dead writer is noticed
 * Returns RH_OK (there is news), RH_TIMEOUT, RH_CLOSED (the writer closed the ring). Interrupted by a signal: RH_TIMEOUT.
 * Cost: one futex call on the read-only mapping; wakes up to two further readers.
 */
enum rh_status rh_wait(struct rh_ring *ring, uint64_t seen, uint64_t timeout_ns);

/*
 * State of the writer.
 * Returns RH_RUNNING (also where a sample takes long, or the interval was lengthened), RH_HUNG (no heartbeat for ten periods, at least 2 s),
 * RH_DEAD (its lock is gone), RH_CLOSED (it stopped in good order), RH_REPLACED (the name leads to another segment: close and open
 * again), RH_SYSTEM.
 * Cost: two system calls.
 */
enum rh_status rh_writer_status(const struct rh_ring *ring);

/* Time since the writer's last sign of life, in ns of CLOCK_BOOTTIME. */
uint64_t rh_heartbeat_age_ns(const struct rh_ring *ring);

/* Field number i (0 .. rh_info.fields - 1) of the schema inside the segment. Returns RH_OK, or RH_INVALID beyond the last. */
enum rh_status rh_field_at(const struct rh_ring *ring, uint32_t i, struct rh_field *ret_field);

/* Field of that name; scope 0 process record, 1 system record. Returns RH_OK or RH_NONE. Cost: a scan of the schema; do it once. */
enum rh_status rh_field_by_name(const struct rh_ring *ring, unsigned scope, const char *name, struct rh_field *ret_field);

/* Lowest, highest and newest value of one field of one process over the samples still in the ring. */
struct rh_window {
	double current, low, high;
	uint32_t samples;     /* samples in which the process had the field */
	uint64_t first, last; /* numbers of the first and last such sample */
};

/*
 *   field          a numeric field of the process record
 *   pid, start_time_ns  the process
 * Returns RH_OK, RH_NONE (never seen in the ring), RH_INVALID (not a numeric process field).
 * Cost: one look at each sample of the ring, about 2 ns a process in each.
 */
enum rh_status rh_window(
        struct rh_ring *ring, const struct rh_field *field, uint32_t pid, uint64_t start_time_ns, struct rh_window *ret_window);

/* Value of a numeric field of a record as a double. The record is one that rh_copy() filled in; or one in place, for a field that
 * lies within it (offset + size <= view.stride). Returns false where the field is absent or not numeric. */
bool rh_field_value(const struct rh_field *field, const void *record, double *ret_value);

/* "ok", "running", ...: the text of a status. Never NULL. */
const char *rh_status_text(enum rh_status status);

/* Version of the library, "0.1.0". */
const char *rh_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
