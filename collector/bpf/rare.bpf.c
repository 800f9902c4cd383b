/*
 * rare.bpf.c - the programs of rare events (rare_state.h has the method).
 *
 *   on_contention_begin, on_contention_end  a thread has to wait for a lock of the kernel; it waits no more
 *   on_signal                               a signal is sent to the collector
 *   on_victim, on_victim_pid                the kernel kills a process for lack of memory
 *
 * Locks that are spun for are contended a hundred thousand times a second where things go badly: they are left at once, the end of a wait after one look
 * at the place that its thread would have.
 */
#include "collector/bpf/kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "collector/bpf/rare_state.h"

char LICENSE[] SEC("license") = "GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mutex {
	atomic_long_t owner; /* absent from real-time kernels */
};
struct rw_semaphore {
	atomic_long_t owner; /* since 5.3 a number */
};
#pragma clang attribute pop

/* Flags of a contended lock. None of them: a counting semaphore. */
enum {
	LOCK_SPIN = 1,
	LOCK_READ = 2,
	LOCK_WRITE = 4,
	LOCK_REAL_TIME = 8,
	LOCK_PERCPU = 16,
	LOCK_MUTEX = 32,
};
enum {
	OWNER_BITS = 7, /* of the word with the owner, not part of its address */
	PID_MOST = 1 << 22,
};
enum { SIGNAL_CONT = 18, SIGNAL_STOP = 19, SIGNAL_TTOU = 22, SIGNAL_DELIVERED = 0 };

struct lock_wait lock_waits[WAIT_SLOTS];
uint32_t wait_groups[WAIT_SLOTS / WAIT_GROUP]; /* taken slots of each */
struct lock_row lock_rows[LOCK_ROWS];
struct lock_holder lock_holders[HOLDERS];
uint32_t holder_buckets[HOLDERS / HOLDER_WAYS]; /* taken places of each */
uint64_t lock_delay_ns;                         /* waits of 10 ms and more, of all processes */
uint64_t lost;                                  /* waits, locks and holders that found no room */
struct rare_stop stop;
struct rare_victim victim;

const volatile uint32_t self; /* the collector's own process; set before loading */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set to the number of possible cpus before loading */
	__type(key, uint32_t);
	__type(value, struct rare_cpu);
} rare_cpus SEC(".maps");

/* ---- who holds a lock ---- */

/*
 * The process whose thread that is. The last of several readers may have let go long since and be gone: then what is read is anything, and is
 * believed only if it looks like a thread that lives.
 */
static __always_inline uint32_t process_of(uint64_t address)
{
	const struct task_struct *task = (const struct task_struct *)address;
	int pid = BPF_CORE_READ(task, pid), tgid = BPF_CORE_READ(task, tgid);
	if (pid <= 0 || pid > PID_MOST || tgid <= 0 || tgid > PID_MOST || BPF_CORE_READ(task, exit_state))
		return 0;
	return BPF_CORE_READ(task, group_leader, pid) == tgid ? (uint32_t)tgid : 0;
}

/* 0: it cannot be told. */
__noinline uint32_t holder_of(uint64_t lock, uint32_t flags)
{
	const struct mutex *mutex = (const struct mutex *)lock;
	const struct rw_semaphore *semaphore = (const struct rw_semaphore *)lock;
	uint64_t owner = 0;
	if (flags & LOCK_PERCPU)
		return 0;
	if (flags & LOCK_MUTEX) {
		if (bpf_core_field_exists(mutex->owner))
			owner = (uint64_t)BPF_CORE_READ(mutex, owner.counter);
	} else if (flags & (LOCK_READ | LOCK_WRITE)) {
		if (bpf_core_field_exists(semaphore->owner.counter))
			owner = (uint64_t)BPF_CORE_READ(semaphore, owner.counter);
	}
	owner &= ~(uint64_t)OWNER_BITS;
	return owner ? process_of(owner) : 0;
}

static __always_inline void hold_push(struct lock_row *row, uint32_t tgid, uint64_t now)
{
	uint32_t at = __sync_fetch_and_add(&row->holds, 1) & (LOCK_HOLDS - 1);
	row->ring[at].begin_ns = now;
	row->ring[at].tgid = tgid;
}

static __always_inline void hold_change(struct lock_row *row, uint32_t tgid, uint64_t now)
{
	if (tgid && row->ring[(row->holds - 1) & (LOCK_HOLDS - 1)].tgid != tgid)
		hold_push(row, tgid, now);
}

/* ---- the rows of locks ---- */

/* Index of the row of that lock, made its own if need be, or LOCK_ROWS. */
__noinline uint32_t row_of(uint64_t lock)
{
	uint32_t place = lock_place(lock);
	for (uint32_t i = 0; i < LOCK_PROBES; i++) {
		uint32_t at = (place + i) & (LOCK_ROWS - 1);
		if (lock_rows[at].lock == lock)
			return at;
	}
	for (uint32_t i = 0; i < LOCK_PROBES; i++) {
		uint32_t at = (place + i) & (LOCK_ROWS - 1);
		uint64_t before = lock_rows[at].lock;
		if (lock_rows[at].waiters == 0 && __sync_val_compare_and_swap(&lock_rows[at].lock, before, lock) == before)
			return at;
	}
	return LOCK_ROWS;
}

/* One more waits for that lock. Returns the index of its row + 1, or 0. */
static __always_inline uint32_t row_join(uint64_t lock, uint32_t flags, uint64_t now)
{
	uint32_t at = row_of(lock);
	if (at >= LOCK_ROWS) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	struct lock_row *row = &lock_rows[at & (LOCK_ROWS - 1)];
	uint32_t waiters = __sync_fetch_and_add(&row->waiters, 1);
	if (row->lock != lock) { /* somebody was faster */
		__sync_fetch_and_add(&row->waiters, -1);
		return 0;
	}
	uint32_t holder = holder_of(lock, flags);
	if (waiters == 0) {
		row->first_ns = now;
		hold_push(row, holder, now);
	} else {
		hold_change(row, holder, now);
	}
	return at + 1;
}

/* ---- charging ---- */

__noinline int holder_add(uint32_t tgid, uint64_t ns)
{
	uint32_t place = holder_place(tgid) & (HOLDERS - 1);
	for (uint32_t i = 0; i < HOLDER_WAYS; i++) {
		struct lock_holder *holder = &lock_holders[(place + i) & (HOLDERS - 1)];
		if (holder->tgid == tgid) {
			__sync_fetch_and_add(&holder->blame_ns, ns);
			return 1;
		}
	}
	for (uint32_t i = 0; i < HOLDER_WAYS; i++) {
		struct lock_holder *holder = &lock_holders[(place + i) & (HOLDERS - 1)];
		if (holder->tgid == 0 && __sync_val_compare_and_swap(&holder->tgid, 0, tgid) == 0) {
			__sync_fetch_and_add(&holder_buckets[(place / HOLDER_WAYS) & (HOLDERS / HOLDER_WAYS - 1)], 1);
			__sync_fetch_and_add(&holder->blame_ns, ns);
			return 1;
		}
	}
	__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* A wait between these two times. Who waits for his own process has suffered no less, but nobody is blamed. */
__noinline int wait_charge(uint32_t row, uint32_t tgid, uint64_t from, uint64_t to)
{
	__sync_fetch_and_add(&lock_delay_ns, to - from);
	if (row == 0)
		return 0;
	for (uint32_t i = 0; i < LOCK_HOLDS && to > from; i++) {
		struct hold_part part = hold_part_of(&lock_rows[(row - 1) & (LOCK_ROWS - 1)], i, from, to);
		if (part.ns && part.tgid && part.tgid != tgid)
			holder_add(part.tgid, part.ns);
		to = part.begin_ns;
	}
	return 0;
}

/* ---- waits ---- */

/* To be called by whoever has exchanged the mark for 0, and nobody else. */
static __always_inline void wait_free(struct lock_wait *wait, uint32_t slot)
{
	if (wait->row)
		__sync_fetch_and_add(&lock_rows[(wait->row - 1) & (LOCK_ROWS - 1)].waiters, -1);
	wait->row = 0;
	wait->lock = 0;
	__sync_fetch_and_add(&wait_groups[slot / WAIT_GROUP], -1);
	__sync_lock_test_and_set(&wait->tid, 0);
}

static __always_inline void count_run(void)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct rare_cpu *numbers = bpf_map_lookup_elem(&rare_cpus, &cpu);
	if (numbers)
		numbers->contentions++;
}

SEC("tp_btf/contention_begin")
int BPF_PROG(on_contention_begin, void *address, unsigned int flags)
{
	count_run();
	if (flags & (LOCK_SPIN | LOCK_REAL_TIME))
		return 0;
	uint64_t lock = (uint64_t)address, id = bpf_get_current_pid_tgid();
	uint32_t tid = (uint32_t)id, slot = tid & (WAIT_SLOTS - 1);
	struct lock_wait *wait = &lock_waits[slot];
	if (wait->tid == tid) {
		if (wait->lock == lock)
			return 0; /* it has been spinning in between */
		if (__sync_lock_test_and_set(&wait->mark_ns, 0))
			wait_free(wait, slot);
	}
	if (wait->tid != 0 || __sync_val_compare_and_swap(&wait->tid, 0, tid) != 0) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	uint64_t now = bpf_ktime_get_ns();
	__sync_fetch_and_add(&wait_groups[slot / WAIT_GROUP], 1);
	wait->tgid = id >> 32;
	wait->lock = lock;
	wait->since_ns = now;
	wait->row = row_join(lock, flags, now);
	__sync_lock_test_and_set(&wait->mark_ns, now);
	return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(on_contention_end, void *address, int result)
{
	uint64_t lock = (uint64_t)address, id = bpf_get_current_pid_tgid();
	uint32_t tid = (uint32_t)id, slot = tid & (WAIT_SLOTS - 1);
	struct lock_wait *wait = &lock_waits[slot];
	count_run();
	if (wait->tid != tid || wait->lock != lock)
		return 0; /* nearly always: it was spun for */
	uint64_t now = bpf_ktime_get_ns(), mark = __sync_lock_test_and_set(&wait->mark_ns, 0);
	if (!mark)
		return 0; /* the collector takes this thread for gone, and frees the place */
	if (now > mark && now - wait->since_ns >= WAIT_LEAST_NS)
		wait_charge(wait->row, wait->tgid, mark, now);
	if (wait->row && result == 0)
		hold_change(&lock_rows[(wait->row - 1) & (LOCK_ROWS - 1)], wait->tgid, now);
	wait_free(wait, slot);
	return 0;
}

/* ---- signals ---- */

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int signal, void *info, struct task_struct *task, int group, int result)
{
	if ((uint32_t)task->tgid != self || signal < SIGNAL_CONT || signal > SIGNAL_TTOU)
		return 0;
	uint64_t now = bpf_ktime_get_ns();
	if (signal == SIGNAL_CONT) {
		uint64_t since = __sync_lock_test_and_set(&stop.since_ns, 0);
		if (since)
			__sync_fetch_and_add(&stop.stopped_ns, now - since);
	} else if (result == SIGNAL_DELIVERED) {
		const struct task_struct *sender = bpf_get_current_task_btf();
		const struct task_struct *leader = sender->group_leader;
		stop.sender = sender->tgid;
		__builtin_memcpy(stop.command, leader->comm, sizeof(stop.command));
		__sync_val_compare_and_swap(&stop.since_ns, 0, now);
	}
	return 0;
}

/* ---- lack of memory ---- */

/* One at a time: the kernel chooses them under a lock. */
SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim, struct task_struct *task, uint32_t uid)
{
	const struct task_struct *leader = task->group_leader;
	__sync_fetch_and_add(&victim.count, 1);
	victim.pid = task->tgid;
	__builtin_memcpy(victim.command, leader->comm, sizeof(victim.command));
	__sync_fetch_and_add(&victim.count, 1);
	return 0;
}

/* Before 6.8. */
SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim_pid, int pid)
{
	__sync_fetch_and_add(&victim.count, 1);
	victim.pid = (uint32_t)pid;
	victim.command[0] = 0;
	__sync_fetch_and_add(&victim.count, 1);
	return 0;
}
