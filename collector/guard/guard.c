/* guard.c - see guard.h. Linux. */
#include "collector/guard/guard.h"

#include "base/capability.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	STACK_BYTES = 64 * 1024,
	LINE_BYTES = 64,
	CPUS_MOST = 8192,
	FIFO_PRIORITY = 99,
	BOOST_RUNTIME_MS = 40, /* of every BOOST_PERIOD_MS: a sample of ten thousand processes takes 10 to 25 ms */
	BOOST_PERIOD_MS = 100,
	RUNTIME_PART = 20,     /* the guard may run for a twentieth of its period; it needs some 10 us */
	LEAST_RUNTIME_US = 50, /* where the period is short */
	READY_MS = 1000,       /* for the guard to tell its class */
	CLOSE_MS = 200,
	SUSPEND_LEAST_MS = 1,
};

/* struct sched_attr of the kernel, which older headers lack. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};
enum { POLICY_DEADLINE = 6, FLAG_RESET_ON_FORK = 1 };

/* A thread that sleeps to points of time. Written by itself alone, but for late_max_ns, which the reader takes away, and `stop`. */
struct sleeper {
	_Alignas(LINE_BYTES) _Atomic uint64_t due_ns; /* of the wake-up it waits for */
	_Atomic uint64_t suspended_ns;                /* BOOTTIME - MONOTONIC when it fell asleep, or somewhat more */
	_Atomic uint64_t late_max_ns;
	_Atomic uint64_t cpu_ns;
	_Atomic uint32_t stop;   /* the futex it sleeps on */
	_Atomic bool is_at_home; /* of canaries: on its cpu */
	uint64_t grid_ns, period_ns;
	uint32_t cpu;
	bool started;
	pthread_t thread;
	struct guard *guard;
	char *stack;
};

struct guard {
	struct sleeper self;
	struct sleeper *canaries;
	uint32_t count;
	size_t bytes;      /* of the one mapping that holds everything, stacks included */
	_Atomic int class; /* enum rh_guard_class; none until the guard has tried */
	sem_t ready;
	/* boosting */
	pid_t caller;
	uint64_t boost_after_ns;
	_Atomic uint64_t expected_ns;
	_Atomic uint32_t boosts;
	_Atomic bool is_boosted;
	struct attributes before; /* of the caller */
};

/* ---- classes ---- */

static int set_attributes(pid_t thread, const struct attributes *attributes)
{
	return syscall(SYS_sched_setattr, thread, attributes, 0) < 0 ? -errno : 0;
}

static int set_deadline(pid_t thread, uint64_t runtime_ns, uint64_t period_ns)
{
	struct attributes attributes = {
	        .size = sizeof(attributes),
	        .policy = POLICY_DEADLINE,
	        .flags = FLAG_RESET_ON_FORK,
	        .runtime_ns = runtime_ns,
	        .deadline_ns = period_ns,
	        .period_ns = period_ns,
	};
	return set_attributes(thread, &attributes);
}

/* With the highest priority that is permitted: all of them with CAP_SYS_NICE, else what the limit says. */
static int set_fifo(pid_t thread)
{
	struct attributes attributes = {
	        .size = sizeof(attributes), .policy = SCHED_FIFO, .flags = FLAG_RESET_ON_FORK, .priority = FIFO_PRIORITY};
	struct rlimit limit;
	int result = set_attributes(thread, &attributes);
	if (result == 0 || getrlimit(RLIMIT_RTPRIO, &limit) < 0 || limit.rlim_cur == 0 || limit.rlim_cur >= FIFO_PRIORITY)
		return result;
	attributes.priority = (uint32_t)limit.rlim_cur;
	return set_attributes(thread, &attributes);
}

static enum rh_guard_class raise_class(uint64_t period_ns)
{
	const uint64_t least_ns = LEAST_RUNTIME_US * (uint64_t)NS_PER_US;
	uint64_t runtime_ns = period_ns / RUNTIME_PART;
	if (set_deadline(0, runtime_ns > least_ns ? runtime_ns : least_ns, period_ns) == 0)
		return RH_GUARD_CLASS_deadline;
	return set_fifo(0) == 0 ? RH_GUARD_CLASS_fifo : RH_GUARD_CLASS_normal;
}

/* ---- sleeping ---- */

/* The clocks are read one after the other, and the thread may wait in between: the two values differ in which way that errs. */
static uint64_t suspended_at_most_ns(void)
{
	uint64_t monotonic_ns = clock_now_ns(CLOCK_MONOTONIC);
	return clock_now_ns(CLOCK_BOOTTIME) - monotonic_ns;
}

static uint64_t suspended_at_least_ns(uint64_t *ret_monotonic_ns)
{
	uint64_t boottime_ns = clock_now_ns(CLOCK_BOOTTIME);
	*ret_monotonic_ns = clock_now_ns(CLOCK_MONOTONIC);
	return boottime_ns > *ret_monotonic_ns ? boottime_ns - *ret_monotonic_ns : 0;
}

uint64_t guard_late_ns(uint64_t due_ns, uint64_t now_ns, uint64_t suspended_before_ns, uint64_t suspended_now_ns)
{
	if (now_ns <= due_ns || suspended_now_ns > suspended_before_ns + SUSPEND_LEAST_MS * (uint64_t)NS_PER_MS)
		return 0;
	return now_ns - due_ns;
}

static void note_max(_Atomic uint64_t *max, uint64_t value)
{
	uint64_t before = atomic_load_explicit(max, memory_order_relaxed);
	while (value > before && !atomic_compare_exchange_weak_explicit(max, &before, value, memory_order_relaxed, memory_order_relaxed))
		;
}

static bool is_stopped(const struct sleeper *sleeper)
{
	return atomic_load_explicit(&sleeper->stop, memory_order_acquire) != 0;
}

static void wait_until(struct sleeper *sleeper, uint64_t due_ns)
{
	const struct timespec due = clock_timespec(due_ns);
	while (!is_stopped(sleeper)) /* a futex of this kind takes a time of CLOCK_MONOTONIC, not a duration */
		if (syscall(SYS_futex, &sleeper->stop, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &due, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
		        errno == ETIMEDOUT)
			return;
}

/*
 * Sleeps to the next point of its grid, or to `earlier_ns` if that comes first, where the grid then begins anew, and notes how late it came back. Points of
 * the grid that passed meanwhile are left out.
 */
static void sleep_once(struct sleeper *sleeper, uint64_t earlier_ns)
{
	uint64_t now_ns, due_ns = earlier_ns < sleeper->grid_ns ? earlier_ns : sleeper->grid_ns;
	uint64_t before_ns = suspended_at_most_ns();
	atomic_store_explicit(&sleeper->suspended_ns, before_ns, memory_order_relaxed);
	atomic_store_explicit(&sleeper->due_ns, due_ns, memory_order_relaxed);
	wait_until(sleeper, due_ns);
	uint64_t suspended_ns = suspended_at_least_ns(&now_ns);
	note_max(&sleeper->late_max_ns, guard_late_ns(due_ns, now_ns, before_ns, suspended_ns));
	if (now_ns >= due_ns)
		sleeper->grid_ns = due_ns + ((now_ns - due_ns) / sleeper->period_ns + 1) * sleeper->period_ns;
	atomic_store_explicit(&sleeper->due_ns, sleeper->grid_ns, memory_order_relaxed);
	atomic_store_explicit(&sleeper->cpu_ns, clock_now_ns(CLOCK_THREAD_CPUTIME_ID), memory_order_relaxed);
}

/* ---- the guard ---- */

/* When the caller is to be boosted unless its sample is done by then; UINT64_MAX for never. */
static uint64_t boost_at_ns(const struct guard *guard)
{
	uint64_t expected_ns = atomic_load_explicit(&guard->expected_ns, memory_order_acquire);
	return guard->boost_after_ns > 0 && expected_ns > 0 ? expected_ns + guard->boost_after_ns : UINT64_MAX;
}

/*
 * The caller's sample is overdue: into a class in which it gets a cpu. Again at each wake-up while it is, for guard_done() of the sample before may have come
 * in between; for one that is in that class nothing changes.
 */
static void boost(struct guard *guard)
{
	if (set_deadline(guard->caller, BOOST_RUNTIME_MS * (uint64_t)NS_PER_MS, BOOST_PERIOD_MS * (uint64_t)NS_PER_MS) < 0 &&
	        set_fifo(guard->caller) < 0) {
		guard->boost_after_ns = 0; /* and will not be permitted the next time */
		return;
	}
	/* Pairs with the acquire of guard_done(). */
	if (!atomic_exchange_explicit(&guard->is_boosted, true, memory_order_release))
		atomic_fetch_add_explicit(&guard->boosts, 1, memory_order_relaxed);
}

/* The next point of its grid, or the moment of the next boost. */
static void guard_sleep(struct guard *guard)
{
	bool is_boosted = atomic_load_explicit(&guard->is_boosted, memory_order_relaxed);
	sleep_once(&guard->self, is_boosted ? UINT64_MAX : boost_at_ns(guard));
}

static void *guard_main(void *argument)
{
	struct sleeper *sleeper = argument;
	struct guard *guard = sleeper->guard;
	(void)pthread_setname_np(pthread_self(), "rh-guard");
	atomic_store(&guard->class, raise_class(sleeper->period_ns));
	/* Capabilities are a thread's own: this one needs one, to raise the caller, whatever the caller itself gives up. */
	(void)capability_keep(guard->boost_after_ns > 0 ? CAPABILITY(CAP_SYS_NICE) : 0);
	sem_post(&guard->ready);
	while (!is_stopped(sleeper)) {
		guard_sleep(guard);
		if (boost_at_ns(guard) <= clock_now_ns(CLOCK_MONOTONIC))
			boost(guard);
	}
	return NULL;
}

/* ---- canaries ---- */

static bool go_home(const struct sleeper *canary)
{
	cpu_set_t cpus[CPUS_MOST / CPU_SETSIZE];
	CPU_ZERO_S(sizeof(cpus), cpus);
	CPU_SET_S(canary->cpu, sizeof(cpus), cpus);
	return sched_setaffinity(0, sizeof(cpus), cpus) == 0;
}

/*
 * The kernel moves what was bound to a cpu that goes away, and lets it run anywhere from then on. On each wake-up it is found out, and tried to go
 * back: refused as long as the cpu is offline or out of this process's set.
 */
static void stay_home(struct sleeper *canary)
{
	bool is_at_home = sched_getcpu() == (int)canary->cpu || go_home(canary);
	atomic_store_explicit(&canary->is_at_home, is_at_home, memory_order_relaxed);
}

static void *canary_main(void *argument)
{
	struct sleeper *canary = argument;
	/* What the collector was given does not go on to its canaries: they are to feel what an ordinary program feels. */
	const struct attributes ordinary = {.size = sizeof(ordinary), .policy = SCHED_OTHER};
	char name[16];
	snprintf(name, sizeof(name), "rh-canary/%u", canary->cpu % CPUS_MOST);
	(void)pthread_setname_np(pthread_self(), name);
	(void)set_attributes(0, &ordinary);
	(void)capability_keep(0);
	atomic_store(&canary->is_at_home, go_home(canary));
	while (!is_stopped(canary)) {
		sleep_once(canary, UINT64_MAX);
		stay_home(canary);
	}
	return NULL;
}

/* ---- life ---- */

/* On the stack that is in the guard's own memory, without signals: those are for the thread that waits for them. */
static int sleeper_start(struct guard *guard, struct sleeper *sleeper, uint32_t hz, void *(*run)(void *))
{
	sigset_t all, before;
	pthread_attr_t attributes;
	int result = pthread_attr_init(&attributes);
	if (result != 0)
		return -result;
	sleeper->guard = guard;
	sleeper->period_ns = NS_PER_S / hz;
	sleeper->grid_ns = clock_now_ns(CLOCK_MONOTONIC) + sleeper->period_ns;
	atomic_store(&sleeper->suspended_ns, suspended_at_most_ns());
	atomic_store(&sleeper->due_ns, sleeper->grid_ns);
	result = pthread_attr_setstack(&attributes, sleeper->stack, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (result == 0)
		result = pthread_create(&sleeper->thread, &attributes, run, sleeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sleeper->started = result == 0;
	pthread_attr_destroy(&attributes);
	return -result;
}

static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

/* Everything in one mapping: the struct, the canaries, the stacks; written once and, where permitted, locked. */
static struct guard *allocate(uint32_t canaries)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t head = round_up(sizeof(struct guard) + canaries * sizeof(struct sleeper), page);
	size_t bytes = head + ((size_t)canaries + 1) * STACK_BYTES;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	(void)madvise(memory, bytes, MADV_NOHUGEPAGE);
	memset(memory, 0, bytes);
	(void)mlock(memory, bytes); /* not permitted: the guard may then wait for memory, as others do */
	struct guard *guard = (struct guard *)(void *)memory;
	guard->bytes = bytes;
	guard->count = canaries;
	guard->canaries = (struct sleeper *)(void *)(memory + sizeof(struct guard));
	guard->self.stack = memory + head;
	for (uint32_t i = 0; i < canaries; i++)
		guard->canaries[i].stack = memory + head + (i + 1) * (size_t)STACK_BYTES;
	return guard;
}

/* The cpus that this process may run on: their number, and, given a guard, their numbers into its canaries. */
static uint32_t cpus_of(struct guard *guard)
{
	cpu_set_t cpus[CPUS_MOST / CPU_SETSIZE];
	uint32_t count = 0;
	if (sched_getaffinity(0, sizeof(cpus), cpus) < 0)
		return 0;
	for (uint32_t cpu = 0; cpu < CPUS_MOST; cpu++) {
		if (!CPU_ISSET_S(cpu, sizeof(cpus), cpus))
			continue;
		if (guard && count < guard->count)
			guard->canaries[count].cpu = cpu;
		count++;
	}
	return count;
}

/* Until the guard has its class: what follows may read it, and may take rights away. */
static void await_class(struct guard *guard)
{
	const struct timespec until = clock_timespec(clock_now_ns(CLOCK_MONOTONIC) + READY_MS * (uint64_t)NS_PER_MS);
	while (sem_clockwait(&guard->ready, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
		;
}

int guard_open(const struct guard_options *options, struct guard **ret_guard)
{
	struct guard *guard = allocate(options->canary_hz > 0 ? cpus_of(NULL) : 0);
	*ret_guard = guard;
	if (!guard)
		return -ENOMEM;
	cpus_of(guard);
	sem_init(&guard->ready, 0, 0);
	guard->caller = (pid_t)syscall(SYS_gettid);
	guard->boost_after_ns = options->boost_after_ns;
	guard->before.size = sizeof(guard->before);
	if (syscall(SYS_sched_getattr, 0, &guard->before, sizeof(guard->before), 0) < 0)
		guard->boost_after_ns = 0;         /* what cannot be put back is not changed */
	guard->before.flags |= FLAG_RESET_ON_FORK; /* to take that back needs a right that may be gone by then */
	int result = sleeper_start(guard, &guard->self, options->guard_hz, guard_main);
	if (result < 0) {
		guard_close(ret_guard);
		return result;
	}
	for (uint32_t i = 0; i < guard->count; i++)
		(void)sleeper_start(guard, &guard->canaries[i], options->canary_hz, canary_main);
	await_class(guard);
	return 0;
}

static void sleeper_stop(struct sleeper *sleeper)
{
	atomic_store_explicit(&sleeper->stop, 1, memory_order_release);
	(void)syscall(SYS_futex, &sleeper->stop, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

/* Returns whether it has ended. */
static bool sleeper_join(const struct sleeper *sleeper, const struct timespec *until)
{
	return !sleeper->started || pthread_clockjoin_np(sleeper->thread, NULL, CLOCK_MONOTONIC, until) == 0;
}

void guard_close(struct guard **guard)
{
	struct guard *closing = *guard;
	*guard = NULL;
	if (!closing)
		return;
	const struct timespec until = clock_timespec(clock_now_ns(CLOCK_MONOTONIC) + CLOSE_MS * (uint64_t)NS_PER_MS);
	sleeper_stop(&closing->self);
	for (uint32_t i = 0; i < closing->count; i++)
		sleeper_stop(&closing->canaries[i]);
	bool ended = sleeper_join(&closing->self, &until);
	for (uint32_t i = 0; i < closing->count; i++)
		ended &= sleeper_join(&closing->canaries[i], &until);
	guard_done(closing, 0);
	if (!ended)
		return;
	sem_destroy(&closing->ready);
	munmap(closing, closing->bytes);
}

/* ---- what the caller tells and asks ---- */

void guard_expect(struct guard *guard, uint64_t due_ns)
{
	atomic_store_explicit(&guard->expected_ns, due_ns, memory_order_release);
}

void guard_done(struct guard *guard, uint64_t next_ns)
{
	/* All of it before the class, with which the cpu may be gone until the next boost. */
	atomic_store_explicit(&guard->expected_ns, next_ns, memory_order_release);
	if (atomic_exchange_explicit(&guard->is_boosted, false, memory_order_acquire))
		(void)set_attributes(0, &guard->before); /* to a lower class: always permitted */
}

/* Takes the lateness noted so far, and how long it has been overdue by now. */
static uint64_t take_late(struct sleeper *sleeper, uint64_t now_ns, uint64_t suspended_ns)
{
	uint64_t due_ns = atomic_load_explicit(&sleeper->due_ns, memory_order_relaxed);
	uint64_t before_ns = atomic_load_explicit(&sleeper->suspended_ns, memory_order_relaxed);
	uint64_t late_ns = atomic_exchange_explicit(&sleeper->late_max_ns, 0, memory_order_relaxed);
	uint64_t overdue_ns = guard_late_ns(due_ns, now_ns, before_ns, suspended_ns);
	return overdue_ns > late_ns ? overdue_ns : late_ns;
}

void guard_read(struct guard *guard, uint64_t late_from_ns, struct guard_reading *ret_reading)
{
	uint64_t now_ns, suspended_ns = suspended_at_least_ns(&now_ns);
	*ret_reading = (struct guard_reading){
	        .class = (enum rh_guard_class)atomic_load_explicit(&guard->class, memory_order_relaxed),
	        .guard_late_max_ns = take_late(&guard->self, now_ns, suspended_ns),
	        .boosts = atomic_load_explicit(&guard->boosts, memory_order_relaxed),
	        .cpu_ns = atomic_load_explicit(&guard->self.cpu_ns, memory_order_relaxed),
	};
	for (uint32_t i = 0; i < guard->count; i++) {
		struct sleeper *canary = &guard->canaries[i];
		if (!canary->started)
			continue;
		uint64_t late_ns = take_late(canary, now_ns, suspended_ns);
		ret_reading->cpu_ns += atomic_load_explicit(&canary->cpu_ns, memory_order_relaxed);
		if (!atomic_load_explicit(&canary->is_at_home, memory_order_relaxed))
			continue;
		ret_reading->canaries++;
		ret_reading->canaries_late += late_ns >= late_from_ns;
		if (late_ns >= ret_reading->canary_late_max_ns) {
			ret_reading->canary_late_max_ns = late_ns;
			ret_reading->canary_cpu = canary->cpu;
		}
	}
}
