/* sample.c - see sample.h. */
#include "collector/sample.h"

#include "collector/blame.h"
#include "collector/blame_io.h"
#include "collector/contention.h"
#include "collector/machine.h"
#include "collector/signals.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* A time slice of the kernel's fair class: 3 ms where nobody has set another one, and at least a tick where ticks end it. */
static const double SLICE_NS = 4.0 * NS_PER_MS;

void sample_open(struct sample *sample, const struct config *config, struct source *source, struct pool *pool, uint32_t capacity)
{
	uint32_t briefs = (uint32_t)config->sampling_brief_records, rows = delta_records_most(capacity, briefs);
	memset(sample, 0, sizeof(*sample));
	sample->config = config;
	sample->source = source;
	sample->uid = (uint32_t)geteuid();
	sample->rows = rows;
	delta_init(&sample->delta, pool, capacity, briefs);
	score_columns_take(&sample->columns, pool, rows);
	sample->records = pool_take(pool, rows, sizeof(struct rh_process));
	sample->pids = pool_take(pool, rows, sizeof(uint32_t));
	sample->delay_ms_per_s = pool_take(pool, rows, sizeof(float));
	sample->blame_ms_per_s = pool_take(pool, rows, sizeof(float));
	sample->wanted_pct = pool_take(pool, rows, sizeof(float));
	sample->blame_io = blame_io_init(pool, config, rows);
}

/* Of what is absent the memory is not even looked at: it may be in the colder part of the record. */
#define VALUE_OR_0(record, field) (rh_has((record)->present, RH_F_##field) ? (record)->field : 0)

/* Of the blame columns: what is known of anybody, and sums. */
struct waiting {
	bool known, measured;                   /* run delays; blame */
	double delay_ms_per_s, blame_ms_per_s;  /* sums */
	float longest_run_ns, longest_stuck_ns; /* single waits */
	bool longest_run_known, longest_stuck_known;
};

/* Kernel threads wait as a matter of routine. Who has ended is no victim any more, but what he waited for before that in the interval counts. */
static void longest_raise(struct waiting *waiting, const struct rh_process *record)
{
	bool is_over = record->state == RH_STATE_zombie && (record->flags & RH_PROCESS_exited) == 0;
	if ((record->flags & RH_PROCESS_kernel_thread) != 0 || is_over)
		return;
	waiting->longest_run_known |= rh_has(record->present, RH_F_run_wait_max_ns);
	waiting->longest_run_ns = fmaxf(waiting->longest_run_ns, VALUE_OR_0(record, run_wait_max_ns));
	waiting->longest_stuck_known |= rh_has(record->present, RH_F_stuck_wait_max_ns);
	waiting->longest_stuck_ns = fmaxf(waiting->longest_stuck_ns, VALUE_OR_0(record, stuck_wait_max_ns));
}

/* Records into columns. Who is gone holds no memory; what it still did in the interval is there if its last words told. */
static struct waiting columns_gather(struct sample *sample)
{
	struct score_columns *columns = &sample->columns;
	struct waiting waiting = {0};
	for (uint32_t i = 0; i < sample->count; i++) {
		const struct rh_process *record = &sample->records[i];
		bool gone = (record->flags & RH_PROCESS_exited) != 0;
		float cpu_pct = VALUE_OR_0(record, cpu_pct);
		float delay_ms_per_s = VALUE_OR_0(record, runnable_ms_per_s);
		columns->use[RH_RESOURCE_cpu][i] = cpu_pct;
		columns->use[RH_RESOURCE_gpu][i] = VALUE_OR_0(record, gpu_pct);
		columns->use[RH_RESOURCE_memory][i] = gone ? 0 : (float)VALUE_OR_0(record, mem_bytes);
		columns->use[RH_RESOURCE_disk][i] = VALUE_OR_0(record, disk_io_bytes_per_s);
		columns->use[RH_RESOURCE_wakeups][i] = VALUE_OR_0(record, wakeups_per_s);
		columns->state[i] = record->state;
		sample->pids[i] = record->pid;
		sample->delay_ms_per_s[i] = delay_ms_per_s;
		sample->blame_ms_per_s[i] = VALUE_OR_0(record, cpu_blame_ms_per_s);
		/* who is new may have wanted the cpu ever since it began */
		sample->wanted_pct[i] = (record->flags & RH_PROCESS_new) != 0 ? 100 : cpu_pct + delay_ms_per_s / 10;
		waiting.known |= rh_has(record->present, RH_F_runnable_ms_per_s);
		waiting.measured |= rh_has(record->present, RH_F_cpu_blame_ms_per_s);
		waiting.delay_ms_per_s += (double)delay_ms_per_s;
		waiting.blame_ms_per_s += (double)sample->blame_ms_per_s[i];
		longest_raise(&waiting, record);
	}
	return waiting;
}

/*
 * Waiting that no process caused: what the source saw come about on idle cpus, and beyond it whatever the blamed leave over - who is throttled waits
 * on a cpu that others use.
 */
static void unattributed_fill(struct rh_system *system, const struct waiting *waiting)
{
	float rest = (float)(waiting->delay_ms_per_s - waiting->blame_ms_per_s);
	if (!rh_has(system->present, RH_S_run_delay_unattributed_ms_per_s))
		return;
	system->run_delay_unattributed_ms_per_s = fmaxf(system->run_delay_unattributed_ms_per_s, rest);
}

/* Waiting for a cpu inflicted. A source that measures it is believed; else it is estimated. */
static void cpu_blame_fill(struct sample *sample, const struct span *span, const struct waiting *waiting)
{
	const struct rh_system *system = &sample->system;
	double cpus = rh_has(system->present, RH_S_cpus_count) ? fmax(system->cpus_count, 1) : 1;
	double unseen = rh_has(system->present, RH_S_cpu_unattributed_ratio) ? fmaxf(system->cpu_unattributed_ratio, 0) : 0;
	struct blame_input input = {
	        .count = sample->count,
	        .cpu_pct = sample->columns.use[RH_RESOURCE_cpu],
	        .delay_ms_per_s = sample->delay_ms_per_s,
	        .unseen_pct = unseen * cpus * 100,
	        .cpus = cpus,
	        .floor_pct = sample->config->score_cpu_floor,
	        .victim_fraction = sample->config->harm_victim_fraction,
	        .slice_pct = span->elapsed_ns > 0 ? fmin(100 * SLICE_NS / (double)span->elapsed_ns, 100) : 0,
	        .wanted_pct = sample->wanted_pct,
	};
	if (waiting->measured) {
		blame_harm(&input, sample->blame_ms_per_s, sample->columns.harm_ms_per_s);
		unattributed_fill(&sample->system, waiting);
		return;
	}
	blame_estimate(&input, sample->blame_ms_per_s, sample->columns.harm_ms_per_s);
	for (uint32_t i = 0; waiting->known && i < sample->count; i++) {
		struct rh_process *record = &sample->records[i];
		if (!rh_has(record->present, RH_F_cpu_pct))
			continue;
		record->cpu_blame_ms_per_s = sample->blame_ms_per_s[i];
		rh_set(record->present, RH_F_cpu_blame_ms_per_s);
	}
}

/* Waiting inflicted, of all kinds. */
static void blame_fill(struct sample *sample, const struct span *span, const struct waiting *waiting)
{
	float *harm = sample->columns.harm_ms_per_s;
	cpu_blame_fill(sample, span, waiting);
	blame_io_run(sample->blame_io, span, sample->records, sample->count, &sample->system);
	for (uint32_t i = 0; i < sample->count; i++) {
		const struct rh_process *record = &sample->records[i];
		harm[i] += VALUE_OR_0(record, io_blame_ms_per_s);
		harm[i] += VALUE_OR_0(record, mem_blame_ms_per_s);
	}
}

static double known_or_nan(const struct rh_system *system, unsigned id, float value)
{
	return rh_has(system->present, id) ? (double)value : NAN;
}

static double memory_used_ratio(const struct rh_system *system)
{
	bool known = rh_has(system->present, RH_S_mem_total_bytes) && rh_has(system->present, RH_S_mem_available_bytes);
	if (!known || system->mem_total_bytes == 0)
		return NAN;
	return 1 - (double)system->mem_available_bytes / (double)system->mem_total_bytes;
}

static void contention_fill(struct sample *sample, const struct span *span, float contention[RH_RESOURCE_COUNT])
{
	struct rh_system *system = &sample->system;
	const struct raw_system *raw = &sample->raw[sample->current];
	double wakeups_per_s = 0;
	for (uint32_t i = 0; i < sample->count; i++)
		wakeups_per_s += (double)sample->columns.use[RH_RESOURCE_wakeups][i];
	struct contention_input input = {
	        .cpu_busy_ratio = known_or_nan(system, RH_S_cpu_busy_ratio, system->cpu_busy_ratio),
	        .mem_used_ratio = memory_used_ratio(system),
	        .disk_busy_ratio = known_or_nan(system, RH_S_disk_busy_ratio, system->disk_busy_ratio),
	        .gpu_busy_ratio = rh_has(raw->present, RH_S_gpu_contention_ratio) ? raw->gpu_busy_ratio : NAN,
	        .psi_cpu_some_ms_per_s = known_or_nan(system, RH_S_psi_cpu_some_ms_per_s, system->psi_cpu_some_ms_per_s),
	        .psi_memory_full_ms_per_s = known_or_nan(system, RH_S_psi_memory_full_ms_per_s, system->psi_memory_full_ms_per_s),
	        .psi_io_full_ms_per_s = known_or_nan(system, RH_S_psi_io_full_ms_per_s, system->psi_io_full_ms_per_s),
	        .wakeups_per_s = span->comparable ? wakeups_per_s : NAN,
	        .cpus = system->cpus_count,
	};
	contention_compute(sample->config, &input, contention);

	const struct {
		unsigned id;
		float *field;
	} fields[RH_RESOURCE_COUNT] = {
	        [RH_RESOURCE_cpu] = {RH_S_cpu_contention_ratio, &system->cpu_contention_ratio},
	        [RH_RESOURCE_gpu] = {RH_S_gpu_contention_ratio, &system->gpu_contention_ratio},
	        [RH_RESOURCE_memory] = {RH_S_mem_contention_ratio, &system->mem_contention_ratio},
	        [RH_RESOURCE_disk] = {RH_S_disk_contention_ratio, &system->disk_contention_ratio},
	        [RH_RESOURCE_wakeups] = {RH_S_wakeups_contention_ratio, &system->wakeups_contention_ratio},
	};
	for (unsigned r = RH_RESOURCE_cpu; r < RH_RESOURCE_COUNT; r++) {
		if (isnan(contention[r]))
			continue;
		*fields[r].field = contention[r];
		rh_set(system->present, fields[r].id);
	}
}

/* A share is known where its use is. */
#define SHARE(use_field, resource, share_field) \
	do { \
		if (rh_has(record->present, RH_F_##use_field)) { \
			record->share_field = columns->share[RH_RESOURCE_##resource][i]; \
			rh_set(record->present, RH_F_##share_field); \
		} \
	} while (0)

static void scores_scatter(struct sample *sample)
{
	const struct score_columns *columns = &sample->columns;
	for (uint32_t i = 0; i < sample->count; i++) {
		struct rh_process *record = &sample->records[i];
		SHARE(cpu_pct, cpu, cpu_share);
		SHARE(gpu_pct, gpu, gpu_share);
		SHARE(mem_bytes, memory, mem_share);
		SHARE(disk_io_bytes_per_s, disk, disk_share);
		SHARE(wakeups_per_s, wakeups, wakeups_share);
		record->disproportionality_share = columns->disproportionality[i];
		record->dominant_resource = columns->dominant[i];
		record->harm_score = columns->harm_score[i];
		record->score = columns->score[i];
		record->band = columns->band[i];
		rh_set(record->present, RH_F_disproportionality_share);
		rh_set(record->present, RH_F_dominant_resource);
		rh_set(record->present, RH_F_harm_score);
		rh_set(record->present, RH_F_score);
		rh_set(record->present, RH_F_band);
	}
}
#undef SHARE

#define SET(field, value) \
	do { \
		system->field = (value); \
		rh_set(system->present, RH_S_##field); \
	} while (0)

static void identity_fill(struct rh_system *system, const struct moment *now, const struct span *span)
{
	SET(boottime_ns, now->boottime_ns);
	SET(monotonic_ns, now->monotonic_ns);
	SET(realtime_ns, now->realtime_ns);
	if (span->elapsed_ns > 0)
		SET(elapsed_ns, span->elapsed_ns);
}

/* Those of programs in the kernel that tell of events. */
static const uint64_t KERNEL_SIGNALS = UINT64_C(1) << RH_SIGNAL_scheduler | UINT64_C(1) << RH_SIGNAL_last_words |
                                       UINT64_C(1) << RH_SIGNAL_block_requests | UINT64_C(1) << RH_SIGNAL_reclaim;

static void counts_fill(struct sample *sample, const struct delta_result *result, const struct source_tick *tick, bool discontinuous)
{
	struct rh_system *system = &sample->system;
	sample->total = result->count + tick->dropped;
	sample->lost += tick->dropped;
	sample->clamped += result->clamped;
	sample->events_lost += tick->events_lost;
	SET(process_count, sample->total);
	SET(exited_count, result->exited);
	SET(new_count, result->appeared);
	SET(stuck_count, result->stuck);
	SET(unreadable_count, tick->unreadable);
	SET(lost_count, sample->lost + sample->events_lost);
	if ((tick->signals & KERNEL_SIGNALS) != 0 || sample->events_lost > 0)
		SET(events_lost_count, sample->events_lost);
	SET(degraded, (uint16_t)(tick->degraded | (result->fewer_briefs ? RH_DEGRADED_fewer_last_words : 0)));
	SET(sampler, sample->source->operations->sampler);
	SET(signals, tick->signals);
	SET(discontinuous, discontinuous);
}

static void scores_fill(struct sample *sample, const struct span *span, const struct moment *now, const struct waiting *waiting)
{
	struct rh_system *system = &sample->system;
	struct score_machine machine = {
	        .mem_total_bytes = rh_has(system->present, RH_S_mem_total_bytes) ? (double)system->mem_total_bytes : 0,
	};
	blame_fill(sample, span, waiting);
	contention_fill(sample, span, machine.contention);
	SET(max_score, score_run(sample->config, &machine, &sample->columns, sample->count));
	enum rh_stress stress = stress_update(&sample->stress, sample->config, (double)system->max_score, now->monotonic_ns);
	SET(stress, (uint8_t)stress);
	scores_scatter(sample);
}
#undef SET

/* The moment of the call, or a later one: what came before the source read its values, and how long that took, is not to be in any rate. */
static struct moment moment_taken(const struct moment *called, const struct source_tick *tick)
{
	struct moment taken = *called;
	if (tick->taken_boottime_ns > called->boottime_ns) {
		uint64_t later_ns = tick->taken_boottime_ns - called->boottime_ns;
		taken.boottime_ns += later_ns;
		taken.monotonic_ns += later_ns;
		taken.realtime_ns += later_ns;
	}
	return taken;
}

int sample_take(struct sample *sample, const struct moment *called, uint64_t budget_ns)
{
	struct source_tick tick = {0};
	struct raw_system *raw = &sample->raw[!sample->current];
	memset(raw, 0, sizeof(*raw));
	int result = sample->source->operations->tick(sample->source, budget_ns, delta_incoming(&sample->delta), raw, &tick);
	if (result < 0)
		return result;

	const struct moment now = moment_taken(called, &tick);
	struct span span = moment_span(sample->has_before ? &sample->before : NULL, &now);
	sample->current = !sample->current;
	if (sample->add)
		tick.signals |= sample->add(sample->add_context, span.elapsed_ns, delta_incoming(&sample->delta), tick.count, raw);
	tick.signals |= signals_seen(delta_incoming(&sample->delta), tick.count, raw, sample->uid);
	struct delta_result delta = delta_run(&sample->delta, &tick, &span, sample->records);
	memset(&sample->system, 0, sizeof(sample->system));
	identity_fill(&sample->system, &now, &span);
	sample->count = delta.count;
	struct waiting waiting = columns_gather(sample);
	const struct machine_sums sums = {
	        .cpu_ns = delta.cpu_ns,
	        .brief_cpu_ns = delta.brief_cpu_ns,
	        .brief_count = delta.brief_count,
	        .briefs_known = (tick.signals >> RH_SIGNAL_last_words & 1) != 0,
	        .run_delay_ms_per_s = waiting.delay_ms_per_s,
	        .run_delay_known = waiting.known,
	        .longest_run_wait_ns = waiting.longest_run_ns,
	        .longest_stuck_wait_ns = waiting.longest_stuck_ns,
	        .run_waits_known = waiting.longest_run_known,
	        .stuck_waits_known = waiting.longest_stuck_known,
	};
	bool steady = machine_fill(&sample->system, raw, &sample->raw[!sample->current], &span, &sums);
	counts_fill(sample, &delta, &tick, tick.discontinuous || !steady || !span.comparable);
	scores_fill(sample, &span, &now, &waiting);
	sample->before = now;
	sample->has_before = true;
	return 0;
}

struct publish_batch sample_batch(const struct sample *sample)
{
	return (struct publish_batch){
	        .records = sample->records,
	        .scores = sample->columns.score,
	        .pids = sample->pids,
	        .count = sample->count,
	        .total = sample->total,
	};
}
