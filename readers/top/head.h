/*
 * head.h - the lines above the table of `top`: who is watching, how stressed the machine is, what stalls it.
 */
#ifndef READERS_TOP_HEAD_H
#define READERS_TOP_HEAD_H

#include "readers/common/batch.h"
#include "readers/common/window.h"

#include <stdio.h>

enum { HEAD_LINES = 4 };

/*
 * Writes HEAD_LINES lines.
 *   writer  state of the collector
 *   age_ns  time since its last sign of life
 */
void head_print(FILE *out, const struct batch *batch, const struct window *window, enum rh_status writer, uint64_t age_ns);

#endif
