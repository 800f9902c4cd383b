/*
 * parties.h - processes that acted together: forty compilers under one make are one party, a browser and its children are one, most processes are
 * one by themselves. Who is blamed is a party.
 *
 * Groups need the same command name and a common ancestor, or a control group of their own. Where no such group has more than half, the deepest
 * node of the process tree that has it is taken. What a party inflicted counts less what its members suffered: hogs that only keep each other
 * waiting harm nobody.
 */
#ifndef PAUSE_PARTIES_H
#define PAUSE_PARTIES_H

#include "pause/pause.h"
#include "pause/sums.h"

enum { PARTIES = 64 };

struct party {
	uint8_t kind;                  /* enum pause_kind: process, group, tree */
	struct sums_process *leader;   /* its greatest member; of a tree the root */
	struct sums_process *ancestor; /* of a group: who started them; NULL for none */
	uint32_t members;
	double metric; /* sum over members */
	double weight; /* what is compared: the metric, or what parties_weigh_net() makes of it */
	double cpu_ns, run_wait_ns, bytes, grown_bytes;
	uint32_t place; /* private: before it was sorted */
	uint8_t policy, rt_prio;
	int8_t nice;
	bool exited; /* every member is gone */
};

struct parties {
	struct party list[PARTIES]; /* greatest weight first */
	uint32_t count;
	double metric_total, weight_total; /* over all processes, listed or not */
};

/*
 * Divides the processes of sums, whose `metric` was set, into parties, weighed by it; sets their `party`. Threads of the kernel and processes without
 * metric are in none.
 */
void parties_build(struct parties *parties, struct sums *sums);

/* Weighs by what was inflicted on others, less what was suffered from them, and sorts. For metric = cpu_blame_ns. */
void parties_weigh_net(struct parties *parties, const struct sums *sums);

/* Where the greatest party has not more than half: is there a node of the process tree that has? Then it becomes the greatest party. */
void parties_try_tree(struct parties *parties, struct sums *sums);

/* Share of a party in the weight. */
double parties_share(const struct parties *parties, uint32_t i);

/* Fills in who it is: name, command, kind, policy. Shares and amounts are the caller's. */
void parties_name(const struct party *party, struct pause_who *ret_who);

/* "comm[pid]" in printable ASCII. Returns out. */
char *parties_process_name(const struct sums_process *process, char out[PAUSE_NAME_BYTES]);

#endif
