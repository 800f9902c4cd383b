/* guard.c - see guard.h. Linux. */
#include "collector/guard/guard.h"

#include "base/capability.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	STACK_BYTES = 64 * 1024,
	LINE_BYTES = 64,
	FIFO_PRIORITY = 99,
	BOOST_RUNTIME_MS = 20, /* of every BOOST_PERIOD_MS: a sample of ten thousand processes takes about 10 ms */
	BOOST_PERIOD_MS = 100,
	RUNTIME_PART = 5, /* the guard may run a fifth of its period; it needs some 10 us */
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

/* A thread that sleeps to fixed points of time. Written by itself alone, but for late_max_ns, which the reader takes away. */
struct sleeper {
	_Alignas(LINE_BYTES) _Atomic uint64_t due_ns; /* of the wake-up it waits for; 0 before the first */
	_Atomic uint64_t late_max_ns;
	_Atomic uint64_t cpu_ns;
	uint64_t period_ns;
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
	size_t bytes; /* of the one mapping that holds everything, stacks included */
	_Atomic bool stop;
	_Atomic int class; /* enum guard_class; GUARD_NONE until the guard has tried */
	/* boosting */
	pid_t caller;
	uint64_t boost_after_ns;
	_Atomic uint64_t expected_ns;
	_Atomic uint32_t boosts;
	_Atomic bool is_boosted;
	uint32_t boosts_read;
	struct attributes before; /* of the caller */
};

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

static int set_fifo(pid_t thread)
{
	struct attributes attributes = {
	        .size = sizeof(attributes), .policy = SCHED_FIFO, .flags = FLAG_RESET_ON_FORK, .priority = FIFO_PRIORITY};
	return set_attributes(thread, &attributes);
}

/* The highest class that is permitted. */
static enum guard_class raise_class(uint64_t period_ns)
{
	if (set_deadline(0, period_ns / RUNTIME_PART, period_ns) == 0)
		return GUARD_DEADLINE;
	return set_fifo(0) == 0 ? GUARD_FIFO : GUARD_NORMAL;
}

static void note_max(_Atomic uint64_t *max, uint64_t value)
{
	uint64_t before = atomic_load_explicit(max, memory_order_relaxed);
	while (value > before && !atomic_compare_exchange_weak_explicit(max, &before, value, memory_order_relaxed, memory_order_relaxed))
		;
}

/* Sleeps to the next point of its grid and notes how late it came back. Points that passed meanwhile are left out. */
static void sleep_once(struct sleeper *sleeper)
{
	uint64_t due_ns = atomic_load_explicit(&sleeper->due_ns, memory_order_relaxed);
	struct timespec due = clock_timespec(due_ns);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
	if (now_ns > due_ns)
		note_max(&sleeper->late_max_ns, now_ns - due_ns);
	due_ns += ((now_ns > due_ns ? now_ns - due_ns : 0) / sleeper->period_ns + 1) * sleeper->period_ns;
	atomic_store_explicit(&sleeper->due_ns, due_ns, memory_order_relaxed);
	atomic_store_explicit(&sleeper->cpu_ns, clock_now_ns(CLOCK_THREAD_CPUTIME_ID), memory_order_relaxed);
}

static bool is_stopped(const struct guard *guard)
{
	return atomic_load_explicit(&guard->stop, memory_order_relaxed);
}

/* The caller's sample is overdue: into a class in which it gets a cpu. */
static void boost_if_overdue(struct guard *guard)
{
	uint64_t expected_ns = atomic_load_explicit(&guard->expected_ns, memory_order_acquire);
	if (expected_ns == 0 || atomic_load_explicit(&guard->is_boosted, memory_order_relaxed))
		return;
	if (clock_now_ns(CLOCK_MONOTONIC) < expected_ns + guard->boost_after_ns)
		return;
	if (set_deadline(guard->caller, BOOST_RUNTIME_MS * (uint64_t)NS_PER_MS, BOOST_PERIOD_MS * (uint64_t)NS_PER_MS) < 0 &&
	        set_fifo(guard->caller) < 0)
		return;
	atomic_fetch_add_explicit(&guard->boosts, 1, memory_order_relaxed);
	atomic_store_explicit(&guard->is_boosted, true, memory_order_release);
}

static void *guard_main(void *argument)
{
	struct sleeper *sleeper = argument;
	struct guard *guard = sleeper->guard;
	enum guard_class class = raise_class(sleeper->period_ns);
	atomic_store(&guard->class, class);
	/* Capabilities are a thread's own: this one needs one, to raise the caller, whatever the caller itself gives up. */
	(void)capability_keep(guard->boost_after_ns > 0 ? CAPABILITY(CAP_SYS_NICE) : 0);
	while (!is_stopped(guard)) {
		sleep_once(sleeper);
		if (guard->boost_after_ns > 0)
			boost_if_overdue(guard);
	}
	return NULL;
}

static void *canary_main(void *argument)
{
	struct sleeper *sleeper = argument;
	/* What the collector was given does not go on to its canaries: they are to feel what an ordinary program feels. */
	struct attributes ordinary = {.size = sizeof(ordinary), .policy = SCHED_OTHER};
	(void)set_attributes(0, &ordinary);
	(void)capability_keep(0);
	while (!is_stopped(sleeper->guard))
		sleep_once(sleeper);
	return NULL;
}

/* On its cpu if it is a canary, with the stack that is in the guard's own memory. */
static int sleeper_start(struct sleeper *sleeper, void *(*run)(void *), bool pinned)
{
	pthread_attr_t attributes;
	int result = pthread_attr_init(&attributes);
	if (result != 0)
		return -result;
	cpu_set_t *cpus = NULL;
	size_t bytes = CPU_ALLOC_SIZE(sleeper->cpu + 1);
	result = pthread_attr_setstack(&attributes, sleeper->stack, STACK_BYTES);
	if (result == 0 && pinned) {
		cpus = CPU_ALLOC(sleeper->cpu + 1);
		if (cpus) {
			CPU_ZERO_S(bytes, cpus);
			CPU_SET_S(sleeper->cpu, bytes, cpus);
		}
		result = cpus ? pthread_attr_setaffinity_np(&attributes, bytes, cpus) : ENOMEM;
	}
	atomic_store(&sleeper->due_ns, clock_now_ns(CLOCK_MONOTONIC) + sleeper->period_ns);
	if (result == 0)
		result = pthread_create(&sleeper->thread, &attributes, run, sleeper);
	sleeper->started = result == 0;
	pthread_attr_destroy(&attributes);
	if (cpus)
		CPU_FREE(cpus);
	return -result;
}

/* ---- memory ---- */

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

/* The cpus that this process may run on: their number, and into canaries[] if given. */
static uint32_t cpus_of(struct guard *guard)
{
	enum { CPUS_MOST = 8192 };
	cpu_set_t *cpus = CPU_ALLOC(CPUS_MOST);
	size_t bytes = CPU_ALLOC_SIZE(CPUS_MOST);
	uint32_t count = 0;
	if (!cpus)
		return 0;
	if (sched_getaffinity(0, bytes, cpus) == 0) {
		for (uint32_t cpu = 0; cpu < CPUS_MOST; cpu++) {
			if (!CPU_ISSET_S(cpu, bytes, cpus))
				continue;
			if (guard && count < guard->count)
				guard->canaries[count].cpu = cpu;
			count++;
		}
	}
	CPU_FREE(cpus);
	return count;
}

/* ---- public ---- */

int guard_open(const struct guard_options *options, struct guard **ret_guard)
{
	struct guard *guard = allocate(options->canary_hz > 0 ? cpus_of(NULL) : 0);
	if (!guard)
		return -ENOMEM;
	cpus_of(guard);
	guard->caller = (pid_t)syscall(SYS_gettid);
	guard->boost_after_ns = options->boost_after_ns;
	guard->before.size = sizeof(guard->before);
	if (syscall(SYS_sched_getattr, 0, &guard->before, sizeof(guard->before), 0) < 0)
		guard->boost_after_ns = 0;         /* what cannot be put back is not changed */
	guard->before.flags |= FLAG_RESET_ON_FORK; /* to take that back needs a right that may be gone by then */
	guard->self.guard = guard;
	guard->self.period_ns = NS_PER_S / options->guard_hz;
	int result = sleeper_start(&guard->self, guard_main, false);
	for (uint32_t i = 0; i < guard->count && result == 0; i++) {
		struct sleeper *canary = &guard->canaries[i];
		canary->guard = guard;
		canary->period_ns = NS_PER_S / options->canary_hz;
		result = sleeper_start(canary, canary_main, true);
		if (result == -EINVAL)
			result = 0; /* that cpu went away: no canary */
	}
	if (result < 0)
		guard_close(&guard);
	*ret_guard = guard;
	return result;
}

void guard_expect(struct guard *guard, uint64_t due_ns)
{
	atomic_store_explicit(&guard->expected_ns, due_ns, memory_order_release);
}

void guard_done(struct guard *guard)
{
	atomic_store_explicit(&guard->expected_ns, 0, memory_order_release);
	if (!atomic_load_explicit(&guard->is_boosted, memory_order_acquire))
		return;
	(void)set_attributes(0, &guard->before); /* to a lower class: always permitted */
	atomic_store_explicit(&guard->is_boosted, false, memory_order_release);
}

/* Takes the lateness noted so far, and how long it has been overdue by now. */
static uint64_t take_late(struct sleeper *sleeper, uint64_t now_ns)
{
	uint64_t due_ns = atomic_load_explicit(&sleeper->due_ns, memory_order_relaxed);
	uint64_t late_ns = atomic_exchange_explicit(&sleeper->late_max_ns, 0, memory_order_relaxed);
	uint64_t overdue_ns = now_ns > due_ns ? now_ns - due_ns : 0;
	return overdue_ns > late_ns ? overdue_ns : late_ns;
}

void guard_read(struct guard *guard, uint64_t late_from_ns, struct guard_reading *ret_reading)
{
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
	uint32_t boosts = atomic_load_explicit(&guard->boosts, memory_order_relaxed);
	*ret_reading = (struct guard_reading){
	        .class = (enum guard_class)atomic_load_explicit(&guard->class, memory_order_relaxed),
	        .guard_late_max_ns = take_late(&guard->self, now_ns),
	        .boosts = boosts - guard->boosts_read,
	        .cpu_ns = atomic_load_explicit(&guard->self.cpu_ns, memory_order_relaxed),
	};
	guard->boosts_read = boosts;
	for (uint32_t i = 0; i < guard->count; i++) {
		struct sleeper *canary = &guard->canaries[i];
		if (!canary->started)
			continue;
		uint64_t late_ns = take_late(canary, now_ns);
		ret_reading->canaries++;
		ret_reading->canaries_late += late_ns >= late_from_ns;
		ret_reading->cpu_ns += atomic_load_explicit(&canary->cpu_ns, memory_order_relaxed);
		if (late_ns > ret_reading->canary_late_max_ns) {
			ret_reading->canary_late_max_ns = late_ns;
			ret_reading->canary_cpu = canary->cpu;
		}
	}
}

static void sleeper_join(struct sleeper *sleeper)
{
	if (sleeper->started)
		pthread_join(sleeper->thread, NULL);
}

void guard_close(struct guard **guard)
{
	struct guard *closing = *guard;
	*guard = NULL;
	if (!closing)
		return;
	atomic_store(&closing->stop, true);
	sleeper_join(&closing->self);
	for (uint32_t i = 0; i < closing->count; i++)
		sleeper_join(&closing->canaries[i]);
	guard_done(closing);
	munmap(closing, closing->bytes);
}
