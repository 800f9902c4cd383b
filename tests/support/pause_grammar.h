/*
 * pause_grammar.h - reads the sentence about a pause back, by the grammar of docs/verdict.md. It shares no code with who writes the sentence.
 */
#ifndef TESTS_SUPPORT_PAUSE_GRAMMAR_H
#define TESTS_SUPPORT_PAUSE_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GRAMMAR_NAME_BYTES = 128, GRAMMAR_CULPRITS = 3 };

enum grammar_subject { GRAMMAR_TASKS, GRAMMAR_MACHINE, GRAMMAR_MONITOR };

enum grammar_who {
	GRAMMAR_NONE,        /* unexplained */
	GRAMMAR_BECAUSE,     /* "likely because of A", with or without the hedge here */
	GRAMMAR_BY,          /* recorded: "by A", "caused by A" */
	GRAMMAR_HELD,        /* a lock "held by A" */
	GRAMMAR_FIRMWARE,    /* "very likely because of the hypervisor or firmware" */
	GRAMMAR_CANDIDATES,  /* "no single culprit: A 38%, B 24%" */
	GRAMMAR_UNCLEAR,     /* "culprit unclear" */
	GRAMMAR_OUTSIDE,     /* "cause outside this machine" */
	GRAMMAR_NOBODY,      /* "nobody's fault" */
	GRAMMAR_NOBODY_ELSE, /* "nobody else's fault" */
};

struct grammar_name {
	char name[GRAMMAR_NAME_BYTES];
	char detail[GRAMMAR_NAME_BYTES]; /* "94% of the CPU time", "38%", "SIGSTOP"; "" for none */
};

struct grammar_pause {
	char class[16], id[32];
	bool interim;
	enum grammar_subject subject;
	uint32_t task_count;            /* 0: not known, or no tasks */
	char group[GRAMMAR_NAME_BYTES]; /* "in cgroup X" */
	int bound_cpu;                  /* "bound to CPU 3", else -1 */
	bool at_least, up_to, going_on;
	char duration[32];
	uint64_t duration_ns, duration_error_ns; /* what the figure says, and half its last digit */
	int second_of_day;
	bool utc; /* TIME ends in Z */
	char worst[GRAMMAR_NAME_BYTES];
	char hedge[20];   /* "", "likely", "very likely", "almost certainly" */
	bool hedge_first; /* it stands in WHAT */
	const char *what; /* the form of WHAT, from the table of forms */
	enum grammar_who who;
	unsigned culprit_count; /* named, or candidates */
	struct grammar_name culprits[GRAMMAR_CULPRITS];
	char caveat[256];
};

/* Reads a sentence. Returns NULL, or what is wrong with it in a few words (a constant). */
const char *grammar_parse(const char *sentence, struct grammar_pause *ret_pause);

#endif
