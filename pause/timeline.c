/* timeline.c - the course of a pause, sample by sample: see weigh.h. */
#include "pause/weigh.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_VICTIMS = 2, SHOWN_CULPRITS = 2 };
/* Part of the columns that the pause itself takes. */
static const double pause_part = 0.65;

struct course {
	struct pause *pause;
	double weights[PAUSE_ROWS][PAUSE_COLUMNS]; /* time seen in each column */
	uint32_t victim_rows[SHOWN_VICTIMS], culprit_rows[SHOWN_CULPRITS];
	uint32_t wait_row, disk_row, guard_row;
};

static uint32_t row_add(struct pause *pause, const char *name)
{
	struct pause_row *row = &pause->rows[pause->row_count];
	snprintf(row->name, sizeof(row->name), "%.27s", name);
	for (uint32_t i = 0; i < PAUSE_COLUMNS; i++)
		row->ratio[i] = 0;
	return pause->row_count++;
}

static void rows_make(struct course *course)
{
	static const char *const waits[PAUSE_CLASSES] = {[PAUSE_CLASS_memory] = "memory wait",
	        [PAUSE_CLASS_oom] = "memory wait",
	        [PAUSE_CLASS_io] = "storage wait",
	        [PAUSE_CLASS_stuck] = "lock wait"};
	struct pause *pause = course->pause;
	const char *wait = waits[pause->class];
	course->wait_row = row_add(pause, wait ? wait : "cpu wait");
	for (uint32_t i = 0; i < SHOWN_VICTIMS && i < pause->victim_count; i++)
		if (pause->victims[i].pid != 0)
			course->victim_rows[i] = row_add(pause, pause->victims[i].name);
	for (uint32_t i = 0; i < SHOWN_CULPRITS && i < pause->culprit_count; i++)
		if (pause->culprits[i].role != PAUSE_ROLE_carrier)
			course->culprit_rows[i] = row_add(pause, pause->culprits[i].name);
	course->disk_row = row_add(pause, "disk busy");
	course->guard_row = row_add(pause, "guard late");
}

/* Adds a value that held from `from` to `to` (ns from the onset) to the columns of a row. */
static void spread(struct course *course, uint32_t row, int64_t from, int64_t to, double value)
{
	const struct pause *pause = course->pause;
	int64_t bucket = (int64_t)pause->bucket_ns;
	if (isnan(value))
		return;
	for (int64_t column = (from - pause->from_ns) / bucket; column < (int64_t)pause->column_count; column++) {
		int64_t begin = pause->from_ns + column * bucket, end = begin + bucket;
		if (begin >= to)
			break;
		if (column < 0 || end <= from)
			continue;
		double width = (double)((to < end ? to : end) - (from > begin ? from : begin));
		course->pause->rows[row].ratio[column] += (float)(fmin(1, fmax(0, value)) * width);
		course->weights[row][column] += width;
	}
}

#define FIELD(record, scope, field) (rh_has((record)->present, RH_##scope##_##field) ? (double)(record)->field : (double)NAN)

static double wait_of(const struct rh_process *record, uint8_t wait)
{
	switch (wait) {
	case PAUSE_WAIT_block_io:
		return FIELD(record, F, blkio_delay_ms_per_s) / 1000;
	case PAUSE_WAIT_memory:
		return fmax(FIELD(record, F, thrashing_delay_ms_per_s), FIELD(record, F, reclaim_delay_ms_per_s)) / 1000;
	case PAUSE_WAIT_lock:
		return FIELD(record, F, threads_stuck_count) > 0 ? 1 : 0;
	default:
		return FIELD(record, F, runnable_ms_per_s) / 1000;
	}
}

static double work_of(const struct rh_process *record, uint8_t class)
{
	switch (class) {
	case PAUSE_CLASS_io:
		return FIELD(record, F, io_time_ms_per_s) / 1000;
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
		return fmax(FIELD(record, F, cpu_pct) / 100, FIELD(record, F, thrashing_delay_ms_per_s) / 1000);
	default:
		return FIELD(record, F, cpu_pct) / 100;
	}
}

static double machine_wait(const struct rh_system *system, uint8_t class)
{
	switch (class) {
	case PAUSE_CLASS_io:
		return FIELD(system, S, psi_io_some_ms_per_s) / 1000;
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
		return FIELD(system, S, psi_memory_some_ms_per_s) / 1000;
	case PAUSE_CLASS_stuck:
		return FIELD(system, S, lock_delay_ms_per_s) / 1000;
	default:
		return FIELD(system, S, psi_cpu_some_ms_per_s) / 1000;
	}
}

static void view_add(struct course *course, const struct rh_view *view)
{
	struct pause *pause = course->pause;
	const struct rh_system *system = &view->system;
	int64_t to = (int64_t)(system->boottime_ns - pause->start_boottime_ns), from = to - (int64_t)system->elapsed_ns;
	struct rh_process record;
	spread(course, course->wait_row, from, to, machine_wait(system, pause->class));
	spread(course, course->disk_row, from, to, FIELD(system, S, disk_busy_ratio));
	spread(course, course->guard_row, from, to,
	        FIELD(system, S, guard_lateness_ns) / (double)(system->elapsed_ns ? system->elapsed_ns : 1));
	for (uint32_t i = 0; i < SHOWN_VICTIMS && i < pause->victim_count; i++) {
		int64_t row = pause->victims[i].pid != 0 ? rh_find_pid(view, pause->victims[i].pid) : -1;
		if (row >= 0 && rh_copy(view, (uint32_t)row, &record) && record.start_time_ns == pause->victims[i].start_time_ns)
			spread(course, course->victim_rows[i], from, to, wait_of(&record, pause->victims[i].wait));
	}
	for (uint32_t i = 0; i < SHOWN_CULPRITS && i < pause->culprit_count; i++) {
		const struct pause_who *who = &pause->culprits[i];
		int64_t row = who->role != PAUSE_ROLE_carrier ? rh_find_pid(view, who->pid) : -1;
		if (row >= 0 && rh_copy(view, (uint32_t)row, &record) && record.start_time_ns == who->start_time_ns)
			spread(course, course->culprit_rows[i], from, to, work_of(&record, pause->class));
	}
}

/* From the oldest sample that is shown on. What came after the judgement is no part of it: a recording judged again gives the same. */
static void views_add(struct course *course, struct rh_ring *ring, uint64_t newest)
{
	const struct pause *pause = course->pause;
	int64_t until = pause->from_ns + (int64_t)(pause->bucket_ns * pause->column_count);
	struct rh_view view;
	uint64_t sample = pause->first_sample;
	while (sample > 1 && rh_at(ring, sample - 1, &view) == RH_OK &&
	        (int64_t)(view.system.boottime_ns - pause->start_boottime_ns) > pause->from_ns)
		sample--;
	for (; sample <= newest && rh_at(ring, sample, &view) == RH_OK; sample++) {
		if ((int64_t)(view.system.boottime_ns - view.system.elapsed_ns - pause->start_boottime_ns) >= until)
			break;
		view_add(course, &view);
	}
}

void timeline_fill(struct weighing *weighing)
{
	struct pause *pause = weighing->pause;
	struct course course = {.pause = pause};
	uint64_t span_ns = pause->span_ns ? pause->span_ns : 1;
	pause->bucket_ns = (uint64_t)((double)span_ns / (pause_part * PAUSE_COLUMNS));
	pause->bucket_ns = pause->bucket_ns < 10000000 ? 10000000 : pause->bucket_ns;
	pause->column_count = PAUSE_COLUMNS;
	pause->from_ns = -(int64_t)(pause->bucket_ns * (uint64_t)(PAUSE_COLUMNS * (1 - pause_part) / 2));
	pause->row_count = 0;
	rows_make(&course);
	views_add(&course, weighing->ring, weighing->incident->newest_sample);
	for (uint32_t row = 0; row < pause->row_count; row++)
		for (uint32_t i = 0; i < pause->column_count; i++)
			pause->rows[row].ratio[i] =
			        course.weights[row][i] > 0 ? pause->rows[row].ratio[i] / (float)course.weights[row][i] : NAN;
}
