/*
 * The real rh-tracker and the real judge behind a collector that the test plays, in whose world the machine is suspended now and then: each suspend becomes
 * one pause, in the database, in the log, and told to a program; numbers go on over restarts of tracker and collector.
 */
#include "tests/support/ring.h"
#include "tests/unit/storage_fixture.h"

#include "base/clock.h"
#include "storage/pauses.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SLOTS = 256, PATIENCE_TRIES = 5000, PERIOD_MS = 200, QUIET_SAMPLES = 15 };

static const char boot[] = "11111111-1111-1111-1111-111111111111";

struct play {
	struct fixture *fixture; /* of the folder alone: the tracker is who writes */
	char instance[65], log[300], hook[300], told[300];
	const char *more; /* configuration */
	struct ring_writer *writer;
	pid_t tracker;
	uint64_t boottime_ns, monotonic_ns, realtime_ns;
};

/* ---- the stage ---- */

static void new_ring(struct play *play)
{
	const struct ring_options options = {.instance = play->instance,
	        .slots = SLOTS,
	        .arena_bytes = 1 << 20,
	        .min_arena_bytes = 1 << 20,
	        .period_ns = PERIOD_MS * (uint64_t)NS_PER_MS,
	        .group = UINT32_MAX,
	        .boot_id = boot};
	char error[256];

	ring_close(&play->writer);
	assert_int_equal(ring_create(&options, &play->writer, error), 0);
}

static int begin(void **state)
{
	struct play *play = *state = calloc(1, sizeof(*play));

	play->fixture = fixture_new("/tmp");
	ring_instance("pauses", play->instance);
	snprintf(play->log, sizeof(play->log), "%s/tracker.log", play->fixture->folder);
	snprintf(play->hook, sizeof(play->hook), "%s/hook", play->fixture->folder);
	snprintf(play->told, sizeof(play->told), "%s/told", play->fixture->folder);
	play->boottime_ns = clock_now_ns(CLOCK_BOOTTIME);
	play->monotonic_ns = clock_now_ns(CLOCK_MONOTONIC);
	play->realtime_ns = clock_now_ns(CLOCK_REALTIME);
	play->more = "";
	new_ring(play);
	return 0;
}

static void start_tracker(struct play *play)
{
	char program[600], text[1500], line[16] = "";
	int config_fd = memfd_create("config", MFD_CLOEXEC), ready[2];
	int length =
	        snprintf(text, sizeof(text), "log.path=%s\nnotify.command=%s\nnotify.journal=off\n%s", play->log, play->hook, play->more);

	assert_int_equal(write(config_fd, text, (size_t)length), length);
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
	close(ready[0]);
}

static void stop_tracker(struct play *play, int signal_number)
{
	int status;

	kill(play->tracker, signal_number);
	assert_int_equal(waitpid(play->tracker, &status, 0), play->tracker);
	assert_int_equal(status, signal_number == SIGKILL ? SIGKILL : 0);
	play->tracker = 0;
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

/* The next sample; the machine slept before it for so long. */
static void put(struct play *play, uint64_t slept_ns)
{
	struct rh_process process = ring_process(7, "quiet", 1);
	struct rh_system system = ring_system(0, 1);

	play->boottime_ns += PERIOD_MS * (uint64_t)NS_PER_MS + slept_ns;
	play->realtime_ns += PERIOD_MS * (uint64_t)NS_PER_MS + slept_ns;
	play->monotonic_ns += PERIOD_MS * (uint64_t)NS_PER_MS;
	RING_SET(&system, RH_S_, boottime_ns, play->boottime_ns);
	RING_SET(&system, RH_S_, realtime_ns, play->realtime_ns);
	RING_SET(&system, RH_S_, monotonic_ns, play->monotonic_ns);
	ring_put(play->writer, &system, &process, 1, 1);
}

static void suspend(struct play *play, unsigned hours)
{
	for (int i = 0; i < QUIET_SAMPLES; i++)
		put(play, 0);
	put(play, hours * UINT64_C(3600) * NS_PER_S);
	for (int i = 0; i < QUIET_SAMPLES; i++)
		put(play, 0);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Pauses in the database, the newest first, when there are so many that are final. */
static void pauses_of(const struct play *play, int count, struct storage_pause rows[8])
{
	const struct storage_options options = {.path = play->fixture->path, .mode = STORAGE_READ};
	char notice[STORAGE_TEXT_BYTES], error[STORAGE_TEXT_BYTES];
	int found = 0;

	for (int i = 0; i < PATIENCE_TRIES; i++) {
		struct storage *storage;
		int finals = 0;
		if (storage_open(&options, &storage, notice, error) == 0)
			found = storage_pauses(storage, &(struct storage_pause_filter){0}, rows, 8);
		storage_close(&storage);
		for (int j = 0; j < found; j++)
			finals += strcmp(rows[j].state, "final") == 0;
		if (found == count && finals == count)
			return;
		nap();
	}
	fail_msg("%d pauses, not %d", found, count);
}

static void read_text(const char *path, char text[16384])
{
	int fd = open(path, O_RDONLY);
	ssize_t length = fd >= 0 ? read(fd, text, 16383) : 0;

	text[length > 0 ? length : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static unsigned times(const char *path, const char *what)
{
	static char text[16384];
	unsigned count = 0;

	read_text(path, text);
	for (const char *next = text; (next = strstr(next, what)); next++)
		count++;
	return count;
}

/* ---- the plays ---- */

static void a_suspend(void **state)
{
	struct play *play = *state;
	struct storage_pause rows[8];
	char *document;

	FILE *hook = fopen(play->hook, "we");
	assert_non_null(hook);
	fprintf(hook, "#!/bin/sh\necho \"$RH_CLASS|$RH_PAUSE_ID|$1\" >>'%s'\n", play->told);
	fclose(hook);
	assert_int_equal(chmod(play->hook, 0700), 0);
	start_tracker(play);
	suspend(play, 8);
	pauses_of(play, 1, rows);
	assert_string_equal(rows[0].class, "suspend");
	assert_string_equal(rows[0].boot_id, boot);
	assert_int_equal(rows[0].number, 1);
	assert_true(rows[0].duration_ns >= 8 * UINT64_C(3600) * NS_PER_S && rows[0].duration_ns < 9 * UINT64_C(3600) * NS_PER_S);
	assert_non_null(strstr(rows[0].sentence, "it was suspended, nobody's fault"));
	struct storage *storage = fixture_reader(play->fixture);
	assert_int_equal(storage_pause_find(storage, &(struct storage_pause_key){.number = 1}, &rows[1], &document), 1);
	storage_close(&storage);
	json_t *pause = json_loads(document, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(pause, "sentence")), rows[0].sentence);
	assert_true(strlen(json_string_value(json_object_get(pause, "host"))) > 0); /* of this machine, whatever the ring says */
	json_decref(pause);
	free(document);
	for (int i = 0; i < PATIENCE_TRIES && times(play->told, "\n") == 0; i++) {
		put(play, 0); /* it is with samples that programs are seen to */
		nap();
	}
	assert_int_equal(times(play->told, "suspend|11111111-1|This machine paused for 8 h"), 1);
	stop_tracker(play, SIGTERM);
	assert_int_equal(times(play->told, "\n"), 1);
	assert_in_range(times(play->log, "\"event\":\"pause\""), 1, 2); /* it may be told for the time being too */
	assert_int_equal(times(play->log, "\"event\":\"pause\",\"message\":\"This machine paused for 8 h"), 1);
	assert_int_equal(times(play->log, "\"level\":\"warning\""), 0);
}

/* Tracker and collector come and go, in good order and not; every suspend is there once, under a number of its own. */
static void numbers_go_on(void **state)
{
	struct play *play = *state;
	struct storage_pause rows[8];

	play->more = "notify.command=\n";
	start_tracker(play);
	suspend(play, 1);
	pauses_of(play, 1, rows);
	stop_tracker(play, SIGTERM);
	start_tracker(play);
	suspend(play, 2);
	pauses_of(play, 2, rows);
	stop_tracker(play, SIGKILL);
	start_tracker(play);
	suspend(play, 3);
	pauses_of(play, 3, rows);
	new_ring(play);
	suspend(play, 4);
	pauses_of(play, 4, rows);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(rows[i].number, 4 - i);
		assert_true(rows[i].duration_ns / (UINT64_C(3600) * NS_PER_S) == 4 - i);
	}
}

static void not_wanted(void **state)
{
	struct play *play = *state;
	struct storage_pause rows[8];

	play->more = "pause.enabled=false\n";
	start_tracker(play);
	suspend(play, 1);
	put(play, 0);
	stop_tracker(play, SIGTERM);
	pauses_of(play, 0, rows);
	assert_int_equal(times(play->log, "\"event\":\"pause\""), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_suspend),
	        TEST(numbers_go_on),
	        TEST(not_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
