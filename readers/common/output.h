/*
 * output.h - the end of a command's output.
 */
#ifndef READERS_COMMON_OUTPUT_H
#define READERS_COMMON_OUTPUT_H

/*
 * Writes out what stdout still holds, and complains if anything of it could not be written: a full disk must not look like success.
 * A closed pipe is no failure: whoever read has seen enough. Returns `code`, or 1 after a failure.
 */
int output_end(int code);

#endif
