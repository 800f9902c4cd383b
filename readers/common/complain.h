/*
 * complain.h - how every command reports a failure: one sentence on stderr.
 */
#ifndef READERS_COMMON_COMPLAIN_H
#define READERS_COMMON_COMPLAIN_H

/* Writes "rogue-hunter: SENTENCE\n" to stderr. The sentence is sanitised as a whole: arguments may come from outside. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
