/*
 * sums.h - what each process did and suffered in a stretch of samples, summed up from the ring. The judge's working table.
 *
 * Rates are integrated over the samples' own intervals. A process is known by pid and start time; one that ended keeps its row, so that a culprit
 * that is gone, and a parent that is gone, have a name.
 */
#ifndef PAUSE_SUMS_H
#define PAUSE_SUMS_H

#include "rogue/reader.h"

/* One process. Times in ns, of the stretch from the onset to the end where nothing else is said. */
struct sums_process {
	uint64_t start_time_ns, cgroup_id;
	uint32_t pid, ppid, threads;
	char command[RH_COMMAND_BYTES];
	uint16_t flags; /* enum rh_process_flag of its last record, `throttled` of any */
	uint8_t policy;
	int8_t nice, priority;
	bool exited;
	uint64_t first_seen_ns, last_seen_ns; /* BOOTTIME of the samples */
	double cpu_ns, cpu_blame_ns, run_wait_ns;
	double lock_blame_ns;
	double io_time_ns, io_blame_ns, io_wait_ns;
	double mem_wait_ns;
	double run_longest_ns, stuck_longest_ns;
	double bytes;
	/* of the whole stretch, the time searched before the onset included */
	double grown_bytes; /* of the footprint: the most above what it had before */
	double mem_least_bytes;
	double bytes_all, pageins_all;
	double cpu_before_ns;
	double mem_wait_all_ns, reclaim_all_ns;
	/* for who attributes */
	double metric;
	uint32_t party;  /* index + 1; 0: none */
	uint32_t parent; /* private: row + 1; UINT32_MAX: none */
};

/* The machine in the same stretch. */
struct sums_machine {
	uint32_t samples, lost; /* read, and gone before they could be */
	uint32_t cpus;
	uint64_t first_sample, last_sample;
	double elapsed_ns, seen_ns; /* from the onset to the end: wall time of the samples */
	double cpu_busy_ns, steal_ns, irq_ns;
	double run_delay_ns, unattributed_ns;
	double psi_cpu_ns, psi_memory_ns, psi_memory_full_ns, psi_io_ns, psi_io_full_ns;
	double disk_busy_max, disk_latency_max_ns;
	uint32_t disk_device; /* that was slowest; 0: not known */
	double disk_device_latency_ns;
	double guard_max_ns, canary_max_ns, lateness_max_ns;
	uint32_t canary_cpu, canaries_late_max;
	uint64_t signals;
	double allocstalls, refaults, swapins, oom_kills;
	double mem_available_least, mem_total;
	uint32_t records;
	double stopped_ns;             /* of the collector itself */
	uint32_t stopper_pid, oom_pid; /* 0: not known */
	char stopper_command[RH_COMMAND_BYTES], oom_command[RH_COMMAND_BYTES];
	double switches, switches_before, elapsed_before_ns; /* of the machine, in the pause and before it */
};

struct sums {
	struct sums_process *rows; /* [count], owned */
	uint32_t count, capacity;
	uint32_t *index; /* hash of pid and start time: row + 1, owned */
	uint32_t index_size;
	struct sums_machine machine;
	double refaults_per_s; /* of the machine, in the sample being added */
};

/*
 * Sums up the samples of a ring. Allocates; sums_free().
 *   from_ns, onset_ns, end_ns  BOOTTIME: samples whose interval ends after from_ns, up to the one taken at end_ns; "during" begins with the first
 *                              that ends after onset_ns
 *   last                       number of the newest sample to look at
 * Returns 0 or -ENOMEM. Samples that are gone are counted. Cost: about 0.2 us for each record of each sample.
 */
int sums_gather(struct sums *sums, struct rh_ring *ring, uint64_t from_ns, uint64_t onset_ns, uint64_t end_ns, uint64_t last);
void sums_free(struct sums *sums);

/* The row of that process; with start 0 the newest of that pid. NULL if there is none. */
struct sums_process *sums_find(const struct sums *sums, uint32_t pid, uint64_t start_time_ns);

/* The parent as far as it is known; NULL for none, and for pid 1 and the threads of the kernel. */
struct sums_process *sums_parent(const struct sums *sums, struct sums_process *process);

/* Is `ancestor` among the ancestors of `process`, or itself? At most 64 generations. */
bool sums_descends(const struct sums *sums, struct sums_process *process, const struct sums_process *ancestor);

/* Is it one of our own programs? */
bool sums_is_own(const struct sums_process *process);

#endif
