/* ended.c - see ended.h. */
#include "collector/ended.h"

#include "collector/record.h"

#include <string.h>

enum { HOPS = 64, UNKNOWN_OWNER = UINT32_MAX - 1, FIRST_PID = 1 };

/* What processes used that are charged to one record. */
struct use {
	double cpu_ns, runnable_ns, cpu_blame_ns, io_time_ns, blkio_ns, swapin_ns, reclaim_ns, thrashing_ns, compaction_ns;
	double lock_blame_ns, io_bytes, faults, pageins, wakeups, switches, syscalls;
	uint32_t count;
};

/* The run of ended processes with one owner: most have the same parent as the one before. */
struct charge {
	const struct ended_input *input;
	uint32_t owner;
	struct use use;
};

void ended_init(struct ended *ended, struct pool *pool, uint32_t capacity, uint32_t records_max)
{
	*ended = (struct ended){
	        .capacity = capacity,
	        .records_max = records_max < capacity ? records_max : capacity,
	        .owner = pool_take(pool, capacity, sizeof(uint32_t)),
	        .map = pool_take(pool, generation_map_slots(capacity), sizeof(uint32_t)),
	        .brief = pool_take(pool, capacity, sizeof(uint32_t)),
	        .pids = pool_take(pool, capacity, sizeof(uint32_t)),
	        .cpu_ns = pool_take(pool, capacity, sizeof(float)),
	};
	order_init(&ended->order, pool, capacity);
}

/* ---- who is charged ---- */

/* A parent began before its child: otherwise it is another process with the same pid. */
static bool may_be_parent(const struct raw_process *process, uint64_t child_start_ns)
{
	return !rh_has(process->present, RH_F_start_time_ns) || process->start_time_ns <= child_start_ns;
}

static uint64_t start_of(const struct raw_process *process)
{
	return rh_has(process->present, RH_F_start_time_ns) ? process->start_time_ns : UINT64_MAX;
}

static bool is_living(const struct raw_process *process)
{
	return process->state != RH_STATE_zombie && (process->flags & RH_PROCESS_exited) == 0;
}

static uint32_t remembered_count(const struct ended *ended, const struct source_tick *tick)
{
	return tick->ended_count < ended->capacity ? tick->ended_count : ended->capacity;
}

static void map_build(struct ended *ended, const struct source_tick *tick)
{
	uint32_t count = remembered_count(ended, tick), slots = generation_map_slots(count);
	memset(ended->map, 0, slots * sizeof(ended->map[0]));
	ended->map_mask = slots - 1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = generation_hash(tick->ended[i].pid) & ended->map_mask;
		while (ended->map[slot] != 0)
			slot = (slot + 1) & ended->map_mask;
		ended->map[slot] = i + 1;
	}
	ended->mapped = true;
}

/* The ended process with that pid that may have been the parent. */
static uint32_t ended_find(struct ended *ended, const struct source_tick *tick, uint32_t pid, uint64_t child_start_ns)
{
	if (!ended->mapped)
		map_build(ended, tick);
	for (uint32_t slot = generation_hash(pid) & ended->map_mask; ended->map[slot] != 0; slot = (slot + 1) & ended->map_mask) {
		uint32_t i = ended->map[slot] - 1;
		if (tick->ended[i].pid == pid && may_be_parent(&tick->ended[i], child_start_ns))
			return i;
	}
	return GENERATION_NONE;
}

/* Where nobody nearer lives. */
static uint32_t first_process(struct generation *now)
{
	uint32_t at = generation_find(now, FIRST_PID);
	return at != GENERATION_NONE && is_living(&now->raw[at]) ? at : GENERATION_NONE;
}

/*
 * Index of the nearest living ancestor, or GENERATION_NONE. Zombies and ended processes are passed by; pids that were given out again are told by the
 * start, and what still goes round in a circle ends after some hops.
 */
static uint32_t owner_find(struct ended *ended, const struct ended_input *input, uint32_t pid, uint64_t start_ns)
{
	struct generation *now = input->now;
	for (unsigned hop = 0; hop < HOPS && pid > FIRST_PID; hop++) {
		uint32_t at = generation_find(now, pid);
		const struct raw_process *parent;
		if (at != GENERATION_NONE && may_be_parent(&now->raw[at], start_ns)) {
			parent = &now->raw[at];
			if (is_living(parent))
				return at;
		} else {
			uint32_t i = ended_find(ended, input->tick, pid, start_ns);
			if (i == GENERATION_NONE)
				break;
			if (ended->owner[i] != UNKNOWN_OWNER)
				return ended->owner[i];
			parent = &input->tick->ended[i];
		}
		pid = parent->ppid;
		start_ns = start_of(parent);
	}
	return first_process(now);
}

/* ---- what is charged ---- */

static double known(const struct raw_process *raw, unsigned id, uint64_t value)
{
	return rh_has(raw->present, id) ? (double)value : 0;
}

static void use_add(struct use *use, const struct raw_process *raw)
{
	use->count++;
	use->cpu_ns += known(raw, RH_F_cpu_time_ns, raw->cpu_time_ns);
	use->runnable_ns += known(raw, RH_F_runnable_time_ns, raw->runnable_time_ns);
	use->cpu_blame_ns += known(raw, RH_F_cpu_blame_ms_per_s, raw->cpu_blame_ns);
	use->io_time_ns += known(raw, RH_F_io_time_ms_per_s, raw->io_time_ns);
	use->blkio_ns += known(raw, RH_F_blkio_delay_ms_per_s, raw->blkio_delay_ns);
	use->swapin_ns += known(raw, RH_F_swapin_delay_ms_per_s, raw->swapin_delay_ns);
	use->reclaim_ns += known(raw, RH_F_reclaim_delay_ms_per_s, raw->reclaim_delay_ns);
	use->thrashing_ns += known(raw, RH_F_thrashing_delay_ms_per_s, raw->thrashing_delay_ns);
	use->compaction_ns += known(raw, RH_F_compaction_delay_ms_per_s, raw->compaction_delay_ns);
	use->lock_blame_ns += known(raw, RH_F_lock_blame_ms_per_s, raw->lock_blame_ns);
	use->io_bytes += known(raw, RH_F_read_bytes, raw->read_bytes) + known(raw, RH_F_write_bytes, raw->write_bytes);
	use->pageins += known(raw, RH_F_pageins_count, raw->major_faults);
	use->faults += known(raw, RH_F_faults_count, raw->minor_faults) + known(raw, RH_F_pageins_count, raw->major_faults);
	use->wakeups += known(raw, RH_F_wakeups_count, raw->wakeups);
	use->switches +=
	        known(raw, RH_F_voluntary_csw_count, raw->voluntary_csw) + known(raw, RH_F_involuntary_csw_count, raw->involuntary_csw);
	use->syscalls += known(raw, RH_F_syscalls_count, raw->syscalls);
}

/* A rate that the owner has none of (it is not known of him) stays absent. */
#define ADD(field, amount) \
	do { \
		if (rh_has(record->present, RH_F_##field)) \
			record->field += (float)(amount); \
	} while (0)

static void charge_flush(struct charge *charge)
{
	const struct use *use = &charge->use;
	if (charge->owner != GENERATION_NONE) {
		struct rh_process *record = &charge->input->records[charge->owner];
		double per_s = (double)NS_PER_S / (double)charge->input->span->elapsed_ns;
		double ms_per_s = per_s / NS_PER_MS, pct = per_s * 100 / NS_PER_S;
		if (rh_has(record->present, RH_F_brief_count))
			record->brief_count += use->count;
		ADD(brief_cpu_pct, use->cpu_ns * pct);
		ADD(cpu_pct, use->cpu_ns * pct);
		ADD(runnable_ms_per_s, use->runnable_ns * ms_per_s);
		ADD(cpu_blame_ms_per_s, use->cpu_blame_ns * ms_per_s);
		ADD(io_time_ms_per_s, use->io_time_ns * ms_per_s);
		ADD(blkio_delay_ms_per_s, use->blkio_ns * ms_per_s);
		ADD(swapin_delay_ms_per_s, use->swapin_ns * ms_per_s);
		ADD(reclaim_delay_ms_per_s, use->reclaim_ns * ms_per_s);
		ADD(thrashing_delay_ms_per_s, use->thrashing_ns * ms_per_s);
		ADD(compaction_delay_ms_per_s, use->compaction_ns * ms_per_s);
		ADD(lock_blame_ms_per_s, use->lock_blame_ns * ms_per_s);
		ADD(disk_io_bytes_per_s, use->io_bytes * per_s);
		ADD(faults_per_s, use->faults * per_s);
		ADD(pageins_per_s, use->pageins * per_s);
		ADD(wakeups_per_s, use->wakeups * per_s);
		ADD(csw_per_s, use->switches * per_s);
		ADD(syscalls_per_s, use->syscalls * per_s);
	}
	charge->use = (struct use){0};
}
#undef ADD

static void charge_to(struct charge *charge, uint32_t owner)
{
	if (owner != charge->owner)
		charge_flush(charge);
	charge->owner = owner;
}

/* Last to first: in the order in which they ended, parents come behind their children, and so an owner is known when a child asks for it. */
static void briefs_charge(struct ended *ended, const struct ended_input *input, uint32_t briefs)
{
	const struct source_tick *tick = input->tick;
	struct charge charge = {.input = input, .owner = GENERATION_NONE};
	for (uint32_t k = briefs; k-- > 0;) {
		uint32_t i = ended->brief[k];
		bool same = charge.owner != GENERATION_NONE && input->now->pids[charge.owner] == tick->ended[i].ppid;
		ended->owner[i] = same ? charge.owner : owner_find(ended, input, tick->ended[i].ppid, start_of(&tick->ended[i]));
		charge_to(&charge, ended->owner[i]);
		use_add(&charge.use, &tick->ended[i]);
	}
	for (uint32_t i = 0; i < tick->brief_count; i++) {
		const struct raw_brief *brief = &tick->brief[i];
		charge_to(&charge, owner_find(ended, input, brief->ppid, UINT64_MAX));
		charge.use.count += brief->count;
		charge.use.cpu_ns += (double)brief->cpu_time_ns;
		charge.use.io_bytes += (double)brief->io_bytes;
		charge.use.faults += (double)brief->faults;
	}
	charge_flush(&charge);
}

/* ---- records ---- */

#define TAKE(field, member) \
	do { \
		if (rh_has(words->present, RH_F_##field)) \
			last.member = words->member; \
	} while (0)

/* The process as it was at its end: what its last words tell, and what they do not as it was last seen. */
static struct raw_process last_state(const struct raw_process *before, const struct raw_process *words)
{
	struct raw_process last = *before;
	last.present[0] |= words->present[0];
	last.present[1] |= words->present[1];
	last.flags = words->flags | RH_PROCESS_exited;
	last.end_time_ns = words->end_time_ns;
	memcpy(last.command, rh_has(words->present, RH_F_command) ? words->command : before->command, sizeof(last.command));
	TAKE(ppid, ppid);
	TAKE(uid, uid);
	TAKE(state, state);
	TAKE(policy, policy);
	TAKE(nice, nice);
	TAKE(priority, priority);
	TAKE(cgroup_id, cgroup_id);
	TAKE(cpu_time_ns, cpu_time_ns);
	TAKE(runnable_time_ns, runnable_time_ns);
	TAKE(wakeups_count, wakeups);
	TAKE(voluntary_csw_count, voluntary_csw);
	TAKE(involuntary_csw_count, involuntary_csw);
	TAKE(faults_count, minor_faults);
	TAKE(pageins_count, major_faults);
	TAKE(read_bytes, read_bytes);
	TAKE(write_bytes, write_bytes);
	TAKE(syscalls_count, syscalls);
	TAKE(mem_peak_bytes, mem_peak_bytes);
	TAKE(threads_count, threads);
	TAKE(threads_running_count, threads_running);
	TAKE(threads_stuck_count, threads_stuck);
	TAKE(run_wait_max_ns, run_wait_max_ns);
	TAKE(stuck_wait_max_ns, stuck_wait_max_ns);
	return last;
}
#undef TAKE

/* Waits are of the interval: those of the one before are not of this one. */
static void stale_forget(struct raw_process *last, const struct raw_process *words)
{
	const unsigned ids[] = {RH_F_run_wait_max_ns, RH_F_stuck_wait_max_ns};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (!rh_has(words->present, ids[i]))
			last->present[ids[i] / 64] &= ~(UINT64_C(1) << ids[i] % 64);
}

/* Last words are told early in the end of a process: a sample may have seen a little more of it since. Counters never fall. */
static struct raw_process words_raised(const struct raw_process *told, const struct raw_process *before)
{
	struct raw_process words = *told;
	const struct {
		uint64_t *counter;
		uint64_t seen;
		unsigned id;
	} counters[] = {
	        {&words.cpu_time_ns, before->cpu_time_ns, RH_F_cpu_time_ns},
	        {&words.runnable_time_ns, before->runnable_time_ns, RH_F_runnable_time_ns},
	        {&words.wakeups, before->wakeups, RH_F_wakeups_count},
	        {&words.voluntary_csw, before->voluntary_csw, RH_F_voluntary_csw_count},
	        {&words.involuntary_csw, before->involuntary_csw, RH_F_involuntary_csw_count},
	        {&words.minor_faults, before->minor_faults, RH_F_faults_count},
	        {&words.major_faults, before->major_faults, RH_F_pageins_count},
	        {&words.read_bytes, before->read_bytes, RH_F_read_bytes},
	        {&words.write_bytes, before->write_bytes, RH_F_write_bytes},
	        {&words.syscalls, before->syscalls, RH_F_syscalls_count},
	};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (rh_has(before->present, counters[i].id) && *counters[i].counter < counters[i].seen)
			*counters[i].counter = counters[i].seen;
	return words;
}

static void known_fill(const struct ended_input *input, uint32_t at, const struct raw_process *told, struct ended_result *result)
{
	const struct raw_process *before = &input->before->raw[at];
	const struct raw_process raised = words_raised(told, before), *words = &raised;
	struct raw_process last = last_state(before, words);
	struct rh_process *record = &input->records[input->now->count + result->count++];
	stale_forget(&last, words);
	record_fill(record, &last);
	if (input->span->comparable)
		result->cpu_ns += record_rates(record, words, before, input->span, &result->clamped);
	input->seen[at] = 1;
	result->known++;
}

static void brief_records_fill(struct ended *ended, const struct ended_input *input, uint32_t briefs, struct ended_result *result)
{
	uint32_t keep = briefs < ended->records_max ? briefs : ended->records_max;
	result->fewer_records = result->brief_count > keep;
	if (keep == 0)
		return;
	const uint32_t *rows = order_rows(&ended->order, ended->cpu_ns, ended->pids, briefs, keep, keep);
	for (uint32_t k = 0; k < keep; k++) {
		struct rh_process *record = &input->records[input->now->count + result->count++];
		record_fill(record, &input->tick->ended[ended->brief[rows[k]]]);
		record->flags |= RH_PROCESS_new | RH_PROCESS_exited;
	}
}

/* ---- all of them ---- */

/* One of which nothing is remembered besides. */
static void overflow_charge(struct ended *ended, const struct ended_input *input, const struct raw_process *words)
{
	struct charge charge = {.input = input, .owner = owner_find(ended, input, words->ppid, start_of(words))};
	use_add(&charge.use, words);
	charge_flush(&charge);
}

/* Sorts out who came and went. Returns how many of them are remembered. */
static uint32_t briefs_collect(struct ended *ended, const struct ended_input *input, struct ended_result *result)
{
	const struct source_tick *tick = input->tick;
	uint32_t briefs = 0, remembered = remembered_count(ended, tick);
	for (uint32_t i = 0; i < remembered; i++)
		ended->owner[i] = UNKNOWN_OWNER;
	for (uint32_t i = 0; i < tick->ended_count; i++) {
		const struct raw_process *words = &tick->ended[i];
		if (generation_find_same(input->now, words) != GENERATION_NONE)
			continue;
		uint32_t at = generation_find_same(input->before, words);
		if (at != GENERATION_NONE) {
			if (!input->seen[at])
				known_fill(input, at, words, result);
			continue;
		}
		result->brief_count++;
		result->brief_cpu_ns += known(words, RH_F_cpu_time_ns, words->cpu_time_ns);
		if (i >= remembered) {
			overflow_charge(ended, input, words);
			continue;
		}
		ended->brief[briefs] = i;
		ended->pids[briefs] = words->pid;
		ended->cpu_ns[briefs++] = (float)known(words, RH_F_cpu_time_ns, words->cpu_time_ns);
	}
	return briefs;
}

struct ended_result ended_run(struct ended *ended, const struct ended_input *input)
{
	struct ended_result result = {0};
	const struct source_tick *tick = input->tick;
	if (input->span->elapsed_ns == 0 || (tick->ended_count == 0 && tick->brief_count == 0))
		return result;
	ended->mapped = false;
	uint32_t briefs = briefs_collect(ended, input, &result);
	for (uint32_t i = 0; i < tick->brief_count; i++) {
		result.brief_count += tick->brief[i].count;
		result.brief_cpu_ns += (double)tick->brief[i].cpu_time_ns;
	}
	result.cpu_ns += result.brief_cpu_ns;
	if (input->span->comparable)
		briefs_charge(ended, input, briefs);
	brief_records_fill(ended, input, briefs, &result);
	return result;
}
