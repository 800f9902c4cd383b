/*
 * ask.c - see ask.h.
 */
#include "readers/doctor/ask.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "rogue/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONFIG_FD = 3, FIRST_UNUSED_FD = 4, ANSWER_BYTES = 65536, LIMIT_MS = 25000, END_LIMIT_MS = 2000, LOOK_MS = 10 };

/* ---- the answer ---- */

static void take_text(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));
	snprintf(out, size, "%s", text ? text : "");
}

static double number_or(const json_t *object, const char *key, double otherwise)
{
	const json_t *number = json_object_get(object, key);
	return json_is_number(number) ? json_number_value(number) : otherwise;
}

static void take_signal(struct report *report, const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "name"));

	for (size_t i = 0; name && i < RH_SIGNAL_ROWS; i++) {
		struct examined_signal *signal = &report->signals[rh_signal_rows[i].bit];
		if (strcmp(rh_signal_rows[i].name, name) != 0)
			continue;
		signal->available = json_is_true(json_object_get(object, "available"));
		take_text(object, "why", signal->why, sizeof(signal->why));
	}
}

static void take_capability(struct report *report, const json_t *object)
{
	json_int_t number = json_integer_value(json_object_get(object, "number"));

	if (report->capability_count == EXAMINE_CAPABILITIES || number < 0 || number > 63)
		return;
	struct examined_capability *capability = &report->capabilities[report->capability_count++];
	take_text(object, "name", capability->name, sizeof(capability->name));
	take_text(object, "purpose", capability->purpose, sizeof(capability->purpose));
	take_text(object, "lost", capability->lost, sizeof(capability->lost));
	capability->number = (unsigned)number;
	capability->kept = json_is_true(json_object_get(object, "kept"));
	capability->available = json_is_true(json_object_get(object, "available"));
}

static void take_answer(struct report *report, const json_t *answer)
{
	const json_t *signals = json_object_get(answer, "signals"), *capabilities = json_object_get(answer, "capabilities");

	take_text(answer, "kernel", report->kernel, sizeof(report->kernel));
	take_text(answer, "sampler", report->sampler, sizeof(report->sampler));
	take_text(answer, "refusal", report->refusal, sizeof(report->refusal));
	report->uid = (unsigned)json_integer_value(json_object_get(answer, "uid"));
	report->open_ms = number_or(answer, "open_ms", -1);
	report->sample_ms = number_or(answer, "sample_ms", -1);
	report->processes = (uint64_t)json_integer_value(json_object_get(answer, "processes_count"));
	for (size_t i = 0; i < json_array_size(signals); i++)
		take_signal(report, json_array_get(signals, i));
	for (size_t i = 0; i < json_array_size(capabilities); i++)
		take_capability(report, json_array_get(capabilities, i));
}

bool ask_read(struct report *report, const char *text, size_t length)
{
	json_error_t error;
	json_t *answer = json_loadb(text, length, 0, &error);
	const char *schema = json_string_value(json_object_get(answer, "schema"));
	bool known = schema && strcmp(schema, "rogue-hunter.probe/1") == 0;

	if (known)
		take_answer(report, answer);
	else
		snprintf(report->probe_error, sizeof(report->probe_error), "the answer of rh-collector --probe is not understood%s%s",
		        answer ? ": is it of this release?" : ": ", answer ? "" : error.text);
	json_decref(answer);
	return known;
}

/* ---- the program ---- */

/* Standard output to `out`, the configuration where --config-fd says; nothing else of ours. Returns 0 or -errno. */
static int start(const char *program, int out, int config_fd, pid_t *ret_pid)
{
	char name[] = "rh-collector", probe[] = "--probe", option[] = "--config-fd", fd[] = "3",
	     path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const arguments[] = {name, probe, config_fd >= 0 ? option : NULL, fd, NULL}, *const environment[] = {path, NULL};
	posix_spawn_file_actions_t actions;

	int failed = posix_spawn_file_actions_init(&actions);
	if (failed)
		return -failed;
	failed |= posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	failed |= posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	failed |= posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (config_fd >= 0)
		failed |= posix_spawn_file_actions_adddup2(&actions, config_fd, CONFIG_FD);
	failed |= posix_spawn_file_actions_addclosefrom_np(&actions, config_fd >= 0 ? FIRST_UNUSED_FD : CONFIG_FD);
	failed = failed ? ENOMEM : posix_spawn(ret_pid, program, &actions, NULL, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	return -failed;
}

/* Reads until the end or the deadline. Returns the length, or -errno; -ETIMEDOUT at the deadline. */
static ssize_t read_answer(int fd, char *answer, size_t size)
{
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + LIMIT_MS * (uint64_t)NS_PER_MS;
	size_t length = 0;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		int result = poll(&ready, 1, (int)((end_ns - now_ns) / NS_PER_MS) + 1);
		if (result == 0 || (result < 0 && errno == EINTR))
			continue;
		ssize_t got = result < 0 ? -1 : read(fd, answer + length, size - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return (ssize_t)length;
		length += (size_t)got;
		if (length == size)
			return -EFBIG;
	}
}

/* Waits for its end, and makes an end of it where it takes too long. One that even that does not end is left to itself. */
static void reap(pid_t pid, int patience_ms)
{
	const struct timespec pause = clock_timespec(LOOK_MS * (uint64_t)NS_PER_MS);
	int end_ms = patience_ms + END_LIMIT_MS;

	for (int ms = 0; ms < end_ms && waitpid(pid, NULL, WNOHANG) == 0; ms += LOOK_MS) {
		if (ms >= patience_ms)
			kill(pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
}

static ssize_t run(const char *program, int config_fd, char *answer, size_t size)
{
	int low[2], config = -1;
	pid_t pid;

	if (pipe2(low, O_CLOEXEC) != 0)
		return -errno;
	/* Above the descriptors that the program finds its things at, so that none is overwritten before it is used. */
	int in = fcntl(low[0], F_DUPFD_CLOEXEC, FIRST_UNUSED_FD), out = fcntl(low[1], F_DUPFD_CLOEXEC, FIRST_UNUSED_FD);
	if (config_fd >= 0)
		config = fcntl(config_fd, F_DUPFD_CLOEXEC, FIRST_UNUSED_FD);
	ssize_t result = in < 0 || out < 0 || (config_fd >= 0 && config < 0) ? -errno : 0;
	closefd(&low[0]);
	closefd(&low[1]);
	if (result == 0)
		result = start(program, out, config, &pid);
	closefd(&out);
	closefd(&config);
	if (result == 0) {
		result = read_answer(in, answer, size);
		reap(pid, result < 0 ? 0 : END_LIMIT_MS);
	}
	closefd(&in);
	return result;
}

bool ask_probe(struct report *report, int config_fd)
{
	static char answer[ANSWER_BYTES];

	path_program("rh-collector", report->program);
	if (!report->program[0]) {
		snprintf(report->probe_error, sizeof(report->probe_error),
		        "rh-collector is not installed beside rogue-hunter, or /proc is not mounted");
		return false;
	}
	ssize_t length = run(report->program, config_fd, answer, sizeof(answer));
	if (length > 0)
		return ask_read(report, answer, (size_t)length);
	if (length == -ETIMEDOUT)
		snprintf(report->probe_error, sizeof(report->probe_error), "rh-collector --probe did not answer within %d s",
		        LIMIT_MS / 1000);
	else if (length == 0)
		snprintf(report->probe_error, sizeof(report->probe_error), "rh-collector --probe ended without an answer");
	else
		snprintf(
		        report->probe_error, sizeof(report->probe_error), "rh-collector --probe cannot be run: %s", strerror((int)-length));
	return false;
}
