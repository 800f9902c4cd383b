/*
 * writer.c - the one writer of a ring. The protocol, and what each fence is for, stands in layout.h.
 */
#include "shm/writer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/file.h"
#include "shm/layout.h"
#include "shm/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WAKE_AT_MOST = 16 }; /* readers woken by one publication; each wakes two more, so that a crowd costs the writer nothing */

/* Where a live sample lies: the writer's own knowledge, never read back from shared memory. */
struct extent {
	uint64_t offset, length;
};

struct ring_writer {
	unsigned char *base;
	size_t size;
	int fd;
	struct seg_control *control;
	struct seg_slot *slots;
	uint64_t arena_off, arena_size;
	uint32_t slot_count;
	uint64_t next;          /* number of the next sample */
	uint64_t oldest;        /* oldest sample not reclaimed; equals next when there is none */
	uint64_t head;          /* where the next frame begins, within the arena */
	struct extent *extents; /* [slot_count] */
	struct extent reserved; /* of the next sample; length 0: nothing reserved */
	uint32_t capacity, stride;
	char name[SEG_NAME_BYTES];
};

/* ---- creation ---- */

static int say(char error_text[256], int failed, const char *what)
{
	snprintf(error_text, 256, "cannot %s: %s", what, strerror(failed));
	return -failed;
}

static void lay_out(struct seg_header *header, const struct ring_options *options, uint64_t arena_bytes)
{
	uint64_t now = clock_now_ns(CLOCK_BOOTTIME);

	*header = (struct seg_header){
	        .magic = SEG_MAGIC,
	        .byte_order = SEG_BYTE_ORDER,
	        .header_size = sizeof(struct seg_header),
	        .major = SEG_MAJOR,
	        .minor = SEG_MINOR,
	        .record_size = sizeof(struct rh_process),
	        .system_size = sizeof(struct rh_system),
	        .slots = options->slots,
	        .slot_size = sizeof(struct seg_slot),
	        .fields = schema_count(),
	        .field_size = sizeof(struct seg_field),
	        .writer_pid = (uint32_t)getpid(),
	        .control_off = SEG_PAGE,
	        .schema_off = 2 * (uint64_t)SEG_PAGE,
	        /* Two starts within one tick of a coarse clock differ by the pid. Below 2^63: JSON readers know no larger integer. */
	        .generation = (now ^ (uint64_t)getpid() << 48) & INT64_MAX,
	        .writer_start_ns = options->writer_start_ns,
	        .created_realtime_ns = clock_now_ns(CLOCK_REALTIME),
	        .period_ns = options->period_ns,
	};
	header->slots_off = seg_align(header->schema_off + (uint64_t)header->fields * header->field_size, SEG_PAGE);
	header->arena_off = seg_align(header->slots_off + (uint64_t)header->slots * header->slot_size, SEG_PAGE);
	header->arena_size = seg_align(arena_bytes, SEG_PAGE);
	header->total_size = header->arena_off + header->arena_size;
	if (options->boot_id)
		snprintf(header->boot_id, sizeof(header->boot_id), "%s", options->boot_id);
}

/* Takes the memory now: a page that could not be had later would be a SIGBUS in the middle of a sample. */
static int allocate(int fd, uint64_t size)
{
	int failed;

	do {
		failed = posix_fallocate(fd, 0, (off_t)size);
	} while (failed == EINTR);
	if (failed && ftruncate(fd, 0) != 0)
		return -errno;
	return -failed;
}

/* Halves the arena until the segment fits, down to the least that will do. Returns 0 with the header laid out, or -errno. */
static int allocate_what_fits(int fd, const struct ring_options *options, struct seg_header *ret_header, char error_text[256])
{
	uint64_t least = options->min_arena_bytes < options->arena_bytes ? options->min_arena_bytes : options->arena_bytes;
	int result;

	for (uint64_t arena = options->arena_bytes;; arena = arena / 2 > least ? arena / 2 : least) {
		lay_out(ret_header, options, arena);
		result = allocate(fd, ret_header->total_size);
		if ((result != -ENOSPC && result != -ENOMEM && result != -EFBIG) || arena == least)
			break;
	}
	if (result == -ENOSPC || result == -ENOMEM || result == -EFBIG) {
		snprintf(error_text, 256, "shared memory is full: %llu KiB do not fit; free some in /dev/shm or set a smaller ring.min_mib",
		        (unsigned long long)(ret_header->total_size / 1024));
		return -ENOSPC;
	}
	return result ? say(error_text, -result, "allocate shared memory") : 0;
}

static void fill_constant_parts(struct ring_writer *writer, struct seg_header *header)
{
	struct seg_field *fields = (struct seg_field *)(void *)(writer->base + header->schema_off);

	RH_ASSERT(writer->base);
	schema_fill(fields);
	header->schema_hash = seg_hash(fields, (size_t)header->fields * header->field_size);
	for (uint32_t i = 0; i < header->slots; i++)
		writer->slots[i].sequence.sequence = 1;
	writer->control->oldest = 1;
	writer->control->state = SEG_STATE_RUNNING;
	writer->control->heartbeat_ns = clock_now_ns(CLOCK_BOOTTIME);
	memcpy(writer->base, header, sizeof(*header));
}

/*
 * Every page of a new segment, before the first sample: a page that is first touched in a sample costs that sample a fault. MAP_POPULATE does nothing
 * where the program has locked its memory as it is touched (MCL_ONFAULT).
 */
static void populate(unsigned char *base, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	if (madvise(base, size, MADV_POPULATE_WRITE) == 0)
		return;
#endif
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t offset = 0; offset < size; offset += page)
		*(volatile unsigned char *)(base + offset) = 0;
}

static int map(struct ring_writer *writer, const struct seg_header *header, char error_text[256])
{
	writer->size = header->total_size;
	writer->base = mmap(NULL, writer->size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
	if (writer->base == MAP_FAILED) {
		writer->base = NULL;
		return say(error_text, errno, "map shared memory");
	}
	populate(writer->base, writer->size);
	writer->extents = calloc(header->slots, sizeof(*writer->extents));
	if (!writer->extents)
		return say(error_text, ENOMEM, "allocate the directory of samples");
	writer->control = (struct seg_control *)(void *)(writer->base + header->control_off);
	writer->slots = (struct seg_slot *)(void *)(writer->base + header->slots_off);
	writer->arena_off = header->arena_off;
	writer->arena_size = header->arena_size;
	writer->slot_count = header->slots;
	writer->next = writer->oldest = 1;
	return 0;
}

/* Liveness lock, held for life: only a writable descriptor can take it, and the kernel drops it when the writer dies. */
static int lock_and_share(struct ring_writer *writer, uint32_t group, char error_text[256])
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(writer->fd, F_OFD_SETLK, &lock) != 0)
		return say(error_text, errno, "lock the segment");
	if (group != UINT32_MAX && fchown(writer->fd, (uid_t)-1, group) != 0)
		return say(error_text, errno, "give the segment to the group of ring.group");
	if (fchmod(writer->fd, 0640) != 0)
		return say(error_text, errno, "set the mode of the segment");
	return 0;
}

static void shm_path(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "/dev/shm%s", name);
}

static int build(struct ring_writer *writer, const struct ring_options *options, const char *private_name, char error_text[256])
{
	struct seg_header header;
	char from[PATH_MAX], to[PATH_MAX];
	int result;

	writer->fd = shm_open(private_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return say(error_text, errno, "create a segment in /dev/shm");
	if ((result = allocate_what_fits(writer->fd, options, &header, error_text)) || (result = map(writer, &header, error_text)))
		return result;
	fill_constant_parts(writer, &header);
	if ((result = lock_and_share(writer, options->group, error_text)))
		return result;
	shm_path(private_name, from);
	shm_path(writer->name, to);
	if (rename(from, to) != 0) {
		int failed = errno;

		/* /dev/shm is sticky: a file of another user cannot be replaced. */
		if (failed != EPERM && failed != EACCES)
			return say(error_text, failed, "put the segment in its place");
		snprintf(error_text, 256, "another user's daemon has the name %s: choose another with --name", writer->name + 1);
		return -failed;
	}
	return 0;
}

static void release(struct ring_writer **writer)
{
	struct ring_writer *w = *writer;

	*writer = NULL;
	if (w->base)
		munmap(w->base, w->size);
	closefd(&w->fd);
	free(w->extents);
	free(w);
}

int ring_create(const struct ring_options *options, struct ring_writer **ret_writer, char error_text[256])
{
	struct ring_writer *writer = calloc(1, sizeof(*writer));
	char private_name[SEG_NAME_BYTES + 32];
	int result;

	*ret_writer = NULL;
	if (!writer)
		return say(error_text, ENOMEM, "create the ring");
	writer->fd = -1;
	if (options->slots < 2 || options->slots > SEG_SLOTS_MAX || !seg_name(options->instance, geteuid(), writer->name)) {
		snprintf(error_text, 256, "the ring needs 2 to %d slots and an instance name of letters, digits, '.', '_' and '-'",
		        SEG_SLOTS_MAX);
		free(writer);
		return -EINVAL;
	}
	snprintf(private_name, sizeof(private_name), "%s.%d.new", writer->name, (int)getpid());
	shm_unlink(private_name); /* left by an earlier process of this pid that died here */
	result = build(writer, options, private_name, error_text);
	if (result != 0) {
		shm_unlink(private_name);
		release(&writer);
	}
	*ret_writer = writer;
	return result;
}

/* ---- samples ---- */

/* What a frame takes in the arena: never nothing, or a sample without records would lie in no one's way and end a reclaim too early. */
static uint64_t frame_room(uint32_t capacity, uint32_t count, uint32_t stride)
{
	uint64_t bytes = seg_align(seg_frame_bytes(capacity, count, stride), SEG_LINE);

	return bytes > 0 ? bytes : SEG_LINE;
}

uint64_t ring_frame_bytes(uint32_t count, uint32_t stride)
{
	return frame_room(count, count, stride);
}

uint64_t ring_arena_bytes(const struct ring_writer *writer)
{
	return writer->arena_size;
}

static struct seg_slot *slot_of(const struct ring_writer *writer, uint64_t n)
{
	return &writer->slots[(n - 1) % writer->slot_count];
}

static bool overlaps(const struct extent *a, const struct extent *b)
{
	return a->offset < b->offset + b->length && b->offset < a->offset + a->length;
}

/* Marks as gone every sample that the next one will overwrite, from the oldest on: its slot, its bytes, or the bytes skipped at the end. */
static void reclaim(struct ring_writer *writer, const struct extent *wanted, bool wraps)
{
	struct extent skipped = {.offset = writer->head, .length = wraps ? writer->arena_size - writer->head : 0};
	uint64_t before = writer->oldest;

	for (; writer->oldest < writer->next; writer->oldest++) {
		const struct extent *old = &writer->extents[(writer->oldest - 1) % writer->slot_count];
		bool slot_needed = writer->next - writer->oldest >= writer->slot_count;

		if (!slot_needed && !overlaps(old, wanted) && !overlaps(old, &skipped))
			break;
#ifdef RING_TEST_NO_RECLAIM /* negative control of the race test: readers must then find torn samples */
		if (!slot_needed)
			continue;
#endif
		ck_pr_store_uint(&slot_of(writer, writer->oldest)->sequence.sequence, seg_even(writer->oldest, writer->slot_count) + 1);
	}
	if (writer->oldest != before)
		ck_pr_store_64(&writer->control->oldest, writer->oldest);
}

int ring_reserve(struct ring_writer *writer, uint32_t count, uint32_t stride, struct ring_frame *ret_frame)
{
	struct extent wanted = {.offset = writer->head, .length = ring_frame_bytes(count, stride)};
	bool wraps = wanted.offset + wanted.length > writer->arena_size;

	RH_ASSERT(stride >= RH_PROCESS_HOT_BYTES && stride % 8 == 0);
	/* Two frames must fit, or the newest sample would be gone while its successor is being written. */
	if (wanted.length > writer->arena_size / 2)
		return -E2BIG;
	if (wraps)
		wanted.offset = 0;
	reclaim(writer, &wanted, wraps);
	ck_pr_fence_strict_store(); /* odd before any byte of the new frame; pairs with the fence in rh_valid() */

	writer->reserved = wanted;
	writer->capacity = count;
	writer->stride = stride;
	unsigned char *frame = writer->base + writer->arena_off + wanted.offset;
	*ret_frame = (struct ring_frame){
	        .scores = (float *)(void *)frame,
	        .pids = (uint32_t *)(void *)(frame + seg_column_bytes(count)),
	        .records = frame + 2 * seg_column_bytes(count),
	        .capacity = count,
	        .stride = stride,
	};
	return 0;
}

uint64_t ring_publish(struct ring_writer *writer, const struct rh_system *system, uint32_t count, uint32_t total)
{
	uint64_t n = writer->next;
	struct seg_slot *slot = slot_of(writer, n);
	uint64_t used = frame_room(writer->capacity, count, writer->stride);

	RH_ASSERT(writer->capacity >= count && used <= writer->reserved.length);
	slot->frame = (struct seg_frame){
	        .number = n,
	        .offset = writer->arena_off + writer->reserved.offset,
	        .capacity = writer->capacity,
	        .count = count,
	        .total = total,
	        .stride = writer->stride,
	};
	slot->system = *system;
	slot->system.sample_id = n;
	rh_set(slot->system.present, RH_S_sample_id);
	ck_pr_fence_strict_store(); /* payload before even; pairs with the fence after a reader's first look at the sequence */
	ck_pr_store_uint(&slot->sequence.sequence, seg_even(n, writer->slot_count));
	ck_pr_fence_store(); /* even before published; pairs with the fence in rh_newest() */
	ck_pr_store_64(&writer->control->published, n);
	ck_pr_fence_store(); /* published before the futex word: who loads the new word and sleeps on it has seen n; pairs with rh_wait() */
	ck_pr_store_32(&writer->control->futex, (uint32_t)n);

	writer->extents[(n - 1) % writer->slot_count] = (struct extent){writer->reserved.offset, used};
	writer->head = writer->reserved.offset + used;
	writer->reserved.length = 0;
	writer->capacity = 0;
	writer->next = n + 1;
	return n;
}

static void wake(const struct ring_writer *writer, int at_most)
{
	syscall(SYS_futex, &writer->control->futex, FUTEX_WAKE, at_most, NULL, NULL, 0);
}

void ring_wake(const struct ring_writer *writer)
{
	wake(writer, WAKE_AT_MOST);
}

void ring_heartbeat(struct ring_writer *writer, uint64_t boottime_ns)
{
	ck_pr_store_64(&writer->control->heartbeat_ns, boottime_ns);
}

/* ---- the end ---- */

bool ring_is_replaced(const struct ring_writer *writer)
{
	struct stat status;

	return fstat(writer->fd, &status) == 0 && status.st_nlink == 0;
}

bool ring_is_owned(const char *instance)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	char name[SEG_NAME_BYTES];

	if (!seg_name(instance, geteuid(), name))
		return false;
	int fd = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
	/* The lock of a writer ends with its life: see lock_and_share(). */
	bool is_locked = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
	closefd(&fd);
	return is_locked;
}

void ring_close(struct ring_writer **writer)
{
	struct ring_writer *w = *writer;

	if (!w)
		return;
	ck_pr_store_32(&w->control->state, SEG_STATE_CLOSED);
	ck_pr_fence_store();
	ck_pr_store_32(&w->control->futex, ~(uint32_t)(w->next - 1));
	wake(w, INT_MAX);
	/* The name may belong to another writer by now; its segment is not ours to remove. */
	if (!ring_is_replaced(w))
		shm_unlink(w->name);
	release(writer);
}
