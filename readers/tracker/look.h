/*
 * look.h - short looks at small files of the kernel, as long as there is time: what is late is left out, and counted.
 */
#ifndef TRACKER_LOOK_H
#define TRACKER_LOOK_H

#include <stddef.h>
#include <stdint.h>

enum { LOOK_BYTES = 8192 };

/* Begin with {0}. */
struct look {
	uint64_t deadline_ns;  /* MONOTONIC */
	uint64_t late;         /* files that were left out, since the begin */
	char text[LOOK_BYTES]; /* of the file read last */
};

/* From now on there is so much time. */
void look_begin(struct look *look, uint64_t budget_ns);

/* The text of a file, at most its first 8 KiB, borrowed until the next call; NULL where it cannot be read, or it is too late. */
const char *look_at(struct look *look, int dirfd, const char *path);

/* The number at the begin of a file; 0 where there is none. */
uint64_t look_at_number(struct look *look, int dirfd, const char *path);

/* The number behind a key at the begin of a line: "MemTotal:  16384 kB", "nr_periods 12". 0 where there is none. */
uint64_t look_number_of(const char *text, const char *key);

/* The first line of a text as printable ASCII. */
void look_line(const char *text, char *out, size_t size);

#endif
