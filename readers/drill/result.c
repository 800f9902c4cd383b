/*
 * result.c - what the daemon said of a round, held against what really happened.
 *
 * Of several pauses the one that overlaps the injection most counts as what was said. A culprit is right if the first that is named is a process of the
 * round that caused it, by pid and start, never by name; where a control group spent its own quota, if that group and no stranger is named.
 */
#include "readers/drill/result.h"

#include "base/complain.h"
#include "readers/common/attach.h"
#include "rogue/reader.h"
#include "storage/pauses.h"
#include "storage/rows.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_NO_DAEMON = 3, WAIT_MS = 3000, LOOK_MS = 50, SLACK_MS = 100, SEEN = 64, ROWS = 32 };

static const double sure_ratio = 0.8;

struct result_source {
	struct rh_ring *ring;
	struct storage *storage;
	/* of the round */
	uint64_t begin_realtime_ns;
	struct seen {
		uint32_t number;
		uint64_t at_ns; /* when it was first in the database */
	} seen[SEEN];
	uint32_t seen_count;
	struct storage_pause rows[ROWS]; /* those of the last look that overlap the injection */
	uint32_t row_count;
};

static int refuse(const char *instance, enum rh_status status)
{
	complain("the daemon%s%s does not run (%s): start it with `rogue-hunter daemon`, or drill with --dry-run", instance ? " " : "",
	        instance ? instance : "", rh_status_text(status));
	return EXIT_NO_DAEMON;
}

int result_open(const char *instance, const char *database, struct result_source **ret_source)
{
	struct result_source *source = calloc(1, sizeof(*source));
	char error[STORAGE_TEXT_BYTES];
	struct rh_error reason = {0};

	*ret_source = source;
	if (!source) {
		complain("no memory");
		return 1;
	}
	enum rh_status status = rh_open(instance, &source->ring, &reason);
	if (status == RH_NO_SEGMENT)
		return refuse(instance, status);
	if (status != RH_OK)
		return attach_failed(status, &reason);
	status = rh_writer_status(source->ring);
	if (status != RH_RUNNING && status != RH_HUNG)
		return refuse(instance, status);
	int failed = rows_open(instance, database, STORAGE_READ, &source->storage, error);
	if (failed)
		complain("%s", error);
	return failed;
}

void result_close(struct result_source **source)
{
	if (!*source)
		return;
	rh_close(&(*source)->ring);
	storage_close(&(*source)->storage);
	free(*source);
	*source = NULL;
}

void result_collector(const struct result_source *source, pid_t *ret_pid, uint64_t *ret_start_ns)
{
	struct rh_info info;

	rh_info(source->ring, &info);
	*ret_pid = (pid_t)info.writer_pid;
	*ret_start_ns = stage_start_time_ns((pid_t)info.writer_pid);
}

/* ---- looking ---- */

void result_begin(struct result_source *source, const struct stage *stage)
{
	(void)stage;
	source->begin_realtime_ns = clock_now_ns(CLOCK_REALTIME);
	source->seen_count = source->row_count = 0;
}

static uint64_t seen_at(struct result_source *source, uint32_t number)
{
	for (uint32_t i = 0; i < source->seen_count; i++)
		if (source->seen[i].number == number)
			return source->seen[i].at_ns;
	uint64_t now_ns = stage_now();
	if (source->seen_count < SEEN)
		source->seen[source->seen_count++] = (struct seen){.number = number, .at_ns = now_ns};
	return now_ns;
}

/* How much of a pause lies in the injection and its tail. */
static uint64_t overlap_ns(const struct storage_pause *pause, const struct stage *stage)
{
	uint64_t span_ns = pause->span_ns > pause->duration_ns ? pause->span_ns : pause->duration_ns;
	uint64_t from_ns = pause->start_boottime_ns, to_ns = from_ns + span_ns;
	uint64_t end_ns = stage->until_ns + STAGE_TAIL_MS * (uint64_t)NS_PER_MS;

	from_ns = from_ns > stage->begin_ns ? from_ns : stage->begin_ns;
	to_ns = to_ns < end_ns ? to_ns : end_ns;
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

void result_look(struct result_source *source, const struct stage *stage)
{
	const struct storage_pause_filter filter = {.since_realtime_ns = source->begin_realtime_ns};
	struct storage_pause rows[ROWS];

	if (stage->begin_ns == 0)
		return;
	int count = storage_pauses(source->storage, &filter, rows, ROWS);
	source->row_count = 0;
	for (int i = 0; i < count; i++)
		if (overlap_ns(&rows[i], stage) > 0) {
			seen_at(source, rows[i].number);
			source->rows[source->row_count++] = rows[i];
		}
}

static bool all_final(const struct result_source *source)
{
	for (uint32_t i = 0; i < source->row_count; i++)
		if (strcmp(source->rows[i].state, "interim") == 0)
			return false;
	return source->row_count > 0;
}

/* ---- who was named ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* Last part of the path of a control group. */
static const char *group_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Does the text hold the name of the round's group? clear_rest() left it in place. */
static bool is_our_group(const struct stage *stage, const char *text)
{
	const char *name = group_of(stage->groups[0]);
	return name[0] && strstr(text, name);
}

enum named { NAMED_NOBODY, NAMED_OURS, NAMED_OTHER };

/* Whom of the round a culprit of the document is. */
static enum named whom(const struct stage *stage, const json_t *culprit)
{
	json_int_t pid = json_integer_value(json_object_get(culprit, "pid"));
	json_int_t start_us = json_integer_value(json_object_get(culprit, "start_boottime_us"));
	const struct stage_actor *actor = pid > 0 ? stage_find(stage, (uint32_t)pid, (uint64_t)start_us * NS_PER_US) : NULL;

	if (actor)
		return actor->role == STAGE_CULPRIT || actor->role == STAGE_MEMBER ? NAMED_OURS : NAMED_OTHER;
	return strcmp(text_of(culprit, "kind"), "cgroup") == 0 && is_our_group(stage, text_of(culprit, "name")) ? NAMED_OURS : NAMED_OTHER;
}

/* The first of those that are named as culprits. */
static enum named first_named(const struct stage *stage, const json_t *document)
{
	const json_t *culprit;
	size_t i;

	json_array_foreach(json_object_get(document, "culprits"), i,
	        culprit) if (strcmp(text_of(culprit, "role"), "culprit") == 0) return whom(stage, culprit);
	return NAMED_NOBODY;
}

/* A quota is nobody's doing but the group's own: right if it is the group's pause, or its members', and no stranger is named. */
static bool is_own_quota(const struct stage *stage, const json_t *document)
{
	const json_t *victim = json_array_get(json_object_get(document, "victims"), 0);

	return is_our_group(stage, text_of(json_object_get(document, "scope"), "cgroup")) || whom(stage, victim) == NAMED_OURS;
}

static json_t *document_of(struct result_source *source, const struct storage_pause *pause)
{
	struct storage_pause_key key = {.number = pause->number};
	struct storage_pause row;
	char *text = NULL;

	snprintf(key.boot_prefix, sizeof(key.boot_prefix), "%s", pause->boot_id);
	json_t *document = storage_pause_find(source->storage, &key, &row, &text) == 1 ? json_loads(text, 0, NULL) : NULL;
	free(text);
	return document;
}

/* ---- the verdict ---- */

static bool is_listed(const char *classes, const char *class)
{
	size_t length = strlen(class);

	for (const char *at = classes; length && (at = strstr(at, class)); at++)
		if ((at == classes || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
			return true;
	return false;
}

static double real_or_nan(const json_t *value)
{
	return json_is_number(value) ? json_number_value(value) / 1e6 : NAN;
}

static void judge(struct result_source *source, const struct stage *stage, const struct storage_pause *pause, struct drill_round *round)
{
	struct round_verdict *verdict = &round->verdict;
	json_t *document = document_of(source, pause);
	const json_t *said = json_object_get(document, "said");
	enum named named = first_named(stage, document);

	snprintf(verdict->id, sizeof(verdict->id), "%.8s-%u", pause->boot_id, pause->number);
	snprintf(verdict->class, sizeof(verdict->class), "%s", pause->class);
	snprintf(verdict->word, sizeof(verdict->word), "%s", pause->word);
	snprintf(verdict->who, sizeof(verdict->who), "%s", pause->who);
	snprintf(verdict->sentence, sizeof(verdict->sentence), "%s", pause->sentence);
	verdict->both_ratio = (double)pause->both_ratio;
	verdict->detected = true;
	verdict->kind_right = is_listed(round->kind->classes, pause->class);
	verdict->culprit_right = named == NAMED_OURS;
	if (named == NAMED_NOBODY && round->kind == &drill_kinds[DRILL_KIND_throttle])
		verdict->culprit_right = verdict->kind_right && is_own_quota(stage, document);
	uint64_t seen_ns = seen_at(source, pause->number);
	if (pause->start_boottime_ns + SLACK_MS * (uint64_t)NS_PER_MS >= stage->begin_ns) /* else it was known before */
		verdict->first_s = ((double)seen_ns - (double)(round->happened ? round->truth.from_ns : stage->begin_ns)) / NS_PER_S;
	verdict->after_end_s = ((double)seen_ns - (double)(round->happened ? round->truth.to_ns : stage->until_ns)) / NS_PER_S;
	verdict->said_first_s = real_or_nan(json_object_get(said, "first_us"));
	verdict->said_final_s = real_or_nan(json_object_get(said, "final_us"));
	json_decref(document);
}

/* Was a stranger named for sure in any of them? */
static bool is_wrong_for_sure(struct result_source *source, const struct stage *stage)
{
	bool wrong = false;

	for (uint32_t i = 0; i < source->row_count && !wrong; i++) {
		json_t *document = document_of(source, &source->rows[i]);
		wrong = (double)source->rows[i].both_ratio > sure_ratio && first_named(stage, document) == NAMED_OTHER;
		json_decref(document);
	}
	return wrong;
}

/* Samples of the injection that were published, and how late the latest of them was. */
static void count_samples(struct result_source *source, struct drill_round *round)
{
	struct round_verdict *verdict = &round->verdict;
	struct rh_info info;
	struct rh_view view;

	rh_info(source->ring, &info);
	verdict->samples_due = info.period_ns ? (round->until_ns - round->begin_ns) / info.period_ns : 0;
	for (uint64_t sample = rh_newest(source->ring); sample > 0 && rh_at(source->ring, sample, &view) == RH_OK; sample--) {
		if (view.system.boottime_ns < round->begin_ns)
			break;
		if (view.system.boottime_ns >= round->until_ns)
			continue;
		verdict->samples++;
		if ((double)view.system.lateness_ns / NS_PER_S > verdict->lateness_s)
			verdict->lateness_s = (double)view.system.lateness_ns / NS_PER_S;
	}
}

void result_end(struct result_source *source, const struct stage *stage, struct drill_round *round)
{
	struct round_verdict *verdict = &round->verdict;
	uint64_t limit_ns = stage_now() + WAIT_MS * (uint64_t)NS_PER_MS;
	const struct storage_pause *longest = NULL;

	*verdict = (struct round_verdict){.asked = true, .first_s = NAN, .after_end_s = NAN, .said_first_s = NAN, .said_final_s = NAN};
	for (;;) {
		result_look(source, stage);
		if (stage_now() >= limit_ns || (all_final(source) && round->kind->classes[0]))
			break;
		stage_sleep_until(stage_now() + LOOK_MS * (uint64_t)NS_PER_MS);
	}
	for (uint32_t i = 0; i < source->row_count; i++)
		if (!longest || overlap_ns(&source->rows[i], stage) > overlap_ns(longest, stage))
			longest = &source->rows[i];
	verdict->pause_count = source->row_count;
	if (longest)
		judge(source, stage, longest, round);
	verdict->wrong_sure = is_wrong_for_sure(source, stage);
	count_samples(source, round);
}
