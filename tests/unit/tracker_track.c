/*
 * The life of events, against a model that looks at one process at a time: random scores, deaths, pids used again, lost and cut samples,
 * gaps, and trackers that are restarted, with what is marked stored at some moments and not at others. What is stored at the end must be what
 * the model says, to the sample.
 */
#include "readers/tracker/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 400, STEPS = 400, PIDS = 10, EVENTS_MAX = 4096, EXIT_SAMPLES = 5 };

/* One life under a pid. */
struct life {
	bool alive;
	uint32_t pid;
	uint64_t start_ns;
	float score;
};

/* What the model knows of the process that holds a pid: its open event, if it has one. */
struct model {
	struct storage_event event;
	bool open, unseen; /* unseen: not since the tracker was restarted */
	unsigned below;
	uint64_t below_ns;
};

struct world {
	unsigned seed;
	struct config config;
	struct track *track;
	uint64_t time_ns, sample_id, starts;
	struct life lives[PIDS];
	struct model models[PIDS];
	struct storage_event expected[EVENTS_MAX], stored[EVENTS_MAX];
	size_t expected_count, stored_count;
};

static unsigned pick(struct world *world, unsigned below)
{
	return (unsigned)rand_r(&world->seed) % below;
}

static float pick_score(struct world *world, unsigned below)
{
	unsigned score = pick(world, below);
	return (float)score;
}

/* ---- the model ---- */

static void model_close(struct world *world, struct model *model, unsigned closed_by, uint64_t exit_ns)
{
	model->open = false;
	model->event.state = STORAGE_event_closed;
	model->event.closed_by = (uint8_t)closed_by;
	model->event.exit_boottime_ns = model->event.exit_realtime_ns = exit_ns;
	assert_true(world->expected_count < EVENTS_MAX);
	world->expected[world->expected_count++] = model->event;
}

static void model_below(struct world *world, struct model *model)
{
	if (model->below++ == 0)
		model->below_ns = world->time_ns;
	if (model->below == EXIT_SAMPLES)
		model_close(world, model, STORAGE_closed_by_below, model->below_ns);
}

static void model_peak(struct world *world, struct model *model, float score)
{
	model->event.peak_score = score;
	model->event.peak_boottime_ns = world->time_ns;
	model->event.peak_band = (uint8_t)config_band(&world->config, (double)score);
}

static void model_seen(struct world *world, struct model *model, const struct life *life, bool gap)
{
	bool above = (double)life->score >= world->config.bands_medium;

	if (!model->open && above && !gap) {
		*model = (struct model){.open = true};
		model->event.pid = life->pid;
		model->event.start_time_ns = life->start_ns;
		model->event.entry_boottime_ns = world->time_ns;
		model->event.entry_score = life->score;
		model->event.samples_count = 1;
		model_peak(world, model, life->score);
	} else if (model->open && !gap && above) {
		model->below = 0;
		model->event.samples_count++;
		if (life->score > model->event.peak_score)
			model_peak(world, model, life->score);
	} else if (model->open && !gap) {
		model_below(world, model);
	}
	model->unseen = false;
	model->event.last_boottime_ns = world->time_ns;
}

static void model_missing(struct world *world, struct model *model, bool complete, bool gap)
{
	if (model->open && complete)
		model_close(world, model, model->unseen ? STORAGE_closed_by_dead : STORAGE_closed_by_gone, model->event.last_boottime_ns);
	else if (model->open && !gap)
		model_below(world, model);
}

/* ---- the store ---- */

static void store(struct world *world)
{
	for (struct track_event *event = track_next(world->track, NULL); event; event = track_next(world->track, event)) {
		track_reported(world->track, event);
		if (!event->used || !track_is_marked(event))
			continue;
		uint64_t id = event->row.id ? event->row.id : ++world->stored_count;
		assert_true(id <= world->stored_count && id < EVENTS_MAX);
		if (event->row.state == STORAGE_event_open)
			assert_int_equal(event->row.exit_boottime_ns, 0);
		world->stored[id - 1] = event->row;
		world->stored[id - 1].id = id;
		track_stored(world->track, event, id);
		assert_false(event->used && track_is_marked(event));
	}
}

/* A tracker that dies once all is stored, and its successor. */
static void restart_tracker(struct world *world)
{
	/* last_boottime_ns alone is not worth a write of its own: the row may be behind */
	for (struct track_event *event = track_next(world->track, NULL); event; event = track_next(world->track, event))
		event->row_changed = true;
	store(world);
	track_free(&world->track);
	world->track = track_new(&world->config);
	track_set_boot(world->track, "boot");
	for (size_t i = 0; i < world->stored_count; i++)
		if (world->stored[i].state == STORAGE_event_open)
			assert_true(track_resume(world->track, &world->stored[i]));
	for (size_t i = 0; i < PIDS; i++) {
		world->models[i].unseen = true;
		world->models[i].below = 0;
	}
}

/* ---- the world ---- */

static void live_on(struct world *world, struct life *life)
{
	if (life->alive && pick(world, 40) == 0)
		life->alive = false;
	if (!life->alive && pick(world, 4) == 0) {
		life->alive = true;
		life->start_ns = ++world->starts * 1000000000;
		life->score = pick_score(world, 60);
	}
	life->score += pick_score(world, 41) - 20;
	life->score = life->score < 0 ? 0 : life->score > 100 ? 100 : life->score;
}

static void add_row(struct rh_process *row, const struct life *life, bool ended)
{
	*row = (struct rh_process){.pid = life->pid, .start_time_ns = life->start_ns, .score = life->score};
	row->flags = ended ? RH_PROCESS_exited : 0;
	rh_set(row->present, RH_F_pid);
	rh_set(row->present, RH_F_start_time_ns);
	rh_set(row->present, RH_F_score);
	rh_set(row->present, RH_F_flags);
}

/* One pid in one sample: its old life may have ended and be told of, its new one may have begun, and the sample may be cut. */
static uint32_t sample_pid(struct world *world, size_t i, struct rh_process *rows, bool complete, bool gap)
{
	struct life *life = &world->lives[i], before = *life;
	struct model *model = &world->models[i];
	uint32_t count = 0;

	live_on(world, life);
	bool ended = before.alive && !(life->alive && life->start_ns == before.start_ns), told = ended && pick(world, 2);
	if (told)
		add_row(&rows[count++], &before, true);
	if (told && model->open && model->event.start_time_ns == before.start_ns)
		model_close(world, model, STORAGE_closed_by_gone, world->time_ns);
	else if (model->open &&
	         (!life->alive || model->event.start_time_ns != life->start_ns)) /* ended now, or in a sample that was lost */
		model_missing(world, model, complete, gap);
	bool tracked_other = model->open && model->event.start_time_ns != life->start_ns;
	/* The model holds one event a pid: a life that begins while an older one is still waited for stays out of sight. */
	if (life->alive && !tracked_other && (complete || life->score >= 50)) {
		add_row(&rows[count++], life, false);
		model_seen(world, model, life, gap);
	} else if (life->alive && !tracked_other) {
		model_missing(world, model, complete, gap);
	}
	return count;
}

static void step(struct world *world)
{
	unsigned luck = pick(world, 100);
	bool lost = luck < 5, complete = luck >= 12, gap = luck >= 12 && luck < 16;
	struct rh_process rows[2 * PIDS];
	uint32_t count = 0;

	world->time_ns += 200000000;
	world->sample_id = pick(world, 100) == 0 ? 1 : world->sample_id + 1; /* a new collector begins at 1 */
	if (lost) {
		for (size_t i = 0; i < PIDS; i++)
			live_on(world, &world->lives[i]);
		return;
	}
	for (size_t i = 0; i < PIDS; i++)
		count += sample_pid(world, i, rows + count, complete, gap);
	struct rh_system system = {
	        .sample_id = world->sample_id, .boottime_ns = world->time_ns, .realtime_ns = world->time_ns, .discontinuous = gap};
	track_step(world->track, &(struct track_sample){.system = &system, .rows = rows, .count = count, .complete = complete});
}

static int by_identity(const void *a, const void *b)
{
	const struct storage_event *left = a, *right = b;

	if (left->start_time_ns != right->start_time_ns)
		return left->start_time_ns < right->start_time_ns ? -1 : 1;
	return left->entry_boottime_ns < right->entry_boottime_ns ? -1 : left->entry_boottime_ns > right->entry_boottime_ns;
}

/* What must hold whatever the model says. */
static void check_laws(const struct storage_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct storage_event *event = &events[i];
		assert_true(event->entry_boottime_ns <= event->peak_boottime_ns);
		if (event->state == STORAGE_event_closed)
			assert_true(event->peak_boottime_ns <= event->exit_boottime_ns);
		assert_true(event->peak_score >= event->entry_score);
		if (i > 0 && events[i - 1].start_time_ns == event->start_time_ns) {
			assert_int_equal(events[i - 1].state, STORAGE_event_closed);
			assert_true(events[i - 1].exit_boottime_ns <= event->entry_boottime_ns);
		}
	}
}

static void run_world(unsigned seed, size_t *ret_events, size_t counts_by_end[5])
{
	static struct world world;

	world = (struct world){.seed = seed};
	config_defaults(&world.config);
	world.config.tracker_exit_stability_samples = EXIT_SAMPLES;
	world.track = track_new(&world.config);
	track_set_boot(world.track, "boot");
	for (uint32_t i = 0; i < PIDS; i++)
		world.lives[i].pid = i + 1;
	for (unsigned i = 0; i < STEPS; i++) {
		step(&world);
		if (pick(&world, 2))
			store(&world);
		if (pick(&world, 60) == 0)
			restart_tracker(&world);
	}
	store(&world);
	size_t open = 0;
	for (size_t i = 0; i < PIDS; i++)
		if (world.models[i].open) {
			world.expected[world.expected_count++] = world.models[i].event;
			open++;
		}
	assert_int_equal(world.track->open_count, open);
	assert_int_equal(world.track->dropped_events, 0);
	track_free(&world.track);
	assert_int_equal(world.stored_count, world.expected_count);
	qsort(world.stored, world.stored_count, sizeof(world.stored[0]), by_identity);
	qsort(world.expected, world.expected_count, sizeof(world.expected[0]), by_identity);
	check_laws(world.stored, world.stored_count);
	for (size_t i = 0; i < world.stored_count; i++) {
		const struct storage_event *is = &world.stored[i], *should = &world.expected[i];
		assert_int_equal(is->pid, should->pid);
		assert_int_equal(is->start_time_ns, should->start_time_ns);
		assert_int_equal(is->state, should->state);
		assert_int_equal(is->closed_by, should->closed_by);
		assert_int_equal(is->entry_boottime_ns, should->entry_boottime_ns);
		assert_true(is->entry_score == should->entry_score);
		assert_int_equal(is->peak_boottime_ns, should->peak_boottime_ns);
		assert_true(is->peak_score == should->peak_score);
		assert_int_equal(is->peak_band, should->peak_band);
		assert_int_equal(is->exit_boottime_ns, should->exit_boottime_ns);
		if (is->state == STORAGE_event_closed)
			assert_int_equal(is->samples_count, should->samples_count);
		counts_by_end[is->closed_by]++;
	}
	*ret_events += world.stored_count;
}

static void events_are_what_the_model_says(void **state)
{
	size_t events = 0, counts_by_end[5] = {0};

	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run_world(seed, &events, counts_by_end);
	printf("%zu events: %zu open, %zu below, %zu gone, %zu dead\n", events, counts_by_end[0], counts_by_end[1], counts_by_end[2],
	        counts_by_end[3]);
	for (size_t end = 0; end <= STORAGE_closed_by_dead; end++)
		assert_true(counts_by_end[end] > 50); /* every way to end was met often */
}

/* ---- single cases ---- */

struct small {
	struct config config;
	struct track *track;
	uint64_t sample_id;
};

static int open_small(void **state)
{
	struct small *small = *state = calloc(1, sizeof(*small));
	config_defaults(&small->config);
	small->track = track_new(&small->config);
	track_set_boot(small->track, "boot");
	return 0;
}

static int close_small(void **state)
{
	struct small *small = *state;
	track_free(&small->track);
	free(small);
	return 0;
}

static void feed(struct small *small, uint64_t start_ns, float score)
{
	struct life life = {.pid = 7, .start_ns = start_ns, .score = score};
	struct rh_process row;
	struct rh_system system = {
	        .sample_id = ++small->sample_id, .boottime_ns = small->sample_id * 100, .realtime_ns = small->sample_id * 100};

	add_row(&row, &life, false);
	track_step(small->track, &(struct track_sample){.system = &system, .rows = &row, .count = 1, .complete = true});
}

/* Checkpoints by band: every 30th sample in medium, 15th in elevated, each one in high. */
static unsigned checkpoints_of(struct small *small, float score, unsigned samples)
{
	unsigned found = 0;

	for (unsigned i = 0; i < samples; i++) {
		feed(small, 1, score);
		struct track_event *event = track_next(small->track, NULL);
		found += event->snapshots_changed >> STORAGE_snapshot_checkpoint & 1;
		track_reported(small->track, event);
		track_stored(small->track, event, 1);
	}
	return found;
}

static void checkpoints_follow_the_band(void **state)
{
	struct small *small = *state;

	feed(small, 1, 45);
	assert_int_equal(checkpoints_of(small, 45, 90), 3);
	assert_int_equal(checkpoints_of(small, 55, 90), 6);
	assert_int_equal(checkpoints_of(small, 65, 90), 90);
	assert_int_equal(checkpoints_of(small, 75, 90), 90);
}

/* A day in the critical band must not be a day's worth of rows. */
static void checkpoints_thin_out(void **state)
{
	struct small *small = *state;

	feed(small, 1, 75);
	assert_int_equal(checkpoints_of(small, 75, TRACK_DENSE_CHECKPOINTS), TRACK_DENSE_CHECKPOINTS);
	assert_int_equal(checkpoints_of(small, 75, 2 * TRACK_DENSE_CHECKPOINTS), TRACK_DENSE_CHECKPOINTS);
	assert_in_range(checkpoints_of(small, 75, 86400 * 5), 5 * TRACK_DENSE_CHECKPOINTS, 7 * TRACK_DENSE_CHECKPOINTS);
}

/* Regression 9: an unreadable start time is not another process. */
static void unknown_start_is_the_same_process(void **state)
{
	struct small *small = *state;

	feed(small, 0, 60);
	feed(small, 5000000000, 60);
	feed(small, 0, 60);
	assert_int_equal(small->track->open_count, 1);
	assert_int_equal(track_next(small->track, NULL)->row.start_time_ns, 5000000000);
}

/* Two back ends, one process: start times differ by less than a clock tick. */
static void start_times_of_two_back_ends_match(void **state)
{
	struct small *small = *state;

	feed(small, 5000000000, 60);
	feed(small, 5009999999, 60);
	assert_int_equal(small->track->open_count, 1);
	feed(small, 5010000000 + 9999999, 60);
	assert_int_equal(track_next(small->track, NULL)->row.state, STORAGE_event_closed);
	assert_int_equal(small->track->open_count, 1);
}

/* Regression 8: the pid was used again between two samples. */
static void reused_pid_is_another_event(void **state)
{
	struct small *small = *state;

	feed(small, 1000000000, 90);
	feed(small, 2000000000, 50);
	struct track_event *first = track_next(small->track, NULL), *second = track_next(small->track, first);
	assert_int_equal(first->row.closed_by, STORAGE_closed_by_gone);
	assert_int_equal(first->row.exit_boottime_ns, 100);
	assert_int_equal(second->row.state, STORAGE_event_open);
	assert_true(second->row.peak_score == 50);
}

/* Storing is impossible for long: memory stays bounded, what is newest is kept, what is lost is counted. */
static void memory_is_bounded_while_nothing_is_stored(void **state)
{
	struct small *small = *state;

	for (uint64_t n = 1; n <= 3 * TRACK_EVENTS; n++)
		feed(small, n * 1000000000, 60);
	assert_int_equal(small->track->dropped_events, 2 * TRACK_EVENTS);
	uint64_t count = 0, oldest = UINT64_MAX;
	for (struct track_event *event = track_next(small->track, NULL); event; event = track_next(small->track, event)) {
		count++;
		if (event->row.start_time_ns < oldest)
			oldest = event->row.start_time_ns;
	}
	assert_int_equal(count, TRACK_EVENTS);
	assert_int_equal(oldest, (2 * TRACK_EVENTS + 1) * UINT64_C(1000000000));
}

static void time_that_runs_backwards_is_held(void **state)
{
	struct small *small = *state;

	feed(small, 1, 60);
	feed(small, 1, 60);
	small->sample_id = 0; /* a recording, or a segment that lies */
	feed(small, 1, 90);
	struct track_event *event = track_next(small->track, NULL);
	assert_true(event->row.peak_score == 90);
	assert_true(event->row.peak_boottime_ns >= event->row.entry_boottime_ns);
	assert_int_equal(event->row.last_boottime_ns, 200);
}

int main(void)
{
#define SMALL(test) cmocka_unit_test_setup_teardown(test, open_small, close_small)
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(events_are_what_the_model_says),
	        SMALL(checkpoints_follow_the_band),
	        SMALL(checkpoints_thin_out),
	        SMALL(unknown_start_is_the_same_process),
	        SMALL(start_times_of_two_back_ends_match),
	        SMALL(reused_pid_is_another_event),
	        SMALL(memory_is_bounded_while_nothing_is_stored),
	        SMALL(time_that_runs_backwards_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
