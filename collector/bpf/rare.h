/*
 * rare.h - rare events, always on: waits for locks of the kernel and who held them, signals that stop the collector, kills for lack of memory.
 *
 * Programs on contention_begin and contention_end, signal_generate, mark_victim (rare.bpf.c). docs/blame.md has the method. A kernel that lacks one of
 * these has the others.
 */
#ifndef COLLECTOR_BPF_RARE_H
#define COLLECTOR_BPF_RARE_H

#include "collector/bpf/part.h"

struct rare; /* owned by the caller of rare_open() until rare_close() */

/*
 * To be used only where process ids are those of the first namespace, by which the programs note threads: source_bpf_open() sees to that.
 *
 * Loads and attaches what this kernel has (sampling.rare). Returns 0 or -errno with a sentence in `error`. All memory it will use is allocated here.
 */
int rare_open(const struct source_options *options, struct rare **ret_rare, char error[256]);

/*
 * After the walk and the other parts: adds to `processes` and to those that ended (lock_blame), to `system` (lock_delay, self_stopped, stop_sender, oom_victim, hook_ns) and to
 * `tick` (signals, events_lost), with their present bits. Where contended locks cost more than sampling.scheduler_max_cpu they are left alone
 * for a while. Allocates nothing.
 *   count        of processes; those that the walk does not list lie behind the others
 *   interval_ns  since the tick before
 */
void rare_collect(struct rare *rare, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system,
        struct source_tick *tick);

void rare_close(struct rare **rare);

#endif
