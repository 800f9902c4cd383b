/*
 * `rogue-hunter top` over a ring with a known machine in it.
 */
#include "readers/top/top.h"

#include "tests/support/capture.h"
#include "tests/support/ring.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PROCESSES = 100 };

static char instance[65];
static struct ring_writer *writer;

/* A hundred processes: the first 64 in order of score, the rest by pid, as in every frame. Pid n has score 100 - n, so pid 1 is the most rogue. */
static void put_machine(struct ring_writer *to)
{
	struct rh_process processes[PROCESSES];
	struct rh_system system = ring_system(3, 99);

	for (uint32_t i = 0; i < PROCESSES; i++) {
		char command[16];
		snprintf(command, sizeof(command), "worker-%u", i + 1);
		processes[i] = ring_process(i + 1, command, (float)(99 - (int)i));
	}
	memcpy(processes[1].command, "\033[2J\"\\\n=x", 10);
	RING_SET(&processes[2], RH_F_, mem_bytes, UINT64_C(5) << 30);
	RING_SET(&processes[50], RH_F_, mem_bytes, UINT64_C(7) << 30);
	ring_put(to, &system, processes, PROCESSES, PROCESSES + 11);
}

static int begin(void **state)
{
	(void)state;
	writer = ring_begin(ring_instance("top", instance), 8);
	put_machine(writer);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ring_close(&writer);
	return 0;
}

#define TOP(...) command_run(top_main, (const char *const[]){"top", "--name", instance, __VA_ARGS__ __VA_OPT__(, ) NULL})

static unsigned lines_of(const char *text)
{
	unsigned lines = 0;
	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static json_t *parsed(const struct command_result *result)
{
	json_error_t error;
	json_t *object = json_loads(result->out, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		fail_msg("%s: %s", error.text, result->out);
	return object;
}

static json_int_t pid_of_row(json_t *object, size_t row)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(object, "processes"), row), "pid"));
}

static void the_table(void **state)
{
	struct command_result top = TOP("-n", "3");
	(void)state;

	assert_int_equal(top.code, 0);
	assert_string_equal(top.err, "");
	assert_int_equal(lines_of(top.out), 4 + 1 + 1 + 3 + 1); /* head, empty line, titles, rows, how many more */
	assert_non_null(strstr(top.out, "stress [####################] 99 critical  self "));
	assert_non_null(strstr(top.out, "cpu 71% of 2"));
	const char *line = top.out;
	for (int i = 0; i < 4; i++, line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 1, 80);
	assert_non_null(strstr(top.out, "\n    PID PROCESS         SCORE BAND"));
	assert_non_null(strstr(top.out, "\n      1 worker-1           99 critical      -      -   99.0       -       - R cpu\n"));
	assert_non_null(strstr(top.out, "\n      2 ?[2J\"\\?=x          98 critical"));
	assert_non_null(strstr(top.out, "\n108 more (--all shows them)\n"));
	command_forget(&top);
}

static void every_process(void **state)
{
	struct command_result top = TOP("--all", "--fields", "pid");
	(void)state;

	assert_int_equal(lines_of(top.out), 4 + 1 + 1 + PROCESSES + 1);
	assert_non_null(strstr(top.out, "\n    100\n"));
	assert_non_null(strstr(top.out, "\n11 more")); /* the collector had to cut its list */
	command_forget(&top);
}

static void twenty_without_a_terminal(void **state)
{
	struct command_result top = TOP("--fields", "pid");
	(void)state;

	assert_int_equal(lines_of(top.out), 4 + 1 + 1 + 20 + 1);
	command_forget(&top);
}

static void the_json(void **state)
{
	struct command_result top = TOP("--json", "-n", "4");
	(void)state;

	assert_int_equal(top.code, 0);
	assert_int_equal(lines_of(top.out), 1);
	json_t *object = parsed(&top);
	json_t *system = json_object_get(object, "system"), *processes = json_object_get(object, "processes");
	assert_string_equal(json_string_value(json_object_get(object, "writer")), "RUNNING");
	assert_int_equal(json_integer_value(json_object_get(object, "total")), PROCESSES + 11);
	assert_string_equal(json_string_value(json_object_get(system, "stress")), "critical");
	assert_string_equal(json_string_value(json_object_get(system, "sampler")), "procfs");
	assert_null(json_object_get(system, "swap_used_bytes")); /* absent is a missing key */
	assert_int_equal(json_array_size(processes), 4);
	json_t *second = json_array_get(processes, 1);
	assert_string_equal(json_string_value(json_object_get(second, "command")), "\033[2J\"\\\n=x");
	assert_string_equal(json_string_value(json_object_get(second, "state")), "running");
	assert_string_equal(json_string_value(json_object_get(second, "band")), "critical");
	assert_string_equal(json_string_value(json_object_get(second, "dominant_resource")), "cpu");
	assert_true(json_is_array(json_object_get(second, "flags")));
	assert_null(json_object_get(second, "mem_bytes"));
	assert_true(json_is_integer(json_object_get(json_array_get(processes, 2), "mem_bytes")));
	json_decref(object);
	command_forget(&top);
}

static void order(void **state)
{
	struct command_result top = TOP("--json", "--all", "--sort", "mem_bytes", "--fields", "pid,mem_bytes");
	(void)state;

	json_t *object = parsed(&top);
	assert_int_equal(pid_of_row(object, 0), 51); /* the largest */
	assert_int_equal(pid_of_row(object, 1), 3);
	assert_int_equal(pid_of_row(object, 2), 1); /* absent comes last, by pid */
	assert_int_equal(pid_of_row(object, PROCESSES - 1), PROCESSES);
	assert_int_equal(json_object_size(json_array_get(json_object_get(object, "processes"), 0)), 2);
	json_decref(object);
	command_forget(&top);

	top = TOP("--json", "-n", "2", "--sort", "pid");
	object = parsed(&top);
	assert_int_equal(pid_of_row(object, 0), 1); /* identity upwards */
	json_decref(object);
	command_forget(&top);

	top = TOP("--json", "--all");
	object = parsed(&top);
	for (size_t i = 0; i < PROCESSES; i++) /* by score, beyond the 64 that the frame has in order */
		assert_int_equal(pid_of_row(object, i), i + 1);
	json_decref(object);
	command_forget(&top);
}

static void expect_mistake(const char *option, const char *value, const char *part)
{
	struct command_result top = TOP(option, value);
	assert_int_equal(top.code, 2);
	assert_string_equal(top.out, "");
	assert_memory_equal(top.err, "rogue-hunter: top: ", 19);
	if (!strstr(top.err, part))
		fail_msg("%s", top.err);
	assert_int_equal(lines_of(top.err), 1);
	command_forget(&top);
}

static void mistakes(void **state)
{
	(void)state;
	expect_mistake("--sort", "scoer", "did you mean score?");
	expect_mistake("--fields", "pid,comand", "did you mean command?");
	expect_mistake("-n", "0", "-n takes a number from 1");
	expect_mistake("-n", "4294967296", "-n takes a number from 1");
	expect_mistake("--all", "stray", "unexpected argument");
}

static void help(void **state)
{
	struct command_result top = TOP("--help");
	(void)state;
	assert_int_equal(top.code, 0);
	assert_memory_equal(top.out, "usage: rogue-hunter top ", 24);
	command_forget(&top);
	top = TOP("--fields", "help");
	assert_int_equal(top.code, 0);
	assert_non_null(strstr(top.out, "\ncpu_blame_ms_per_s "));
	command_forget(&top);
}

/* The ring outlives its writer; what it says is shown, but as old. */
static void the_last_sample_of_a_dead_collector(void **state)
{
	char dead[65];
	(void)state;

	ring_instance("dead", dead);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		put_machine(ring_begin(dead, 8));
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	struct command_result top = command_run(top_main, (const char *const[]){"top", "--name", dead, "--json", NULL});
	assert_int_equal(top.code, 3);
	assert_non_null(strstr(top.err, "the last sample there is"));
	json_t *object = parsed(&top);
	assert_string_equal(json_string_value(json_object_get(object, "writer")), "DEAD");
	assert_int_equal(pid_of_row(object, 0), 1);
	json_decref(object);
	command_forget(&top);
	ring_remove(dead);
}

static void no_daemon(void **state)
{
	struct command_result top = command_run(top_main, (const char *const[]){"top", "--name", "test-none", NULL});
	(void)state;
	assert_int_equal(top.code, 3);
	assert_string_equal(top.out, "");
	assert_non_null(strstr(top.err, "rogue-hunter daemon"));
	command_forget(&top);
}

static void nothing_published_yet(void **state)
{
	char empty[65];
	struct ring_writer *silent = ring_begin(ring_instance("empty", empty), 8);
	struct command_result top = command_run(top_main, (const char *const[]){"top", "--name", empty, NULL});
	(void)state;
	assert_int_equal(top.code, 3);
	assert_string_equal(top.err, "rogue-hunter: no sample can be read: no such sample yet\n");
	command_forget(&top);
	ring_close(&silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_table),
	        cmocka_unit_test(every_process),
	        cmocka_unit_test(twenty_without_a_terminal),
	        cmocka_unit_test(the_json),
	        cmocka_unit_test(order),
	        cmocka_unit_test(mistakes),
	        cmocka_unit_test(help),
	        cmocka_unit_test(the_last_sample_of_a_dead_collector),
	        cmocka_unit_test(no_daemon),
	        cmocka_unit_test(nothing_published_yet),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
