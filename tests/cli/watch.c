/*
 * `rogue-hunter watch` over a ring that a second process fills: a line for each sample, loss reported, every good and bad end.
 */
#include "readers/watch/watch.h"

#include "tests/support/ring.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char instance[65];

static void put_sample(struct ring_writer *writer)
{
	struct rh_process processes[3] = {
	        ring_process(10, "\033]0;evil\007", 80), ring_process(11, "second", 75), ring_process(12, "calm", 1)};
	struct rh_system system = ring_system(2, 80);
	ring_put(writer, &system, processes, 3, 3);
}

/* ---- a collector in a process of its own ---- */

static volatile sig_atomic_t told_to_stop;

static void on_terminate(int signal_number)
{
	(void)signal_number;
	told_to_stop = 1;
}

static void collect(int ready)
{
	struct sigaction stop = {.sa_handler = on_terminate};
	struct ring_writer *writer = ring_begin(instance, 8);

	sigaction(SIGTERM, &stop, NULL);
	put_sample(writer);
	assert_int_equal(write(ready, "", 1), 1);
	for (int i = 0; i < 3000 && !told_to_stop; i++) {
		usleep(RING_PERIOD_MS * 1000);
		put_sample(writer);
	}
	ring_close(&writer);
}

/* Publishes every period for at most a minute; SIGTERM ends it in good order. Returns after its first sample. */
static pid_t collector_begin(void)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		collect(ready[1]);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void collector_end(pid_t pid, int signal_number)
{
	kill(pid, signal_number);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- a watch in a process of its own, its output in pipes ---- */

struct watcher {
	pid_t pid;
	FILE *out, *err;
	char line[16384];
};

static void run_watch(const char *const options[], const int out[2], const int err[2])
{
	char *argv[16] = {strdup("watch"), strdup("--name"), strdup(instance)};
	int argc = 3;

	for (; *options && argc < 15; options++)
		argv[argc++] = strdup(*options);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	close(out[0]);
	close(out[1]);
	close(err[0]);
	close(err[1]);
	alarm(60); /* a test that hangs ends all the same */
	exit(watch_main(argc, argv));
}

static struct watcher watch_begin(const char *const options[])
{
	struct watcher watcher = {0};
	int out[2], err[2];

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	fflush(NULL);
	watcher.pid = fork();
	assert_true(watcher.pid >= 0);
	if (watcher.pid == 0)
		run_watch(options, out, err);
	close(out[1]);
	close(err[1]);
	watcher.out = fdopen(out[0], "r");
	watcher.err = fdopen(err[0], "r");
	return watcher;
}
#define WATCH(...) watch_begin((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static const char *next_line(struct watcher *watcher, FILE *stream)
{
	return fgets(watcher->line, sizeof(watcher->line), stream);
}

static json_t *next_object(struct watcher *watcher)
{
	json_error_t error;
	assert_non_null(next_line(watcher, watcher->out));
	json_t *object = json_loads(watcher->line, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		fail_msg("%s: %s", error.text, watcher->line);
	return object;
}

/* Exit code, or 128 + signal. */
static int watch_end(struct watcher *watcher)
{
	int status;
	if (watcher->out)
		fclose(watcher->out);
	if (watcher->err)
		fclose(watcher->err);
	assert_int_equal(waitpid(watcher->pid, &status, 0), watcher->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static json_int_t sample_of(json_t *object)
{
	return json_integer_value(json_object_get(object, "sample"));
}

/* ---- tests ---- */

static void a_line_for_each_sample(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH("--count", "3");
	(void)state;

	for (int i = 0; i < 3; i++) {
		assert_non_null(next_line(&watcher, watcher.out));
		assert_non_null(strstr(watcher.line, "  critical  80  "));
		assert_non_null(strstr(watcher.line, "  ?]0;evil?[10] 80 critical"));
		assert_null(strpbrk(watcher.line, "\033\007"));
	}
	assert_null(next_line(&watcher, watcher.out));
	assert_int_equal(watch_end(&watcher), 0);
	collector_end(collector, SIGTERM);
}

static void numbers_rise_by_one_and_loss_is_said(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH("--json", "--count", "20");
	json_int_t before = 0;
	(void)state;

	for (int i = 0; i < 20; i++) {
		json_t *object = next_object(&watcher);
		json_int_t lost = json_integer_value(json_object_get(object, "lost"));
		if (before > 0)
			assert_int_equal(sample_of(object), before + 1 + lost);
		before = sample_of(object);
		json_t *processes = json_object_get(object, "processes");
		assert_int_equal(json_array_size(processes), 2); /* the rogue ones */
		assert_string_equal(json_string_value(json_object_get(json_array_get(processes, 0), "command")), "\033]0;evil\007");
		assert_string_equal(json_string_value(json_object_get(json_object_get(object, "system"), "stress")), "critical");
		json_decref(object);
	}
	assert_int_equal(watch_end(&watcher), 0);
	collector_end(collector, SIGTERM);
}

/* A watch that was stopped while the ring of eight was overwritten says how many samples it missed. */
static void a_stopped_watch_says_what_it_lost(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH("--json");
	json_int_t lost = 0, got = 1;
	(void)state;

	json_t *object = next_object(&watcher);
	json_int_t first = sample_of(object);
	json_decref(object);
	kill(watcher.pid, SIGSTOP);
	usleep(RING_PERIOD_MS * 1000 * 40); /* not a synchroniser: samples pass whether or not this suffices, see the loop */
	kill(watcher.pid, SIGCONT);
	for (int i = 0; i < 500 && lost == 0; i++) {
		object = next_object(&watcher);
		lost += json_integer_value(json_object_get(object, "lost"));
		got++;
		assert_int_equal(got + lost, sample_of(object) - first + 1);
		json_decref(object);
	}
	assert_true(lost > 0);
	kill(watcher.pid, SIGTERM);
	assert_int_equal(watch_end(&watcher), 0);
	collector_end(collector, SIGTERM);
}

static void only_some_fields(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH("--fields", "max_score,pid,command,stress", "--count", "1");
	(void)state;

	assert_non_null(next_line(&watcher, watcher.out));
	assert_string_equal(watcher.line, "max_score=80 stress=critical pid=10 command=?]0;evil?\n");
	assert_int_equal(watch_end(&watcher), 0);

	watcher = WATCH("--fields", "max_score,pid", "--json", "--count", "1");
	json_t *object = next_object(&watcher);
	assert_int_equal(json_object_size(json_object_get(object, "system")), 1);
	assert_int_equal(json_object_size(json_array_get(json_object_get(object, "processes"), 0)), 1);
	json_decref(object);
	assert_int_equal(watch_end(&watcher), 0);
	collector_end(collector, SIGTERM);
}

static void ended_by_a_signal(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	pid_t collector = collector_begin();
	(void)state;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct watcher watcher = WATCH();
		assert_non_null(next_line(&watcher, watcher.out)); /* its handlers stand */
		kill(watcher.pid, signals[i]);
		assert_int_equal(watch_end(&watcher), 0);
	}
	collector_end(collector, SIGTERM);
}

static void ended_by_a_closed_pipe(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH();
	(void)state;

	assert_non_null(next_line(&watcher, watcher.out));
	fclose(watcher.out);
	watcher.out = NULL;
	assert_null(next_line(&watcher, watcher.err)); /* without a word */
	assert_int_equal(watch_end(&watcher), 0);
	collector_end(collector, SIGTERM);
}

/* What the supervisor does after a crash: another collector takes the name, and the watch goes on with it. */
static void over_a_restart_of_the_collector(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH("--json");
	json_int_t before;
	bool began_anew = false;
	(void)state;

	for (int i = 0; i < 5; i++)
		json_decref(next_object(&watcher));
	collector_end(collector, SIGKILL);
	assert_non_null(next_line(&watcher, watcher.err));
	assert_string_equal(watcher.line, "rogue-hunter: the collector is dead: the writer is gone without closing; waiting for another\n");
	collector = collector_begin();
	json_t *object = next_object(&watcher);
	before = sample_of(object);
	json_decref(object);
	for (int i = 0; i < 50 && !began_anew; i++) {
		object = next_object(&watcher);
		began_anew = before == 1 || sample_of(object) < before;
		before = sample_of(object);
		json_decref(object);
	}
	assert_true(began_anew);
	kill(watcher.pid, SIGINT);
	assert_int_equal(watch_end(&watcher), 0);
	collector_end(collector, SIGTERM);
}

static void a_daemon_that_does_not_come_back(void **state)
{
	pid_t collector = collector_begin();
	struct watcher watcher = WATCH();
	(void)state;

	assert_non_null(next_line(&watcher, watcher.out));
	collector_end(collector, SIGTERM);
	assert_non_null(next_line(&watcher, watcher.err));
	assert_string_equal(watcher.line, "rogue-hunter: the collector is closed: the writer stopped; waiting for another\n");
	assert_non_null(next_line(&watcher, watcher.err));
	assert_string_equal(watcher.line, "rogue-hunter: no collector has come back\n");
	assert_int_equal(watch_end(&watcher), 3);
}

static void no_daemon(void **state)
{
	struct watcher watcher = WATCH();
	(void)state;

	assert_non_null(next_line(&watcher, watcher.err));
	assert_non_null(strstr(watcher.line, "rogue-hunter daemon"));
	assert_int_equal(watch_end(&watcher), 3);

	collector_end(collector_begin(), SIGKILL); /* one that died before the watch began */
	watcher = WATCH();
	assert_non_null(next_line(&watcher, watcher.err));
	assert_string_equal(watcher.line, "rogue-hunter: the collector is dead: the writer is gone without closing\n");
	assert_int_equal(watch_end(&watcher), 3);
	ring_remove(instance);
}

static void mistakes(void **state)
{
	struct watcher watcher = WATCH("--count", "0");
	(void)state;

	assert_non_null(next_line(&watcher, watcher.err));
	assert_int_equal(watch_end(&watcher), 2);
	watcher = WATCH("--fields", "pid,stres");
	assert_non_null(next_line(&watcher, watcher.err));
	assert_non_null(strstr(watcher.line, "did you mean stress?"));
	assert_int_equal(watch_end(&watcher), 2);
}

int main(void)
{
	ring_instance("watch", instance);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_for_each_sample),
	        cmocka_unit_test(numbers_rise_by_one_and_loss_is_said),
	        cmocka_unit_test(a_stopped_watch_says_what_it_lost),
	        cmocka_unit_test(only_some_fields),
	        cmocka_unit_test(ended_by_a_signal),
	        cmocka_unit_test(ended_by_a_closed_pipe),
	        cmocka_unit_test(over_a_restart_of_the_collector),
	        cmocka_unit_test(a_daemon_that_does_not_come_back),
	        cmocka_unit_test(no_daemon),
	        cmocka_unit_test(mistakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
