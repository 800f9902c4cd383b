/*
 * doctor_print_json.c - the report of `doctor` as JSON, see doctor_print.h.
 */
#include "base/json.h"
#include "readers/common/attach.h"
#include "readers/doctor/doctor_print.h"
#include "rogue/tables.h"

static void text_member(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text, SIZE_MAX);
}

/* Nothing where there is no text. */
static void said_member(struct json *json, const char *key, const char *text)
{
	if (text[0])
		text_member(json, key, text);
}

static void bool_member(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}

static void real_member(struct json *json, const char *key, double number)
{
	if (number < 0)
		return;
	json_key(json, key);
	json_f64(json, number, 4);
}

static void json_probe(struct json *json, const struct report *report)
{
	json_key(json, "probe");
	json_object_begin(json);
	said_member(json, "program", report->program);
	said_member(json, "error", report->probe_error);
	if (report->probed) {
		text_member(json, "kernel", report->kernel);
		json_key(json, "uid");
		json_u64(json, report->uid);
		text_member(json, "sampler", report->sampler);
		said_member(json, "refusal", report->refusal);
		real_member(json, "open_ms", report->open_ms);
		real_member(json, "sample_ms", report->sample_ms);
	}
	json_object_end(json);
}

static void json_daemon(struct json *json, const struct report *report)
{
	json_key(json, "daemon");
	json_object_begin(json);
	text_member(json, "writer", attach_status_name(report->writer));
	text_member(json, "text", rh_status_text(report->writer));
	said_member(json, "error", report->ring_error);
	if (report->writer_pid > 0) {
		json_key(json, "writer_pid");
		json_u64(json, report->writer_pid);
	}
	if (report->has_system) {
		text_member(json, "sampler", rh_code(RH_CODE_sampler, report->system.sampler)->name);
		text_member(json, "sampler_reason", rh_code(RH_CODE_sampler_reason, report->system.sampler_reason)->name);
	}
	json_object_end(json);
}

static void json_signals(struct json *json, const struct report *report)
{
	json_key(json, "signals");
	json_array_begin(json);
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++) {
		const struct rh_signal_row *row = &rh_signal_rows[i];
		const struct examined_signal *signal = &report->signals[row->bit];
		json_object_begin(json);
		text_member(json, "name", row->name);
		text_member(json, "text", row->text);
		if (report->probed) {
			bool_member(json, "available", signal->available);
			text_member(json, "why", signal->why);
		}
		if (report->has_live)
			bool_member(json, "used", examine_is_live(report, row->bit));
		text_member(json, "lost", row->lost);
		said_member(json, "enable", examine_step(report, row));
		json_object_end(json);
	}
	json_array_end(json);
}

static void json_capabilities(struct json *json, const struct report *report)
{
	json_key(json, "capabilities");
	json_array_begin(json);
	for (unsigned i = 0; i < report->capability_count; i++) {
		const struct examined_capability *capability = &report->capabilities[i];
		json_object_begin(json);
		text_member(json, "name", capability->name);
		bool_member(json, "kept", capability->kept);
		bool_member(json, "available", capability->available);
		if (report->has_capabilities)
			bool_member(json, "held", report->held >> capability->number & 1);
		text_member(json, "purpose", capability->purpose);
		text_member(json, "lost", capability->lost);
		json_object_end(json);
	}
	json_array_end(json);
}

void doctor_print_json(FILE *out, const struct report *report)
{
	struct json json;

	json_begin(&json, out);
	json_object_begin(&json);
	text_member(&json, "schema", "rogue-hunter.doctor/1");
	text_member(&json, "version", RH_VERSION);
	json_probe(&json, report);
	json_daemon(&json, report);
	json_signals(&json, report);
	json_capabilities(&json, report);
	json_object_end(&json);
	fputc('\n', out);
}
