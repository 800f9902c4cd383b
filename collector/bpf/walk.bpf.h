/*
 * walk.bpf.h - what both ways to walk the tasks have in common: reading a process and its threads into a record. Included by the programs only.
 *
 * All values are as of the begin of the walk as far as the kernel lets one know: time of threads that run, and of those that wait, is counted
 * up to there. So an interval's cpu time does not depend on how far down the list a process is.
 * Sums are kept in the record itself: the verifier does not follow what is stored in a map, and so is done with the loops at once.
 */
#ifndef COLLECTOR_BPF_WALK_BPF_H
#define COLLECTOR_BPF_WALK_BPF_H

#include "collector/bpf/kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "collector/bpf/walk_record.h"

/* Sizes are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct walk_record);
} records SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WALK_WAITING_MOST);
	__type(key, uint32_t);
	__type(value, struct walk_waiting);
} waiting SEC(".maps");

const volatile struct walk_settings settings;
struct walk_control control;

struct walk_quota_group quota_groups[WALK_GROUPS];

enum {
	CLOCK_DRIFT_PART = 1024,        /* the two clocks drift by less than one part in so many: 500 ppm by adjtimex() */
	CLOCK_DOUBTS_MOST = 4,          /* values in a row that are not believed */
	GONE_AT_ONCE = 8,               /* records looked at for what the walk before knew of a process */
	SINCE_UPDATE_MOST = 2000000000, /* a cpu that runs without ticks is looked after once a second */
	QUOTA_LEVELS = 4,               /* a group and three above it */
	QUOTA_PROBES = 4,
};
#define QUOTA_NONE UINT64_MAX

/* ---- the clock of run queues ---- */

/*
 * The scheduler's clock cannot be asked. But the collector has just read its own cpu time, for which the kernel brought the clock of this cpu's run
 * queue up to date: what that is behind is how the clocks differ, plus the time since. The time since may be long for once, by an interrupt or
 * the hypervisor: then the value before stands.
 */
static __always_inline void clock_begin(void)
{
	struct task_struct *self = (struct task_struct *)bpf_get_current_task();
	uint64_t clock = BPF_CORE_READ(self, se.cfs_rq, rq, clock), now = bpf_ktime_get_ns();
	uint64_t lag = now - clock, before = control.clock_lag_ns;
	uint64_t most = before + (now - control.clock_seen_ns) / CLOCK_DRIFT_PART;
	if (before && (int64_t)(lag - most) > 0 && control.clock_doubts < CLOCK_DOUBTS_MOST) {
		lag = before;
		control.clock_doubts++;
	} else {
		control.clock_lag_ns = lag;
		control.clock_seen_ns = now;
		control.clock_doubts = 0;
	}
	control.before_rq_ns = control.begin_rq_ns;
	control.begin_ns = now;
	control.begin_boot_ns = bpf_ktime_get_boot_ns();
	control.begin_rq_ns = now - lag;
}

/* Does this kernel know cpu quotas of groups, and when a thread was queued? */
static __always_inline bool has_quotas(const struct task_struct *task)
{
	const struct task_struct___quota *own = (const struct task_struct___quota *)task;
	const struct task_group *group = NULL;
	if (!bpf_core_field_exists(own->sched_task_group) || !bpf_core_field_exists(task->sched_info.last_queued))
		return false;
	return bpf_core_field_exists(group->cfs_bandwidth.throttled_time);
}

static __always_inline void walk_begin(void)
{
	struct task_struct *self = (struct task_struct *)bpf_get_current_task();
	uint32_t features = 0;
	clock_begin();
	control.count_before = control.count;
	control.shift = 0;
	control.count = 0;
	control.dropped = 0;
	control.waiting_count = 0;
	control.waiting_lost = 0;
	control.tasks = 0;
	control.done = 0;
	control.begins = 0;
	control.self = bpf_get_current_pid_tgid() >> 32;
	if (bpf_core_field_exists(self->sched_info.last_queued))
		features |= WALK_SCHED_INFO;
	if (bpf_core_field_exists(self->ioac.read_bytes))
		features |= WALK_IO;
	if (bpf_core_field_exists(self->in_memstall))
		features |= WALK_MEMSTALL;
	if (settings.cpus)
		features |= WALK_CPU_PARTS;
	if (has_quotas(self))
		features |= WALK_QUOTA;
	const struct task_delay_info___x *delays = NULL;
	if (bpf_core_field_exists(delays->compact_delay)) /* 5.17 */
		features |= WALK_COMPACTION;
	if (bpf_core_field_exists(delays->irq_delay)) /* 6.4 */
		features |= WALK_IRQ;
	control.features = features;
	control.walks++;
}

/* ---- a thread ---- */

static __always_inline uint32_t state_of(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (uint32_t)((const struct task_struct___before_5_14 *)task)->state;
}

static __always_inline bool is_on_cpu(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->on_cpu))
		return task->on_cpu;
	return (uint32_t)task->pid == (uint32_t)bpf_get_current_pid_tgid(); /* one cpu only: the collector has it */
}

/* Its run queue counts its time without that of interrupts and of the hypervisor. */
static __always_inline uint64_t task_clock_at_begin(const struct rq *rq)
{
	return control.begin_rq_ns - (rq->clock - rq->clock_task);
}

/*
 * cpu time of a thread that is on a cpu: the kernel's sum is as old as the last tick of that cpu, exec_start says how old. Where that update came
 * after the begin of the walk the difference is negative, which is right if the thread ran then.
 */
static __always_inline uint64_t exec_of_running(const struct task_struct *task)
{
	const struct rq *rq = task->se.cfs_rq->rq;
	uint64_t updated = task->se.exec_start;
	barrier();
	uint64_t sum = task->se.sum_exec_runtime;
	barrier();
	if (task->se.exec_start != updated) {
		updated = task->se.exec_start;
		barrier();
		sum = task->se.sum_exec_runtime;
	}
	int64_t since = (int64_t)(task_clock_at_begin(rq) - updated);
	if (since < 0 && bpf_core_field_exists(task->sched_info.last_arrival) && task->sched_info.last_arrival > control.begin_rq_ns)
		return sum;
	if (since > SINCE_UPDATE_MOST || since < -(int64_t)SINCE_UPDATE_MOST || (since < 0 && (uint64_t)-since > sum))
		return sum;
	return sum + (uint64_t)since;
}

/* A thread that waits for a cpu. */
static __always_inline void add_waiting(struct walk_record *record, const struct task_struct *task, uint64_t queued)
{
	uint64_t wait = control.begin_rq_ns > queued ? control.begin_rq_ns - queued : 0;
	uint32_t place = control.waiting_count;
	const struct rq *rq = task->se.cfs_rq->rq;
	record->run_delay_ns += wait;
	if (record->run_wait_now_ns < wait)
		record->run_wait_now_ns = wait;
	struct walk_waiting *slot = bpf_map_lookup_elem(&waiting, &place);
	if (!slot) {
		control.waiting_lost++;
		return;
	}
	slot->queued_ns = queued;
	slot->tgid = record->pid;
	slot->cpu = bpf_core_field_exists(rq->cpu) ? (uint32_t)rq->cpu : 0;
	control.waiting_count = place + 1;
}

/* A thread in an uninterruptible wait: since it was last updated, as it went off its cpu. */
static __always_inline void add_stuck(struct walk_record *record, const struct task_struct *task)
{
	int64_t wait = (int64_t)(task_clock_at_begin(task->se.cfs_rq->rq) - task->se.exec_start);
	record->threads_stuck++;
	if (wait <= 0 || task->se.exec_start == 0) /* it has not run yet */
		return;
	if (record->stuck_wait_now_ns < (uint64_t)wait)
		record->stuck_wait_now_ns = (uint64_t)wait;
	/* A page that is fetched back is waited for by way of io, and yet waiting for memory. */
	if (bpf_core_field_exists(task->in_memstall) && BPF_CORE_READ_BITFIELD(task, in_memstall))
		record->mem_wait_now_ns += (uint64_t)wait;
	else if (BPF_CORE_READ_BITFIELD(task, in_iowait))
		record->io_wait_now_ns += (uint64_t)wait;
}

static __always_inline void add_delays(struct walk_record *record, const struct task_struct *task)
{
	const struct task_delay_info *delays = task->delays;
	const struct task_delay_info___x *newer = (const struct task_delay_info___x *)delays;
	if (!delays)
		return;
	record->delays = 1;
	record->blkio_delay_ns += delays->blkio_delay;
	record->swapin_delay_ns += delays->swapin_delay;
	record->reclaim_delay_ns += delays->freepages_delay;
	record->thrashing_delay_ns += delays->thrashing_delay;
	if (bpf_core_field_exists(newer->compact_delay))
		record->compaction_delay_ns += newer->compact_delay;
	if (bpf_core_field_exists(newer->irq_delay))
		record->irq_delay_ns += newer->irq_delay;
}

/* ---- cpu quotas ---- */

static volatile uint64_t address_of;

/* An address as a number to calculate with: by way of a variable the verifier takes it for one. */
static __always_inline uint64_t number_of(const void *pointer)
{
	address_of = (uint64_t)pointer;
	barrier();
	return address_of;
}

/*
 * Was that group, which has a quota, held back since the walk before? The first time that a walk meets a group settles it for all its threads. Of a
 * group that the walk before did not meet it is not known.
 */
static __noinline int quota_was_spent(uint64_t address, uint32_t throttled_count, uint64_t throttled_ns)
{
	uint32_t place = (uint32_t)((address >> 6) * UINT64_C(0x9E3779B97F4A7C15) >> 40);
	struct walk_quota_group *free = NULL;
	for (uint32_t i = 0; i < QUOTA_PROBES; i++) {
		struct walk_quota_group *known = &quota_groups[(place + i) & (WALK_GROUPS - 1)];
		if (known->group != address) {
			if (!free && control.walks - known->walk > 1)
				free = known;
			continue;
		}
		if (known->walk != control.walks) {
			bool rose = throttled_count > known->throttled_count || throttled_ns > known->throttled_ns;
			known->spent = control.walks - known->walk == 1 && rose;
			known->throttled_count = throttled_count;
			known->throttled_ns = throttled_ns;
			known->walk = control.walks;
		}
		return known->spent;
	}
	if (!free)
		return 0;
	free->group = address;
	free->throttled_count = throttled_count;
	free->throttled_ns = throttled_ns;
	free->walk = control.walks;
	free->spent = 0;
	return 0;
}

/* The quota of its group, and of the ones above it, which may be the tighter ones. The root has none, and no parent. */
static __always_inline void add_quota(struct walk_record *record, const struct task_struct *task, uint64_t queued)
{
	const struct task_struct___quota *own = (const struct task_struct___quota *)task;
	const struct cfs_rq___quota *queue = (const struct cfs_rq___quota *)task->se.cfs_rq;
	const struct task_group *group = own->sched_task_group;
	bool limited = false;
	for (uint32_t level = 0; level < QUOTA_LEVELS; level++) {
		if (!group || !group->parent)
			break;
		if (group->cfs_bandwidth.quota != QUOTA_NONE) {
			limited = true;
			if (quota_was_spent(
			            number_of(group), (uint32_t)group->cfs_bandwidth.nr_throttled, group->cfs_bandwidth.throttled_time))
				record->quota |= WALK_QUOTA_SPENT;
		}
		group = group->parent;
	}
	if (!limited || !queued)
		return;
	if (bpf_core_field_exists(own->throttled)) {
		if (own->throttled)
			record->quota |= WALK_QUOTA_WAITS;
	} else if (bpf_core_field_exists(queue->throttle_count) && queue->throttle_count > 0) {
		record->quota |= WALK_QUOTA_WAITS;
	}
}

/* A thread that ran, or waited for a cpu, since the walk before. */
static __always_inline void add_active(struct walk_record *record, const struct task_struct *task, uint64_t queued)
{
	record->ran = 1;
	if (has_quotas(task))
		add_quota(record, task, queued);
}

static __always_inline void add_thread(struct walk_record *record, const struct task_struct *task)
{
	uint32_t state = state_of(task), exit_state = (uint32_t)task->exit_state;
	bool on_cpu = is_on_cpu(task);
	uint64_t queued = 0;
	record->cpu_time_ns += on_cpu ? exec_of_running(task) : task->se.sum_exec_runtime;
	record->voluntary_csw += task->nvcsw;
	record->involuntary_csw += task->nivcsw;
	record->minor_faults += task->min_flt;
	record->major_faults += task->maj_flt;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		record->syscalls += task->ioac.syscr + task->ioac.syscw;
		record->read_bytes += task->ioac.read_bytes;
		record->write_bytes += task->ioac.write_bytes;
		record->cancelled_bytes += task->ioac.cancelled_write_bytes;
	}
	if (bpf_core_field_exists(task->sched_info.last_queued)) {
		record->run_delay_ns += task->sched_info.run_delay;
		/* Linux 6.12 and later may mark a sleeper as queued, when it is moved to another cpu before it has left the queue */
		queued = on_cpu || state != TASK_RUNNING ? 0 : task->sched_info.last_queued;
		if (queued)
			add_waiting(record, task, queued);
		if (on_cpu || queued || task->sched_info.last_arrival >= control.before_rq_ns)
			add_active(record, task, queued);
	} else {
		record->ran = 1;
	}
	if (on_cpu || queued || (state == TASK_RUNNING && !exit_state))
		record->active = 1;
	if (bpf_core_field_exists(task->delays))
		add_delays(record, task);
	control.tasks++;
	if (exit_state)
		return;
	if (state == TASK_RUNNING)
		record->threads_running++;
	else if ((state & TASK_UNINTERRUPTIBLE) && !(state & TASK_NOLOAD_BIT))
		add_stuck(record, task);
}

/* ---- a process ---- */

/*
 * Records keep their order, and their places but for those that are gone: what the walk before wrote of a process is at its place or a little further
 * on, not overwritten yet. Brings it here. Returns false for a process that is new.
 */
static __always_inline bool recall(struct walk_record *record, uint32_t place, const struct task_struct *leader)
{
	uint32_t tgid = (uint32_t)leader->tgid;
	uint64_t start_ns = leader->start_boottime;
	record->run_delay_before_ns = 0;
	for (uint32_t i = 0; i < GONE_AT_ONCE; i++) {
		uint32_t key = place + control.shift + i;
		if (key >= control.count_before)
			return false;
		struct walk_record *old = bpf_map_lookup_elem(&records, &key);
		if (!old || old->pid != tgid || old->start_time_ns != start_ns)
			continue;
		control.shift += i;
		if (control.shift)
			__builtin_memcpy(record, old, sizeof(*record));
		record->run_delay_before_ns = record->run_delay_ns;
		return true;
	}
	return false;
}

/* Who it is: only its own running changes that. */
static __always_inline void fill_identity(struct walk_record *record, const struct task_struct *leader)
{
	record->pid = (uint32_t)leader->tgid;
	record->uid = leader->real_cred->uid.val;
	record->start_time_ns = leader->start_boottime;
	__builtin_memcpy(record->command, leader->comm, sizeof(record->command));
}

/* What others may change too. */
static __always_inline void fill_state(struct walk_record *record, const struct task_struct *leader, const struct signal_struct *group)
{
	record->ppid = (uint32_t)leader->real_parent->tgid;
	record->state = state_of(leader);
	record->exit_state = (uint32_t)leader->exit_state;
	record->flags = leader->flags;
	record->policy = leader->policy;
	record->prio = leader->prio;
	record->static_prio = leader->static_prio;
	record->threads = (uint32_t)group->nr_threads;
	record->oom_adj = group->oom_score_adj;
	record->cgroup_id = leader->cgroups->dfl_cgrp->kn->id;
}

/* The sums begin with what the kernel keeps of ended threads. */
static __always_inline void fill_ended(struct walk_record *record, const struct signal_struct *group)
{
	record->ended_cpu_ns = group->sum_sched_runtime;
	record->cpu_time_ns = record->ended_cpu_ns;
	record->voluntary_csw = group->nvcsw;
	record->involuntary_csw = group->nivcsw;
	record->minor_faults = group->min_flt;
	record->major_faults = group->maj_flt;
	if (bpf_core_field_exists(group->ioac.read_bytes)) {
		record->syscalls = group->ioac.syscr + group->ioac.syscw;
		record->read_bytes = group->ioac.read_bytes;
		record->write_bytes = group->ioac.write_bytes;
		record->cancelled_bytes = group->ioac.cancelled_write_bytes;
	}
	record->threads_running = 0;
	record->threads_stuck = 0;
	record->delays = 0;
	record->quota = 0;
	record->run_delay_ns = 0;
	record->run_wait_now_ns = 0;
	record->stuck_wait_now_ns = 0;
	record->io_wait_now_ns = 0;
	record->mem_wait_now_ns = 0;
	record->blkio_delay_ns = 0;
	record->swapin_delay_ns = 0;
	record->reclaim_delay_ns = 0;
	record->thrashing_delay_ns = 0;
	record->compaction_delay_ns = 0;
	record->irq_delay_ns = 0;
}

/* Begins a record. `known`: it holds what the walk before wrote of the same process. */
static __always_inline void fill_process(
        struct walk_record *record, const struct task_struct *leader, const struct signal_struct *group, bool known)
{
	record->ran = !known || record->active || record->ended_cpu_ns != group->sum_sched_runtime;
	record->active = 0;
	record->kept = known ? record->memory : WALK_MEMORY_NONE;
	record->memory = WALK_MEMORY_NONE;
	fill_identity(record, leader);
	fill_state(record, leader, group);
	fill_ended(record, group);
}

/* ---- memory ---- */

#define IS_BEFORE_6_2(mm) bpf_core_field_exists(((const struct mm_struct___before_6_2 *)(mm))->rss_stat.count)

/* Adds up what single cpus have counted. The four counters of an address space lie side by side since 6.6. */
static __always_inline void add_cpu_parts(struct walk_record *record, uint64_t base)
{
	int32_t file = 0, anon = 0, swap = 0, shmem = 0;
	for (uint32_t cpu = 0; cpu < WALK_CPUS_MOST && cpu < settings.cpus; cpu++) {
		int32_t part[WALK_PAGES] = {0};
		bpf_probe_read_kernel(part, sizeof(part), (const void *)(base + settings.cpu_offset[cpu]));
		file += part[WALK_FILE_PAGES];
		anon += part[WALK_ANON_PAGES];
		swap += part[WALK_SWAP_PAGES];
		shmem += part[WALK_SHMEM_PAGES];
	}
	record->cpu_pages[WALK_FILE_PAGES] = file;
	record->cpu_pages[WALK_ANON_PAGES] = anon;
	record->cpu_pages[WALK_SWAP_PAGES] = swap;
	record->cpu_pages[WALK_SHMEM_PAGES] = shmem;
	record->memory = WALK_MEMORY_WHOLE;
}

static __always_inline void fill_memory(struct walk_record *record, const struct mm_struct *mm)
{
	if (record->flags & TASK_FLAG_KTHREAD)
		return;
	record->peak_pages = mm->hiwater_rss;
	if (IS_BEFORE_6_2(mm)) {
		/* Old verifiers cannot follow an array of atomics. */
		bpf_probe_read_kernel(record->pages, sizeof(record->pages), &((const struct mm_struct___before_6_2 *)mm)->rss_stat.count);
		record->memory = WALK_MEMORY_COARSE;
	} else {
		/* Each index is a literal, so that it is scaled by the size that the kernel's own elements have. */
		record->pages[WALK_FILE_PAGES] = mm->rss_stat[0].count;
		record->pages[WALK_ANON_PAGES] = mm->rss_stat[1].count;
		record->pages[WALK_SWAP_PAGES] = mm->rss_stat[2].count;
		record->pages[WALK_SHMEM_PAGES] = mm->rss_stat[3].count;
		record->memory = WALK_MEMORY_COARSE;
		uint64_t base = (uint64_t)mm->rss_stat[0].counters, last = (uint64_t)mm->rss_stat[3].counters;
		if (!settings.cpus || last != base + 3 * sizeof(int32_t))
			return;
		bool asked = record->ran || control.whole_of_all;
		if (record->kept == WALK_MEMORY_WHOLE && !asked)
			record->memory = WALK_MEMORY_WHOLE; /* who did not run has counted nothing since */
		else if (asked || settings.cpus <= WALK_CPUS_FEW)
			add_cpu_parts(record, base);
	}
}

#endif
