/* sums.c - see sums.h. */
#include "pause/sums.h"

#include "pause/waits.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROWS = 1024, GENERATIONS = 64, KTHREADD = 2, BATCH = 32, BACK_MOST = 4096 };

static const double ns_per_ms = 1e6;

/* ---- the table ---- */

static uint32_t place_of(const struct sums *sums, uint32_t pid, uint64_t start_time_ns)
{
	uint64_t hash = (pid ^ start_time_ns * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32) & (sums->index_size - 1);
}

static void index_add(struct sums *sums, uint32_t row)
{
	const struct sums_process *process = &sums->rows[row];
	uint32_t place = place_of(sums, process->pid, process->start_time_ns);
	while (sums->index[place] != 0)
		place = (place + 1) & (sums->index_size - 1);
	sums->index[place] = row + 1;
}

static int grow(struct sums *sums)
{
	uint32_t capacity = sums->capacity ? 2 * sums->capacity : FIRST_ROWS;
	struct sums_process *rows = realloc(sums->rows, capacity * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	sums->rows = rows;
	uint32_t *index = calloc(2 * (size_t)capacity, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(sums->index);
	sums->index = index;
	sums->index_size = 2 * capacity;
	sums->capacity = capacity;
	for (uint32_t i = 0; i < sums->count; i++)
		index_add(sums, i);
	return 0;
}

static struct sums_process *find_exact(const struct sums *sums, uint32_t pid, uint64_t start_time_ns)
{
	if (sums->index_size == 0)
		return NULL;
	for (uint32_t place = place_of(sums, pid, start_time_ns); sums->index[place] != 0; place = (place + 1) & (sums->index_size - 1)) {
		struct sums_process *row = &sums->rows[sums->index[place] - 1];
		if (row->pid == pid && row->start_time_ns == start_time_ns)
			return row;
	}
	return NULL;
}

struct sums_process *sums_find(const struct sums *sums, uint32_t pid, uint64_t start_time_ns)
{
	struct sums_process *newest = NULL;
	if (start_time_ns != 0)
		return find_exact(sums, pid, start_time_ns);
	for (uint32_t i = 0; i < sums->count; i++)
		if (sums->rows[i].pid == pid && (!newest || sums->rows[i].start_time_ns > newest->start_time_ns))
			newest = &sums->rows[i];
	return newest;
}

static struct sums_process *find_or_add(struct sums *sums, const struct rh_process *record)
{
	struct sums_process *row = find_exact(sums, record->pid, record->start_time_ns);
	if (row)
		return row;
	if (sums->count == sums->capacity && grow(sums) < 0)
		return NULL;
	row = &sums->rows[sums->count];
	*row = (struct sums_process){.pid = record->pid, .start_time_ns = record->start_time_ns, .mem_least_bytes = -1};
	index_add(sums, sums->count++);
	return row;
}

/* ---- one record ---- */

/* A rate in ms per second over a sample's interval, as ns. */
#define SPENT(field) (rh_has(record->present, RH_F_##field) ? (double)record->field * ns_per_ms * seconds : 0)
#define RATE(field) (rh_has(record->present, RH_F_##field) ? (double)record->field * seconds : 0)

static void identity_take(struct sums_process *row, const struct rh_process *record, uint64_t now_ns)
{
	uint16_t throttled = (row->flags | record->flags) & RH_PROCESS_throttled;
	row->flags = record->flags | throttled;
	/* Who started it, not who has it since that one is gone. */
	row->ppid = row->ppid == 0 && rh_has(record->present, RH_F_ppid) ? record->ppid : row->ppid;
	memcpy(row->command, record->command, sizeof(row->command));
	row->policy = record->policy;
	row->nice = record->nice;
	row->priority = record->priority;
	row->cgroup_id = rh_has(record->present, RH_F_cgroup_id) ? record->cgroup_id : row->cgroup_id;
	row->threads =
	        rh_has(record->present, RH_F_threads_count) && record->threads_count > row->threads ? record->threads_count : row->threads;
	row->exited = (record->flags & RH_PROCESS_exited) != 0 || record->state == RH_STATE_zombie;
	row->first_seen_ns = row->first_seen_ns ? row->first_seen_ns : now_ns;
	row->last_seen_ns = now_ns;
}

static void memory_take(struct sums_process *row, const struct rh_process *record)
{
	if (!rh_has(record->present, RH_F_mem_bytes) || row->exited)
		return;
	double bytes = (double)record->mem_bytes;
	if (row->mem_least_bytes < 0) /* one that is new grew from nothing */
		row->mem_least_bytes = record->flags & RH_PROCESS_new ? 0 : bytes;
	row->mem_least_bytes = fmin(row->mem_least_bytes, bytes);
	row->grown_bytes = fmax(row->grown_bytes, bytes - row->mem_least_bytes);
}

static void during_take(struct sums_process *row, const struct rh_process *record, const struct waits *waits, double seconds)
{
	row->cpu_ns += RATE(cpu_pct) * 1e7;
	row->cpu_blame_ns += SPENT(cpu_blame_ms_per_s);
	row->run_wait_ns += waits->run * seconds * 1e9;
	row->lock_blame_ns += SPENT(lock_blame_ms_per_s);
	row->io_time_ns += SPENT(io_time_ms_per_s);
	row->io_blame_ns += SPENT(io_blame_ms_per_s);
	row->io_wait_ns += waits->io * seconds * 1e9;
	row->mem_wait_ns += waits->memory * seconds * 1e9;
	row->run_longest_ns = fmax(row->run_longest_ns, waits->run_longest_ns);
	row->stuck_longest_ns = fmax(row->stuck_longest_ns, waits->stuck_longest_ns);
	row->bytes += RATE(disk_io_bytes_per_s);
}

static void record_take(struct sums *sums, const struct rh_process *record, uint64_t now_ns, double seconds, bool during)
{
	struct sums_process *row = find_or_add(sums, record);
	if (!row)
		return;
	identity_take(row, record, now_ns);
	memory_take(row, record);
	row->bytes_all += RATE(disk_io_bytes_per_s);
	row->pageins_all += RATE(pageins_per_s);
	struct waits waits = waits_of(record, now_ns, sums->refaults_per_s);
	row->mem_wait_all_ns += waits.memory * seconds * 1e9;
	row->reclaim_all_ns += waits.reclaim * seconds * 1e9;
	if (during)
		during_take(row, record, &waits, seconds);
	else
		row->cpu_before_ns += RATE(cpu_pct) * 1e7;
}
#undef SPENT
#undef RATE

/* ---- the machine ---- */

#define HAS(field) rh_has(system->present, RH_S_##field)
#define SPENT(member, field) (machine->member += HAS(field) ? (double)system->field * ns_per_ms * seconds : 0)
#define WHOLE(member, field) (machine->member += HAS(field) ? (double)system->field * seconds * 1e9 * machine->cpus : 0)
#define MOST(member, field) (machine->member = HAS(field) ? fmax(machine->member, (double)system->field) : machine->member)
#define LEAST(member, field) (machine->member = HAS(field) ? fmin(machine->member, (double)system->field) : machine->member)

static void disk_take(struct sums_machine *machine, const struct rh_system *system)
{
	MOST(disk_busy_max, disk_busy_ratio);
	MOST(disk_latency_max_ns, disk_latency_max_ns);
	if (HAS(disk_slowest_device) && HAS(disk_slowest_latency_ns) &&
	        (double)system->disk_slowest_latency_ns >= machine->disk_device_latency_ns) {
		machine->disk_device = system->disk_slowest_device;
		machine->disk_device_latency_ns = (double)system->disk_slowest_latency_ns;
	}
}

static void guard_take(struct sums_machine *machine, const struct rh_system *system)
{
	MOST(guard_max_ns, guard_lateness_ns);
	MOST(lateness_max_ns, lateness_ns);
	if (HAS(canary_lateness_ns) && (double)system->canary_lateness_ns >= machine->canary_max_ns) {
		machine->canary_max_ns = (double)system->canary_lateness_ns;
		machine->canary_cpu = system->canary_cpu;
	}
	if (HAS(canaries_late_count) && system->canaries_late_count > machine->canaries_late_max)
		machine->canaries_late_max = system->canaries_late_count;
}

static void collector_take(struct sums_machine *machine, const struct rh_system *system, double seconds)
{
	machine->stopped_ns += HAS(self_stopped_ns) ? (double)system->self_stopped_ns : 0;
	machine->switches += HAS(switches_per_s) ? (double)system->switches_per_s * seconds : 0;
	if (HAS(stop_sender_pid)) {
		machine->stopper_pid = system->stop_sender_pid;
		memcpy(machine->stopper_command, system->stop_sender_command, sizeof(machine->stopper_command));
	}
	if (HAS(oom_victim_pid)) {
		machine->oom_pid = system->oom_victim_pid;
		memcpy(machine->oom_command, system->oom_victim_command, sizeof(machine->oom_command));
	}
}

static void machine_take(struct sums_machine *machine, const struct rh_system *system, double seconds)
{
	machine->cpus = HAS(cpus_count) && system->cpus_count > 0 ? system->cpus_count : 1;
	machine->elapsed_ns += seconds * 1e9;
	WHOLE(cpu_busy_ns, cpu_busy_ratio);
	WHOLE(steal_ns, cpu_steal_ratio);
	WHOLE(irq_ns, cpu_irq_ratio);
	SPENT(run_delay_ns, run_delay_ms_per_s);
	SPENT(unattributed_ns, run_delay_unattributed_ms_per_s);
	SPENT(psi_cpu_ns, psi_cpu_some_ms_per_s);
	SPENT(psi_memory_ns, psi_memory_some_ms_per_s);
	SPENT(psi_memory_full_ns, psi_memory_full_ms_per_s);
	SPENT(psi_io_ns, psi_io_some_ms_per_s);
	SPENT(psi_io_full_ns, psi_io_full_ms_per_s);
	LEAST(mem_available_least, mem_available_bytes);
	if (HAS(mem_total_bytes))
		machine->mem_total = (double)system->mem_total_bytes;
	collector_take(machine, system, seconds);
	disk_take(machine, system);
	guard_take(machine, system);
	machine->signals &= HAS(signals) ? system->signals : 0;
}

/* Counters of the machine, from the first sample of the pause to the last. */
static void counters_take(struct sums_machine *machine, const struct rh_system *first, const struct rh_system *last)
{
#define GREW(member, field) \
	(machine->member = rh_has(first->present, RH_S_##field) && rh_has(last->present, RH_S_##field) && last->field > first->field \
	                           ? (double)(last->field - first->field) \
	                           : 0)
	GREW(allocstalls, allocstalls_count);
	GREW(refaults, refaults_count);
	GREW(swapins, swapins_count);
	GREW(oom_kills, oom_kills_count);
#undef GREW
}
#undef HAS
#undef SPENT
#undef WHOLE
#undef MOST
#undef LEAST

/* ---- all samples ---- */

static uint64_t first_wanted(struct rh_ring *ring, uint64_t from_ns, uint64_t last, uint32_t *ret_lost)
{
	uint64_t oldest = rh_oldest(ring), sample = last;
	struct rh_view view;
	for (unsigned i = 0; sample > oldest && i < BACK_MOST; i++) {
		/* One that cannot be read is counted later on: what lies before it may be there all the same. */
		if (rh_at(ring, sample - 1, &view) == RH_OK && view.system.boottime_ns <= from_ns)
			return sample;
		sample--;
	}
	*ret_lost = sample > 1 && sample == oldest ? 1 : 0;
	return sample;
}

/* Records count only once they are known to be whole: they are copied a few at a time, and then looked at. */
static bool view_take(struct sums *sums, const struct rh_view *view, bool during)
{
	const double seconds = (double)view->system.elapsed_ns / 1e9;
	struct rh_process batch[BATCH];
	for (uint32_t i = 0; i < view->count; i += BATCH) {
		uint32_t count = 0;
		while (count < BATCH && rh_copy(view, i + count, &batch[count]))
			count++;
		if (!rh_valid(view))
			return false;
		for (uint32_t j = 0; j < count; j++)
			record_take(sums, &batch[j], view->system.boottime_ns, seconds, during);
	}
	if (during) {
		machine_take(&sums->machine, &view->system, seconds);
		sums->machine.records += view->count;
		sums->machine.last_sample = view->sample;
		sums->machine.first_sample = sums->machine.first_sample ? sums->machine.first_sample : view->sample;
	}
	if (!during && rh_has(view->system.present, RH_S_switches_per_s)) {
		sums->machine.switches_before += (double)view->system.switches_per_s * seconds;
		sums->machine.elapsed_before_ns += seconds * 1e9;
	}
	sums->machine.samples++;
	return true;
}

int sums_gather(struct sums *sums, struct rh_ring *ring, uint64_t from_ns, uint64_t onset_ns, uint64_t end_ns, uint64_t last)
{
	struct rh_system before = {0}, newest = {0}, previous = {0};
	struct rh_view view;
	*sums = (struct sums){.machine = {.signals = UINT64_MAX, .mem_available_least = INFINITY}};
	if (grow(sums) < 0)
		return -ENOMEM;
	for (uint64_t sample = first_wanted(ring, from_ns, last, &sums->machine.lost); sample <= last; sample++) {
		if (rh_at(ring, sample, &view) != RH_OK) {
			sums->machine.lost++;
			continue;
		}
		const uint64_t now_ns = view.system.boottime_ns;
		if (now_ns > end_ns)
			break;
		bool during = now_ns > onset_ns;
		sums->refaults_per_s = waits_refaults(&previous, &view.system);
		previous = view.system;
		if (!view_take(sums, &view, during)) {
			sums->machine.lost++;
			continue;
		}
		if (during)
			newest = view.system;
		else
			before = view.system;
	}
	counters_take(&sums->machine, &before, &newest);
	return 0;
}

void sums_free(struct sums *sums)
{
	free(sums->rows);
	free(sums->index);
	*sums = (struct sums){0};
}

/* ---- kinship ---- */

struct sums_process *sums_parent(const struct sums *sums, struct sums_process *process)
{
	if (process->parent == 0) {
		process->parent = UINT32_MAX;
		for (uint32_t i = 0; i < sums->count && process->ppid > KTHREADD; i++) {
			const struct sums_process *row = &sums->rows[i];
			bool fits = row->pid == process->ppid && row->start_time_ns <= process->start_time_ns;
			if (fits && (process->parent == UINT32_MAX || row->start_time_ns > sums->rows[process->parent - 1].start_time_ns))
				process->parent = i + 1;
		}
	}
	return process->parent == UINT32_MAX ? NULL : &sums->rows[process->parent - 1];
}

bool sums_descends(const struct sums *sums, struct sums_process *process, const struct sums_process *ancestor)
{
	for (unsigned i = 0; process && i < GENERATIONS; i++, process = sums_parent(sums, process))
		if (process == ancestor)
			return true;
	return false;
}

bool sums_is_own(const struct sums_process *process)
{
	return waits_is_own(process->command);
}
