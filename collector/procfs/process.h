/*
 * process.h - one process of /proc: what is known of it, and how little must be read to know it still.
 *
 * The gate: a process whose cpu clock (clock.h) stands still did not run since it was last read, so the record made then still
 * holds, state included: to block, stop, exit or fork it would have had to run. Only what others do to it (renice, a new parent,
 * memory taken away) escapes, and is found by the slow round. The gate is read before stat, never after: what happens between the
 * two reads moves the clock and is seen in the next sample.
 * Where there are no clocks the gate is schedstat. That is of the main thread alone, so that it serves for processes with one thread; of those
 * with more, stat is read in each sample.
 *
 * None of the files read here takes the mmap lock of the process: schedstat takes no lock, stat, io and status take spin locks and, for
 * io, the lock that exec holds while it swaps the address space. smaps, maps, cmdline and environ are never touched.
 */
#ifndef COLLECTOR_PROCFS_PROCESS_H
#define COLLECTOR_PROCFS_PROCESS_H

#include "collector/procfs/file.h"
#include "collector/procfs/parse.h"
#include "collector/procfs/thread.h"
#include "collector/source.h"

enum { PROCFS_BUFFER_BYTES = 16384 };

/* What all processes share. */
struct procfs_reader {
	struct procfs_files files;
	struct procfs_thread_pool threads;
	uint64_t clock_tick_ns, page_bytes; /* what /proc counts in */
	uint64_t sample;                    /* number of the tick, from 1 */
	uint32_t thread_limit;
	bool has_delay_accounting;
	char buffer[PROCFS_BUFFER_BYTES];
};

/* One process. The first 64 bytes are all that is looked at while it sleeps. */
struct procfs_process {
	uint32_t pid;
	int schedstat_fd, stat_fd, io_fd;
	uint64_t clock_ns;            /* the gate, if has_clock */
	struct procfs_schedstat seen; /* the gate, if not */
	uint32_t threads;             /* as of the last stat; 0: unknown, so there is no gate */
	uint32_t listing;             /* number of the last listing it was in */
	bool has_clock, has_stat, has_schedstat;
	bool ran;           /* since the slow round came by */
	bool wants_threads; /* its threads are to be looked at in this sample */
	bool wants_details; /* status is to be read in this sample */
	bool io_refused;
	bool is_behind; /* it ran, but its stat could not be read so far */
	/* ---- 64 bytes ---- */
	bool has_start, has_details;
	uint8_t rounds;     /* of the slow round since status was read */
	uint8_t main_state; /* of the main thread, enum rh_process_state */
	uint64_t start_ticks;
	uint64_t stat_sample;   /* number of the sample in which stat was last read */
	uint64_t stat_cpu_ns;   /* cpu time as of the last stat, in whole ticks */
	uint64_t cpu_anchor_ns; /* cpu_time_ns less what schedstat knows of */
	struct {                /* as they were when status was read */
		uint64_t faults, rss_bytes, slices;
	} details;
	struct procfs_thread_set thread_set;
	struct raw_process record;
};

_Static_assert(offsetof(struct procfs_process, has_start) <= 64, "a sleeping process takes one cache line");

/* Makes a process of which nothing is known but its pid. */
void procfs_process_init(struct procfs_process *process, uint32_t pid);

/* Closes the files kept open for it. */
void procfs_process_close_files(struct procfs_process *process, struct procfs_reader *reader);

/* Closes its files and gives its threads back. */
void procfs_process_release(struct procfs_process *process, struct procfs_reader *reader);

enum procfs_process_fate {
	PROCFS_PROCESS_READ,       /* the record is good */
	PROCFS_PROCESS_UNREADABLE, /* there, but nothing is known of it */
	PROCFS_PROCESS_GONE,       /* ended; another process may have its pid */
};

/*
 * The part of a sample that every process gets: the gate, and stat and io if it may have run.
 * A process that ended between two reads keeps its record, flagged vanished_in_read, for this sample.
 * Cost: 0.7 us asleep (1.6 without clocks), 10 us if it ran, 25 us the first time.
 */
enum procfs_process_fate procfs_process_sample(struct procfs_process *process, struct procfs_reader *reader);

/* Run-queue waits, time slices and states of its threads, where wants_threads says so. */
void procfs_process_sample_threads(struct procfs_process *process, struct procfs_reader *reader);

/* Memory, uid and context switches, from status. Cost: 15 us. */
void procfs_process_sample_details(struct procfs_process *process, struct procfs_reader *reader);

/* The slow round: what may have changed without its running, and files of one that no longer runs are closed. Cost: 1 to 25 us. */
void procfs_process_sample_slowly(struct procfs_process *process, struct procfs_reader *reader);

#endif
