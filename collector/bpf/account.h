/*
 * account.h - what the programs in the kernel keep of each process between two samples, and the last words of those that end.
 *
 * Included by the programs (clang -target bpf) and by the collector: fixed-width types, natural alignment, no padding that is not named.
 * Accounts lie in one mmap-able array map, `slots` (a power of two) of them, shared by all our programs. The account of a process is at one of
 * ACCOUNT_PROBES places from account_place(tgid) on, account_probe(): the one whose tgid is its own. A program claims a free one (tgid 0) the first time
 * it has something to say of the process; the exit program frees it. Threads of one process share it, on several cpus at once: sums are added to
 * atomically, largest values are stored plainly (a lost race costs one of two nearly equal values).
 */
#ifndef COLLECTOR_BPF_ACCOUNT_H
#define COLLECTOR_BPF_ACCOUNT_H

#include <stdint.h>

enum {
	ACCOUNT_PROBES = 8,
	ACCOUNT_STRIDE = 2053, /* odd, and with the probes over all of the smallest table */
	ACCOUNT_BYTES = 128,
	ACCOUNT_BANKS =
	        2, /* values of an interval take turns: programs write bank epoch % 2, the collector reads the other one and clears it */
};

struct account {
	/* what a context switch touches */
	uint32_t tgid;         /* 0: free */
	uint32_t stuck;        /* threads of which something is noted until they run: see ACCOUNT_STUCK */
	uint64_t cpu_blame_ns; /* run-queue waiting of others while this one ran; after the end was told, what came since */
	uint64_t
	        exited_run_delay_ns; /* to be added to the kernel's run delay, modulo 2^64: that of threads that have ended, less sleep that the kernel took for it */
	uint64_t io_wait_ns, mem_wait_ns;          /* uninterruptible waits that ended: for block io; for memory */
	uint32_t run_wait_max_us[ACCOUNT_BANKS];   /* longest single run-queue wait that ended in the interval */
	uint32_t stuck_wait_max_us[ACCOUNT_BANKS]; /* longest single uninterruptible wait that ended in the interval */
	uint64_t exited_exec_ns; /* cpu time reported in last words so far, with ACCOUNT_TOLD; 0 before; what comes later is a tail */
	/* what is touched more rarely */
	uint64_t io_time_ns;                /* device time of own requests */
	uint64_t reclaim_ns, compaction_ns; /* in direct reclaim (global and of its group), in compaction */
	uint32_t reclaims, brief_count;
	/* children that came and went and whose last words found no room */
	uint64_t brief_cpu_ns, brief_io_bytes;
	uint64_t brief_faults;
	uint64_t told_start_ns; /* BOOTTIME start of the process whose last words were told: pids are given out again */
};
/* `stuck` counts threads in an uninterruptible wait, and from this bit on those that the kernel wrongly takes for waiting while they sleep. */
enum { ACCOUNT_STUCK = 1, ACCOUNT_STUCK_ASLEEP = 1 << 16 };
/* The lowest bits of exited_exec_ns. */
enum { ACCOUNT_TOLD = 1, ACCOUNT_TOLD_PARENT = 2, ACCOUNT_TOLD_BITS = 3 };
_Static_assert(sizeof(struct account) == ACCOUNT_BYTES, "an account is two cache lines");

static inline uint32_t account_place(uint32_t tgid, uint32_t slots)
{
	return tgid & (slots - 1); /* pids are given out in order: neighbours get neighbours */
}

/*
 * The places of an account lie far apart. Where many processes were made in a row their pids fill a run of places without a gap, and a pid whose first place is
 * in that run - one that is larger or smaller by a multiple of `slots` - would find none free near by.
 */
static inline uint32_t account_probe(uint32_t place, uint32_t i, uint32_t slots)
{
	return (place + i * ACCOUNT_STRIDE) & (slots - 1);
}

/* Numbers of the whole machine, one per cpu, each written by its own cpu alone. */
struct account_cpu {
	uint64_t unowned_ns;    /* run-queue waiting while the cpu was idle */
	uint64_t accounts_full; /* charges that found no account */
	uint64_t
	        events_lost; /* last words and tails that found no room; they are in the brief sums of the parent then, if it has an account */
	uint64_t blocks;     /* block requests watched */
	uint64_t reserved[4];
};
_Static_assert(sizeof(struct account_cpu) == 64, "one cache line per cpu");

/* The end of a process, in a BPF ring buffer. */
struct last_words {
	uint32_t kind; /* LAST_WORDS_END */
	uint32_t pid, ppid, uid;
	uint64_t start_time_ns, end_time_ns; /* BOOTTIME */
	uint64_t cpu_time_ns;                /* all threads */
	uint64_t read_bytes, write_bytes, minor_faults, major_faults, syscalls;
	uint64_t voluntary_csw, involuntary_csw, run_delay_ns, cpu_blame_ns, io_time_ns;
	uint64_t io_wait_ns, mem_wait_ns, cgroup_id, peak_pages;
	uint32_t exit_code, flags; /* flags: of the kernel's task, for kernel threads */
	int32_t prio, static_prio;
	uint32_t policy, threads;
	uint32_t run_wait_max_us, stuck_wait_max_us; /* of the interval in which it ended */
	char command[16];
};
enum { LAST_WORDS_END = 1, LAST_WORDS_TAIL = 2 };

/* What a process used after its end was told: the kernel takes its address space apart then. Values to be added. */
struct last_words_tail {
	uint32_t kind; /* LAST_WORDS_TAIL */
	uint32_t pid, ppid, reserved;
	uint64_t start_time_ns;
	uint64_t cpu_time_ns, run_delay_ns, cpu_blame_ns;
};
_Static_assert(sizeof(struct last_words) % 8 == 0, "no padding at the end");

#endif
