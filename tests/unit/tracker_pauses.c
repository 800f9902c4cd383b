/*
 * What becomes of findings: each pause is in the database once, as it was said last; while the database takes nothing they wait, bounded; the log has a
 * line for what is new and no other; nobody is notified of what may still change. The findings are made by hand, time is the test's own.
 */
#include "readers/tracker/pauses.h"

#include "base/clock.h"
#include "base/log.h"
#include "readers/tracker/persist.h"
#include "tests/unit/storage_fixture.h"

#include <fcntl.h>
#include <jansson.h>

enum { TEXT_BYTES = 1 << 18 };
static const char boot[] = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10";
static const uint64_t onset_ns = UINT64_C(1700000000) * NS_PER_S;

struct scene {
	struct fixture *fixture;
	struct config config;
	struct notify notify;
	struct pauses *pauses;
	struct track *track;
	struct feed *feed;
	struct persist persist;
	char folder[200], log[300];
	uint64_t now_ns;
	struct pause pause;
};

static int begin(void **state)
{
	struct scene *scene = *state = calloc(1, sizeof(*scene));
	char error[STORAGE_TEXT_BYTES];

	scene->fixture = fixture_new("/tmp");
	snprintf(scene->folder, sizeof(scene->folder), "/tmp/rh-pauses-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->log, sizeof(scene->log), "%s/log", scene->folder);
	const struct log_options log = {.program = "tracker", .path = scene->log, .level = LOG_DEBUG_, .max_bytes = 1 << 24, .keep = 1};
	assert_int_equal(log_open(&log, error), 0);
	config_defaults(&scene->config);
	snprintf(scene->config.notify_command, sizeof(scene->config.notify_command), "/nowhere/at/all");
	notify_begin(&scene->notify, &scene->config, "/nowhere/at/all");
	scene->pauses = pauses_new(&scene->config, NULL, &scene->notify);
	scene->track = track_new(&scene->config);
	scene->feed = feed_new(NULL);
	scene->now_ns = clock_now_ns(CLOCK_BOOTTIME);
	assert_int_equal(persist_open(&scene->persist, &scene->config, scene->fixture->path, error), 0);
	scene->persist.pauses = scene->pauses;
	scene->feed->info = (struct rh_info){.generation = 1};
	snprintf(scene->feed->info.boot_id, sizeof(scene->feed->info.boot_id), "%s", boot);
	persist_attached(&scene->persist, scene->track, scene->feed);
	persist_flush(&scene->persist, scene->track, scene->now_ns);
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	storage_close(&scene->persist.storage);
	log_close();
	pauses_free(&scene->pauses);
	track_free(&scene->track);
	feed_free(&scene->feed);
	unlink(scene->log);
	rmdir(scene->folder);
	fixture_remove(scene->fixture);
	free(scene->fixture);
	free(scene);
	return 0;
}

/* ---- findings ---- */

/* A pause of 410 ms by updatedb[812]. */
static struct pause *make(struct scene *scene, uint32_t number, enum pause_state state)
{
	struct pause *pause = &scene->pause;

	*pause = (struct pause){.number = number,
	        .state = (uint8_t)state,
	        .class = PAUSE_CLASS_cpu,
	        .earlier_class = PAUSE_CLASS_cpu,
	        .ongoing = state == PAUSE_STATE_interim,
	        .onset_seen = true,
	        .start_realtime_ns = onset_ns + number * UINT64_C(10) * NS_PER_S,
	        .start_boottime_ns = UINT64_C(5000) * NS_PER_S + number * UINT64_C(10) * NS_PER_S,
	        .duration_ns = 410 * (uint64_t)NS_PER_MS,
	        .span_ns = 450 * (uint64_t)NS_PER_MS,
	        .task_count = 31,
	        .taken_cpu = -1,
	        .victim_count = 1,
	        .victims_in_all = 1,
	        .culprit_count = 1,
	        .class_ratio = 0.9f,
	        .both_ratio = 0.87f,
	        .cap_ratio = 0.9f,
	        .word = PAUSE_WORD_very_likely,
	        .signals = 0x7f,
	        .metric_total = 1e9};
	snprintf(pause->boot_id, sizeof(pause->boot_id), "%s", boot);
	pause->culprits[0] = (struct pause_who){.role = PAUSE_ROLE_culprit,
	        .pid = 812,
	        .start_time_ns = 77,
	        .process_count = 1,
	        .name = "updatedb[812]",
	        .command = "updatedb",
	        .share_ratio = 0.94f,
	        .amount = 9.4e8,
	        .harm_ns = 123};
	pause->victims[0] = (struct pause_victim){.name = "gnome-shell[2210]",
	        .command = "gnome-shell",
	        .pid = 2210,
	        .start_time_ns = 99,
	        .threads = 3,
	        .longest_ns = pause->duration_ns,
	        .total_ns = pause->duration_ns,
	        .wait = PAUSE_WAIT_cpu};
	return pause;
}

static void take(struct scene *scene, struct pause *pause)
{
	struct pause_facts facts = {0};

	pauses_take(scene->pauses, pause, &facts, scene->persist.paused ? NULL : scene->persist.storage, scene->now_ns);
}

static void take_new(struct scene *scene, uint32_t number, enum pause_state state)
{
	take(scene, make(scene, number, state));
}

static void flush(struct scene *scene)
{
	scene->now_ns += 200 * (uint64_t)NS_PER_MS;
	persist_flush(&scene->persist, scene->track, scene->now_ns);
}

static unsigned times_logged(const struct scene *scene, const char *what)
{
	static char text[TEXT_BYTES];
	unsigned count = 0;
	int fd = open(scene->log, O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[length > 0 ? length : 0] = '\0';
	for (const char *next = text; (next = strstr(next, what)); next++)
		count++;
	return count;
}

static unsigned lines(const struct scene *scene)
{
	return times_logged(scene, "\"event\":\"pause\"");
}

/* What another program finds in the database. */
static int find(const struct scene *scene, uint32_t number, struct storage_pause *row, json_t **ret_document)
{
	struct storage *reader = fixture_reader(scene->fixture);
	const struct storage_pause_key key = {.number = number};
	char *document = NULL;
	int found = storage_pause_find(reader, &key, row, &document);

	*ret_document = found == 1 ? json_loads(document, 0, NULL) : NULL;
	assert_true(found != 1 || (*ret_document && !strchr(document, '\n')));
	free(document);
	storage_close(&reader);
	return found;
}

static int count(const struct scene *scene)
{
	struct storage *reader = fixture_reader(scene->fixture);
	struct storage_pause rows[64];
	int found = storage_pauses(reader, &(struct storage_pause_filter){.with_merged = true}, rows, 64);

	storage_close(&reader);
	return found;
}

static const char *text_of(json_t *document, const char *key)
{
	const char *text = json_string_value(json_object_get(document, key));
	return text ? text : "(none)";
}

/* ---- the database ---- */

static void stored(void **state)
{
	struct scene *scene = *state;
	struct storage_pause row;
	json_t *document;

	take_new(scene, 36, PAUSE_STATE_final);
	flush(scene);
	assert_int_equal(find(scene, 36, &row, &document), 1);
	assert_string_equal(row.boot_id, boot);
	assert_string_equal(row.state, "final");
	assert_string_equal(row.class, "cpu");
	assert_string_equal(row.word, "very_likely");
	assert_string_equal(row.worst, "gnome-shell[2210]");
	assert_string_equal(row.judge, PAUSE_JUDGE);
	assert_non_null(strstr(row.who, "updatedb[812]"));
	assert_non_null(strstr(row.sentence, "31 tasks paused for up to 410 ms"));
	assert_non_null(strstr(row.sentence, "[7c1f93ab-36 cpu]"));
	assert_true(row.duration_ns == scene->pause.duration_ns && row.span_ns == scene->pause.span_ns && row.signals == 0x7f);
	assert_string_equal(text_of(document, "schema"), "rogue-hunter.pause/1");
	assert_string_equal(text_of(document, "id"), "7c1f93ab-36");
	assert_string_equal(text_of(document, "sentence"), row.sentence);
	assert_int_equal(json_array_size(json_object_get(document, "culprits")), 1);
	json_decref(document);
	assert_string_equal(scene->pauses->last_id, "7c1f93ab-36");
}

static void replaced(void **state)
{
	struct scene *scene = *state;
	struct storage_pause row;
	json_t *document;
	bool urgent;

	take_new(scene, 1, PAUSE_STATE_interim);
	assert_true(pauses_are_marked(scene->pauses, &urgent) && !urgent);
	flush(scene);
	assert_false(pauses_are_marked(scene->pauses, &urgent));
	assert_int_equal(find(scene, 1, &row, &document), 1);
	assert_string_equal(row.state, "interim");
	json_decref(document);
	take_new(scene, 1, PAUSE_STATE_interim);
	struct pause *final = make(scene, 1, PAUSE_STATE_final);
	final->class = PAUSE_CLASS_io;
	final->culprit_count = 0;
	take(scene, final);
	assert_true(pauses_are_marked(scene->pauses, &urgent) && urgent);
	flush(scene);
	assert_int_equal(count(scene), 1);
	assert_int_equal(find(scene, 1, &row, &document), 1);
	assert_string_equal(row.state, "final");
	assert_string_equal(row.class, "io");
	assert_int_equal(json_array_size(json_object_get(document, "culprits")), 0);
	json_decref(document);
}

/* What was open when its ring ended is final as it was said last. */
static void ring_that_ended(void **state)
{
	struct scene *scene = *state;
	struct storage_pause row;
	json_t *document;

	take_new(scene, 1, PAUSE_STATE_interim);
	flush(scene);
	take_new(scene, 2, PAUSE_STATE_interim);
	scene->feed->info.generation = 2;
	persist_attached(&scene->persist, scene->track, scene->feed);
	flush(scene);
	for (uint32_t number = 1; number <= 2; number++) {
		assert_int_equal(find(scene, number, &row, &document), 1);
		assert_string_equal(row.state, "final");
		json_decref(document);
	}
	take_new(scene, 3, PAUSE_STATE_interim);
	flush(scene);
	flush(scene);
	assert_int_equal(find(scene, 3, &row, &document), 1);
	assert_string_equal(row.state, "interim");
	json_decref(document);
}

/* Another program holds the database: findings wait, the newest of each pause, and the last PAUSES_QUEUE of them. */
static void database_that_takes_nothing(void **state)
{
	struct scene *scene = *state;
	struct storage_pause row;
	struct storage_state tracker;
	json_t *document;
	sqlite3 *other;

	take_new(scene, 1, PAUSE_STATE_interim);
	flush(scene);
	assert_int_equal(sqlite3_open(scene->fixture->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	take_new(scene, 1, PAUSE_STATE_final);
	flush(scene);
	assert_true(scene->persist.paused);
	for (uint32_t number = 2; number <= PAUSES_QUEUE + 8; number++) {
		take_new(scene, number, PAUSE_STATE_interim);
		take_new(scene, number, PAUSE_STATE_final);
	}
	assert_int_equal(scene->pauses->dropped_count, 8);
	take_new(scene, PAUSES_QUEUE, PAUSE_STATE_final); /* one that waits is replaced: nothing has to go for it */
	assert_int_equal(scene->pauses->dropped_count, 8);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	for (int i = 0; i < 6; i++)
		flush(scene);
	assert_false(scene->persist.paused);
	assert_int_equal(count(scene), PAUSES_QUEUE + 1);
	for (uint32_t number = 1; number <= PAUSES_QUEUE + 8; number++) {
		int there = find(scene, number, &row, &document);
		assert_int_equal(there, number == 1 || number > 8);
		if (there)
			assert_string_equal(row.state, number == 1 ? "interim" : "final"); /* of the first the final one was given up */
		json_decref(document);
	}
	assert_int_equal(storage_state(scene->persist.storage, &tracker), 1);
	assert_int_equal(tracker.dropped_count, 8);
}

/* As many events as there is room for are to be stored with it: it is there after the one flush that follows. */
static void flood_of_events(void **state)
{
	struct scene *scene = *state;
	static struct rh_process rows[TRACK_EVENTS];
	struct rh_system system = {.sample_id = 1, .boottime_ns = scene->now_ns, .realtime_ns = onset_ns};
	struct storage_pause row;
	json_t *document;

	for (uint32_t i = 0; i < TRACK_EVENTS; i++) {
		rows[i] = (struct rh_process){.pid = i + 1, .start_time_ns = i * UINT64_C(100000000) + 1, .score = 80};
		rh_set(rows[i].present, RH_F_pid);
		rh_set(rows[i].present, RH_F_start_time_ns);
		rh_set(rows[i].present, RH_F_score);
	}
	const struct track_sample sample = {.system = &system, .rows = rows, .count = TRACK_EVENTS, .complete = true};
	track_step(scene->track, &sample);
	assert_int_equal(scene->track->open_count, TRACK_EVENTS);
	uint64_t before_ns = clock_now_ns(CLOCK_MONOTONIC);
	take_new(scene, 1, PAUSE_STATE_final);
	flush(scene);
	print_message("a finding beside %d new events is stored after %.1f ms\n", TRACK_EVENTS,
	        (double)(clock_now_ns(CLOCK_MONOTONIC) - before_ns) / NS_PER_MS);
	assert_int_equal(find(scene, 1, &row, &document), 1);
	json_decref(document);
}

/* ---- numbers and counts ---- */

static void numbers(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(pauses_next_number(scene->pauses, scene->persist.storage, boot), 1);
	assert_int_equal(pauses_next_number(scene->pauses, NULL, boot), 0);
	take_new(scene, 7, PAUSE_STATE_final);
	assert_int_equal(pauses_next_number(scene->pauses, scene->persist.storage, boot), 8); /* it waits, but it has its number */
	flush(scene);
	assert_int_equal(pauses_next_number(scene->pauses, scene->persist.storage, boot), 8);
	assert_int_equal(pauses_next_number(scene->pauses, scene->persist.storage, "another"), 1);
}

static uint32_t today(struct scene *scene, uint32_t number, enum pause_state state, enum pause_class class)
{
	struct pause *pause = make(scene, number, state);

	pause->class = (uint8_t) class;
	take(scene, pause);
	return pause->same_class_today;
}

static void same_class_today(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(today(scene, 1, PAUSE_STATE_final, PAUSE_CLASS_cpu), 1);
	assert_int_equal(today(scene, 2, PAUSE_STATE_interim, PAUSE_CLASS_cpu), 2); /* the first is not even stored yet */
	flush(scene);
	assert_int_equal(today(scene, 2, PAUSE_STATE_interim, PAUSE_CLASS_cpu), 2);
	assert_int_equal(today(scene, 2, PAUSE_STATE_final, PAUSE_CLASS_io), 1);  /* it is another kind now */
	assert_int_equal(today(scene, 3, PAUSE_STATE_merged, PAUSE_CLASS_io), 1); /* part of another pause: none of its own */
	flush(scene);
	assert_int_equal(today(scene, 4, PAUSE_STATE_final, PAUSE_CLASS_cpu), 2);
	assert_int_equal(today(scene, 4, PAUSE_STATE_final, PAUSE_CLASS_cpu), 2);
	flush(scene);
	assert_int_equal(today(scene, 2, PAUSE_STATE_final, PAUSE_CLASS_io), 1);
	struct pause *late = make(scene, 9000, PAUSE_STATE_final); /* 25 hours later */
	take(scene, late);
	assert_int_equal(late->same_class_today, 1);
	struct pause_facts facts = {0};
	pauses_take(scene->pauses, make(scene, 9001, PAUSE_STATE_final), &facts, NULL, scene->now_ns);
	assert_int_equal(scene->pause.same_class_today, 0); /* nobody can be asked */
}

/* ---- the log ---- */

static void one_line_for_what_is_new(void **state)
{
	struct scene *scene = *state;
	struct pause *pause;

	for (int i = 0; i < 5; i++)
		take_new(scene, 1, PAUSE_STATE_interim);
	assert_int_equal(lines(scene), 1);
	pause = make(scene, 1, PAUSE_STATE_interim);
	pause->class = PAUSE_CLASS_io;
	take(scene, pause);
	assert_int_equal(lines(scene), 2); /* another class */
	pause->culprits[0].pid = 813;
	take(scene, pause);
	assert_int_equal(lines(scene), 3); /* another culprit */
	pause->culprits[0].role = PAUSE_ROLE_candidate;
	take(scene, pause);
	assert_int_equal(lines(scene), 4); /* nobody any more */
	pause->culprits[0].pid = 814;
	take(scene, pause);
	assert_int_equal(lines(scene), 4); /* and still nobody */
	pause->state = PAUSE_STATE_final;
	take(scene, pause);
	assert_int_equal(lines(scene), 5);
	pause->duration_ns += pause->duration_ns / 2;
	take(scene, pause);
	assert_int_equal(lines(scene), 5);
	pause->duration_ns *= 2; /* it went on and on */
	take(scene, pause);
	assert_int_equal(lines(scene), 6);
	take_new(scene, 2, PAUSE_STATE_final);
	assert_int_equal(lines(scene), 7);
	assert_int_equal(times_logged(scene, "\"culprit\":\"updatedb[812]\""), 4);
}

static void group_that_changes(void **state)
{
	struct scene *scene = *state;
	struct pause *pause = make(scene, 1, PAUSE_STATE_interim);

	pause->culprits[0].kind = PAUSE_KIND_group;
	pause->culprits[0].ancestor_pid = 5;
	for (uint32_t i = 0; i < 5; i++) {
		pause->culprits[0].pid = 100 + i;
		pause->culprits[0].process_count = 40 + i;
		take(scene, pause);
	}
	assert_int_equal(lines(scene), 1);
	pause->culprits[0].ancestor_pid = 6;
	take(scene, pause);
	assert_int_equal(lines(scene), 2);
}

static void levels(void **state)
{
	struct scene *scene = *state;
	struct pause *pause = make(scene, 1, PAUSE_STATE_final);

	pause->duration_ns = NS_PER_S - 1;
	take(scene, pause);
	assert_int_equal(times_logged(scene, "\"level\":\"info\",\"program\":\"tracker\""), times_logged(scene, "\"program\":\"tracker\""));
	assert_int_equal(times_logged(scene, "\"level\":\"warning\""), 0);
	pause = make(scene, 2, PAUSE_STATE_final);
	pause->duration_ns = NS_PER_S;
	take(scene, pause);
	assert_int_equal(times_logged(scene, "\"level\":\"warning\""), 1);
	pause = make(scene, 3, PAUSE_STATE_final);
	pause->class = PAUSE_CLASS_suspend;
	pause->duration_ns = 3600 * (uint64_t)NS_PER_S;
	take(scene, pause);
	assert_int_equal(times_logged(scene, "\"level\":\"warning\""), 1);
	assert_int_equal(lines(scene), 3);
	assert_int_equal(times_logged(scene, "\"duration_us\":1000000"), 1);
}

/* More pauses than are remembered: the newest are. */
static void many(void **state)
{
	struct scene *scene = *state;

	for (uint32_t number = 1; number <= 3 * PAUSES_KNOWN; number++) {
		take_new(scene, number, PAUSE_STATE_final);
		take_new(scene, number, PAUSE_STATE_final);
	}
	assert_int_equal(lines(scene), 3 * PAUSES_KNOWN);
	assert_int_equal(scene->pauses->found_count, 6 * PAUSES_KNOWN);
	assert_int_equal(scene->pauses->dropped_count, 3 * PAUSES_KNOWN - PAUSES_QUEUE);
}

/* ---- notifications ---- */

static void only_what_lasts(void **state)
{
	struct scene *scene = *state;
	struct pause *pause;

	take_new(scene, 1, PAUSE_STATE_interim);
	scene->now_ns += 199 * (uint64_t)NS_PER_MS;
	take_new(scene, 1, PAUSE_STATE_interim);
	assert_int_equal(scene->notify.waiting, 0);
	pause = make(scene, 1, PAUSE_STATE_interim);
	pause->class = PAUSE_CLASS_io; /* it thinks otherwise: all begins anew */
	scene->now_ns += 199 * (uint64_t)NS_PER_MS;
	take(scene, pause);
	assert_int_equal(scene->notify.waiting, 0);
	scene->now_ns += 200 * (uint64_t)NS_PER_MS;
	take(scene, pause);
	assert_int_equal(scene->notify.waiting, 1);
	assert_string_equal(scene->notify.queue[0].class, "io");
	take(scene, pause);
	take_new(scene, 1, PAUSE_STATE_final);
	assert_int_equal(scene->notify.waiting, 1); /* once for each pause */
	take_new(scene, 2, PAUSE_STATE_final);
	assert_int_equal(scene->notify.waiting, 2); /* what is final need not wait */
	pause = make(scene, 3, PAUSE_STATE_final);
	pause->duration_ns = 199 * (uint64_t)NS_PER_MS; /* shorter than notify.least */
	take(scene, pause);
	take_new(scene, 4, PAUSE_STATE_merged);
	assert_int_equal(scene->notify.waiting, 2);
	pause = make(scene, 3, PAUSE_STATE_final); /* it went on */
	take(scene, pause);
	assert_int_equal(scene->notify.waiting, 3);
}

static void nobody_to_tell(void **state)
{
	struct scene *scene = *state;
	struct pauses *quiet = pauses_new(&scene->config, NULL, NULL);
	struct pause_facts facts = {0};

	pauses_take(quiet, make(scene, 1, PAUSE_STATE_final), &facts, NULL, scene->now_ns);
	assert_int_equal(lines(scene), 1);
	pauses_free(&quiet); /* with what waits in it */
	assert_null(quiet);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(stored),
	        TEST(replaced),
	        TEST(ring_that_ended),
	        TEST(database_that_takes_nothing),
	        TEST(flood_of_events),
	        TEST(numbers),
	        TEST(same_class_today),
	        TEST(one_line_for_what_is_new),
	        TEST(group_that_changes),
	        TEST(levels),
	        TEST(many),
	        TEST(only_what_lasts),
	        TEST(nobody_to_tell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
