/*
 * log.c - JSON lines in a file that several processes share, readable lines on the console.
 *
 * A line is one write() to a file opened O_APPEND: the kernel puts it whole behind the lines of the others. Whoever finds the
 * file too large rotates it, under a lock of the file itself that is only ever tried: nobody waits for a process that was
 * stopped in the middle, the file just grows until the next one tries. The others notice by the inode that the name leads elsewhere
 * and open that; what they wrote in between stands in path.1.
 * With log_background() a thread does all that, and whoever logs only builds the line.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log_writer.h"
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

/* A memory stream, reused for each line. */
struct line {
	FILE *stream;
	char *text; /* owned by the stream until line_close() */
	size_t length;
};

static struct {
	struct log_options options;
	char program[32], path[PATH_MAX - 16]; /* room for the suffix of rotated files */
	int fd;
	struct line line;      /* of the one who logs */
	struct line lost_line; /* of the one who writes to the file */
	uint64_t lost_lines;   /* not written since the last line that was; counted by both */
	bool colour, ascii;    /* on the console */
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

/* Builds the line in line->text. Returns false where there is no memory for it. */
static bool build_line(struct line *line, uint64_t now_ns, enum log_level level, const char *event, const char *message,
        const struct log_field *fields, size_t count)
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

	rewind(line->stream);
	json_begin(&json, line->stream);
	json_object_begin(&json);
	json_key(&json, "time");
	json_text(&json, clock_label(now_ns, time), sizeof(time));
	write_fields(&json, head, sizeof(head) / sizeof(head[0]));
	write_fields(&json, fields, count);
	json_object_end(&json);
	fputc('\n', line->stream);
	return fflush(line->stream) == 0 && !ferror(line->stream);
}

static void count_lost(uint64_t lines)
{
	__atomic_add_fetch(&log_state.lost_lines, lines, __ATOMIC_RELAXED);
}

/* Lines that were lost are owned up to as soon as there is room again, before the next line. */
static bool report_lost_lines(void)
{
	uint64_t lost = __atomic_exchange_n(&log_state.lost_lines, 0, __ATOMIC_RELAXED);
	const struct log_field count[] = {LOG_INTEGER("lines", lost)};
	struct line *line = &log_state.lost_line;
	char message[80];

	if (lost == 0)
		return true;
	snprintf(message, sizeof(message), "%llu lines could not be written to this log", (unsigned long long)lost);
	if (build_line(line, clock_now_ns(CLOCK_REALTIME), LOG_WARNING_, "log_lines_lost", message, count, 1) &&
	        write_line(line->text, line->length))
		return true;
	count_lost(lost);
	return false;
}

/* Of the one who writes to the file. */
static void write_now(const char *text, size_t length)
{
	if (!prepare_file() || !report_lost_lines() || !write_line(text, length))
		count_lost(1);
}

static void to_file(
        uint64_t now_ns, enum log_level level, const char *event, const char *message, const struct log_field *fields, size_t count)
{
	struct line *line = &log_state.line;

	if (!build_line(line, now_ns, level, event, message, fields, count))
		count_lost(1);
	else if (!log_writer_runs())
		write_now(line->text, line->length);
	else if (!log_writer_put(line->text, line->length))
		count_lost(1);
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

static bool line_open(struct line *line)
{
	line->stream = open_memstream(&line->text, &line->length);
	return line->stream != NULL;
}

static void line_close(struct line *line)
{
	if (line->stream)
		fclose(line->stream);
	free(line->text);
	*line = (struct line){0};
}

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
	int failed = line_open(&log_state.line) && line_open(&log_state.lost_line) ? open_file() : -ENOMEM;
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

int log_background(void)
{
	return log_state.line.stream ? log_writer_start(write_now) : 0;
}

void log_close(void)
{
	if (!log_writer_stop())
		return; /* it hangs at the file, which stays open to it */
	closefd(&log_state.fd);
	line_close(&log_state.line);
	line_close(&log_state.lost_line);
}

void log_event(enum log_level level, const char *event, const char *message, const struct log_field *fields, size_t count)
{
	if (level < log_state.options.level)
		return;
	int saved = errno;
	uint64_t now_ns = clock_now_ns(CLOCK_REALTIME);
	if (log_state.line.stream)
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
