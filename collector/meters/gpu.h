/*
 * gpu.h - what the gpu meters share: a thread that looks, and a tick that takes over what it found.
 *
 * Looking means asking drivers: files of drivers, ioctls of a vendor's library. Any of that can take long or for ever, so it is done in a
 * thread, each look filling in a result. The results change hands without waiting: there are three of them, one with the thread, one with
 * the tick, and one between, which either side swaps for its own in one atomic step.
 *
 * The thread runs at the normal priority and as batch work, not lower: a driver's locks are held while it answers, and a reader that the
 * scheduler has put aside would hold them against the programs that draw. It stays small by what it does: see GPU_WORK_SHARE.
 *
 * A look comes every few seconds, a tick several times in one: the gpu time between two looks is handed out evenly over the time
 * until the next, so that a rate over one tick is a rate, not a spike and nothing. It is therefore one look late.
 */
#ifndef COLLECTOR_METERS_GPU_H
#define COLLECTOR_METERS_GPU_H

#include "collector/meters/meter.h"

#include <stdatomic.h>

enum {
	GPU_USERS = 1024,     /* processes that use gpus at most; others are left out */
	GPU_WORK_SHARE = 200, /* the thread rests this many times as long as it worked: at most half a percent of a core */
};

/* A process that has used a gpu. The time never falls. */
struct gpu_user {
	uint32_t pid;
	uint64_t start_time_ns; /* since boot, in whole clock ticks */
	uint64_t time_ns;
};

/* What one look found. */
struct gpu_result {
	bool tells;         /* drivers say who uses the gpus */
	double busy_ratio;  /* of the busiest engine of the busiest gpu since the look before; NAN: not known */
	uint64_t looked_ns; /* MONOTONIC */
	uint32_t count;
	struct gpu_user users[GPU_USERS]; /* by pid */
};

/* The looking. All but `context` is called in the thread alone. */
struct gpu_work {
	void *context; /* owned by the thread from gpu_open() on, also where that fails */
	/* First of all. Returns 0 or -errno with a sentence. NULL: nothing to do. */
	int (*begin)(void *context, char error[256]);
	/* One look; `result` is empty. Goes back as soon as it can once *stop is set. */
	void (*look)(void *context, const atomic_bool *stop, struct gpu_result *result);
	/* Last of all, also after a begin that failed: frees the context. */
	void (*end)(void *context);
};

struct gpu_options {
	const struct meter_operations *operations; /* tick and close: gpu_tick and gpu_close */
	struct gpu_work work;
	const char *name; /* of the thread, at most 15 bytes */
	uint64_t interval_ns;
	uint64_t begin_ns, close_ns; /* waits at most for begin, when opened, and for the end, when closed; 0: the usual */
};

/*
 * Starts the thread and waits a second at most for it to begin; where that takes longer, the meter works once it has. Returns 0, or the -errno
 * of begin or of the system, with a sentence.
 */
int gpu_open(const struct gpu_options *options, struct meter **ret_meter, char error[256]);

bool gpu_tick(struct meter *meter, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system);

/* Ends the thread, waiting two seconds at most. One that hangs in a driver is left alone; it frees what it has when it comes back. */
void gpu_close(struct meter **meter);

/* When a process started, by PID/stat below a mount point of /proc, in ns since boot; 0 if it is not there. `ret_flags` may be NULL. */
uint64_t gpu_process_start(int proc_fd, uint32_t pid, uint32_t *ret_flags);

#endif
