/*
 * Attaching and following: whole batches, loss accounted for, a collector that dies, closes, hangs or is replaced.
 */
#include "readers/common/attach.h"

#include "readers/common/follow.h"

#include "readers/common/window.h"
#include "tests/support/capture.h"
#include "tests/support/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Publishes samples whose records all carry the number of their sample as score, so that a mixture of two would show. */
static void put_many(struct ring_writer *writer, unsigned samples, uint32_t count)
{
	static struct rh_process processes[512];

	for (unsigned s = 0; s < samples; s++) {
		struct rh_system system = ring_system(0, (float)s);
		for (uint32_t i = 0; i < count; i++)
			processes[i] = ring_process(i + 1, "worker", (float)s);
		ring_put(writer, &system, processes, count, count + 7);
	}
}

static int attach_to(int argc, char **argv)
{
	struct rh_ring *ring = NULL;
	int code = attach_open(argv[argc - 1], &ring);

	rh_close(&ring);
	return code;
}

static void no_daemon(void **state)
{
	char instance[65];
	struct command_result result = command_run(attach_to, (const char *const[]){"attach", ring_instance("none", instance), NULL});
	(void)state;

	assert_int_equal(result.code, 3);
	assert_memory_equal(result.err, "rogue-hunter: no daemon ", 24);
	assert_non_null(strstr(result.err, instance));
	command_forget(&result);
}

static void a_whole_batch(void **state)
{
	struct batch batch = {0};
	struct rh_ring *ring;
	char instance[65];
	struct ring_writer *writer = ring_begin(ring_instance("whole", instance), 8);
	(void)state;

	assert_int_equal(attach_open(instance, &ring), 0);
	assert_int_equal(batch_latest(ring, BATCH_ALL, &batch), RH_NONE);
	put_many(writer, 3, 300);
	assert_int_equal(batch_latest(ring, BATCH_ALL, &batch), RH_OK);
	assert_int_equal(batch.sample, 3);
	assert_int_equal(batch.count, 300);
	assert_int_equal(batch.total, 307);
	for (uint32_t i = 0; i < batch.count; i++) {
		assert_int_equal(batch.records[i].pid, i + 1);
		assert_int_equal((int)batch.records[i].score, 2);
	}
	assert_int_equal(batch_latest(ring, 5, &batch), RH_OK);
	assert_int_equal(batch.count, 5);
	assert_int_equal(batch.total, 307);
	batch_free(&batch);
	rh_close(&ring);
	ring_close(&writer);
}

static void every_sample_is_taken_or_counted_as_lost(void **state)
{
	struct batch batch = {0};
	struct follow follow;
	char instance[65];
	struct ring_writer *writer = ring_begin(ring_instance("loss", instance), 8);
	uint64_t got = 0;
	(void)state;

	assert_int_equal(follow_open(&follow, instance, true, NULL), RH_OK);
	for (unsigned round = 1; round <= 20; round++) {
		put_many(writer, round, 3);
		while (follow_next(&follow, BATCH_ALL, &batch) == RH_OK)
			got++;
		assert_int_equal(got + follow.lost, follow.cursor);
	}
	assert_int_equal(follow.cursor, 20 * 21 / 2);
	assert_true(follow.lost > 0); /* rounds of more than the eight that the ring holds */
	batch_free(&batch);
	follow_close(&follow);
	ring_close(&writer);
}

static void following_begins_where_it_is_told(void **state)
{
	struct batch batch = {0};
	struct follow follow;
	char instance[65];
	struct ring_writer *writer = ring_begin(ring_instance("begin", instance), 8);
	(void)state;

	put_many(writer, 4, 1);
	assert_int_equal(follow_begin(&follow, instance), 0);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_TIMEOUT);
	put_many(writer, 1, 1);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
	assert_int_equal(batch.sample, 5);
	follow_close(&follow);

	assert_int_equal(follow_open(&follow, instance, true, NULL), RH_OK);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
	assert_int_equal(batch.sample, 1);
	follow_close(&follow);
	batch_free(&batch);
	ring_close(&writer);
}

/* A collector in a process of its own that publishes `samples` and then dies without a word. */
static void collector_that_dies(const char *instance, unsigned samples)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		put_many(ring_begin(instance, 8), samples, 2);
		kill(getpid(), SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void a_dead_collector_is_survived(void **state)
{
	struct batch batch = {0};
	struct follow follow;
	char instance[65];
	(void)state;

	collector_that_dies(ring_instance("dead", instance), 3);
	assert_int_equal(follow_open(&follow, instance, true, NULL), RH_OK);
	for (uint64_t sample = 1; sample <= 3; sample++) { /* what it left is all there */
		assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
		assert_int_equal(batch.sample, sample);
	}
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_DEAD);

	uint64_t generation = follow.generation;
	struct ring_writer *writer = ring_begin(instance, 8); /* what the supervisor does */
	put_many(writer, 2, 2);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
	assert_int_equal(batch.sample, 1);
	assert_true(follow.generation != generation);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
	assert_int_equal(batch.sample, 2);
	batch_free(&batch);
	follow_close(&follow);
	ring_close(&writer);
}

static void a_closed_collector_and_its_successor(void **state)
{
	struct batch batch = {0};
	struct follow follow;
	char instance[65];
	struct ring_writer *writer = ring_begin(ring_instance("closed", instance), 8);
	(void)state;

	put_many(writer, 1, 1);
	assert_int_equal(follow_open(&follow, instance, true, NULL), RH_OK);
	ring_close(&writer);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_CLOSED);

	writer = ring_begin(instance, 8);
	put_many(writer, 1, 1);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
	batch_free(&batch);
	follow_close(&follow);
	ring_close(&writer);
}

/* The samples of the old ring that were not read yet come first; none of either is counted twice. */
static void a_replaced_ring_is_read_to_its_end(void **state)
{
	struct batch batch = {0};
	struct follow follow;
	char instance[65];
	struct ring_writer *old = ring_begin(ring_instance("replaced", instance), 8), *new;
	(void)state;

	put_many(old, 2, 1);
	assert_int_equal(follow_open(&follow, instance, true, NULL), RH_OK);
	new = ring_begin(instance, 8);
	put_many(new, 3, 1);
	static const uint64_t expected[] = {1, 2, 1, 2, 3};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
		assert_int_equal(batch.sample, expected[i]);
	}
	assert_int_equal(follow.lost, 0);
	batch_free(&batch);
	follow_close(&follow);
	ring_close(&old);
	ring_close(&new);
}

static void a_window_over_the_ring(void **state)
{
	struct rh_system system = ring_system(1, 33);
	struct rh_process process = ring_process(1, "one", 33);
	struct window window;
	struct rh_ring *ring;
	char instance[65];
	struct ring_writer *writer = ring_begin(ring_instance("window", instance), 8);
	(void)state;

	assert_int_equal(attach_open(instance, &ring), 0);
	window_of(ring, &window);
	assert_int_equal(window.samples, 0);
	assert_true(window.self_cpu_pct < 0);
	for (unsigned i = 0; i < 5; i++) { /* 10 Hz, 1 ms of cpu each, twice as late every time */
		system.monotonic_ns += 100000000;
		system.self_cpu_ns += 1000000;
		system.lateness_ns = UINT64_C(1000) << i;
		system.max_score = i == 2 ? 90 : 10;
		ring_put(writer, &system, &process, 1, 1);
	}
	window_of(ring, &window);
	assert_int_equal(window.samples, 5);
	assert_int_equal((int)(window.rate_hz * 1000 + 0.5), 10000);
	assert_int_equal((int)(window.self_cpu_pct * 1000 + 0.5), 1000);
	assert_int_equal((int)window.lateness_mean_ns, (1 + 2 + 4 + 8 + 16) * 1000 / 5);
	assert_int_equal((int)window.lateness_max_ns, 16000);
	assert_int_equal((int)window.max_score, 90);
	rh_close(&ring);
	ring_close(&writer);
}

static void exit_codes_come_from_the_table(void **state)
{
	(void)state;
	assert_int_equal(attach_exit_code(RH_RUNNING), 0);
	assert_int_equal(attach_exit_code(RH_NO_SEGMENT), 3);
	assert_int_equal(attach_exit_code(RH_FOREIGN), 1);
	assert_int_equal(attach_exit_code(RH_INVALID), 2);
	assert_string_equal(attach_status_name(RH_HUNG), "HUNG");
}

static void a_ring_of_others_says_who_may_read_it(void **state)
{
	const struct rh_error denied = {.errnum = EACCES, .text = "no permission"}, writable = {.text = "writable by others"};
	char reason[512];
	(void)state;

	assert_non_null(strstr(attach_reason(RH_FOREIGN, &denied, reason), "no permission: be root, or of the group"));
	assert_string_equal(attach_reason(RH_FOREIGN, &writable, reason), "writable by others");
	assert_string_equal(attach_reason(RH_CORRUPT, &(struct rh_error){0}, reason), rh_status_text(RH_CORRUPT));
}

/* Who follows before there is a daemon gets its samples from the first one on. */
static void following_begins_before_there_is_a_ring(void **state)
{
	struct follow follow;
	struct batch batch = {0};
	char instance[65];
	(void)state;

	assert_int_equal(follow_open(&follow, ring_instance("before", instance), true, NULL), RH_NO_SEGMENT);
	assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_NO_SEGMENT);
	struct ring_writer *writer = ring_begin(instance, 8);
	put_many(writer, 2, 1);
	for (uint64_t n = 1; n <= 2; n++) {
		assert_int_equal(follow_next(&follow, BATCH_ALL, &batch), RH_OK);
		assert_int_equal(batch.sample, n);
	}
	assert_int_equal(follow.lost, 0);
	ring_close(&writer);
	batch_free(&batch);
	follow_close(&follow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_daemon),
	        cmocka_unit_test(a_whole_batch),
	        cmocka_unit_test(every_sample_is_taken_or_counted_as_lost),
	        cmocka_unit_test(following_begins_where_it_is_told),
	        cmocka_unit_test(a_dead_collector_is_survived),
	        cmocka_unit_test(a_closed_collector_and_its_successor),
	        cmocka_unit_test(a_replaced_ring_is_read_to_its_end),
	        cmocka_unit_test(a_window_over_the_ring),
	        cmocka_unit_test(exit_codes_come_from_the_table),
	        cmocka_unit_test(a_ring_of_others_says_who_may_read_it),
	        cmocka_unit_test(following_begins_before_there_is_a_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
