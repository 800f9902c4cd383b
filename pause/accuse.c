/* accuse.c - who is blamed for each class of pause: see weigh.h. docs/pauses.md has the method. */
#include "pause/weigh.h"

#include "pause/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ns_per_s = 1e9;
static const double page_bytes = 4096; /* at least, for each major fault */
/* Less than this does not make memory short. */
static const double taken_least_bytes = 4 << 20, grown_much_bytes = 32 << 20;
/* Part of the time spent waiting for memory from which what is read is read back, and what that counts then. */
static const double suffers_from = 0.1, read_back_part = 0.25;
static const double carrier_from = 0.15, listed_from = 0.03, amount_least = 0.3, clear_share = 0.8;

/* ---- whom to name ---- */

/* One who has more than half and twice the next; two who have most of it together; else nobody. */
static void name_nobody(struct weighing *weighing)
{
	weighing->named = 0;
	weighing->certainty = 0.5;
}

static void choose(struct weighing *weighing)
{
	double first = parties_share(&weighing->parties, 0), second = parties_share(&weighing->parties, 1);
	if (first > 0.5 && first >= 2 * second)
		weighing->named = 1;
	else if (first + second > 0.8 && second > 0.15)
		weighing->named = 2;
	else
		weighing->named = 0;
	double share = weighing->named == 2 ? first + second - 0.05 : first;
	weighing->certainty = weighing->named == 0 ? 0.5 : share >= 0.9 ? 0.97 : share >= 0.75 ? 0.94 : share >= 0.6 ? 0.88 : 0.8;
}

/*
 * Takes the victims. Where two are named and nobody is left who stood still because of them, the second suffered with the rest: then one is named, if he has more
 * than half.
 */
static double take_victims(struct weighing *weighing, enum pause_wait wait)
{
	double waited_ns = victims_take(weighing, wait);
	if (waited_ns > 0 || weighing->named != 2 || parties_share(&weighing->parties, 0) <= 0.5)
		return waited_ns;
	weighing->named = 1;
	weighing->certainty = 0.85;
	return victims_take(weighing, wait);
}

static double amount_of(const struct weighing *weighing, const struct party *party)
{
	switch (weighing->pause->class) {
	case PAUSE_CLASS_cpu:
	case PAUSE_CLASS_throttle:
		return party->cpu_ns;
	case PAUSE_CLASS_io:
		return party->bytes;
	default:
		return party->metric;
	}
}

static void tell_how(const struct weighing *weighing, const struct party *party, struct pause_who *who)
{
	char bytes[PAUSE_FIGURE_BYTES];
	double seconds = (double)(weighing->pause->window_ns + weighing->pause->span_ns) / ns_per_s;
	switch (weighing->pause->class) {
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
		if (party->grown_bytes >= 0.5 * party->metric)
			snprintf(who->how, sizeof(who->how), "grew %s in %.0f s", pause_bytes_text(party->grown_bytes, bytes), seconds);
		else
			snprintf(who->how, sizeof(who->how), "had %s of pages read in %.0f s", pause_bytes_text(party->bytes, bytes),
			        seconds);
		break;
	case PAUSE_CLASS_io:
		snprintf(who->how, sizeof(who->how), "moved %s in %.0f s", pause_bytes_text(party->bytes, bytes), seconds);
		break;
	case PAUSE_CLASS_stuck:
		snprintf(who->how, sizeof(who->how), "held the lock for %.1f s of waiting", party->metric / ns_per_s);
		break;
	default:
		if (who->rt_prio > 0)
			snprintf(who->how, sizeof(who->how), "real-time %s %u, ran %.1f s", who->policy == RH_POLICY_rr ? "RR" : "FIFO",
			        who->rt_prio, party->cpu_ns / ns_per_s);
		else
			snprintf(who->how, sizeof(who->how), "ran %.1f s%s", party->cpu_ns / ns_per_s,
			        who->nice < 0 ? ", with a nice below 0" : "");
	}
}

/* All that moved the same quantity: what shares are of. */
static double amount_in_all(const struct weighing *weighing)
{
	const struct parties *parties = &weighing->parties;
	double total = 0, greatest = parties->count > 0 ? parties->list[0].metric : 0;
	for (uint32_t i = 0; i < parties->count; i++)
		if (parties->list[i].metric >= 0.02 * greatest)
			total += amount_of(weighing, &parties->list[i]);
	return total;
}

static void list_party(struct weighing *weighing, uint32_t i, double total)
{
	struct pause *pause = weighing->pause;
	const struct party *party = &weighing->parties.list[i];
	const double share = parties_share(&weighing->parties, i);
	struct pause_who *who = &pause->culprits[pause->culprit_count++];
	parties_name(party, who);
	who->role = i < weighing->named ? PAUSE_ROLE_culprit : PAUSE_ROLE_candidate;
	who->amount = amount_of(weighing, party);
	who->share_ratio = total > 0 ? (float)(who->amount / total) : (float)share;
	who->harm_ns = whole_ns(party->metric);
	tell_how(weighing, party, who);
}

/* Threads of the kernel that did a good part of the work: shown, never named. */
static void list_carriers(struct weighing *weighing)
{
	struct pause *pause = weighing->pause;
	double total = weighing->parties.metric_total;
	for (uint32_t i = 0; i < weighing->sums.count; i++) {
		const struct sums_process *row = &weighing->sums.rows[i];
		if (!(row->flags & RH_PROCESS_kernel_thread) || row->metric < carrier_from * (total + row->metric) || row->metric <= 0)
			continue;
		if (pause->culprit_count == PAUSE_CULPRITS)
			return;
		struct pause_who *who = &pause->culprits[pause->culprit_count++];
		*who = (struct pause_who){.role = PAUSE_ROLE_carrier,
		        .kind = PAUSE_KIND_kernel_thread,
		        .pid = row->pid,
		        .start_time_ns = row->start_time_ns,
		        .process_count = 1,
		        .amount = NAN,
		        .share_ratio = NAN,
		        .harm_ns = (uint64_t)row->metric};
		memcpy(who->command, row->command, sizeof(who->command));
		who->command[sizeof(who->command) - 1] = '\0';
		parties_process_name(row, who->name);
	}
}

static void list(struct weighing *weighing)
{
	struct pause *pause = weighing->pause;
	pause->culprit_count = 0;
	pause->metric_total = amount_in_all(weighing);
	for (uint32_t i = 0; i < weighing->parties.count && i < 3; i++)
		if (i < weighing->named || parties_share(&weighing->parties, i) >= listed_from)
			list_party(weighing, i, pause->metric_total);
	list_carriers(weighing);
}

/* ---- cpu ---- */

/*
 * Two measures of the same: the blame, and the cpu time that it was taken with. Who leads in both is named if one of them is clear; who leads in blame
 * without having had a good part of the cpu time is not.
 */
static void compare_amounts(struct weighing *weighing)
{
	const struct parties *parties = &weighing->parties;
	double total = amount_in_all(weighing), named = 0, next = 0;
	if (parties->count == 0 || total <= 0)
		return;
	double first = parties->list[0].cpu_ns / total;
	for (uint32_t i = 1; i < parties->count; i++)
		next = fmax(next, parties->list[i].cpu_ns / total);
	for (uint32_t i = 0; i < weighing->named; i++)
		named += parties->list[i].cpu_ns / total;
	const bool clear = first >= clear_share && parties->list[0].metric >= clear_share * parties->metric_total;
	if (weighing->named != 1 && first > 0.5 && first >= 2 * next && parties_share(parties, 0) >= amount_least) {
		weighing->named = 1;
		weighing->certainty = clear ? 0.94 : 0.8;
	} else if (weighing->named == 1 && clear) {
		weighing->certainty = fmax(weighing->certainty, 0.94);
	} else if (weighing->named == 1 && first < 0.5) { /* others ran more: where nobody waited, perhaps */
		weighing->named = first < amount_least ? 0 : 1;
		weighing->certainty = first < amount_least ? 0.5 : 0.75;
	} else if (weighing->named > 0 && named < amount_least) {
		name_nobody(weighing);
	}
}

static double longest_single_ns(const struct sums *sums)
{
	double longest_ns = sums->machine.canary_max_ns;
	for (uint32_t i = 0; i < sums->count; i++)
		if (!(sums->rows[i].flags & (RH_PROCESS_kernel_thread | RH_PROCESS_throttled)))
			longest_ns = fmax(longest_ns, sums->rows[i].run_longest_ns);
	return longest_ns;
}

bool accuse_cpu(struct weighing *weighing)
{
	struct sums *sums = &weighing->sums;
	for (uint32_t i = 0; i < sums->count; i++)
		sums->rows[i].metric = sums->rows[i].cpu_blame_ns;
	parties_build(&weighing->parties, sums);
	parties_weigh_net(&weighing->parties, sums);
	parties_try_tree(&weighing->parties, sums);
	choose(weighing);
	compare_amounts(weighing);
	if (take_victims(weighing, PAUSE_WAIT_cpu) <= 0)
		return false;
	/* Many that press upon the cpus, none of them much: a busy machine. Only a single wait that is long is worth a word then. */
	if (weighing->named == 0 && longest_single_ns(sums) < weighing->config->pause_cpu_wait * ns_per_s)
		return false;
	list(weighing);
	return true;
}

/* ---- memory ---- */

/* Is the machine itself short of memory, or a group of its own limit? */
static bool machine_is_short(const struct sums_machine *machine)
{
	return machine->mem_total > 0 && machine->mem_available_least < 0.1 * machine->mem_total;
}

/*
 * What a process took in: what it grew by, and the pages of files that it had read or dirtied. Pages that it had to have read back because they were taken from
 * it count for a quarter: that is more what it suffered than what it did, and yet a working set that is too large is a cause.
 */
static double taken(const struct sums_process *row, double elapsed_ns)
{
	double read_bytes = fmax(row->bytes_all, row->pageins_all * page_bytes);
	bool suffers = row->mem_wait_ns >= suffers_from * elapsed_ns;
	return fmax(row->grown_bytes, 0) + read_bytes * (suffers ? read_back_part : 1);
}

/* Builds the parties by what was taken, and chooses. `growers`: also of those who never waited for memory, if they grew much. */
static void weigh_taken(struct weighing *weighing, bool growers)
{
	struct sums *sums = &weighing->sums;
	const bool is_short = machine_is_short(&sums->machine);
	for (uint32_t i = 0; i < sums->count; i++) {
		struct sums_process *row = &sums->rows[i];
		/* Where one group is short, those outside of it may grow as they like: who is in it waits for memory as well. */
		bool involved = is_short || row->mem_wait_all_ns > 0.02 * sums->machine.elapsed_ns || row->reclaim_all_ns > 0;
		bool grew = growers && row->grown_bytes >= grown_much_bytes;
		bool was_there = !row->exited || row->last_seen_ns > weighing->incident->onset_ns;
		row->metric = was_there && (involved || grew) ? taken(row, sums->machine.elapsed_ns) : 0;
	}
	parties_build(&weighing->parties, sums);
	choose(weighing);
	if (weighing->parties.metric_total < taken_least_bytes)
		name_nobody(weighing);
}

/*
 * Nobody but those who waited seems to have taken anything. Who grew much meanwhile may have driven their pages out without ever having had to wait; which group he
 * is in is not known, so this is no more than likely.
 */
static bool accuse_grower(struct weighing *weighing)
{
	weigh_taken(weighing, true);
	if (weighing->named != 1 || take_victims(weighing, PAUSE_WAIT_memory) <= 0)
		return false;
	weighing->certainty = fmin(weighing->certainty, 0.75);
	list(weighing);
	return true;
}

bool accuse_memory(struct weighing *weighing)
{
	weigh_taken(weighing, false);
	weighing->pause->own_fault = false;
	if (take_victims(weighing, PAUSE_WAIT_memory) <= 0) {
		if (accuse_grower(weighing))
			return true;
		weigh_taken(weighing, false);
		weighing->pause->own_fault = weighing->named == 1;
		weighing->certainty = fmin(weighing->certainty, 0.75); /* somebody may have driven them to it */
		if (victims_take(weighing, PAUSE_WAIT_memory) <= 0)
			return false;
	}
	list(weighing);
	return true;
}

/* ---- storage ---- */

bool accuse_io(struct weighing *weighing)
{
	struct sums *sums = &weighing->sums;
	double device_ns = 0;
	for (uint32_t i = 0; i < sums->count; i++)
		device_ns += sums->rows[i].io_time_ns;
	for (uint32_t i = 0; i < sums->count; i++) {
		struct sums_process *row = &sums->rows[i];
		row->metric = device_ns > 0 ? row->io_time_ns + row->io_blame_ns : row->bytes;
	}
	parties_build(&weighing->parties, sums);
	parties_try_tree(&weighing->parties, sums);
	choose(weighing);
	if (take_victims(weighing, PAUSE_WAIT_block_io) <= 0)
		return false;
	list(weighing);
	return true;
}

/* ---- locks ---- */

bool accuse_stuck(struct weighing *weighing)
{
	struct sums *sums = &weighing->sums;
	for (uint32_t i = 0; i < sums->count; i++)
		sums->rows[i].metric = sums->rows[i].lock_blame_ns;
	parties_build(&weighing->parties, sums);
	parties_try_tree(&weighing->parties, sums);
	choose(weighing);
	if (take_victims(weighing, PAUSE_WAIT_lock) <= 0)
		return false;
	/* Of all that was waited only a part may have been for locks whose holder is known. */
	double known = weighing->parties.metric_total / (double)weighing->pause->victims_wait_ns;
	if (known < 0.3)
		name_nobody(weighing);
	weighing->certainty *= fmin(1, known + 0.2);
	list(weighing);
	return true;
}

/* ---- quota ---- */

bool accuse_quota(struct weighing *weighing)
{
	struct sums *sums = &weighing->sums;
	struct pause *pause = weighing->pause;
	for (uint32_t i = 0; i < sums->count; i++)
		sums->rows[i].metric = sums->rows[i].flags & RH_PROCESS_throttled ? sums->rows[i].cpu_ns + sums->rows[i].run_wait_ns : 0;
	parties_build(&weighing->parties, sums);
	weighing->named = weighing->parties.count > 0 ? 1 : 0;
	weighing->certainty = 0.99;
	pause->own_fault = true;
	pause->culprit_count = 0;
	if (victims_take(weighing, PAUSE_WAIT_quota) <= 0 || weighing->named == 0)
		return false;
	list_party(weighing, 0, 0);
	struct pause_who *who = &pause->culprits[0];
	who->kind = PAUSE_KIND_cgroup;
	who->process_count = pause->victims_in_all;
	snprintf(who->how, sizeof(who->how), "spent its quota");
	return true;
}
