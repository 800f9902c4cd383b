/* sched.c - see sched.h. Programs, numbers of the machine, and the budget; sched_parts.h names the other parts. */
#include "collector/bpf/sched_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "collector/bpf/load.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sched.skel.h"

enum {
	WORDS_BYTES = 1 << 20, /* some 4,000 ends between two ticks, 20,000 a second; more are summed up at their parents */
	JUDGED_S = 1,
	PAUSE_S = 10,
	PAUSE_MOST_S = 600,
	MEAN_S = 60,
	/* What a run costs besides the program itself, and the end of a process: measured (bench_sched). */
	ENTRY_NS = 80,
	RUN_NS = 70, /* of the program, until some runs have had their time taken */
	END_NS = 1500,
};

static void save(struct sched *sched, uint64_t time_ns, uint64_t cost_ns);

/* ---- attaching ---- */

static int attach(const struct bpf_program *program)
{
	return bpf_raw_tracepoint_open(NULL, bpf_program__fd(program));
}

static void detach(int *link)
{
	if (*link >= 0)
		close(*link);
	*link = -1;
}

/* What the program kept the last time is of no use any more: slices have a gap, threads have run that were noted. */
static void state_clear(struct sched *sched)
{
	for (uint32_t cpu = 0; cpu < sched->cpu_count; cpu++)
		sched->switches_before += sched->cpus[cpu].switches;
	memset(sched->cpus, 0, sched->cpu_count * sizeof(struct sched_cpu));
	memset(sched->notes, 0, SCHED_STUCK_SLOTS * sizeof(struct sched_stuck));
	for (uint32_t slot = 0; slot < sched->accounts->slots; slot++)
		if (sched->accounts->map[slot].stuck != 0)
			sched->accounts->map[slot].stuck = 0;
	sched->budget.switches = sched->switches_before;
	sched->budget.sampled = 0;
	sched->budget.sampled_ns = 0;
}

/* Blame is right without the second program where nothing moves; with it, everywhere. */
static int switches_attach(struct sched *sched)
{
	state_clear(sched);
	sched->migrate_link = attach(sched->programs->progs.on_migrate);
	sched->switch_link = attach(sched->programs->progs.on_switch);
	if (sched->switch_link >= 0)
		return 0;
	int result = sched->switch_link;
	sched->switch_link = -1;
	detach(&sched->migrate_link);
	return result;
}

static void switches_detach(struct sched *sched)
{
	detach(&sched->switch_link);
	detach(&sched->migrate_link);
}

static int ends_attach(struct sched *sched)
{
	sched->free_link = attach(sched->programs->progs.on_free);
	sched->exit_link = attach(sched->programs->progs.on_exit);
	if (sched->exit_link >= 0)
		return 0;
	int result = sched->exit_link;
	sched->exit_link = -1;
	detach(&sched->free_link);
	return result;
}

/* ---- opening ---- */

/* Opens and loads the programs that are wanted. */
static int programs_load(struct sched *sched, bool switches, bool ends)
{
	struct sched_bpf *programs = sched_bpf__open();
	if (!programs)
		return -errno;
	bpf_program__set_autoload(programs->progs.on_switch, switches);
	bpf_program__set_autoload(programs->progs.on_migrate, switches);
	bpf_program__set_autoload(programs->progs.on_exit, ends);
	bpf_program__set_autoload(programs->progs.on_free, ends);
	programs->rodata->account_slots = sched->accounts->slots;
	int result = bpf_map__reuse_fd(programs->maps.accounts, sched->accounts->fd);
	if (result == 0)
		result = bpf_map__reuse_fd(programs->maps.account_cpus, sched->accounts->cpu_fd);
	if (result == 0)
		result = bpf_map__set_max_entries(programs->maps.sched_cpus, sched->cpu_count);
	if (result == 0)
		result = bpf_map__set_max_entries(programs->maps.last_words, sched->limits.words_bytes);
	if (result == 0)
		result = sched_bpf__load(programs);
	if (result < 0) {
		sched_bpf__destroy(programs);
		return result;
	}
	sched->programs = programs;
	sched->wants_switches = switches;
	sched->wants_ends = ends;
	return 0;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + page - 1) / page * page;
}

static void *map_in(const struct bpf_map *map, size_t bytes)
{
	void *base = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return base == MAP_FAILED ? NULL : base;
}

/* Memory, and the programs' maps in it. */
static int memory_take(struct sched *sched)
{
	sched->cpus = map_in(sched->programs->maps.sched_cpus, sched->cpu_count * sizeof(struct sched_cpu));
	sched->notes = map_in(sched->programs->maps.sched_stuck, SCHED_STUCK_SLOTS * sizeof(struct sched_stuck));
	if (!sched->cpus || !sched->notes)
		return -errno;
	if (!sched_blame_take(&sched->blame, &sched->pool, sched->accounts) ||
	        !sched_ends_take(&sched->ends, &sched->pool, sched->accounts))
		return -ENOMEM;
	return sched_ends_open(&sched->ends, bpf_map__fd(sched->programs->maps.last_words));
}

/* Loads all that is wanted, or the one of the two that the kernel takes. */
static int programs_load_best(struct sched *sched, bool switches, bool ends, char error[256])
{
	int result = programs_load(sched, switches, ends);
	if (result == 0)
		return 0;
	load_explain("watching context switches and the end of processes", result, error);
	if (switches && ends && (programs_load(sched, false, true) == 0 || programs_load(sched, true, false) == 0)) {
		log_say(LOG_WARNING_, "scheduler", "%s; only %s", error,
		        sched->wants_ends ? "the end of processes is watched" : "context switches are watched");
		return 0;
	}
	return result;
}

int sched_open_within(const struct source_options *options, const struct sched_limits *limits, struct accounts *accounts,
        struct sched **ret_sched, char error[256])
{
	const struct config *config = options->config;
	struct sched *sched = calloc(1, sizeof(*sched));
	if (!sched) {
		snprintf(error, 256, "watching context switches: out of memory");
		return -ENOMEM;
	}
	*sched = (struct sched){.accounts = accounts, .limits = *limits, .cpu_count = accounts->cpus};
	sched->switch_link = sched->migrate_link = sched->exit_link = sched->free_link = -1;
	sched->budget = (struct sched_budget){.limit = config->sampling_scheduler_max_cpu / 100, .run_ns = RUN_NS};
	save(sched, limits->mean_ns, 0);
	int result = programs_load_best(sched, config->sampling_scheduler, config->sampling_last_words, error);
	if (result == 0) {
		result = memory_take(sched);
		if (result == 0 && sched->wants_ends)
			result = ends_attach(sched);
		if (result == 0 && sched->wants_switches)
			result = switches_attach(sched);
		if (result < 0)
			load_explain("watching context switches and the end of processes", result, error);
	}
	if (result < 0) {
		sched_close(&sched);
		return result;
	}
	sched->events_lost = accounts_sum(accounts).events_lost;
	*ret_sched = sched;
	return 0;
}

int sched_open(const struct source_options *options, struct accounts *accounts, struct sched **ret_sched, char error[256])
{
	const struct sched_limits limits = {
	        .words_bytes = WORDS_BYTES,
	        .judged_ns = (uint64_t)JUDGED_S * NS_PER_S,
	        .mean_ns = (uint64_t)MEAN_S * NS_PER_S,
	        .pause_ns = (uint64_t)PAUSE_S * NS_PER_S,
	        .pause_most_ns = (uint64_t)PAUSE_MOST_S * NS_PER_S,
	};
	return sched_open_within(options, &limits, accounts, ret_sched, error);
}

void sched_close(struct sched **sched)
{
	struct sched *closed = *sched;
	*sched = NULL;
	if (!closed)
		return;
	switches_detach(closed);
	detach(&closed->exit_link);
	detach(&closed->free_link);
	sched_ends_close(&closed->ends);
	if (closed->cpus)
		munmap(closed->cpus, whole_pages(closed->cpu_count * sizeof(struct sched_cpu)));
	if (closed->notes)
		munmap(closed->notes, whole_pages(SCHED_STUCK_SLOTS * sizeof(struct sched_stuck)));
	sched_bpf__destroy(closed->programs);
	pool_release(&closed->pool);
	free(closed);
}

/* ---- budget ---- */

/* Switches and sampled runs since the start, over all cpus. */
static void cpus_sum(const struct sched *sched, uint64_t *ret_switches, uint64_t *ret_sampled, uint64_t *ret_sampled_ns)
{
	*ret_switches = sched->switches_before;
	*ret_sampled = *ret_sampled_ns = 0;
	for (uint32_t i = 0; i < sched->cpu_count; i++) {
		*ret_switches += __atomic_load_n(&sched->cpus[i].switches, __ATOMIC_RELAXED);
		*ret_sampled += __atomic_load_n(&sched->cpus[i].sampled, __ATOMIC_RELAXED);
		*ret_sampled_ns += __atomic_load_n(&sched->cpus[i].sampled_ns, __ATOMIC_RELAXED);
	}
}

/* What the programs cost since the tick before: runs, times the cost of one. Returns ns. */
static uint64_t cost_take(struct sched *sched, uint64_t ends, uint64_t *ret_switches)
{
	enum { SAMPLED_LEAST = 16 };
	struct sched_budget *budget = &sched->budget;
	uint64_t sampled, sampled_ns;
	cpus_sum(sched, ret_switches, &sampled, &sampled_ns);
	if (sampled >= budget->sampled + SAMPLED_LEAST) {
		budget->run_ns = (double)(sampled_ns - budget->sampled_ns) / (double)(sampled - budget->sampled);
		budget->sampled = sampled;
		budget->sampled_ns = sampled_ns;
	}
	double cost_ns = (double)(*ret_switches - budget->switches) * (ENTRY_NS + budget->run_ns) + (double)ends * END_NS;
	budget->switches = *ret_switches;
	budget->hook_ns += (uint64_t)cost_ns;
	return (uint64_t)cost_ns;
}

static uint64_t pause_within(const struct sched *sched, uint64_t pause_ns)
{
	if (pause_ns < sched->limits.pause_ns)
		return sched->limits.pause_ns;
	return pause_ns < sched->limits.pause_most_ns ? pause_ns : sched->limits.pause_most_ns;
}

/* What was not spent is saved up, for as long as the limit is the mean of: a storm is just when it is worth being spent. */
static void save(struct sched *sched, uint64_t time_ns, uint64_t cost_ns)
{
	struct sched_budget *budget = &sched->budget;
	double most_ns = budget->limit * (double)sched->limits.mean_ns;
	budget->saved_ns += budget->limit * (double)time_ns - (double)cost_ns;
	budget->saved_ns = budget->saved_ns < most_ns ? budget->saved_ns : most_ns;
}

/* Attached: is it within its budget? */
static void budget_judge(struct sched *sched, uint64_t cost_ns, uint64_t interval_ns)
{
	struct sched_budget *budget = &sched->budget;
	budget->cost_ns += cost_ns;
	budget->time_ns += interval_ns;
	budget->rest_ns -= interval_ns < budget->rest_ns ? interval_ns : budget->rest_ns;
	if (budget->time_ns < sched->limits.judged_ns)
		return;
	double ratio = (double)budget->cost_ns / (double)budget->time_ns;
	save(sched, budget->time_ns, budget->cost_ns);
	budget->cost_ns = budget->time_ns = 0;
	if (budget->rest_ns == 0)
		budget->pause_ns = 0; /* it has proved itself */
	if (budget->saved_ns >= 0)
		return;
	switches_detach(sched);
	budget->saved_ns = 0;
	budget->pause_ns = pause_within(sched, budget->pause_ns * 2);
	budget->rest_ns = budget->pause_ns;
	log_say(LOG_WARNING_, "scheduler",
	        "watching context switches costs %.2f %% of one core, sampling.scheduler_max_cpu is %.2f: they are not watched for %.0f s",
	        ratio * 100, budget->limit * 100, (double)budget->pause_ns / NS_PER_S);
}

/* Detached: is it time to try again? */
static void budget_rest(struct sched *sched, uint64_t interval_ns)
{
	struct sched_budget *budget = &sched->budget;
	budget->rest_ns -= interval_ns < budget->rest_ns ? interval_ns : budget->rest_ns;
	save(sched, interval_ns, 0);
	if (budget->rest_ns > 0)
		return;
	if (switches_attach(sched) == 0)
		log_say(LOG_INFO_, "scheduler", "context switches are watched again");
	else
		budget->pause_ns = pause_within(sched, budget->pause_ns * 2);
	budget->rest_ns = budget->pause_ns;
}

/* ---- a tick ---- */

void sched_begin(struct sched *sched)
{
	sched->bank = sched->programs->bss->epoch % ACCOUNT_BANKS;
	__atomic_store_n(&sched->programs->bss->epoch, sched->programs->bss->epoch + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&sched->programs->bss->walk_ns, clock_now_ns(CLOCK_BOOTTIME), __ATOMIC_RELAXED);
}

/* Numbers of the machine. Nothing is known of a time in which nothing was attached. */
static void fill_system(const struct sched *sched, const struct account_cpu *sum, uint64_t switches, struct raw_system *system)
{
	if (sched_is_watching(sched)) {
		system->switches = switches;
		system->run_delay_unowned_ns = sum->unowned_ns;
		rh_set(system->present, RH_S_switches_per_s);
		rh_set(system->present, RH_S_run_delay_unattributed_ms_per_s);
	}
	system->hook_ns += sched->budget.hook_ns;
	rh_set(system->present, RH_S_hook_cost_ratio);
}

void sched_collect(struct sched *sched, const struct walk_view *walk, uint64_t interval_ns, struct raw_process *processes,
        struct raw_system *system, struct source_tick *tick)
{
	const struct account_cpu *sum = &walk->sum;
	uint64_t ends_before = sched->ends.seen, switches;
	bool words_lost = sum->events_lost != sched->events_lost, was_watching = sched_is_watching(sched);
	sched_ends_read(&sched->ends);
	sched_blame_collect(sched, walk, words_lost, processes);
	sched->ends.knows_waits = was_watching;
	sched_ends_settle(&sched->ends, walk, tick);
	tick->events_lost += sum->events_lost - sched->events_lost + sched->ends.lost;
	sched->events_lost = sum->events_lost;
	if (words_lost || sched->ends.lost > 0)
		tick->degraded |= RH_DEGRADED_fewer_last_words;
	uint64_t cost_ns = cost_take(sched, sched->ends.seen - ends_before, &switches);
	fill_system(sched, sum, switches, system);
	if (was_watching)
		tick->signals |= UINT64_C(1) << RH_SIGNAL_scheduler;
	else if (sched->wants_switches)
		tick->degraded |= RH_DEGRADED_no_scheduler;
	if (sched->exit_link >= 0)
		tick->signals |= UINT64_C(1) << RH_SIGNAL_last_words;
	if (was_watching)
		budget_judge(sched, cost_ns, interval_ns);
	else if (sched->wants_switches)
		budget_rest(sched, interval_ns);
}
