/*
 * notice.h - does somebody stand still in this sample? The cheap look that every sample gets, and the look at its processes where it finds something.
 *
 * Eight things are told apart by what is waited for; whose doing it is, and whether it was deserved, is for the judge.
 */
#ifndef PAUSE_NOTICE_H
#define PAUSE_NOTICE_H

#include "base/config.h"
#include "rogue/reader.h"

enum notice_kind {
	NOTICE_SUSPEND,  /* the machine was suspended */
	NOTICE_GAP,      /* the collector itself did not run */
	NOTICE_RUN,      /* tasks waited for a cpu */
	NOTICE_THROTTLE, /* tasks waited for their own quota */
	NOTICE_IO,       /* tasks stood still for storage */
	NOTICE_MEMORY,   /* tasks stood still for memory */
	NOTICE_STUCK,    /* tasks stood still in the kernel, for neither */
	NOTICE_OOM,      /* the kernel killed for lack of memory */
	NOTICE_KINDS
};

/* One kind in one sample. */
struct noticed {
	bool active;
	uint64_t longest_ns; /* longest single stand-still */
	uint64_t onset_ns;   /* BOOTTIME: when the earliest of those seen in this sample began */
	uint32_t tasks;      /* processes that stood still; 0 where only the canary tells */
};

enum { NOTICE_SUFFERERS = 1024 };

/* A process that waits: what adds up over samples. */
struct sufferer {
	uint32_t pid;
	uint64_t start_time_ns, last_ns; /* BOOTTIME of the newest sample in which it waited */
	uint64_t run_since_ns, io_since_ns, memory_since_ns;
	double run_ns, io_ns, memory_ns;         /* time stood still, without much in between */
	double io_longest_ns, memory_longest_ns; /* single waits in that time */
};

struct notice {
	const struct config *config;        /* borrowed */
	struct noticed kinds[NOTICE_KINDS]; /* results of the newest sample */
	/* private */
	struct sufferer sufferers[NOTICE_SUFFERERS];
	struct rh_system before;
	bool has_before;
	double refaults_per_s;   /* of the machine, in the newest sample */
	uint64_t canary_from_ns; /* BOOTTIME: from when on the canaries tell something again */
};

void notice_begin(struct notice *notice, const struct config *config);

/*
 * Looks at a sample and fills in `kinds`. Returns true if any is active. Cost: 50 ns in a quiet sample, else a look at each record, 10 to 100 ns.
 *   eager  look at the processes in any case: something is going on
 */
bool notice_look(struct notice *notice, const struct rh_view *view, bool eager);

#endif
