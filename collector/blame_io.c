/* blame_io.c - see blame_io.h. */
#include "collector/blame_io.h"

#include "base/assert.h"

#include <math.h>
#include <string.h>

enum { NOT_FOUND = UINT32_MAX, LOOK_AHEAD = 16, ANCESTORS = 16, INIT_PID = 1 };

/*
 * What counts as the cause of waiting for memory, in bytes. Growth takes a page each time. A dirty page can be taken back, but not before it is
 * written. A major fault takes a page and what is read ahead with it; more would make the victims of thrashing, who fault too, look like its cause.
 */
static const double WEIGHT_GROWTH = 1, WEIGHT_DIRTIED = 0.5, WEIGHT_PAGEIN_BYTES = 16384;
/* What nobody in particular did: who used less than this has hardly made others wait, even if nobody else did anything. */
static const double NOBODYS_PRESSURE_BYTES = 8 << 20;

/* What is remembered of one living process, in the order of the records. */
struct past {
	uint64_t start_time_ns;
	uint64_t write_bytes, io_bytes, mem_bytes; /* as last seen; UINT64_MAX: not known */
	uint32_t pid, ppid;
	uint32_t record;       /* index of its record in the sample */
	uint32_t next;         /* in the sample before: its place in this one, or NOT_FOUND */
	double dirty_bytes;    /* dirtied by it, and as far as is known not written yet */
	double pressure_bytes; /* growth, dirtying and major faults, weighted */
};

struct blame_io {
	double window_ns;
	uint32_t capacity;
	unsigned current;
	struct past *pasts[2]; /* they take turns */
	uint32_t counts[2];
	uint32_t *map; /* of the sample before by pid, made when it is needed; index + 1, 0 is free */
	uint32_t map_mask;
	bool mapped;
	double orphan_bytes; /* dirtied by processes that are gone, and so are their parents */
	double dirty_bytes;  /* of all, orphans included */
	float *io_waits;     /* by record: block-io waiting of who can be a victim; the sample's own, to look at each record but twice */
	float *mem_waits;
};

/* Sums over one sample. */
struct sums {
	double io_delay, mem_delay; /* suffered, ms per second */
	bool io_delay_known, mem_delay_known;
	double io_time;                 /* of everybody */
	double flusher_time, swap_time; /* of kernel threads, for others */
	double victims_mem_delay;
	double pressure_bytes;
};

static uint32_t map_slots(uint32_t count)
{
	uint32_t slots = 64;
	while (slots < count * 2)
		slots *= 2;
	return slots;
}

struct blame_io *blame_io_init(struct pool *pool, const struct config *config, uint32_t capacity)
{
	struct blame_io *blame = pool_take(pool, 1, sizeof(*blame));
	struct past *pasts[2] = {pool_take(pool, capacity, sizeof(struct past)), pool_take(pool, capacity, sizeof(struct past))};
	uint32_t *map = pool_take(pool, map_slots(capacity), sizeof(uint32_t));
	if (!blame)
		return NULL;
	*blame = (struct blame_io){
	        .window_ns = config->blame_window * NS_PER_S,
	        .capacity = capacity,
	        .pasts = {pasts[0], pasts[1]},
	        .map = map,
	        .io_waits = pool_take(pool, capacity, sizeof(float)),
	        .mem_waits = pool_take(pool, capacity, sizeof(float)),
	};
	return blame;
}

/* ---- finding a process again ---- */

static uint32_t map_hash(uint32_t pid)
{
	return (uint32_t)((pid * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

/* Place in the sample before of the process that had that pid. */
static uint32_t find_pid(struct blame_io *blame, uint32_t pid)
{
	const struct past *before = blame->pasts[!blame->current];
	uint32_t count = blame->counts[!blame->current];
	if (!blame->mapped) {
		uint32_t slots = map_slots(count);
		memset(blame->map, 0, slots * sizeof(blame->map[0]));
		blame->map_mask = slots - 1;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t slot = map_hash(before[i].pid) & blame->map_mask;
			while (blame->map[slot] != 0)
				slot = (slot + 1) & blame->map_mask;
			blame->map[slot] = i + 1;
		}
		blame->mapped = true;
	}
	for (uint32_t slot = map_hash(pid) & blame->map_mask; blame->map[slot] != 0; slot = (slot + 1) & blame->map_mask)
		if (before[blame->map[slot] - 1].pid == pid)
			return blame->map[slot] - 1;
	return NOT_FOUND;
}

static bool is_same(const struct past *past, const struct rh_process *record)
{
	return past->pid == record->pid && past->start_time_ns == record->start_time_ns;
}

/* Nearly always where it should be if nothing came or went. */
static struct past *find_before(struct blame_io *blame, const struct rh_process *record, uint32_t *cursor)
{
	struct past *before = blame->pasts[!blame->current];
	uint32_t count = blame->counts[!blame->current], end = *cursor + LOOK_AHEAD;
	for (uint32_t i = *cursor; i < count && i < end; i++) {
		if (is_same(&before[i], record)) {
			*cursor = i + 1;
			return &before[i];
		}
	}
	if ((record->flags & RH_PROCESS_new) != 0)
		return NULL;
	uint32_t i = find_pid(blame, record->pid);
	if (i == NOT_FOUND || !is_same(&before[i], record))
		return NULL;
	*cursor = i + 1;
	return &before[i];
}

/* ---- what a process did since the sample before ---- */

static uint64_t counter_of(const struct rh_process *record, unsigned id, uint64_t value)
{
	return rh_has(record->present, id) ? value : UINT64_MAX;
}

static double growth_of(uint64_t now, uint64_t before)
{
	return now != UINT64_MAX && before != UINT64_MAX && now > before ? (double)(now - before) : 0;
}

/*
 * Bytes of io of children that came and went since the sample before, which are part of its rate but not of its counters. Nobody knows how
 * many of them were reads: all count as dirtied.
 */
static double brief_bytes(const struct rh_process *record, uint64_t io_bytes_before, double elapsed_s)
{
	bool known =
	        rh_has(record->present, RH_F_brief_count) && record->brief_count > 0 && rh_has(record->present, RH_F_disk_io_bytes_per_s);
	if (!known || io_bytes_before == UINT64_MAX || !rh_has(record->present, RH_F_disk_io_bytes))
		return 0;
	double all = (double)record->disk_io_bytes_per_s * elapsed_s;
	double own = growth_of(record->disk_io_bytes, io_bytes_before);
	double rounding = all / (1 << 20);
	return all - own > rounding ? all - own : 0;
}

/* What the counters of a process that is new grew from: nothing, but for the memory that a fork shares with its parent. */
static struct past newborn_past(struct blame_io *blame, const struct rh_process *record)
{
	struct past past = {0};
	uint32_t parent = find_pid(blame, record->ppid);
	if (parent != NOT_FOUND)
		past.mem_bytes = blame->pasts[!blame->current][parent].mem_bytes;
	return past;
}

static bool is_kernel_thread(const struct rh_process *record)
{
	return (record->flags & RH_PROCESS_kernel_thread) != 0;
}

/* Adds to `now` what the process did since `before`. */
static void past_grow(
        struct blame_io *blame, struct past *now, const struct past *before, const struct rh_process *record, double elapsed_s)
{
	if (is_kernel_thread(record))
		return; /* what it dirties it does for others */
	double brief = brief_bytes(record, before->io_bytes, elapsed_s);
	if (record->pid == INIT_PID) {
		blame->orphan_bytes += brief; /* of children that had nobody else left */
		brief = 0;
	}
	double dirtied = growth_of(now->write_bytes, before->write_bytes) + brief;
	double pageins = rh_has(record->present, RH_F_pageins_per_s) ? (double)record->pageins_per_s * elapsed_s : 0;
	now->dirty_bytes += dirtied;
	now->pressure_bytes += WEIGHT_GROWTH * growth_of(now->mem_bytes, before->mem_bytes) + WEIGHT_DIRTIED * dirtied;
	now->pressure_bytes += WEIGHT_PAGEIN_BYTES * pageins;
}

/* ---- from one sample to the next ---- */

/*
 * How much of the dirtying before is remembered: blame.window is its time constant, but nothing is forgotten while it cannot have been written: the
 * kernel may leave pages dirty for half a minute.
 */
static double dirty_kept(const struct blame_io *blame, const struct rh_system *system, double faded)
{
	if (!rh_has(system->present, RH_S_dirty_bytes) || !(blame->dirty_bytes > 0))
		return faded;
	return fmax(faded, fmin((double)system->dirty_bytes / blame->dirty_bytes, 1));
}

/* One step of time. */
struct step {
	double elapsed_s; /* 0: what was done meanwhile is not known */
	double kept;      /* of the dirtying before */
	double faded;     /* of everything else */
};

static struct past past_of(const struct rh_process *record, uint32_t index)
{
	return (struct past){
	        .start_time_ns = record->start_time_ns,
	        .write_bytes = counter_of(record, RH_F_write_bytes, record->write_bytes),
	        .io_bytes = counter_of(record, RH_F_disk_io_bytes, record->disk_io_bytes),
	        .mem_bytes = counter_of(record, RH_F_mem_bytes, record->mem_bytes),
	        .pid = record->pid,
	        .ppid = record->ppid,
	        .record = index,
	        .next = NOT_FOUND,
	};
}

/* It is new and has rates: it began since the sample before. */
static bool is_newborn(const struct rh_process *record)
{
	return (record->flags & RH_PROCESS_new) != 0 && rh_has(record->present, RH_F_pageins_per_s);
}

static void past_take(struct blame_io *blame, const struct rh_process *record, uint32_t index, struct past *before, const struct step *step)
{
	struct past now = past_of(record, index);
	bool gone = (record->flags & RH_PROCESS_exited) != 0;
	if (before) {
		now.dirty_bytes = before->dirty_bytes * step->kept;
		now.pressure_bytes = before->pressure_bytes * step->faded;
		past_grow(blame, &now, before, record, step->elapsed_s);
	} else if (!gone && step->elapsed_s > 0 && is_newborn(record)) {
		/* one that came and went is in the rates of its parent */
		struct past newborn = newborn_past(blame, record);
		past_grow(blame, &now, &newborn, record, step->elapsed_s);
	}
	if (gone && before) {
		before->dirty_bytes = now.dirty_bytes; /* to be inherited */
		before->ppid = now.ppid;
	}
	uint32_t place = blame->counts[blame->current];
	if (gone || place == blame->capacity)
		return;
	if (before)
		before->next = place;
	blame->pasts[blame->current][place] = now;
	blame->counts[blame->current]++;
	blame->dirty_bytes += now.dirty_bytes;
}

/*
 * What a process dirtied outlives it: `timeout dd` is long gone when the flusher writes. It passes to the nearest living ancestor, which is who started
 * it; if that would be init, to nobody.
 */
static void inherit(struct blame_io *blame)
{
	struct past *before = blame->pasts[!blame->current], *now = blame->pasts[blame->current];
	for (uint32_t i = 0; i < blame->counts[!blame->current]; i++) {
		if (before[i].next != NOT_FOUND || !(before[i].dirty_bytes > 0))
			continue;
		uint32_t heir = i;
		for (unsigned step = 0; step < ANCESTORS && heir != NOT_FOUND && before[heir].next == NOT_FOUND; step++) {
			uint32_t parent = before[heir].ppid > INIT_PID ? find_pid(blame, before[heir].ppid) : NOT_FOUND;
			/* a parent began before its child: otherwise its pid was given out again */
			bool is_parent = parent != NOT_FOUND && before[parent].start_time_ns <= before[heir].start_time_ns;
			heir = is_parent ? parent : NOT_FOUND;
		}
		if (heir != NOT_FOUND && before[heir].next != NOT_FOUND) {
			now[before[heir].next].dirty_bytes += before[i].dirty_bytes;
			blame->dirty_bytes += before[i].dirty_bytes;
		} else {
			blame->orphan_bytes += before[i].dirty_bytes;
		}
	}
}

/* ---- blame ---- */

/* Of what is absent the memory is not even looked at: most of it is in the colder part of the record. */
#define DELAY_OF(record, field) (rh_has((record)->present, RH_F_##field) ? (double)(record)->field : 0)

static double mem_delay_of(const struct rh_process *record)
{
	return DELAY_OF(record, swapin_delay_ms_per_s) + DELAY_OF(record, reclaim_delay_ms_per_s) +
	       DELAY_OF(record, thrashing_delay_ms_per_s) + DELAY_OF(record, compaction_delay_ms_per_s);
}

static bool mem_delay_is_known(const struct rh_process *record)
{
	return rh_has(record->present, RH_F_swapin_delay_ms_per_s) || rh_has(record->present, RH_F_reclaim_delay_ms_per_s) ||
	       rh_has(record->present, RH_F_thrashing_delay_ms_per_s) || rh_has(record->present, RH_F_compaction_delay_ms_per_s);
}

static double io_time_of(const struct rh_process *record)
{
	return DELAY_OF(record, io_time_ms_per_s);
}

/* kswapd writes what does not fit into memory any more; other kernel threads write what was dirtied. */
static bool is_swapper(const struct rh_process *record)
{
	return strncmp(record->command, "kswapd", 6) == 0;
}

static void sums_add(struct sums *sums, const struct rh_process *record)
{
	double io_time = io_time_of(record), mem_delay = mem_delay_of(record);
	sums->io_delay_known |= rh_has(record->present, RH_F_blkio_delay_ms_per_s);
	sums->mem_delay_known |= mem_delay_is_known(record);
	sums->io_delay += DELAY_OF(record, blkio_delay_ms_per_s);
	sums->mem_delay += mem_delay;
	sums->io_time += io_time;
	if (!is_kernel_thread(record))
		sums->victims_mem_delay += mem_delay;
	else if (is_swapper(record))
		sums->swap_time += io_time;
	else
		sums->flusher_time += io_time;
}

/* Takes over what is to be remembered of each record, and adds up what the sample is divided by. */
static struct sums remember(
        struct blame_io *blame, const struct span *span, const struct rh_process *records, uint32_t count, const struct rh_system *system)
{
	struct sums sums = {.pressure_bytes = NOBODYS_PRESSURE_BYTES};
	struct step step = {
	        .elapsed_s = span->comparable ? (double)span->elapsed_ns / NS_PER_S : 0,
	        .faded = exp(-(double)span->elapsed_ns / blame->window_ns),
	};
	uint32_t cursor = 0;
	blame->current = !blame->current;
	blame->counts[blame->current] = 0;
	blame->mapped = false;
	step.kept = dirty_kept(blame, system, step.faded);
	blame->orphan_bytes *= step.kept;
	blame->dirty_bytes = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct rh_process *record = &records[i];
		past_take(blame, record, i, find_before(blame, record, &cursor), &step);
		sums_add(&sums, record);
		bool victim = !is_kernel_thread(record);
		blame->io_waits[i] = victim ? (float)DELAY_OF(record, blkio_delay_ms_per_s) : 0;
		blame->mem_waits[i] = victim ? (float)mem_delay_of(record) : 0;
	}
	inherit(blame);
	blame->dirty_bytes += blame->orphan_bytes;
	for (uint32_t i = 0; i < blame->counts[blame->current]; i++)
		sums.pressure_bytes += blame->pasts[blame->current][i].pressure_bytes;
	return sums;
}

static void io_time_add(struct rh_process *record, double io_time)
{
	if (!(io_time > 0))
		return;
	record->io_time_ms_per_s = (float)(io_time_of(record) + io_time);
	rh_set(record->present, RH_F_io_time_ms_per_s);
}

/* Device time of kernel threads goes to those for whom they worked. What nobody can be charged with stays theirs. */
static void writeback_charge(const struct blame_io *blame, const struct sums *sums, struct rh_process *records, uint32_t count)
{
	double by_dirty = blame->dirty_bytes > 0 ? sums->flusher_time / blame->dirty_bytes : 0, charged_dirty = 0;
	double by_pressure = sums->swap_time / sums->pressure_bytes, charged_pressure = 0;
	if (!(by_dirty > 0) && !(by_pressure > 0))
		return;
	for (uint32_t i = 0; i < blame->counts[blame->current]; i++) {
		const struct past *past = &blame->pasts[blame->current][i];
		io_time_add(&records[past->record], past->dirty_bytes * by_dirty + past->pressure_bytes * by_pressure);
		charged_dirty += past->dirty_bytes * by_dirty;
		charged_pressure += past->pressure_bytes * by_pressure;
	}
	double left_dirty = sums->flusher_time > 0 ? 1 - charged_dirty / sums->flusher_time : 1;
	double left_pressure = sums->swap_time > 0 ? 1 - charged_pressure / sums->swap_time : 1;
	for (uint32_t i = 0; i < count; i++)
		if (is_kernel_thread(&records[i]) && io_time_of(&records[i]) > 0)
			records[i].io_time_ms_per_s *= (float)fmax(is_swapper(&records[i]) ? left_pressure : left_dirty, 0);
}

/*
 * The part of a process's waiting during which some device was at work: one thread waits at most as long as that. More than a second in a second
 * are several threads.
 */
static double covered_of(double wait, double io_time)
{
	return wait > 0 ? wait * fmin(1, io_time / fmin(wait, 1000)) : 0;
}

#define SET(record, field, value) \
	do { \
		(record)->field = (float)(value); \
		rh_set((record)->present, RH_F_##field); \
	} while (0)

/* Both are divided in one pass: a record is three cache misses. */
static void blame_divide(const struct blame_io *blame, const struct sums *sums, struct rh_process *records, uint32_t count)
{
	const struct past *past = blame->pasts[blame->current], *end = past + blame->counts[blame->current];
	double covered = 0, per_io_time = sums->io_time > 0 ? 1 / sums->io_time : 0;
	for (uint32_t i = 0; i < count; i++)
		covered += covered_of((double)blame->io_waits[i], sums->io_time);
	for (uint32_t i = 0; i < count; i++) {
		struct rh_process *record = &records[i];
		if (sums->io_delay_known && rh_has(record->present, RH_F_io_time_ms_per_s)) {
			double others = covered - covered_of((double)blame->io_waits[i], sums->io_time);
			SET(record, io_blame_ms_per_s, fmax(io_time_of(record) * per_io_time * others, 0));
		}
		if (past == end || past->record != i)
			continue; /* gone: it holds no memory */
		if (sums->mem_delay_known && past->mem_bytes != UINT64_MAX) {
			double others = sums->victims_mem_delay - (double)blame->mem_waits[i];
			SET(record, mem_blame_ms_per_s, fmax(past->pressure_bytes / sums->pressure_bytes * others, 0));
		}
		past++;
	}
}
#undef SET

void blame_io_run(struct blame_io *blame, const struct span *span, struct rh_process *records, uint32_t count, struct rh_system *system)
{
	RH_ASSERT(count <= blame->capacity);
	struct sums sums = remember(blame, span, records, count, system);
	if (!span->comparable)
		return;
	writeback_charge(blame, &sums, records, count);
	if (sums.io_delay_known) {
		system->io_delay_ms_per_s = (float)sums.io_delay;
		rh_set(system->present, RH_S_io_delay_ms_per_s);
	}
	if (sums.mem_delay_known) {
		system->mem_delay_ms_per_s = (float)sums.mem_delay;
		rh_set(system->present, RH_S_mem_delay_ms_per_s);
	}
	blame_divide(blame, &sums, records, count);
}
