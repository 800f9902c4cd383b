/*
 * Regressions 12 and 18, seen from the tracker: while the disk is full, or a reader holds the write-ahead log, events go on in memory; the
 * pause is told once; with room again everything that was kept arrives. A database that turns out damaged is kept aside, and what is in memory goes
 * into the new one. Time is the test's own.
 */
#include "readers/tracker/persist.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct scene {
	struct fixture *fixture;
	struct config config;
	struct track *track;
	struct feed *feed;
	struct persist persist;
	char folder[200], log[400], filler[400]; /* the log lies on another disk */
	uint64_t now_ns, sample_id;
};

static const char *small_disk; /* NULL where none could be mounted */

/* ---- the scene ---- */

static void start(struct scene *scene)
{
	char error[STORAGE_TEXT_BYTES];
	const struct log_options log = {.program = "tracker", .path = scene->log, .level = LOG_INFO_, .max_bytes = 1 << 20, .keep = 1};

	config_defaults(&scene->config);
	scene->config.storage_wal_mib = 1;
	scene->config.log_heartbeat_samples = 1;
	scene->track = track_new(&scene->config);
	scene->feed = feed_new(NULL);
	scene->now_ns = clock_now_ns(CLOCK_BOOTTIME);
	assert_int_equal(log_open(&log, error), 0);
	assert_int_equal(persist_open(&scene->persist, &scene->config, scene->fixture->path, error), 0);
	scene->feed->info = (struct rh_info){.generation = 1, .boot_id = "11111111-1111-1111-1111-111111111111"};
	persist_attached(&scene->persist, scene->track, scene->feed);
}

static int begin_in(void **state, const char *parent)
{
	struct scene *scene = *state = calloc(1, sizeof(*scene));
	const char *logs = getenv("TMPDIR");

	scene->fixture = fixture_new(parent);
	snprintf(scene->filler, sizeof(scene->filler), "%s/filler", scene->fixture->folder);
	snprintf(scene->folder, sizeof(scene->folder), "%s/rh-pause-XXXXXX", logs ? logs : "/tmp");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->log, sizeof(scene->log), "%s/log", scene->folder);
	return 0;
}

static int begin(void **state)
{
	const char *parent = getenv("TMPDIR");
	return begin_in(state, parent ? parent : "/tmp");
}

static int begin_small(void **state)
{
	return begin_in(state, small_disk ? small_disk : "/tmp");
}

static int end(void **state)
{
	struct scene *scene = *state;

	storage_close(&scene->persist.storage);
	log_close();
	unlink(scene->log);
	rmdir(scene->folder);
	track_free(&scene->track);
	feed_free(&scene->feed);
	fixture_remove(scene->fixture);
	free(scene->fixture);
	free(scene);
	return 0;
}

/* A sample 200 ms later in which process n scores so much, written as the tracker does. */
static void sample(struct scene *scene, uint32_t n, float score)
{
	struct rh_process *process = &scene->feed->rows[0];

	scene->now_ns += 200 * UINT64_C(1000000);
	*process = (struct rh_process){.pid = n, .start_time_ns = n * UINT64_C(1000000000), .score = score};
	snprintf(process->command, sizeof(process->command), "hog%u", n);
	for (unsigned id = 0; id < RH_FIELD_IDS; id++)
		if (id == RH_F_pid || id == RH_F_start_time_ns || id == RH_F_score || id == RH_F_command)
			rh_set(process->present, id);
	scene->feed->system = (struct rh_system){
	        .sample_id = ++scene->sample_id, .boottime_ns = scene->now_ns, .realtime_ns = clock_now_ns(CLOCK_REALTIME)};
	scene->feed->sample = (struct track_sample){.system = &scene->feed->system, .rows = process, .count = 1, .complete = true};
	track_step(scene->track, &scene->feed->sample);
	for (struct track_event *event = track_next(scene->track, NULL); event; event = track_next(scene->track, event))
		track_reported(scene->track, event);
	persist_sample(&scene->persist, scene->feed);
	persist_flush(&scene->persist, scene->track, scene->now_ns);
}

static void fill_disk(const struct scene *scene)
{
	char block[4096] = {1};
	int fd = open(scene->filler, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static unsigned times_logged(const struct scene *scene, const char *text)
{
	static char log[1 << 16];
	unsigned found = 0;
	int fd = open(scene->log, O_RDONLY);
	ssize_t length = read(fd, log, sizeof(log) - 1);

	close(fd);
	log[length > 0 ? length : 0] = '\0';
	for (const char *next = log; (next = strstr(next, text)); next++)
		found++;
	return found;
}

/* Every process from 1 to n has its one event with its peak. */
static void check_all_there(struct scene *scene, uint32_t n)
{
	struct storage_filter filter = {0};
	struct storage_event rows[64];
	uint32_t wanted = n;
	int count;

	while ((count = storage_events(scene->persist.storage, &filter, rows, 64)) > 0)
		for (int i = 0; i < count; i++) {
			assert_int_equal(rows[i].pid, wanted--);
			assert_true(rows[i].peak_score == 80);
			filter.before_id = rows[i].id;
		}
	assert_int_equal(count, 0);
	assert_int_equal(wanted, 0);
}

/* ---- what happens ---- */

static void full_disk(void **state)
{
	struct scene *scene = *state;
	uint32_t n = 0;

	if (!small_disk)
		skip();
	start(scene);
	sample(scene, ++n, 80);
	assert_false(scene->persist.paused);
	fill_disk(scene);
	for (int i = 0; i < 200 && !scene->persist.paused; i++)
		sample(scene, ++n, 80);
	assert_true(scene->persist.paused);
	assert_non_null(strstr(scene->persist.state.reason, strerror(ENOSPC)));
	for (int i = 0; i < 50; i++) /* ten seconds, ten tries */
		sample(scene, ++n, 80);
	assert_true(scene->persist.paused);
	struct storage *reader = fixture_reader(scene->fixture);
	struct storage_state tracker;
	assert_int_equal(storage_state(reader, &tracker), 1); /* others can see it, though the disk is full */
	assert_int_equal(tracker.persistence, STORAGE_persistence_paused);
	assert_int_equal(tracker.paused_realtime_ns, scene->persist.state.paused_realtime_ns);
	assert_string_equal(tracker.reason, scene->persist.state.reason);
	assert_int_equal(times_logged(scene, "persistence_paused"), 1);
	assert_int_equal(scene->track->dropped_events, 0);
	unlink(scene->filler);
	sample(scene, n, 80);
	for (int i = 0; i < 5; i++)
		sample(scene, n, 80);
	assert_false(scene->persist.paused);
	assert_int_equal(times_logged(scene, "persistence_resumed"), 1);
	check_all_there(scene, n);
	assert_int_equal(storage_state(reader, &tracker), 1);
	storage_close(&reader);
	assert_int_equal(tracker.persistence, STORAGE_persistence_ok);
	assert_non_null(strstr(tracker.reason, strerror(ENOSPC)));
	assert_true(tracker.resumed_realtime_ns >= tracker.paused_realtime_ns);
}

/* It starts on a full disk: no database can be made, events are tracked all the same. */
static void full_disk_at_start(void **state)
{
	struct scene *scene = *state;
	uint32_t n = 0;

	if (!small_disk)
		skip();
	fill_disk(scene);
	start(scene);
	assert_true(scene->persist.paused);
	for (int i = 0; i < 10; i++)
		sample(scene, ++n, 80);
	assert_null(scene->persist.storage);
	unlink(scene->filler);
	for (int i = 0; i < 6; i++)
		sample(scene, n, 80);
	assert_false(scene->persist.paused);
	check_all_there(scene, n);
}

/* Others can see the pause in the database itself. */
static void reader_that_holds_the_log(void **state)
{
	struct scene *scene = *state;
	struct storage_state tracker;
	sqlite3 *reader;
	uint32_t n = 0;

	start(scene);
	sample(scene, ++n, 80);
	assert_int_equal(sqlite3_open(scene->fixture->path, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM process_events", NULL, NULL, NULL), SQLITE_OK);
	while (n < 2000 && !scene->persist.paused)
		sample(scene, ++n, 80);
	assert_true(scene->persist.paused);
	assert_int_equal(storage_state(scene->persist.storage, &tracker), 1);
	assert_int_equal(tracker.persistence, STORAGE_persistence_paused);
	assert_non_null(strstr(tracker.reason, "a reader holds"));
	uint64_t bytes = storage_wal_bytes(scene->persist.storage);
	for (int i = 0; i < 100; i++)
		sample(scene, ++n, 80);
	assert_int_equal(storage_wal_bytes(scene->persist.storage), bytes);
	sqlite3_close(reader);
	for (int i = 0; i < 6; i++)
		sample(scene, n, 80);
	assert_false(scene->persist.paused);
	check_all_there(scene, n);
}

static void a_day_of_pause_is_bounded(void **state)
{
	struct scene *scene = *state;
	uint32_t n = 0;

	if (!small_disk)
		skip();
	start(scene);
	sample(scene, ++n, 80);
	fill_disk(scene);
	for (int i = 0; i < 3 * TRACK_EVENTS; i++)
		sample(scene, ++n, 80);
	assert_true(scene->track->dropped_events > 0);
	unlink(scene->filler);
	for (int i = 0; i < 6; i++)
		sample(scene, n, 80);
	struct storage_state tracker;
	struct storage_counts counts;
	assert_int_equal(storage_state(scene->persist.storage, &tracker), 1);
	assert_true(tracker.dropped_count >= scene->track->dropped_events);
	assert_int_equal(storage_count(scene->persist.storage, &counts), 0);
	assert_int_equal(counts.events + scene->track->dropped_events, n);
}

/* Damage under a running tracker: the pages of the file turn to rubbish. */
static void damage_while_running(void **state)
{
	struct scene *scene = *state;
	struct stat status;
	char rubbish[4096];

	start(scene);
	for (uint32_t n = 1; n <= 40; n++)
		sample(scene, n, 80);
	struct storage *storage = scene->persist.storage;
	storage_close(&storage);
	scene->persist.storage = NULL; /* so that nothing of the file is in memory */
	assert_int_equal(stat(scene->fixture->path, &status), 0);
	int fd = open(scene->fixture->path, O_WRONLY);
	memset(rubbish, 0x5a, sizeof(rubbish));
	for (off_t at = 2 * 4096; at < status.st_size; at += 4096)
		assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), at), sizeof(rubbish));
	close(fd);
	for (uint32_t n = 41; n <= 60; n++)
		sample(scene, n, 80);
	assert_false(scene->persist.paused);
	assert_true(times_logged(scene, "database_kept_aside") >= 1);
	struct storage_event rows[64];
	int count = storage_events(scene->persist.storage, &(struct storage_filter){0}, rows, 64);
	assert_in_range(count, 20, 21); /* 40 was still open when the file was lost */
	assert_int_equal(rows[0].pid, 60);
}

int main(void)
{
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	        mount("small", "/mnt", "tmpfs", 0, "size=4m,mode=0755") == 0)
		small_disk = "/mnt";
	else
		printf("without a full disk: no right to mount a small file system (%s)\n", strerror(errno));
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(full_disk, begin_small, end),
	        cmocka_unit_test_setup_teardown(full_disk_at_start, begin_small, end),
	        cmocka_unit_test_setup_teardown(a_day_of_pause_is_bounded, begin_small, end),
	        cmocka_unit_test_setup_teardown(reader_that_holds_the_log, begin, end),
	        cmocka_unit_test_setup_teardown(damage_while_running, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
