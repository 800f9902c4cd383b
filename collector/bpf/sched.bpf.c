/*
 * sched.bpf.c - the programs of scheduler accounting. sched_state.h has the method.
 *
 *   on_switch  each context switch: blame, longest waits, uninterruptible waits, and what a process used after its last words
 *   on_migrate a thread that waits is taken to another cpu
 *   on_exit    the end of each thread; of the last one: the last words of its process
 *   on_free    long after the end: the rest, where on_switch was not there to see it
 *
 * on_switch runs under the lock of the cpu's run queue, a hundred thousand times a second where it matters: it looks at what the scheduler has just
 * had in its hands, and at one or two accounts.
 */
#include "collector/bpf/kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "collector/bpf/account.bpf.h"
#include "collector/bpf/sched_state.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set to the number of possible cpus before loading */
	__type(key, uint32_t);
	__type(value, struct sched_cpu);
} sched_cpus SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SCHED_STUCK_SLOTS);
	__type(key, uint32_t);
	__type(value, struct sched_stuck);
} sched_stuck SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCHED_RUN_SLOTS);
	__type(key, uint32_t);
	__type(value, struct sched_run);
} sched_runs SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before loading */
} last_words SEC(".maps");

enum { SHORT_SLICE_NS = 10000000 };

uint32_t epoch;   /* of intervals: which bank of the accounts is written */
uint64_t walk_ns; /* begin of the newest walk, BOOTTIME: who began later was in none */

/* ---- accounts ---- */

/* The account of that slot if it still is that of the process. */
static __always_inline struct account *account_at(uint32_t slot, uint32_t tgid)
{
	struct account *account = bpf_map_lookup_elem(&accounts, &slot);
	return account && account->tgid == tgid ? account : NULL;
}

static __always_inline struct account_cpu *numbers_of(uint32_t cpu)
{
	return bpf_map_lookup_elem(&account_cpus, &cpu);
}

static __noinline int count_lost(uint32_t cpu)
{
	struct account_cpu *numbers = numbers_of(cpu);
	if (numbers)
		__sync_fetch_and_add(&numbers->events_lost, 1);
	return 0;
}

/* Time that others waited while that owner ran. */
static __always_inline void charge(uint32_t slot, uint32_t tgid, uint64_t ns, uint32_t cpu)
{
	struct account *account = slot == SCHED_NOBODY ? NULL : account_at(slot, tgid);
	if (account) {
		__sync_fetch_and_add(&account->cpu_blame_ns, ns);
		return;
	}
	struct account_cpu *numbers = numbers_of(cpu);
	if (numbers)
		numbers->unowned_ns += ns;
}

/* The account of the process and its slot, claimed if need be. */
static __always_inline struct account *account_with_slot(uint32_t tgid, uint32_t cpu, uint32_t *ret_slot)
{
	uint32_t place = account_place(tgid, account_slots);
	struct account *account = bpf_map_lookup_elem(&accounts, &place);
	*ret_slot = place;
	if (account && account->tgid == tgid)
		return account; /* nearly always */
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		uint32_t key = account_probe(place, i, account_slots);
		*ret_slot = key;
		account = bpf_map_lookup_elem(&accounts, &key);
		if (account && account->tgid == tgid)
			return account;
	}
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		uint32_t key = account_probe(place, i, account_slots);
		*ret_slot = key;
		account = bpf_map_lookup_elem(&accounts, &key);
		if (account && account->tgid == 0 && __sync_val_compare_and_swap(&account->tgid, 0, tgid) == 0)
			return account;
	}
	struct account_cpu *numbers = numbers_of(cpu);
	if (numbers)
		numbers->accounts_full++;
	*ret_slot = SCHED_NOBODY;
	return NULL;
}

/* ---- what the scheduler knows ---- */

static __always_inline uint32_t state_of(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (uint32_t)((const struct task_struct___before_5_14 *)task)->state;
}

/* Threads that are ready to run on that cpu, the one that is about to run included. */
static __always_inline uint32_t runnable_on(const struct rq *rq)
{
	uint32_t all = rq->nr_running;
	const struct cfs_rq___nr *fair = (const struct cfs_rq___nr *)&rq->cfs;
	if (bpf_core_field_exists(fair->h_nr_runnable)) /* 6.14: threads that sleep may stay queued, and counted, for a while */
		return all - fair->h_nr_queued + fair->h_nr_runnable;
	if (bpf_core_field_exists(fair->h_nr_delayed)) /* 6.12 */
		return all - fair->h_nr_delayed;
	return all;
}

/* ---- threads of which something is noted until they run ---- */

/* The note of that thread, made if need be. NULL: there is no room near by. */
static __always_inline struct sched_stuck *note_of(uint32_t tid)
{
	for (uint32_t i = 0; i < SCHED_STUCK_PROBES; i++) {
		uint32_t key = (tid + i) & (SCHED_STUCK_SLOTS - 1);
		struct sched_stuck *note = bpf_map_lookup_elem(&sched_stuck, &key);
		if (note && note->tid == tid)
			return note;
		if (note && note->tid == 0 && __sync_val_compare_and_swap(&note->tid, 0, tid) == 0) {
			note->kind = 0;
			return note;
		}
	}
	return NULL;
}

/* A thread goes into an uninterruptible wait. */
static __noinline int stuck_begin(struct task_struct *task, uint32_t slot, uint64_t now)
{
	struct account *account = account_at(slot, task->tgid);
	struct sched_stuck *note = account ? note_of(task->pid) : NULL;
	if (!account || !note)
		return 0;
	note->since_ns = now;
	note->kind = SCHED_STUCK_WAITS;
	if (BPF_CORE_READ_BITFIELD(task, in_iowait))
		note->kind = SCHED_STUCK_WAITS | SCHED_STUCK_IO;
	if (bpf_core_field_exists(task->in_memstall) && BPF_CORE_READ_BITFIELD(task, in_memstall))
		note->kind =
		        SCHED_STUCK_WAITS | SCHED_STUCK_MEMORY; /* waiting for a page to come back is waiting for memory, by way of io */
	__sync_fetch_and_add(&account->stuck, ACCOUNT_STUCK);
	return 0;
}

/*
 * A queued thread is moved to another cpu, where the kernel will mark it as queued anew. If it sleeps that is noted; and what the kernel has just
 * added to its run delay because it had been marked so before is taken off again. Returns 1 if it had.
 */
static __noinline int asleep_note(struct task_struct *task, bool sleeps, uint64_t now)
{
	struct account *account = account_of(task->tgid);
	int was_marked = 0;
	if (!account || (!sleeps && account->stuck < ACCOUNT_STUCK_ASLEEP))
		return 0;
	struct sched_stuck *note = note_of(task->pid);
	if (!note)
		return 0;
	if (note->kind & SCHED_STUCK_ASLEEP) {
		__sync_fetch_and_add(&account->exited_run_delay_ns, note->asleep_since_ns - now);
		__sync_fetch_and_add(&account->stuck, -ACCOUNT_STUCK_ASLEEP);
		note->kind &= ~SCHED_STUCK_ASLEEP;
		was_marked = 1;
	}
	if (sleeps) {
		note->asleep_since_ns = now;
		note->kind |= SCHED_STUCK_ASLEEP;
		__sync_fetch_and_add(&account->stuck, ACCOUNT_STUCK_ASLEEP);
	} else if (note->kind == 0) {
		note->tid = 0;
	}
	return was_marked;
}

/*
 * A thread of a process with notes is about to run; the kernel has it that it was queued at `queued`. Returns since when it really was, 0 if that
 * is not known.
 */
static __noinline uint64_t note_end(struct account *account, uint32_t tid, uint64_t queued, uint64_t now)
{
	if (!account)
		return queued;
	for (uint32_t i = 0; i < SCHED_STUCK_PROBES; i++) {
		uint32_t key = (tid + i) & (SCHED_STUCK_SLOTS - 1), bank = epoch & 1;
		struct sched_stuck *note = bpf_map_lookup_elem(&sched_stuck, &key);
		if (!note || note->tid != tid)
			continue;
		uint32_t kind = note->kind;
		if (kind & SCHED_STUCK_ASLEEP) {
			if (queued)
				__sync_fetch_and_add(&account->exited_run_delay_ns, queued - now); /* what the kernel is about to add */
			__sync_fetch_and_add(&account->stuck, -ACCOUNT_STUCK_ASLEEP);
			queued = 0;
		}
		if (kind & SCHED_STUCK_WAITS) {
			uint64_t end = queued ? queued : now, wait = end > note->since_ns ? end - note->since_ns : 0;
			uint32_t wait_us = wait / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(wait / 1000);
			if (kind & SCHED_STUCK_IO)
				__sync_fetch_and_add(&account->io_wait_ns, wait);
			else if (kind & SCHED_STUCK_MEMORY)
				__sync_fetch_and_add(&account->mem_wait_ns, wait);
			if (account->stuck_wait_max_us[bank] < wait_us)
				account->stuck_wait_max_us[bank] = wait_us;
			__sync_fetch_and_add(&account->stuck, -ACCOUNT_STUCK);
		}
		note->tid = 0;
		return queued;
	}
	return queued;
}

/* ---- after the last words ---- */

static __always_inline struct sched_run *run_of(uint32_t tid)
{
	uint32_t key = tid & (SCHED_RUN_SLOTS - 1);
	return bpf_map_lookup_elem(&sched_runs, &key);
}

/* cpu time of a process that is ending: threads that were released, and those that may not have been. */
static __always_inline uint64_t exec_of(const struct task_struct *task)
{
	const struct signal_struct *group = task->signal;
	const struct task_struct *leader = task->group_leader;
	uint64_t sum = group->sum_sched_runtime, own = task->se.sum_exec_runtime;
	if (leader->sighand)
		sum += leader->se.sum_exec_runtime;
	if (leader != task && task->sighand)
		sum += own;
	return sum > own ? sum : own;
}

/* Run delay of a thread, where the kernel counts it. */
static __always_inline uint64_t wait_of(const struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info.run_delay) ? task->sched_info.run_delay : 0;
}

/* Was it there when the newest walk began? Then its parent must not have once more what was published of it. */
static __always_inline bool is_known(const struct task_struct *task)
{
	return task->group_leader->start_boottime < walk_ns;
}

/* Were the last words of its process told? */
static __always_inline bool was_told(const struct account *account, const struct task_struct *task)
{
	return (account->exited_exec_ns & ACCOUNT_TOLD) && account->told_start_ns == task->group_leader->start_boottime;
}

/* Frees an account. What was charged to it and never told, the parent has on its account. */
static __always_inline void account_close(const struct task_struct *task, struct account *account, struct account *parent)
{
	if (parent) {
		if (!(account->exited_exec_ns & ACCOUNT_TOLD_PARENT) || !is_known(task))
			__sync_fetch_and_add(&parent->cpu_blame_ns, __sync_lock_test_and_set(&account->cpu_blame_ns, 0));
		if (account->brief_count || account->brief_cpu_ns) {
			__sync_fetch_and_add(&parent->brief_count, account->brief_count);
			__sync_fetch_and_add(&parent->brief_cpu_ns, account->brief_cpu_ns);
			__sync_fetch_and_add(&parent->brief_io_bytes, account->brief_io_bytes);
			__sync_fetch_and_add(&parent->brief_faults, account->brief_faults);
		}
	}
	account->stuck = 0;
	account->cpu_blame_ns = 0;
	account->exited_run_delay_ns = 0;
	account->io_wait_ns = 0;
	account->mem_wait_ns = 0;
	account->run_wait_max_us[0] = 0;
	account->run_wait_max_us[1] = 0;
	account->stuck_wait_max_us[0] = 0;
	account->stuck_wait_max_us[1] = 0;
	account->exited_exec_ns = 0;
	account->io_time_ns = 0;
	account->reclaim_ns = 0;
	account->compaction_ns = 0;
	account->reclaims = 0;
	account->brief_count = 0;
	account->brief_cpu_ns = 0;
	account->brief_io_bytes = 0;
	account->brief_faults = 0;
	account->told_start_ns = 0;
	__sync_lock_test_and_set(&account->tgid, 0);
}

/* Tells what a process used since its last words. `account` is its own. */
static __always_inline void tell_tail(struct task_struct *task, struct account *account, struct account *parent, uint32_t cpu)
{
	uint64_t told = account->exited_exec_ns, exec = exec_of(task), before = told & ~(uint64_t)ACCOUNT_TOLD_BITS;
	uint64_t wait = wait_of(task), more = exec > before ? exec - before : 0;
	struct last_words_tail *tail = told & ACCOUNT_TOLD_PARENT ? NULL : bpf_ringbuf_reserve(&last_words, sizeof(*tail), 0);
	account->exited_exec_ns = (before + more) | (told & ACCOUNT_TOLD_BITS);
	if (!tail) {
		if (parent && !((told & ACCOUNT_TOLD_PARENT) && is_known(task)))
			__sync_fetch_and_add(&parent->brief_cpu_ns, more);
		if (!(told & ACCOUNT_TOLD_PARENT))
			count_lost(cpu);
		return;
	}
	tail->kind = LAST_WORDS_TAIL;
	tail->pid = task->tgid;
	tail->ppid = task->real_parent->tgid;
	tail->reserved = 0;
	tail->start_time_ns = task->group_leader->start_boottime;
	tail->cpu_time_ns = more;
	tail->run_delay_ns = (int64_t)(wait + account->exited_run_delay_ns) > 0 ? wait + account->exited_run_delay_ns : 0;
	tail->cpu_blame_ns = __sync_lock_test_and_set(&account->cpu_blame_ns, 0);
	account->exited_run_delay_ns = -wait;
	bpf_ringbuf_submit(tail, BPF_RB_NO_WAKEUP);
}

/*
 * A thread has left its cpu for ever. Tells the tail if its process has had its last words, and frees the account with the last thread.
 * Returns the slot of the account that goes on for it: what is yet to be charged for its last slice goes to its parent.
 */
static __noinline uint32_t thread_gone(struct task_struct *task, uint32_t slot, uint32_t cpu)
{
	uint32_t tgid = task->tgid, heir = SCHED_NOBODY;
	struct account *account = account_at(slot, tgid);
	struct sched_run *run = run_of(task->pid);
	if (run && run->tid == (uint32_t)task->pid)
		run->tid = 0;
	if (!account || !was_told(account, task))
		return slot;
	struct account *parent = account_with_slot(task->real_parent->tgid, cpu, &heir);
	tell_tail(task, account, parent, cpu);
	if (task->signal->nr_threads > 1 || !(state_of(task->group_leader) & TASK_DEAD_BIT))
		return slot;
	account_close(task, account, parent);
	return heir;
}

/* ---- context switches ---- */

/* A thread was queued at `queued`, before the slice that ends now: the rest of the slice in which it came is charged to that one's owner. */
static __noinline int charge_late(struct sched_cpu *state, uint64_t queued, uint32_t cpu)
{
	if (!state)
		return 0;
	/* The first of all the slices in the ring that did not end before. Without a branch: the verifier would follow each. */
	uint64_t oldest = state->slices, place = 0;
	for (uint64_t step = SCHED_SLICES / 2; step > 0; step /= 2) {
		struct sched_slice *slice = &state->ring[(oldest + place + step - 1) & (SCHED_SLICES - 1)];
		place += ((slice->end_ns - queued) >> 63) * step;
	}
	if (place == 0)
		return 0; /* so long ago that it is a small part of the wait */
	struct sched_slice *slice = &state->ring[(oldest + place) & (SCHED_SLICES - 1)];
	if (slice->end_ns > queued)
		charge(slice->slot, slice->tgid, slice->end_ns - queued, cpu);
	return 0;
}

/* The slice that ends now, and the one that begins. */
static __always_inline void slice_next(
        struct sched_cpu *state, uint64_t now, uint32_t owner, uint32_t slot, uint32_t tgid, uint32_t waiting)
{
	struct sched_slice *slice = &state->ring[state->slices & (SCHED_SLICES - 1)];
	slice->end_ns = now;
	slice->slot = owner;
	slice->tgid = state->tgid;
	state->slices++;
	state->begin_ns = now;
	state->slot = slot;
	state->tgid = tgid;
	state->waiting = waiting;
	state->switches++;
}

static __always_inline void longest_wait(struct account *account, uint64_t wait)
{
	uint32_t bank = epoch & 1, wait_us = wait / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(wait / 1000);
	if (account->run_wait_max_us[bank] < wait_us)
		account->run_wait_max_us[bank] = wait_us;
}

/* It was queued, or marked so, before anybody watched: whether it waited or slept is not known. Its run delay goes without. */
static __noinline uint64_t queued_before(struct account *account, uint64_t queued, uint64_t now)
{
	if (account)
		__sync_fetch_and_add(&account->exited_run_delay_ns, queued - now);
	return 0;
}

/* The kernel will add the wait to its run delay in a moment. */
static __always_inline void run_begin(const struct task_struct *task, uint64_t wait)
{
	struct sched_run *run = run_of(task->pid);
	if (run) {
		run->tid = task->pid;
		run->delay = (uint32_t)((task->sched_info.run_delay + wait) >> SCHED_RUN_SHIFT);
	}
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	uint32_t cpu = bpf_get_smp_processor_id(), slot = SCHED_NOBODY, tgid = next->tgid;
	struct sched_cpu *state = bpf_map_lookup_elem(&sched_cpus, &cpu);
	if (!state)
		return 0;
	uint64_t sampled_ns = (state->switches & (SCHED_SAMPLED_EACH - 1)) == 0 ? bpf_ktime_get_ns() : 0;
	const struct rq *rq = next->se.cfs_rq->rq;
	uint64_t now = rq->clock, begin = state->begin_ns, queued = next->sched_info.last_queued;
	uint32_t waiting = runnable_on(rq), owner = state->slot;

	state->sequence++;
	if (tgid) {
		struct account *account = account_with_slot(tgid, cpu, &slot);
		waiting -= waiting > 0;
		run_begin(next, queued ? now - queued : 0); /* right or wrong */
		if (queued < state->first_ns && queued)
			queued = queued_before(account, queued, now);
		if (account && account->stuck)
			queued = note_end(account, next->pid, queued, now);
		if (account && queued)
			longest_wait(account, now - queued);
	}
	if (begin) {
		uint64_t blame = state->waiting * (now - begin) + (queued > begin ? now - queued : 0);
		if (blame)
			charge(owner, state->tgid, blame, cpu);
		if (queued && queued < begin)
			charge_late(state, queued, cpu);
	} else {
		state->first_ns = now;
	}
	uint32_t left = preempt ? 0 : state_of(prev);
	if (left & (TASK_UNINTERRUPTIBLE | TASK_DEAD_BIT)) {
		if (left & TASK_DEAD_BIT)
			owner = thread_gone(prev, owner, cpu);
		else if (!(left & TASK_NOLOAD_BIT))
			stuck_begin(prev, owner, now);
	}
	slice_next(state, now, owner, slot, tgid, waiting);
	if (sampled_ns) {
		state->sampled++;
		state->sampled_ns += bpf_ktime_get_ns() - sampled_ns;
	}
	state->sequence++;
	return 0;
}

/*
 * How long a thread has waited that was just taken off its queue; the kernel has added that to its run delay, which begins at nothing with the thread.
 * 0: not known.
 */
static __always_inline uint64_t waited_since_run(const struct task_struct *task)
{
	uint32_t tid = task->pid, delay = (uint32_t)(task->sched_info.run_delay >> SCHED_RUN_SHIFT), before = delay;
	struct sched_run *run = run_of(tid);
	if (!run)
		return 0;
	if (run->tid == tid)
		before = run->delay;
	else if (task->sched_info.pcount == 0)
		before = 0;
	run->tid = tid;
	run->delay = delay;
	return (uint64_t)(uint32_t)(delay - before) << SCHED_RUN_SHIFT;
}

/* A thread that waits is taken to another cpu, by whichever cpu does it, under the lock of the run queue that it leaves. */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task)
{
	if (task->on_rq != TASK_ON_RQ_MIGRATING)
		return 0; /* on its way from sleep to its next cpu, as nearly always */
	const struct sched_entity___x *entity = (const struct sched_entity___x *)&task->se;
	const struct rq *rq = task->se.cfs_rq->rq;
	uint64_t now = rq->clock, wait = waited_since_run(task);
	if (bpf_core_field_exists(entity->sched_delayed)) {
		bool sleeps = entity->sched_delayed; /* queued, but asleep */
		if (asleep_note(task, sleeps, now))
			wait = 0;
		if (sleeps)
			return 0;
	}
	uint32_t cpu = bpf_core_field_exists(rq->cpu) ? rq->cpu : 0;
	struct sched_cpu *state = bpf_map_lookup_elem(&sched_cpus, &cpu);
	if (!state || state->begin_ns == 0)
		return 0;
	/* Where it is not known: slices in which somebody waited from the begin are short, but where the owner cannot be made to let go. */
	uint64_t begin = state->begin_ns, queued = wait ? now - wait : now - begin < SHORT_SLICE_NS ? begin : now;
	state->sequence++;
	if (queued <= begin + (1 << SCHED_RUN_SHIFT) && state->waiting > 0) {
		state->waiting--;
		charge(state->slot, state->tgid, now - begin, cpu);
		if (queued < begin && queued >= state->first_ns)
			charge_late(state, queued, cpu);
	} else if (wait && queued > begin) {
		charge(state->slot, state->tgid, wait, cpu);
	}
	state->sequence++;
	return 0;
}

/* ---- last words ---- */

/* Some kernels count no io of processes. */
static __always_inline bool has_io(const struct task_struct *task)
{
	return bpf_core_field_exists(task->ioac.read_bytes);
}

/* What that thread adds to its process. */
static __always_inline void tell_thread(struct last_words *words, const struct task_struct *task)
{
	if (has_io(task)) {
		words->read_bytes += task->ioac.read_bytes;
		words->write_bytes += task->ioac.write_bytes;
		words->syscalls += task->ioac.syscr + task->ioac.syscw;
	}
	words->minor_faults += task->min_flt;
	words->major_faults += task->maj_flt;
	words->voluntary_csw += task->nvcsw;
	words->involuntary_csw += task->nivcsw;
}

static __always_inline void tell_counters(struct last_words *words, const struct task_struct *task)
{
	const struct signal_struct *group = task->signal;
	const struct task_struct *leader = task->group_leader;
	words->read_bytes = has_io(task) ? group->ioac.read_bytes : 0;
	words->write_bytes = has_io(task) ? group->ioac.write_bytes : 0;
	words->syscalls = has_io(task) ? group->ioac.syscr + group->ioac.syscw : 0;
	words->minor_faults = group->min_flt;
	words->major_faults = group->maj_flt;
	words->voluntary_csw = group->nvcsw;
	words->involuntary_csw = group->nivcsw;
	words->peak_pages = group->maxrss;
	tell_thread(words, task);
	if (leader != task)
		tell_thread(words, leader);
}

static __always_inline void tell_identity(struct last_words *words, const struct task_struct *task)
{
	words->pid = task->tgid;
	words->ppid = task->real_parent->tgid;
	words->uid = task->real_cred->uid.val;
	words->start_time_ns = task->group_leader->start_boottime;
	words->end_time_ns = bpf_ktime_get_boot_ns();
	words->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	words->exit_code = task->exit_code;
	words->flags = task->flags;
	words->prio = task->prio;
	words->static_prio = task->static_prio;
	words->policy = task->policy;
	words->threads = 1;
	const struct task_struct *leader = task->group_leader;
	__builtin_memcpy(words->command, leader->comm, sizeof(words->command));
}

/* What the switch program knows of it. What it has is told: from here on the account holds what comes after. */
static __always_inline void tell_account(struct last_words *words, struct account *account, uint64_t wait, uint64_t own_wait)
{
	words->run_delay_ns = wait;
	words->run_wait_max_us = account ? account->run_wait_max_us[epoch & 1] : 0;
	words->stuck_wait_max_us = account ? account->stuck_wait_max_us[epoch & 1] : 0;
	if (!account) {
		words->cpu_blame_ns = 0;
		words->io_time_ns = 0;
		words->io_wait_ns = 0;
		words->mem_wait_ns = 0;
		return;
	}
	words->cpu_blame_ns = __sync_lock_test_and_set(&account->cpu_blame_ns, 0);
	words->run_delay_ns += __sync_lock_test_and_set(&account->exited_run_delay_ns, -own_wait);
	words->io_time_ns = account->io_time_ns;
	words->io_wait_ns = account->io_wait_ns;
	words->mem_wait_ns = account->mem_wait_ns;
}

/* There was no room for its last words: its parent has the sums, unless some walk has seen it, and its parent must not have that again. */
static __always_inline void tell_parent(const struct task_struct *task, uint64_t exec, uint32_t cpu)
{
	struct account *parent = account_of(task->real_parent->tgid);
	const struct signal_struct *group = task->signal;
	count_lost(cpu);
	if (!parent || is_known(task))
		return;
	__sync_fetch_and_add(&parent->brief_count, 1);
	__sync_fetch_and_add(&parent->brief_cpu_ns, exec);
	__sync_fetch_and_add(&parent->brief_faults, group->min_flt + group->maj_flt + task->min_flt + task->maj_flt);
	if (!has_io(task))
		return;
	uint64_t io = group->ioac.read_bytes + group->ioac.write_bytes + task->ioac.read_bytes + task->ioac.write_bytes;
	__sync_fetch_and_add(&parent->brief_io_bytes, io);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	uint64_t wait = wait_of(task);
	if (task->signal->live.counter) { /* other threads go on; a main thread that has ended stays with them, and keeps what it has */
		struct account *account = task->pid == task->tgid ? NULL : account_of(task->tgid);
		if (account)
			__sync_fetch_and_add(&account->exited_run_delay_ns, wait);
		return 0;
	}
	uint32_t cpu = bpf_get_smp_processor_id();
	struct account *account = account_of(task->tgid);
	uint64_t exec = exec_of(task) & ~(uint64_t)ACCOUNT_TOLD_BITS;
	if (account && (account->exited_exec_ns & ACCOUNT_TOLD) && !was_told(account, task)) {
		/* That of an earlier process with this pid, which the kernel has not let go of. */
		account->exited_exec_ns = 0;
		account->exited_run_delay_ns = 0;
	}
	if (account)
		account->told_start_ns = task->group_leader->start_boottime;
	/* Two threads that end at once may both see that none is left. */
	if (account && __sync_val_compare_and_swap(&account->exited_exec_ns, 0, exec | ACCOUNT_TOLD) != 0)
		return 0;
	struct last_words *words = bpf_ringbuf_reserve(&last_words, sizeof(*words), 0);
	if (!words) {
		if (account)
			account->exited_exec_ns = exec | ACCOUNT_TOLD | ACCOUNT_TOLD_PARENT;
		tell_parent(task, exec, cpu);
		return 0;
	}
	words->kind = LAST_WORDS_END;
	words->cpu_time_ns = exec;
	tell_identity(words, task);
	tell_counters(words, task);
	tell_account(words, account, task->group_leader == task ? wait : wait + wait_of(task->group_leader), wait);
	bpf_ringbuf_submit(words, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	if (task->pid != task->tgid)
		return 0;
	struct account *account = account_find(task->tgid);
	if (!account || !was_told(account, task))
		return 0;
	struct account *parent = account_find(task->real_parent->tgid);
	tell_tail(task, account, parent, bpf_get_smp_processor_id());
	account_close(task, account, parent);
	return 0;
}
