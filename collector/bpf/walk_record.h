/*
 * walk_record.h - what the walk over the tasks writes: one record per process, and the threads that wait; and what the collector tells the walk.
 *
 * Included by the programs (clang -target bpf) and by the collector. Units are the kernel's: pages, its own state bits. Sums are over living
 * threads plus what the kernel keeps of those that have ended.
 */
#ifndef COLLECTOR_BPF_WALK_RECORD_H
#define COLLECTOR_BPF_WALK_RECORD_H

#include <stdint.h>

/* Memory counters, as the kernel orders them. */
enum { WALK_FILE_PAGES, WALK_ANON_PAGES, WALK_SWAP_PAGES, WALK_SHMEM_PAGES, WALK_PAGES };

struct walk_record {
	uint32_t pid, ppid, uid;
	uint32_t state, exit_state, flags, policy; /* of the main thread, the kernel's bits */
	int32_t prio, static_prio;
	uint32_t threads;
	uint16_t threads_running, threads_stuck;
	int16_t oom_adj;
	uint8_t ran;    /* some thread ran, waited for a cpu or ended since the walk before: its account may have changed */
	uint8_t delays; /* the kernel counts the delays of its threads */
	uint8_t memory; /* enum walk_memory */
	uint8_t kept;   /* cpu_pages are those of the walk before: enum walk_memory as it was there, or WALK_MEMORY_NONE */
	uint8_t active; /* some thread was ready to run, waiting or on a cpu when it was looked at: it will have changed by the next walk */
	uint8_t quota;  /* bits of enum walk_quota */
	char command[16];
	uint64_t start_time_ns; /* BOOTTIME */
	uint64_t cpu_time_ns;   /* up to the begin of the walk for threads that are running */
	uint64_t ended_cpu_ns;  /* the part of it of threads that have ended */
	uint64_t voluntary_csw, involuntary_csw, minor_faults, major_faults;
	uint64_t syscalls, read_bytes, write_bytes, cancelled_bytes;
	uint64_t run_delay_ns;        /* of living threads, those that wait at the begin of the walk included */
	uint64_t run_delay_before_ns; /* the same in the walk before; 0: it was in none */
	uint64_t run_wait_now_ns;     /* longest wait for a cpu of a thread that is waiting now */
	uint64_t stuck_wait_now_ns;   /* longest uninterruptible wait of a thread that is in one now */
	uint64_t io_wait_now_ns;      /* waits for block io that are not over, summed over threads */
	uint64_t mem_wait_now_ns;     /* waits for memory that are not over, likewise */
	uint64_t blkio_delay_ns, swapin_delay_ns, reclaim_delay_ns, thrashing_delay_ns, compaction_delay_ns, irq_delay_ns;
	int64_t pages[WALK_PAGES];
	int32_t cpu_pages
	        [WALK_PAGES]; /* to be added: what single cpus have counted and not yet handed in; if memory is WALK_MEMORY_WHOLE */
	uint64_t peak_pages;
	uint64_t cgroup_id;
};
_Static_assert(sizeof(struct walk_record) % 8 == 0, "no padding at the end");

enum walk_memory {
	WALK_MEMORY_NONE,   /* no address space: a kernel thread, or about to be gone */
	WALK_MEMORY_COARSE, /* without the parts of single cpus */
	WALK_MEMORY_WHOLE,
};

/* What the cpu quota of its group, or of one above it, did to a process. */
enum walk_quota {
	WALK_QUOTA_SPENT = 1, /* the group of a thread that was active was held back since the walk before */
	WALK_QUOTA_WAITS = 2, /* a thread is being held back now */
};

/* A group of tasks with a cpu quota, as it was in the newest walk that met it. Of no concern to the collector. */
struct walk_quota_group {
	uint64_t group; /* address of the kernel's task group; 0: free */
	uint64_t throttled_ns;
	uint32_t throttled_count;
	uint32_t walk;  /* which walk that was */
	uint32_t spent; /* it was held back between that walk and the one before */
	uint32_t reserved;
};

/* A thread that waits for a cpu at the moment of the walk: who kept it waiting is found by the slices of that cpu. */
struct walk_waiting {
	uint64_t queued_ns; /* since when, on the clock of run queues */
	uint32_t tgid;
	uint32_t cpu;
};

enum {
	WALK_WAITING_MOST = 4096,
	WALK_CPUS_MOST = 1024,
	WALK_GROUPS = 1024, /* groups with a quota; a power of two */
	WALK_CPUS_FEW = 8,  /* up to so many are asked for their parts wherever these are not known; above, only for processes that ran */
};

/* What is settled before a program is loaded. */
struct walk_settings {
	uint32_t cpus;  /* whose parts of the memory counters are added; 0: of none */
	uint32_t slots; /* of the table by which the iterator finds a process's record; a power of two */
	uint64_t cpu_offset[WALK_CPUS_MOST];
};

/* What this kernel has, besides what every kernel has. */
enum walk_feature {
	WALK_SCHED_INFO = 1,
	WALK_IO = 2,
	WALK_MEMSTALL = 4,
	WALK_CPU_PARTS = 8,
	WALK_COMPACTION = 16,
	WALK_IRQ = 32,
	WALK_QUOTA = 64
};

/* A walk, as the collector orders it and as it went. */
struct walk_control {
	/* orders */
	uint32_t begins;       /* 1: a new walk; 0: the next chunk of one. Set to 0 by the program */
	uint32_t tasks_most;   /* processes, and threads, after which this call ends */
	uint32_t whole_of_all; /* single cpus are asked for their parts of all memory counters, not only of those of processes that ran */
	uint32_t generation;   /* of the iterator's table: the number of the walk, from 1 */
	/* the clock of run queues, less the one of the helper */
	uint64_t clock_lag_ns;           /* the newest good value; 0: none */
	uint64_t clock_seen_ns;          /* when that was, MONOTONIC */
	uint32_t clock_doubts, reserved; /* values since then that were not believed */
	/* results */
	uint64_t begin_ns, begin_boot_ns, begin_rq_ns; /* of the walk: MONOTONIC, BOOTTIME, clock of run queues */
	uint64_t before_rq_ns;                         /* begin_rq_ns of the walk before */
	uint32_t count, dropped;                       /* records; processes there was no room for */
	uint32_t waiting_count, waiting_lost;
	uint32_t count_before, shift; /* records of the walk before; how many of these have been passed over, as their processes are gone */
	uint32_t tasks;               /* processes and threads seen */
	uint32_t done;                /* the walk is at its end */
	uint32_t features;            /* bits of enum walk_feature */
	uint32_t self;                /* the collector's own process id, as the kernel's first namespace has it */
	uint32_t walks, reserved_too; /* walks since the programs were loaded */
	/* where the walk goes on */
	uint64_t list_begin, cursor_start_ns;
	uint32_t cursor, searches; /* searches: times that the list was searched, since the last process seen had gone */
};

#endif
