/*
 * sched_ends.c - last words: read from the kernel, held back while a walk still lists the process, and passed on.
 *
 * A process that ends stays in the list of tasks until its parent has waited for it. As long as it is there the walk tells of it, with the same
 * numbers; its last words are passed on in the first tick whose walk began after the end and does not list it.
 */
#include "collector/bpf/sched_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	BUCKETS = 16384, /* powers of two */
	BRIEF_BUCKETS = 4096,
	READ_MOST = 32768, /* records in a tick */
};

bool sched_ends_take(struct sched_ends *ends, struct pool *pool, const struct accounts *accounts)
{
	*ends = (struct sched_ends){
	        .ends = pool_take(pool, SCHED_ENDS_MOST, sizeof(struct sched_end)),
	        .buckets = pool_take(pool, BUCKETS, sizeof(uint32_t)),
	        .told = pool_take(pool, SCHED_ENDS_MOST, sizeof(struct raw_process)),
	        .briefs = pool_take(pool, SCHED_BRIEF_MOST, sizeof(struct raw_brief)),
	        .brief_buckets = pool_take(pool, BRIEF_BUCKETS, sizeof(uint16_t)),
	        .accounts = accounts,
	};
	convert_init(&ends->convert, WALK_IO | WALK_SCHED_INFO, false, (uint64_t)sysconf(_SC_PAGESIZE));
	return !pool->failed;
}

/* ---- sums by parent ---- */

void sched_ends_brief(struct sched_ends *ends, struct raw_brief brief)
{
	uint32_t bucket = brief.ppid & (BRIEF_BUCKETS - 1);
	while (ends->brief_buckets[bucket] != 0 && ends->briefs[ends->brief_buckets[bucket] - 1].ppid != brief.ppid)
		bucket = (bucket + 1) & (BRIEF_BUCKETS - 1);
	if (ends->brief_buckets[bucket] == 0) {
		if (ends->brief_count == SCHED_BRIEF_MOST) {
			ends->lost++;
			return;
		}
		ends->briefs[ends->brief_count++] = (struct raw_brief){.ppid = brief.ppid};
		ends->brief_buckets[bucket] = (uint16_t)ends->brief_count;
	}
	struct raw_brief *sum = &ends->briefs[ends->brief_buckets[bucket] - 1];
	sum->count += brief.count;
	sum->cpu_time_ns += brief.cpu_time_ns;
	sum->io_bytes += brief.io_bytes;
	sum->faults += brief.faults;
}

/* Those of the tick before have been used. */
static void briefs_clear(struct sched_ends *ends)
{
	if (ends->brief_count > 0)
		memset(ends->brief_buckets, 0, BRIEF_BUCKETS * sizeof(ends->brief_buckets[0]));
	ends->brief_count = 0;
}

/* ---- reading ---- */

static void bucket_add(struct sched_ends *ends, uint32_t index)
{
	uint32_t *bucket = &ends->buckets[ends->ends[index].words.pid & (BUCKETS - 1)];
	ends->ends[index].next = *bucket;
	*bucket = index + 1;
}

struct sched_end *sched_ends_find(const struct sched_ends *ends, uint32_t pid, uint64_t start_time_ns)
{
	for (uint32_t i = ends->buckets[pid & (BUCKETS - 1)]; i != 0; i = ends->ends[i - 1].next) {
		struct sched_end *end = &ends->ends[i - 1];
		if (end->words.pid == pid && end->words.start_time_ns == start_time_ns)
			return end;
	}
	return NULL;
}

static void take_end(struct sched_ends *ends, const struct last_words *words)
{
	ends->seen++;
	if (ends->count < SCHED_ENDS_MOST) {
		ends->ends[ends->count] = (struct sched_end){.words = *words};
		bucket_add(ends, ends->count++);
		return;
	}
	ends->lost++;
	if (words->start_time_ns < ends->walk_ns)
		return; /* a walk has seen it */
	sched_ends_brief(ends, (struct raw_brief){.ppid = words->ppid,
	                               .count = 1,
	                               .cpu_time_ns = words->cpu_time_ns,
	                               .io_bytes = words->read_bytes + words->write_bytes,
	                               .faults = words->minor_faults + words->major_faults});
}

static void take_tail(struct sched_ends *ends, const struct last_words_tail *tail)
{
	struct sched_end *end = sched_ends_find(ends, tail->pid, tail->start_time_ns);
	if (end) {
		end->words.cpu_time_ns += tail->cpu_time_ns;
		end->words.run_delay_ns += tail->run_delay_ns;
		end->words.cpu_blame_ns += tail->cpu_blame_ns;
		return;
	}
	sched_ends_brief(ends, (struct raw_brief){.ppid = tail->ppid, .cpu_time_ns = tail->cpu_time_ns});
	struct account *parent = tail->cpu_blame_ns > 0 ? accounts_find(ends->accounts, tail->ppid) : NULL;
	if (parent)
		__atomic_fetch_add(&parent->cpu_blame_ns, tail->cpu_blame_ns, __ATOMIC_RELAXED);
}

/* Called for each record in the kernel's ring. Below 0 ends the reading. */
static int take_record(void *context, void *data, size_t bytes)
{
	struct sched_ends *ends = context;
	uint32_t kind;
	if (bytes < sizeof(kind))
		return 0;
	memcpy(&kind, data, sizeof(kind));
	if (kind == LAST_WORDS_END && bytes >= sizeof(struct last_words))
		take_end(ends, data);
	else if (kind == LAST_WORDS_TAIL && bytes >= sizeof(struct last_words_tail))
		take_tail(ends, data);
	return ++ends->read >= READ_MOST ? -ENOBUFS : 0;
}

int sched_ends_open(struct sched_ends *ends, int fd)
{
	ends->ring = ring_buffer__new(fd, take_record, ends, NULL);
	return ends->ring ? 0 : -errno;
}

void sched_ends_close(struct sched_ends *ends)
{
	ring_buffer__free(ends->ring);
	ends->ring = NULL;
}

void sched_ends_read(struct sched_ends *ends)
{
	briefs_clear(ends);
	ends->read = 0;
	ends->lost = 0;
	if (ends->ring)
		ring_buffer__consume(ends->ring);
}

/* ---- passing on ---- */

/* By way of a record of the walk, so that all that is done to those is done to this. */
static void convert_end(const struct sched_ends *ends, const struct last_words *words, struct raw_process *ret_process)
{
	struct walk_record record = {
	        .pid = words->pid,
	        .ppid = words->ppid,
	        .uid = words->uid,
	        .flags = words->flags,
	        .policy = words->policy,
	        .prio = words->prio,
	        .static_prio = words->static_prio,
	        .threads = words->threads,
	        .start_time_ns = words->start_time_ns,
	        .cpu_time_ns = words->cpu_time_ns,
	        .voluntary_csw = words->voluntary_csw,
	        .involuntary_csw = words->involuntary_csw,
	        .minor_faults = words->minor_faults,
	        .major_faults = words->major_faults,
	        .syscalls = words->syscalls,
	        .read_bytes = words->read_bytes,
	        .write_bytes = words->write_bytes,
	        .run_delay_ns = (int64_t)words->run_delay_ns > 0 ? words->run_delay_ns : 0,
	        .cgroup_id = words->cgroup_id,
	};
	memcpy(record.command, words->command, sizeof(record.command));
	convert_process(&ends->convert, &record, ret_process);
	ret_process->state = RH_STATE_zombie;
	ret_process->end_time_ns = words->end_time_ns;
	ret_process->mem_peak_bytes = words->peak_pages * ends->convert.page_bytes;
	ret_process->io_time_ns = words->io_time_ns;
	ret_process->cpu_blame_ns = words->cpu_blame_ns;
	ret_process->blkio_delay_ns = words->io_wait_ns;
	ret_process->thrashing_delay_ns = words->mem_wait_ns;
	rh_set(ret_process->present, RH_F_lifetime_ns);
	if (!ends->knows_waits)
		return;
	ret_process->run_wait_max_ns = (float)words->run_wait_max_us * NS_PER_US;
	ret_process->stuck_wait_max_ns = (float)words->stuck_wait_max_us * NS_PER_US;
	rh_set(ret_process->present, RH_F_run_wait_max_ns);
	rh_set(ret_process->present, RH_F_stuck_wait_max_ns);
}

/* Must the words be held back? Of a zombie only so many: the walk has all of it, but for how long it lived. */
static bool must_hold(const struct sched_end *end, const struct walk_view *walk, uint32_t held)
{
	return end->is_listed ? held < SCHED_ENDS_HELD_MOST : end->words.end_time_ns > walk->begin_boot_ns;
}

void sched_ends_settle(struct sched_ends *ends, const struct walk_view *walk, struct source_tick *tick)
{
	uint32_t held = 0, told = 0, count = ends->count;
	if (count > 0)
		memset(ends->buckets, 0, BUCKETS * sizeof(ends->buckets[0]));
	ends->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct sched_end *end = &ends->ends[i];
		if (must_hold(end, walk, held)) {
			held++;
			end->is_listed = false;
			ends->ends[ends->count] = *end;
			bucket_add(ends, ends->count++);
		} else if (!end->is_listed) {
			convert_end(ends, &end->words, &ends->told[told++]);
		}
	}
	tick->ended = ends->told;
	tick->ended_count = told;
	tick->brief = ends->briefs;
	tick->brief_count = ends->brief_count;
	ends->walk_ns = walk->begin_boot_ns;
}
