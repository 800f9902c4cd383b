/*
 * account.bpf.h - the accounts as a program in the kernel sees them: finding, claiming, adding.
 *
 * Included by the programs only, after kernel.h and bpf_helpers.h. The collector makes the two maps (accounts.c) and gives them to each object.
 */
#ifndef COLLECTOR_BPF_ACCOUNT_BPF_H
#define COLLECTOR_BPF_ACCOUNT_BPF_H

#include "collector/bpf/account.h"

/* Sizes are set when the collector hands in its own maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct account);
} accounts SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct account_cpu);
} account_cpus SEC(".maps");

const volatile uint32_t account_slots = 1; /* set before loading */

/* The account of a process if it has one. */
static __always_inline struct account *account_find(uint32_t tgid)
{
	uint32_t place = account_place(tgid, account_slots);
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		uint32_t key = account_probe(place, i, account_slots);
		struct account *account = bpf_map_lookup_elem(&accounts, &key);
		if (account && account->tgid == tgid)
			return account;
	}
	return NULL;
}

/* The account of a process, claimed if need be. NULL: all its places are taken; count that. */
static __always_inline struct account *account_of(uint32_t tgid)
{
	uint32_t place = account_place(tgid, account_slots);
	struct account *account = bpf_map_lookup_elem(&accounts, &place);
	if (account && account->tgid == tgid)
		return account; /* nearly always */
	account = account_find(tgid);
	if (account)
		return account;
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		uint32_t key = account_probe(place, i, account_slots);
		account = bpf_map_lookup_elem(&accounts, &key);
		if (account && account->tgid == 0 && __sync_val_compare_and_swap(&account->tgid, 0, tgid) == 0)
			return account;
	}
	return NULL;
}

#endif
