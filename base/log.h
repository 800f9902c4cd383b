/*
 * log.h - one event, two forms: a JSON line in the log file (rotated), a readable line on the console.
 *
 * Each of our processes has one log; libraries never use it. The file is opened O_APPEND, so that processes may share it; rotation
 * (path.1 ... path.N) is done by whichever of them finds it too large, under a file lock.
 *
 * No call waits: not for a disk that is full (the lines are counted, and reported when there is room again), not for another process, not for
 * a terminal that takes nothing; after log_background() not for a disk that stalls either. No call allocates, once a line as long has been written. Threads: one.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARNING_, LOG_ERROR_ };

struct log_options {
	const char *program; /* "collector", "tracker", "daemon" */
	const char *path;    /* NULL: no file */
	bool console;        /* readable lines on stderr */
	bool colour;         /* allow colour on the console, where that is a terminal that wants it (terminal.h) */
	enum log_level level;
	uint64_t max_bytes; /* rotate above this size */
	unsigned keep;      /* rotated files kept */
};

/* Returns 0, or -errno with a sentence in `error` if the file cannot be opened (the log then goes to the console alone). */
int log_open(const struct log_options *options, char error[256]);

struct config; /* base/config.h */

/* The same with all that the configuration says; path is the file, "" for none. */
int log_open_configured(const char *program, const struct config *config, const char *path, bool console, char error[256]);

/*
 * From here on a thread of the lowest priority writes to the file: a disk that stalls holds up that thread alone. A few lines wait for it; those
 * beyond are counted, and reported. Call after log_open(), and before a time at which no line may wait. Returns 0, or -errno: nothing changes then.
 */
int log_background(void);

/* What waits to be written is given a second for it. */
void log_close(void);
enum log_level log_level_of(const char *name);

/* A field of the JSON line. Text values may come from outside: they are escaped in JSON and sanitised on the console. */
struct log_field {
	const char *key;
	enum { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_REAL } type;
	const char *text;
	int64_t integer;
	double real;
};
#define LOG_TEXT(key_, value_) \
	{ \
		.key = (key_), .type = LOG_FIELD_TEXT, .text = (value_) \
	}
#define LOG_INTEGER(key_, value_) \
	{ \
		.key = (key_), .type = LOG_FIELD_INTEGER, .integer = (int64_t)(value_) \
	}
#define LOG_REAL(key_, value_) \
	{ \
		.key = (key_), .type = LOG_FIELD_REAL, .real = (value_) \
	}

/*
 * Logs one event.
 *   event   stable machine name, "rogue_enter"; the "event" of the JSON line
 *   message the sentence for people, for the console and the "message" of the JSON line
 *   fields  [count] further keys of the JSON line
 */
void log_event(enum log_level level, const char *event, const char *message, const struct log_field *fields, size_t count);

/* The same for a plain sentence. */
void log_say(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
