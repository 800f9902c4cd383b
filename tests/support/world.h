/*
 * world.h - a machine made of a script, sampled into a real ring and judged from it: processes that run, wait and stand still as a test says.
 *
 * A test adds processes, sets what each does (it goes on doing so until it is told otherwise), and lets time pass in samples of 200 ms. The samples
 * go through the real writer into a segment whose name is taken away at once, through the real reader, and into judge_step(). What the judge says is
 * kept, as it was said. No clock of this machine is read: the same script gives the same bytes.
 *
 * What a collector sums up is summed up here: waiting of all, the longest waits, waits that nobody caused, pressure. What only the machine has
 * (canaries, guard, disks, steal, clocks) is set by the test in `machine`.
 */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include "base/config.h"
#include "pause/judge.h"
#include "shm/writer.h"

enum { WORLD_PERIOD_MS = 200, WORLD_SAMPLES_PER_S = 5 };

/* A wait that goes on from sample to sample, all of the time, and shows its full length in each, as the kernel-direct back end tells it. */
enum world_standing { WORLD_GOES, WORLD_FOR_CPU, WORLD_FOR_QUOTA, WORLD_FOR_DISK, WORLD_FOR_MEMORY, WORLD_FOR_LOCK };

/* A process, and what it does in each second, in ms of it where nothing else is said. */
struct world_process {
	uint32_t pid, ppid, threads;
	char command[RH_COMMAND_BYTES];
	uint64_t start_time_ns, cgroup_id;
	uint16_t flags; /* enum rh_process_flag */
	uint8_t policy, rt_prio;
	int8_t nice;
	double mem_bytes;
	/* what it does */
	enum world_standing standing; /* instead of the waits below */
	double cpu_pct;
	double run, run_longest, blame; /* waiting for a cpu; longest single wait in ms; inflicted on others */
	double disk, stuck_longest;     /* waiting for storage; longest single uninterruptible wait in ms */
	double device, device_blame, bytes_per_s;
	double memory, reclaim, pageins_per_s, grows_bytes_per_s;
	double lock_blame, brief_count;
	bool exits; /* its next record is its last */
	/* private */
	double stood_ms;
	bool is_new, is_gone;
};

/* What the machine shows beside its processes. Counters are raised by the test. */
struct world_machine {
	uint32_t cpus;
	double steal_ratio, switches_per_s, forks_per_sample;
	double canary_ms, guard_ms, lateness_ms, stopped_ms; /* in the samples to come */
	bool canary_stands;                                  /* it grows with each sample, as the lateness of one that is overdue does */
	uint32_t canary_cpu, canaries_late;
	double disk_busy_ratio, disk_latency_ms;
	uint32_t disk_device;
	double mem_available_ratio, psi_full_part; /* of the pressure of memory and io, what all suffered */
	uint64_t allocstalls, refaults, swapins, oom_kills;
	uint32_t stopper_pid, oom_pid;
	const char *stopper, *oom_command;
	uint64_t signals, interval_ns;
	uint8_t sampler, guard_class;
	uint32_t stride; /* of the records published */
};

/* What the judge said, with what it then makes of it. */
struct world_finding {
	struct pause pause;
	char *document, sentence[PAUSE_SENTENCE_BYTES];
};

struct world_findings {
	struct world_finding *list; /* [count], owned */
	uint32_t count, capacity;
};

struct world_options {
	const char *boot_id;
	uint32_t slots;       /* samples that the ring holds */
	uint64_t arena_bytes; /* for their records */
	uint32_t processes;   /* most there will be */
};

struct world {
	struct config config;
	struct world_machine machine;
	struct world_process **processes; /* [count], owned */
	uint32_t count, capacity;
	uint64_t boottime_ns, monotonic_ns, realtime_ns; /* of the newest sample */
	uint64_t sample;                                 /* its number */
	struct ring_writer *writer;
	struct rh_ring *ring;
	struct judge *judge;
	bool is_unwatched; /* samples are published, but the judge does not see them */
	struct world_findings findings;
	/* private */
	struct world_options options;
	int segment_fd;
	uint32_t number_from, rings;
	double canary_stood_ms;
	bool no_replay; /* the judge saw what the ring does not hold any more, or not all that it holds */
};

/* A machine of four cpus with init, a shell and the daemon in it, a ring of 40 s, and a judge. Ends the program where it cannot be made. */
struct world *world_new(void);

/* The same with another ring. */
struct world *world_new_with(const struct world_options *options);

/* Ends the program as well if something could not be released. Sets the pointer to NULL. */
void world_free(struct world **world);

/* A process that begins with the next sample, and does nothing. Borrowed: lives as long as the world. */
struct world_process *world_add(struct world *world, uint32_t pid, uint32_t ppid, const char *command);

/* `count` processes of consecutive pids, the first of them returned; the others follow in world->processes. */
struct world_process *world_add_many(struct world *world, uint32_t count, uint32_t pid, uint32_t ppid, const char *command);

/* The process of that pid that was added last. */
struct world_process *world_find(struct world *world, uint32_t pid);

/* Calls f for each of `count` processes from that pid on. */
void world_each(struct world *world, uint32_t pid, uint32_t count, void (*f)(struct world_process *process));

/* It does nothing any more. */
void world_rest(struct world_process *process);

/* Lets time pass: publishes samples, and has each judged. `seconds` is a multiple of 0.2. */
void world_run(struct world *world, double seconds);

/* One sample that comes late by that much; rates hold for all of its time. */
void world_run_late(struct world *world, double late_ms);

/* CLOCK_BOOTTIME goes on and CLOCK_MONOTONIC stands still; the wall clock goes on as well. */
void world_suspend(struct world *world, double seconds);

/* The wall clock is set. */
void world_set_wall_clock(struct world *world, int64_t by_s);

/* The samples of those numbers can be read no more. */
void world_lose(struct world *world, uint64_t from, uint64_t count);

/* A collector that starts anew: another ring, and judge_begin() for it. The machine goes on. */
void world_replace_ring(struct world *world, const char *boot_id, uint32_t next_number);

/* Judges the ring anew, from its oldest sample. world_findings_free(). */
struct world_findings world_judge_again(struct world *world);
void world_findings_free(struct world_findings *findings);

#endif
