/*
 * layout.h - the format of a segment, version 1.0, and how to read it. Private to shm/; other programs use rogue/reader.h, other
 * languages this comment.
 *
 * A segment is one file of POSIX shared memory, /dev/shm/rogue-hunter.<instance>, with one writer and any number of readers that
 * map it read-only. All numbers are in the byte order and alignment of the machine that wrote them.
 *
 *   offset       size                  what
 *   0            4096                  header (struct seg_header): written before the file gets its name, constant from then on
 *   control_off  4096                  control (struct seg_control): three cache lines that change with every sample
 *   schema_off   fields * field_size   schema (struct seg_field): name, type, unit, offset, size of every field
 *   slots_off    slots * slot_size     slots (struct seg_slot): where the frame of a sample lies, and its system record
 *   arena_off    arena_size            frames: the records of the processes, of varying length
 *
 * Samples are numbered 1, 2, 3, ... Sample n belongs to slot (n - 1) % slots. A slot opens with a 32-bit sequence value, whose
 * value for a complete sample n is a pure function of n:
 *
 *   even(n) = 2 * ((n - 1) / slots) + 2        (modulo 2^32)
 *
 * A slot that holds even(n) holds sample n, complete. A larger value: the sample has been overwritten (the odd value even(n) + 1
 * says: reclaimed, or the slot's next sample is being written). A smaller value: not yet written. Slots begin with 1.
 *
 * A frame lies in the arena at slot.frame.offset (from the begin of the file), in three parts that each begin on a multiple
 * of 64 bytes:
 *
 *   float    scores[capacity]           index columns: row i of each column and record i are one process
 *   uint32_t pids[capacity]
 *   record   records[count], stride bytes apart
 *
 * The first 64 records are those of the highest scores, in falling order; the others follow by pid. A record may be cut after
 * `stride` bytes (at least 128): then the fields beyond are missing and their present bits are clear.
 *
 * To read sample n:
 *   1. load the sequence of slot (n - 1) % slots; go on only if it equals even(n); load fence
 *   2. copy slot.frame and slot.system into private memory
 *   3. load fence; load the sequence again: only if it is still even(n) is the copy sound. Check that frame.number is n and that
 *      the frame lies within the arena - the bytes are input, like any others
 *   4. read the columns and records in place; copy out what is wanted
 *   5. load fence; load the sequence a last time: only if it is still even(n) was all of step 4 sound. Act only now. (Who may sleep for
 *      2^31 laps also compares slot.frame.number, for the sequence wraps)
 * The newest sample is control.published (0: none yet); load fence after reading it. control.oldest is a hint for the oldest
 * sample that is still complete. Never loop without a bound: the writer may have died in the middle of a write.
 *
 * To wait for news: load control.futex, load fence, compare control.published with what was seen, and FUTEX_WAIT (not private) on
 * control.futex with the value loaded, with a time limit of two periods. Whoever was woken wakes two others.
 *
 * The state of the writer: control.state 2: closed. st_nlink == 0 of the file: another segment took the name. No OFD write lock on the file:
 * the writer is dead. control.heartbeat_ns (CLOCK_BOOTTIME) ten periods old, at least 2 s: it hangs.
 *
 * How the writer keeps this promise (each fence is ck_pr_fence_strict_store: the plain one would let the non-temporal
 * stores of a large memcpy escape):
 *   1. mark as odd (even + 1) every sample whose slot or arena bytes the next sample will overwrite; store fence
 *      - pairs with the reader's fence in step 5: who has read a byte of the new frame will see the odd value
 *   2. frame, slot.frame, slot.system; store fence
 *      - pairs with step 1: who has seen the even value will see the frame
 *   3. slot.sequence = even(n); store fence; control.published = n
 *      - pairs with the fence after reading published: who has seen n will see even(n) or a later value
 *   4. store fence; control.futex; FUTEX_WAKE of at most 16
 *      - pairs with the fence between loading futex and published: who would sleep on the new word has seen n
 * control.heartbeat_ns is set with each sample, and in between while the writer makes progress with the next or waits for its time.
 * Every decision is made from private state. A writer never re-uses a segment: each start makes a new one under a private name and
 * renames it over the public one, so that a slot left odd by a crash stays odd for ever, and harms nobody.
 *
 * Versions: minor only appends (fields at the end of records, members at the end of the header); another major is another format.
 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

#include "rogue/samples.h"

#include <ck_md.h>
#include <ck_pr.h>
#include <ck_sequence.h>

/*
 * ck_md.h is made for one architecture; with that of amd64 (total store order) the fences of any other machine would compile
 * to nothing, and readers would see torn samples.
 */
#if defined(CK_MD_TSO) && !defined(__x86_64__) && !defined(__i386__) && !defined(__sparc__)
#error "the ck_md.h found is that of another architecture: install libck-dev of the target"
#endif
#if defined(__x86_64__) && (defined(__aarch64__) || defined(__arm__) || defined(__powerpc__) || defined(__riscv) || defined(__s390__))
#error "__x86_64__ is defined for another target (ck.pc of Debian does that): leave its flags out"
#endif

#define SEG_MAGIC UINT64_C(0x31474e4952484f52) /* "ROHRING1" in a little-endian file */

enum {
	SEG_MAJOR = 1,
	SEG_MINOR = 0,
	SEG_BYTE_ORDER = 0x01020304,
	SEG_PAGE = 4096,
	SEG_LINE = 64, /* alignment of slots, columns and records: a cache line */
	SEG_SLOTS_MAX = 1 << 20,
	SEG_SLOT_SIZE_MAX = 1 << 16,
	SEG_FIELDS_MAX = 1024,
	SEG_STATE_RUNNING = 1,
	SEG_STATE_CLOSED = 2,
	SEG_SCOPE_PROCESS = 0,
	SEG_SCOPE_SYSTEM = 1,
	SEG_NAME_BYTES = 80, /* "/rogue-hunter." and an instance of up to 64 characters */
};

struct seg_header {
	uint64_t magic;
	uint32_t byte_order;
	uint32_t header_size;
	uint16_t major, minor;
	uint32_t record_size; /* bytes of a process record as the schema describes it */
	uint32_t system_size; /* bytes of the system record */
	uint32_t slots, slot_size;
	uint32_t fields, field_size;
	uint32_t writer_pid;
	uint64_t control_off, schema_off, slots_off, arena_off, arena_size;
	uint64_t total_size;
	uint64_t schema_hash;     /* FNV-1a, 64 bit, of the schema's bytes */
	uint64_t generation;      /* differs for every start of a writer */
	uint64_t writer_start_ns; /* since boot */
	uint64_t created_realtime_ns;
	uint64_t period_ns;
	char boot_id[40]; /* text; empty where unknown */
};

/* One cache line for what readers poll, one for the hint, one for the heartbeat. */
struct seg_control {
	uint64_t published; /* newest complete sample, 0 before the first */
	uint32_t futex;     /* its low 32 bits, inverted once the ring is closed */
	uint32_t state;     /* SEG_STATE_RUNNING, SEG_STATE_CLOSED */
	unsigned char pad0[48];
	uint64_t oldest;
	unsigned char pad1[56];
	uint64_t heartbeat_ns; /* CLOCK_BOOTTIME */
	unsigned char pad2[56];
};

/* Where the records of a sample lie. */
struct seg_frame {
	uint64_t number;   /* n: guards against a wrapped sequence */
	uint64_t offset;   /* from the begin of the file */
	uint32_t capacity; /* rows of each index column */
	uint32_t count;    /* records, at most capacity */
	uint32_t total;    /* processes sampled */
	uint32_t stride;   /* bytes from one record to the next */
};

struct seg_slot {
	_Alignas(SEG_LINE) ck_sequence_t sequence;
	unsigned char pad[SEG_LINE - sizeof(ck_sequence_t)];
	struct seg_frame frame;
	struct rh_system system;
};

struct seg_field {
	char name[40];
	char type[8];          /* "u8" ... "u64", "i8" ... "i32", "f32", "text16" */
	char unit[16];         /* "ns", "bytes_per_s", ... */
	uint16_t id;           /* bit in the present mask */
	uint16_t offset, size; /* bytes within the record */
	uint8_t kind;          /* enum rh_kind */
	uint8_t scope;         /* SEG_SCOPE_PROCESS, SEG_SCOPE_SYSTEM */
	unsigned char pad[8];
};

_Static_assert(sizeof(struct seg_header) == 176 && sizeof(struct seg_header) <= SEG_PAGE, "the header is version 1.0");
_Static_assert(offsetof(struct seg_header, control_off) == 48, "the header is version 1.0");
_Static_assert(offsetof(struct seg_control, oldest) == 64, "the hint has a cache line of its own");
_Static_assert(offsetof(struct seg_control, heartbeat_ns) == 128, "the heartbeat has a cache line of its own");
_Static_assert(sizeof(struct seg_control) == 192, "control is three cache lines");
_Static_assert(offsetof(struct seg_slot, frame) == SEG_LINE, "the sequence has a cache line of its own");
_Static_assert(offsetof(struct seg_slot, system) == SEG_LINE + sizeof(struct seg_frame), "the system record follows the frame");
_Static_assert(sizeof(struct seg_slot) % SEG_LINE == 0, "slots lie on cache lines");
_Static_assert(sizeof(struct seg_frame) == 32, "the frame is version 1.0");
_Static_assert(sizeof(struct seg_field) == 80, "a field is version 1.0");
_Static_assert(sizeof(unsigned int) == 4, "ck_sequence is 32 bits");

/* Sequence value of a slot that holds sample n, complete. */
static inline unsigned int seg_even(uint64_t n, uint32_t slots)
{
	return (unsigned int)(2 * ((n - 1) / slots) + 2);
}

static inline uint64_t seg_align(uint64_t bytes, uint64_t alignment)
{
	return (bytes + alignment - 1) / alignment * alignment;
}

/* Bytes of one index column, and of the frame up to the end of its last record. */
static inline uint64_t seg_column_bytes(uint32_t capacity)
{
	return seg_align((uint64_t)capacity * sizeof(uint32_t), SEG_LINE);
}

static inline uint64_t seg_frame_bytes(uint32_t capacity, uint32_t count, uint32_t stride)
{
	return 2 * seg_column_bytes(capacity) + (uint64_t)count * stride;
}

static inline uint64_t seg_hash(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Name of the segment of an instance, NULL for the one of `uid`. Returns false for an instance of forbidden characters. */
bool seg_name(const char *instance, unsigned uid, char ret_name[SEG_NAME_BYTES]);

#endif
