/*
 * walk_record.h - what the walk over the tasks writes: one record per process, and the threads that wait.
 *
 * Included by the programs (clang -target bpf) and by the collector. Units are the kernel's: pages, its own state bits. Sums are over living
 * threads plus what the kernel keeps of those that have ended.
 */
#ifndef COLLECTOR_BPF_WALK_RECORD_H
#define COLLECTOR_BPF_WALK_RECORD_H

#include <stdint.h>

struct walk_record {
	uint32_t pid, ppid, uid;
	uint32_t state, exit_state, flags, policy; /* of the main thread, the kernel's bits */
	int32_t prio, static_prio;
	uint32_t threads;
	uint16_t threads_running, threads_stuck;
	int16_t oom_adj;
	uint8_t ran;   /* some thread ran or waited for a cpu since the walk before: its account may have changed */
	uint8_t delays; /* the kernel counts the delays of its threads */
	char command[16];
	uint64_t start_time_ns; /* BOOTTIME */
	uint64_t cpu_time_ns;   /* up to the moment of the walk, for running threads too */
	uint64_t voluntary_csw, involuntary_csw, minor_faults, major_faults;
	uint64_t syscalls, read_bytes, write_bytes, cancelled_bytes;
	uint64_t run_delay_ns;        /* of living threads, those that wait now included */
	uint64_t run_wait_now_ns;     /* longest wait for a cpu of a thread that is waiting now */
	uint64_t stuck_wait_now_ns;   /* longest uninterruptible wait of a thread that is in one now */
	uint64_t io_wait_now_ns;      /* waits for block io that are not over, summed over threads */
	uint64_t mem_wait_now_ns;     /* waits for memory that are not over, likewise */
	uint64_t blkio_delay_ns, swapin_delay_ns, reclaim_delay_ns, thrashing_delay_ns, compaction_delay_ns, irq_delay_ns;
	int64_t file_pages, anon_pages, swap_pages, shmem_pages;
	uint64_t peak_pages;
	uint64_t cgroup_id;
};
_Static_assert(sizeof(struct walk_record) % 8 == 0, "no padding at the end");

/* A thread that waits for a cpu at the moment of the walk: who kept it waiting is found by the slices of that cpu. */
struct walk_waiting {
	uint64_t queued_ns; /* since when, on the clock of run queues */
	uint32_t tgid;
	uint32_t cpu;
};

enum { WALK_WAITING_MOST = 4096 };

#endif
