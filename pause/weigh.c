/* weigh.c - see weigh.h. */
#include "pause/weigh.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double ns_per_s = 1e9;
/* Of a collector that was late without having been stopped, or without anything having stood still, only as much as this is told. */
static const double late_least_ns = 1e9;
/* A suspect that began to live as long as this after the onset may have come by. */
static const uint64_t late_begin_ns = 500000000;
/* Part of the waiting for a cpu that must be accounted for by others that ran; below it nobody took the cpu, as far as was seen. */
static const double covered_least = 0.3;
/* Inferred verdicts are not surer than this: see docs/pauses.md for the drills that it comes from. */
static const float cap_inferred = 0.90F, cap_doubt = 0.79F;

double weigh_covered(const struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	double held_back_ns = 0;
	for (uint32_t i = 0; i < weighing->sums.count; i++)
		held_back_ns += weighing->sums.rows[i].flags & RH_PROCESS_throttled ? weighing->sums.rows[i].run_wait_ns : 0;
	double waited_ns = machine->run_delay_ns - held_back_ns;
	return waited_ns > 0 ? 1 - fmin(1, fmax(0, machine->unattributed_ns - held_back_ns) / waited_ns) : (double)NAN;
}

/* ---- how sure ---- */

static void cap(struct pause *pause, float ratio, const char *reason)
{
	if (ratio >= pause->cap_ratio)
		return;
	pause->cap_ratio = ratio;
	snprintf(pause->cap_reason, sizeof(pause->cap_reason), "%s", reason);
}

/* Did all who are named first begin to live when it had been going on for a while? */
static bool began_late(const struct weighing *weighing)
{
	uint64_t first_ns = UINT64_MAX;
	for (uint32_t i = 0; i < weighing->sums.count; i++) {
		const struct sums_process *row = &weighing->sums.rows[i];
		if (row->party != 0 && row->party <= weighing->named && row->start_time_ns < first_ns)
			first_ns = row->start_time_ns;
	}
	return first_ns != UINT64_MAX && first_ns > weighing->incident->onset_ns + late_begin_ns;
}

static void set_confidence(struct weighing *weighing, double class_ratio, bool recorded)
{
	struct pause *pause = weighing->pause;
	const struct sums_machine *machine = &weighing->sums.machine;
	pause->cap_ratio = 1;
	pause->recorded = recorded;
	if (!recorded) {
		cap(pause, cap_inferred, "inferred");
		if (!(machine->signals >> RH_SIGNAL_scheduler & 1) && pause->class == PAUSE_CLASS_cpu)
			cap(pause, cap_doubt, "context switches were not watched");
		if (!(machine->signals >> RH_SIGNAL_steal & 1) && pause->class == PAUSE_CLASS_cpu)
			cap(pause, cap_doubt, "time that the hypervisor takes is not told");
		if (began_late(weighing))
			cap(pause, cap_doubt, "who is named began after the onset");
		if (machine->lost * 10 > machine->samples)
			cap(pause, cap_doubt, "samples were lost");
		if (machine->lost * 2 > machine->samples)
			weighing->certainty = fmin(weighing->certainty, 0.5);
		if (machine->seen_ns * 10 < (double)pause->span_ns * 9)
			cap(pause, cap_doubt, "part of it was not seen");
		if (pause->ongoing)
			cap(pause, cap_doubt, "it goes on");
	}
	pause->class_ratio = fminf((float)class_ratio, recorded ? 0.99F : pause->cap_ratio);
	pause->both_ratio = fminf((float)(class_ratio * weighing->certainty), recorded ? 0.99F : pause->cap_ratio);
	enum pause_word word = pause_word_for(pause->class_ratio, pause->both_ratio, recorded);
	pause->word = (uint8_t)word;
	for (uint32_t i = 0; i < pause->culprit_count && (word == PAUSE_WORD_unclear || word == PAUSE_WORD_unexplained); i++)
		if (pause->culprits[i].role == PAUSE_ROLE_culprit)
			pause->culprits[i].role = PAUSE_ROLE_candidate; /* nobody is named on so little */
}

/* ---- the machine and the monitor ---- */

static void whole_machine(struct weighing *weighing, enum pause_class class, double duration_ns)
{
	struct pause *pause = weighing->pause;
	pause->class = (uint8_t) class;
	pause->scope = PAUSE_SCOPE_machine;
	pause->duration_ns = (uint64_t)duration_ns;
	weighing->certainty = 1;
}

static bool weigh_suspend(struct weighing *weighing)
{
	whole_machine(weighing, PAUSE_CLASS_suspend, (double)weighing->incident->kinds[NOTICE_SUSPEND].longest_ns);
	set_confidence(weighing, 0.99, true);
	return true;
}

static bool weigh_host(struct weighing *weighing, double duration_ns, double class_ratio, bool recorded)
{
	whole_machine(weighing, PAUSE_CLASS_host, duration_ns);
	weighing->pause->outside = true;
	set_confidence(weighing, class_ratio, recorded);
	return true;
}

/* How many others had cpu time while the collector had none. */
static uint32_t others_that_ran(const struct sums *sums)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < sums->count; i++)
		count += sums->rows[i].cpu_ns > 0 && !sums_is_own(&sums->rows[i]);
	return count;
}

static bool weigh_monitor(struct weighing *weighing, double duration_ns, bool recorded)
{
	struct pause *pause = weighing->pause;
	const struct sums_machine *machine = &weighing->sums.machine;
	whole_machine(weighing, PAUSE_CLASS_monitor, duration_ns);
	pause->scope = PAUSE_SCOPE_monitor;
	pause->task_count = others_that_ran(&weighing->sums);
	if (recorded && machine->stopper_pid != 0) {
		struct pause_who *who = &pause->culprits[pause->culprit_count++];
		struct sums_process row = {.pid = machine->stopper_pid};
		const struct sums_process *known = sums_find(&weighing->sums, machine->stopper_pid, 0);
		memcpy(row.command, machine->stopper_command, sizeof(row.command));
		*who = (struct pause_who){.role = PAUSE_ROLE_culprit,
		        .kind = PAUSE_KIND_process,
		        .pid = row.pid,
		        .process_count = 1,
		        .share_ratio = NAN,
		        .amount = NAN,
		        .start_time_ns = known ? known->start_time_ns : 0,
		        .exited = !known || known->exited,
		        .harm_ns = (uint64_t)duration_ns};
		parties_process_name(&row, who->name);
		memcpy(who->command, row.command, sizeof(who->command));
		who->command[sizeof(who->command) - 1] = '\0';
		snprintf(who->how, sizeof(who->how), "SIGSTOP");
	}
	set_confidence(weighing, recorded ? 0.99 : 0.75, recorded);
	return true;
}

/*
 * Nothing of ours ran, and nobody says why. Where the machine went on, it switched between tasks as before; where it stood still, it did so only in the
 * rest of the time.
 */
static bool weigh_blackout(struct weighing *weighing, double gap_ns)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	double usual = machine->elapsed_before_ns > 0 ? machine->switches_before / machine->elapsed_before_ns : 0;
	double now = machine->elapsed_ns > 0 ? machine->switches / machine->elapsed_ns : 0;
	double free_part = 1 - fmin(1, gap_ns / fmax(machine->elapsed_ns, 1));
	if (usual <= 0)
		return false;
	if (now > usual * (0.5 + 0.5 * free_part))
		return gap_ns >= late_least_ns && weigh_monitor(weighing, gap_ns, false);
	return weigh_host(weighing, gap_ns, 0.75, false);
}

/* Returns true if it was the machine, or the monitor, as a whole. */
static bool weigh_whole(struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	const struct config *config = weighing->config;
	const struct incident_kind *gap = &weighing->incident->kinds[NOTICE_GAP], *run = &weighing->incident->kinds[NOTICE_RUN];
	const double gap_ns = (double)gap->longest_ns;
	double steal_ratio = machine->steal_ns / fmax(machine->elapsed_ns * machine->cpus, 1);
	weighing->pause->steal_ratio = (float)steal_ratio;
	if (gap->active && machine->stopped_ns >= config->pause_cpu_wait * ns_per_s)
		return weigh_monitor(weighing, machine->stopped_ns, true);
	if (steal_ratio >= config->pause_steal_from && (gap->active || run->active))
		return weigh_host(weighing, fmax(gap_ns, (double)run->longest_ns), 0.95, true);
	if (!gap->active)
		return false;
	bool guarded = machine->signals >> RH_SIGNAL_guard_deadline & 1;
	if (guarded && machine->guard_max_ns >= 0.5 * gap_ns)
		return weigh_blackout(weighing, gap_ns);
	return machine->canary_max_ns < 0.5 * gap_ns && gap_ns >= late_least_ns && weigh_monitor(weighing, gap_ns, false);
}

/* ---- tasks ---- */

static void add_up(struct weighing *weighing)
{
	const struct config *config = weighing->config;
	for (uint32_t i = 0; i < weighing->sums.count; i++) {
		const struct sums_process *row = &weighing->sums.rows[i];
		if (row->flags & RH_PROCESS_kernel_thread || sums_is_own(row))
			continue;
		double asleep_ns = row->io_wait_ns + row->mem_wait_ns;
		weighing->run_ns += row->run_longest_ns >= config->pause_cpu_wait * ns_per_s ? row->run_wait_ns : 0;
		weighing->io_ns += row->io_wait_ns >= 0.3 * ns_per_s ? row->io_wait_ns : 0;
		weighing->memory_ns += row->mem_wait_ns >= 0.3 * ns_per_s ? row->mem_wait_ns : 0;
		weighing->stuck_ns +=
		        row->stuck_longest_ns >= config->pause_stuck_wait * ns_per_s && asleep_ns < 0.5 * row->stuck_longest_ns
		                ? row->stuck_longest_ns
		                : 0;
	}
	weighing->run_ns = fmax(weighing->run_ns, (double)weighing->incident->kinds[NOTICE_RUN].longest_ns);
}

/* Was storage slow at that time? Then waits of unknown sort, for the journal of a file system above all, are its doing. */
static bool storage_was_slow(const struct sums_machine *machine)
{
	return (machine->disk_busy_max >= 0.5 && machine->disk_latency_max_ns >= 50e6) || machine->disk_busy_max >= 0.9 ||
	       machine->psi_io_ns >= 0.5 * machine->elapsed_ns;
}

/* Is it known who held the locks for a good part of the waits of unknown sort? */
static bool locks_are_known(const struct weighing *weighing)
{
	double known_ns = 0;
	for (uint32_t i = 0; i < weighing->sums.count; i++)
		known_ns += weighing->sums.rows[i].lock_blame_ns;
	return known_ns >= 0.3 * weighing->stuck_ns && known_ns > 0;
}

static bool try_class(struct weighing *weighing, enum pause_class class)
{
	struct pause *pause = weighing->pause;
	pause->class = (uint8_t) class;
	pause->own_fault = false;
	switch (class) {
	case PAUSE_CLASS_cpu:
		return accuse_cpu(weighing);
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
		return accuse_memory(weighing);
	case PAUSE_CLASS_io:
		return accuse_io(weighing);
	case PAUSE_CLASS_stuck:
		return accuse_stuck(weighing);
	case PAUSE_CLASS_throttle:
		return accuse_quota(weighing);
	case PAUSE_CLASS_unexplained:
	case PAUSE_CLASS_suspend:
	case PAUSE_CLASS_host:
	case PAUSE_CLASS_one_cpu:
	case PAUSE_CLASS_monitor:
	case PAUSE_CLASSES:
		break;
	}
	return false;
}

/* Classes that may fit, the deepest wait first: what waits for memory also waits for the disk and for the cpus that search for free pages. */
static unsigned order_classes(const struct weighing *weighing, enum pause_class classes[PAUSE_CLASSES])
{
	const struct incident_kind *kinds = weighing->incident->kinds;
	double most_ns = fmax(fmax(weighing->run_ns, weighing->io_ns), weighing->stuck_ns);
	bool slow = storage_was_slow(&weighing->sums.machine);
	unsigned count = 0;
	if (kinds[NOTICE_THROTTLE].active)
		classes[count++] = PAUSE_CLASS_throttle;
	if (kinds[NOTICE_OOM].active && weighing->memory_ns >= 0.2 * ns_per_s)
		classes[count++] = PAUSE_CLASS_oom;
	if (kinds[NOTICE_MEMORY].active && weighing->memory_ns >= 0.25 * most_ns)
		classes[count++] = PAUSE_CLASS_memory;
	bool stuck = kinds[NOTICE_STUCK].active && (!slow || locks_are_known(weighing));
	bool journal = kinds[NOTICE_STUCK].active && !stuck &&
	               (double)kinds[NOTICE_STUCK].longest_ns >= weighing->config->pause_io_wait * ns_per_s;
	bool stuck_first = stuck && weighing->stuck_ns > weighing->io_ns && weighing->stuck_ns > weighing->run_ns;
	if (stuck_first)
		classes[count++] = PAUSE_CLASS_stuck;
	if ((kinds[NOTICE_IO].active || journal) && weighing->io_ns + (journal ? weighing->stuck_ns : 0) >= 0.5 * weighing->run_ns)
		classes[count++] = PAUSE_CLASS_io;
	if (kinds[NOTICE_RUN].active)
		classes[count++] = PAUSE_CLASS_cpu;
	if (stuck && !stuck_first)
		classes[count++] = PAUSE_CLASS_stuck;
	if (kinds[NOTICE_IO].active)
		classes[count++] = PAUSE_CLASS_io;
	if (kinds[NOTICE_MEMORY].active)
		classes[count++] = PAUSE_CLASS_memory;
	return count;
}

/* How sure the class is, by what its own signals say. */
static double class_certainty(const struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	double covered = weigh_covered(weighing);
	switch (weighing->pause->class) {
	case PAUSE_CLASS_cpu:
		return covered >= 0.7 ? 0.97 : isnan(covered) ? 0.6 : 0.6 + 0.4 * covered;
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
		return machine->psi_memory_ns >= 0.3 * machine->elapsed_ns || machine->refaults + machine->swapins > 1000 ? 0.95 : 0.8;
	case PAUSE_CLASS_io:
		return storage_was_slow(machine) ? 0.96 : machine->psi_io_ns >= 0.5 * machine->elapsed_ns ? 0.88 : 0.75;
	case PAUSE_CLASS_stuck:
		return 0.9;
	default:
		return 0.99;
	}
}

static void what_fill(struct weighing *weighing)
{
	struct pause *pause = weighing->pause;
	const struct sums_machine *machine = &weighing->sums.machine;
	pause->scope = pause->class == PAUSE_CLASS_throttle ? PAUSE_SCOPE_cgroup : PAUSE_SCOPE_tasks;
	pause->idle_ratio = (float)(1 - fmin(1, machine->cpu_busy_ns / fmax(machine->elapsed_ns * machine->cpus, 1)));
	pause->taken_cpu = -1;
	if (pause->class == PAUSE_CLASS_cpu && machine->cpus > 1 && machine->canaries_late_max == 1) {
		pause->taken_cpu = (int32_t)machine->canary_cpu;
		pause->cpu_mask = machine->canary_cpu < 64 ? UINT64_C(1) << machine->canary_cpu : 0;
	}
	if (pause->class == PAUSE_CLASS_io && machine->disk_device != 0)
		snprintf(pause->device, sizeof(pause->device), "%u:%u", machine->disk_device >> 20, machine->disk_device & 0xfffff);
	if (pause->class == PAUSE_CLASS_oom && machine->oom_pid != 0) {
		struct sums_process row = {.pid = machine->oom_pid};
		memcpy(row.command, machine->oom_command, sizeof(row.command));
		parties_process_name(&row, pause->oom_victim);
		pause->oom_of_group = machine->mem_total > 0 && isfinite(machine->mem_available_least) &&
		                      machine->mem_available_least > 0.1 * machine->mem_total;
	}
}

/* Tasks waited for a cpu that nobody was seen to take: interrupts, where the kernel keeps their time and it was one cpu's; else nobody knows. */
static bool weigh_unexplained(struct weighing *weighing)
{
	struct pause *pause = weighing->pause;
	const struct sums_machine *machine = &weighing->sums.machine;
	bool interrupts = machine->irq_ns >= 0.5 * machine->elapsed_ns && machine->canaries_late_max == 1;
	pause->class = interrupts ? PAUSE_CLASS_one_cpu : PAUSE_CLASS_unexplained;
	weighing->named = 0;
	weighing->parties.count = 0;
	weighing->certainty = 0.5;
	pause->culprit_count = 0;
	if (victims_take(weighing, PAUSE_WAIT_cpu) <= 0)
		return false;
	what_fill(weighing);
	if (interrupts)
		pause->taken_cpu = (int32_t)machine->canary_cpu;
	set_confidence(weighing, interrupts ? 0.75 : 0.3, false);
	return true;
}

static bool weigh_tasks(struct weighing *weighing)
{
	enum pause_class classes[PAUSE_CLASSES];
	add_up(weighing);
	unsigned count = order_classes(weighing, classes);
	bool uncovered = weigh_covered(weighing) < covered_least;
	for (unsigned i = 0; i < count; i++) {
		if ((classes[i] == PAUSE_CLASS_cpu && uncovered) || !try_class(weighing, classes[i]))
			continue;
		what_fill(weighing);
		set_confidence(weighing, class_certainty(weighing), classes[i] == PAUSE_CLASS_throttle);
		return true;
	}
	return uncovered && weighing->incident->kinds[NOTICE_RUN].active && weigh_unexplained(weighing);
}

/* ---- all of it ---- */

static void place_in_time(struct weighing *weighing, const struct rh_view *newest, bool ongoing)
{
	struct pause *pause = weighing->pause;
	const struct incident *incident = weighing->incident;
	const struct sums_machine *machine = &weighing->sums.machine;
	pause->start_boottime_ns = incident->onset_ns;
	pause->start_realtime_ns = newest->system.realtime_ns - (newest->system.boottime_ns - incident->onset_ns);
	pause->span_ns = incident->last_ns - incident->onset_ns;
	pause->ongoing = ongoing;
	pause->onset_seen = machine->first_sample > 1 && machine->lost == 0;
	pause->seen_ns = whole_ns(fmin((double)pause->span_ns, machine->elapsed_ns));
	weighing->sums.machine.seen_ns = (double)pause->seen_ns;
	pause->records_count = machine->records;
	pause->lost_count = machine->lost;
	pause->lateness_max_ns = whole_ns(machine->lateness_max_ns);
	pause->signals = machine->signals;
	pause->first_sample = machine->first_sample;
	pause->last_sample = machine->last_sample;
	pause->place.cpus = machine->cpus;
	pause->place.mem_total_bytes = (uint64_t)machine->mem_total;
	pause->place.sampler = newest->system.sampler;
	pause->place.guard_class = (uint8_t)newest->system.guard_class;
}

bool weigh(const struct config *config, struct rh_ring *ring, const struct incident *incident, bool ongoing, struct pause *ret_pause)
{
	struct weighing weighing = {.config = config, .incident = incident, .ring = ring, .pause = ret_pause};
	const uint64_t lookback_ns = (uint64_t)(config->pause_lookback * ns_per_s);
	uint64_t from_ns = incident->onset_ns > lookback_ns ? incident->onset_ns - lookback_ns : 0;
	struct rh_view newest;
	*ret_pause = (struct pause){.taken_cpu = -1, .window_ns = lookback_ns, .steal_ratio = NAN, .idle_ratio = NAN};
	if (rh_at(ring, incident->last_sample, &newest) != RH_OK ||
	        sums_gather(&weighing.sums, ring, from_ns, incident->onset_ns, incident->last_ns, incident->last_sample) < 0) {
		sums_free(&weighing.sums);
		return false;
	}
	place_in_time(&weighing, &newest, ongoing);
	bool found = incident->kinds[NOTICE_SUSPEND].active ? weigh_suspend(&weighing) : weigh_whole(&weighing) || weigh_tasks(&weighing);
	if (found) {
		evidence_fill(&weighing);
		timeline_fill(&weighing);
	}
	sums_free(&weighing.sums);
	return found;
}
