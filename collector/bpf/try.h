/*
 * try.h - one part of the kernel-direct back end, loaded by itself and taken out again: does this machine take it, and if not, why?
 */
#ifndef COLLECTOR_BPF_TRY_H
#define COLLECTOR_BPF_TRY_H

#include "collector/source.h"

enum try_part { TRY_WALK, TRY_ITERATOR, TRY_SCHEDULER, TRY_LAST_WORDS, TRY_BLOCK, TRY_RARE };

/* Loads and unloads it. Returns 0, or -errno with a sentence in `error`. Cost: that of loading, up to a second. */
int try_part(enum try_part part, const struct source_options *options, char error[256]);

#endif
