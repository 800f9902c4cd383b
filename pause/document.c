/*
 * document.c - see document.h. docs/pause.schema.json describes what is written, docs/verdict.md what it means.
 *
 * Times are whole microseconds, and no whole number reaches 2^53: whoever reads numbers as doubles reads them exactly. What was not measured is null.
 */
#include "pause/document.h"

#include "pause/sentence.h"
#include "rogue/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t whole_max = (UINT64_C(1) << 53) - 1;

/* ---- members ---- */

static void put_whole(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_u64(json, value < whole_max ? value : whole_max);
}

static void put_us(struct json *json, const char *key, uint64_t ns)
{
	put_whole(json, key, ns / 1000);
}

/* 0 is "not known". */
static void put_us_or_none(struct json *json, const char *key, uint64_t ns)
{
	if (ns) {
		put_us(json, key, ns);
	} else {
		json_key(json, key);
		json_none(json);
	}
}

static void put_bool(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}

static void put_none(struct json *json, const char *key)
{
	json_key(json, key);
	json_none(json);
}

static void put_word(struct json *json, const char *key, const char *word)
{
	json_key(json, key);
	json_text(json, word, SIZE_MAX);
}

/* A text of fixed room; "" is null. */
static void put_field(struct json *json, const char *key, const char *text, size_t room)
{
	json_key(json, key);
	if (text[0])
		json_text(json, text, room);
	else
		json_none(json);
}
#define PUT_FIELD(json, key, field) put_field((json), (key), (field), sizeof(field))

/* A text that is always there. */
#define PUT_TEXT(json, key, field) (json_key((json), (key)), json_text((json), (field), sizeof(field)))

/* A measured ratio, 0 to 1. */
static void put_ratio(struct json *json, const char *key, float ratio)
{
	json_key(json, key);
	json_f64(json, isnan(ratio) ? (double)NAN : ratio < 0 ? 0 : ratio > 1 ? 1 : (double)ratio, 4);
}

/* A value in its unit: times and amounts are whole, as everywhere in the document. */
static void put_value(struct json *json, const char *key, double value, const char *unit)
{
	bool is_time = strcmp(unit, "ns") == 0;

	json_key(json, key);
	if (is_time)
		value /= 1000;
	if (!isfinite(value))
		json_none(json);
	else if (!is_time && strcmp(unit, "bytes") != 0 && strcmp(unit, "count") != 0)
		json_f64(json, value, 6);
	else if (fabs(value) >= (double)whole_max)
		json_i64(json, value < 0 ? -(int64_t)whole_max : (int64_t)whole_max);
	else
		json_i64(json, llround(value));
}

/* The unit under which put_value() writes. */
static const char *unit_name(const char *unit)
{
	return strcmp(unit, "ns") == 0 ? "us" : unit;
}

/* ---- the head ---- */

static void put_id(struct json *json, const char *key, const struct pause *p, uint32_t number)
{
	char id[PAUSE_ID_BYTES];
	struct pause other = {.number = number};

	memcpy(other.boot_id, p->boot_id, sizeof(other.boot_id));
	put_word(json, key, pause_id(&other, id));
}

static void put_start(struct json *json, const struct pause *p)
{
	char text[64];
	int32_t offset;
	bool local = pause_utc_offset(p, &offset);
	time_t second = (time_t)(p->start_realtime_ns / 1000000000) + offset;
	struct tm date = {.tm_mday = 1};

	gmtime_r(&second, &date);
	size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &date);
	length += (size_t)snprintf(text + length, sizeof(text) - length, ".%06" PRIu64, p->start_realtime_ns % 1000000000 / 1000);
	if (local)
		snprintf(text + length, sizeof(text) - length, "%c%02d:%02d", offset < 0 ? '-' : '+', abs(offset) / 3600,
		        abs(offset) % 3600 / 60);
	else
		snprintf(text + length, sizeof(text) - length, "Z");
	put_word(json, "start", text);
}

static void put_identity(struct json *json, const struct pause *p)
{
	put_word(json, "schema", "rogue-hunter.pause/1");
	put_id(json, "id", p, p->number);
	put_word(json, "state", pause_state_name(p->state));
	if (p->state == PAUSE_STATE_merged)
		put_id(json, "merged_into", p, p->merged_into);
	else
		put_none(json, "merged_into");
	PUT_TEXT(json, "boot_id", p->boot_id);
	PUT_FIELD(json, "host", p->place.host);
	put_word(json, "judge", PAUSE_JUDGE);
	put_start(json, p);
	put_us(json, "start_boottime_us", p->start_boottime_ns);
	put_us(json, "duration_us", p->duration_ns);
	put_us(json, "span_us", p->span_ns);
	put_us(json, "window_us", p->window_ns);
	put_bool(json, "onset_seen", p->onset_seen);
	put_bool(json, "ongoing", p->ongoing);
	put_word(json, "class", pause_class_name(p->class));
}

static void put_place(struct json *json, const struct pause *p)
{
	int32_t offset;

	json_key(json, "place");
	json_object_begin(json);
	PUT_FIELD(json, "host", p->place.host);
	PUT_FIELD(json, "kernel", p->place.kernel);
	put_whole(json, "cpus_count", p->place.cpus);
	put_whole(json, "mem_total_bytes", p->place.mem_total_bytes);
	put_whole(json, "swap_total_bytes", p->place.swap_total_bytes);
	put_whole(json, "swap_used_bytes", p->place.swap_used_bytes);
	put_us(json, "uptime_us", p->place.uptime_ns);
	if (pause_utc_offset(p, &offset)) {
		json_key(json, "utc_offset_s");
		json_i64(json, offset);
	} else {
		put_none(json, "utc_offset_s");
	}
	put_word(json, "sampler", rh_code(RH_CODE_sampler, p->place.sampler)->name);
	put_word(json, "guard", rh_code(RH_CODE_guard_class, p->place.guard_class)->name);
	json_object_end(json);
}

static void put_scope(struct json *json, const struct pause *p)
{
	json_key(json, "scope");
	json_object_begin(json);
	put_word(json, "kind", pause_scope_name(p->scope));
	put_whole(json, "task_count", p->task_count);
	if (p->cpu_mask) {
		json_key(json, "cpus");
		json_array_begin(json);
		for (unsigned cpu = 0; cpu < 64; cpu++)
			if (p->cpu_mask >> cpu & 1)
				json_u64(json, cpu);
		json_array_end(json);
	} else {
		put_none(json, "cpus");
	}
	PUT_FIELD(json, "cgroup", p->cgroup);
	json_object_end(json);
}

static void put_said(struct json *json, const struct pause *p)
{
	char sentence[PAUSE_SENTENCE_BYTES];

	pause_sentence(p, 8, sentence);
	put_word(json, "sentence", sentence);
	json_key(json, "said");
	json_object_begin(json);
	put_us(json, "first_us", p->first_said_ns);
	if (p->state == PAUSE_STATE_interim)
		put_none(json, "final_us");
	else
		put_us(json, "final_us", p->final_said_ns);
	if (p->earlier_class == p->class)
		put_none(json, "earlier_class");
	else
		put_word(json, "earlier_class", pause_class_name(p->earlier_class));
	json_object_end(json);
}

static void put_what(struct json *json, const struct pause *p)
{
	json_key(json, "what");
	json_object_begin(json);
	json_key(json, "taken_cpu");
	if (p->taken_cpu >= 0)
		json_i64(json, p->taken_cpu);
	else
		json_none(json);
	PUT_FIELD(json, "device", p->device);
	put_us_or_none(json, "quota_us", p->quota_ns);
	put_us_or_none(json, "period_us", p->period_ns);
	put_ratio(json, "steal_ratio", p->steal_ratio);
	put_ratio(json, "idle_ratio", p->idle_ratio);
	PUT_FIELD(json, "oom_victim", p->oom_victim);
	put_bool(json, "oom_of_group", p->oom_of_group);
	json_object_end(json);
	PUT_FIELD(json, "caveat", p->caveat);
	put_bool(json, "outside", p->outside);
	put_bool(json, "own_fault", p->own_fault);
}

static void put_confidence(struct json *json, const struct pause *p)
{
	json_key(json, "confidence");
	json_object_begin(json);
	put_ratio(json, "class_ratio", p->class_ratio);
	put_ratio(json, "both_ratio", p->both_ratio);
	put_word(json, "word", pause_word_name(pause_word_said(p)));
	put_word(json, "basis", p->recorded ? "recorded" : "inferred");
	put_ratio(json, "cap_ratio", p->cap_ratio);
	PUT_FIELD(json, "cap_reason", p->cap_reason);
	json_object_end(json);
}

/* ---- who ---- */

static void put_metric(struct json *json, const struct pause *p)
{
	const char *unit = pause_metric_unit(p->class);

	if (p->class >= PAUSE_CLASSES || pause_metric_name(p->class)[0] == '\0') {
		put_none(json, "metric");
		return;
	}
	json_key(json, "metric");
	json_object_begin(json);
	put_word(json, "name", pause_metric_name(p->class));
	put_word(json, "unit", unit_name(unit));
	put_value(json, "total", p->metric_total, unit);
	json_object_end(json);
}

static void put_ancestor(struct json *json, const struct pause_who *who)
{
	if (who->ancestor[0] == '\0') {
		put_none(json, "ancestor");
		return;
	}
	json_key(json, "ancestor");
	json_object_begin(json);
	PUT_TEXT(json, "comm", who->ancestor);
	put_whole(json, "pid", who->ancestor_pid);
	put_bool(json, "exited", who->ancestor_exited);
	json_object_end(json);
}

static void put_culprit(struct json *json, const struct pause *p, uint32_t at)
{
	const struct pause_who *who = &p->culprits[at];

	json_object_begin(json);
	put_whole(json, "rank", at + 1);
	put_word(json, "role", pause_role_name(who->role));
	put_word(json, "kind", pause_kind_name(who->kind));
	PUT_TEXT(json, "name", who->name);
	PUT_FIELD(json, "comm", who->command);
	put_whole(json, "pid", who->pid);
	put_us(json, "start_boottime_us", who->start_time_ns);
	put_whole(json, "process_count", who->process_count);
	put_ancestor(json, who);
	PUT_FIELD(json, "cgroup", who->cgroup);
	put_bool(json, "exited", who->exited);
	put_bool(json, "also_victim", who->also_victim);
	put_ratio(json, "share_ratio", who->share_ratio);
	put_value(json, "amount", who->amount, p->class < PAUSE_CLASSES ? pause_metric_unit(p->class) : "");
	put_us(json, "harm_us", who->harm_ns);
	PUT_FIELD(json, "how", who->how);
	put_word(json, "policy", rh_code(RH_CODE_policy, who->policy)->name);
	put_whole(json, "rt_priority_count", who->rt_prio);
	json_key(json, "nice");
	json_i64(json, who->nice);
	put_none(json, "on_behalf_of"); /* of a carrier: who asked is in a rank of its own, or not known */
	json_object_end(json);
}

static void put_victim(struct json *json, const struct pause_victim *victim)
{
	json_object_begin(json);
	PUT_TEXT(json, "name", victim->name);
	PUT_FIELD(json, "comm", victim->command);
	put_whole(json, "pid", victim->pid);
	put_us(json, "start_boottime_us", victim->start_time_ns);
	put_whole(json, "thread_count", victim->threads);
	put_us(json, "longest_wait_us", victim->longest_ns);
	put_us(json, "total_wait_us", victim->total_ns);
	put_word(json, "wait", pause_wait_name(victim->wait));
	put_bool(json, "also_culprit", victim->also_culprit);
	PUT_FIELD(json, "cgroup", victim->cgroup);
	json_object_end(json);
}

static void put_people(struct json *json, const struct pause *p)
{
	put_metric(json, p);
	json_key(json, "culprits");
	json_array_begin(json);
	for (uint32_t i = 0; i < p->culprit_count && i < PAUSE_CULPRITS; i++)
		put_culprit(json, p, i);
	json_array_end(json);
	json_key(json, "victims");
	json_array_begin(json);
	for (uint32_t i = 0; i < p->victim_count && i < PAUSE_VICTIMS; i++)
		put_victim(json, &p->victims[i]);
	json_array_end(json);
	json_key(json, "victim_total");
	json_object_begin(json);
	put_whole(json, "task_count", p->scope == PAUSE_SCOPE_monitor ? 0 : p->task_count);
	put_whole(json, "process_count", p->victims_in_all);
	put_us(json, "wait_us", p->victims_wait_ns);
	json_object_end(json);
}

/* ---- why ---- */

/* Ids count apart, F1 for and A1 against: text, JSON and HTML share them. */
static void put_evidence(struct json *json, const struct pause *p)
{
	unsigned numbers[2] = {0, 0};
	char id[8];

	json_key(json, "evidence");
	json_array_begin(json);
	for (uint32_t i = 0; i < p->evidence_count && i < PAUSE_EVIDENCE; i++) {
		const struct pause_evidence *evidence = &p->evidence[i];
		snprintf(id, sizeof(id), "%c%u", evidence->against ? 'A' : 'F', ++numbers[evidence->against]);
		json_object_begin(json);
		put_word(json, "id", id);
		put_bool(json, "for", !evidence->against);
		PUT_FIELD(json, "signal", evidence->signal);
		put_value(json, "value", evidence->value, evidence->unit);
		put_field(json, "unit", unit_name(evidence->unit), sizeof(evidence->unit));
		put_value(json, "usual", evidence->usual, evidence->unit);
		PUT_TEXT(json, "text", evidence->text);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_refutation(struct json *json, const struct pause_alternative *other)
{
	if (other->result != PAUSE_RESULT_rejected || other->signal[0] == '\0') {
		put_none(json, "refuted_by");
		return;
	}
	json_key(json, "refuted_by");
	json_object_begin(json);
	PUT_FIELD(json, "signal", other->signal);
	put_value(json, "value", other->value, other->unit);
	put_field(json, "unit", unit_name(other->unit), sizeof(other->unit));
	json_object_end(json);
}

static void put_alternatives(struct json *json, const struct pause *p)
{
	json_key(json, "alternatives");
	json_array_begin(json);
	for (uint32_t i = 0; i < p->alternative_count && i < PAUSE_CLASSES; i++) {
		const struct pause_alternative *other = &p->alternatives[i];
		json_object_begin(json);
		put_word(json, "class", pause_class_name(other->class));
		put_word(json, "result", pause_result_name(other->result));
		put_ratio(json, "p_ratio", other->p_ratio);
		put_refutation(json, other);
		PUT_FIELD(json, "text", other->text);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_signals(struct json *json, const struct pause *p)
{
	json_key(json, "signals");
	json_array_begin(json);
	for (size_t i = 0; i < sizeof(rh_signal_rows) / sizeof(rh_signal_rows[0]); i++) {
		const struct rh_signal_row *row = &rh_signal_rows[i];
		bool live = p->signals >> row->bit & 1;
		json_object_begin(json);
		put_word(json, "name", row->name);
		put_word(json, "state", live ? "ok" : "absent");
		put_none(json, "reason"); /* `rogue-hunter doctor` tells it, on the machine itself */
		put_field(json, "would_tell", live ? "" : row->text, SIZE_MAX);
		put_field(json, "lost", live ? "" : row->lost, SIZE_MAX);
		put_field(json, "enable", live ? "" : row->enable, SIZE_MAX);
		json_object_end(json);
	}
	json_array_end(json);
}

/* Samples are lost, not records: as many as a sample that was seen had. */
static uint64_t lost_records(const struct pause *p)
{
	uint64_t samples = p->last_sample >= p->first_sample ? p->last_sample - p->first_sample + 1 : 1;
	return samples > 0 ? (uint64_t)p->lost_count * (p->records_count / samples) : 0;
}

static void put_coverage(struct json *json, const struct pause *p)
{
	json_key(json, "coverage");
	json_object_begin(json);
	put_us(json, "seen_us", p->seen_ns);
	put_whole(json, "records_count", p->records_count);
	put_whole(json, "lost_count", lost_records(p));
	put_word(json, "recorder", rh_code(RH_CODE_sampler, p->place.sampler)->name);
	put_word(json, "guard", rh_code(RH_CODE_guard_class, p->place.guard_class)->name);
	put_us(json, "lateness_max_us", p->lateness_max_ns);
	json_object_end(json);
	json_key(json, "samples");
	json_object_begin(json);
	put_whole(json, "first", p->first_sample);
	put_whole(json, "last", p->last_sample);
	json_object_end(json);
}

static void put_remedies(struct json *json, const struct pause *p)
{
	json_key(json, "remedies");
	json_array_begin(json);
	for (uint32_t i = 0; i < p->remedy_count && i < PAUSE_REMEDIES; i++) {
		const struct pause_remedy *remedy = &p->remedies[i];
		json_object_begin(json);
		PUT_TEXT(json, "id", remedy->id);
		PUT_FIELD(json, "condition", remedy->condition);
		PUT_TEXT(json, "text", remedy->text);
		PUT_FIELD(json, "command", remedy->command);
		PUT_FIELD(json, "undo", remedy->undo);
		PUT_FIELD(json, "risk", remedy->risk);
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_timeline(struct json *json, const struct pause *p)
{
	json_key(json, "timeline");
	json_object_begin(json);
	put_us(json, "bucket_us", p->bucket_ns);
	json_key(json, "from_us");
	json_i64(json, p->from_ns / 1000 < -(int64_t)whole_max ? -(int64_t)whole_max : p->from_ns / 1000);
	json_key(json, "rows");
	json_array_begin(json);
	for (uint32_t i = 0; i < p->row_count && i < PAUSE_ROWS; i++) {
		json_object_begin(json);
		PUT_TEXT(json, "name", p->rows[i].name);
		json_key(json, "ratio");
		json_array_begin(json);
		for (uint32_t k = 0; k < p->column_count && k < PAUSE_COLUMNS; k++) {
			float ratio = p->rows[i].ratio[k];
			json_f64(json, isnan(ratio) ? (double)NAN : ratio < 0 ? 0 : ratio > 1 ? 1 : (double)ratio, 3);
		}
		json_array_end(json);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

void pause_document(const struct pause *pause, struct json *json)
{
	json_object_begin(json);
	put_identity(json, pause);
	put_scope(json, pause);
	put_said(json, pause);
	put_confidence(json, pause);
	put_what(json, pause);
	put_people(json, pause);
	put_evidence(json, pause);
	put_alternatives(json, pause);
	put_signals(json, pause);
	put_coverage(json, pause);
	put_remedies(json, pause);
	put_timeline(json, pause);
	if (pause->same_class_today)
		put_whole(json, "same_class_today_count", pause->same_class_today);
	else
		put_none(json, "same_class_today_count");
	PUT_FIELD(json, "baseline", pause->baseline);
	put_place(json, pause);
	put_none(json, "capture"); /* a pause knows nothing of captures; who keeps them fills it in */
	json_object_end(json);
}

char *pause_document_text(const struct pause *pause)
{
	struct json json;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	json_begin(&json, out);
	pause_document(pause, &json);
	bool failed = ferror(out);
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
