/* record.c - see record.h. */
#include "collector/record.h"

#include <string.h>

/*
 * Fields whose value is the raw one: where that is present, so is the field. By kind, but for those that are computed here or later.
 */
enum { COPIED_IDENT = 1, COPIED_STATE = 1, COPIED_GAUGE = 1, COPIED_COUNTER = 1, COPIED_RATE = 0, COPIED_SHARE = 0, COPIED_SCORE = 0 };
static const uint64_t copied_fields[2] = {
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	+((uint64_t)(COPIED_##kind && (id) < 64) << (id) % 64)
#include "rogue/fields.def"
        ,
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	+((uint64_t)(COPIED_##kind && (id) >= 64) << (id) % 64)
#include "rogue/fields.def"
};
static const unsigned computed_fields[] = {
        RH_F_band,
        RH_F_dominant_resource,
        RH_F_mem_bytes,
        RH_F_disk_io_bytes,
        RH_F_zombie_children_count,
        RH_F_brief_count,
};

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Identity and state. */
static void fill_identity(struct rh_process *record, const struct raw_process *raw)
{
	record->start_time_ns = raw->start_time_ns;
	record->pid = raw->pid;
	record->ppid = raw->ppid;
	record->uid = raw->uid;
	record->flags = raw->flags;
	record->state = raw->state;
	record->policy = raw->policy;
	record->nice = raw->nice;
	record->priority = raw->priority;
	record->oom_adj = raw->oom_adj;
	record->cgroup_id = raw->cgroup_id;
	memcpy(record->command, raw->command, sizeof(record->command));
	rh_set(record->present, RH_F_pid);
	rh_set(record->present, RH_F_flags);
}

static void fill_levels(struct rh_process *record, const struct raw_process *raw)
{
	record->rss_bytes = raw->rss_bytes;
	record->anon_bytes = raw->anon_bytes;
	record->shmem_bytes = raw->shmem_bytes;
	record->swap_bytes = raw->swap_bytes;
	record->mem_peak_bytes = raw->mem_peak_bytes;
	record->threads_count = raw->threads;
	record->threads_running_count = raw->threads_running;
	record->threads_stuck_count = raw->threads_stuck;
	record->run_wait_max_ns = raw->run_wait_max_ns;
	record->stuck_wait_max_ns = raw->stuck_wait_max_ns;
	if (rh_has(raw->present, RH_F_lifetime_ns))
		record->lifetime_ns = raw->end_time_ns > raw->start_time_ns ? (float)(raw->end_time_ns - raw->start_time_ns) : 0;
	if (rh_has(raw->present, RH_F_anon_bytes)) {
		uint64_t shmem_bytes = rh_has(raw->present, RH_F_shmem_bytes) ? raw->shmem_bytes : 0;
		uint64_t swap_bytes = rh_has(raw->present, RH_F_swap_bytes) ? raw->swap_bytes : 0;
		record->mem_bytes = saturating_add(raw->anon_bytes, saturating_add(shmem_bytes, swap_bytes));
		rh_set(record->present, RH_F_mem_bytes);
	}
}

static void fill_counters(struct rh_process *record, const struct raw_process *raw)
{
	record->cpu_time_ns = raw->cpu_time_ns;
	record->runnable_time_ns = raw->runnable_time_ns;
	record->wakeups_count = raw->wakeups;
	record->voluntary_csw_count = raw->voluntary_csw;
	record->involuntary_csw_count = raw->involuntary_csw;
	record->faults_count = saturating_add(raw->minor_faults, rh_has(raw->present, RH_F_pageins_count) ? raw->major_faults : 0);
	record->pageins_count = raw->major_faults > UINT32_MAX ? UINT32_MAX : (uint32_t)raw->major_faults;
	record->read_bytes = raw->read_bytes;
	record->write_bytes = raw->write_bytes;
	record->syscalls_count = raw->syscalls;
	record->instructions_count = raw->instructions;
	record->cycles_count = raw->cycles;
	record->energy_uj = raw->energy_uj;
	record->gpu_time_ns = raw->gpu_time_ns;
	if (rh_has(raw->present, RH_F_read_bytes) && rh_has(raw->present, RH_F_write_bytes)) {
		record->disk_io_bytes = saturating_add(raw->read_bytes, raw->write_bytes);
		rh_set(record->present, RH_F_disk_io_bytes);
	}
}

void record_fill(struct rh_process *record, const struct raw_process *raw)
{
	record->present[0] = raw->present[0] & copied_fields[0];
	record->present[1] = raw->present[1] & copied_fields[1];
	for (size_t i = 0; i < sizeof(computed_fields) / sizeof(computed_fields[0]); i++)
		record->present[computed_fields[i] / 64] &= ~(UINT64_C(1) << computed_fields[i] % 64);
	fill_identity(record, raw);
	fill_levels(record, raw);
	fill_counters(record, raw);
	record->zombie_children_count = 0;
	rh_set(record->present, RH_F_zombie_children_count);
}

/* Differences of one process between two samples. */
struct difference {
	const struct raw_process *now, *before;
	uint64_t both[2]; /* fields known then and now */
	uint32_t clamped; /* counters that ran backwards */
	double per_s;     /* 1 / interval */
};

static double difference_of(struct difference *difference, uint64_t now, uint64_t before)
{
	if (now < before) {
		difference->clamped++;
		return 0;
	}
	return (double)(now - before);
}

/* Sets record->rate to the difference of raw counter `counter` times `factor`, if the field `known` is known in both samples. */
#define RATE(known, counter, rate, factor) \
	do { \
		if (rh_has(d->both, RH_F_##known)) { \
			record->rate = (float)(difference_of(d, d->now->counter, d->before->counter) * (factor)); \
			rh_set(record->present, RH_F_##rate); \
		} \
	} while (0)

static void rates_of_use(struct difference *d, struct rh_process *record)
{
	double per_s = d->per_s;
	RATE(cpu_time_ns, cpu_time_ns, cpu_pct, per_s * 100 / NS_PER_S);
	RATE(gpu_time_ns, gpu_time_ns, gpu_pct, per_s * 100 / NS_PER_S);
	RATE(wakeups_count, wakeups, wakeups_per_s, per_s);
	RATE(syscalls_count, syscalls, syscalls_per_s, per_s);
	RATE(pageins_count, major_faults, pageins_per_s, per_s);
	RATE(energy_uj, energy_uj, power_mw, per_s / 1000);
	if (rh_has(d->both, RH_F_faults_count)) {
		double faults = difference_of(d, d->now->minor_faults, d->before->minor_faults);
		record->faults_per_s = (float)(faults * per_s) + (rh_has(record->present, RH_F_pageins_per_s) ? record->pageins_per_s : 0);
		rh_set(record->present, RH_F_faults_per_s);
	}
	if (rh_has(d->both, RH_F_read_bytes) && rh_has(d->both, RH_F_write_bytes)) {
		double bytes = difference_of(d, d->now->read_bytes, d->before->read_bytes) +
		               difference_of(d, d->now->write_bytes, d->before->write_bytes);
		record->disk_io_bytes_per_s = (float)(bytes * per_s);
		rh_set(record->present, RH_F_disk_io_bytes_per_s);
	}
	if (rh_has(d->both, RH_F_instructions_count) && rh_has(d->both, RH_F_cycles_count) && d->now->cycles > d->before->cycles) {
		double instructions = difference_of(d, d->now->instructions, d->before->instructions);
		record->ipc_ratio = (float)(instructions / (double)(d->now->cycles - d->before->cycles));
		rh_set(record->present, RH_F_ipc_ratio);
	}
}

/* Context switches: the two kinds where the source has them in each sample (it then says so), else the time slices begun. */
static void rate_of_switches(struct difference *d, struct rh_process *record)
{
	if (rh_has(d->both, RH_F_csw_per_s)) {
		double switches = difference_of(d, d->now->voluntary_csw, d->before->voluntary_csw) +
		                  difference_of(d, d->now->involuntary_csw, d->before->involuntary_csw);
		record->csw_per_s = (float)(switches * d->per_s);
		rh_set(record->present, RH_F_csw_per_s);
	} else if (rh_has(record->present, RH_F_wakeups_per_s)) {
		record->csw_per_s = record->wakeups_per_s;
		rh_set(record->present, RH_F_csw_per_s);
	}
}

static void rates_of_waiting(struct difference *d, struct rh_process *record)
{
	double ms_per_s = d->per_s / NS_PER_MS;
	RATE(runnable_time_ns, runnable_time_ns, runnable_ms_per_s, ms_per_s);
	RATE(blkio_delay_ms_per_s, blkio_delay_ns, blkio_delay_ms_per_s, ms_per_s);
	RATE(swapin_delay_ms_per_s, swapin_delay_ns, swapin_delay_ms_per_s, ms_per_s);
	RATE(reclaim_delay_ms_per_s, reclaim_delay_ns, reclaim_delay_ms_per_s, ms_per_s);
	RATE(thrashing_delay_ms_per_s, thrashing_delay_ns, thrashing_delay_ms_per_s, ms_per_s);
	RATE(compaction_delay_ms_per_s, compaction_delay_ns, compaction_delay_ms_per_s, ms_per_s);
	RATE(irq_delay_ms_per_s, irq_delay_ns, irq_delay_ms_per_s, ms_per_s);
	RATE(cpu_blame_ms_per_s, cpu_blame_ns, cpu_blame_ms_per_s, ms_per_s);
	RATE(io_time_ms_per_s, io_time_ns, io_time_ms_per_s, ms_per_s);
	RATE(lock_blame_ms_per_s, lock_blame_ns, lock_blame_ms_per_s, ms_per_s);
}
#undef RATE

double record_rates(struct rh_process *record, const struct raw_process *now, const struct raw_process *before, const struct span *span,
        uint32_t *clamped)
{
	struct difference difference = {
	        .now = now,
	        .before = before,
	        .both = {now->present[0] & before->present[0], now->present[1] & before->present[1]},
	        .per_s = (double)NS_PER_S / (double)span->elapsed_ns,
	};
	rates_of_use(&difference, record);
	rate_of_switches(&difference, record);
	rates_of_waiting(&difference, record);
	*clamped += difference.clamped;
	bool has_run = rh_has(difference.both, RH_F_cpu_time_ns) && now->cpu_time_ns > before->cpu_time_ns;
	return has_run ? (double)(now->cpu_time_ns - before->cpu_time_ns) : 0;
}
