/*
 * probe.h - what this machine, this build and these rights allow: each signal tried for real, once, without sampling.
 */
#ifndef COLLECTOR_PROBE_H
#define COLLECTOR_PROBE_H

#include "base/config.h"

#include <stdio.h>

/*
 * Opens what a collector with this configuration would open, takes one sample of it, closes it, and writes one JSON object, of schema
 * "rogue-hunter.probe/1", with a newline behind it. Gives up the rights that a collector gives up. Leaves nothing behind. The process is ended by
 * SIGALRM if that takes more than 20 s.
 */
void probe_write(FILE *out, const struct config *config);

#endif
