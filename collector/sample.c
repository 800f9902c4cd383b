/* sample.c - see sample.h. */
#include "collector/sample.h"

#include "collector/blame.h"
#include "collector/contention.h"
#include "collector/machine.h"
#include "collector/signals.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

void sample_open(struct sample *sample, const struct config *config, struct source *source, struct pool *pool, uint32_t capacity)
{
	uint32_t rows = capacity * 2; /* as many may have gone as have come */
	memset(sample, 0, sizeof(*sample));
	sample->config = config;
	sample->source = source;
	sample->uid = (uint32_t)geteuid();
	delta_init(&sample->delta, pool, capacity);
	score_columns_take(&sample->columns, pool, rows);
	sample->records = pool_take(pool, rows, sizeof(struct rh_process));
	sample->pids = pool_take(pool, rows, sizeof(uint32_t));
	sample->delay_ms_per_s = pool_take(pool, rows, sizeof(float));
	sample->blame_ms_per_s = pool_take(pool, rows, sizeof(float));
}

static float value_or_0(const struct rh_process *record, unsigned id, float value)
{
	return rh_has(record->present, id) ? value : 0;
}

/* Records into columns. Who is gone uses nothing. Returns whether run delays are known of anybody. */
static bool columns_gather(struct sample *sample)
{
	struct score_columns *columns = &sample->columns;
	bool delays_known = false;
	for (uint32_t i = 0; i < sample->count; i++) {
		const struct rh_process *record = &sample->records[i];
		/* No rates are present in the last record of a process that is gone, but its memory is. */
		float mem_bytes = (record->flags & RH_PROCESS_exited) != 0 ? 0 : (float)record->mem_bytes;
		columns->use[RH_RESOURCE_cpu][i] = value_or_0(record, RH_F_cpu_pct, record->cpu_pct);
		columns->use[RH_RESOURCE_gpu][i] = value_or_0(record, RH_F_gpu_pct, record->gpu_pct);
		columns->use[RH_RESOURCE_memory][i] = value_or_0(record, RH_F_mem_bytes, mem_bytes);
		columns->use[RH_RESOURCE_disk][i] = value_or_0(record, RH_F_disk_io_bytes_per_s, record->disk_io_bytes_per_s);
		columns->use[RH_RESOURCE_wakeups][i] = value_or_0(record, RH_F_wakeups_per_s, record->wakeups_per_s);
		columns->state[i] = record->state;
		sample->pids[i] = record->pid;
		sample->delay_ms_per_s[i] = value_or_0(record, RH_F_runnable_ms_per_s, record->runnable_ms_per_s);
		delays_known = delays_known || rh_has(record->present, RH_F_runnable_ms_per_s);
	}
	return delays_known;
}

/*
 * Waiting inflicted. A source that measures cpu blame is believed; what it cannot tell apart, the waiting of hogs that compete with hogs, is
 * taken off in proportion to its part in the whole.
 */
static void blame_fill(struct sample *sample, bool delays_known)
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
	};
	float *harm = sample->columns.harm_ms_per_s;
	struct blame_result result = blame_estimate(&input, sample->blame_ms_per_s, harm);
	float victims = result.attributed_ms_per_s > 0 ? (float)(result.harm_ms_per_s / result.attributed_ms_per_s) : 1;
	for (uint32_t i = 0; i < sample->count; i++) {
		struct rh_process *record = &sample->records[i];
		if (rh_has(record->present, RH_F_cpu_blame_ms_per_s)) {
			harm[i] = record->cpu_blame_ms_per_s * victims;
		} else if (delays_known && rh_has(record->present, RH_F_cpu_pct)) {
			record->cpu_blame_ms_per_s = sample->blame_ms_per_s[i];
			rh_set(record->present, RH_F_cpu_blame_ms_per_s);
		}
		harm[i] += value_or_0(record, RH_F_io_blame_ms_per_s, record->io_blame_ms_per_s);
		harm[i] += value_or_0(record, RH_F_mem_blame_ms_per_s, record->mem_blame_ms_per_s);
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

static void counts_fill(struct sample *sample, const struct delta_result *result, const struct source_tick *tick, bool discontinuous)
{
	struct rh_system *system = &sample->system;
	sample->count = result->count;
	sample->total = result->count + tick->dropped;
	sample->lost += tick->dropped;
	sample->clamped += result->clamped;
	SET(process_count, sample->total);
	SET(exited_count, result->exited);
	SET(new_count, result->appeared);
	SET(stuck_count, result->stuck);
	SET(unreadable_count, tick->unreadable);
	SET(lost_count, sample->lost);
	SET(degraded, (uint16_t)tick->degraded);
	SET(sampler, sample->source->operations->sampler);
	SET(signals, tick->signals);
	SET(discontinuous, discontinuous);
}

static void scores_fill(struct sample *sample, const struct span *span, const struct moment *now)
{
	struct rh_system *system = &sample->system;
	struct score_machine machine = {
	        .mem_total_bytes = rh_has(system->present, RH_S_mem_total_bytes) ? (double)system->mem_total_bytes : 0,
	};
	bool delays_known = columns_gather(sample);
	blame_fill(sample, delays_known);
	contention_fill(sample, span, machine.contention);
	SET(max_score, score_run(sample->config, &machine, &sample->columns, sample->count));
	enum rh_stress stress = stress_update(&sample->stress, sample->config, (double)system->max_score, now->monotonic_ns);
	SET(stress, (uint8_t)stress);
	scores_scatter(sample);
}
#undef SET

int sample_take(struct sample *sample, const struct moment *now, uint64_t budget_ns)
{
	struct span span = moment_span(sample->has_before ? &sample->before : NULL, now);
	struct source_tick tick = {0};
	struct raw_system *raw = &sample->raw[!sample->current];
	memset(raw, 0, sizeof(*raw));
	int result = sample->source->operations->tick(sample->source, budget_ns, delta_incoming(&sample->delta), raw, &tick);
	if (result < 0)
		return result;

	sample->current = !sample->current;
	tick.signals |= signals_seen(delta_incoming(&sample->delta), tick.count, raw, sample->uid);
	struct delta_result delta = delta_run(&sample->delta, tick.count, &span, tick.dropped == 0, sample->records);
	memset(&sample->system, 0, sizeof(sample->system));
	identity_fill(&sample->system, now, &span);
	bool steady = machine_fill(&sample->system, raw, &sample->raw[!sample->current], &span, delta.cpu_ns);
	counts_fill(sample, &delta, &tick, tick.discontinuous || !steady || !span.comparable);
	scores_fill(sample, &span, now);
	sample->before = *now;
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
