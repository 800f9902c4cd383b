/*
 * writer.h - the one writer of a ring. Only collector/ and tests include this.
 *
 * Life: ring_create(), then for each sample ring_reserve(), fill the columns and records in place, ring_publish(); at the end
 * ring_close(). Every decision is made from private state; nothing is ever read back from shared memory.
 * Threads: one.
 */
#ifndef SHM_WRITER_H
#define SHM_WRITER_H

#include "rogue/samples.h"

struct ring_writer; /* owned by the caller of ring_create() until ring_close() */

struct ring_options {
	const char *instance; /* instance name, NULL for the one of the calling user */
	uint32_t slots;       /* samples held at most, 2 .. 1048576 */
	uint64_t arena_bytes; /* for frames; halved on a full /dev/shm, down to min_arena_bytes */
	uint64_t min_arena_bytes;
	uint64_t period_ns;  /* sampling interval, for readers' time-outs */
	uint32_t group;      /* group that may read, (uint32_t)-1 to leave it */
	const char *boot_id; /* 36 characters, or NULL where unknown */
	uint64_t writer_start_ns;
};

/* Room for one sample, to be filled in by the caller between ring_reserve() and ring_publish(). Borrowed until then. */
struct ring_frame {
	float *scores;          /* [capacity] index column */
	uint32_t *pids;         /* [capacity] index column */
	unsigned char *records; /* [capacity] records, `stride` bytes apart */
	uint32_t capacity;      /* records there is room for */
	uint32_t stride;        /* bytes from one record to the next; the caller writes no field that lies beyond, nor its present bit */
};

/*
 * Creates the segment under a private name, fills it in, locks it and renames it over the public name.
 * Returns 0, or -errno with a sentence in error_text: -ENOSPC when even min_arena_bytes do not fit, -EACCES, -EEXIST ...
 */
int ring_create(const struct ring_options *options, struct ring_writer **ret_writer, char error_text[256]);

/* Bytes that a frame of `count` records of `stride` bytes takes in the arena. */
uint64_t ring_frame_bytes(uint32_t count, uint32_t stride);

/* Arena of the ring in bytes: a frame may take at most half of it. */
uint64_t ring_arena_bytes(const struct ring_writer *writer);

/*
 * Marks everything that the next frame will overwrite as gone and returns room for it.
 *   count   records to come, at most
 *   stride  RH_PROCESS_HOT_BYTES .. , a multiple of 8
 * Returns 0, or -E2BIG where the frame would take more than half of the arena (nothing is changed then).
 * Cost: a few stores for each sample overwritten.
 */
int ring_reserve(struct ring_writer *writer, uint32_t count, uint32_t stride, struct ring_frame *ret_frame);

/*
 * Publishes the frame reserved before. Call ring_wake() after it.
 *   system   copied; its sample_id is filled in by the ring
 *   count    records filled in, at most the count reserved
 *   total    processes sampled
 * Returns the number of the sample.
 */
uint64_t ring_publish(struct ring_writer *writer, const struct rh_system *system, uint32_t count, uint32_t total);

/* Wakes at most 16 waiting readers; those wake others. Apart from ring_publish() because it is a system call. */
void ring_wake(const struct ring_writer *writer);

/*
 * Sign of life: now, in CLOCK_BOOTTIME. To be given with each sample, while one is being made that takes long, and at least once a second while
 * none is due. Apart from ring_publish() because a sample carries the moment at which its making began.
 */
void ring_heartbeat(struct ring_writer *writer, uint64_t boottime_ns);

/* Has the public name been taken away or given to another segment? The caller then creates a new one (systemd's RemoveIPC). Cost: one fstat. */
bool ring_is_replaced(const struct ring_writer *writer);

/*
 * Does a living writer own the public name of that instance? Two that took it from each other in turns would serve nobody. Ask only while
 * this process owns no ring of that name.
 */
bool ring_is_owned(const char *instance);

/* Says CLOSED to readers, wakes them all, removes the name if it is still ours, frees and sets the pointer to NULL. */
void ring_close(struct ring_writer **writer);

#endif
