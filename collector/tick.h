/*
 * tick.h - when the next sample is due, and everything else the collector waits for.
 *
 * Ticks lie on a fixed grid of CLOCK_MONOTONIC: a late tick does not move the later ones. Ticks that passed while another was at work, or while
 * the process did not run, are skipped and counted, never made up for. Signals are waited for at the same place, so that a stop is immediate. In step mode there is no timer: each byte read from a file descriptor is one tick.
 */
#ifndef COLLECTOR_TICK_H
#define COLLECTOR_TICK_H

#include <stdint.h>

enum tick_event {
	TICK_DUE,
	TICK_QUIET, /* nothing for a second: time for a sign of life */
	TICK_STOP,  /* SIGTERM, SIGINT or SIGHUP, or no more steps will come */
};

struct tick {
	uint64_t due_ns; /* CLOCK_MONOTONIC of the next tick */
	uint64_t missed; /* ticks skipped since the start */
	int timer_fd, signal_fd;
	int step_fd; /* borrowed */
};

/*
 * Blocks the signals that stop a program: from here on they end tick_wait().
 *   step_fd  bytes that stand for ticks, or -1 for the timer
 * Returns 0 or -errno.
 */
int tick_open(struct tick *tick, int step_fd);

/* Arms the timer for the first tick. Returns 0 or -errno. */
int tick_start(struct tick *tick, uint64_t due_ns);

/* Waits for what comes first. */
enum tick_event tick_wait(struct tick *tick);

/* How late `now_ns` is for the tick that is due. */
uint64_t tick_lateness_ns(const struct tick *tick, uint64_t now_ns);

/* Arms the timer for the next tick of the grid after `now_ns`. */
void tick_next(struct tick *tick, uint64_t now_ns, uint64_t interval_ns);

/*
 * The next tick of the grid: due_ns plus a multiple of interval_ns, after now_ns. The ticks left out in between are added to *missed.
 */
uint64_t tick_advance(uint64_t due_ns, uint64_t now_ns, uint64_t interval_ns, uint64_t *missed);

void tick_close(struct tick *tick);

#endif
