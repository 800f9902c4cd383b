/*
 * capture.h - what a function writes, as text, and what a command writes to stdout and stderr.
 */
#ifndef TESTS_SUPPORT_CAPTURE_H
#define TESTS_SUPPORT_CAPTURE_H

#include <stdio.h>

/* A stream into memory. Returns it; one at a time. */
FILE *capture_begin(void);

/* Ends it. Returns what was written, borrowed until the next capture_begin(). */
const char *capture_end(void);

struct command_result {
	int code;
	char *out, *err; /* owned: command_forget() */
};

/* Runs a command's main function in this process with stdout and stderr redirected; argv begins with the command's name and ends with NULL. */
struct command_result command_run(int (*command)(int argc, char **argv), const char *const argv[]);

void command_forget(struct command_result *result);

#endif
