/*
 * pause.h - a pause, as it was judged: who stood still, for how long, of what kind, because of whom, on what evidence.
 *
 * One struct of fixed size that owns nothing. judge.h fills it in from samples; surroundings and remedies are added by who lives on the machine
 * itself; sentence.h words it, document.h writes it as JSON (rogue-hunter.pause/1), which is what is stored and what everybody else reads.
 *
 * All texts are sanitised (printable ASCII for names in the sentence) and end in NUL. Times are ns; NAN is "not measured".
 */
#ifndef PAUSE_PAUSE_H
#define PAUSE_PAUSE_H

#include "rogue/samples.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PAUSE_NAME_BYTES = 80,
	PAUSE_TEXT_BYTES = 96,
	PAUSE_SENTENCE_BYTES = 241, /* 240 and NUL */
	PAUSE_CULPRITS = 5,         /* culprits or candidates, and carriers */
	PAUSE_VICTIMS = 8,
	PAUSE_EVIDENCE = 16,
	PAUSE_ROWS = 8,     /* of the timeline */
	PAUSE_COLUMNS = 60, /* of the timeline */
	PAUSE_REMEDIES = 3,
	PAUSE_COMMAND_BYTES = 200,
};

#define PAUSE_CLASS(value, name, metric, unit, amount) PAUSE_CLASS_##name = (value),
enum pause_class {
#include "pause/pause.def"
	PAUSE_CLASSES
};
#define PAUSE_STATE(value, name) PAUSE_STATE_##name = (value),
enum pause_state {
#include "pause/pause.def"
};
#define PAUSE_KIND(value, name) PAUSE_KIND_##name = (value),
enum pause_kind {
#include "pause/pause.def"
};
#define PAUSE_ROLE(value, name) PAUSE_ROLE_##name = (value),
enum pause_role {
#include "pause/pause.def"
};
#define PAUSE_WORD(value, name, from, hedge) PAUSE_WORD_##name = (value),
enum pause_word {
#include "pause/pause.def"
};
#define PAUSE_RESULT(value, name) PAUSE_RESULT_##name = (value),
enum pause_result {
#include "pause/pause.def"
};
#define PAUSE_WAIT(value, name, text) PAUSE_WAIT_##name = (value),
enum pause_wait {
#include "pause/pause.def"
};
#define PAUSE_SCOPE(value, name) PAUSE_SCOPE_##name = (value),
enum pause_scope {
#include "pause/pause.def"
};

/* Somebody who is named. */
struct pause_who {
	uint8_t role, kind; /* enum pause_role, pause_kind */
	bool exited;        /* gone by the time of the judgement */
	bool also_victim;
	uint8_t policy;  /* enum rh_policy of the leading process */
	uint8_t rt_prio; /* 1 to 99 where it is real-time, else 0 */
	int8_t nice;
	uint32_t pid; /* the leading process: of a group its greatest, of a tree its root */
	uint64_t start_time_ns;
	uint32_t process_count;
	uint64_t cgroup_id;
	char name[PAUSE_NAME_BYTES]; /* "updatedb[812]", "40 x cc1 under make[812]", "chrome[3120] and 11 children" */
	char command[RH_COMMAND_BYTES];
	char ancestor[RH_COMMAND_BYTES]; /* of a group: who started them; "" for none */
	uint32_t ancestor_pid;
	bool ancestor_exited;
	char cgroup[PAUSE_TEXT_BYTES]; /* path of its control group, "" where not known; filled in on the machine itself */
	float share_ratio;             /* of the metric */
	double amount;                 /* of the metric, in its unit */
	uint64_t harm_ns;              /* waiting of others that it caused */
	char how[PAUSE_TEXT_BYTES];    /* "grew 1.9 GiB in 5 s", "real-time FIFO 50" */
};

struct pause_victim {
	char name[PAUSE_NAME_BYTES]; /* "sshd[900]", "a normal program on CPU 1" (the canary: pid 0) */
	char command[RH_COMMAND_BYTES];
	uint32_t pid;
	uint64_t start_time_ns;
	uint32_t threads;
	uint64_t longest_ns, total_ns;
	uint8_t wait; /* enum pause_wait */
	bool also_culprit;
	uint64_t cgroup_id;
	char cgroup[PAUSE_TEXT_BYTES];
};

struct pause_evidence {
	bool against;    /* else for */
	char signal[32]; /* "psi.memory.full": where the value comes from */
	char text[PAUSE_TEXT_BYTES];
	char unit[12];       /* ratio, ns, bytes, count, per_s, text */
	double value, usual; /* usual: median of the time before; NAN where there is none */
};

struct pause_alternative {
	uint8_t class, result; /* enum pause_class, pause_result */
	float p_ratio;
	char signal[32], unit[12];
	double value;
	char text[PAUSE_TEXT_BYTES]; /* "longest ready wait 38 ms" */
};

struct pause_row {
	char name[28];
	float ratio[PAUSE_COLUMNS]; /* 0 to 1; NAN: not seen */
};

struct pause_remedy {
	char id[24]; /* "memory.high" */
	char condition[PAUSE_TEXT_BYTES];
	char text[PAUSE_COMMAND_BYTES];
	char command[PAUSE_COMMAND_BYTES], undo[PAUSE_COMMAND_BYTES], risk[PAUSE_TEXT_BYTES]; /* "" for none */
};

/* Where it happened. What a sample does not tell is filled in on the machine itself, and empty or 0 in a replay. */
struct pause_place {
	char host[64], kernel[64];
	uint32_t cpus;
	uint64_t mem_total_bytes, swap_total_bytes, swap_used_bytes, uptime_ns;
	uint8_t sampler, guard_class;
	int32_t utc_offset_s; /* of local time at the onset */
};

struct pause {
	/* which */
	char boot_id[40];
	uint32_t number;       /* per boot, from 1 */
	uint8_t state;         /* enum pause_state */
	uint32_t merged_into;  /* number, where state is merged */
	uint8_t class;         /* enum pause_class */
	uint8_t earlier_class; /* what an earlier judgement said; equal to class where none said otherwise */
	bool ongoing, onset_seen;
	/* when; the duration is the longest single stand-still, the span all of it from the onset to the end */
	uint64_t start_realtime_ns, start_boottime_ns, duration_ns, span_ns;
	uint64_t first_said_ns; /* from the onset to the first judgement */
	uint64_t final_said_ns; /* from the end to the final one; 0 in an interim one */
	/* who stood still */
	uint8_t scope;                 /* enum pause_scope */
	uint32_t task_count;           /* processes of which a thread stood still; scope monitor: those that ran on meanwhile */
	uint64_t cpu_mask;             /* cpus on which it happened, of the first 64; 0: not known */
	char cgroup[PAUSE_TEXT_BYTES]; /* scope cgroup: its path, or "" */
	uint32_t victim_count;
	struct pause_victim victims[PAUSE_VICTIMS];
	uint32_t victims_in_all; /* processes */
	uint64_t victims_wait_ns;
	/* what */
	int32_t taken_cpu;            /* class cpu, one_cpu: the only cpu that was taken; -1: all, or several */
	char device[32];              /* class io: "nvme0n1"; class one_cpu: the interrupt */
	uint64_t quota_ns, period_ns; /* class throttle: 0 where not known */
	float steal_ratio, idle_ratio;
	char oom_victim[PAUSE_NAME_BYTES]; /* class oom: who was killed */
	bool oom_of_group;                 /* the group hit its own limit while the machine had memory */
	char caveat[PAUSE_TEXT_BYTES];     /* "" for none */
	/* because of whom */
	uint32_t culprit_count; /* culprits, or candidates where nobody can be named; carriers come last */
	struct pause_who culprits[PAUSE_CULPRITS];
	bool outside;   /* the cause is outside of this machine */
	bool own_fault; /* nobody else's */
	double metric_total;
	uint64_t window_ns; /* before the onset that was searched */
	/* how sure */
	float class_ratio, both_ratio, cap_ratio;
	uint8_t word;  /* enum pause_word */
	bool recorded; /* basis: recorded, else inferred */
	char cap_reason[PAUSE_TEXT_BYTES];
	/* why */
	uint32_t evidence_count;
	struct pause_evidence evidence[PAUSE_EVIDENCE];
	uint32_t alternative_count;
	struct pause_alternative alternatives[PAUSE_CLASSES];
	/* what was seen of it */
	uint64_t signals; /* bits of enum rh_signal that were live throughout */
	uint64_t seen_ns;
	uint32_t records_count, lost_count; /* records seen; samples that were gone before they could be */
	uint64_t lateness_max_ns;           /* of the collector's samples in it */
	/* timeline, relative to the onset */
	int64_t from_ns;
	uint64_t bucket_ns;
	uint32_t row_count, column_count;
	struct pause_row rows[PAUSE_ROWS];
	/* added on the machine itself */
	struct pause_place place;
	uint32_t remedy_count;
	struct pause_remedy remedies[PAUSE_REMEDIES];
	uint32_t same_class_today;       /* pauses of this class in the last 24 hours, this one included; 0: not known */
	char baseline[PAUSE_TEXT_BYTES]; /* "the worst chrome in 30 days"; "" for nothing to say */
	/* for who stores: samples it was judged from */
	uint64_t first_sample, last_sample;
};

/* Version of the rules, stored with each judgement. */
#define PAUSE_JUDGE "2026.11-r1"

enum { PAUSE_ID_BYTES = 24 };

/* "7c1f93ab-44". Returns out. */
char *pause_id(const struct pause *pause, char out[PAUSE_ID_BYTES]);

/* Name of a code in each closed list; "unknown" for one that this version does not know. */
const char *pause_class_name(unsigned class);
const char *pause_state_name(unsigned state);
const char *pause_kind_name(unsigned kind);
const char *pause_role_name(unsigned role);
const char *pause_word_name(unsigned word);
const char *pause_result_name(unsigned result);
const char *pause_wait_name(unsigned wait);
const char *pause_scope_name(unsigned scope);
const char *pause_metric_name(unsigned class);
const char *pause_metric_unit(unsigned class);
const char *pause_metric_amount(unsigned class);

/* The word for a probability that class and culprit are both right, and the hedge of a word ("very likely"). */
enum pause_word pause_word_for(float class_ratio, float both_ratio, bool recorded);
const char *pause_hedge(unsigned word);

/* The word that may be said of a pause: the judge's, but no more than "likely" as long as the pause goes on and nothing was recorded. */
enum pause_word pause_word_said(const struct pause *pause);

/*
 * The first who is named: the first culprit, where the word is "likely" at least, the cause is on this machine and it was another's doing. NULL: nobody is. Who
 * names somebody anywhere - in a sentence, a remedy, a notification, a count - asks this.
 */
const struct pause_who *pause_named(const struct pause *pause);

#endif
