/*
 * reader_attach.c - attaching to a segment. Whatever the bytes are, nothing beyond the mapping is ever read: every size and offset is
 * checked here, on a private copy of the header, and the copy alone is used afterwards.
 */
#include "base/assert.h"
#include "base/file.h"
#include "shm/reader_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum rh_status rh_segment_name(const char *instance, char ret_name[80])
{
	return seg_name(instance, geteuid(), ret_name) ? RH_OK : RH_INVALID;
}

__attribute__((format(printf, 4, 5))) static enum rh_status fail(
        struct rh_error *error, enum rh_status status, int errnum, const char *format, ...)
{
	if (error) {
		va_list arguments;

		error->errnum = errnum;
		va_start(arguments, format);
		vsnprintf(error->text, sizeof(error->text), format, arguments);
		va_end(arguments);
	}
	return status;
}

/* Do `bytes` from `offset` on lie within a file of `size` bytes, the offset on a cache line? */
static bool fits(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset % SEG_LINE == 0 && offset <= size && bytes <= size - offset;
}

static bool header_is_possible(const struct seg_header *header, uint64_t size)
{
	return header->header_size >= sizeof(struct seg_header) && header->header_size <= SEG_PAGE && header->total_size == size &&
	       header->record_size >= RH_PROCESS_HOT_BYTES && header->record_size <= SEG_SLOT_SIZE_MAX && header->system_size >= 16 &&
	       header->system_size <= RH_SYSTEM_MAX_BYTES && header->slots >= 2 && header->slots <= SEG_SLOTS_MAX &&
	       header->slot_size % SEG_LINE == 0 && header->slot_size <= SEG_SLOT_SIZE_MAX &&
	       header->slot_size >= offsetof(struct seg_slot, system) + header->system_size && header->fields <= SEG_FIELDS_MAX &&
	       header->field_size >= sizeof(struct seg_field) && header->field_size <= SEG_PAGE &&
	       header->control_off >= header->header_size && fits(header->control_off, sizeof(struct seg_control), size) &&
	       fits(header->schema_off, (uint64_t)header->fields * header->field_size, size) &&
	       fits(header->slots_off, (uint64_t)header->slots * header->slot_size, size) &&
	       fits(header->arena_off, header->arena_size, size) && memchr(header->boot_id, '\0', sizeof(header->boot_id)) != NULL;
}

static enum rh_status check_header(const struct seg_header *header, uint64_t size, struct rh_error *error)
{
	if (header->magic != SEG_MAGIC)
		return fail(error, RH_NOT_A_SEGMENT, 0, "the file is not a rogue-hunter segment");
	if (header->byte_order != SEG_BYTE_ORDER)
		return fail(error, RH_INCOMPATIBLE, 0, "the segment was written by a machine of another byte order");
	if (header->major != SEG_MAJOR)
		return fail(error, RH_INCOMPATIBLE, 0,
		        "the segment has format version %u.%u, this program reads version %d: use programs of one release", header->major,
		        header->minor, SEG_MAJOR);
	if (!header_is_possible(header, size))
		return fail(error, RH_NOT_A_SEGMENT, 0, "the segment's header holds impossible sizes");
	return RH_OK;
}

static bool field_is_possible(const struct seg_field *field, const struct seg_header *header)
{
	uint32_t size = field->scope == SEG_SCOPE_PROCESS ? header->record_size : header->system_size;

	return field->scope <= SEG_SCOPE_SYSTEM && field->id < RH_FIELD_IDS && field->size > 0 &&
	       (uint32_t)field->offset + field->size <= size && memchr(field->name, '\0', sizeof(field->name)) &&
	       memchr(field->type, '\0', sizeof(field->type)) && memchr(field->unit, '\0', sizeof(field->unit));
}

static enum rh_status copy_schema(struct rh_ring *ring, struct rh_error *error)
{
	const struct seg_header *header = &ring->header;
	const unsigned char *schema = ring->base + header->schema_off;

	if (seg_hash(schema, (size_t)header->fields * header->field_size) != header->schema_hash)
		return fail(error, RH_NOT_A_SEGMENT, 0, "the segment's schema does not match its hash");
	ring->fields = calloc(header->fields + 1, sizeof(*ring->fields));
	if (!ring->fields)
		return fail(error, RH_SYSTEM, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < header->fields; i++) {
		memcpy(&ring->fields[i], schema + (size_t)i * header->field_size, sizeof(ring->fields[i]));
		if (!field_is_possible(&ring->fields[i], header))
			return fail(error, RH_NOT_A_SEGMENT, 0, "the segment's schema describes an impossible field");
	}
	return RH_OK;
}

static enum rh_status attach(struct rh_ring *ring, struct rh_error *error)
{
	struct stat status;
	enum rh_status result;

	if (fstat(ring->fd, &status) != 0)
		return fail(error, RH_SYSTEM, errno, "cannot look at the segment: %s", strerror(errno));
	if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IWGRP | S_IWOTH)) || (status.st_uid != 0 && status.st_uid != geteuid()))
		return fail(error, RH_FOREIGN, 0, "the segment belongs to somebody else or is writable by others");
	if (status.st_size < 2 * SEG_PAGE)
		return fail(error, RH_NOT_A_SEGMENT, 0, "the file is too small for a rogue-hunter segment");
	ring->size = (size_t)status.st_size;
	const unsigned char *base = mmap(NULL, ring->size, PROT_READ, MAP_SHARED, ring->fd, 0);
	if (base == MAP_FAILED)
		return fail(error, RH_SYSTEM, errno, "cannot map the segment: %s", strerror(errno));
	ring->base = base;
	memcpy(&ring->header, base, sizeof(ring->header));
	ck_pr_barrier(); /* the compiler must not look at the original again */
	if ((result = check_header(&ring->header, ring->size, error)) != RH_OK || (result = copy_schema(ring, error)) != RH_OK)
		return result;
	ring->control = (const struct seg_control *)(const void *)(base + ring->header.control_off);
	schema_known(ring, ring->header.record_size, ring->known_full);
	return RH_OK;
}

enum rh_status rh_open_fd(int fd, struct rh_ring **ret_ring, struct rh_error *error)
{
	struct rh_ring *ring = calloc(1, sizeof(*ring));
	enum rh_status result;

	*ret_ring = NULL;
	if (!ring)
		return fail(error, RH_SYSTEM, ENOMEM, "out of memory");
	ring->magic = RING_MAGIC;
	ring->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (ring->fd < 0)
		result = fail(error, RH_SYSTEM, errno, "cannot duplicate the segment's descriptor: %s", strerror(errno));
	else
		result = attach(ring, error);
	if (result != RH_OK)
		rh_close(&ring);
	*ret_ring = ring;
	return result;
}

static enum rh_status open_named(const char *instance, unsigned uid, struct rh_ring **ret_ring, struct rh_error *error)
{
	char name[SEG_NAME_BYTES];
	enum rh_status result;

	if (!seg_name(instance, uid, name))
		return fail(error, RH_INVALID, 0, "an instance name is 1 to 64 letters, digits, '.', '_' and '-'");
	int fd = shm_open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT)
		return fail(error, RH_NO_SEGMENT, ENOENT, "no daemon has published under %s: start one with 'rogue-hunter daemon%s%s'",
		        name + 1, instance ? " --name " : "", instance ? instance : "");
	if (fd < 0 && errno == EACCES)
		return fail(error, RH_FOREIGN, EACCES, "no permission to read segment %s", name + 1);
	if (fd < 0)
		return fail(error, RH_SYSTEM, errno, "cannot open segment %s: %s", name + 1, strerror(errno));
	result = rh_open_fd(fd, ret_ring, error);
	closefd(&fd);
	return result;
}

enum rh_status rh_open(const char *instance, struct rh_ring **ret_ring, struct rh_error *error)
{
	enum rh_status result;

	*ret_ring = NULL;
	result = open_named(instance, geteuid(), ret_ring, error);
	/* Who runs no daemon of his own sees the one of the system, if its group lets him; else the message of the first try stands. */
	if (result == RH_NO_SEGMENT && !instance && geteuid() != 0) {
		struct rh_error second;
		enum rh_status again = open_named(NULL, 0, ret_ring, &second);

		if (again != RH_NO_SEGMENT) {
			if (error)
				*error = second;
			return again;
		}
	}
	return result;
}

void rh_trim(struct rh_ring *ring)
{
	/* Of a shared mapping this drops the page-table entries alone. Locked pages refuse, and are meant to stay. */
	madvise((void *)(uintptr_t)ring->base, ring->size, MADV_DONTNEED);
}

void rh_close(struct rh_ring **ring)
{
	struct rh_ring *r = *ring;

	*ring = NULL;
	if (!r)
		return;
	RH_ASSERT(r->magic == RING_MAGIC);
	r->magic = 0;
	if (r->base)
		munmap((void *)(uintptr_t)r->base, r->size);
	closefd(&r->fd);
	free(r->fields);
	free(r);
}

void rh_info(const struct rh_ring *ring, struct rh_info *ret_info)
{
	const struct seg_header *header = &ring->header;

	*ret_info = (struct rh_info){
	        .major = header->major,
	        .minor = header->minor,
	        .slots = header->slots,
	        .record_size = header->record_size,
	        .system_size = header->system_size,
	        .fields = header->fields,
	        .writer_pid = header->writer_pid,
	        .writer_start_ns = header->writer_start_ns,
	        .generation = header->generation,
	        .created_realtime_ns = header->created_realtime_ns,
	        .period_ns = header->period_ns,
	        .arena_bytes = header->arena_size,
	        .total_bytes = header->total_size,
	        .schema_hash = header->schema_hash,
	};
	snprintf(ret_info->boot_id, sizeof(ret_info->boot_id), "%s", header->boot_id);
}
