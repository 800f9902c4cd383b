/*
 * accounts.h - the accounts that our programs in the kernel share (account.h), as the collector sees them.
 *
 * One array map, mapped into this process, given to every program by its descriptor. Kernel memory: 128 bytes a slot.
 */
#ifndef COLLECTOR_BPF_ACCOUNTS_H
#define COLLECTOR_BPF_ACCOUNTS_H

#include "collector/bpf/account.h"

#include <stddef.h>

enum { ACCOUNTS_PER_PROCESS = 4 };

struct accounts {
	int fd, cpu_fd; /* the maps `accounts` (struct account) and `account_cpus` (struct account_cpu, one for each possible cpu) */
	uint32_t slots, cpus;
	struct account *map; /* shared with the kernel */
	struct account_cpu *cpu_map;
	size_t map_bytes, cpu_bytes;
};

/* Makes maps with room for four times as many processes, at least 16,384. Returns 0 or -errno. */
int accounts_open(struct accounts *accounts, uint32_t processes);

/* Copies what is on `from` to larger accounts that no program uses yet. No program may be using `from` any more. */
void accounts_move(struct accounts *to, const struct accounts *from);

/* The account of a process, or NULL: nothing was to be said of it yet. At most ACCOUNT_PROBES looks. */
struct account *accounts_find(const struct accounts *accounts, uint32_t tgid);

/* Sum over all cpus. */
struct account_cpu accounts_sum(const struct accounts *accounts);

/* Are they more than half full? Then it is time for larger ones. Counts all slots: not for every tick. */
int accounts_are_crowded(const struct accounts *accounts);

void accounts_close(struct accounts *accounts);

#endif
