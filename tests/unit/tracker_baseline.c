/*
 * What the tracker learns of commands, out of a real ring into a real database, and what it says of them. Time is the test's own: ten seconds
 * lie between any two samples.
 */
#include "readers/tracker/baseline.h"

#include "base/clock.h"
#include "storage/baseline.h"
#include "storage_fixture.h"
#include "tests/support/ring.h"

#include <errno.h>
#include <math.h>

#define SECOND UINT64_C(1000000000)

enum { HOUR = 360, DAY_ONE = 20700 };

struct scene {
	struct fixture *fixture;
	struct config config;
	struct track *track;
	struct feed *feed;
	struct baseline *baseline;
	struct ring_writer *writer;
	char instance[65], said[BASELINE_SAY_BYTES];
	uint64_t now_ns;
};

static int begin(void **state)
{
	struct scene *scene = *state = calloc(1, sizeof(*scene));
	void *fixture;

	if (fixture_open(&fixture) != 0)
		return -1;
	scene->fixture = fixture;
	config_defaults(&scene->config);
	scene->writer = ring_begin(ring_instance("baseline", scene->instance), 16);
	scene->track = track_new(&scene->config);
	scene->feed = feed_new(scene->instance);
	scene->baseline = baseline_new(&scene->config);
	scene->now_ns = 1000 * SECOND;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;
	void *fixture = scene->fixture;

	baseline_free(&scene->baseline);
	feed_free(&scene->feed);
	track_free(&scene->track);
	ring_close(&scene->writer);
	free(scene);
	return fixture_close(&fixture);
}

/* Publishes a sample and takes it in as the tracker does, on that day. */
static void sample(struct scene *scene, uint32_t day, const struct rh_process *processes, uint32_t count)
{
	struct rh_system system = ring_system(0, 0);
	enum rh_status status = RH_TIMEOUT;

	scene->now_ns += 10 * SECOND;
	system.boottime_ns = scene->now_ns;
	system.realtime_ns = day * STORAGE_DAY_NS + scene->now_ns % STORAGE_DAY_NS;
	ring_put(scene->writer, &system, processes, count, count);
	for (int i = 0; i < 100 && status != RH_OK; i++)
		status = feed_next(scene->feed, scene->track, 0);
	assert_int_equal(status, RH_OK);
	baseline_sample(scene->baseline, scene->feed);
}

/* So many samples in which two processes of that name run, the busier with that score. */
static void run(struct scene *scene, uint32_t day, const char *command, float score, unsigned samples)
{
	struct rh_process processes[2] = {ring_process(2, command, score), ring_process(3, command, 0)};

	for (unsigned i = 0; i < samples; i++)
		sample(scene, day, processes, 2);
}

static void flush(struct scene *scene)
{
	assert_int_equal(baseline_flush(scene->baseline, scene->fixture->storage, scene->now_ns, true), 0);
}

static const char *say_of(struct scene *scene, const char *command, float score, float cpu_pct)
{
	char exact[RH_COMMAND_BYTES] = "";

	memcpy(exact, command, strnlen(command, sizeof(exact)));
	return baseline_say(scene->baseline, scene->fixture->storage, exact, score, cpu_pct, scene->said);
}

static struct storage_usual usual_of(struct scene *scene, const char command[RH_COMMAND_BYTES])
{
	struct storage_usual usual;
	const struct storage_usual_query query = {.command = command, .until_day = DAY_ONE + 999, .score = 1};

	int found = storage_usual(scene->fixture->storage, &query, &usual);
	assert_int_equal(found, found == 1);
	assert_int_equal(found, usual.days > 0);
	return usual;
}

static void little_known_is_not_told(void **state)
{
	struct scene *scene = *state;

	assert_string_equal(say_of(scene, "chrome", 83, 100), "");
	run(scene, DAY_ONE, "chrome", 12, HOUR - 1);
	assert_string_equal(say_of(scene, "chrome", 83, 100), "");
	flush(scene);
	assert_string_equal(say_of(scene, "chrome", 83, 100), "");
	run(scene, DAY_ONE, "chrome", 12, 1); /* that one still in memory */
	assert_string_equal(say_of(scene, "chrome", 83, 100), "the worst chrome in 1 h (score 83, usual 12, 99th percentile 12)");
	assert_string_equal(say_of(scene, "chromium", 83, 100), "");
	assert_string_equal(say_of(scene, "chrome", NAN, NAN), "");
	assert_string_equal(baseline_say(scene->baseline, NULL, "chrome\0\0\0\0\0\0\0\0\0", 83, 100, scene->said), "");
}

static void each_remark_has_its_case(void **state)
{
	struct scene *scene = *state;

	for (uint32_t day = DAY_ONE; day < DAY_ONE + 7; day++) {
		run(scene, day, "chrome", 12, HOUR / 2);
		run(scene, day, "chrome", day % 3 ? 14 : 60, 1); /* on 3 days */
		flush(scene);
	}
	run(scene, DAY_ONE + 7, "chrome", 12, HOUR / 2);
	assert_string_equal(say_of(scene, "chrome", 12, 0), "as usual for chrome (score 12, usual 12)");
	assert_string_equal(say_of(scene, "chrome", 83, 0), "the worst chrome in 8 days (score 83, usual 12, 99th percentile 12)");
	assert_string_equal(say_of(scene, "chrome", 59, 0), "as on 3 of 7 days (score 59, usual 12, 99th percentile 12)");
	assert_string_equal(say_of(scene, "chrome", NAN, 200), "the worst chrome in 8 days (cpu 200%, usual 12%, 99th percentile 12%)");
	run(scene, DAY_ONE + 7, "chrome", 90, 1);
	assert_string_equal(say_of(scene, "chrome", 83, 0), "high for chrome, as earlier today (score 83, usual 12, 99th percentile 12)");
	/* A month later nothing is known any more. */
	run(scene, DAY_ONE + 38, "other", 1, 1);
	assert_string_equal(say_of(scene, "chrome", 83, 0), "");
}

static void names_are_shown_harmless(void **state)
{
	struct scene *scene = *state;

	run(scene, DAY_ONE, "a\033[31m\xc3\xa9", 12, HOUR);
	assert_string_equal(say_of(scene, "a\033[31m\xc3\xa9", 83, 0), "the worst a?[31m? in 1 h (score 83, usual 12, 99th percentile 12)");
	run(scene, DAY_ONE, "WWWWWWWWWWWWWWW", 1200, HOUR);
	run(scene, DAY_ONE, "WWWWWWWWWWWWWWW", 1600, 1);
	say_of(scene, "WWWWWWWWWWWWWWW", NAN, 1500);
	assert_non_null(strstr(scene->said, "99th percentile"));
	assert_int_equal(scene->said[strlen(scene->said) - 1], ')'); /* whole */
}

static void peaks_come_from_every_sample(void **state)
{
	struct scene *scene = *state;
	struct rh_process hog = ring_process(9, "hog", 88);

	run(scene, DAY_ONE, "hog", 5, 3);
	scene->now_ns -= 9 * SECOND; /* a second after a moment: no other moment yet, but the rogue counts */
	sample(scene, DAY_ONE, &hog, 1);
	flush(scene);
	struct storage_usual usual = usual_of(scene, "hog\0\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(usual.samples_count, 3);
	assert_float_equal(usual.peak_score, 88, 0);
	assert_true(sketch_quantile(&usual.score, 1) < 6);
	assert_int_equal(sketch_count(&usual.score), 3); /* of the two processes the busier */
}

static void threads_of_the_kernel_are_left_out(void **state)
{
	struct scene *scene = *state;
	struct rh_process processes[2] = {ring_process(2, "kswapd0", 90), ring_process(3, "nameless", 90)};

	processes[0].flags = RH_PROCESS_kernel_thread;
	processes[1].present[RH_F_command / 64] &= ~(UINT64_C(1) << RH_F_command % 64);
	for (int i = 0; i < 3; i++)
		sample(scene, DAY_ONE, processes, 2);
	flush(scene);
	assert_int_equal(usual_of(scene, "kswapd0\0\0\0\0\0\0\0\0").days, 0);
	assert_int_equal(usual_of(scene, "nameless\0\0\0\0\0\0\0").days, 0);
}

/* More names than there is room for: those seen last stay, and the others are counted. */
static void memory_is_bounded(void **state)
{
	struct scene *scene = *state;
	enum { NAMES = 600 };

	for (uint32_t i = 0; i < NAMES; i++) {
		char command[RH_COMMAND_BYTES];
		snprintf(command, sizeof(command), "name%u", (unsigned)i);
		run(scene, DAY_ONE, command, 5, 1);
	}
	assert_int_equal(baseline_dropped(scene->baseline), NAMES - BASELINE_COMMANDS);
	run(scene, DAY_ONE, "name88", 5, 1); /* the oldest that is still there */
	assert_int_equal(baseline_dropped(scene->baseline), NAMES - BASELINE_COMMANDS);
	run(scene, DAY_ONE, "new", 5, 1);
	flush(scene);
	assert_int_equal(usual_of(scene, "name88\0\0\0\0\0\0\0\0\0").samples_count, 2);
	assert_int_equal(usual_of(scene, "name89\0\0\0\0\0\0\0\0\0").days, 0); /* made room for the new one */
	assert_int_equal(usual_of(scene, "name599\0\0\0\0\0\0\0\0").samples_count, 1);
}

static void a_flush_is_due_every_five_minutes(void **state)
{
	struct scene *scene = *state;
	static const char command[RH_COMMAND_BYTES] = "chrome";

	baseline_flush(scene->baseline, scene->fixture->storage, scene->now_ns, false);
	run(scene, DAY_ONE, command, 5, 29);
	assert_int_equal(baseline_flush(scene->baseline, scene->fixture->storage, scene->now_ns, false), 0);
	assert_int_equal(usual_of(scene, command).days, 0);
	run(scene, DAY_ONE, command, 5, 1);
	/* No database to write to: all stays for the next try, a minute later. */
	assert_int_equal(baseline_flush(scene->baseline, NULL, scene->now_ns, false), 0);
	run(scene, DAY_ONE, command, 5, 5);
	baseline_flush(scene->baseline, scene->fixture->storage, scene->now_ns, false);
	assert_int_equal(usual_of(scene, command).days, 0);
	run(scene, DAY_ONE + 1, command, 5, 1);
	assert_int_equal(baseline_flush(scene->baseline, scene->fixture->storage, scene->now_ns, false), 0);
	struct storage_usual usual = usual_of(scene, command);
	assert_int_equal(usual.days, 2); /* what was seen yesterday counts for yesterday */
	assert_int_equal(usual.samples_count, 36);
	flush(scene);
	assert_int_equal(usual_of(scene, command).samples_count, 36); /* written once */
}

static void pauses_are_counted(void **state)
{
	struct scene *scene = *state;

	baseline_pause(scene->baseline, "early\0\0\0\0\0\0\0\0\0\0"); /* before the first sample there is no day to count it for */
	run(scene, DAY_ONE, "chrome", 5, 1);
	baseline_pause(scene->baseline, "chrome\0\0\0\0\0\0\0\0\0");
	flush(scene);
	baseline_pause(scene->baseline, "chrome\0\0\0\0\0\0\0\0\0");
	flush(scene);
	assert_int_equal(usual_of(scene, "chrome\0\0\0\0\0\0\0\0\0").pauses_count, 2);
}

int main(void)
{
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	        WITH_SCENE(little_known_is_not_told),
	        WITH_SCENE(each_remark_has_its_case),
	        WITH_SCENE(names_are_shown_harmless),
	        WITH_SCENE(peaks_come_from_every_sample),
	        WITH_SCENE(threads_of_the_kernel_are_left_out),
	        WITH_SCENE(memory_is_bounded),
	        WITH_SCENE(a_flush_is_due_every_five_minutes),
	        WITH_SCENE(pauses_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
