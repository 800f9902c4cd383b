/* convert.c - see convert.h. */
#include "collector/bpf/convert.h"

#include <string.h>

/* Bits of task_struct, __state and exit_state, and flags. */
enum {
	STATE_INTERRUPTIBLE = 1,
	STATE_UNINTERRUPTIBLE = 2,
	STATE_STOPPED = 4,
	STATE_TRACED = 8,
	STATE_EXIT_DEAD = 16,
	STATE_EXIT_ZOMBIE = 32,
	STATE_PARKED = 64,
	STATE_DEAD = 128,
	STATE_NOLOAD = 0x400,
	STATE_RTLOCK_WAIT = 0x1000,
	STATE_FROZEN = 0x8000,
	FLAG_KERNEL_THREAD = 0x00200000,
};
enum { PRIORITY_OF_REAL_TIME = 100, PRIORITY_OF_NICE_0 = 120, THROTTLED_LEAST_NS = 100000 };

static void set_bit(uint64_t present[2], unsigned id)
{
	present[id / 64] |= UINT64_C(1) << id % 64;
}

static void set_bits(uint64_t present[2], const uint8_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		set_bit(present, ids[i]);
}

void convert_init(struct convert *convert, uint32_t features, bool delay_accounting, uint64_t page_bytes)
{
	static const uint8_t always[] = {RH_F_start_time_ns, RH_F_pid, RH_F_ppid, RH_F_uid, RH_F_flags, RH_F_state, RH_F_command,
	        RH_F_policy, RH_F_nice, RH_F_priority, RH_F_cgroup_id, RH_F_cpu_time_ns, RH_F_faults_count, RH_F_pageins_count,
	        RH_F_voluntary_csw_count, RH_F_involuntary_csw_count, RH_F_csw_per_s, RH_F_wakeups_count, RH_F_threads_count,
	        RH_F_threads_running_count, RH_F_threads_stuck_count, RH_F_oom_adj, RH_F_rss_bytes, RH_F_anon_bytes, RH_F_shmem_bytes,
	        RH_F_swap_bytes, RH_F_mem_peak_bytes, RH_F_mem_bytes};
	static const uint8_t io[] = {RH_F_read_bytes, RH_F_write_bytes, RH_F_disk_io_bytes, RH_F_syscalls_count};
	static const uint8_t delays[] = {RH_F_blkio_delay_ms_per_s, RH_F_swapin_delay_ms_per_s, RH_F_reclaim_delay_ms_per_s,
	        RH_F_thrashing_delay_ms_per_s, RH_F_compaction_delay_ms_per_s, RH_F_irq_delay_ms_per_s};

	*convert = (struct convert){.page_bytes = page_bytes};
	set_bits(convert->present, always, sizeof(always));
	if (features & WALK_IO)
		set_bits(convert->present, io, sizeof(io));
	if (features & WALK_SCHED_INFO)
		set_bit(convert->present, RH_F_runnable_time_ns);
	if (delay_accounting)
		set_bits(convert->delays, delays, sizeof(delays));
	if (!(features & WALK_COMPACTION))
		convert->delays[RH_F_compaction_delay_ms_per_s / 64] &= ~(UINT64_C(1) << RH_F_compaction_delay_ms_per_s % 64);
	if (!(features & WALK_IRQ))
		convert->delays[RH_F_irq_delay_ms_per_s / 64] &= ~(UINT64_C(1) << RH_F_irq_delay_ms_per_s % 64);
}

/*
 * Its group was held back, and it had to wait meanwhile. Nearly every process waits for a few microseconds: who did no more had his turn before the
 * quota was spent, or after.
 */
static bool is_throttled(const struct walk_record *record)
{
	uint64_t before_ns = record->run_delay_before_ns,
	         waited_ns = record->run_delay_ns > before_ns ? record->run_delay_ns - before_ns : 0;
	return (record->quota & WALK_QUOTA_WAITS) || ((record->quota & WALK_QUOTA_SPENT) && waited_ns >= THROTTLED_LEAST_NS);
}

/* As the kernel tells it in /proc, but for frozen ones, which that calls stuck: they wait for nothing but to be let go on. */
static uint8_t main_state(const struct walk_record *record)
{
	uint32_t state = record->state | record->exit_state;
	if (state & (STATE_EXIT_DEAD | STATE_EXIT_ZOMBIE | STATE_DEAD))
		return RH_STATE_zombie;
	if ((state & (STATE_UNINTERRUPTIBLE | STATE_NOLOAD)) == (STATE_UNINTERRUPTIBLE | STATE_NOLOAD))
		return RH_STATE_idle;
	if (state & (STATE_UNINTERRUPTIBLE | STATE_RTLOCK_WAIT))
		return RH_STATE_stuck;
	if (state & STATE_INTERRUPTIBLE)
		return RH_STATE_sleeping;
	if (state & (STATE_STOPPED | STATE_TRACED | STATE_FROZEN))
		return RH_STATE_stopped;
	return state & STATE_PARKED ? RH_STATE_unknown : RH_STATE_running;
}

/* The state of a process is that of its busiest thread: running, else stuck, else what the main thread does, if that is still there. */
static uint8_t state_of(const struct walk_record *record)
{
	uint8_t state = main_state(record);
	if (record->threads <= 1)
		return state;
	if (record->threads_running > 0)
		return RH_STATE_running;
	if (record->threads_stuck > 0)
		return RH_STATE_stuck;
	return state == RH_STATE_zombie ? RH_STATE_sleeping : state;
}

static int8_t clip_i8(int32_t value)
{
	return value < INT8_MIN ? INT8_MIN : value > INT8_MAX ? INT8_MAX : (int8_t)value;
}

static void fill_identity(struct raw_process *process, const struct walk_record *record)
{
	process->start_time_ns = record->start_time_ns;
	process->pid = record->pid;
	process->ppid = record->ppid;
	process->uid = record->uid;
	process->state = state_of(record);
	process->policy = record->policy > UINT8_MAX ? UINT8_MAX : (uint8_t)record->policy;
	process->nice = clip_i8(record->static_prio - PRIORITY_OF_NICE_0);
	process->priority = clip_i8(record->prio - PRIORITY_OF_REAL_TIME);
	process->flags = record->flags & FLAG_KERNEL_THREAD ? RH_PROCESS_kernel_thread : 0;
	process->flags |= is_throttled(record) ? RH_PROCESS_throttled : 0;
	process->oom_adj = record->oom_adj;
	memcpy(process->command, record->command, sizeof(process->command));
	process->command[sizeof(process->command) - 1] = '\0';
	process->cgroup_id = record->cgroup_id;
	process->threads = record->threads;
	process->threads_running = record->threads_running;
	process->threads_stuck = record->threads_stuck;
}

static void fill_counters(struct raw_process *process, const struct walk_record *record)
{
	process->cpu_time_ns = record->cpu_time_ns;
	process->runnable_time_ns = record->run_delay_ns;
	process->wakeups = record->voluntary_csw;
	process->voluntary_csw = record->voluntary_csw;
	process->involuntary_csw = record->involuntary_csw;
	process->minor_faults = record->minor_faults;
	process->major_faults = record->major_faults;
	process->read_bytes = record->read_bytes;
	process->write_bytes = record->write_bytes;
	process->syscalls = record->syscalls;
	process->blkio_delay_ns = record->blkio_delay_ns + record->io_wait_now_ns; /* the kernel adds a wait when it ends */
	process->swapin_delay_ns = record->swapin_delay_ns;
	process->reclaim_delay_ns = record->reclaim_delay_ns;
	process->thrashing_delay_ns = record->thrashing_delay_ns;
	process->compaction_delay_ns = record->compaction_delay_ns;
	process->irq_delay_ns = record->irq_delay_ns;
}

/* The counters of single cpus may be below zero, and their sum for an instant. */
static uint64_t bytes_of(const struct convert *convert, const struct walk_record *record, unsigned kind)
{
	int64_t pages = record->pages[kind] + (record->memory == WALK_MEMORY_WHOLE ? record->cpu_pages[kind] : 0);
	return pages > 0 ? (uint64_t)pages * convert->page_bytes : 0;
}

/* Without an address space there is no memory, which is zero and not unknown. */
static void fill_memory(const struct convert *convert, struct raw_process *process, const struct walk_record *record)
{
	if (record->memory == WALK_MEMORY_NONE)
		return;
	process->anon_bytes = bytes_of(convert, record, WALK_ANON_PAGES);
	process->shmem_bytes = bytes_of(convert, record, WALK_SHMEM_PAGES);
	process->swap_bytes = bytes_of(convert, record, WALK_SWAP_PAGES);
	process->rss_bytes = process->anon_bytes + process->shmem_bytes + bytes_of(convert, record, WALK_FILE_PAGES);
	/* The kernel raises its high-water mark only when memory is given back. */
	uint64_t peak_bytes = record->peak_pages * convert->page_bytes;
	process->mem_peak_bytes = peak_bytes > process->rss_bytes ? peak_bytes : process->rss_bytes;
}

void convert_process(const struct convert *convert, const struct walk_record *record, struct raw_process *ret_process)
{
	memset(ret_process, 0, sizeof(*ret_process));
	ret_process->present[0] = convert->present[0] | (record->delays ? convert->delays[0] : 0);
	ret_process->present[1] = convert->present[1] | (record->delays ? convert->delays[1] : 0);
	fill_identity(ret_process, record);
	fill_counters(ret_process, record);
	fill_memory(convert, ret_process, record);
}
