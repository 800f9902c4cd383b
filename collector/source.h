/*
 * source.h - where samples come from. The one interface behind which platforms and back ends differ.
 *
 * A source fills raw records: cumulative counters and levels of each process, and of the machine. Nothing above this line
 * knows where a number came from, and no Linux type, path or constant passes it. Rates, shares, scores and blame are computed from
 * raw records by the files above.
 * Folders: procfs/ (Linux /proc), bpf/ (Linux, kernel-direct). Meters (meters/) add to the records of any source what it cannot know.
 */
#ifndef COLLECTOR_SOURCE_H
#define COLLECTOR_SOURCE_H

#include "base/config.h"
#include "rogue/samples.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What processes used that lived between two ticks under one parent: a sum over `count` of them. */
struct raw_brief {
	uint32_t ppid, count;
	uint64_t cpu_time_ns, io_bytes, faults;
};

/* What a source knows of one process now. A member counts only where `present` has the bit of the field it feeds. */
struct raw_process {
	uint64_t present[2];    /* bits of enum rh_field_id */
	uint64_t start_time_ns; /* since boot */
	uint32_t pid, ppid, uid;
	uint8_t state;  /* enum rh_process_state */
	uint8_t policy; /* enum rh_policy */
	int8_t nice, priority;
	uint16_t flags; /* enum rh_process_flag: kernel_thread, vanished_in_read, throttled */
	int16_t oom_adj;
	char command[RH_COMMAND_BYTES];
	/* counters since the start of the process */
	uint64_t cpu_time_ns, runnable_time_ns, wakeups;
	uint64_t voluntary_csw, involuntary_csw; /* with the bit RH_F_csw_per_s too where they are of this very sample */
	uint64_t minor_faults, major_faults;     /* RH_F_faults_count, RH_F_pageins_count */
	uint64_t read_bytes, write_bytes, syscalls;
	uint64_t instructions, cycles, energy_uj, gpu_time_ns;
	uint64_t blkio_delay_ns, swapin_delay_ns, reclaim_delay_ns, thrashing_delay_ns, compaction_delay_ns, irq_delay_ns;
	/* run-queue waiting inflicted on others since the start; where absent the caller estimates it */
	uint64_t cpu_blame_ns;
	uint64_t lock_blame_ns; /* waiting for locks of the kernel inflicted on others, since the start: RH_F_lock_blame_ms_per_s */
	uint64_t io_time_ns;    /* time of devices spent on its requests, since the start: RH_F_io_time_ms_per_s */
	uint64_t end_time_ns;   /* since boot; of records in source_tick.ended alone: RH_F_lifetime_ns */
	/* levels */
	uint64_t cgroup_id;
	uint64_t rss_bytes, anon_bytes, shmem_bytes, swap_bytes, mem_peak_bytes;
	uint32_t threads;
	uint16_t threads_running, threads_stuck;
	float run_wait_max_ns, stuck_wait_max_ns; /* in the interval */
};

/* What a source knows of the machine now: cumulative times in ns, counters since boot, levels. Bits of enum rh_system_id. */
struct raw_system {
	uint64_t present[2];
	uint32_t cpus;
	uint32_t running;                                                           /* threads runnable */
	uint64_t cpu_idle_ns, cpu_iowait_ns, cpu_irq_ns, cpu_steal_ns, cpu_busy_ns; /* all cpus together; busy includes irq, not steal */
	double load;
	uint64_t forks;
	uint64_t psi_cpu_some_ns, psi_memory_some_ns, psi_memory_full_ns, psi_io_some_ns, psi_io_full_ns;
	uint64_t mem_total_bytes, mem_available_bytes, swap_total_bytes, swap_used_bytes, dirty_bytes;
	uint64_t swapins, swapouts, allocstalls, refaults, compact_stalls, oom_kills;
	/* disks: sums over whole devices; busy is of the busiest device */
	uint64_t disk_read_bytes, disk_write_bytes, disk_requests, disk_request_ns;
	double disk_busy_ratio; /* over the time since the tick before; the source knows its devices */
	uint32_t disk_inflight;
	double gpu_busy_ratio;
	/* scheduler accounting */
	uint16_t waiting;              /* threads waiting for a cpu now */
	uint32_t throttled;            /* processes with the flag: RH_S_throttled_processes_count */
	uint64_t switches;             /* context switches seen since the start: RH_S_switches_per_s */
	uint64_t run_delay_unowned_ns; /* run-queue waiting that no process caused, since the start: RH_S_run_delay_unattributed_ms_per_s */
	uint32_t kernel_bytes;         /* kernel memory of our maps, or the most that can be told: RH_S_self_kernel_bytes */
	uint64_t hook_ns; /* cpu time that the programs in the kernel took, an estimate, since the start: RH_S_hook_cost_ratio */
	/* rare events */
	uint64_t lock_delay_ns; /* waiting for locks of the kernel, all processes, since the start: RH_S_lock_delay_ms_per_s */
	float self_stopped_ns;  /* of the interval */
	uint32_t stop_sender_pid, oom_victim_pid; /* with their present bits only where there was one in the interval */
	char stop_sender_command[RH_COMMAND_BYTES];
	char oom_victim_command[RH_COMMAND_BYTES];
	/* block accounting, of the device with the highest mean latency since the tick before */
	float disk_slowest_latency_ns, disk_latency_max_ns;
	uint32_t disk_slowest_device; /* major << 20 | minor */
};

struct source_options {
	const char *proc_root;
	uint64_t interval_ns;
	uint32_t max_processes; /* capacity of the array given to tick */
	uint32_t refresh_parts, thread_limit, fd_limit;
	const struct config *config; /* borrowed until close; rows that only one back end knows are read there */
	/* NULL, or to be called every few hundred processes in a tick: the source gets on with its work. Takes no time worth mentioning. */
	void (*progress)(void *context);
	void *progress_context;
};

/* What a tick reports beside the records. */
struct source_tick {
	uint32_t count;             /* raw records filled in, one per process, in any order, pids unique */
	uint32_t unreadable;        /* processes of which a file could not be read */
	uint32_t dropped;           /* processes there was no room for */
	uint32_t degraded;          /* bits of enum rh_degraded that the source has taken upon itself */
	bool discontinuous;         /* system counters ran backwards, or a cpu came or went */
	uint64_t taken_boottime_ns; /* the moment that the values of processes are of, BOOTTIME; 0: that of the call */
	uint64_t signals;           /* bits of enum rh_signal that were live in this tick */
	uint64_t events_lost;       /* events that found no room since the tick before; what they told is lost */
	/*
	 * Processes that ended since the tick before, with their final counters, state zombie, end_time_ns; none of them is among the records.
	 * Memory of the source, valid until its next tick. A source that cannot watch exits leaves ended_count 0.
	 */
	struct raw_process *ended;
	uint32_t ended_count;
	/* Those of them for whose last words there was no room, summed up by parent; and cpu time that ended processes used after their last words. */
	const struct raw_brief *brief;
	uint32_t brief_count;
};

struct source; /* owned by the caller of an open function until close */

struct source_operations {
	uint8_t sampler; /* enum rh_sampler: the way processes are read, and its tier */
	/*
	 * One sample. Allocates nothing. `budget_ns` is the time of this thread it should use at most: beyond it details of idle
	 * processes are left for later. Returns 0 or -errno (the process list itself cannot be read).
	 */
	int (*tick)(struct source *source, uint64_t budget_ns, struct raw_process *processes, struct raw_system *system,
	        struct source_tick *ret_tick);
	void (*close)(struct source **source);
};

struct source {
	const struct source_operations *operations;
};

/* Opens the /proc back end. Returns 0, or -errno with a sentence in `error`. All memory it will ever use is allocated here. */
int source_procfs_open(const struct source_options *options, struct source **ret_source, char error[256]);

/*
 * Opens the kernel-direct back end. Returns 0, or -errno with a sentence in `error` that says what is missing and what would help:
 *   -ENOENT  this kernel tells no type information (BTF)     -EPERM   the rights are missing (CAP_BPF and CAP_PERFMON, or root)
 *   -EXDEV   the process ids of this process are of a namespace of its own
 *   -ENOSYS  not in this build                               other    the kernel refused a program; the sentence says which and why
 * A part that fails (scheduler, block) does not fail the whole: its signal bit stays off, and the log says why, once.
 */
int source_bpf_open(const struct source_options *options, struct source **ret_source, char error[256]);

#endif
