/*
 * reader.c - the reader library beyond reading samples: names, attaching and its refusals, facts, fields, windows, waiting, and the
 * state of the writer in each of its forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/ring_fixture.h"

enum { SLOTS = 8, MIB = 1 << 20 };

static int start(void **state)
{
	*state = calloc(1, sizeof(struct ring_fixture));
	return *state ? fixture_start(*state, "reader", SLOTS, MIB) : -1;
}

static int end(void **state)
{
	fixture_end(*state);
	free(*state);
	return 0;
}

static int open_segment(const struct ring_fixture *f, int flags)
{
	char name[80];

	assert_int_equal(rh_segment_name(f->instance, name), RH_OK);
	return shm_open(name, flags, 0);
}

/* ---- names and attaching ---- */

static void test_names(void **state)
{
	char name[80], expected[80], longest[70];

	(void)state;
	assert_int_equal(rh_segment_name("blue-1.x_Y", name), RH_OK);
	assert_string_equal(name, "/rogue-hunter.blue-1.x_Y");
	snprintf(expected, sizeof(expected), "/rogue-hunter.%u", (unsigned)geteuid());
	assert_int_equal(rh_segment_name(NULL, name), RH_OK);
	assert_string_equal(name, expected);
	memset(longest, 'a', sizeof(longest));
	longest[65] = '\0';
	assert_int_equal(rh_segment_name(longest, name), RH_INVALID);
	longest[64] = '\0';
	assert_int_equal(rh_segment_name(longest, name), RH_OK);
	assert_int_equal(rh_segment_name("", name), RH_INVALID);
	assert_int_equal(rh_segment_name("a/b", name), RH_INVALID);
	assert_int_equal(rh_segment_name("..", name), RH_INVALID);
	assert_int_equal(rh_segment_name("a b", name), RH_INVALID);
}

static void test_open_refuses(void **state)
{
	struct rh_ring *ring = (struct rh_ring *)(void *)state;
	struct rh_error error = {0};

	assert_int_equal(rh_open("test-no-such-instance", &ring, &error), RH_NO_SEGMENT);
	assert_null(ring);
	assert_int_equal(error.errnum, ENOENT);
	assert_true(strlen(error.text) > 10 && !strchr(error.text, '\n'));
	assert_int_equal(rh_open("a/b", &ring, NULL), RH_INVALID);
	assert_int_equal(rh_open_fd(-1, &ring, &error), RH_SYSTEM);
	assert_int_equal(error.errnum, EBADF);
	int pipe_fd[2];
	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(rh_open_fd(pipe_fd[0], &ring, &error), RH_FOREIGN);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	rh_close(&ring);
	assert_null(ring);
}

static void test_foreign_mode(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_ring *ring;
	int fd = open_segment(f, O_RDONLY);

	assert_int_equal(fchmod(fd, 0660), 0);
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_FOREIGN);
	assert_int_equal(fchmod(fd, 0642), 0);
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_FOREIGN);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_OK);
	rh_close(&ring);
	close(fd);
}

/* A segment of some other user: only root can make one. */
static void test_foreign_owner(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_ring *ring;

	if (geteuid() != 0)
		skip();
	int fd = open_segment(f, O_RDWR);
	assert_int_equal(fchown(fd, 12345, (gid_t)-1), 0);
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_FOREIGN);
	assert_int_equal(fchown(fd, 0, (gid_t)-1), 0);
	close(fd);
}

static void test_symbolic_link(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_ring *ring;
	char name[80], target[128], link_name[128];

	assert_int_equal(rh_segment_name(f->instance, name), RH_OK);
	snprintf(target, sizeof(target), "/dev/shm%s", name);
	snprintf(link_name, sizeof(link_name), "/dev/shm%s-link", name);
	assert_int_equal(symlink(target, link_name), 0);
	snprintf(name, sizeof(name), "%s-link", f->instance);
	enum rh_status result = rh_open(name, &ring, NULL);
	unlink(link_name);
	assert_int_not_equal(result, RH_OK);
}

static void test_info(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_info info;

	rh_info(f->ring, &info);
	assert_int_equal(info.major, 1);
	assert_int_equal(info.slots, SLOTS);
	assert_int_equal(info.record_size, sizeof(struct rh_process));
	assert_int_equal(info.system_size, sizeof(struct rh_system));
	assert_int_equal(info.writer_pid, getpid());
	assert_int_equal(info.writer_start_ns, 77);
	assert_int_equal(info.period_ns, 50 * NS_PER_MS);
	assert_int_equal(info.arena_bytes, MIB);
	assert_true(info.total_bytes > MIB && info.schema_hash != 0);
	assert_true(clock_now_ns(CLOCK_REALTIME) - info.created_realtime_ns < 60ull * NS_PER_S);
	assert_string_equal(info.boot_id, "12345678-1234-1234-1234-123456789abc");
}

static void test_generations_differ(void **state)
{
	struct ring_fixture *f = *state;
	struct ring_writer *second;
	struct rh_ring *ring;
	struct rh_info before, after;
	char text[256];
	struct ring_options options = fixture_options(f->instance, SLOTS, MIB);

	rh_info(f->ring, &before);
	assert_int_equal(ring_create(&options, &second, text), 0);
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_OK);
	rh_info(ring, &after);
	assert_int_not_equal(before.generation, after.generation);
	rh_close(&ring);
	ring_close(&second);
}

/* ---- fields ---- */

static void test_fields_by_name(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_field field;
	struct rh_info info;

	assert_int_equal(rh_field_by_name(f->ring, 0, "rss_bytes", &field), RH_OK);
	assert_int_equal(field.id, RH_F_rss_bytes);
	assert_int_equal(field.offset, offsetof(struct rh_process, rss_bytes));
	assert_int_equal(field.size, 8);
	assert_int_equal(field.type, RH_TYPE_u64);
	assert_int_equal(field.kind, RH_KIND_GAUGE);
	assert_int_equal(field.scope, 0);
	assert_string_equal(field.unit, "bytes");
	assert_int_equal(rh_field_by_name(f->ring, 1, "max_score", &field), RH_OK);
	assert_int_equal(field.offset, offsetof(struct rh_system, max_score));
	assert_int_equal(rh_field_by_name(f->ring, 0, "max_score", &field), RH_NONE);
	assert_int_equal(rh_field_by_name(f->ring, 1, "rss_bytes", &field), RH_NONE);
	assert_int_equal(rh_field_by_name(f->ring, 0, "", &field), RH_NONE);
	rh_info(f->ring, &info);
	assert_int_equal(rh_field_at(f->ring, info.fields, &field), RH_INVALID);
}

/* Every row of the tables stands in the segment, in order. */
static void test_every_field(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_field field;
	uint32_t i = 0;

#define RH_FIELD(id_, name_, type_, kind_, unit_, aggregate, title, width, source, brief, doc) \
	assert_int_equal(rh_field_at(f->ring, i++, &field), RH_OK); \
	assert_string_equal(field.name, #name_); \
	assert_true(field.id == (id_) && field.type == RH_TYPE_##type_ && field.offset == offsetof(struct rh_process, name_));
#include "rogue/fields.def"
#define RH_SYSTEM_FIELD(id_, name_, type_, kind_, unit_, title, source, brief, doc) \
	assert_int_equal(rh_field_at(f->ring, i++, &field), RH_OK); \
	assert_string_equal(field.name, #name_); \
	assert_true(field.id == (id_) && field.type == RH_TYPE_##type_ && field.scope == 1);
#include "rogue/system.def"
	assert_int_equal(rh_field_at(f->ring, i, &field), RH_INVALID);
}

static void test_field_values(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_process record = fixture_record(3, 7);
	struct rh_field field;
	double value;

	assert_int_equal(rh_field_by_name(f->ring, 0, "rss_bytes", &field), RH_OK);
	assert_true(rh_field_value(&field, &record, &value) && value == 3 * 4096);
	assert_int_equal(rh_field_by_name(f->ring, 0, "nice", &field), RH_OK);
	assert_true(rh_field_value(&field, &record, &value) && value == -5);
	assert_int_equal(rh_field_by_name(f->ring, 0, "cpu_pct", &field), RH_OK);
	assert_true(rh_field_value(&field, &record, &value) && value == 3);
	assert_int_equal(rh_field_by_name(f->ring, 0, "uid", &field), RH_OK);
	assert_false(rh_field_value(&field, &record, &value)); /* absent is not zero */
	assert_int_equal(rh_field_by_name(f->ring, 0, "command", &field), RH_OK);
	assert_false(rh_field_value(&field, &record, &value)); /* not a number */
}

/* ---- windows ---- */

static void test_window(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_field field;
	struct rh_window window;

	assert_int_equal(rh_field_by_name(f->ring, 0, "cpu_pct", &field), RH_OK);
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID, FIXTURE_START_NS, &window), RH_NONE);
	for (uint64_t n = 1; n <= SLOTS + 5; n++)
		assert_int_equal(fixture_publish(f, n, n % 2 ? 4 : 2), n);
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID, FIXTURE_START_NS, &window), RH_OK);
	assert_true(window.low == 6 && window.high == SLOTS + 5 && window.current == SLOTS + 5);
	assert_true(window.samples == SLOTS && window.first == 6 && window.last == SLOTS + 5);
	/* A process that is in every other sample only. */
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID + 3, FIXTURE_START_NS + 3, &window), RH_OK);
	assert_true(window.samples == SLOTS / 2 && window.low == 7 && window.last == SLOTS + 5);
	/* The same pid with another start is another process; an unknown pid, nobody. */
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID, 1, &window), RH_NONE);
	assert_int_equal(rh_window(f->ring, &field, 1, FIXTURE_START_NS, &window), RH_NONE);
}

static void test_window_refuses(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_field field;
	struct rh_window window;

	assert_int_equal(fixture_publish_to(f->writer, 1, 4, RH_PROCESS_HOT_BYTES), 1);
	assert_int_equal(rh_field_by_name(f->ring, 0, "command", &field), RH_OK);
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID, FIXTURE_START_NS, &window), RH_INVALID);
	assert_int_equal(rh_field_by_name(f->ring, 1, "max_score", &field), RH_OK);
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID, FIXTURE_START_NS, &window), RH_INVALID);
	/* A field beyond the cut of the record is not there. */
	assert_int_equal(rh_field_by_name(f->ring, 0, "zombie_children_count", &field), RH_OK);
	assert_int_equal(rh_window(f->ring, &field, FIXTURE_PID, FIXTURE_START_NS, &window), RH_NONE);
}

/* ---- waiting ---- */

static void test_wait(void **state)
{
	struct ring_fixture *f = *state;

	assert_int_equal(rh_wait(f->ring, 0, 0), RH_TIMEOUT);
	assert_int_equal(rh_wait(f->ring, 0, NS_PER_MS), RH_TIMEOUT);
	/* An hour is cut to two periods: this returns. */
	assert_int_equal(rh_wait(f->ring, 0, 3600ull * NS_PER_S), RH_TIMEOUT);
	assert_int_equal(fixture_publish(f, 1, 1), 1);
	assert_int_equal(rh_wait(f->ring, 0, 0), RH_OK);
	assert_int_equal(rh_wait(f->ring, 1, NS_PER_MS), RH_TIMEOUT);
}

/* More readers sleep than one publication wakes (16): those woken must wake the others, and all see the sample well before their time-out. */
static void test_wait_many(void **state)
{
	enum { SLEEPERS = 40 };
	struct ring_fixture *f = *state;
	pid_t sleepers[SLEEPERS];
	struct ring_writer *writer;
	struct rh_ring *ring;
	char text[256];
	struct ring_options options = fixture_options(f->instance, SLOTS, MIB);

	options.period_ns = 30ull * NS_PER_S; /* a reader whom no one wakes sleeps for a minute: the test's own time limit finds it */
	assert_int_equal(ring_create(&options, &writer, text), 0);
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_OK);
	for (int i = 0; i < SLEEPERS; i++) {
		sleepers[i] = fork();
		assert_true(sleepers[i] >= 0);
		if (sleepers[i] == 0)
			_exit(rh_wait(ring, 0, 60ull * NS_PER_S) == RH_OK ? 0 : 1);
	}
	usleep(50000); /* most are asleep now; those that are not must find the news without being woken */
	assert_int_equal(fixture_publish_to(writer, 1, 1, RH_PROCESS_HOT_BYTES), 1);
	for (int i = 0; i < SLEEPERS; i++) {
		int status;

		assert_int_equal(waitpid(sleepers[i], &status, 0), sleepers[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	rh_close(&ring);
	ring_close(&writer);
}

/* ---- the state of the writer ---- */

static void test_running_and_hung(void **state)
{
	struct ring_fixture *f = *state;
	uint64_t now = clock_now_ns(CLOCK_BOOTTIME);

	assert_int_equal(rh_writer_status(f->ring), RH_RUNNING);
	ring_heartbeat(f->writer, now - 5ull * NS_PER_S);
	assert_int_equal(rh_writer_status(f->ring), RH_HUNG);
	assert_true(rh_heartbeat_age_ns(f->ring) >= 5ull * NS_PER_S);
	/* Ten periods are half a second here, but less than 2 s is never called hung. */
	ring_heartbeat(f->writer, clock_now_ns(CLOCK_BOOTTIME) - 1200ull * NS_PER_MS);
	assert_int_equal(rh_writer_status(f->ring), RH_RUNNING);
	ring_heartbeat(f->writer, now + 3600ull * NS_PER_S); /* a beat from the future is no age */
	assert_int_equal(rh_heartbeat_age_ns(f->ring), 0);
}

static void test_closed(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_ring *ring;
	struct rh_view view;

	assert_int_equal(fixture_publish(f, 1, 2), 1);
	ring_close(&f->writer);
	assert_null(f->writer);
	assert_int_equal(rh_writer_status(f->ring), RH_CLOSED);
	assert_int_equal(rh_wait(f->ring, 1, NS_PER_S), RH_CLOSED);
	assert_int_equal(rh_wait(f->ring, 0, NS_PER_S), RH_OK); /* what was published before the end is still news */
	assert_int_equal(rh_latest(f->ring, &view), RH_OK);
	assert_true(rh_valid(&view));
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_NO_SEGMENT);
}

/* A writer that is killed between reserve and publish: readers keep what was there, and learn that it is dead. */
static void test_dead(void **state)
{
	struct ring_fixture f;
	struct rh_view view;
	int ready[2], status;
	char byte;

	(void)state;
	fixture_name(&f, "dead");
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct ring_options options = fixture_options(f.instance, SLOTS, MIB);
		char text[256];

		if (ring_create(&options, &f.writer, text) != 0)
			_exit(1);
		for (uint64_t n = 1; n <= SLOTS; n++)
			fixture_publish(&f, n, 3);
		fixture_fill(f.writer, SLOTS + 1, 3, sizeof(struct rh_process));
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(rh_open(f.instance, &f.ring, NULL), RH_OK);
	assert_int_equal(rh_writer_status(f.ring), RH_RUNNING);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(rh_writer_status(f.ring), RH_DEAD);
	assert_int_equal(rh_latest(f.ring, &view), RH_OK);
	assert_true(view.sample == SLOTS && rh_valid(&view));
	assert_int_equal(rh_at(f.ring, 1, &view), RH_LAPPED); /* its slot was being overwritten */
	assert_int_equal(rh_wait(f.ring, SLOTS, 3600ull * NS_PER_S), RH_TIMEOUT);
	rh_close(&f.ring);
	/* Anybody may still attach, until a new writer takes the name. */
	assert_int_equal(rh_open(f.instance, &f.ring, NULL), RH_OK);
	struct ring_options options = fixture_options(f.instance, SLOTS, MIB);
	char text[256];
	assert_int_equal(ring_create(&options, &f.writer, text), 0);
	assert_int_equal(rh_writer_status(f.ring), RH_REPLACED);
	fixture_end(&f);
	close(ready[0]);
	close(ready[1]);
}

/* Somebody removes the name under a living writer (systemd's RemoveIPC): both sides see it, and a new segment takes over. */
static void test_unlinked(void **state)
{
	struct ring_fixture *f = *state;
	struct ring_writer *second;
	struct rh_ring *ring;
	struct ring_options options = fixture_options(f->instance, SLOTS, MIB);
	char name[80], text[256];

	assert_false(ring_is_replaced(f->writer));
	assert_int_equal(rh_segment_name(f->instance, name), RH_OK);
	assert_int_equal(shm_unlink(name), 0);
	assert_true(ring_is_replaced(f->writer));
	assert_int_equal(rh_writer_status(f->ring), RH_REPLACED);
	assert_int_equal(fixture_publish(f, 1, 1), 1); /* the mapping lives on */
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_NO_SEGMENT);
	assert_int_equal(ring_create(&options, &second, text), 0);
	ring_close(&f->writer); /* must leave the name of the other alone */
	assert_int_equal(rh_open(f->instance, &ring, NULL), RH_OK);
	assert_int_equal(rh_writer_status(ring), RH_RUNNING);
	rh_close(&ring);
	ring_close(&second);
}

/* A copy in a memfd, as a recording is: attach by descriptor; nobody holds the writer's lock there. */
static void test_copy_in_memfd(void **state)
{
	struct ring_fixture *f = *state;
	struct rh_ring *ring;
	struct rh_view view;
	struct rh_info info;
	int from = open_segment(f, O_RDONLY), to = memfd_create("copy", MFD_CLOEXEC);

	assert_int_equal(fixture_publish(f, 1, 5), 1);
	rh_info(f->ring, &info);
	unsigned char *bytes = malloc(info.total_bytes);
	assert_int_equal(pread(from, bytes, info.total_bytes, 0), info.total_bytes);
	assert_int_equal(write(to, bytes, info.total_bytes), info.total_bytes);
	assert_int_equal(rh_open_fd(to, &ring, NULL), RH_FOREIGN); /* a memfd is born writable by all */
	assert_int_equal(fchmod(to, 0600), 0);
	assert_int_equal(rh_open_fd(to, &ring, NULL), RH_OK);
	close(to);
	assert_int_equal(rh_latest(ring, &view), RH_OK);
	assert_int_equal(rh_record(&view, 4)->pid, FIXTURE_PID + 4);
	assert_int_not_equal(rh_writer_status(ring), RH_RUNNING);
	rh_close(&ring);
	close(from);
	free(bytes);
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(rh_status_text(RH_OK), "ok");
	assert_string_equal(rh_status_text(RH_RUNNING), "running");
	assert_non_null(rh_status_text((enum rh_status)999));
	assert_string_equal(rh_version(), RH_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_open_refuses),
	        cmocka_unit_test_setup_teardown(test_foreign_mode, start, end),
	        cmocka_unit_test_setup_teardown(test_foreign_owner, start, end),
	        cmocka_unit_test_setup_teardown(test_symbolic_link, start, end),
	        cmocka_unit_test_setup_teardown(test_info, start, end),
	        cmocka_unit_test_setup_teardown(test_generations_differ, start, end),
	        cmocka_unit_test_setup_teardown(test_fields_by_name, start, end),
	        cmocka_unit_test_setup_teardown(test_every_field, start, end),
	        cmocka_unit_test_setup_teardown(test_field_values, start, end),
	        cmocka_unit_test_setup_teardown(test_window, start, end),
	        cmocka_unit_test_setup_teardown(test_window_refuses, start, end),
	        cmocka_unit_test_setup_teardown(test_wait, start, end),
	        cmocka_unit_test_setup_teardown(test_wait_many, start, end),
	        cmocka_unit_test_setup_teardown(test_running_and_hung, start, end),
	        cmocka_unit_test_setup_teardown(test_closed, start, end),
	        cmocka_unit_test(test_dead),
	        cmocka_unit_test_setup_teardown(test_unlinked, start, end),
	        cmocka_unit_test_setup_teardown(test_copy_in_memfd, start, end),
	        cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
