/*
 * window.c - the samples in the ring taken together, see window.h.
 */
#include "readers/common/window.h"

struct sums {
	struct rh_system first, last;
	uint64_t lateness_ns, scan_ns;
};

static void add_sample(struct window *window, struct sums *sums, const struct rh_system *system)
{
	if (window->samples == 0)
		sums->first = *system;
	sums->last = *system;
	window->samples++;
	sums->lateness_ns += system->lateness_ns;
	sums->scan_ns += system->scan_ns;
	if ((double)system->lateness_ns > window->lateness_max_ns)
		window->lateness_max_ns = (double)system->lateness_ns;
	if ((double)system->max_score > window->max_score)
		window->max_score = (double)system->max_score;
}

static void conclude(struct window *window, const struct sums *sums)
{
	const struct rh_system *first = &sums->first, *last = &sums->last;

	window->self_cpu_pct = -1;
	if (window->samples == 0)
		return;
	window->lateness_mean_ns = (double)sums->lateness_ns / window->samples;
	window->scan_mean_ns = (double)sums->scan_ns / window->samples;
	if (last->monotonic_ns <= first->monotonic_ns)
		return;
	double span_ns = (double)(last->monotonic_ns - first->monotonic_ns);
	window->seconds = span_ns / 1e9;
	window->rate_hz = (window->samples - 1) / window->seconds;
	window->missed = (double)(last->ticks_missed_count - first->ticks_missed_count);
	if (rh_has(last->present, RH_S_self_cpu_ns) && last->self_cpu_ns >= first->self_cpu_ns)
		window->self_cpu_pct = (double)(last->self_cpu_ns - first->self_cpu_ns) / span_ns * 100;
}

void window_of(struct rh_ring *ring, struct window *ret_window)
{
	uint64_t newest = rh_newest(ring);
	struct sums sums = {0};
	struct rh_view view;

	*ret_window = (struct window){0};
	for (uint64_t sample = rh_oldest(ring); sample > 0 && sample <= newest; sample++)
		if (rh_at(ring, sample, &view) == RH_OK) /* else overwritten meanwhile */
			add_sample(ret_window, &sums, &view.system);
	conclude(ret_window, &sums);
}
