/* compare.c - see compare.h. */
#include "tests/truth/compare.h"

#include "base/clock.h"
#include "rogue/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum row_kind {
	FIXED,   /* compared where both readings agree */
	LEVEL,   /* compared where the process rested */
	COUNTER, /* lies between the readings */
};

enum {
	LIVING = 1,   /* /proc sums over living threads alone: a lower limit, unless no thread has ended */
	DETAIL = 4,   /* read now and then: may be of an earlier sample */
	HEADLESS = 8, /* not known of a process whose main thread has ended while others live */
	WAITING = 2,  /* of threads that wait now the value includes the wait that is not over, /proc only those that are */
};

#define TICK_NS (10 * (int64_t)NS_PER_MS)
#define MOVING_NS (200 * (int64_t)NS_PER_US)
#define PHANTOM_NS (20 * (int64_t)NS_PER_MS) /* a sleeper is moved rarely, and sleeps for milliseconds: more would be a mistake of ours */

/*
 * The table: field, peer, how it is compared, by which back ends, what error is allowed below and above, and why. A field may have several peers.
 */
static const struct row {
	unsigned field;
	enum peer_value peer;
	enum row_kind kind;
	unsigned backends, notes;
	int64_t below, above;
	const char *why;
} rows[] = {
        {RH_F_start_time_ns, PEER_START, FIXED, BY_PROCFS | BY_BPF, 0, 0, TICK_NS - 1, "stat cuts it to a clock tick"},
        {RH_F_ppid, PEER_PPID, FIXED, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_uid, PEER_UID, FIXED, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_state, PEER_STATE, LEVEL, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_policy, PEER_POLICY, FIXED, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_nice, PEER_NICE, FIXED, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_priority, PEER_PRIORITY, FIXED, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_threads_count, PEER_THREADS, LEVEL, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_oom_adj, PEER_OOM, FIXED, BY_BPF, 0, 0, 0, ""},
        {RH_F_cgroup_id, PEER_CGROUP, FIXED, BY_BPF, 0, 0, 0, ""},
        {RH_F_cpu_time_ns, PEER_CPU, COUNTER, BY_PROCFS, 0, 0, 0, "the same clock"},
        {RH_F_cpu_time_ns, PEER_CPU, COUNTER, BY_BPF, 0, MOVING_NS, MOVING_NS,
                "of a thread that runs, what runs since the last tick is put in by the difference of two clocks"},
        {RH_F_cpu_time_ns, PEER_CPU_TICKS, COUNTER, BY_PROCFS | BY_BPF, 0, MOVING_NS, 2 * TICK_NS + MOVING_NS,
                "stat cuts user and system time to a clock tick each"},
        {RH_F_faults_count, PEER_FAULTS, COUNTER, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_pageins_count, PEER_PAGEINS, COUNTER, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_read_bytes, PEER_READ, COUNTER, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_write_bytes, PEER_WRITE, COUNTER, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_disk_io_bytes, PEER_READ_WRITE, COUNTER, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_syscalls_count, PEER_CALLS, COUNTER, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_voluntary_csw_count, PEER_MAIN_VOLUNTARY, COUNTER, BY_PROCFS, DETAIL, 0, 0, "main thread, read with the memory details"},
        {RH_F_involuntary_csw_count, PEER_MAIN_INVOLUNTARY, COUNTER, BY_PROCFS, DETAIL, 0, 0, "main thread, read with the memory details"},
        {RH_F_voluntary_csw_count, PEER_VOLUNTARY, COUNTER, BY_BPF, LIVING, 0, 0, ""},
        {RH_F_involuntary_csw_count, PEER_INVOLUNTARY, COUNTER, BY_BPF, LIVING, 0, 0, ""},
        {RH_F_wakeups_count, PEER_SLICES, COUNTER, BY_PROCFS, LIVING, 0, 0, ""},
        {RH_F_wakeups_count, PEER_VOLUNTARY, COUNTER, BY_BPF, LIVING, 0, 0, "a voluntary switch ends in a wakeup"},
        {RH_F_runnable_time_ns, PEER_DELAY, COUNTER, BY_PROCFS, LIVING | WAITING, 0, MOVING_NS, ""},
        {RH_F_runnable_time_ns, PEER_DELAY, COUNTER, BY_BPF, LIVING | WAITING, PHANTOM_NS, MOVING_NS,
                "a wait that is not over is put in by the difference of two clocks; the sleep of a moved thread, which the kernel counts "
                "as waiting, is taken off"},
        {RH_F_rss_bytes, PEER_RSS_STAT, LEVEL, BY_PROCFS, HEADLESS, 0, 0, ""},
        {RH_F_rss_bytes, PEER_RSS_STATUS, LEVEL, BY_BPF, 0, 0, 0, "parts per cpu included, as in status"},
        {RH_F_mem_bytes, PEER_FOOTPRINT, LEVEL, BY_PROCFS, DETAIL | HEADLESS, 0, 0, ""},
        {RH_F_mem_bytes, PEER_FOOTPRINT, LEVEL, BY_BPF, 0, 0, 0, ""},
        {RH_F_anon_bytes, PEER_ANON, LEVEL, BY_PROCFS, DETAIL | HEADLESS, 0, 0, ""},
        {RH_F_anon_bytes, PEER_ANON, LEVEL, BY_BPF, 0, 0, 0, ""},
        {RH_F_shmem_bytes, PEER_SHMEM, LEVEL, BY_PROCFS, DETAIL | HEADLESS, 0, 0, ""},
        {RH_F_shmem_bytes, PEER_SHMEM, LEVEL, BY_BPF, 0, 0, 0, ""},
        {RH_F_swap_bytes, PEER_SWAP, LEVEL, BY_PROCFS, DETAIL | HEADLESS, 0, 0, ""},
        {RH_F_swap_bytes, PEER_SWAP, LEVEL, BY_BPF, 0, 0, 0, ""},
        {RH_F_mem_peak_bytes, PEER_PEAK, LEVEL, BY_PROCFS, DETAIL | HEADLESS, 0, 0, ""},
        {RH_F_mem_peak_bytes, PEER_PEAK, LEVEL, BY_BPF, 0, 0, 0, ""},
        {RH_F_threads_running_count, PEER_RUNNING, LEVEL, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
        {RH_F_threads_stuck_count, PEER_STUCK, LEVEL, BY_PROCFS | BY_BPF, 0, 0, 0, ""},
};

static const struct rh_row *row_of(unsigned field)
{
	for (size_t i = 0; i < RH_PROCESS_ROWS; i++)
		if (rh_process_rows[i].id == field)
			return &rh_process_rows[i];
	return NULL;
}

/* A whole number of a record. */
static int64_t number_of(const struct rh_process *record, const struct rh_row *row)
{
	const unsigned char *at = (const unsigned char *)record + row->offset;
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
		int8_t i8;
		int16_t i16;
	} value;
	memcpy(&value, at, row->size);
	switch (row->type) {
	case RH_TYPE_u8:
		return value.u8;
	case RH_TYPE_u16:
		return value.u16;
	case RH_TYPE_u32:
		return value.u32;
	case RH_TYPE_i8:
		return value.i8;
	case RH_TYPE_i16:
		return value.i16;
	default:
		return (int64_t)value.u64;
	}
}

/* Threads of it that may be waiting for a cpu all along. */
static int64_t moving_threads(const struct comparison *comparison)
{
	int64_t threads = comparison->after->value[PEER_THREADS];
	return threads > 1 ? threads : 1;
}

/* What the row allows. Returns false where it cannot be judged. */
static bool limits_of(const struct comparison *comparison, const struct row *row, int64_t *ret_low, int64_t *ret_high)
{
	int64_t before = comparison->before->value[row->peer], after = comparison->after->value[row->peer];
	bool rested = peer_rested(comparison->before, comparison->after);
	bool is_late = row->notes & DETAIL && !comparison->is_settled;
	if (row->kind != COUNTER && (before != after || (row->kind == LEVEL && (!rested || is_late))))
		return false;
	*ret_low = before - row->below;
	*ret_high = after + row->above;
	if (row->notes & DETAIL && (!rested || is_late))
		*ret_low = 0;
	/* Nothing ran: no clock is needed for what runs now. */
	if (rested && row->below == MOVING_NS)
		*ret_low = before;
	if (rested && row->above == MOVING_NS)
		*ret_high = after;
	if (row->notes & WAITING && !rested) {
		*ret_high += (int64_t)comparison->span_ns * moving_threads(comparison);
		/* One that waits and is taken to another cpu has its wait counted in two parts; the /proc back end reads again when it has run. */
		if (comparison->backend == BY_PROCFS && (int64_t)comparison->record->cpu_time_ns <= comparison->before->value[PEER_CPU])
			*ret_low = 0;
	}
	if (row->notes & LIVING && !comparison->all_living) {
		*ret_high = INT64_MAX;
		/* Nothing keeps for /proc what a thread did in its last interval. */
		if (comparison->backend == BY_PROCFS && !rested)
			*ret_low = 0;
	}
	return true;
}

static void print_head(const struct comparison *comparison, const char *field)
{
	printf("%s (pid %d), %s, %s, %s: ", comparison->name, (int)comparison->before->pid,
	        comparison->backend == BY_BPF ? "bpf" : "procfs",
	        peer_rested(comparison->before, comparison->after) ? "at rest" : "in motion", field);
}

static bool is_headless(const struct comparison *comparison)
{
	return comparison->before->main_state == RH_STATE_zombie && comparison->before->value[PEER_THREADS] > 1;
}

static unsigned compare_row(const struct comparison *comparison, const struct row *row)
{
	const struct rh_row *field = row_of(row->field);
	int64_t low, high;
	if (!peer_knows(comparison->before, row->peer) || !peer_knows(comparison->after, row->peer))
		return 0;
	if (!rh_has(comparison->record->present, row->field)) {
		if (!comparison->is_ours || (row->notes & HEADLESS && is_headless(comparison)))
			return 0;
		print_head(comparison, field->name);
		printf("absent\n");
		return 1;
	}
	if (!limits_of(comparison, row, &low, &high))
		return 0;
	int64_t value = number_of(comparison->record, field);
	if (value >= low && value <= high)
		return 0;
	print_head(comparison, field->name);
	printf("%" PRId64 " is not within %" PRId64 " .. %" PRId64 " (read %" PRId64 " and %" PRId64 ")%s%s\n", value, low, high,
	        comparison->before->value[row->peer], comparison->after->value[row->peer], row->why[0] ? ": " : "", row->why);
	return 1;
}

/* A worker of the kernel has a name; /proc adds, after a dash, what it works for now. */
static bool is_worker_name(const struct comparison *comparison)
{
	size_t length = strnlen(comparison->record->command, sizeof(comparison->record->command));
	return comparison->before->value[PEER_KERNEL] && strncmp(comparison->record->command, "kworker/", 8) == 0 &&
	       strncmp(comparison->record->command, comparison->before->command, length) == 0 &&
	       strchr("-+", comparison->before->command[length]);
}

static unsigned compare_command(const struct comparison *comparison)
{
	if (is_worker_name(comparison))
		return 0;
	if (memcmp(comparison->before->command, comparison->after->command, sizeof(comparison->before->command)) != 0 ||
	        memcmp(comparison->before->command, comparison->record->command, sizeof(comparison->record->command)) == 0)
		return 0;
	print_head(comparison, "command");
	printf("\"%.16s\" is not \"%.16s\"\n", comparison->record->command, comparison->before->command);
	return 1;
}

static unsigned compare_kernel_thread(const struct comparison *comparison)
{
	bool is = (comparison->record->flags & RH_PROCESS_kernel_thread) != 0;
	if (is == (comparison->before->value[PEER_KERNEL] != 0))
		return 0;
	print_head(comparison, "flags");
	printf("a kernel thread: %s\n", is ? "yes, but it is none" : "no, but it is one");
	return 1;
}

unsigned compare_process(const struct comparison *comparison)
{
	unsigned wrong = compare_command(comparison) + compare_kernel_thread(comparison);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].backends & comparison->backend)
			wrong += compare_row(comparison, &rows[i]);
	return wrong;
}

/* ---- rates ---- */

/* A rate and the counter it is of, in units of the counter for one of the rate, per second. */
static const struct {
	unsigned rate, counter;
	double unit;
} rates[] = {
        {RH_F_cpu_pct, RH_F_cpu_time_ns, NS_PER_S / 100.0},
        {RH_F_runnable_ms_per_s, RH_F_runnable_time_ns, NS_PER_MS},
        {RH_F_disk_io_bytes_per_s, RH_F_disk_io_bytes, 1},
        {RH_F_wakeups_per_s, RH_F_wakeups_count, 1},
        {RH_F_pageins_per_s, RH_F_pageins_count, 1},
        {RH_F_faults_per_s, RH_F_faults_count, 1},
        {RH_F_syscalls_per_s, RH_F_syscalls_count, 1},
};

static double rate_of(const struct rh_process *record, const struct rh_row *row)
{
	float value;
	memcpy(&value, (const unsigned char *)record + row->offset, sizeof(value));
	return (double)value;
}

static unsigned compare_rate(const struct rh_process *before, const struct rh_process *now, size_t i, double seconds)
{
	const struct rh_row *counter = row_of(rates[i].counter), *rate = row_of(rates[i].rate);
	if (!rh_has(now->present, rates[i].rate) || !rh_has(now->present, rates[i].counter) || !rh_has(before->present, rates[i].counter))
		return 0;
	double published = rate_of(now, rate);
	double expected = (double)(number_of(now, counter) - number_of(before, counter)) / rates[i].unit / seconds;
	/* A float has 24 bits; counters are whole. */
	if (fabs(published - expected) <= 1e-5 * fabs(expected) + 1e-3)
		return 0;
	printf("%.16s (pid %u), %s: %g is not %g, the growth of %s\n", now->command, now->pid, rate->name, published, expected,
	        counter->name);
	return 1;
}

unsigned compare_rates(const struct rh_process *before, const struct rh_process *now, uint64_t elapsed_ns)
{
	unsigned wrong = 0;
	if (before->pid != now->pid || before->start_time_ns != now->start_time_ns || now->flags & (RH_PROCESS_exited | RH_PROCESS_new))
		return 0;
	if (rh_has(now->present, RH_F_brief_count) && now->brief_count > 0)
		return 0; /* its rates include those of children that are in no counter */
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		wrong += compare_rate(before, now, i, (double)elapsed_ns / NS_PER_S);
	return wrong;
}
