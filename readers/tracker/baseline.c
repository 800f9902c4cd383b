/*
 * baseline.c - how each command usually behaves, see baseline.h.
 *
 * A moment is gathered in a table of its own first, and counts only when the ring says that nothing of it was overwritten meanwhile.
 */
#include "readers/tracker/baseline.h"

#include "base/clock.h"
#include "base/text.h"
#include "storage/baseline.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADS = 256,    /* of the chains of commands */
	MOMENTS = 1024, /* names in one moment; further ones are left out of it */
	PLACES = 2048,  /* of the table that finds them */
	HOUR_SAMPLES = 360,
	NOBODY = UINT16_MAX,
};

static const uint64_t moment_every_ns = UINT64_C(10) * NS_PER_S, flush_every_ns = UINT64_C(300) * NS_PER_S,
                      retry_after_ns = UINT64_C(60) * NS_PER_S;

/* One command on one day, as far as it is not in the database yet. */
struct entry {
	struct storage_baseline row;
	uint64_t seen; /* number of the sample taken in that had it last */
	uint16_t next; /* in its chain */
};

struct moment {
	char command[RH_COMMAND_BYTES];
	float score, cpu_pct;
};

struct baseline {
	const struct config *config; /* borrowed */
	uint32_t used;
	uint16_t heads[HEADS];
	struct entry entries[BASELINE_COMMANDS];
	uint32_t moment_count;
	uint16_t places[PLACES]; /* index in moments, plus 1 */
	struct moment moments[MOMENTS];
	uint64_t samples, dropped;
	uint64_t moment_ns; /* BOOTTIME of the last moment */
	uint64_t flush_ns;  /* BOOTTIME of the next flush; 0 not set yet */
	uint32_t day;       /* of the last sample; 0 before the first */
};

struct baseline *baseline_new(const struct config *config)
{
	struct baseline *baseline = calloc(1, sizeof(*baseline));

	if (baseline) {
		baseline->config = config;
		memset(baseline->heads, 0xff, sizeof(baseline->heads));
	}
	return baseline;
}

void baseline_free(struct baseline **baseline)
{
	free(*baseline);
	*baseline = NULL;
}

uint64_t baseline_dropped(const struct baseline *baseline)
{
	return baseline->dropped;
}

/* ---- commands ---- */

/* A name with nothing behind its end, so that it can be compared as a block. */
static void copy_command(char out[RH_COMMAND_BYTES], const char *command)
{
	size_t length = strnlen(command, RH_COMMAND_BYTES - 1);

	memset(out, 0, RH_COMMAND_BYTES);
	memcpy(out, command, length);
}

static uint32_t hash_of(const char command[RH_COMMAND_BYTES])
{
	uint64_t halves[2];

	_Static_assert(sizeof(halves) == RH_COMMAND_BYTES, "a name is two words");
	memcpy(halves, command, sizeof(halves));
	uint64_t mixed = (halves[0] ^ halves[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(mixed >> 40);
}

static uint32_t head_of(const char command[RH_COMMAND_BYTES])
{
	return hash_of(command) % HEADS;
}

static struct entry *find_entry(struct baseline *baseline, const char command[RH_COMMAND_BYTES], uint32_t day)
{
	for (uint16_t i = baseline->heads[head_of(command)]; i != NOBODY; i = baseline->entries[i].next) {
		struct entry *entry = &baseline->entries[i];
		if (entry->row.day == day && memcmp(entry->row.command, command, RH_COMMAND_BYTES) == 0)
			return entry;
	}
	return NULL;
}

/* Gives up the command seen least recently. Returns its place. */
static uint16_t evict(struct baseline *baseline)
{
	uint16_t oldest = 0;

	for (uint16_t i = 1; i < baseline->used; i++)
		if (baseline->entries[i].seen < baseline->entries[oldest].seen)
			oldest = i;
	uint16_t *link = &baseline->heads[head_of(baseline->entries[oldest].row.command)];
	while (*link != oldest)
		link = &baseline->entries[*link].next;
	*link = baseline->entries[oldest].next;
	baseline->dropped++;
	return oldest;
}

/* The entry of that command today, begun if need be. */
static struct entry *take_entry(struct baseline *baseline, const char command[RH_COMMAND_BYTES])
{
	struct entry *entry = find_entry(baseline, command, baseline->day);

	if (!entry) {
		uint16_t *head = &baseline->heads[head_of(command)];
		uint16_t place = baseline->used < BASELINE_COMMANDS ? (uint16_t)baseline->used++ : evict(baseline);
		entry = &baseline->entries[place];
		memset(entry, 0, sizeof(*entry));
		memcpy(entry->row.command, command, RH_COMMAND_BYTES);
		entry->row.day = baseline->day;
		entry->next = *head;
		*head = place;
	}
	entry->seen = baseline->samples;
	return entry;
}

static void note_peak(struct entry *entry, float score, float cpu_pct)
{
	entry->row.peak_score = fmaxf(entry->row.peak_score, score); /* of a NAN and a number, the number */
	entry->row.peak_cpu_pct = fmaxf(entry->row.peak_cpu_pct, cpu_pct);
}

/* ---- a moment ---- */

static float value_or_nan(const struct rh_process *process, unsigned field, float value)
{
	return rh_has(process->present, field) ? value : NAN;
}

static bool is_counted(const struct rh_process *process)
{
	return rh_has(process->present, RH_F_command) && rh_has(process->present, RH_F_flags) &&
	       !(process->flags & RH_PROCESS_kernel_thread);
}

/* The command's place in the moment, made if need be; NULL where there is no room. */
static struct moment *take_moment_of(struct baseline *baseline, const char command[RH_COMMAND_BYTES])
{
	uint32_t place = hash_of(command) % PLACES;

	while (baseline->places[place]) {
		struct moment *moment = &baseline->moments[baseline->places[place] - 1];
		if (memcmp(moment->command, command, RH_COMMAND_BYTES) == 0)
			return moment;
		place = (place + 1) % PLACES;
	}
	if (baseline->moment_count == MOMENTS)
		return NULL;
	struct moment *moment = &baseline->moments[baseline->moment_count++];
	baseline->places[place] = (uint16_t)baseline->moment_count;
	memcpy(moment->command, command, RH_COMMAND_BYTES);
	moment->score = moment->cpu_pct = NAN;
	return moment;
}

/* Reads the fields needed in place: they lie in the part that every record has. */
static void gather(struct baseline *baseline, const struct rh_view *view)
{
	_Static_assert(offsetof(struct rh_process, command) + RH_COMMAND_BYTES <= RH_PROCESS_HOT_BYTES, "in every record");
	_Static_assert(offsetof(struct rh_process, cpu_pct) + sizeof(float) <= RH_PROCESS_HOT_BYTES, "in every record");
	baseline->moment_count = 0;
	memset(baseline->places, 0, sizeof(baseline->places));
	for (uint32_t i = 0; i < view->count; i++) {
		const struct rh_process *process = rh_record(view, i);
		char command[RH_COMMAND_BYTES];
		if (!is_counted(process))
			continue;
		copy_command(command, process->command);
		struct moment *moment = take_moment_of(baseline, command);
		if (!moment)
			continue;
		moment->score = fmaxf(moment->score, value_or_nan(process, RH_F_score, process->score));
		moment->cpu_pct = fmaxf(moment->cpu_pct, value_or_nan(process, RH_F_cpu_pct, process->cpu_pct));
	}
}

/* Counts every command of the moment, in the order of its scores: where room is short, the last ones stay. */
static void count_moment(struct baseline *baseline)
{
	for (uint32_t i = baseline->moment_count; i-- > 0;) {
		const struct moment *moment = &baseline->moments[i];
		struct entry *entry = take_entry(baseline, moment->command);
		note_peak(entry, moment->score, moment->cpu_pct);
		entry->row.samples_count++;
		sketch_add(&entry->row.score, (double)moment->score);
		sketch_add(&entry->row.cpu_pct, (double)moment->cpu_pct);
	}
}

static void take_moment(struct baseline *baseline, const struct feed *feed)
{
	struct rh_view view;

	if (!feed->follow.ring || rh_at(feed->follow.ring, feed->follow.cursor, &view) != RH_OK)
		return; /* gone already: the next one will do */
	gather(baseline, &view);
	if (!rh_valid(&view))
		return;
	count_moment(baseline);
	baseline->moment_ns = feed->system.boottime_ns;
}

void baseline_sample(struct baseline *baseline, const struct feed *feed)
{
	uint64_t now_ns = feed->system.boottime_ns;

	if (feed->system.realtime_ns / STORAGE_DAY_NS == 0)
		return; /* no clock to tell the day by */
	baseline->day = (uint32_t)(feed->system.realtime_ns / STORAGE_DAY_NS);
	baseline->samples++;
	for (uint32_t i = 0; i < feed->sample.count; i++) {
		const struct rh_process *process = &feed->sample.rows[i];
		char command[RH_COMMAND_BYTES];
		if (!is_counted(process))
			continue;
		copy_command(command, process->command);
		note_peak(take_entry(baseline, command), value_or_nan(process, RH_F_score, process->score),
		        value_or_nan(process, RH_F_cpu_pct, process->cpu_pct));
	}
	/* Another boot begins its time anew. */
	if (baseline->moment_ns == 0 || now_ns < baseline->moment_ns || now_ns - baseline->moment_ns >= moment_every_ns)
		take_moment(baseline, feed);
}

void baseline_pause(struct baseline *baseline, const char command[RH_COMMAND_BYTES])
{
	char name[RH_COMMAND_BYTES];

	copy_command(name, command);
	if (name[0] && baseline->day)
		take_entry(baseline, name)->row.pauses_count++;
}

/* ---- into the database ---- */

static int put_all(struct baseline *baseline, struct storage *storage)
{
	int failed = storage_begin(storage, false);

	if (failed)
		return failed;
	for (uint32_t i = 0; i < baseline->used && failed == 0; i++)
		failed = storage_put_baselines(storage, &baseline->entries[i].row, 1);
	if (failed == 0)
		failed = storage_commit(storage);
	if (failed)
		storage_rollback(storage);
	return failed;
}

int baseline_flush(struct baseline *baseline, struct storage *storage, uint64_t now_ns, bool last)
{
	if (baseline->flush_ns == 0)
		baseline->flush_ns = now_ns + flush_every_ns;
	if (!last && now_ns < baseline->flush_ns)
		return 0;
	int failed = 0;
	if (storage && baseline->used > 0)
		failed = put_all(baseline, storage);
	if (failed || !storage) {
		baseline->flush_ns = now_ns + retry_after_ns;
		return failed;
	}
	baseline->flush_ns = now_ns + flush_every_ns;
	baseline->used = 0;
	memset(baseline->heads, 0xff, sizeof(baseline->heads));
	return 0;
}

/* ---- what there is to say ---- */

/* Lays what is not in the database yet over what is. */
static void add_entries(const struct baseline *baseline, const char command[RH_COMMAND_BYTES], struct storage_usual *usual)
{
	for (uint16_t i = baseline->heads[head_of(command)]; i != NOBODY; i = baseline->entries[i].next) {
		const struct storage_baseline *row = &baseline->entries[i].row;
		if (memcmp(row->command, command, RH_COMMAND_BYTES) != 0)
			continue;
		if (usual->days == 0)
			usual->first_day = row->day;
		usual->samples_count += row->samples_count;
		usual->peak_score = fmaxf(usual->peak_score, row->peak_score);
		usual->peak_cpu_pct = fmaxf(usual->peak_cpu_pct, row->peak_cpu_pct);
		sketch_merge(&usual->score, &row->score);
		sketch_merge(&usual->cpu_pct, &row->cpu_pct);
	}
}

/* What is compared: the score, or where it is not known the cpu use. */
struct comparison {
	const char *quantity, *unit;
	double now, peak, usual, often, rare; /* usual: half of the moments are below; often: 90 %, rare: 99 % */
};

static struct comparison compare(const struct storage_usual *usual, float score, float cpu_pct)
{
	bool by_score = !isnan(score);
	const struct sketch *sketch = by_score ? &usual->score : &usual->cpu_pct;

	return (struct comparison){
	        .quantity = by_score ? "score" : "cpu",
	        .unit = by_score ? "" : "%",
	        .now = by_score ? (double)score : (double)cpu_pct,
	        .peak = by_score ? (double)usual->peak_score : (double)usual->peak_cpu_pct,
	        .usual = sketch_quantile(sketch, 0.5),
	        .often = sketch_quantile(sketch, 0.9),
	        .rare = sketch_quantile(sketch, 0.99),
	};
}

/* The days, or where they are less than two the hours, that are known. Returns out. */
static char *say_known(const struct storage_usual *usual, uint32_t today, char out[24])
{
	uint32_t days = usual->first_day <= today ? today - usual->first_day + 1 : 1;

	if (days > 1)
		snprintf(out, 24, "%u days", (unsigned)days);
	else
		snprintf(out, 24, "%u h", (unsigned)(usual->samples_count / HOUR_SAMPLES));
	return out;
}

static void say(const struct storage_usual *usual, const struct comparison *it, const char *name, uint32_t today, char *out)
{
	char known[24], remark[64];

	if (it->now <= it->often / (1 - SKETCH_ERROR)) {
		snprintf(out, BASELINE_SAY_BYTES, "as usual for %s (%s %.0f%s, usual %.0f%s)", name, it->quantity, it->now, it->unit,
		        it->usual, it->unit);
		return;
	}
	if (it->now >= it->peak)
		snprintf(remark, sizeof(remark), "the worst %s in %s", name, say_known(usual, today, known));
	else if (usual->days_as_high > 0)
		snprintf(remark, sizeof(remark), "as on %u of %u days", (unsigned)usual->days_as_high, (unsigned)usual->earlier_days);
	else
		snprintf(remark, sizeof(remark), "high for %s, as earlier today", name);
	snprintf(out, BASELINE_SAY_BYTES, "%s (%s %.0f%s, usual %.0f%s, 99th percentile %.0f%s)", remark, it->quantity, it->now, it->unit,
	        it->usual, it->unit, it->rare, it->unit);
}

char *baseline_say(const struct baseline *baseline, struct storage *storage, const char command[RH_COMMAND_BYTES], float score,
        float cpu_pct, char out[BASELINE_SAY_BYTES])
{
	char exact[RH_COMMAND_BYTES], name[4 * RH_COMMAND_BYTES];
	uint32_t remembered = (uint32_t)baseline->config->storage_baseline_days;
	struct storage_usual usual;

	out[0] = '\0';
	copy_command(exact, command);
	if (!storage || !exact[0] || !baseline->day || (isnan(score) && isnan(cpu_pct)))
		return out;
	const struct storage_usual_query query = {
	        .command = exact,
	        .since_day = baseline->day > remembered ? baseline->day - remembered + 1 : 0,
	        .until_day = baseline->day,
	        .score = score,
	        .cpu_pct = cpu_pct,
	};
	if (storage_usual(storage, &query, &usual) < 0)
		return out;
	add_entries(baseline, exact, &usual);
	if (usual.samples_count < HOUR_SAMPLES)
		return out;
	text_sanitise(exact, sizeof(exact), name, sizeof(name));
	text_reduce_to_ascii(name);
	struct comparison comparison = compare(&usual, score, cpu_pct);
	say(&usual, &comparison, name, baseline->day, out);
	return out;
}
