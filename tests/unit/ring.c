/*
 * ring.c - the ring as one thread sees it: publishing, reading by number, following, laps, arena wrap, loss and margin, cut records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/support/ring_fixture.h"
#include "tests/support/ring_payload.h"

enum { SLOTS = 8, MIB = 1 << 20 };

static int start(void **state)
{
	*state = calloc(1, sizeof(struct ring_fixture));
	return *state ? fixture_start(*state, "ring", SLOTS, MIB) : -1;
}

static int end(void **state)
{
	fixture_end(*state);
	free(*state);
	return 0;
}

static void publish_many(struct ring_fixture *f, uint64_t from, uint64_t to, uint32_t count)
{
	for (uint64_t n = from; n <= to; n++)
		assert_int_equal(fixture_publish(f, n, count), n);
}

static void test_empty(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;
	uint64_t cursor = 0, lost = 0;

	assert_int_equal(rh_newest(f->ring), 0);
	assert_int_equal(rh_oldest(f->ring), 0);
	assert_int_equal(rh_latest(f->ring, &view), RH_NONE);
	assert_int_equal(rh_at(f->ring, 0, &view), RH_NONE);
	assert_int_equal(rh_at(f->ring, 1, &view), RH_NONE);
	assert_int_equal(rh_next(f->ring, &cursor, &lost, &view), RH_NONE);
	assert_int_equal(cursor + lost, 0);
	assert_int_equal(rh_margin(f->ring, 0), SLOTS);
}

static void test_one_sample(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;
	struct rh_process record;

	assert_int_equal(fixture_publish(f, 1, 3), 1);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_int_equal(view.sample, 1);
	assert_int_equal(view.count, 3);
	assert_int_equal(view.total, 3);
	assert_int_equal(view.stride, sizeof(struct rh_process));
	assert_int_equal(view.system_size, sizeof(struct rh_system));
	assert_int_equal(view.system.sample_id, 1);
	assert_true(rh_has(view.system.present, RH_S_sample_id));
	assert_int_equal(view.system.process_count, 3);
	assert_int_equal(view.pids[2], FIXTURE_PID + 2);
	assert_int_equal(rh_record(&view, 2)->pid, FIXTURE_PID + 2);
	assert_null(rh_record(&view, 3));
	assert_int_equal(rh_find_pid(&view, FIXTURE_PID + 1), 1);
	assert_int_equal(rh_find_pid(&view, 1), -1);
	assert_true(rh_copy(&view, 1, &record));
	assert_string_equal(record.command, "test1");
	assert_false(rh_copy(&view, 3, &record));
	assert_true(rh_valid(&view));
}

static void test_no_records(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;

	assert_int_equal(fixture_publish(f, 1, 0), 1);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_int_equal(view.count, 0);
	assert_null(rh_record(&view, 0));
	assert_int_equal(rh_find_pid(&view, 0), -1);
	assert_true(rh_valid(&view));
}

/* A sample becomes unreadable the moment its successor in the slot is reserved, not when that is published. */
static void test_lapped_by_slot(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view first, view;

	publish_many(f, 1, SLOTS, 2);
	assert_int_equal(rh_at(f->ring, 1, &first), RH_OK);
	assert_true(rh_valid(&first));
	assert_int_equal(fixture_fill(f->writer, SLOTS + 1, 2, RH_PROCESS_HOT_BYTES), 0);
	assert_false(rh_valid(&first));
	assert_int_equal(rh_at(f->ring, 1, &view), RH_LAPPED);
	assert_int_equal(rh_at(f->ring, SLOTS + 1, &view), RH_NONE);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_int_equal(view.sample, SLOTS);
	assert_int_equal(rh_oldest(f->ring), 2);
}

static void test_numbers_out_of_reach(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;

	publish_many(f, 1, 5 * SLOTS, 1);
	assert_int_equal(rh_at(f->ring, 1, &view), RH_LAPPED);
	assert_int_equal(rh_at(f->ring, 4 * SLOTS, &view), RH_LAPPED);
	assert_int_equal(rh_at(f->ring, 4 * SLOTS + 1, &view), RH_OK);
	assert_int_equal(rh_at(f->ring, 5 * SLOTS + 1, &view), RH_NONE);
	assert_int_equal(rh_at(f->ring, UINT64_MAX, &view), RH_NONE);
	assert_int_equal(rh_at(f->ring, UINT64_MAX - SLOTS, &view), RH_NONE);
	assert_int_equal(rh_at(f->ring, 0, &view), RH_NONE);
}

static void test_follow_from_zero(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;
	uint64_t cursor = 0, lost = 0;

	publish_many(f, 1, 3, 2);
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(rh_next(f->ring, &cursor, &lost, &view), RH_OK);
		assert_int_equal(view.sample, n);
		assert_int_equal(cursor, n);
	}
	assert_int_equal(rh_next(f->ring, &cursor, &lost, &view), RH_NONE);
	assert_int_equal(lost, 0);
	publish_many(f, 4, 4, 2);
	assert_int_equal(rh_next(f->ring, &cursor, NULL, &view), RH_OK);
	assert_int_equal(view.sample, 4);
}

static void test_loss_is_counted(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;
	uint64_t cursor = 0, lost = 0, got = 0;

	publish_many(f, 1, 3 * SLOTS + 1, 2);
	while (rh_next(f->ring, &cursor, &lost, &view) == RH_OK) {
		got++;
		assert_int_equal(got + lost, cursor);
	}
	assert_int_equal(got, SLOTS);
	assert_int_equal(lost, 2 * SLOTS + 1);
	assert_int_equal(cursor, 3 * SLOTS + 1);
	/* A cursor beyond the newest sample (of another segment, say) is not an error. */
	cursor = 1000;
	assert_int_equal(rh_next(f->ring, &cursor, &lost, &view), RH_NONE);
	assert_int_equal(cursor, 1000);
}

static void test_begin_at_the_next(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;
	uint64_t lost = 0;

	publish_many(f, 1, 4, 1);
	uint64_t cursor = rh_newest(f->ring);
	assert_int_equal(rh_next(f->ring, &cursor, &lost, &view), RH_NONE);
	publish_many(f, 5, 5, 1);
	assert_int_equal(rh_next(f->ring, &cursor, &lost, &view), RH_OK);
	assert_int_equal(view.sample, 5);
	assert_int_equal(lost, 0);
}

static void test_margin(void **state)
{
	struct ring_fixture *f = *state;

	publish_many(f, 1, SLOTS, 1);
	assert_int_equal(rh_margin(f->ring, 0), 0); /* sample 1 goes with the next one */
	assert_int_equal(rh_margin(f->ring, 4), 4);
	assert_int_equal(rh_margin(f->ring, SLOTS), SLOTS); /* nothing is waiting to be read */
	assert_int_equal(rh_margin(f->ring, 1000), SLOTS);
	publish_many(f, SLOTS + 1, 2 * SLOTS, 1);
	assert_int_equal(rh_margin(f->ring, 0), 0);
}

/* The margin counts what fits into the arena, if that is less than there are slots. */
static void test_margin_of_arena(void **state)
{
	struct ring_fixture f;
	uint32_t count = 20;
	uint64_t fit, n;

	(void)state;
	assert_int_equal(fixture_start(&f, "margin", 64, 64 * 1024), 0);
	fit = ring_arena_bytes(f.writer) / ring_frame_bytes(count, sizeof(struct rh_process));
	assert_true(fit < 64);
	for (n = 1; n <= 20; n++)
		assert_int_equal(fixture_publish(&f, n, count), n);
	assert_int_equal(rh_margin(f.ring, 20), fit);
	assert_int_equal(rh_margin(f.ring, 18), fit - 2);
	/* What it promises: that many more samples, and the one at the cursor is still there. */
	for (uint64_t left = rh_margin(f.ring, 18); left > 0; left--)
		assert_int_equal(fixture_publish(&f, n, count), n), n++;
	struct rh_view view;
	assert_int_equal(rh_at(f.ring, 19, &view), RH_OK);
	assert_int_equal(fixture_publish(&f, n, count), n);
	assert_int_equal(rh_at(f.ring, 19, &view), RH_LAPPED);
	fixture_end(&f);
}

/* A sample without records lies at the same place as its successor; it must not hide that from the writer that comes round again. */
static void test_nothing_hides_nothing(void **state)
{
	enum { QUARTER = 120 }; /* records of 128 bytes, and columns, that take a quarter of the arena */
	struct ring_fixture f;
	struct rh_view second;

	(void)state;
	assert_int_equal(fixture_start(&f, "hides", 16, 64 * 1024), 0);
	assert_int_equal(ring_frame_bytes(QUARTER, RH_PROCESS_HOT_BYTES), 16 * 1024);
	assert_int_equal(fixture_publish(&f, 1, 0), 1);
	for (uint64_t n = 2; n <= 4; n++)
		assert_int_equal(fixture_publish_to(f.writer, n, QUARTER, RH_PROCESS_HOT_BYTES), n);
	assert_int_equal(rh_at(f.ring, 2, &second), RH_OK);
	for (uint64_t n = 5; n <= 6; n++)
		assert_int_equal(fixture_publish_to(f.writer, n, QUARTER, RH_PROCESS_HOT_BYTES), n);
	assert_false(rh_valid(&second));
	fixture_end(&f);
}

/* Frames of all sizes, none included, through many turns of the arena: whatever is still said to be readable must be whole. */
static void test_arena_turns(void **state)
{
	struct ring_fixture f;
	static const uint32_t counts[] = {
	        0, 1, 37, 0, 0, 80, 3, 0, 55, 83}; /* whole records of the last take nearly half of the arena, the most there may be */
	const uint64_t key = 99;
	uint64_t readable = 0;

	(void)state;
	assert_int_equal(fixture_start(&f, "turns", 16, 64 * 1024), 0);
	for (uint64_t n = 1; n <= 2000; n++) {
		struct ring_frame frame;
		struct rh_system system;
		uint32_t count = counts[(n * n + n / 7) % 10], stride = n % 3 ? sizeof(struct rh_process) : RH_PROCESS_HOT_BYTES;

		assert_int_equal(ring_reserve(f.writer, count, stride, &frame), 0);
		payload_fill(&frame, key, n, count);
		payload_system(&system, key, n, n);
		assert_int_equal(ring_publish(f.writer, &system, count, count), n);
		for (uint64_t k = rh_oldest(f.ring); k <= n; k++) {
			struct rh_view view;

			assert_int_equal(rh_at(f.ring, k, &view), RH_OK);
			assert_int_equal(payload_wrong_rows(&view, key), 0);
			assert_true(payload_system_is(&view, key) && rh_valid(&view));
			readable++;
		}
	}
	assert_true(readable > 2000);
	fixture_end(&f);
}

/* Half of the arena at most, so that the newest sample outlives the making of its successor. */
static void test_too_large(void **state)
{
	struct ring_fixture *f = *state;
	struct ring_frame frame;
	struct rh_view view;
	uint32_t fits = MIB / 2 / (sizeof(struct rh_process) + 8) - 1;

	publish_many(f, 1, 1, fits);
	assert_int_equal(ring_reserve(f->writer, fits * 2, sizeof(struct rh_process), &frame), -E2BIG);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_true(rh_valid(&view));
	assert_int_equal(ring_reserve(f->writer, fits, sizeof(struct rh_process), &frame), 0);
	assert_true(rh_valid(&view));
}

/* Fewer records published than were reserved; the second reservation replaces the first. */
static void test_fewer_than_reserved(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_system system = {.boottime_ns = clock_now_ns(CLOCK_BOOTTIME)};
	struct rh_view view;

	assert_int_equal(fixture_fill(f->writer, 1, 100, sizeof(struct rh_process)), 0);
	assert_int_equal(fixture_fill(f->writer, 1, 50, sizeof(struct rh_process)), 0);
	assert_int_equal(ring_publish(f->writer, &system, 20, 70), 1);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_int_equal(view.count, 20);
	assert_int_equal(view.total, 70);
	assert_int_equal(view.pids[19], FIXTURE_PID + 19);
	assert_int_equal(rh_record(&view, 19)->pid, FIXTURE_PID + 19);
	publish_many(f, 2, 2, 30);
	assert_true(rh_valid(&view));
}

/* A record cut after its hottest fields: the others are absent, not zero, and no copy reads past the cut. */
static void test_cut_records(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;
	struct rh_process record;

	assert_int_equal(fixture_publish_to(f->writer, 1, 5, RH_PROCESS_HOT_BYTES), 1);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_int_equal(view.stride, RH_PROCESS_HOT_BYTES);
	memset(&record, 0xff, sizeof(record));
	assert_true(rh_copy(&view, 4, &record));
	assert_true(rh_valid(&view));
	assert_int_equal(record.pid, FIXTURE_PID + 4);
	assert_true(rh_has(record.present, RH_F_rss_bytes));
	assert_false(rh_has(record.present, RH_F_zombie_children_count));
	assert_int_equal(record.zombie_children_count, 0);
	assert_int_equal(record.cgroup_id, 0);
}

static void test_create_refuses(void **state)
{
	char text[256];
	struct ring_writer *writer = (struct ring_writer *)(void *)text;
	struct ring_options options = fixture_options("test-refused", 1, MIB);

	(void)state;
	assert_int_equal(ring_create(&options, &writer, text), -EINVAL);
	assert_null(writer);
	options = fixture_options("../escape", 8, MIB);
	assert_int_equal(ring_create(&options, &writer, text), -EINVAL);
	assert_non_null(strstr(text, "instance name"));
	options = fixture_options("test-refused", (1u << 20) + 1, MIB);
	assert_int_equal(ring_create(&options, &writer, text), -EINVAL);
}

static void test_mode_of_segment(void **state)
{
	struct ring_fixture *f = *state;
	char name[80];
	struct stat status;

	assert_int_equal(rh_segment_name(f->instance, name), RH_OK);
	int fd = shm_open(name, O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	close(fd);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_true((uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size); /* allocated, not only sized */
}

/* Resident KiB of the reader's own mapping, or -1. The writer's is another, with other rights. */
static long resident_kib(const char *instance)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool ours = false;
	long kib = -1;

	while (maps && kib < 0 && fgets(line, sizeof(line), maps)) {
		if (strstr(line, " r--s "))
			ours = strstr(line, instance) != NULL;
		else if (ours)
			sscanf(line, "Rss: %ld", &kib);
	}
	if (maps)
		fclose(maps);
	return kib;
}

static void test_trim(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_view view;

	fixture_publish(f, 1, 3);
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_int_equal(rh_record(&view, 2)->pid, FIXTURE_PID + 2);
	assert_true(resident_kib(f->instance) > 0);
	rh_trim(f->ring);
	assert_int_equal(resident_kib(f->instance), 0);
	assert_int_equal(rh_record(&view, 2)->pid, FIXTURE_PID + 2);
	assert_true(rh_valid(&view));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_empty, start, end),
	        cmocka_unit_test_setup_teardown(test_one_sample, start, end),
	        cmocka_unit_test_setup_teardown(test_no_records, start, end),
	        cmocka_unit_test_setup_teardown(test_lapped_by_slot, start, end),
	        cmocka_unit_test_setup_teardown(test_numbers_out_of_reach, start, end),
	        cmocka_unit_test_setup_teardown(test_follow_from_zero, start, end),
	        cmocka_unit_test_setup_teardown(test_loss_is_counted, start, end),
	        cmocka_unit_test_setup_teardown(test_begin_at_the_next, start, end),
	        cmocka_unit_test_setup_teardown(test_margin, start, end),
	        cmocka_unit_test(test_margin_of_arena),
	        cmocka_unit_test(test_nothing_hides_nothing),
	        cmocka_unit_test(test_arena_turns),
	        cmocka_unit_test_setup_teardown(test_too_large, start, end),
	        cmocka_unit_test_setup_teardown(test_fewer_than_reserved, start, end),
	        cmocka_unit_test_setup_teardown(test_cut_records, start, end),
	        cmocka_unit_test(test_create_refuses),
	        cmocka_unit_test_setup_teardown(test_mode_of_segment, start, end),
	        cmocka_unit_test_setup_teardown(test_trim, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
