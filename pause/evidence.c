/* evidence.c - what speaks for a judgement and against it, and what refutes the other classes: see weigh.h. */
#include "pause/weigh.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_SAMPLES = 64 };

static const double ns_per_s = 1e9, ns_per_ms = 1e6;

/* ---- what is usual ---- */

/* Values of a system field in the samples before the pause, as far as the ring has them. */
static double usual_of(const struct weighing *weighing, double (*value)(const struct rh_system *))
{
	double values[USUAL_SAMPLES];
	uint32_t count = 0;
	uint64_t sample = weighing->pause->first_sample;
	struct rh_view view;
	while (sample > 1 && count < USUAL_SAMPLES && rh_at(weighing->ring, --sample, &view) == RH_OK) {
		double now = value(&view.system);
		if (!isnan(now))
			values[count++] = now;
	}
	if (count < 5)
		return NAN;
	for (uint32_t i = 1; i < count; i++) /* insertion sort: few values, nearly alike */
		for (uint32_t j = i; j > 0 && values[j] < values[j - 1]; j--) {
			double swap = values[j];
			values[j] = values[j - 1];
			values[j - 1] = swap;
		}
	return values[count / 2];
}

#define USUAL(name, field, scale) \
	static double usual_##name(const struct rh_system *system) \
	{ \
		return rh_has(system->present, RH_S_##field) ? (double)system->field * (scale) : (double)NAN; \
	}
USUAL(psi_cpu, psi_cpu_some_ms_per_s, 1e-3)
USUAL(psi_memory, psi_memory_full_ms_per_s, 1e-3)
USUAL(psi_io, psi_io_full_ms_per_s, 1e-3)
USUAL(canary, canary_lateness_ns, 1)
USUAL(run_wait, longest_run_wait_ns, 1)
USUAL(latency, disk_latency_max_ns, 1)
USUAL(disk_busy, disk_busy_ratio, 1)
USUAL(available, mem_available_bytes, 1)
USUAL(switches, switches_per_s, 1)
#undef USUAL

/* ---- adding ---- */

static void add(struct weighing *weighing, bool against, const char *signal, double value, double usual, const char *unit,
        const char *format, ...) __attribute__((format(printf, 7, 8)));

static void add(
        struct weighing *weighing, bool against, const char *signal, double value, double usual, const char *unit, const char *format, ...)
{
	struct pause *pause = weighing->pause;
	va_list arguments;
	if (pause->evidence_count == PAUSE_EVIDENCE || isnan(value))
		return;
	struct pause_evidence *evidence = &pause->evidence[pause->evidence_count++];
	*evidence = (struct pause_evidence){.against = against, .value = value, .usual = usual};
	snprintf(evidence->signal, sizeof(evidence->signal), "%s", signal);
	snprintf(evidence->unit, sizeof(evidence->unit), "%s", unit);
	va_start(arguments, format);
	vsnprintf(evidence->text, sizeof(evidence->text), format, arguments);
	va_end(arguments);
}

static double part(double ns, const struct sums_machine *machine)
{
	return machine->elapsed_ns > 0 ? fmin(1, ns / machine->elapsed_ns) : (double)NAN;
}

/* ---- for ---- */

static void for_cpu(struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	double covered = weigh_covered(weighing);
	add(weighing, false, "canary.lateness", machine->canary_max_ns, usual_of(weighing, usual_canary), "ns",
	        "a normal program on CPU %u came late", machine->canary_cpu);
	add(weighing, false, "sched.run_wait", (double)weighing->incident->kinds[NOTICE_RUN].longest_ns, usual_of(weighing, usual_run_wait),
	        "ns", "longest wait for a cpu");
	add(weighing, false, "sched.covered", covered, NAN, "ratio", "of the waiting is covered by others that ran on the same cpu");
	add(weighing, false, "psi.cpu.some", part(machine->psi_cpu_ns, machine), usual_of(weighing, usual_psi_cpu), "ratio",
	        "cpu PSI some");
}

static void for_memory(struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	add(weighing, false, "psi.memory.full", part(machine->psi_memory_full_ns, machine), usual_of(weighing, usual_psi_memory), "ratio",
	        "memory PSI full");
	add(weighing, false, "meminfo.available", machine->mem_available_least, usual_of(weighing, usual_available), "bytes",
	        "least memory available");
	add(weighing, false, "vmstat.refaults", machine->refaults, NAN, "count", "evicted pages that were needed again");
	add(weighing, false, "vmstat.allocstall", machine->allocstalls, NAN, "count", "allocations that had to reclaim by themselves");
	if (machine->swapins > 0)
		add(weighing, false, "vmstat.swapins", machine->swapins, NAN, "count", "pages swapped in");
	if (machine->oom_kills > 0)
		add(weighing, false, "vmstat.oom_kill", machine->oom_kills, NAN, "count", "processes killed for lack of memory");
}

static void for_io(struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	add(weighing, false, "psi.io.full", part(machine->psi_io_full_ns, machine), usual_of(weighing, usual_psi_io), "ratio",
	        "io PSI full");
	add(weighing, false, "block.latency_max", machine->disk_latency_max_ns, usual_of(weighing, usual_latency), "ns",
	        "slowest single request");
	add(weighing, false, "disk.busy", machine->disk_busy_max, usual_of(weighing, usual_disk_busy), "ratio", "busiest disk");
	add(weighing, false, "sched.block_io", weighing->io_ns, NAN, "ns", "waiting for storage in all");
}

static void for_stuck(struct weighing *weighing)
{
	const struct incident_kind *stuck = &weighing->incident->kinds[NOTICE_STUCK];
	add(weighing, false, "sched.stuck_wait", (double)stuck->longest_ns, NAN, "ns",
	        "longest uninterruptible wait, neither for storage nor for memory");
	add(weighing, false, "lock.waiting", weighing->parties.metric_total, NAN, "ns", "waiting for kernel locks whose holder is known");
}

static void for_whole(struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	const struct incident_kind *gap = &weighing->incident->kinds[NOTICE_GAP];
	if (weighing->pause->class == PAUSE_CLASS_suspend)
		add(weighing, false, "clock.boottime", (double)weighing->incident->kinds[NOTICE_SUSPEND].longest_ns, 0, "ns",
		        "CLOCK_BOOTTIME went on while CLOCK_MONOTONIC stood still");
	if (gap->active)
		add(weighing, false, "collector.lateness", (double)gap->longest_ns, NAN, "ns", "the collector's own sample was late");
	if (machine->stopped_ns > 0)
		add(weighing, false, "signal.stopped", machine->stopped_ns, NAN, "ns", "the collector was stopped by a signal");
	add(weighing, false, "guard.lateness", machine->guard_max_ns, NAN, "ns", "the guard thread came late");
	if (machine->elapsed_ns > 0)
		add(weighing, false, "sched.switches", machine->switches / (machine->elapsed_ns / ns_per_s),
		        usual_of(weighing, usual_switches), "per_s", "context switches meanwhile");
}

static void for_accused(struct weighing *weighing)
{
	for (uint32_t i = 0; i < weighing->named && i < weighing->parties.count && weighing->pause->culprits[i].role == PAUSE_ROLE_culprit;
	        i++) {
		const struct party *party = &weighing->parties.list[i];
		char name[PAUSE_NAME_BYTES];
		add(weighing, false, "blame.share", parties_share(&weighing->parties, i), NAN, "ratio", "of the blame falls on %.60s",
		        parties_process_name(party->leader, name));
	}
}

/* ---- against ---- */

/* Who took as much before the pause began, without one, may have been in the same place by chance. */
static void against_accused(struct weighing *weighing)
{
	const struct pause *pause = weighing->pause;
	if (weighing->named == 0 || pause->class != PAUSE_CLASS_cpu)
		return;
	double before_ns = 0, during_ns = 0;
	for (uint32_t i = 0; i < weighing->sums.count; i++) {
		const struct sums_process *row = &weighing->sums.rows[i];
		before_ns += row->party == 1 ? row->cpu_before_ns : 0;
		during_ns += row->party == 1 ? row->cpu_ns : 0;
	}
	double before = before_ns / fmax((double)pause->window_ns, 1), during = during_ns / fmax((double)pause->span_ns, 1);
	if (before > 0.8 * during && during > 0.2)
		add(weighing, true, "cpu.before", before, NAN, "ratio", "it used as much cpu in the seconds before");
}

static void against_second(struct weighing *weighing)
{
	double second = parties_share(&weighing->parties, weighing->named);
	if (weighing->named > 0 && second >= 0.1) {
		char name[PAUSE_NAME_BYTES];
		add(weighing, true, "blame.share", second, NAN, "ratio", "of the blame falls on %.60s",
		        parties_process_name(weighing->parties.list[weighing->named].leader, name));
	}
}

/* ---- the other classes ---- */

static void weigh_other(struct weighing *weighing, enum pause_class class, bool possible, double p_ratio, const char *signal, double value,
        const char *unit, const char *text)
{
	struct pause *pause = weighing->pause;
	if (class == pause->class || pause->alternative_count == PAUSE_CLASSES)
		return;
	struct pause_alternative *other = &pause->alternatives[pause->alternative_count++];
	*other = (struct pause_alternative){.class = (uint8_t) class, .value = value};
	other->result = isnan(value) ? PAUSE_RESULT_cannot_tell : possible ? PAUSE_RESULT_possible : PAUSE_RESULT_rejected;
	other->p_ratio = possible ? (float)p_ratio : 0;
	snprintf(other->signal, sizeof(other->signal), "%s", signal);
	snprintf(other->unit, sizeof(other->unit), "%s", unit);
	snprintf(other->text, sizeof(other->text), "%s", isnan(value) ? "cannot tell" : text);
}

static bool live(const struct weighing *weighing, unsigned signal)
{
	return weighing->sums.machine.signals >> signal & 1;
}

static void others_of_tasks(struct weighing *weighing)
{
	const struct incident_kind *kinds = weighing->incident->kinds;
	const struct sums_machine *machine = &weighing->sums.machine;
	char text[PAUSE_TEXT_BYTES];
	double spare = 1 - (double)weighing->pause->both_ratio;
	double run_ns = (double)kinds[NOTICE_RUN].longest_ns;
	snprintf(text, sizeof(text), "longest ready wait %.0f ms", fmax(run_ns, machine->canary_max_ns) / ns_per_ms);
	weigh_other(weighing, PAUSE_CLASS_cpu, kinds[NOTICE_RUN].active, spare * 0.5, "sched.run_wait", run_ns, "ns", text);
	double irq = machine->irq_ns / fmax(machine->elapsed_ns, 1);
	snprintf(text, sizeof(text), "interrupts took %.0f%% of one cpu", irq * 100);
	weigh_other(weighing, PAUSE_CLASS_one_cpu, irq >= 0.5, spare * 0.2, "stat.irq", irq, "ratio", text);
	double memory = live(weighing, RH_SIGNAL_psi_memory) ? part(machine->psi_memory_full_ns, machine) : (double)NAN;
	snprintf(text, sizeof(text), "memory PSI full %.0f%%, waiting %.0f ms", memory * 100, weighing->memory_ns / ns_per_ms);
	weigh_other(weighing, PAUSE_CLASS_memory, kinds[NOTICE_MEMORY].active, spare * 0.4, "psi.memory.full", memory, "ratio", text);
	double busy = live(weighing, RH_SIGNAL_psi_io) ? part(machine->psi_io_full_ns, machine) : (double)NAN;
	snprintf(text, sizeof(text), "io PSI full %.0f%%, waiting for storage %.0f ms", busy * 100, weighing->io_ns / ns_per_ms);
	weigh_other(weighing, PAUSE_CLASS_io, kinds[NOTICE_IO].active, spare * 0.4, "psi.io.full", busy, "ratio", text);
	double throttled = live(weighing, RH_SIGNAL_cpu_quota) ? (double)kinds[NOTICE_THROTTLE].longest_ns : (double)NAN;
	weigh_other(weighing, PAUSE_CLASS_throttle, kinds[NOTICE_THROTTLE].active, spare * 0.2, "cpu.throttled", throttled, "ns",
	        kinds[NOTICE_THROTTLE].active ? "a group was held back as well" : "no group was held back");
	double stuck_ns = live(weighing, RH_SIGNAL_scheduler) ? (double)kinds[NOTICE_STUCK].longest_ns : (double)NAN;
	weigh_other(weighing, PAUSE_CLASS_stuck, kinds[NOTICE_STUCK].active, spare * 0.3, "sched.stuck_wait", stuck_ns, "ns",
	        kinds[NOTICE_STUCK].active ? "there were long waits of unknown sort, too" : "no long wait of unknown sort");
}

static void others_of_machine(struct weighing *weighing)
{
	const struct incident_kind *kinds = weighing->incident->kinds;
	const struct sums_machine *machine = &weighing->sums.machine;
	char text[PAUSE_TEXT_BYTES];
	double steal = live(weighing, RH_SIGNAL_steal) ? machine->steal_ns / fmax(machine->elapsed_ns * machine->cpus, 1) : (double)NAN;
	snprintf(text, sizeof(text), "steal %.1f%%", steal * 100);
	weigh_other(weighing, PAUSE_CLASS_host, steal >= 0.1, (1 - (double)weighing->pause->both_ratio) * 0.3, "stat.steal", steal, "ratio",
	        text);
	weigh_other(weighing, PAUSE_CLASS_suspend, kinds[NOTICE_SUSPEND].active, 0, "clock.boottime",
	        (double)kinds[NOTICE_SUSPEND].longest_ns, "ns", kinds[NOTICE_SUSPEND].active ? "it was suspended as well" : "clocks agree");
	weigh_other(weighing, PAUSE_CLASS_oom, machine->oom_kills > 0, 0.05, "vmstat.oom_kill", machine->oom_kills, "count",
	        machine->oom_kills > 0 ? "a process was killed as well" : "nobody was killed");
	double late_ns = live(weighing, RH_SIGNAL_guard_deadline) ? machine->guard_max_ns : (double)NAN;
	snprintf(text, sizeof(text), "guard late by %.1f ms", late_ns / ns_per_ms);
	weigh_other(weighing, PAUSE_CLASS_monitor, false, 0, "guard.lateness", late_ns, "ns", text);
}

void evidence_fill(struct weighing *weighing)
{
	switch (weighing->pause->class) {
	case PAUSE_CLASS_cpu:
	case PAUSE_CLASS_one_cpu:
		for_cpu(weighing);
		break;
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
		for_memory(weighing);
		break;
	case PAUSE_CLASS_io:
		for_io(weighing);
		break;
	case PAUSE_CLASS_stuck:
		for_stuck(weighing);
		break;
	case PAUSE_CLASS_throttle:
		add(weighing, false, "cpu.throttled", (double)weighing->incident->kinds[NOTICE_THROTTLE].longest_ns, NAN, "ns",
		        "longest wait for the group's own quota");
		add(weighing, false, "stat.idle", (double)weighing->pause->idle_ratio, NAN, "ratio", "of the cpus were idle meanwhile");
		break;
	default:
		for_whole(weighing);
	}
	for_accused(weighing);
	against_accused(weighing);
	against_second(weighing);
	others_of_machine(weighing);
	others_of_tasks(weighing);
}
