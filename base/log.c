/*
 * log.c - JSON lines in a file that several processes share, readable lines on the console.
 *
 * A line is one write() to a file opened O_APPEND: the kernel puts it whole behind the lines of the others. Whoever finds the
 * file too large rotates it, under a lock of the file itself that is only ever tried: nobody waits for a process that was
 * stopped in the middle, the file just grows until the next one tries. The others notice by the inode that the name leads elsewhere
 * and open that; what they wrote in between stands in path.1.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/json.h"
#include "base/terminal.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MESSAGE_BYTES = 1024,
	CONSOLE_BYTES = 2048, /* below PIPE_BUF: poll() then promises that the write does not block */
};

static struct {
	struct log_options options;
	char program[32], path[PATH_MAX - 16]; /* room for the suffix of rotated files */
	int fd;
	FILE *line; /* a memory stream, reused for each line */
	char *text; /* its buffer, owned by it until log_close() */
	size_t length;
	uint64_t lost_lines; /* not written since the last line that was */
	bool colour, ascii;  /* on the console */
} log_state = {.fd = -1, .options.level = LOG_INFO_};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

enum log_level log_level_of(const char *name)
{
	for (int level = LOG_DEBUG_; level <= LOG_ERROR_; level++)
		if (strcmp(name, level_names[level]) == 0)
			return (enum log_level)level;
	return LOG_INFO_;
}

/* ---- the file ---- */

static int open_file(void)
{
	log_state.fd = file_open_private(log_state.path, O_WRONLY | O_APPEND);
	return log_state.fd < 0 ? log_state.fd : 0;
}

/* Does the name still lead to the file that is open? */
static bool is_current(void)
{
	struct stat named, open_now;

	return log_state.fd >= 0 && fstatat(AT_FDCWD, log_state.path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(log_state.fd, &open_now) == 0 && named.st_ino == open_now.st_ino && named.st_dev == open_now.st_dev;
}

static bool is_too_large(void)
{
	struct stat status;
	return fstat(log_state.fd, &status) == 0 && (uint64_t)status.st_size >= log_state.options.max_bytes;
}

/* Name of the n-th rotated file; the 0th is the log itself. */
static void name_of(unsigned n, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, n > 0 ? "%s.%u" : "%s", log_state.path, n);
}

/* path becomes path.1, that path.2, and so on up to the first name that is free, or the last that is kept. */
static void shift_files(void)
{
	char from[PATH_MAX], to[PATH_MAX];
	unsigned last = 1;

	for (name_of(last, to); last < log_state.options.keep && faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0; name_of(last, to))
		last++;
	/* The name of the log is given up last: no second rotation can begin before. */
	for (unsigned n = last; n > 0; n--) {
		name_of(n - 1, from);
		name_of(n, to);
		rename(from, to);
	}
}

static void rotate(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(log_state.fd, F_OFD_SETLK, &lock) != 0)
		return; /* another process is at it */
	/* Both once more, now under the lock: another process may have been first. */
	if (is_current() && is_too_large())
		shift_files();
	closefd(&log_state.fd); /* releases the lock */
	open_file();
}

/* A file that is open, current and not too large, as far as that can be had without waiting. */
static bool prepare_file(void)
{
	if (!is_current()) {
		closefd(&log_state.fd);
		open_file();
	}
	if (log_state.fd >= 0 && is_too_large())
		rotate();
	return log_state.fd >= 0;
}

/* Takes back the part of a line that a full disk let through, unless another process has written behind it. */
static void take_back(ssize_t written)
{
	off_t end = lseek(log_state.fd, 0, SEEK_CUR); /* O_APPEND leaves it behind what this process wrote */
	struct stat status;

	if (end >= written && fstat(log_state.fd, &status) == 0 && status.st_size == end && ftruncate(log_state.fd, end - written) != 0)
		return; /* the torn line stays: nothing more can be done about it */
}

static bool write_line(const char *text, size_t length)
{
	ssize_t written;

	do
		written = write(log_state.fd, text, length);
	while (written < 0 && errno == EINTR);
	if (written == (ssize_t)length)
		return true;
	if (written > 0)
		take_back(written);
	return false;
}

static void write_fields(struct json *json, const struct log_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_key(json, fields[i].key);
		switch (fields[i].type) {
		case LOG_FIELD_TEXT:
			if (fields[i].text)
				json_text(json, fields[i].text, SIZE_MAX);
			else
				json_none(json);
			break;
		case LOG_FIELD_INTEGER:
			json_i64(json, fields[i].integer);
			break;
		case LOG_FIELD_REAL:
			json_f64(json, fields[i].real, 6);
			break;
		}
	}
}

/* Builds the line in log_state.text. Returns false where there is no memory for it. */
static bool build_line(
        uint64_t now_ns, enum log_level level, const char *event, const char *message, const struct log_field *fields, size_t count)
{
	const struct log_field head[] = {
	        LOG_TEXT("level", level_names[level]),
	        LOG_TEXT("program", log_state.program),
	        LOG_INTEGER("pid", getpid()),
	        LOG_TEXT("event", event),
	        LOG_TEXT("message", message),
	};
	char time[40];
	struct json json;

	rewind(log_state.line);
	json_begin(&json, log_state.line);
	json_object_begin(&json);
	json_key(&json, "time");
	json_text(&json, clock_label(now_ns, time), sizeof(time));
	write_fields(&json, head, sizeof(head) / sizeof(head[0]));
	write_fields(&json, fields, count);
	json_object_end(&json);
	fputc('\n', log_state.line);
	return fflush(log_state.line) == 0 && !ferror(log_state.line);
}

/* Lines that were lost are owned up to as soon as there is room again, before the next line. */
static bool report_lost_lines(uint64_t now_ns)
{
	const struct log_field count[] = {LOG_INTEGER("lines", log_state.lost_lines)};
	char message[80];

	if (log_state.lost_lines == 0)
		return true;
	snprintf(message, sizeof(message), "%llu lines could not be written to this log", (unsigned long long)log_state.lost_lines);
	if (!build_line(now_ns, LOG_WARNING_, "log_lines_lost", message, count, 1) || !write_line(log_state.text, log_state.length))
		return false;
	log_state.lost_lines = 0;
	return true;
}

static void to_file(
        uint64_t now_ns, enum log_level level, const char *event, const char *message, const struct log_field *fields, size_t count)
{
	bool done = prepare_file() && report_lost_lines(now_ns) && build_line(now_ns, level, event, message, fields, count) &&
	            write_line(log_state.text, log_state.length);

	log_state.lost_lines += !done;
}

/* ---- the console ---- */

static void to_console(uint64_t now_ns, enum log_level level, const char *message)
{
	static const char *const colours[] = {"\033[2m", "", "\033[33m", "\033[31m"};
	struct pollfd console = {.fd = STDERR_FILENO, .events = POLLOUT};
	char time[40], clean[MESSAGE_BYTES], line[CONSOLE_BYTES];
	const char *colour = log_state.colour ? colours[level] : "";

	/* A terminal stopped with ^S and a pipe that nobody empties must not stop a program: the line is in the file. */
	if (poll(&console, 1, 0) != 1 || !(console.revents & POLLOUT))
		return;
	text_sanitise(message, SIZE_MAX, clean, sizeof(clean));
	if (log_state.ascii)
		text_reduce_to_ascii(clean);
	clock_label(now_ns, time);
	const char *hour = strchr(time, 'T');
	int length = snprintf(line, sizeof(line), "%.12s %s%-9s %s%s%s%s\n", hour ? hour + 1 : time, colour, log_state.program,
	        level >= LOG_WARNING_ ? level_names[level] : "", level >= LOG_WARNING_ ? ": " : "", clean, *colour ? "\033[0m" : "");
	if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
		return; /* a console that is gone is none */
}

/* ---- the module ---- */

static int open_log_file(const char *path, char error[256])
{
	char folder[PATH_MAX];

	if (strlen(path) >= sizeof(log_state.path)) {
		snprintf(error, 256, "the path of the log file is too long");
		return -ENAMETOOLONG;
	}
	snprintf(log_state.path, sizeof(log_state.path), "%s", path);
	snprintf(folder, sizeof(folder), "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		int failed = file_make_directory(folder, error);
		if (failed)
			return failed;
	}
	log_state.line = open_memstream(&log_state.text, &log_state.length);
	int failed = log_state.line ? open_file() : -ENOMEM;
	if (failed)
		snprintf(error, 256, "cannot open log file %.150s: %s", path, strerror(-failed));
	return failed;
}

int log_open(const struct log_options *options, char error[256])
{
	struct terminal console = terminal_of(stderr);

	log_close();
	log_state.options = *options;
	log_state.colour = options->colour && console.colour;
	log_state.ascii = console.ascii;
	snprintf(log_state.program, sizeof(log_state.program), "%s", options->program);
	int failed = options->path ? open_log_file(options->path, error) : 0;
	if (failed)
		log_close();
	return failed;
}

int log_open_configured(const char *program, const struct config *config, const char *path, bool console, char error[256])
{
	const struct log_options options = {
	        .program = program,
	        .path = path[0] ? path : NULL,
	        .console = console,
	        .colour = true,
	        .level = log_level_of(config->log_level),
	        .max_bytes = (uint64_t)(config->log_max_mib * 1048576),
	        .keep = (unsigned)config->log_keep,
	};

	return log_open(&options, error);
}

void log_close(void)
{
	closefd(&log_state.fd);
	if (log_state.line)
		fclose(log_state.line);
	log_state.line = NULL;
	free(log_state.text);
	log_state.text = NULL;
}

void log_event(enum log_level level, const char *event, const char *message, const struct log_field *fields, size_t count)
{
	if (level < log_state.options.level)
		return;
	int saved = errno;
	uint64_t now_ns = clock_now_ns(CLOCK_REALTIME);
	if (log_state.line)
		to_file(now_ns, level, event, message, fields, count);
	if (log_state.options.console)
		to_console(now_ns, level, message);
	errno = saved;
}

void log_say(enum log_level level, const char *event, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	log_event(level, event, message, NULL, 0);
}
