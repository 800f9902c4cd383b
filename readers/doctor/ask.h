/*
 * ask.h - asking the collector's probe: running it, and reading its answer.
 */
#ifndef READERS_DOCTOR_ASK_H
#define READERS_DOCTOR_ASK_H

#include "readers/doctor/examine.h"

/*
 * Runs `rh-collector --probe`, as it lies beside this program, with an environment of its own and a deadline. Fills in the probe's members of the
 * report. Returns whether it answered; if not, probe_error says why.
 */
bool ask_probe(struct report *report, int config_fd);

/* Reads an answer of the probe. Returns false, with a sentence in probe_error, if it is none. Nothing in it is trusted. */
bool ask_read(struct report *report, const char *text, size_t length);

#endif
