/* victims.c - who stood still: see weigh.h. */
#include "pause/waits.h"
#include "pause/weigh.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ns_per_s = 1e9;
/* A single wait for storage below this is no stand-still. */
static const double single_least_ns = 100e6;

/* Cpu time that each of those that wanted to run could have had, were they all alike. */
static double fair_ns(const struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	double wanted_ns = 0;
	for (uint32_t i = 0; i < weighing->sums.count; i++)
		wanted_ns += weighing->sums.rows[i].cpu_ns + weighing->sums.rows[i].run_wait_ns;
	double parallel = wanted_ns / fmax(machine->elapsed_ns, 1);
	return machine->elapsed_ns * fmin(1, machine->cpus / fmax(parallel, 1));
}

static double longest_for_cpu(const struct weighing *weighing, const struct sums_process *row)
{
	const double least_ns = weighing->config->pause_cpu_wait * ns_per_s;
	if (row->run_longest_ns >= least_ns)
		return row->run_longest_ns;
	bool choked = row->run_wait_ns >= WAITS_CHOKED_TIMES * least_ns && row->cpu_ns <= WAITS_CHOKED_CPU * row->run_wait_ns &&
	              (row->run_longest_ns >= WAITS_CHOKED_SINGLE_NS || row->run_longest_ns <= 0); /* 0: single waits are not known */
	if (!choked || (weighing->named == 0 && row->cpu_ns > weighing->config->pause_fair_fraction * fair_ns(weighing)))
		return 0;
	return fmin(row->run_wait_ns, (double)weighing->incident->kinds[NOTICE_RUN].longest_ns);
}

/* How long the process stood still at a stretch for that; 0 where it did not long enough. */
static double longest_of(const struct weighing *weighing, const struct sums_process *row, enum pause_wait wait)
{
	const struct config *config = weighing->config;
	const struct incident_kind *kinds = weighing->incident->kinds;
	switch (wait) {
	case PAUSE_WAIT_cpu:
		return row->flags & RH_PROCESS_throttled ? 0 : longest_for_cpu(weighing, row);
	case PAUSE_WAIT_quota:
		return row->run_longest_ns >= config->pause_cpu_wait * ns_per_s && row->flags & RH_PROCESS_throttled ? row->run_longest_ns
		                                                                                                     : 0;
	case PAUSE_WAIT_block_io:
		if (row->io_wait_ns >= 0.5 * config->pause_io_wait * ns_per_s && row->stuck_longest_ns >= single_least_ns)
			return fmax(row->stuck_longest_ns, fmin(row->io_wait_ns, (double)kinds[NOTICE_IO].longest_ns));
		return row->stuck_longest_ns >= config->pause_stuck_wait * ns_per_s ? row->stuck_longest_ns : 0;
	case PAUSE_WAIT_memory:
		if (row->mem_wait_ns < 0.5 * config->pause_memory_wait * ns_per_s)
			return 0;
		return fmax(fmin(row->stuck_longest_ns, row->mem_wait_ns), fmin(row->mem_wait_ns, (double)kinds[NOTICE_MEMORY].longest_ns));
	case PAUSE_WAIT_lock:
		return row->stuck_longest_ns >= config->pause_stuck_wait * ns_per_s ? row->stuck_longest_ns : 0;
	case PAUSE_WAIT_unknown:
	case PAUSE_WAIT_stopped:
		break;
	}
	return 0;
}

static double total_of(const struct sums_process *row, enum pause_wait wait, double longest_ns)
{
	double total_ns = wait == PAUSE_WAIT_cpu || wait == PAUSE_WAIT_quota ? row->run_wait_ns
	                  : wait == PAUSE_WAIT_memory                        ? row->mem_wait_ns
	                  : wait == PAUSE_WAIT_block_io                      ? row->io_wait_ns
	                                                                     : 0;
	return fmax(total_ns, longest_ns);
}

/*
 * Is it one of those who are named? Of a lock's waiting also who is of their kind and kin without having held it: a storm of forks that is in its own way has no
 * victims.
 */
static bool is_named(const struct weighing *weighing, struct sums_process *row)
{
	if (row->party != 0 && row->party <= weighing->named)
		return true;
	for (uint32_t i = 0; i < weighing->named && weighing->pause->class == PAUSE_CLASS_stuck; i++) {
		const struct party *party = &weighing->parties.list[i];
		const struct sums_process *root = party->ancestor ? party->ancestor : party->leader;
		if (memcmp(row->command, party->leader->command, sizeof(row->command)) == 0 && sums_descends(&weighing->sums, row, root))
			return true;
	}
	return false;
}

/* Who used as much of the cpu as the accused did, or nearly, had his share. */
static bool deserved(const struct weighing *weighing, const struct sums_process *row, enum pause_wait wait)
{
	double taken_ns = 0;
	if (wait != PAUSE_WAIT_cpu)
		return false;
	for (uint32_t i = 0; i < weighing->named; i++)
		taken_ns += weighing->parties.list[i].cpu_ns;
	if (weighing->named == 0)
		taken_ns = weighing->parties.count > 0 ? weighing->parties.list[0].cpu_ns : 0;
	return row->cpu_ns > weighing->config->pause_fair_fraction * taken_ns;
}

static bool is_innocent_sort(const struct sums_process *row)
{
	return !(row->flags & RH_PROCESS_kernel_thread) && !sums_is_own(row) && row->policy != RH_POLICY_idle;
}

static void put(struct pause *pause, const struct pause_victim *victim)
{
	uint32_t place = pause->victim_count;
	while (place > 0 && pause->victims[place - 1].longest_ns < victim->longest_ns)
		place--;
	if (place == PAUSE_VICTIMS)
		return;
	uint32_t last = pause->victim_count < PAUSE_VICTIMS ? pause->victim_count++ : PAUSE_VICTIMS - 1;
	memmove(&pause->victims[place + 1], &pause->victims[place], (last - place) * sizeof(*victim));
	pause->victims[place] = *victim;
}

static void put_process(struct weighing *weighing, struct sums_process *row, enum pause_wait wait, double longest_ns)
{
	struct pause *pause = weighing->pause;
	struct pause_victim victim = {
	        .pid = row->pid,
	        .start_time_ns = row->start_time_ns,
	        .threads = row->threads ? row->threads : 1,
	        .longest_ns = whole_ns(longest_ns),
	        .total_ns = whole_ns(total_of(row, wait, longest_ns)),
	        .wait = (uint8_t)wait,
	        .also_culprit = is_named(weighing, row),
	        .cgroup_id = row->cgroup_id,
	};
	parties_process_name(row, victim.name);
	memcpy(victim.command, row->command, sizeof(victim.command));
	victim.command[sizeof(victim.command) - 1] = '\0';
	put(pause, &victim);
	pause->victims_in_all++;
	pause->victims_wait_ns += victim.total_ns;
}

/* The ordinary thread on each cpu is a victim that is always there. It stands for what any program there would have felt. */
static void put_canary(struct weighing *weighing)
{
	const struct sums_machine *machine = &weighing->sums.machine;
	const struct incident_kind *run = &weighing->incident->kinds[NOTICE_RUN];
	if (machine->canary_max_ns < weighing->config->pause_cpu_wait * ns_per_s ||
	        machine->canary_max_ns > 1.05 * (double)run->longest_ns || machine->stopped_ns > 0)
		return;
	struct pause_victim victim = {.longest_ns = (uint64_t)machine->canary_max_ns, .wait = PAUSE_WAIT_cpu, .threads = 1};
	victim.total_ns = victim.longest_ns;
	snprintf(victim.name, sizeof(victim.name), "a normal program on CPU %u", machine->canary_cpu);
	snprintf(victim.command, sizeof(victim.command), "rh-canary/%u", machine->canary_cpu);
	put(weighing->pause, &victim);
	weighing->pause->victims_in_all += machine->canaries_late_max ? machine->canaries_late_max : 1;
	weighing->pause->victims_wait_ns += victim.total_ns;
}

double victims_take(struct weighing *weighing, enum pause_wait wait)
{
	struct pause *pause = weighing->pause;
	pause->victim_count = pause->victims_in_all = 0;
	pause->victims_wait_ns = 0;
	for (uint32_t i = 0; i < weighing->sums.count; i++) {
		struct sums_process *row = &weighing->sums.rows[i];
		double longest_ns = is_innocent_sort(row) ? longest_of(weighing, row, wait) : 0;
		if (longest_ns <= 0 || (is_named(weighing, row) && !pause->own_fault) || deserved(weighing, row, wait))
			continue;
		put_process(weighing, row, wait, longest_ns);
	}
	if (wait == PAUSE_WAIT_cpu)
		put_canary(weighing);
	pause->task_count = pause->victims_in_all;
	pause->duration_ns = pause->victim_count > 0 ? pause->victims[0].longest_ns : 0;
	return (double)pause->victims_wait_ns;
}
