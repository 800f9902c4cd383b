/* The log: every line is JSON whatever it quotes, rotation keeps what it should, a full disk is owned up to, the console stays clean. */
#include "base/log.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

enum { PATH_ROOM = 128 };

static char folder[] = "/tmp/rogue-log-XXXXXX";
static char error[256];

static void path_of(const char *name, char out[PATH_ROOM])
{
	snprintf(out, PATH_ROOM, "%s/%s", folder, name);
}

static void open_log(const char *path, uint64_t max_bytes, unsigned keep)
{
	const struct log_options options = {.program = "test", .path = path, .level = LOG_INFO_, .max_bytes = max_bytes, .keep = keep};

	error[0] = '\0';
	if (log_open(&options, error) != 0)
		fail_msg("%s", error);
}

/* All lines of a file as JSON; fails at a line that is none. Returns an array, or NULL where there is no file. */
static json_t *read_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	json_t *lines = json_array();
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		json_decref(lines);
		return NULL;
	}
	for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
		json_error_t fault;
		json_t *object = json_loadb(line, (size_t)length, 0, &fault);
		if (!json_is_object(object) || line[length - 1] != '\n')
			fail_msg("%s: no line of JSON (%s): %s", path, fault.text, line);
		json_array_append_new(lines, object);
	}
	free(line);
	fclose(file);
	return lines;
}

static const char *text_at(const json_t *lines, size_t i, const char *key)
{
	const char *text = json_string_value(json_object_get(json_array_get(lines, i), key));
	return text ? text : "(none)";
}

static void test_line(void **state)
{
	const struct log_field fields[] = {
	        LOG_TEXT("command", "a\"b\\\n\033[31m\xff\xc2\x9b"),
	        LOG_INTEGER("count", -5),
	        LOG_REAL("score", 61.25),
	        LOG_TEXT("nothing", NULL),
	};
	char path[PATH_ROOM];

	(void)state;
	path_of("deep/er/line.log", path);
	open_log(path, 1 << 20, 1);
	log_event(LOG_WARNING_, "rogue_enter", "the message", fields, 4);
	log_say(LOG_DEBUG_, "hidden", "below the level");
	log_say(LOG_ERROR_, "plain", "%s %d", "formatted", 7);
	log_close();
	json_t *lines = read_lines(path);
	assert_int_equal(json_array_size(lines), 2);
	assert_string_equal(text_at(lines, 0, "level"), "warning");
	assert_string_equal(text_at(lines, 0, "program"), "test");
	assert_string_equal(text_at(lines, 0, "event"), "rogue_enter");
	assert_string_equal(text_at(lines, 0, "message"), "the message");
	assert_string_equal(text_at(lines, 0, "command"), "a\"b\\\n\033[31m\xef\xbf\xbd\xc2\x9b");
	const json_t *line = json_array_get(lines, 0);
	assert_int_equal(json_integer_value(json_object_get(line, "pid")), getpid());
	assert_int_equal(json_integer_value(json_object_get(line, "count")), -5);
	assert_true(json_real_value(json_object_get(line, "score")) == 61.25);
	assert_true(json_is_null(json_object_get(line, "nothing")));
	assert_int_equal(strlen(text_at(lines, 0, "time")), strlen("2026-11-20T14:03:07.412+01:00"));
	assert_string_equal(text_at(lines, 1, "message"), "formatted 7");
	json_decref(lines);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777 & ~0640u, 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777 & ~0750u, 0);
}

/* Numbered lines through several rotations: the newest are there, in order over the files, and no more files than asked for. */
static void test_rotation(void **state)
{
	enum { LINES = 400, KEEP = 3 };
	char path[PATH_ROOM], name[PATH_ROOM + 16];
	unsigned files = 0, expected = LINES;

	(void)state;
	path_of("rotated.log", path);
	open_log(path, 4096, KEEP);
	for (int i = 1; i <= LINES; i++)
		log_say(LOG_INFO_, "n", "%d", i);
	log_close();
	for (unsigned n = 0; n <= KEEP + 1; n++) {
		snprintf(name, sizeof(name), n ? "%s.%u" : "%s", path, n);
		json_t *lines = read_lines(name);
		if (!lines)
			continue;
		files++;
		for (size_t i = json_array_size(lines); i > 0; i--)
			assert_int_equal(atoi(text_at(lines, i - 1, "message")), expected--);
		struct stat status;
		assert_int_equal(stat(name, &status), 0);
		assert_true(status.st_size < 4096 + 512);
		json_decref(lines);
	}
	assert_int_equal(files, KEEP + 1);
	assert_true(expected > 0 && expected < LINES - 50); /* the oldest are gone, as they should be */
}

/* Somebody moves the file away (logrotate does): the next line begins a new one. */
static void test_moved_away(void **state)
{
	char path[PATH_ROOM], away[PATH_ROOM];

	(void)state;
	path_of("moved.log", path);
	path_of("away.log", away);
	open_log(path, 1 << 20, 3);
	log_say(LOG_INFO_, "n", "1");
	assert_int_equal(rename(path, away), 0);
	log_say(LOG_INFO_, "n", "2");
	log_close();
	json_t *old = read_lines(away), *new = read_lines(path);
	assert_int_equal(json_array_size(old), 1);
	assert_int_equal(json_array_size(new), 1);
	assert_string_equal(text_at(new, 0, "message"), "2");
	json_decref(old);
	json_decref(new);
}

/* A disk that takes only the begin of a line, then nothing, then everything again. The limit on file sizes stands in for it. */
static void test_full_disk(void **state)
{
	struct rlimit limit, before;
	char path[PATH_ROOM];
	struct stat status;

	(void)state;
	path_of("full.log", path);
	signal(SIGXFSZ, SIG_IGN);
	open_log(path, 1 << 20, 3);
	log_say(LOG_INFO_, "n", "before");
	assert_int_equal(stat(path, &status), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = (rlim_t)status.st_size + 40;
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 5; i++)
		log_say(LOG_INFO_, "n", "lost");
	setrlimit(RLIMIT_FSIZE, &before);
	log_say(LOG_INFO_, "n", "after");
	log_say(LOG_INFO_, "n", "and on");
	log_close();
	json_t *lines = read_lines(path); /* also: no torn line */
	assert_int_equal(json_array_size(lines), 4);
	assert_string_equal(text_at(lines, 1, "event"), "log_lines_lost");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 1), "lines")), 5);
	assert_string_equal(text_at(lines, 2, "message"), "after");
	assert_string_equal(text_at(lines, 3, "message"), "and on");
	json_decref(lines);
}

/* Regression 6: a link, a folder that anybody may write to, and a file of somebody else are refused. */
static void test_planted(void **state)
{
	char path[PATH_ROOM], target[PATH_ROOM], open_folder[PATH_ROOM];
	struct log_options options = {.program = "test", .path = path, .max_bytes = 1 << 20, .keep = 1};
	struct stat status;

	(void)state;
	path_of("target", target);
	path_of("link.log", path);
	assert_int_equal(symlink(target, path), 0);
	assert_true(log_open(&options, error) != 0);
	assert_true(strlen(error) > 0);
	assert_int_not_equal(stat(target, &status), 0);
	log_say(LOG_ERROR_, "n", "a log that is not open takes lines all the same");

	path_of("open", open_folder);
	assert_int_equal(mkdir(open_folder, 0777), 0);
	assert_int_equal(chmod(open_folder, 0777), 0);
	path_of("open/x.log", path);
	assert_true(log_open(&options, error) != 0);
	assert_int_not_equal(stat(path, &status), 0);

	path_of("fifo.log", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(log_open(&options, error) != 0);

	/* A link put in the way while the log is open: the lines are lost, not written through it. */
	path_of("late.log", path);
	open_log(path, 1 << 20, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(target, path), 0);
	log_say(LOG_ERROR_, "n", "must not arrive");
	assert_int_not_equal(stat(target, &status), 0);
	assert_int_equal(unlink(path), 0);
	log_say(LOG_ERROR_, "n", "arrives");
	log_close();
	json_t *lines = read_lines(path);
	assert_int_equal(json_array_size(lines), 2);
	assert_string_equal(text_at(lines, 0, "event"), "log_lines_lost");
	json_decref(lines);
}

/* Writes one line to a console, in place of stderr, and reads it from its other end. Closes both. */
static ssize_t console_line(int console, int other_end, const char *message, char *out, size_t size)
{
	const struct log_options options = {.program = "test", .console = true, .colour = true, .level = LOG_INFO_};
	int saved = dup(STDERR_FILENO);

	dup2(console, STDERR_FILENO);
	assert_int_equal(log_open(&options, error), 0);
	log_event(LOG_WARNING_, "n", message, NULL, 0);
	log_close();
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t length = read(other_end, out, size - 1);
	close(console);
	close(other_end);
	out[length > 0 ? length : 0] = '\0';
	return length;
}

/* A pipe for a console. */
static ssize_t console_text(const char *message, char *out, size_t size)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	return console_line(ends[1], ends[0], message, out, size);
}

static void test_console(void **state)
{
	char out[4096];

	(void)state;
	ssize_t length = console_text("evil \033]0;x\007\nname\xc2\x9b \xe2\x80\xae \303\244", out, sizeof(out));
	assert_true(length > 0);
	assert_string_equal(
	        out + 12, " test      warning: evil ?]0;x??name? ? \303\244\n"); /* the time before it; no colour: no terminal */
	char long_message[3000];
	memset(long_message, 'x', sizeof(long_message));
	long_message[sizeof(long_message) - 1] = '\0';
	length = console_text(long_message, out, sizeof(out));
	assert_true(length > 500 && length < 2048);
	assert_int_equal(out[length - 1], '\n');
}

/* A terminal gets colour, and only characters that its locale has. */
static void test_terminal(void **state)
{
	static const char *const locales[] = {"C", "C.UTF-8"};
	static const char *const lines[] = {
	        " \033[33mtest      warning: caf? ?\033[0m\r\n", " \033[33mtest      warning: caf\303\251 ?\033[0m\r\n"};
	char out[4096];

	(void)state;
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	for (size_t i = 0; i < 2; i++) {
		int master, slave;
		setenv("LC_ALL", locales[i], 1);
		if (openpty(&master, &slave, NULL, NULL, NULL) != 0)
			skip(); /* no pseudo terminals here */
		assert_true(console_line(slave, master, "caf\303\251 \033", out, sizeof(out)) > 12);
		assert_string_equal(out + 12, lines[i]);
	}
}

/* A console that takes nothing must not stop the program. The alarm ends a test that hangs. */
static void test_stuck_console(void **state)
{
	const struct log_options options = {.program = "test", .console = true, .level = LOG_INFO_};
	int ends[2], saved = dup(STDERR_FILENO);

	(void)state;
	alarm(20);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	assert_int_equal(log_open(&options, error), 0);
	for (int i = 0; i < 5000; i++)
		log_say(LOG_INFO_, "n", "%d: nobody reads this", i);
	log_close();
	dup2(saved, STDERR_FILENO);
	alarm(0);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

static int make_folder(void **state)
{
	(void)state;
	umask(022);
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[PATH_ROOM];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_line),
	        cmocka_unit_test(test_rotation),
	        cmocka_unit_test(test_moved_away),
	        cmocka_unit_test(test_full_disk),
	        cmocka_unit_test(test_planted),
	        cmocka_unit_test(test_console),
	        cmocka_unit_test(test_terminal),
	        cmocka_unit_test(test_stuck_console),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
