/*
 * signals.h - which signals were live, as far as the records tell: those that any source may have. What only one source knows (of its own programs, its
 * own rights) it says itself, in source_tick.signals.
 */
#ifndef COLLECTOR_SIGNALS_H
#define COLLECTOR_SIGNALS_H

#include "collector/source.h"

/*
 * Bits of enum rh_signal: run_delay and cgroup where some record has it; process_io where a process of another user has it, or, where all are of
 * this user, any; psi_*, steal from the system record.
 *   uid  of this process
 * Cost: linear, a few loads a record.
 */
uint64_t signals_seen(const struct raw_process *processes, uint32_t count, const struct raw_system *system, uint32_t uid);

#endif
