/* rare.c - see rare.h. */
#include "collector/bpf/rare.h"

#include "base/clock.h"
#include "base/log.h"
#include "collector/bpf/load.h"
#include "collector/bpf/rare_state.h"
#include "collector/pool.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rare.skel.h"

enum {
	RUN_NS = 120, /* a run of a program of locks that has nothing to do, with the way there: measured */
	JUDGED_S = 1,
	STRIKES = 2,
	PAUSE_S = 10,
	PAUSE_MOST_S = 600,
	GONE_EACH = 16, /* ticks between two looks at whether threads that wait are still there */
	VICTIM_TRIES = 16,
};

/* Of a place for a process that made others wait. */
struct known {
	uint64_t start_time_ns; /* 0: no tick has met its process */
	uint64_t before_ns;     /* what an earlier process with that pid had come to */
	uint32_t pid, tick;     /* tick: the newest that met it */
};

struct rare {
	struct rare_bpf *programs;
	struct rare_cpu *cpus;
	struct pool pool;
	struct known *known; /* [HOLDERS] */
	uint32_t cpu_count, tick;
	int begin_link, end_link, signal_link, victim_link; /* -1: not attached */
	bool wants_locks;
	/* as of the tick before */
	uint64_t contentions, stopped_ns, since_ns, lost;
	uint32_t victims;
	/* cost of contended locks */
	double limit;                /* fraction of one core */
	uint64_t cost_ns, judged_ns; /* of the time that is being judged */
	uint64_t pause_ns, rest_ns;  /* how long to leave them alone; what is left of that */
	uint64_t hook_ns;            /* since the start */
	unsigned strikes;
};

/* ---- opening ---- */

static int attach(const struct bpf_program *program)
{
	return bpf_program__fd(program) >= 0 ? bpf_raw_tracepoint_open(NULL, bpf_program__fd(program)) : -ENOENT;
}

static void detach(int *link)
{
	if (*link >= 0)
		close(*link);
	*link = -1;
}

/* What was noted before is of another time. */
static void locks_clear(struct rare *rare)
{
	struct rare_bpf__bss *state = rare->programs->bss;
	memset(state->lock_waits, 0, sizeof(state->lock_waits));
	memset(state->wait_groups, 0, sizeof(state->wait_groups));
	memset(state->lock_rows, 0, sizeof(state->lock_rows));
}

static void locks_detach(struct rare *rare)
{
	detach(&rare->begin_link);
	detach(&rare->end_link);
}

/* The end first: a wait that is noted must not be noted for ever. */
static int locks_attach(struct rare *rare)
{
	locks_clear(rare);
	rare->end_link = attach(rare->programs->progs.on_contention_end);
	rare->begin_link = rare->end_link >= 0 ? attach(rare->programs->progs.on_contention_begin) : -1;
	if (rare->begin_link >= 0)
		return 0;
	int result = rare->end_link < 0 ? rare->end_link : rare->begin_link;
	locks_detach(rare);
	return result;
}

/* Which programs suit this kernel. */
static void programs_choose(struct rare *rare, const struct btf *types, bool locks)
{
	struct rare_bpf *programs = rare->programs;
	unsigned victim_arguments = load_tracepoint_arguments(types, "mark_victim");
	rare->wants_locks = locks && load_has_tracepoint(types, "contention_begin") && load_has_tracepoint(types, "contention_end");
	bpf_program__set_autoload(programs->progs.on_contention_begin, rare->wants_locks);
	bpf_program__set_autoload(programs->progs.on_contention_end, rare->wants_locks);
	bpf_program__set_autoload(programs->progs.on_signal, load_has_tracepoint(types, "signal_generate"));
	bpf_program__set_autoload(programs->progs.on_victim, victim_arguments == 3);
	bpf_program__set_autoload(programs->progs.on_victim_pid, victim_arguments == 2);
}

/* Opens and loads, with locks or without. */
static int programs_load(struct rare *rare, bool locks)
{
	struct btf *types = btf__load_vmlinux_btf();
	if (!types)
		return -errno;
	rare->programs = rare_bpf__open();
	int result = rare->programs ? 0 : -errno;
	if (result == 0) {
		programs_choose(rare, types, locks);
		rare->programs->rodata->self = (uint32_t)getpid();
		result = bpf_map__set_max_entries(rare->programs->maps.rare_cpus, rare->cpu_count);
	}
	btf__free(types);
	if (result == 0)
		result = rare_bpf__load(rare->programs);
	if (result < 0) {
		rare_bpf__destroy(rare->programs);
		rare->programs = NULL;
	}
	return result;
}

static size_t cpus_bytes(const struct rare *rare)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (rare->cpu_count * sizeof(struct rare_cpu) + page - 1) / page * page;
}

static int memory_take(struct rare *rare)
{
	rare->known = pool_take(&rare->pool, HOLDERS, sizeof(struct known));
	int fd = bpf_map__fd(rare->programs->maps.rare_cpus);
	void *cpus = mmap(NULL, cpus_bytes(rare), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cpus == MAP_FAILED)
		return -errno;
	rare->cpus = cpus;
	return rare->pool.failed ? -ENOMEM : 0;
}

/* Returns 0 if at least one of them is attached. */
static int programs_attach(struct rare *rare)
{
	int locks = rare->wants_locks ? locks_attach(rare) : -ENOENT;
	rare->signal_link = attach(rare->programs->progs.on_signal);
	rare->victim_link = attach(rare->programs->progs.on_victim);
	if (rare->victim_link < 0)
		rare->victim_link = attach(rare->programs->progs.on_victim_pid);
	return locks == 0 || rare->signal_link >= 0 || rare->victim_link >= 0 ? 0 : locks;
}

int rare_open(const struct source_options *options, struct rare **ret_rare, char error[256])
{
	struct rare *rare = calloc(1, sizeof(*rare));
	if (!rare) {
		snprintf(error, 256, "rare events: out of memory");
		return -ENOMEM;
	}
	*rare = (struct rare){.cpu_count = load_possible_cpus(), .limit = options->config->sampling_scheduler_max_cpu / 100};
	rare->begin_link = rare->end_link = rare->signal_link = rare->victim_link = -1;
	load_quietly();
	int result = programs_load(rare, true);
	if (result < 0 && result != -EPERM && result != -ENOMEM) {
		/* The rest is better than nothing. */
		load_explain("waits for locks of the kernel", result, error);
		log_say(LOG_WARNING_, "rare", "%s", error);
		result = programs_load(rare, false);
	}
	if (result == 0)
		result = memory_take(rare);
	if (result == 0)
		result = programs_attach(rare);
	if (result < 0) {
		load_explain("rare events", result, error);
		rare_close(&rare);
		return result;
	}
	*ret_rare = rare;
	return 0;
}

void rare_close(struct rare **rare)
{
	struct rare *closed = *rare;
	*rare = NULL;
	if (!closed)
		return;
	locks_detach(closed);
	detach(&closed->signal_link);
	detach(&closed->victim_link);
	if (closed->cpus)
		munmap(closed->cpus, cpus_bytes(closed));
	rare_bpf__destroy(closed->programs);
	pool_release(&closed->pool);
	free(closed);
}

/* ---- waits for locks that go on ---- */

static uint64_t load_u64(const uint64_t *value)
{
	return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static uint32_t load_u32(const uint32_t *value)
{
	return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

/* As holder_add() in rare.bpf.c. */
static void holder_add(struct rare_bpf__bss *state, uint32_t tgid, uint64_t ns)
{
	uint32_t place = holder_place(tgid);
	struct lock_holder *holder = NULL;
	for (uint32_t i = 0; !holder && i < HOLDER_WAYS; i++)
		if (load_u32(&state->lock_holders[place + i].tgid) == tgid)
			holder = &state->lock_holders[place + i];
	for (uint32_t i = 0; !holder && i < HOLDER_WAYS; i++) {
		uint32_t nobody = 0;
		if (!__atomic_compare_exchange_n(
		            &state->lock_holders[place + i].tgid, &nobody, tgid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		__atomic_fetch_add(&state->holder_buckets[place / HOLDER_WAYS], 1, __ATOMIC_RELAXED);
		holder = &state->lock_holders[place + i];
	}
	if (holder)
		__atomic_fetch_add(&holder->blame_ns, ns, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&state->lost, 1, __ATOMIC_RELAXED);
}

/* As wait_charge() there. */
static void wait_charge(struct rare_bpf__bss *state, uint32_t row, uint32_t tgid, uint64_t from_ns, uint64_t to_ns)
{
	__atomic_fetch_add(&state->lock_delay_ns, to_ns - from_ns, __ATOMIC_RELAXED);
	for (uint32_t i = 0; row > 0 && i < LOCK_HOLDS && to_ns > from_ns; i++) {
		struct hold_part part = hold_part_of(&state->lock_rows[(row - 1) % LOCK_ROWS], i, from_ns, to_ns);
		if (part.ns > 0 && part.tgid != 0 && part.tgid != tgid)
			holder_add(state, part.tgid, part.ns);
		to_ns = part.begin_ns;
	}
}

/* Charges a wait with what has come together since it was last charged, if it is long enough. It ends by itself: the exchange fails then. */
static void wait_look(struct rare *rare, struct lock_wait *wait, uint64_t now_ns)
{
	uint64_t mark_ns = load_u64(&wait->mark_ns), since_ns = load_u64(&wait->since_ns);
	uint32_t tid = load_u32(&wait->tid), tgid = load_u32(&wait->tgid), row = load_u32(&wait->row);
	if (tid == 0 || mark_ns == 0 || now_ns < since_ns + WAIT_LEAST_NS || now_ns <= mark_ns)
		return;
	if (!__atomic_compare_exchange_n(&wait->mark_ns, &mark_ns, now_ns, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	wait_charge(rare->programs->bss, row, tgid, mark_ns, now_ns);
}

/*
 * A thread that is gone waits for nothing, even if its end was missed. The mark is read first and exchanged last: only if it is still the same have all
 * that was read in between been those of one wait, and is that wait ours to free.
 */
static void wait_check(struct rare *rare, struct lock_wait *wait, uint32_t group)
{
	uint64_t mark_ns = load_u64(&wait->mark_ns);
	uint32_t tid = load_u32(&wait->tid), tgid = load_u32(&wait->tgid), row = load_u32(&wait->row);
	if (mark_ns == 0 || tid == 0 || syscall(SYS_tgkill, (int)tgid, (int)tid, 0) == 0 || errno != ESRCH)
		return;
	if (!__atomic_compare_exchange_n(&wait->mark_ns, &mark_ns, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	if (row > 0)
		__atomic_fetch_sub(&rare->programs->bss->lock_rows[(row - 1) % LOCK_ROWS].waiters, 1, __ATOMIC_RELAXED);
	wait->row = 0;
	wait->lock = 0;
	__atomic_fetch_sub(&rare->programs->bss->wait_groups[group], 1, __ATOMIC_RELAXED);
	__atomic_store_n(&wait->tid, 0, __ATOMIC_RELEASE);
}

static void waits_look(struct rare *rare)
{
	struct rare_bpf__bss *state = rare->programs->bss;
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
	bool checks = rare->tick % GONE_EACH == 0;
	for (uint32_t group = 0; group < WAIT_SLOTS / WAIT_GROUP; group++) {
		if (load_u32(&state->wait_groups[group]) == 0)
			continue;
		for (uint32_t i = 0; i < WAIT_GROUP; i++) {
			struct lock_wait *wait = &state->lock_waits[group * WAIT_GROUP + i];
			wait_look(rare, wait, now_ns);
			if (checks)
				wait_check(rare, wait, group);
		}
	}
}

/* ---- processes ---- */

/* What others waited because of that process. */
static uint64_t blame_of(struct rare *rare, const struct raw_process *process)
{
	struct rare_bpf__bss *state = rare->programs->bss;
	uint32_t place = holder_place(process->pid);
	if (load_u32(&state->holder_buckets[place / HOLDER_WAYS]) == 0)
		return 0;
	for (uint32_t i = place; i < place + HOLDER_WAYS; i++) {
		if (load_u32(&state->lock_holders[i].tgid) != process->pid)
			continue;
		struct known *known = &rare->known[i];
		uint64_t blame_ns = load_u64(&state->lock_holders[i].blame_ns);
		bool is_other = known->pid == process->pid && known->start_time_ns != process->start_time_ns;
		if (known->pid != process->pid)
			known->before_ns = 0;
		else if (is_other)
			known->before_ns = blame_ns;
		known->pid = process->pid;
		known->start_time_ns = process->start_time_ns;
		known->tick = rare->tick;
		return blame_ns - known->before_ns;
	}
	return 0;
}

/* Places of processes that two ticks in a row have not met. */
static void holders_sweep(struct rare *rare)
{
	struct rare_bpf__bss *state = rare->programs->bss;
	for (uint32_t bucket = 0; bucket < HOLDERS / HOLDER_WAYS; bucket++) {
		if (load_u32(&state->holder_buckets[bucket]) == 0)
			continue;
		for (uint32_t i = bucket * HOLDER_WAYS; i < (bucket + 1) * HOLDER_WAYS; i++) {
			struct known *known = &rare->known[i];
			uint32_t tgid = load_u32(&state->lock_holders[i].tgid);
			if (tgid == 0)
				continue;
			if (known->pid != tgid)
				*known = (struct known){.pid = tgid, .tick = rare->tick};
			if (rare->tick - known->tick < 2)
				continue;
			*known = (struct known){0};
			state->lock_holders[i].blame_ns = 0;
			__atomic_fetch_sub(&state->holder_buckets[bucket], 1, __ATOMIC_RELAXED);
			__atomic_store_n(&state->lock_holders[i].tgid, 0, __ATOMIC_RELEASE);
		}
	}
}

static void locks_collect(
        struct rare *rare, struct raw_process *processes, uint32_t count, struct raw_system *system, struct source_tick *tick)
{
	waits_look(rare);
	for (uint32_t i = 0; i < count; i++) {
		processes[i].lock_blame_ns = blame_of(rare, &processes[i]);
		rh_set(processes[i].present, RH_F_lock_blame_ms_per_s);
	}
	for (uint32_t i = 0; i < tick->ended_count; i++) {
		tick->ended[i].lock_blame_ns = blame_of(rare, &tick->ended[i]);
		rh_set(tick->ended[i].present, RH_F_lock_blame_ms_per_s);
	}
	holders_sweep(rare);
	system->lock_delay_ns = load_u64(&rare->programs->bss->lock_delay_ns);
	rh_set(system->present, RH_S_lock_delay_ms_per_s);
	tick->signals |= UINT64_C(1) << RH_SIGNAL_kernel_locks;
}

/* ---- cost ---- */

/* Runs of the programs of locks since the start. */
static uint64_t contentions_sum(const struct rare *rare)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < rare->cpu_count; i++)
		sum += __atomic_load_n(&rare->cpus[i].contentions, __ATOMIC_RELAXED);
	return sum;
}

static void locks_pause(struct rare *rare, double ratio)
{
	const uint64_t least_ns = (uint64_t)PAUSE_S * NS_PER_S, most_ns = (uint64_t)PAUSE_MOST_S * NS_PER_S;
	locks_detach(rare);
	rare->strikes = 0;
	rare->pause_ns = rare->pause_ns * 2 < least_ns ? least_ns : rare->pause_ns * 2 < most_ns ? rare->pause_ns * 2 : most_ns;
	rare->rest_ns = rare->pause_ns;
	log_say(LOG_WARNING_, "rare",
	        "watching contended locks costs %.2f %% of one core, sampling.scheduler_max_cpu is %.2f: they are not watched for %.0f s",
	        ratio * 100, rare->limit * 100, (double)rare->pause_ns / NS_PER_S);
}

/* The cost of the interval; over the limit for twice a second in a row is too much. Left alone they are tried again later. */
static void cost_judge(struct rare *rare, uint64_t interval_ns)
{
	uint64_t contentions = contentions_sum(rare), cost_ns = (contentions - rare->contentions) * RUN_NS;
	rare->contentions = contentions;
	rare->hook_ns += cost_ns;
	bool was_resting = rare->begin_link < 0;
	rare->rest_ns -= interval_ns < rare->rest_ns ? interval_ns : rare->rest_ns;
	if (was_resting) {
		if (rare->rest_ns == 0 && locks_attach(rare) == 0)
			rare->rest_ns = rare->pause_ns; /* in which it has to prove itself */
		return;
	}
	rare->cost_ns += cost_ns;
	rare->judged_ns += interval_ns;
	if (rare->judged_ns < (uint64_t)JUDGED_S * NS_PER_S)
		return;
	double ratio = (double)rare->cost_ns / (double)rare->judged_ns;
	rare->strikes = ratio > rare->limit ? rare->strikes + 1 : 0;
	rare->cost_ns = rare->judged_ns = 0;
	if (rare->rest_ns == 0)
		rare->pause_ns = 0;
	if (rare->strikes >= STRIKES)
		locks_pause(rare, ratio);
}

/* ---- the collector, stopped ---- */

/*
 * A stop ends with the signal to go on. Whoever reads this is not stopped: what is still noted as a stop at the second look never was one, the signal
 * is blocked.
 */
static void stops_collect(struct rare *rare, uint64_t interval_ns, struct raw_system *system, struct source_tick *tick)
{
	struct rare_stop *stop = &rare->programs->bss->stop;
	uint64_t stopped_ns = load_u64(&stop->stopped_ns), since_ns = load_u64(&stop->since_ns), now_ns = stopped_ns - rare->stopped_ns;
	rare->stopped_ns = stopped_ns;
	if (since_ns > 0 && since_ns == rare->since_ns)
		__atomic_compare_exchange_n(&stop->since_ns, &since_ns, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	rare->since_ns = since_ns;
	system->self_stopped_ns = (float)(now_ns < interval_ns ? now_ns : interval_ns);
	rh_set(system->present, RH_S_self_stopped_ns);
	tick->signals |= UINT64_C(1) << RH_SIGNAL_stop_signals;
	if (now_ns == 0)
		return;
	system->stop_sender_pid = load_u32(&stop->sender);
	memcpy(system->stop_sender_command, stop->command, sizeof(system->stop_sender_command));
	rh_set(system->present, RH_S_stop_sender_pid);
	rh_set(system->present, RH_S_stop_sender_command);
}

/* ---- killed for lack of memory ---- */

/* The newest victim as it was written at one time. Returns false if it was being written. */
static bool victim_read(const struct rare_victim *victim, struct rare_victim *ret_victim)
{
	for (unsigned i = 0; i < VICTIM_TRIES; i++) {
		ret_victim->count = load_u32(&victim->count);
		ret_victim->pid = load_u32(&victim->pid);
		memcpy(ret_victim->command, victim->command, sizeof(ret_victim->command));
		__atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs with the full barriers of the program's additions to `count` */
		if (ret_victim->count % 2 == 0 && load_u32(&victim->count) == ret_victim->count)
			return true;
	}
	return false;
}

/* A process of this tick with that pid, ended or not; NULL. */
static const struct raw_process *process_of(
        uint32_t pid, const struct raw_process *processes, uint32_t count, const struct source_tick *tick)
{
	for (uint32_t i = 0; i < tick->ended_count; i++)
		if (tick->ended[i].pid == pid)
			return &tick->ended[i];
	for (uint32_t i = 0; i < count; i++)
		if (processes[i].pid == pid)
			return &processes[i];
	return NULL;
}

static void victims_collect(
        struct rare *rare, const struct raw_process *processes, uint32_t count, struct raw_system *system, struct source_tick *tick)
{
	struct rare_victim victim;
	tick->signals |= UINT64_C(1) << RH_SIGNAL_oom_victims;
	if (!victim_read(&rare->programs->bss->victim, &victim) || victim.count == rare->victims)
		return;
	rare->victims = victim.count;
	system->oom_victim_pid = victim.pid;
	rh_set(system->present, RH_S_oom_victim_pid);
	const struct raw_process *process = victim.command[0] ? NULL : process_of(victim.pid, processes, count, tick);
	if (!victim.command[0] && !process)
		return;
	memcpy(system->oom_victim_command, process ? process->command : victim.command, sizeof(system->oom_victim_command));
	rh_set(system->present, RH_S_oom_victim_command);
}

/* ---- a tick ---- */

void rare_collect(struct rare *rare, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system,
        struct source_tick *tick)
{
	rare->tick++;
	if (rare->begin_link >= 0)
		locks_collect(rare, processes, count, system, tick);
	if (rare->wants_locks) {
		cost_judge(rare, interval_ns);
		system->hook_ns += rare->hook_ns;
		rh_set(system->present, RH_S_hook_cost_ratio);
	}
	if (rare->signal_link >= 0)
		stops_collect(rare, interval_ns, system, tick);
	if (rare->victim_link >= 0)
		victims_collect(rare, processes, count, system, tick);
	uint64_t lost = load_u64(&rare->programs->bss->lost);
	tick->events_lost += lost - rare->lost;
	rare->lost = lost;
}
