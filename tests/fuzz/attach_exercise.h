/*
 * attach_exercise.h - a small sound segment to be damaged, and a walk through every call of the reader library on whatever became of it.
 *
 * Nothing is asserted about the results: a damaged segment may be refused or may give nonsense. It must not crash, read outside
 * of the mapping (guard pages lie on both sides of it) or loop. What can be said is checked: counts and strides within bounds.
 */
#ifndef TESTS_FUZZ_ATTACH_EXERCISE_H
#define TESTS_FUZZ_ATTACH_EXERCISE_H

#include "shm/layout.h"
#include "tests/fuzz/guard.h"
#include "tests/support/ring_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { EXERCISE_SLOTS = 4, EXERCISE_SAMPLES = 6 };

struct image {
	unsigned char *pristine, *bytes; /* as the writer left it; the copy to be damaged */
	size_t size;
	struct seg_header header;
	int fd; /* memfd in which the copy is offered */
};

/* The library's mappings, with a page without rights before and behind. */
void *guarded_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	size_t room = seg_align(length, SEG_PAGE);
	unsigned char *place = mmap(NULL, room + 2 * SEG_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)address;
	if (place == MAP_FAILED)
		return MAP_FAILED;
	void *mapped = mmap(place + SEG_PAGE, length, protection, flags | MAP_FIXED, fd, offset);
	if (mapped == MAP_FAILED)
		munmap(place, room + 2 * SEG_PAGE);
	return mapped;
}

int guarded_munmap(void *address, size_t length)
{
	return munmap((unsigned char *)address - SEG_PAGE, seg_align(length, SEG_PAGE) + 2 * SEG_PAGE);
}

static inline void must(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

/* Publishes a few samples, full and cut, and takes a picture of the segment. */
static inline void image_take(struct image *image)
{
	struct ring_fixture f;
	struct rh_info info;
	char name[80];

	must(fixture_start(&f, "image", EXERCISE_SLOTS, 16384) == 0, "no segment to begin with");
	for (uint64_t n = 1; n <= EXERCISE_SAMPLES; n++)
		must(fixture_publish_to(f.writer, n, 3, n % 2 ? RH_PROCESS_HOT_BYTES : sizeof(struct rh_process)) == n, "publish");
	rh_info(f.ring, &info);
	image->size = info.total_bytes;
	image->pristine = malloc(image->size);
	image->bytes = malloc(image->size);
	image->fd = memfd_create("image", MFD_CLOEXEC);
	must(image->pristine && image->bytes && image->fd >= 0 && fchmod(image->fd, 0600) == 0, "room for the image");
	must(rh_segment_name(f.instance, name) == RH_OK, "name");
	int fd = shm_open(name, O_RDONLY, 0);
	must(pread(fd, image->pristine, image->size, 0) == (ssize_t)image->size, "read the segment");
	close(fd);
	memcpy(&image->header, image->pristine, sizeof(image->header));
	memcpy(image->bytes, image->pristine, image->size);
	fixture_end(&f);
}

/* Makes the hash right again after the schema was damaged, so that what lies behind that check is reached. */
static inline void image_mend_hash(struct image *image)
{
	const struct seg_header *header = &image->header;
	uint64_t hash = seg_hash(image->bytes + header->schema_off, (size_t)header->fields * header->field_size);

	memcpy(image->bytes + offsetof(struct seg_header, schema_hash), &hash, sizeof(hash));
}

static inline void exercise_view(const struct rh_ring *ring, const struct rh_view *view)
{
	struct rh_info info;
	volatile double sink = 0;

	rh_info(ring, &info);
	must(view->stride >= RH_PROCESS_HOT_BYTES && view->total >= view->count, "a view with impossible numbers");
	must((uint64_t)view->count * view->stride <= info.arena_bytes, "a view larger than the arena");
	for (uint32_t i = 0; i < view->count; i++) {
		const unsigned char *record = (const unsigned char *)rh_record(view, i);
		struct rh_process copy;

		sink = sink + view->scores[i] + view->pids[i] + record[0] + record[view->stride - 1];
		must(rh_copy(view, i, &copy), "a record within the count was refused");
		for (uint32_t k = 0; i < 2 && k < info.fields; k += 5) {
			struct rh_field field;
			double value;

			if (rh_field_at(ring, k, &field) == RH_OK && field.scope == 0 && rh_field_value(&field, &copy, &value))
				sink = sink + value;
		}
	}
	must(rh_find_pid(view, FIXTURE_PID + 2) < (int64_t)view->count, "a row beyond the count");
	(void)rh_valid(view);
}

static inline void exercise_samples(struct rh_ring *ring)
{
	const uint64_t newest = rh_newest(ring), numbers[] = {0, 1, 3, newest, newest + 1, rh_oldest(ring), UINT64_MAX};
	uint64_t cursor = 0, lost = 0;
	struct rh_view view;

	if (rh_latest(ring, &view) == RH_OK)
		exercise_view(ring, &view);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (rh_at(ring, numbers[i], &view) == RH_OK)
			exercise_view(ring, &view);
		(void)rh_margin(ring, numbers[i]);
	}
	for (int i = 0; i < 2 * EXERCISE_SAMPLES; i++)
		if (rh_next(ring, &cursor, &lost, &view) == RH_OK)
			exercise_view(ring, &view);
}

static inline void exercise_fields(struct rh_ring *ring)
{
	struct rh_info info;
	struct rh_field field, again;
	struct rh_window window;

	rh_info(ring, &info);
	for (uint32_t i = 0; i < info.fields; i++) {
		must(rh_field_at(ring, i, &field) == RH_OK, "a field within the count was refused");
		must(memchr(field.name, '\0', sizeof(field.name)) && memchr(field.unit, '\0', sizeof(field.unit)), "an endless name");
		if (i % 13 == 0)
			(void)rh_field_by_name(ring, field.scope, field.name, &again);
		if (i % 13 == 0)
			(void)rh_window(ring, &field, FIXTURE_PID + 1, FIXTURE_START_NS + 1, &window);
	}
	must(rh_field_at(ring, info.fields, &field) == RH_INVALID, "a field beyond the last");
}

/* Offers the first `length` bytes of the copy to the library and calls whatever it has. Returns what attaching said. */
static inline enum rh_status image_exercise(const struct image *image, size_t length)
{
	struct rh_ring *ring;
	struct rh_error error;

	must(ftruncate(image->fd, 0) == 0 && ftruncate(image->fd, (off_t)length) == 0, "size the copy");
	must(pwrite(image->fd, image->bytes, length, 0) == (ssize_t)length, "write the copy");
	enum rh_status result = rh_open_fd(image->fd, &ring, &error);
	must((result == RH_OK) == (ring != NULL), "a handle exactly if attached");
	must(result == RH_OK || memchr(error.text, '\0', sizeof(error.text)), "a refusal without a reason");
	if (result != RH_OK)
		return result;
	exercise_samples(ring);
	exercise_fields(ring);
	(void)rh_wait(ring, rh_newest(ring), 0);
	(void)rh_writer_status(ring);
	(void)rh_heartbeat_age_ns(ring);
	rh_close(&ring);
	return result;
}

static inline void image_free(struct image *image)
{
	free(image->pristine);
	free(image->bytes);
	close(image->fd);
}

#endif
