/* notice.c - see notice.h. */
#include "pause/notice.h"

#include "pause/waits.h"

#include <math.h>
#include <string.h>

enum { PROBES = 16 };

static const double ns_per_s = 1e9;
/* A single wait below this is no stand-still, however many there are; from here on it is worth looking at the processes. */
static const double single_least_ns = 100e6, look_from_ns = 50e6;
/* Fraction of a sample spent waiting from which a process stands still, and below which it goes on. */
static const double stands_from = 0.6, goes_below = 0.3;
static const uint64_t suspend_least_ns = 500000000, canary_after_stop_ns = 500000000;

void notice_begin(struct notice *notice, const struct config *config)
{
	memset(notice, 0, sizeof(*notice));
	notice->config = config;
}

#define HAS(field) rh_has(system->present, RH_S_##field)
#define LEVEL(field) (HAS(field) ? (double)system->field : 0)

static void note(struct noticed *kind, double longest_ns, uint64_t onset_ns, uint32_t tasks)
{
	if (!kind->active || onset_ns < kind->onset_ns)
		kind->onset_ns = onset_ns;
	if (longest_ns > (double)kind->longest_ns)
		kind->longest_ns = (uint64_t)longest_ns;
	kind->tasks += tasks;
	kind->active = true;
}

static uint64_t ago(uint64_t now_ns, double ns)
{
	return ns < (double)now_ns ? now_ns - (uint64_t)ns : 0;
}

/* ---- the machine ---- */

static void look_at_clocks(struct notice *notice, const struct rh_system *system)
{
	const struct rh_system *before = &notice->before;
	if (!notice->has_before || system->boottime_ns <= before->boottime_ns || system->monotonic_ns < before->monotonic_ns)
		return;
	uint64_t boottime_ns = system->boottime_ns - before->boottime_ns, monotonic_ns = system->monotonic_ns - before->monotonic_ns;
	if (boottime_ns > monotonic_ns && boottime_ns - monotonic_ns >= suspend_least_ns)
		note(&notice->kinds[NOTICE_SUSPEND], (double)(boottime_ns - monotonic_ns), before->boottime_ns, 0);
}

/* The collector's own lateness: that of the tick, or the time between two samples beyond the interval aimed at. */
static double gap_of(const struct rh_system *system)
{
	double over_ns = LEVEL(elapsed_ns) - LEVEL(interval_ns);
	return fmax(LEVEL(lateness_ns), HAS(elapsed_ns) && HAS(interval_ns) ? over_ns : 0);
}

static void look_at_collector(struct notice *notice, const struct rh_system *system)
{
	double gap_ns = fmax(gap_of(system), LEVEL(self_stopped_ns));
	if (notice->has_before && gap_ns >= notice->config->pause_cpu_wait * ns_per_s)
		note(&notice->kinds[NOTICE_GAP], gap_ns, ago(system->boottime_ns, LEVEL(scan_ns) + gap_ns), 0);
}

/* The canaries are threads of the collector: where that was stopped, or nothing ran at all, they tell nothing of the others. */
static void look_at_canary(struct notice *notice, const struct rh_system *system)
{
	double late_ns = LEVEL(canary_lateness_ns);
	if (LEVEL(self_stopped_ns) > 0)
		notice->canary_from_ns = system->boottime_ns + canary_after_stop_ns;
	if (system->boottime_ns < notice->canary_from_ns)
		return;
	bool all_late = HAS(guard_lateness_ns) && LEVEL(guard_lateness_ns) > 0.5 * late_ns;
	if (late_ns >= notice->config->pause_cpu_wait * ns_per_s && !all_late)
		note(&notice->kinds[NOTICE_RUN], late_ns, ago(system->boottime_ns, late_ns), 0);
}

static void look_at_kills(struct notice *notice, const struct rh_system *system)
{
	bool counted = notice->has_before && HAS(oom_kills_count) && rh_has(notice->before.present, RH_S_oom_kills_count);
	if (counted && system->oom_kills_count > notice->before.oom_kills_count)
		note(&notice->kinds[NOTICE_OOM], 0, system->boottime_ns - system->elapsed_ns, 1);
}

/* ---- processes ---- */

static struct sufferer *sufferer_of(struct notice *notice, const struct rh_process *record, uint64_t now_ns, bool make)
{
	struct sufferer *oldest = NULL;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct sufferer *sufferer = &notice->sufferers[(record->pid + i) % NOTICE_SUFFERERS];
		if (sufferer->pid == record->pid && sufferer->start_time_ns == record->start_time_ns && sufferer->last_ns != 0)
			return sufferer;
		if (!oldest || sufferer->last_ns < oldest->last_ns)
			oldest = sufferer;
	}
	if (!make)
		return NULL;
	*oldest = (struct sufferer){.pid = record->pid, .start_time_ns = record->start_time_ns, .last_ns = now_ns};
	return oldest;
}

/* Adds a stretch of waiting to what stood before it without much in between, and begins anew where the process went on. */
static void stand(double *total_ns, uint64_t *since_ns, double fraction, double elapsed_ns, uint64_t now_ns)
{
	if (fraction < goes_below) {
		*total_ns *= fraction / goes_below * 0.5;
		*since_ns = *total_ns > 0 ? *since_ns : 0;
	}
	if (fraction > 0) {
		*since_ns = *since_ns ? *since_ns : ago(now_ns, elapsed_ns);
		*total_ns += fraction * elapsed_ns;
	}
}

static bool is_candidate(const struct rh_process *record)
{
	return !(record->flags & RH_PROCESS_kernel_thread) && record->state != RH_STATE_zombie && record->state != RH_STATE_stopped &&
	       record->policy != RH_POLICY_idle && !waits_is_own(record->command);
}

/* It got a turn now and then, too short and too far between to get anywhere. From /proc single waits are not known. */
static bool is_choked(const struct sufferer *sufferer, const struct waits *waits, double least_ns)
{
	if (!waits->run_exact)
		return waits->run >= 0.9 && sufferer->run_ns >= least_ns;
	return waits->run >= stands_from && waits->cpu <= WAITS_CHOKED_CPU * waits->run &&
	       waits->run_longest_ns >= WAITS_CHOKED_SINGLE_NS && sufferer->run_ns >= WAITS_CHOKED_TIMES * least_ns;
}

static void look_at_run(struct notice *notice, struct sufferer *sufferer, const struct rh_process *record, const struct waits *waits,
        uint64_t now_ns, double elapsed_ns)
{
	const double least_ns = notice->config->pause_cpu_wait * ns_per_s;
	struct noticed *kind = &notice->kinds[record->flags & RH_PROCESS_throttled ? NOTICE_THROTTLE : NOTICE_RUN];
	stand(&sufferer->run_ns, &sufferer->run_since_ns, waits->run, elapsed_ns, now_ns);
	if (waits->run_longest_ns >= least_ns)
		note(kind, waits->run_longest_ns, ago(now_ns, waits->run_longest_ns), 1);
	else if (is_choked(sufferer, waits, least_ns))
		note(kind, sufferer->run_ns, sufferer->run_since_ns, 1);
}

static void look_at_stuck(struct notice *notice, struct sufferer *sufferer, const struct waits *waits, uint64_t now_ns, double elapsed_ns)
{
	const struct config *config = notice->config;
	double known_ns = (waits->io + waits->memory) * elapsed_ns, single_ns = waits->stuck_longest_ns;
	stand(&sufferer->io_ns, &sufferer->io_since_ns, waits->io, elapsed_ns, now_ns);
	/* Who waits for page after page gets nowhere, whatever else he waits for in between. */
	double thrashes = waits->memory >= goes_below ? fmin(1, waits->memory + waits->io + waits->run) : waits->memory;
	stand(&sufferer->memory_ns, &sufferer->memory_since_ns, thrashes, elapsed_ns, now_ns);
	bool memory = waits->memory >= waits->io;
	double *longest_ns = memory ? &sufferer->memory_longest_ns : &sufferer->io_longest_ns;
	bool is_known = known_ns >= 0.5 * fmin(single_ns, elapsed_ns) && known_ns > 0;
	if (waits->io < goes_below)
		sufferer->io_longest_ns = 0;
	if (waits->memory < goes_below)
		sufferer->memory_longest_ns = 0;
	if (is_known)
		*longest_ns = fmax(*longest_ns, single_ns);
	if (sufferer->memory_ns >= config->pause_memory_wait * ns_per_s && waits->memory >= goes_below)
		note(&notice->kinds[NOTICE_MEMORY], sufferer->memory_ns, sufferer->memory_since_ns, 1);
	if (sufferer->io_ns >= config->pause_io_wait * ns_per_s && sufferer->io_longest_ns >= single_least_ns && waits->io >= goes_below)
		note(&notice->kinds[NOTICE_IO], sufferer->io_ns, sufferer->io_since_ns, 1);
	if (!is_known && single_ns >= config->pause_stuck_wait * ns_per_s)
		note(&notice->kinds[NOTICE_STUCK], single_ns, ago(now_ns, single_ns), 1);
}

static void look_at_process(struct notice *notice, const struct rh_process *record, uint64_t now_ns, double elapsed_ns)
{
	struct waits waits = waits_of(record, now_ns, notice->refaults_per_s);
	waits.run = fmin(1, waits.run);
	waits.io = fmin(1, waits.io);
	waits.memory = fmin(1, waits.memory);
	bool waited = waits.run >= stands_from || waits.io >= goes_below || waits.memory >= goes_below ||
	              waits.run_longest_ns >= single_least_ns || waits.stuck_longest_ns >= single_least_ns;
	if (!is_candidate(record))
		return;
	struct sufferer *sufferer = sufferer_of(notice, record, now_ns, waited);
	if (!sufferer)
		return;
	sufferer->last_ns = now_ns;
	look_at_run(notice, sufferer, record, &waits, now_ns, elapsed_ns);
	look_at_stuck(notice, sufferer, &waits, now_ns, elapsed_ns);
}
/* Is there anything in the system record for which the processes are worth a look? */
static bool is_worth_a_look(const struct rh_system *system)
{
#define OVER(field, limit) (rh_has(system->present, RH_S_##field) && (double)system->field >= (limit))
	bool exact = rh_has(system->present, RH_S_longest_run_wait_ns);
	return OVER(longest_run_wait_ns, look_from_ns) || OVER(longest_stuck_wait_ns, look_from_ns) || OVER(io_delay_ms_per_s, 300) ||
	       OVER(mem_delay_ms_per_s, 100) || OVER(psi_memory_some_ms_per_s, 100) || (!exact && OVER(psi_cpu_some_ms_per_s, 300)) ||
	       (!exact && OVER(psi_io_some_ms_per_s, 300));
#undef OVER
}

static void look_at_processes(struct notice *notice, const struct rh_view *view)
{
	const double elapsed_ns = rh_has(view->system.present, RH_S_elapsed_ns) ? (double)view->system.elapsed_ns : 0;
	struct rh_process record;
	for (uint32_t i = 0; i < view->count && elapsed_ns > 0; i++)
		if (rh_copy(view, i, &record))
			look_at_process(notice, &record, view->system.boottime_ns, elapsed_ns);
}

bool notice_look(struct notice *notice, const struct rh_view *view, bool eager)
{
	const struct rh_system *system = &view->system;
	bool any = false;
	memset(notice->kinds, 0, sizeof(notice->kinds));
	notice->refaults_per_s = notice->has_before ? waits_refaults(&notice->before, system) : 0;
	look_at_clocks(notice, system);
	look_at_collector(notice, system);
	look_at_canary(notice, system);
	look_at_kills(notice, system);
	if (eager || is_worth_a_look(system))
		look_at_processes(notice, view);
	notice->before = *system;
	notice->has_before = true;
	for (unsigned i = 0; i < NOTICE_KINDS; i++)
		any |= notice->kinds[i].active;
	return any && rh_valid(view);
}
