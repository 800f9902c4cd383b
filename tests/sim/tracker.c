/*
 * The real rh-tracker behind a collector that the test plays: trackers and collectors that are killed and come back, reboots, samples that
 * come too fast. After each the database holds each event once, with the right begin, peak and end.
 */
#include "tests/support/ring.h"
#include "tests/unit/storage_fixture.h"

#include "base/clock.h"
#include "rogue/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SLOTS = 64, HOG = 4242, PATIENCE_TRIES = 3000 };

static const char first_boot[] = "11111111-1111-1111-1111-111111111111", second_boot[] = "22222222-2222-2222-2222-222222222222";

struct play {
	struct fixture *fixture; /* of the folder alone: the tracker is who writes */
	char instance[65], log[300];
	struct ring_writer *writer;
	pid_t tracker;
	uint64_t newest;
};

/* ---- the stage ---- */

static struct ring_writer *new_ring(const struct play *play, const char *boot)
{
	const struct ring_options options = {.instance = play->instance,
	        .slots = SLOTS,
	        .arena_bytes = 1 << 20,
	        .min_arena_bytes = 1 << 20,
	        .period_ns = UINT64_C(1000000) * RING_PERIOD_MS,
	        .group = UINT32_MAX,
	        .boot_id = boot};
	struct ring_writer *writer;
	char error[256];

	assert_int_equal(ring_create(&options, &writer, error), 0);
	return writer;
}

static int configuration(const struct play *play)
{
	char text[1000];
	int length = snprintf(text, sizeof(text),
	        "log.path=%s\nlog.heartbeat_samples=1\ntracker.exit_stability_samples=3\nstorage.machine_interval=1\n", play->log);
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, (size_t)length), length);
	return fd;
}

static void start_tracker(struct play *play)
{
	char program[600], line[16] = "";
	int config_fd = configuration(play), ready[2];

	snprintf(program, sizeof(program), "%s/rh-tracker", getenv("BIN"));
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	play->tracker = fork();
	if (play->tracker == 0) {
		dup2(config_fd, 10);
		dup2(ready[1], 11);
		execl(program, "rh-tracker", "--name", play->instance, "--db", play->fixture->path, "--config-fd", "10", "--ready-fd", "11",
		        (char *)NULL);
		_exit(127);
	}
	close(config_fd);
	close(ready[1]);
	assert_true(read(ready[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "ready\n");
	close(ready[0]);
}

static int stop_tracker(struct play *play, int signal_number)
{
	int status;

	kill(play->tracker, signal_number);
	assert_int_equal(waitpid(play->tracker, &status, 0), play->tracker);
	play->tracker = 0;
	return status;
}

static int begin(void **state)
{
	struct play *play = *state = calloc(1, sizeof(*play));
	const char *parent = getenv("TMPDIR");

	play->fixture = fixture_new(parent ? parent : "/tmp");
	ring_instance("tracker", play->instance);
	snprintf(play->log, sizeof(play->log), "%s/tracker.log", play->fixture->folder);
	return 0;
}

static int end(void **state)
{
	struct play *play = *state;

	if (play->tracker)
		stop_tracker(play, SIGKILL);
	ring_close(&play->writer);
	fixture_remove(play->fixture);
	free(play->fixture);
	free(play);
	return 0;
}

/* One sample with the hog at that score (below 0: it is not there) beside a quiet process. */
static void put(struct play *play, float score)
{
	struct rh_process processes[2] = {ring_process(HOG, "hog\033[31m", score), ring_process(7, "quiet", 1)};
	struct rh_system system = ring_system(score >= 40, score);
	unsigned there = score >= 0;

	play->newest = ring_put(play->writer, &system, processes + !there, 1 + there, 1 + there);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Waits until the tracker says that it has taken in the newest sample. */
static struct storage_state taken_in(const struct play *play)
{
	struct storage_options options = {.path = play->fixture->path, .mode = STORAGE_READ};
	char notice[STORAGE_TEXT_BYTES], error[STORAGE_TEXT_BYTES];
	struct rh_ring *ring;
	struct rh_info info;

	assert_int_equal(rh_open(play->instance, &ring, NULL), RH_OK);
	rh_info(ring, &info);
	rh_close(&ring);
	for (int i = 0; i < PATIENCE_TRIES; i++) {
		struct storage_state state = {0};
		struct storage *storage;
		if (storage_open(&options, &storage, notice, error) == 0)
			storage_state(storage, &state);
		storage_close(&storage);
		if (state.generation_id == info.generation && state.sample_id == play->newest)
			return state;
		nap();
	}
	fail_msg("the tracker never took in sample %llu", (unsigned long long)play->newest);
	return (struct storage_state){0};
}

/* All events, the newest first. Returns their number. */
static int events_of(const struct play *play, struct storage_event rows[8])
{
	struct storage *storage = fixture_reader(play->fixture);

	assert_non_null(storage);
	int count = storage_events(storage, &(struct storage_filter){0}, rows, 8);
	storage_close(&storage);
	return count;
}

static struct storage_event only_event(const struct play *play)
{
	struct storage_event rows[8];

	assert_int_equal(events_of(play, rows), 1);
	assert_true(rows[0].entry_boottime_ns <= rows[0].peak_boottime_ns);
	if (rows[0].state == STORAGE_event_closed)
		assert_true(rows[0].peak_boottime_ns <= rows[0].exit_boottime_ns);
	return rows[0];
}

/* ---- the plays ---- */

static void an_event_from_begin_to_end(void **state)
{
	struct play *play = *state;
	static const float scores[] = {10, 50, 75, 60, 20, 45, 10, 11, 12};
	unsigned kinds[STORAGE_SNAPSHOT_KINDS] = {0};

	start_tracker(play); /* before there is a ring */
	play->writer = new_ring(play, first_boot);
	for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++)
		put(play, scores[i]);
	struct storage_state tracker = taken_in(play);
	assert_int_equal(tracker.running, STORAGE_running_running);
	assert_int_equal(tracker.tracker_pid, play->tracker);
	assert_string_equal(tracker.boot_id, first_boot);
	assert_int_equal(tracker.open_count, 0);
	struct storage_event event = only_event(play);
	assert_int_equal(event.pid, HOG);
	assert_true(event.entry_score == 50 && event.peak_score == 75);
	assert_int_equal(event.peak_band, RH_BAND_critical);
	assert_int_equal(event.closed_by, STORAGE_closed_by_below);
	assert_int_equal(event.samples_count, 4);

	struct storage *storage = fixture_reader(play->fixture);
	struct storage_snapshot snapshots[16];
	int count = storage_snapshots(storage, event.id, 0, 0, snapshots, 16);
	for (int i = 0; i < count; i++) {
		kinds[snapshots[i].snapshot]++;
		if (snapshots[i].snapshot == STORAGE_snapshot_exit)
			assert_true(snapshots[i].process.score == 10);
		if (snapshots[i].snapshot == STORAGE_snapshot_peak)
			assert_true(snapshots[i].process.score == 75);
	}
	for (unsigned kind = 0; kind < STORAGE_SNAPSHOT_KINDS; kind++)
		assert_int_equal(kinds[kind], kind == STORAGE_snapshot_checkpoint ? 2 : 1); /* 75 and 60: every sample of these bands */
	struct storage_counts counts;
	assert_int_equal(storage_count(storage, &counts), 0);
	assert_int_equal(counts.machine_snapshots, 1);
	storage_close(&storage);

	assert_int_equal(stop_tracker(play, SIGTERM), 0);
	storage = fixture_reader(play->fixture);
	assert_int_equal(storage_state(storage, &tracker), 1);
	assert_int_equal(tracker.running, STORAGE_running_stopped);
	storage_close(&storage);
}

/* What the log tells has no control byte in it but the ends of lines. */
static void the_log_tells_it_harmlessly(void **state)
{
	struct play *play = *state;
	char text[16384] = "";

	play->writer = new_ring(play, first_boot);
	start_tracker(play);
	put(play, 80);
	put(play, -1);
	taken_in(play);
	stop_tracker(play, SIGINT);
	int fd = open(play->log, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_non_null(strstr(text, "\"event\":\"rogue_enter\""));
	assert_non_null(strstr(text, "\"event\":\"rogue_exit\""));
	assert_non_null(strstr(text, "\"event\":\"heartbeat\""));
	assert_non_null(strstr(text, "\"event\":\"tracker_stopped\""));
	for (const char *next = text; *next; next++)
		assert_true((unsigned char)*next >= ' ' || *next == '\n');
}

static void a_killed_tracker_goes_on(void **state)
{
	struct play *play = *state;

	play->writer = new_ring(play, first_boot);
	start_tracker(play);
	put(play, 50);
	put(play, 60);
	taken_in(play);
	struct storage_event before = only_event(play);
	stop_tracker(play, SIGKILL);
	put(play, 90); /* while nobody looks: the ring keeps it */
	put(play, 55);
	start_tracker(play);
	taken_in(play);
	struct storage_event event = only_event(play);
	assert_int_equal(event.id, before.id);
	assert_int_equal(event.state, STORAGE_event_open);
	assert_int_equal(event.entry_boottime_ns, before.entry_boottime_ns);
	assert_true(event.peak_score == 90);
	for (int i = 0; i < 3; i++)
		put(play, 5);
	assert_int_equal(taken_in(play).lost_count, 0);
	event = only_event(play);
	assert_int_equal(event.closed_by, STORAGE_closed_by_below);
	assert_int_equal(event.samples_count, 4);
}

static void who_died_meanwhile_is_found_dead(void **state)
{
	struct play *play = *state;

	play->writer = new_ring(play, first_boot);
	start_tracker(play);
	put(play, 50);
	taken_in(play);
	stop_tracker(play, SIGKILL);
	put(play, -1);
	start_tracker(play);
	taken_in(play);
	struct storage_event event = only_event(play);
	assert_int_equal(event.closed_by, STORAGE_closed_by_dead);
	assert_int_equal(event.exit_boottime_ns, event.last_boottime_ns);
}

/* Sample numbers begin at 1 again: with a stop in good order, and with a name that is taken over. */
static void another_collector_takes_over(void **state)
{
	struct play *play = *state;

	play->writer = new_ring(play, first_boot);
	start_tracker(play);
	put(play, 50);
	put(play, 51);
	taken_in(play);
	ring_close(&play->writer);
	play->writer = new_ring(play, first_boot);
	put(play, 60);
	taken_in(play);
	assert_true(only_event(play).peak_score == 60);

	struct ring_writer *replaced = play->writer;
	play->writer = new_ring(play, first_boot);
	put(play, 70);
	taken_in(play);
	ring_close(&replaced);
	struct storage_event event = only_event(play);
	assert_int_equal(event.state, STORAGE_event_open);
	assert_true(event.peak_score == 70);
	assert_int_equal(event.samples_count, 4);
}

static void a_reboot_closes_what_was_open(void **state)
{
	struct play *play = *state;
	struct storage_event rows[8];

	play->writer = new_ring(play, first_boot);
	start_tracker(play);
	put(play, 50);
	taken_in(play);
	stop_tracker(play, SIGKILL);
	ring_close(&play->writer);
	play->writer = new_ring(play, second_boot);
	put(play, 55); /* same pid, same start time: another process all the same */
	start_tracker(play);
	taken_in(play);
	assert_int_equal(events_of(play, rows), 2);
	assert_int_equal(rows[1].closed_by, STORAGE_closed_by_reboot);
	assert_string_equal(rows[1].boot_id, first_boot);
	assert_int_equal(rows[0].state, STORAGE_event_open);
	assert_string_equal(rows[0].boot_id, second_boot);
}

/* A tracker that is stopped for longer than the ring reaches back. */
static void lost_samples_are_counted(void **state)
{
	struct play *play = *state;

	play->writer = new_ring(play, first_boot);
	start_tracker(play);
	put(play, 50);
	taken_in(play);
	kill(play->tracker, SIGSTOP);
	for (int i = 0; i < 3 * SLOTS; i++)
		put(play, 60);
	kill(play->tracker, SIGCONT);
	struct storage_state tracker = taken_in(play);
	assert_true(tracker.lost_count >= 2 * SLOTS);
	assert_int_equal(tracker.lost_count + tracker.samples_count, play->newest);
	struct storage_event event = only_event(play);
	assert_int_equal(event.state, STORAGE_event_open);
	assert_true(event.peak_score == 60);
}

int main(void)
{
#define PLAY(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	        PLAY(an_event_from_begin_to_end),
	        PLAY(the_log_tells_it_harmlessly),
	        PLAY(a_killed_tracker_goes_on),
	        PLAY(who_died_meanwhile_is_found_dead),
	        PLAY(another_collector_takes_over),
	        PLAY(a_reboot_closes_what_was_open),
	        PLAY(lost_samples_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
