/*
 * `rogue-hunter status`: the collector's health from a ring, the tracker's from a database, and the exit code for each state.
 */
#include "readers/status/status.h"

#include "base/clock.h"
#include "storage/storage.h"
#include "tests/support/capture.h"
#include "tests/support/ring.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char instance[65], folder[64], database[128];

static void put_samples(struct ring_writer *writer)
{
	struct rh_process rogue = ring_process(10, "hog", 80);
	struct rh_system system = ring_system(1, 80);

	RING_SET(&system, RH_S_, ticks_missed_count, 3);
	RING_SET(&system, RH_S_, degraded, RH_DEGRADED_slower_rate | RH_DEGRADED_fewer_files);
	for (int i = 0; i < 4; i++) {
		system.monotonic_ns += 200000000;
		system.self_cpu_ns += 1000000; /* half a percent */
		ring_put(writer, &system, &rogue, 1, 341);
	}
}

/* A database as a tracker of that pid and boot leaves it, with one open event more. */
static void put_database(uint32_t tracker_pid, const char *boot_id)
{
	static uint64_t processes; /* each call's event is of another process */
	const struct storage_options options = {.path = database, .mode = STORAGE_TRACK};
	struct storage_event event = {.pid = 10, .start_time_ns = ++processes, .state = STORAGE_event_open, .peak_score = 80};
	struct storage_state tracker = {.id = 1, .tracker_pid = tracker_pid, .running = 1, .samples_count = 4711, .open_count = 1};
	char notice[STORAGE_TEXT_BYTES], error[STORAGE_TEXT_BYTES];
	struct storage *storage;
	uint64_t id;

	snprintf(tracker.boot_id, sizeof(tracker.boot_id), "%s", boot_id);
	snprintf(event.boot_id, sizeof(event.boot_id), "%s", boot_id);
	memcpy(event.command, "hog", 4);
	if (storage_open(&options, &storage, notice, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(storage_begin(storage, false), 0);
	if (storage_put_event(storage, &event, &id) != 0)
		fail_msg("%s", storage_error(storage));
	assert_int_equal(storage_put_state(storage, &tracker), 0);
	assert_int_equal(storage_commit(storage), 0);
	storage_close(&storage);
}

static int begin(void **state)
{
	(void)state;
	ring_instance("status", instance);
	snprintf(folder, sizeof(folder), "/tmp/rh-status-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(database, sizeof(database), "%s/events.db", folder);
	return 0;
}

static int end(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", "-lock"};
	char path[160];
	(void)state;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", database, suffixes[i]);
		unlink(path);
	}
	return rmdir(folder);
}

#define STATUS(...) \
	command_run(status_main, (const char *const[]){"status", "--name", instance, "--db", database __VA_OPT__(, ) __VA_ARGS__, NULL})

static json_t *status_json(int code)
{
	struct command_result status = STATUS("--json");
	json_error_t error;

	assert_int_equal(status.code, code);
	assert_string_equal(status.err, "");
	json_t *object = json_loads(status.out, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		fail_msg("%s: %s", error.text, status.out);
	command_forget(&status);
	return object;
}

static json_t *member(json_t *object, const char *outer, const char *inner)
{
	return json_object_get(json_object_get(object, outer), inner);
}

static void expect_text(int code, const char *const parts[])
{
	struct command_result status = STATUS();

	assert_int_equal(status.code, code);
	for (; *parts; parts++)
		if (!strstr(status.out, *parts))
			fail_msg("\"%s\" is not in: %s", *parts, status.out);
	command_forget(&status);
}

static void nothing_at_all(void **state)
{
	(void)state;
	expect_text(3, (const char *const[]){"collector  no daemon has published under ", "\ndatabase   ", NULL});
	json_t *object = status_json(3);
	assert_string_equal(json_string_value(json_object_get(object, "writer")), "NO_SEGMENT");
	assert_non_null(member(object, "database", "error"));
	assert_null(json_object_get(object, "system"));
	assert_null(json_object_get(object, "tracker"));
	json_decref(object);
}

static void be_named(const char *name)
{
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
}

static void a_running_daemon(void **state)
{
	struct ring_writer *writer = ring_begin(instance, 8);
	(void)state;

	put_samples(writer);
	be_named("rh-tracker");
	put_database((uint32_t)getpid(), "");
	expect_text(
	        0, (const char *const[]){"collector  running, pid ", "back end   procfs, best that this machine allows\n",
	                   "stress     critical, score 80 now, 80 at most in the last ", "; 1 rogue of 341 processes\n",
	                   "sampling   5.0 samples per second, late by 250us", "; 3 missed, 0 lost\n",
	                   "degraded   the interval is longer than configured\n", "degraded   not every process has its files kept open\n",
	                   "cost       0.50 % of a core, 8.0M of memory, ring of ", " with 4 samples\n", "events     1 open\n",
	                   "tracker    running, pid ", "4711 samples taken in, 0 lost as of ", "ago; writing: ok\n", NULL});

	json_t *object = status_json(0);
	assert_string_equal(json_string_value(json_object_get(object, "writer")), "RUNNING");
	assert_int_equal(json_integer_value(json_object_get(object, "writer_pid")), getpid());
	assert_int_equal(json_integer_value(member(object, "system", "ticks_missed_count")), 3);
	assert_int_equal(json_array_size(member(object, "system", "degraded")), 2);
	assert_int_equal(json_integer_value(member(object, "window", "samples_count")), 4);
	assert_int_equal((int)(json_number_value(member(object, "window", "self_cpu_pct")) * 100 + 0.5), 50);
	assert_int_equal(json_integer_value(member(object, "database", "open_count")), 1);
	assert_true(json_integer_value(member(object, "database", "size_bytes")) > 0);
	assert_true(json_is_true(member(object, "tracker", "running")));
	json_decref(object);
	be_named("cli_status");
	ring_close(&writer);
}

/* The kernel-direct back end at work, but for one of its parts. */
static void a_part_that_rests(void **state)
{
	struct ring_writer *writer = ring_begin(instance, 8);
	struct rh_system system = ring_system(0, 1);
	(void)state;

	RING_SET(&system, RH_S_, sampler, RH_SAMPLER_bpf);
	RING_SET(&system, RH_S_, signals,
	        ~(UINT64_C(1) << RH_SIGNAL_scheduler | UINT64_C(1) << RH_SIGNAL_psi_io | UINT64_C(1) << RH_SIGNAL_pmu));
	RING_SET(&system, RH_S_, degraded, RH_DEGRADED_no_scheduler | RH_DEGRADED_fewer_last_words);
	RING_SET(&system, RH_S_, hook_cost_ratio, 0.0042f);
	RING_SET(&system, RH_S_, self_kernel_bytes, 3 << 20);
	RING_SET(&system, RH_S_, events_lost_count, 17);
	RING_SET(&system, RH_S_, guard_class, RH_GUARD_CLASS_fifo);
	RING_SET(&system, RH_S_, guard_boosts_count, 3);
	RING_SET(&system, RH_S_, guard_lateness_ns, 90e3f);
	RING_SET(&system, RH_S_, canary_lateness_ns, 1.5e6f);
	RING_SET(&system, RH_S_, guard_cost_ratio, 0.0011f);
	ring_put(writer, &system, NULL, 0, 341);
	expect_text(0,
	        (const char *const[]){"back end   bpf, best that this machine allows\n",
	                "not seen   scheduler, psi_io; `rogue-hunter doctor` tells why\n",
	                "degraded   context switches are not watched, they would cost more than their budget\n",
	                "degraded   processes that came and went are summed up under their parents\n",
	                "0.42 % in the kernel's hooks, 8.0M of memory, 3.0M in the kernel, ring of ",
	                "\n           17 events of the kernel found no room\n",
	                "guard      real-time: other real-time threads can hold it up; 3 samples put ahead; a normal program waited up to "
	                "1.50ms for a cpu; 0.11 % of a core\n",
	                NULL});
	json_t *object = status_json(0), *missing = json_object_get(object, "not_seen");
	assert_int_equal(json_array_size(missing), 2);
	assert_string_equal(json_string_value(json_array_get(missing, 0)), "scheduler");
	assert_string_equal(json_string_value(json_array_get(missing, 1)), "psi_io");
	assert_true(json_array_size(member(object, "system", "signals")) > 15);
	assert_string_equal(json_string_value(member(object, "guard", "class")), "fifo");
	assert_string_equal(json_string_value(member(object, "system", "guard_class")), "fifo");
	assert_int_equal(json_integer_value(member(object, "guard", "boosts_count")), 3);
	assert_true(json_is_true(member(object, "guard", "canaries")));
	json_decref(object);

	/* A collector that says nothing of signals is not said to lack any. */
	system = ring_system(0, 1);
	ring_put(writer, &system, NULL, 0, 341);
	struct command_result status = STATUS();
	assert_null(strstr(status.out, "not seen"));
	assert_non_null(strstr(status.out, "guard      none: "));
	assert_null(strstr(status.out, "hooks"));
	command_forget(&status);
	object = status_json(0);
	assert_string_equal(json_string_value(member(object, "guard", "class")), "none");
	assert_null(member(object, "guard", "canaries"));
	json_decref(object);

	/* A guard alone. */
	RING_SET(&system, RH_S_, guard_class, RH_GUARD_CLASS_deadline);
	ring_put(writer, &system, NULL, 0, 341);
	expect_text(0, (const char *const[]){"guard      deadline: nothing above it; 0 samples put ahead; no canaries\n", NULL});
	ring_close(&writer);
}

/* A pid proves nothing: it may be another program's by now, or that of a tracker which has ended and was not waited for. */
static void a_pid_that_is_no_tracker(void **state)
{
	siginfo_t ended;
	(void)state;

	put_database((uint32_t)getpid(), "");
	expect_text(3, (const char *const[]){"tracker    died without closing", NULL});
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, "rh-tracker");
		_exit(0);
	}
	assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
	put_database((uint32_t)child, "");
	expect_text(3, (const char *const[]){"tracker    died without closing", NULL});
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_tracker_that_is_gone(void **state)
{
	struct ring_writer *writer = ring_begin(instance, 8);
	pid_t child = fork();
	(void)state;

	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	put_samples(writer);
	put_database((uint32_t)child, "");
	expect_text(0, (const char *const[]){"tracker    died without closing", NULL});
	json_t *object = status_json(0);
	assert_true(json_is_false(member(object, "tracker", "running")));
	json_decref(object);
	ring_close(&writer);
}

static void a_dead_collector(void **state)
{
	pid_t child = fork();
	(void)state;

	assert_true(child >= 0);
	if (child == 0) {
		put_samples(ring_begin(instance, 8));
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect_text(3, (const char *const[]){"collector  dead: the writer is gone without closing, pid ", "stress     critical", NULL});
	json_t *object = status_json(3);
	assert_string_equal(json_string_value(json_object_get(object, "writer")), "DEAD");
	assert_non_null(json_object_get(object, "system"));
	json_decref(object);
	ring_remove(instance);
}

static void a_database_that_is_none(void **state)
{
	struct ring_writer *writer = ring_begin(instance, 8);
	FILE *file = fopen(database, "w");
	(void)state;

	put_samples(writer);
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\033[2J\n", file);
	fclose(file);
	json_t *object = status_json(0); /* the daemon runs all the same */
	assert_non_null(member(object, "database", "error"));
	assert_null(member(object, "database", "open_count"));
	json_decref(object);
	ring_close(&writer);
}

static void mistakes(void **state)
{
	struct command_result status = STATUS("--jsom");
	(void)state;
	assert_int_equal(status.code, 2);
	command_forget(&status);
	status = STATUS("--help");
	assert_int_equal(status.code, 0);
	assert_memory_equal(status.out, "usage: rogue-hunter status ", 27);
	command_forget(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing_at_all),
	        cmocka_unit_test(a_running_daemon),
	        cmocka_unit_test(a_part_that_rests),
	        cmocka_unit_test(a_pid_that_is_no_tracker),
	        cmocka_unit_test(a_tracker_that_is_gone),
	        cmocka_unit_test(a_dead_collector),
	        cmocka_unit_test(a_database_that_is_none),
	        cmocka_unit_test(mistakes),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
