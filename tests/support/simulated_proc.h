/*
 * simulated_proc.h - a machine that exists as a folder of files like /proc, and the real rh-collector over it, one step at a time.
 *
 * Time is what the folder's uptime says. A step writes the folder, lets the collector take one sample, and waits until that is published.
 */
#ifndef TESTS_SIMULATED_PROC_H
#define TESTS_SIMULATED_PROC_H

#include "rogue/reader.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIMULATED_MOST = 64, SIMULATED_CPUS = 4, SIMULATED_HZ = 100 };

struct simulated_process {
	uint32_t pid, ppid;
	const char *command; /* borrowed */
	char state;          /* letter of /proc/PID/stat */
	uint64_t start_ms;   /* since boot, whole clock ticks */
	uint64_t run_ns, wait_ns, slices;
	uint64_t anon_kib, read_bytes;
};

struct simulation {
	char root[64], instance[64];
	uint64_t uptime_ms, busy_ms, idle_ms, psi_cpu_us;
	struct simulated_process processes[SIMULATED_MOST];
	unsigned count;
	/* the collector */
	pid_t collector;
	int step_fd;
	struct rh_ring *ring;
	uint64_t samples; /* published, as far as waited for */
	struct rh_view view;
};

/* Makes the folder, with a machine up for 1000 s and no process. */
void simulation_begin(struct simulation *simulation);

/* Adds a process that began now; borrowed until the next removal. */
struct simulated_process *simulation_add(struct simulation *simulation, uint32_t pid, const char *command);
void simulation_remove(struct simulation *simulation, uint32_t pid);

/* Starts the collector, with a NULL-ended list of further options, and waits for its first sample. */
void simulation_start(struct simulation *simulation, const char *const *options);

/* Lets `ms` pass, with that many cpus busy, and takes one sample into simulation->view. */
void simulation_step(struct simulation *simulation, uint64_t ms, double busy_cpus);

/* Record of the newest sample with that pid, not of one that exited unless asked for. Fails the test if there is none. */
struct rh_process simulation_record(struct simulation *simulation, uint32_t pid, bool exited);

/* Ends the steps, waits for the collector, removes the folder. Returns the exit code. */
int simulation_end(struct simulation *simulation);

/* Starts rh-collector with these options (NULL-ended), in which "@" stands for the file descriptor given. Returns its pid. */
pid_t collector_spawn(const char *const *options, int fd);

/* Waits until a sample newer than `seen` is published, for some seconds at most. Returns whether there is one. */
bool collector_wait(struct rh_ring *ring, uint64_t seen);

#endif
