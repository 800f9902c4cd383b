/*
 * guard.h - does this machine stand still? One thread that only the host, or a cpu that serves nothing but interrupts, can hold up; and on each cpu an
 * ordinary thread, the canary, that anything can: what happens to it happens to every normal program there.
 *
 * The guard (SCHED_DEADLINE where permitted, else SCHED_FIFO, else an ordinary thread: the class is part of each reading) and the canaries sleep to
 * fixed points of CLOCK_MONOTONIC and note how late they come back. Canary late and guard not: programs were kept from their cpu. Both late: nothing
 * ran at all. A canary that is overdue at the moment of a reading counts with the time it is overdue by now, so that a pause shows while it lasts. A
 * suspend in between is nobody's lateness. A canary whose cpu goes offline, or is taken from this process, tells nothing until it is back there.
 *
 * The guard also keeps the collector at work: when the sample that guard_expect() announced is overdue by `boost_after_ns`, the calling thread is put
 * into the guard's own class until guard_done(). Samples go on while everything else is starved, and cost others nothing while they are not.
 *
 * All memory is allocated, written and locked by guard_open(); the threads then neither allocate nor open anything, and take no lock. They are called
 * rh-guard and rh-canary/N, N being the cpu. Of the capabilities that guard_open() found the guard keeps CAP_SYS_NICE, if it is to boost, the canaries
 * none: the caller may give up what it likes afterwards.
 * Cost: `guard_hz` plus cpus * `canary_hz` short wake-ups per second, a few more where `guard_hz` is no multiple of the rate of samples; a reading has what
 * they took.
 */
#ifndef COLLECTOR_GUARD_GUARD_H
#define COLLECTOR_GUARD_GUARD_H

#include "rogue/samples.h"

#include <stdbool.h>
#include <stdint.h>

struct guard_options {
	uint32_t guard_hz;       /* wake-ups of the guard per second, 1 to 1,000 */
	uint32_t canary_hz;      /* of each canary, 1 to 1,000; 0: no canaries */
	uint64_t boost_after_ns; /* 0: the caller is never boosted */
};

/* What happened since the reading before; class, boosts and cpu_ns since the start. */
struct guard_reading {
	enum rh_guard_class class;
	uint64_t guard_late_max_ns;
	uint64_t canary_late_max_ns;      /* of the canary that was late most, those overdue now included */
	uint32_t canary_cpu;              /* its cpu */
	uint32_t canaries, canaries_late; /* those on their cpus; of these, late by late_from_ns or more */
	uint32_t boosts;                  /* times the caller was boosted */
	uint64_t cpu_ns;                  /* of guard and canaries */
};

struct guard; /* owned by the caller of guard_open() until guard_close() */

/*
 * Starts the threads; canaries on the cpus that this process may run on. A canary that cannot be had is left out. Returns 0 or -errno. To be
 * called from the thread that calls the other functions.
 */
int guard_open(const struct guard_options *options, struct guard **ret_guard);

/* The sample at work should be done at that time of CLOCK_MONOTONIC. One store. */
void guard_expect(struct guard *guard, uint64_t due_ns);

/*
 * The sample is done, and the next one is due at that time of CLOCK_MONOTONIC, 0 for none: a boosted caller goes back to the class it had, and may get no cpu
 * from then on until it is overdue again. No system call unless it was boosted.
 */
void guard_done(struct guard *guard, uint64_t next_ns);

/* Takes the reading and begins the next. No system call but for clocks. */
void guard_read(struct guard *guard, uint64_t late_from_ns, struct guard_reading *ret_reading);

/*
 * Ends the threads and joins them, 0.2 s at most for all of them. One that gets no cpu in that time is left to end with the process, and so is the memory
 * it uses.
 */
void guard_close(struct guard **guard);

/*
 * How late a thread is that was to wake up at `due_ns` of CLOCK_MONOTONIC. That clock stands still while the machine is suspended, but not while
 * tasks and devices are being frozen: if it was suspended meanwhile, it is late by 0.
 *   suspended_before_ns  CLOCK_BOOTTIME - CLOCK_MONOTONIC when it fell asleep, or somewhat more
 *   suspended_now_ns     the same at now_ns, or somewhat less
 */
uint64_t guard_late_ns(uint64_t due_ns, uint64_t now_ns, uint64_t suspended_before_ns, uint64_t suspended_now_ns);

#endif
