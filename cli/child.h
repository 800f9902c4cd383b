/*
 * child.h - one supervised process: starting it, hearing from it, ending it.
 */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "cli/restart.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What to supervise: one row for each program (supervisor.c). */
struct child_spec {
	const char *name;    /* in log lines */
	const char *program; /* file name; found by path_program() */
	bool database;       /* gets --db */
};

/* What all children are started with. Borrowed for as long as children are started. */
struct child_context {
	const char *instance; /* NULL: the usual one */
	const char *database;
	int config_fd; /* plain form of the configuration, a sealed memfd */
	bool console;  /* readable log lines on our stderr; else stderr is a pipe to us */
};

struct child {
	const struct child_spec *spec;
	pid_t pid;     /* 0: does not run */
	int ready_fd;  /* readable once it is ready, -1 after that */
	int stderr_fd; /* what it writes to stderr, -1 where that is our own */
	bool is_ready;
	uint64_t started_ns; /* MONOTONIC */
	uint64_t restart_ns; /* when to start it again; 0: not waiting for that */
	struct restart restart;
	pid_t last_pid;
	char said[256];      /* its last line on stderr */
	char line_[256];     /* private: a line that is not complete yet */
	size_t line_length_; /* private */
};

enum child_ending { CHILD_RUNS, CHILD_EXITED, CHILD_KILLED };

void child_init(struct child *child, const struct child_spec *spec);

/*
 * Starts it, with an environment of a few known names only. It gets SIGTERM from the kernel when this process dies, whatever that dies of.
 * Returns 0, or -errno with a sentence in `error`.
 */
int child_start(struct child *child, const struct child_context *context, char error[256]);

/* After SIGCHLD: reaps it if it has ended, and closes what belonged to it. Returns how it ended, with its exit code or signal in *ret_code. */
enum child_ending child_reap(struct child *child, int *ret_code);

/* After ready_fd became readable. Returns whether the child is ready (a byte came), rather than silent for ever (the end was closed). */
bool child_hear_ready(struct child *child);

/* After stderr_fd became readable. Returns the next complete line, to be asked again until NULL. */
const char *child_hear_line(struct child *child);

/* Sends it a signal if it runs. Its pid cannot be another's: it is ours until child_reap(). */
void child_signal(const struct child *child, int signal_number);

#endif
