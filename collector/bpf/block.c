/* block.c - see block.h. */
#include "collector/bpf/block.h"

#include "base/clock.h"
#include "base/log.h"
#include "collector/bpf/block_state.h"
#include "collector/bpf/load.h"
#include "collector/pool.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.skel.h"

enum {
	READ_TRIES = 64,
	REQUEST_NS = 600, /* what the programs take of a request, issue and completion together: bench/block measured 555 to 623 */
};

/* What was last seen of a process, in the order of the walk. */
struct known {
	uint64_t start_time_ns;
	uint64_t io_time_ns, reclaim_ns, compaction_ns;
	uint32_t pid, reserved;
};

/* A disk that had requests. */
struct disk {
	uint32_t row;
	uint64_t requests, latency_ns; /* of the tick before */
	/* of this tick */
	struct disk_row now;
	bool is_known;
	uint64_t ages_ns; /* of the requests in flight, added up */
	uint32_t inflight;
};

struct block {
	struct block_bpf *programs;
	struct accounts *accounts; /* borrowed */
	struct pool pool;
	bool requests, reclaim; /* which programs are attached */
	struct disk disks[DISK_ROWS];
	uint32_t disk_count;
	uint16_t disk_of_row[DISK_ROWS]; /* index + 1 */
	struct known *known[2];          /* they take turns */
	uint32_t known_counts[2], known_capacity;
	unsigned current;
	bool by_pid;       /* the walk was in order of pids, not of starts */
	uint64_t *busy[2]; /* by account place, one bit each: has something under way */
	bool busy_any[2];
	uint64_t lost;
};

/* ---- opening ---- */

/* Which programs suit this kernel. Returns false if its tracepoints of requests are missing. */
static bool programs_choose(struct block_bpf *programs, const struct btf *types, bool requests)
{
	struct bpf_program *program;
	bool started = load_has_tracepoint(types, "block_io_start");
	bpf_object__for_each_program(program, programs->obj)
	{
		const char *section = bpf_program__section_name(program);
		const char *tracepoint = strchr(section, '/');
		bool is_block = tracepoint && strncmp(tracepoint, "/block_", 7) == 0;
		bool wanted = tracepoint && load_has_tracepoint(types, tracepoint + 1) && (!is_block || requests);
		if (program == programs->progs.request_inserted && started)
			wanted = false;
		bpf_program__set_autoload(program, wanted);
	}
	programs->rodata->queue_comes_first = load_tracepoint_arguments(types, "block_rq_issue") == 3;
	return load_has_tracepoint(types, "block_rq_issue") && load_has_tracepoint(types, "block_rq_complete");
}

/* Opens, loads and attaches; with `requests` or for reclaim alone. */
static int programs_start(struct block *block, bool requests)
{
	struct btf *types = btf__load_vmlinux_btf();
	if (!types)
		return -errno;
	block->programs = block_bpf__open();
	int result = block->programs ? 0 : -errno;
	if (result == 0) {
		block->requests = programs_choose(block->programs, types, requests) && requests;
		block->reclaim = load_has_tracepoint(types, "mm_vmscan_direct_reclaim_begin");
		block->programs->rodata->account_slots = block->accounts->slots;
		result = bpf_map__reuse_fd(block->programs->maps.accounts, block->accounts->fd);
	}
	btf__free(types);
	if (result == 0)
		result = bpf_map__reuse_fd(block->programs->maps.account_cpus, block->accounts->cpu_fd);
	if (result == 0)
		result = block_bpf__load(block->programs);
	if (result == 0)
		result = block_bpf__attach(block->programs);
	if (result == 0 && !block->requests && !block->reclaim)
		result = -ENOENT;
	if (result < 0)
		block_bpf__destroy(block->programs);
	if (result < 0)
		block->programs = NULL;
	return result;
}

static bool memory_take(struct block *block, uint32_t processes)
{
	size_t words = block->accounts->slots / 64;
	for (unsigned i = 0; i < 2; i++) {
		block->known[i] = pool_take(&block->pool, processes, sizeof(struct known));
		block->busy[i] = pool_take(&block->pool, words, sizeof(uint64_t));
	}
	block->known_capacity = processes;
	return !block->pool.failed;
}

int block_open(const struct source_options *options, struct accounts *accounts, struct block **ret_block, char error[256])
{
	bool requests = options->config->sampling_block;
	struct block *block = calloc(1, sizeof(*block));
	if (!block) {
		snprintf(error, 256, "block requests: out of memory");
		return -ENOMEM;
	}
	block->accounts = accounts;
	int result = memory_take(block, options->max_processes) ? 0 : -ENOMEM;
	if (result == 0)
		result = programs_start(block, requests);
	if (result < 0 && result != -ENOMEM && requests) {
		/* Reclaim alone is better than nothing. */
		load_explain("block requests", result, error);
		log_say(LOG_WARNING_, "block", "%s", error);
		result = programs_start(block, false);
	}
	if (result < 0) {
		load_explain(requests ? "block requests and reclaim" : "reclaim", result, error);
		block_close(&block);
		return result;
	}
	*ret_block = block;
	return 0;
}

void block_close(struct block **block)
{
	if (!*block)
		return;
	block_bpf__destroy((*block)->programs);
	pool_release(&(*block)->pool);
	free(*block);
	*block = NULL;
}

/* ---- disks ---- */

/* Rows that were claimed since the tick before. */
static void disks_discover(struct block *block)
{
	const struct disk_row *rows = block->programs->bss->disks;
	if (__atomic_load_n(&block->programs->bss->disk_count, __ATOMIC_ACQUIRE) == block->disk_count)
		return;
	for (uint32_t row = 0; row < DISK_ROWS; row++) {
		if (__atomic_load_n(&rows[row].number, __ATOMIC_ACQUIRE) == 0 || block->disk_of_row[row] != 0)
			continue;
		block->disks[block->disk_count++] = (struct disk){.row = row};
		block->disk_of_row[row] = (uint16_t)block->disk_count;
	}
}

/* A row as it was at one moment, its service brought up to `now`. Returns false if the programs changed it all the time. */
static bool row_read(const struct disk_row *row, uint64_t now, struct disk_row *ret_row)
{
	struct disk_row read = {.number = row->number};
	uint64_t sequence, i = 0;
	do {
		if (i++ == READ_TRIES)
			return false;
		sequence = __atomic_load_n(&row->sequence, __ATOMIC_ACQUIRE);
		read.last_ns = __atomic_load_n(&row->last_ns, __ATOMIC_RELAXED);
		read.service = __atomic_load_n(&row->service, __ATOMIC_RELAXED);
		read.weight = __atomic_load_n(&row->weight, __ATOMIC_RELAXED);
		read.requests = __atomic_load_n(&row->requests, __ATOMIC_RELAXED);
		read.latency_ns = __atomic_load_n(&row->latency_ns, __ATOMIC_RELAXED);
		/* pairs with the full barriers of the programs' additions to `sequence` */
		atomic_thread_fence(memory_order_acquire);
	} while (sequence % 2 != 0 || __atomic_load_n(&row->sequence, __ATOMIC_RELAXED) != sequence);
	if (read.weight > 0 && now > read.last_ns)
		read.service += ((now - read.last_ns) << SERVICE_SHIFT) / read.weight;
	*ret_row = read;
	return true;
}

/* ---- what is under way ---- */

static void busy_mark(struct block *block, uint32_t tgid)
{
	uint32_t place = account_place(tgid, block->accounts->slots);
	block->busy[block->current][place / 64] |= UINT64_C(1) << place % 64;
	block->busy_any[block->current] = true;
}

static bool busy_has(const struct block *block, uint32_t tgid)
{
	uint32_t place = account_place(tgid, block->accounts->slots);
	uint64_t both = block->busy[0][place / 64] | block->busy[1][place / 64];
	return both >> place % 64 & 1;
}

/*
 * Charges what is under way with what has come together since it was last charged. The exchange fails where it has ended meanwhile: then its end
 * has charged it.
 */
static void pending_charge(struct block *block, struct pending *pending, uint64_t now)
{
	uint32_t both = __atomic_load_n(&pending->kind, __ATOMIC_ACQUIRE), kind = pending_kind(both);
	uint32_t tgid = __atomic_load_n(&pending->tgid, __ATOMIC_RELAXED);
	uint64_t mark = __atomic_load_n(&pending->mark, __ATOMIC_ACQUIRE), upto = now, begin = pending->begin_ns;
	struct disk *disk = NULL;
	busy_mark(block, tgid);
	if (kind == PENDING_OWNED || mark == 0)
		return;
	if (kind >= PENDING_DISK) {
		uint16_t index = block->disk_of_row[(kind - PENDING_DISK) % DISK_ROWS];
		if (index == 0)
			return; /* its disk is as new as that */
		disk = &block->disks[index - 1];
		upto = disk->now.service;
		disk->ages_ns += now > begin ? now - begin : 0;
		disk->inflight++;
	}
	if ((int64_t)(upto - mark) <= 0 || __atomic_load_n(&pending->tgid, __ATOMIC_RELAXED) != tgid)
		return;
	if (!__atomic_compare_exchange_n(&pending->mark, &mark, upto, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	struct account *account = accounts_find(block->accounts, tgid);
	uint64_t charge = disk ? (upto - mark) * pending_weight(both) >> SERVICE_SHIFT : upto - mark;
	if (account) {
		uint64_t *sum = disk ? &account->io_time_ns : kind == PENDING_RECLAIM ? &account->reclaim_ns : &account->compaction_ns;
		__atomic_fetch_add(sum, charge, __ATOMIC_RELAXED);
	} else if (disk) {
		__atomic_fetch_add(&block->programs->bss->disks[disk->row].unowned_ns, charge, __ATOMIC_RELAXED);
	}
}

/* Returns the age of the oldest request in flight. */
static uint64_t pendings_charge(struct block *block, uint64_t now)
{
	struct pending *pendings = block->programs->bss->pendings;
	uint64_t oldest = 0;
	for (uint32_t group = 0; group < PENDING_SLOTS / PENDING_GROUP; group++) {
		if (__atomic_load_n(&block->programs->bss->pending_groups[group], __ATOMIC_ACQUIRE) == 0)
			continue;
		for (uint32_t i = 0; i < PENDING_GROUP; i++) {
			struct pending *pending = &pendings[group * PENDING_GROUP + i];
			if (__atomic_load_n(&pending->key, __ATOMIC_ACQUIRE) == 0)
				continue;
			uint64_t age = now > pending->begin_ns ? now - pending->begin_ns : 0;
			if (pending_kind(pending->kind) >= PENDING_DISK && age > oldest)
				oldest = age;
			pending_charge(block, pending, now);
		}
	}
	return oldest;
}

/* ---- the machine ---- */

/*
 * Mean latency of the requests that a disk completed in the interval. If it completed none although some are in flight, their mean age: a disk that
 * hangs is not one without latency. Negative: it had no requests.
 */
static double disk_latency(const struct disk *disk)
{
	uint64_t completed = disk->now.requests - disk->requests;
	if (disk->is_known && completed > 0)
		return (double)(disk->now.latency_ns - disk->latency_ns) / (double)completed;
	return disk->inflight > 0 ? (double)disk->ages_ns / disk->inflight : -1;
}

static void latencies_fill(const struct block *block, uint64_t longest_ns, struct raw_system *system)
{
	double slowest_ns = -1;
	for (uint32_t i = 0; i < block->disk_count; i++) {
		double latency_ns = disk_latency(&block->disks[i]);
		if (latency_ns <= slowest_ns)
			continue;
		slowest_ns = latency_ns;
		system->disk_slowest_latency_ns = (float)latency_ns;
		system->disk_slowest_device = block->disks[i].now.number;
		rh_set(system->present, RH_S_disk_slowest_latency_ns);
		rh_set(system->present, RH_S_disk_slowest_device);
	}
	if (longest_ns == 0)
		return;
	system->disk_latency_max_ns = (float)longest_ns;
	rh_set(system->present, RH_S_disk_latency_max_ns);
}

static void disks_collect(struct block *block, struct raw_system *system)
{
	struct disk_row *rows = block->programs->bss->disks;
	unsigned bank = block->programs->bss->epoch % DISK_BANKS;
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC);
	/* From here on the programs write the other bank. */
	__atomic_store_n(&block->programs->bss->epoch, block->programs->bss->epoch + 1, __ATOMIC_RELAXED);
	disks_discover(block);
	for (uint32_t i = 0; i < block->disk_count; i++) {
		struct disk *disk = &block->disks[i];
		disk->is_known = row_read(&rows[disk->row], now, &disk->now);
		disk->ages_ns = disk->inflight = 0;
	}
	uint64_t longest_ns = pendings_charge(block, now);
	for (uint32_t i = 0; i < block->disk_count; i++) {
		uint64_t most_ns = __atomic_exchange_n(&rows[block->disks[i].row].latency_max_ns[bank], 0, __ATOMIC_RELAXED);
		longest_ns = most_ns > longest_ns ? most_ns : longest_ns;
	}
	latencies_fill(block, longest_ns, system);
	for (uint32_t i = 0; i < block->disk_count; i++) {
		struct disk *disk = &block->disks[i];
		if (disk->is_known) {
			disk->requests = disk->now.requests;
			disk->latency_ns = disk->now.latency_ns;
		}
	}
}

/* ---- processes ---- */

/*
 * The same process at the tick before, or NULL. Both walks are in the same order, by start or by pid: `cursor` passes by those that are gone. Where
 * the order is not kept, one is not found and its account is looked at.
 */
static const struct known *known_before(const struct block *block, uint32_t pid, uint64_t start_time_ns, uint32_t *cursor)
{
	const struct known *before = block->known[!block->current];
	uint32_t count = block->known_counts[!block->current];
	if (block->by_pid)
		while (*cursor < count && before[*cursor].pid < pid)
			(*cursor)++;
	else
		while (*cursor < count && before[*cursor].start_time_ns < start_time_ns)
			(*cursor)++;
	if (*cursor == count || before[*cursor].pid != pid || before[*cursor].start_time_ns != start_time_ns)
		return NULL;
	return &before[(*cursor)++];
}

static struct known known_now(const struct block *block, uint32_t pid, uint64_t start_time_ns)
{
	struct known now = {.start_time_ns = start_time_ns, .pid = pid};
	const struct account *account = accounts_find(block->accounts, pid);
	if (account) {
		now.io_time_ns = __atomic_load_n(&account->io_time_ns, __ATOMIC_RELAXED);
		now.reclaim_ns = __atomic_load_n(&account->reclaim_ns, __ATOMIC_RELAXED);
		now.compaction_ns = __atomic_load_n(&account->compaction_ns, __ATOMIC_RELAXED);
	}
	return now;
}

static void process_fill(const struct block *block, const struct known *known, bool delays, struct raw_process *process)
{
	if (block->requests) {
		process->io_time_ns = known->io_time_ns;
		rh_set(process->present, RH_F_io_time_ms_per_s);
	}
	if (block->reclaim && !delays) {
		process->reclaim_delay_ns = known->reclaim_ns;
		process->compaction_delay_ns = known->compaction_ns;
		rh_set(process->present, RH_F_reclaim_delay_ms_per_s);
		rh_set(process->present, RH_F_compaction_delay_ms_per_s);
	}
}

/*
 * A process that did not run, and had nothing under way now or at the tick before, has the account it had then: not to look at it spares two cache
 * misses.
 */
static void processes_collect(struct block *block, const struct walk_view *walk, struct raw_process *processes)
{
	struct known *known = block->known[block->current];
	uint32_t cursor = 0, kept = 0, pid_steps = 0, start_steps = 0, pid = 0;
	uint64_t start_time_ns = 0;
	for (uint32_t i = 0; i < walk->count; i++) {
		const struct walk_record *record = &walk->records[i];
		const struct known *before = known_before(block, record->pid, record->start_time_ns, &cursor);
		bool same = before && !record->ran && !busy_has(block, record->pid);
		struct known now = same ? *before : known_now(block, record->pid, record->start_time_ns);
		process_fill(block, &now, record->delays, &processes[i]);
		if (kept < block->known_capacity)
			known[kept++] = now;
		pid_steps += record->pid > pid;
		start_steps += record->start_time_ns >= start_time_ns;
		pid = record->pid;
		start_time_ns = record->start_time_ns;
	}
	block->known_counts[block->current] = kept;
	block->by_pid = pid_steps > start_steps;
}

void block_collect(struct block *block, const struct walk_view *walk, struct raw_process *processes, struct raw_system *system,
        struct source_tick *tick)
{
	block->current = !block->current;
	if (block->busy_any[block->current])
		memset(block->busy[block->current], 0, block->accounts->slots / 8);
	block->busy_any[block->current] = false;
	disks_collect(block, system);
	processes_collect(block, walk, processes);
	/* Those that the walk does not list, if any, lie behind the others. */
	for (uint32_t i = walk->count; i < tick->count; i++) {
		struct known now = known_now(block, processes[i].pid, processes[i].start_time_ns);
		process_fill(block, &now, false, &processes[i]);
	}
	uint64_t lost = __atomic_load_n(&block->programs->bss->lost, __ATOMIC_RELAXED);
	tick->events_lost += lost - block->lost;
	block->lost = lost;
	if (block->requests) {
		tick->signals |= UINT64_C(1) << RH_SIGNAL_block_requests;
		system->hook_ns += walk->sum.blocks * REQUEST_NS;
		rh_set(system->present, RH_S_hook_cost_ratio);
	}
	if (block->reclaim)
		tick->signals |= UINT64_C(1) << RH_SIGNAL_reclaim;
}

void block_totals(const struct block *block, uint64_t *ret_busy_ns, uint64_t *ret_unowned_ns)
{
	const struct disk_row *rows = block->programs->bss->disks;
	*ret_busy_ns = *ret_unowned_ns = 0;
	for (uint32_t row = 0; row < DISK_ROWS; row++) {
		*ret_busy_ns += __atomic_load_n(&rows[row].busy_ns, __ATOMIC_RELAXED);
		*ret_unowned_ns += __atomic_load_n(&rows[row].unowned_ns, __ATOMIC_RELAXED);
	}
}
