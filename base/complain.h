/*
 * complain.h - how every program reports a failure before it has a log: one sentence on stderr.
 */
#ifndef BASE_COMPLAIN_H
#define BASE_COMPLAIN_H

/* Writes "rogue-hunter: SENTENCE\n" to stderr. The sentence is sanitised as a whole: arguments may come from outside. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
