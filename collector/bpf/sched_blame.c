/*
 * sched_blame.c - what scheduler accounting adds to the records of processes: blame, longest waits, waits for io and memory.
 *
 * The programs charge blame when a slice ends. A process that does not let go of its cpu is in the middle of a slice for as long as it likes, so what
 * has come together in slices that go on is added here, from the state of each cpu and the threads that the walk found waiting. What was published of a
 * process never becomes less.
 */
#include "collector/bpf/sched_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum {
	EXTRA_MOST = WALK_WAITING_MOST + 4096,
	SNAPSHOT_TRIES = 16,
	SWEEP_PARTS = 64, /* accounts whose process is gone are looked for in one part of them at a time */
};

/* One cpu, its ring of slices left aside. */
struct snapshot {
	uint64_t sequence, slices, begin_ns;
	uint32_t slot, tgid, waiting;
};

bool sched_blame_take(struct sched_blame *blame, struct pool *pool, const struct accounts *accounts)
{
	*blame = (struct sched_blame){
	        .slots = pool_take(pool, accounts->slots, sizeof(struct sched_slot)),
	        .extra = pool_take(pool, EXTRA_MOST, sizeof(uint32_t)),
	        .extra_most = EXTRA_MOST,
	        .tick = 1,
	};
	return !pool->failed;
}

/* ---- waits that go on ---- */

static uint64_t load_u64(const uint64_t *value)
{
	return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static uint32_t load_u32(const uint32_t *value)
{
	return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

/* A cpu as it was at one moment. Returns false if it changed all the time, or has nothing to tell. */
static bool snapshot_take(const struct sched_cpu *cpu, struct snapshot *ret_snapshot)
{
	for (unsigned i = 0; i < SNAPSHOT_TRIES; i++) {
		struct snapshot snapshot = {.sequence = load_u64(&cpu->sequence)};
		snapshot.slices = load_u64(&cpu->slices);
		snapshot.begin_ns = load_u64(&cpu->begin_ns);
		snapshot.slot = load_u32(&cpu->slot);
		snapshot.tgid = load_u32(&cpu->tgid);
		snapshot.waiting = load_u32(&cpu->waiting);
		if (snapshot.sequence % 2 == 0 && load_u64(&cpu->sequence) == snapshot.sequence) {
			*ret_snapshot = snapshot;
			return snapshot.begin_ns != 0;
		}
	}
	return false;
}

/* Blame that is not on the account yet. What is written by programs in the kernel is looked at with care like any input. */
static void extra_add(struct sched *sched, uint32_t slot, uint32_t tgid, uint64_t ns)
{
	struct sched_blame *blame = &sched->blame;
	if (slot >= sched->accounts->slots || load_u32(&sched->accounts->map[slot].tgid) != tgid || ns == 0)
		return;
	if (blame->slots[slot].extra_ns == 0) {
		if (blame->extra_count == blame->extra_most)
			return;
		blame->extra[blame->extra_count++] = slot;
	}
	blame->slots[slot].extra_ns += ns;
}

/* The slice in which a thread came that was queued before the present slice began: its owner, and the rest of it. As charge_late() in sched.bpf.c. */
static bool slice_of(const struct sched_cpu *cpu, const struct snapshot *snapshot, uint64_t queued_ns, struct sched_slice *ret_slice)
{
	uint64_t oldest = snapshot->slices, place = 0;
	for (uint64_t step = SCHED_SLICES / 2; step > 0; step /= 2)
		if (load_u64(&cpu->ring[(oldest + place + step - 1) % SCHED_SLICES].end_ns) < queued_ns)
			place += step;
	*ret_slice = cpu->ring[(oldest + place) % SCHED_SLICES];
	return place > 0 && ret_slice->end_ns > queued_ns && load_u64(&cpu->sequence) == snapshot->sequence;
}

static void waiter_add(struct sched *sched, const struct walk_waiting *waiting, uint64_t now_ns)
{
	const struct sched_cpu *cpu = &sched->cpus[waiting->cpu];
	const struct account *own = accounts_find(sched->accounts, waiting->tgid);
	struct snapshot snapshot;
	struct sched_slice slice;
	if (own && load_u32(&own->stuck) >= ACCOUNT_STUCK_ASLEEP)
		return; /* it may be the one that is asleep in truth */
	if (!snapshot_take(cpu, &snapshot) || waiting->queued_ns < cpu->first_ns)
		return;
	if (waiting->queued_ns > snapshot.begin_ns) {
		if (now_ns > waiting->queued_ns)
			extra_add(sched, snapshot.slot, snapshot.tgid, now_ns - waiting->queued_ns);
	} else if (slice_of(cpu, &snapshot, waiting->queued_ns, &slice)) {
		extra_add(sched, slice.slot, slice.tgid, slice.end_ns - waiting->queued_ns);
	}
}

/*
 * Up to the moment at which the walk began, as its run delays are. Threads that it found waiting may have run since where the slice is younger than
 * that: of those nothing is added. What is on the accounts is added at once, before slices that are looked at here end.
 */
static void extra_gather(struct sched *sched, const struct walk_view *walk)
{
	uint64_t now_ns = walk->begin_rq_ns;
	for (uint32_t i = 0; i < sched->cpu_count; i++) {
		struct snapshot snapshot;
		if (snapshot_take(&sched->cpus[i], &snapshot) && now_ns > snapshot.begin_ns)
			extra_add(sched, snapshot.slot, snapshot.tgid, snapshot.waiting * (now_ns - snapshot.begin_ns));
	}
	for (uint32_t i = 0; i < walk->waiting_count; i++) {
		const struct walk_waiting *waiting = &walk->waiting[i];
		if (waiting->cpu < sched->cpu_count && load_u64(&sched->cpus[waiting->cpu].begin_ns) <= walk->begin_rq_ns)
			waiter_add(sched, waiting, now_ns);
	}
	for (uint32_t i = 0; i < sched->blame.extra_count; i++) {
		uint32_t slot = sched->blame.extra[i];
		sched->blame.slots[slot].extra_ns += load_u64(&sched->accounts->map[slot].cpu_blame_ns);
	}
}

static void extra_clear(struct sched_blame *blame)
{
	for (uint32_t i = 0; i < blame->extra_count; i++)
		blame->slots[blame->extra[i]].extra_ns = 0;
	blame->extra_count = 0;
}

/* ---- records ---- */

/* What is known of the owner of that account, which may be another process than the last time. */
static struct sched_slot *slot_of(struct sched *sched, const struct account *account, const struct raw_process *process)
{
	struct sched_slot *slot = &sched->blame.slots[account - sched->accounts->map];
	if (slot->start_time_ns != process->start_time_ns) {
		slot->start_time_ns = process->start_time_ns;
		slot->published_ns = 0;
		slot->waited_ns = 0;
	}
	slot->tick = sched->blame.tick;
	return slot;
}

/*
 * The account of a process that has ended is gone, what was published of it is still there: its last words must not fall behind that. What was added
 * for waits that went on is charged to its parent when they end after it.
 */
static void end_raise(struct sched *sched, struct sched_end *end)
{
	uint32_t slots = sched->accounts->slots, place = account_place(end->words.pid, slots);
	for (uint32_t i = 0; i < ACCOUNT_PROBES; i++) {
		const struct sched_slot *slot = &sched->blame.slots[account_probe(place, i, slots)];
		if (slot->start_time_ns != end->words.start_time_ns)
			continue;
		if (slot->published_ns > end->words.cpu_blame_ns)
			end->words.cpu_blame_ns = slot->published_ns;
		if (slot->waited_ns > end->words.run_delay_ns)
			end->words.run_delay_ns = slot->waited_ns;
	}
}

/* The longest wait of the interval, and room for the next one. */
static float longest_take(uint32_t banks[ACCOUNT_BANKS], uint32_t bank, uint64_t now_ns)
{
	uint64_t longest_ns = (uint64_t)load_u32(&banks[bank]) * NS_PER_US;
	if (longest_ns > 0)
		__atomic_store_n(&banks[bank], 0, __ATOMIC_RELAXED);
	return (float)(longest_ns > now_ns ? longest_ns : now_ns);
}

static void fill_waits(const struct sched *sched, struct account *account, const struct walk_record *record, struct raw_process *process)
{
	uint64_t run_now_ns = record->run_wait_now_ns;
	if (account && load_u32(&account->stuck) >= ACCOUNT_STUCK_ASLEEP && run_now_ns > 0) {
		/* The kernel has a sleeper for waiting: the walk cannot know that. */
		process->runnable_time_ns -= run_now_ns < process->runnable_time_ns ? run_now_ns : process->runnable_time_ns;
		run_now_ns = 0;
	}
	process->run_wait_max_ns = account ? longest_take(account->run_wait_max_us, sched->bank, run_now_ns) : (float)run_now_ns;
	process->stuck_wait_max_ns = account ? longest_take(account->stuck_wait_max_us, sched->bank, record->stuck_wait_now_ns)
	                                     : (float)record->stuck_wait_now_ns;
	rh_set(process->present, RH_F_run_wait_max_ns);
	rh_set(process->present, RH_F_stuck_wait_max_ns);
}

/* A zombie's account is gone. Its waits are told once, in the interval of its end. */
static void end_waits_take(struct sched_end *end, struct raw_process *process)
{
	float run_ns = (float)end->words.run_wait_max_us * NS_PER_US, stuck_ns = (float)end->words.stuck_wait_max_us * NS_PER_US;
	process->run_wait_max_ns = run_ns > process->run_wait_max_ns ? run_ns : process->run_wait_max_ns;
	process->stuck_wait_max_ns = stuck_ns > process->stuck_wait_max_ns ? stuck_ns : process->stuck_wait_max_ns;
	end->words.run_wait_max_us = end->words.stuck_wait_max_us = 0;
}

/* Waiting for io and for memory, where the kernel does not count it. */
static void fill_delays(
        const struct account *account, const struct sched_end *end, const struct walk_record *record, struct raw_process *process)
{
	if (record->delays)
		return;
	process->blkio_delay_ns = (account ? load_u64(&account->io_wait_ns) : end ? end->words.io_wait_ns : 0) + record->io_wait_now_ns;
	process->thrashing_delay_ns = (account      ? load_u64(&account->mem_wait_ns)
	                                      : end ? end->words.mem_wait_ns
	                                            : 0) +
	                              record->mem_wait_now_ns;
	rh_set(process->present, RH_F_blkio_delay_ms_per_s);
	rh_set(process->present, RH_F_thrashing_delay_ms_per_s);
}

static void fill_watched(struct sched *sched, struct account *account, const struct sched_end *end, const struct walk_record *record,
        struct raw_process *process)
{
	struct sched_slot *slot = account ? slot_of(sched, account, process) : NULL;
	uint64_t blame_ns = account ? load_u64(&account->cpu_blame_ns) : 0;
	if (slot && slot->extra_ns > blame_ns)
		blame_ns = slot->extra_ns;
	blame_ns += end ? end->words.cpu_blame_ns : 0;
	if (slot) {
		slot->published_ns = blame_ns > slot->published_ns ? blame_ns : slot->published_ns;
		blame_ns = slot->published_ns;
	}
	process->cpu_blame_ns = blame_ns;
	/* Of a zombie without an account nothing is known any more. */
	if (account || end || process->state != RH_STATE_zombie)
		rh_set(process->present, RH_F_cpu_blame_ms_per_s);
	fill_waits(sched, account, record, process);
	fill_delays(account, end, record, process);
}

/*
 * Run delay of threads that have ended, less what was no waiting. The account is younger than the record: what has just been taken off there may not
 * be in the record yet, so the value stays where it was until it is. A zombie's account is gone, its last words have it.
 */
static void fill_run_delay(struct sched *sched, const struct account *account, const struct sched_end *end, struct raw_process *process)
{
	if (account) {
		struct sched_slot *slot = slot_of(sched, account, process);
		int64_t waited_ns = (int64_t)(process->runnable_time_ns + load_u64(&account->exited_run_delay_ns));
		if (waited_ns > (int64_t)slot->waited_ns)
			slot->waited_ns = (uint64_t)waited_ns;
		process->runnable_time_ns = slot->waited_ns;
	}
	if (end && (int64_t)end->words.run_delay_ns > (int64_t)process->runnable_time_ns)
		process->runnable_time_ns = end->words.run_delay_ns;
}

static void take_brief(struct sched_ends *ends, struct account *account)
{
	if (__atomic_load_n(&account->brief_count, __ATOMIC_RELAXED) == 0 && load_u64(&account->brief_cpu_ns) == 0)
		return;
	sched_ends_brief(ends, (struct raw_brief){
	                               .ppid = account->tgid,
	                               .count = __atomic_exchange_n(&account->brief_count, 0, __ATOMIC_RELAXED),
	                               .cpu_time_ns = __atomic_exchange_n(&account->brief_cpu_ns, 0, __ATOMIC_RELAXED),
	                               .io_bytes = __atomic_exchange_n(&account->brief_io_bytes, 0, __ATOMIC_RELAXED),
	                               .faults = __atomic_exchange_n(&account->brief_faults, 0, __ATOMIC_RELAXED),
	                       });
}

/* ---- accounts that nobody frees ---- */

/* The end of a process that was not seen: the programs were not attached. */
static void account_free(struct account *account)
{
	uint32_t tgid = account->tgid;
	memset((char *)account + sizeof(account->tgid), 0, sizeof(*account) - sizeof(account->tgid));
	__atomic_compare_exchange_n(&account->tgid, &tgid, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static void sweep(struct sched *sched)
{
	struct sched_blame *blame = &sched->blame;
	uint32_t part = sched->accounts->slots / SWEEP_PARTS;
	for (uint32_t i = 0; i < part; i++, blame->swept++) {
		struct sched_slot *slot = &blame->slots[blame->swept % sched->accounts->slots];
		struct account *account = &sched->accounts->map[blame->swept % sched->accounts->slots];
		uint32_t tgid = load_u32(&account->tgid);
		bool is_missed = tgid != 0 && blame->tick - slot->tick > 1;
		/* Missed twice, some hundred milliseconds apart, and not there: not all walks see all processes. */
		if (is_missed && slot->suspect == tgid && kill((pid_t)tgid, 0) < 0 && errno == ESRCH)
			account_free(account);
		slot->suspect = is_missed ? tgid : 0;
	}
}

void sched_blame_collect(struct sched *sched, const struct walk_view *walk, bool take_briefs, struct raw_process *processes)
{
	bool is_watching = sched_is_watching(sched);
	sched->blame.tick++;
	if (is_watching)
		extra_gather(sched, walk);
	for (uint32_t i = 0; i < walk->count; i++) {
		struct raw_process *process = &processes[i];
		struct account *account = accounts_find(sched->accounts, process->pid);
		struct sched_end *end = sched_ends_find(&sched->ends, process->pid, process->start_time_ns);
		if (end)
			end->is_listed = true;
		if (end && !account)
			end_raise(sched, end);
		if (is_watching)
			fill_watched(sched, account, end, &walk->records[i], process);
		else if (account)
			slot_of(sched, account, process);
		if (is_watching && end)
			end_waits_take(end, process);
		if (is_watching || sched->exit_link >= 0)
			fill_run_delay(sched, account, end, process);
		if (take_briefs && account)
			take_brief(&sched->ends, account);
	}
	extra_clear(&sched->blame);
	sweep(sched);
}
