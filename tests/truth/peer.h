/*
 * peer.h - one process as /proc and its clock tell it: what the published values are compared with.
 *
 * Read by plain means of the C library, all threads included, nothing kept between two readings: slow and simple.
 */
#ifndef TESTS_TRUTH_PEER_H
#define TESTS_TRUTH_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is read. Units are those of the published fields. */
enum peer_value {
	PEER_START,      /* stat:22, whole clock ticks */
	PEER_PPID,       /* stat:4 */
	PEER_UID,        /* status:Uid, real */
	PEER_KERNEL,     /* stat:9 & PF_KTHREAD */
	PEER_STATE,      /* task/TID/stat:3 of all threads: running, else stuck, else the main thread's; enum rh_process_state */
	PEER_POLICY,     /* stat:41 */
	PEER_NICE,       /* stat:19 */
	PEER_PRIORITY,   /* stat:18 */
	PEER_CPU,        /* clock of the process, ns */
	PEER_CPU_TICKS,  /* stat:14 + 15 */
	PEER_RSS_STAT,   /* stat:24 */
	PEER_RSS_STATUS, /* status:VmRSS */
	PEER_FOOTPRINT,  /* status:RssAnon + RssShmem + VmSwap */
	PEER_ANON,
	PEER_SHMEM,
	PEER_SWAP,
	PEER_PEAK,        /* status:VmHWM */
	PEER_FAULTS,      /* stat:10 + 12 */
	PEER_PAGEINS,     /* stat:12 */
	PEER_READ,        /* io:read_bytes */
	PEER_WRITE,       /* io:write_bytes */
	PEER_READ_WRITE,  /* their sum */
	PEER_CALLS,       /* io:syscr + syscw */
	PEER_VOLUNTARY,   /* task/TID/status, living threads */
	PEER_INVOLUNTARY, /* the same */
	PEER_MAIN_VOLUNTARY,
	PEER_MAIN_INVOLUNTARY,
	PEER_SLICES,  /* task/TID/schedstat:3, living threads */
	PEER_DELAY,   /* task/TID/schedstat:2, living threads */
	PEER_THREADS, /* stat:20 */
	PEER_RUNNING, /* task/TID/stat:3 */
	PEER_STUCK,   /* task/TID/stat:3 */
	PEER_OOM,     /* oom_score_adj */
	PEER_CGROUP,  /* inode of the folder that /proc/PID/cgroup names */
	PEER_VALUES
};

struct peer {
	pid_t pid;
	uint64_t known; /* bits of enum peer_value */
	int64_t value[PEER_VALUES];
	uint8_t main_state; /* stat:3, enum rh_process_state */
	char command[16];   /* comm, byte for byte */
};

/* Reads it. Returns false if there is no such process, or it ended meanwhile. */
bool peer_read(pid_t pid, struct peer *ret_peer);

static inline bool peer_knows(const struct peer *peer, enum peer_value value)
{
	return peer->known >> value & 1;
}

/* Did no thread of it run between two readings? Then whatever was read between them must agree exactly. */
bool peer_rested(const struct peer *before, const struct peer *after);

/* Pids of all processes, as /proc lists them, at most `most`. Returns how many. */
unsigned peer_list(pid_t *pids, unsigned most);

#endif
