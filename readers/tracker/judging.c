/* judging.c - between feed, judge and pauses, see judging.h. */
#include "readers/tracker/judging.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PEAK_LOOKS = 16 }; /* samples in which a process is looked up, at most one more */
_Static_assert((int)BASELINE_SAY_BYTES <= (int)PAUSE_TEXT_BYTES, "what is said of a command fits into a pause");

static const uint64_t before_ns = 2 * (uint64_t)NS_PER_S; /* the onset, when memory is looked at for a remedy */
static const uint64_t free_part = 10;                     /* memory is free where a tenth of it is available */

int judging_begin(struct judging *judging, const struct config *config, struct pauses *pauses, struct baseline *baseline)
{
	*judging = (struct judging){.pauses = pauses, .baseline = baseline};
	if (config->pause_enabled)
		judging->judge = judge_new(config);
	return config->pause_enabled && !judging->judge ? -ENOMEM : 0;
}

void judging_end(struct judging *judging)
{
	judge_free(&judging->judge);
}

/* Was there memory to be had shortly before the onset? The sample of that time, if the ring still has it, knows. `feed` is NULL where it is of another ring. */
/* Had the machine itself to search for free pages while programs waited? A group that was at its own limit has not. */
static bool had_to_reclaim(const struct pause *pause)
{
	for (uint32_t i = 0; i < pause->evidence_count && i < PAUSE_EVIDENCE; i++)
		if (strcmp(pause->evidence[i].signal, "vmstat.allocstall") == 0)
			return pause->evidence[i].value > 0;
	return false;
}

static bool was_memory_free(struct feed *feed, const struct pause *pause)
{
	struct rh_view view;

	if (!feed || !had_to_reclaim(pause))
		return false;
	uint64_t back = before_ns / (feed->info.period_ns ? feed->info.period_ns : NS_PER_S) + 1;
	if (pause->first_sample <= back || rh_at(feed->follow.ring, pause->first_sample - back, &view) != RH_OK)
		return false;
	return rh_has(view.system.present, RH_S_mem_available_bytes) && rh_has(view.system.present, RH_S_mem_total_bytes) &&
	       view.system.mem_available_bytes > view.system.mem_total_bytes / free_part;
}

/* The highest score of a process in some samples of the pause; where it has none its highest cpu use. NAN: not known. */
static void find_peak(struct feed *feed, const struct pause *pause, float *ret_score, float *ret_cpu_pct)
{
	const struct pause_who *who = &pause->culprits[0];
	const uint64_t last = pause->last_sample, first = pause->first_sample ? pause->first_sample : last;
	const uint64_t stride = last > first ? (last - first) / PEAK_LOOKS + 1 : 1;

	*ret_score = *ret_cpu_pct = NAN;
	for (uint64_t sample = first; feed && sample > 0 && sample <= last; sample += stride) {
		struct rh_view view;
		struct rh_process process;
		if (rh_at(feed->follow.ring, sample, &view) != RH_OK)
			continue;
		int64_t row = rh_find_pid(&view, who->pid);
		if (row < 0 || !rh_copy(&view, (uint32_t)row, &process) || !rh_valid(&view) || process.start_time_ns != who->start_time_ns)
			continue;
		if (rh_has(process.present, RH_F_score))
			*ret_score = fmaxf(*ret_score, process.score);
		if (rh_has(process.present, RH_F_cpu_pct))
			*ret_cpu_pct = fmaxf(*ret_cpu_pct, process.cpu_pct);
	}
}

static bool is_somebody_named(const struct pause *pause)
{
	const struct pause_who *first = pause_named(pause);
	return first == &pause->culprits[0] && first->pid > 0 && first->kind <= PAUSE_KIND_tree;
}

static void hand_on(struct judging *judging, struct feed *feed, struct storage *storage)
{
	struct pause *pause = &judging->finding;

	while (judge_next(judging->judge, pause)) {
		struct pause_facts facts = {.memory_was_free = was_memory_free(feed, pause)};
		bool named = is_somebody_named(pause);
		if (named) {
			float score, cpu_pct;
			find_peak(feed, pause, &score, &cpu_pct);
			baseline_say(judging->baseline, storage, pause->culprits[0].command, score, cpu_pct, pause->baseline);
		}
		if (pauses_take(judging->pauses, pause, &facts, storage, clock_now_ns(CLOCK_BOOTTIME)) && named)
			baseline_pause(judging->baseline, pause->culprits[0].command);
	}
}

/*
 * Numbers go on where those in the database end. Where that cannot be asked - its disk is full from the begin - they go on at the age of the boot in
 * seconds: above any number given out so far, for pauses so short would have been merged.
 */
void judging_attached(struct judging *judging, struct feed *feed, struct storage *storage)
{
	if (!judging->judge)
		return;
	bool same_boot = strcmp(judging->boot_id, feed->info.boot_id) == 0;
	uint32_t next = pauses_next_number(judging->pauses, storage, feed->info.boot_id);
	uint32_t own = same_boot ? judge_next_number(judging->judge) : 1;

	if (next == 0 && !same_boot)
		next = (uint32_t)(clock_now_ns(CLOCK_BOOTTIME) / NS_PER_S);
	snprintf(judging->boot_id, sizeof(judging->boot_id), "%s", feed->info.boot_id);
	judge_begin(judging->judge, feed->info.boot_id, next > own ? next : own);
	hand_on(judging, NULL, storage); /* what was open has ended */
}

/* A sample that was overwritten meanwhile is not missed here: the judge knows the numbers. */
void judging_sample(struct judging *judging, struct feed *feed, struct storage *storage)
{
	struct rh_view view;

	if (!judging->judge || rh_at(feed->follow.ring, feed->follow.cursor, &view) != RH_OK)
		return;
	judge_step(judging->judge, feed->follow.ring, &view);
	hand_on(judging, feed, storage);
}
