/*
 * sched_parts.h - what the files of scheduler accounting share: sched.c (programs, budget), sched_blame.c (what goes into the records of
 * processes), sched_ends.c (last words).
 */
#ifndef COLLECTOR_BPF_SCHED_PARTS_H
#define COLLECTOR_BPF_SCHED_PARTS_H

#include "collector/bpf/convert.h"
#include "collector/bpf/sched.h"
#include "collector/bpf/sched_state.h"
#include "collector/pool.h"

#include <bpf/libbpf.h>

/* ---- what is known of the owner of each account, by its slot (sched_blame.c) ---- */

struct sched_slot {
	uint64_t start_time_ns; /* of the process that what follows is about */
	uint64_t published_ns;  /* its blame: never less from tick to tick */
	uint64_t waited_ns;     /* its run delay as published, likewise */
	uint64_t extra_ns;      /* its blame with that for waits that go on; 0: there are none */
	uint32_t tick;          /* the newest one in which its process was in the walk */
	uint32_t suspect;       /* process that was not, at the last look */
};

struct sched_blame {
	struct sched_slot *slots;
	uint32_t *extra; /* slots with extra_ns */
	uint32_t extra_count, extra_most;
	uint32_t tick, swept;
};

/* ---- last words (sched_ends.c) ---- */

enum { SCHED_ENDS_MOST = 8192, SCHED_ENDS_HELD_MOST = 4096, SCHED_BRIEF_MOST = 1024 };

/* A process whose last words have come and have not been passed on. */
struct sched_end {
	struct last_words words;
	uint32_t next;  /* of the same bucket, index + 1 */
	bool is_listed; /* it was in the newest walk */
};

struct sched_ends {
	struct ring_buffer *ring;
	struct convert convert;
	struct sched_end *ends; /* oldest first */
	uint32_t count, read;
	uint32_t *buckets; /* by pid, index + 1 */
	struct raw_process *told;
	struct raw_brief *briefs;
	uint32_t brief_count;
	uint16_t *brief_buckets; /* by parent, index + 1 */
	uint64_t walk_ns;        /* begin of the walk before the newest, BOOTTIME */
	uint32_t lost;           /* in this tick */
	bool knows_waits;        /* context switches are watched: longest waits are in the words */
	uint64_t seen;           /* since the start, for the estimate of cost */
	const struct accounts *accounts;
};

/* Memory for them. Returns false if there is none. */
bool sched_ends_take(struct sched_ends *ends, struct pool *pool, const struct accounts *accounts);

/* Where they come from: the map of that descriptor. Returns 0 or -errno. */
int sched_ends_open(struct sched_ends *ends, int fd);
void sched_ends_close(struct sched_ends *ends);

/* What has come since the last time. Bounded. */
void sched_ends_read(struct sched_ends *ends);

/* The end of that process, if it has come and has not been passed on. */
struct sched_end *sched_ends_find(const struct sched_ends *ends, uint32_t pid, uint64_t start_time_ns);

/* Adds to the sums of what came and went under that parent. */
void sched_ends_brief(struct sched_ends *ends, struct raw_brief brief);

/* Passes on those that the walk no longer lists. */
void sched_ends_settle(struct sched_ends *ends, const struct walk_view *walk, struct source_tick *tick);

/* ---- budget (sched.c) ---- */

struct sched_budget {
	double limit;              /* fraction of one core */
	uint64_t cost_ns, time_ns; /* of the span that is being judged */
	double saved_ns;           /* cost that may still come before it is too much */
	uint64_t pause_ns;         /* how long to stay detached the next time, or this time */
	uint64_t rest_ns;          /* of the pause; while attached: of the time in which it must keep to the budget to be trusted again */
	uint64_t switches, sampled, sampled_ns; /* as of the tick before */
	double run_ns;                          /* of the program, without what it takes to get there */
	uint64_t hook_ns;                       /* since the start */
};

struct sched_bpf;

struct sched {
	struct sched_bpf *programs;
	struct accounts *accounts; /* borrowed */
	struct pool pool;
	struct sched_limits limits;
	struct sched_cpu *cpus;
	struct sched_stuck *notes;
	uint32_t cpu_count;
	bool wants_switches, wants_ends;
	int switch_link, migrate_link, exit_link, free_link; /* -1: not attached */
	uint64_t switches_before;                            /* of the times it was attached before */
	uint64_t events_lost;
	uint32_t bank; /* of the interval that has just ended */
	struct sched_budget budget;
	struct sched_blame blame;
	struct sched_ends ends;
};

/* Are context switches watched? */
static inline bool sched_is_watching(const struct sched *sched)
{
	return sched->switch_link >= 0;
}

bool sched_blame_take(struct sched_blame *blame, struct pool *pool, const struct accounts *accounts);

/* Fills in what is known of all processes. `take_briefs`: some sums of ended children may be on the accounts. */
void sched_blame_collect(struct sched *sched, const struct walk_view *walk, bool take_briefs, struct raw_process *processes);

#endif
