/*
 * terminal.h - what the terminal behind a stream can take.
 */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

struct terminal {
	bool colour;      /* a terminal, TERM neither unset nor "dumb", NO_COLOR unset or empty */
	bool ascii;       /* a terminal of a locale that is not UTF-8: other characters are shown as '?' */
	unsigned columns; /* 0 where the stream is no terminal or hides its size: no limit */
	unsigned rows;    /* 0 likewise */
};

/* Looks at a stream. Cost: two system calls, and reading the locale. */
struct terminal terminal_of(FILE *stream);

#endif
