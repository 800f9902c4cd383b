/*
 * tables.h - the tables as data: one row per field, and the names of codes. For programs that handle fields by number or name:
 * SQL, JSON, CSV, OpenMetrics, column pickers, man pages.
 *
 * The arrays are `static const` in each file that includes this; include it in few.
 */
#ifndef ROGUE_TABLES_H
#define ROGUE_TABLES_H

#include "rogue/samples.h"

#include <stdio.h>
#include <string.h>

struct rh_row {
	const char *name, *title, *source, *brief, *doc;
	uint16_t id, offset, size, width;
	uint8_t type, kind, unit, aggregate; /* enum rh_type, rh_kind, rh_unit, rh_aggregate */
};

static const struct rh_row rh_process_rows[] = {
#define RH_FIELD(id_, name_, type_, kind_, unit_, aggregate_, title_, width_, source_, brief_, doc_) \
	{.name = #name_, \
	        .title = (title_), \
	        .source = (source_), \
	        .brief = (brief_), \
	        .doc = (doc_), \
	        .id = (id_), \
	        .offset = offsetof(struct rh_process, name_), \
	        .size = sizeof(((struct rh_process *)0)->name_), \
	        .width = (width_), \
	        .type = RH_TYPE_##type_, \
	        .kind = RH_KIND_##kind_, \
	        .unit = RH_UNIT_##unit_, \
	        .aggregate = RH_AGGREGATE_##aggregate_},
#include "rogue/fields.def"
};

static const struct rh_row rh_system_rows[] = {
#define RH_SYSTEM_FIELD(id_, name_, type_, kind_, unit_, title_, source_, brief_, doc_) \
	{.name = #name_, \
	        .title = (title_), \
	        .source = (source_), \
	        .brief = (brief_), \
	        .doc = (doc_), \
	        .id = (id_), \
	        .offset = offsetof(struct rh_system, name_), \
	        .size = sizeof(((struct rh_system *)0)->name_), \
	        .width = 0, \
	        .type = RH_TYPE_##type_, \
	        .kind = RH_KIND_##kind_, \
	        .unit = RH_UNIT_##unit_, \
	        .aggregate = RH_AGGREGATE_NONE},
#include "rogue/system.def"
};

enum {
	RH_PROCESS_ROWS = sizeof(rh_process_rows) / sizeof(rh_process_rows[0]),
	RH_SYSTEM_ROWS = sizeof(rh_system_rows) / sizeof(rh_system_rows[0]),
};

/* Row of that name in a table, NULL if there is none. */
static inline const struct rh_row *rh_row_by_name(const struct rh_row *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* Suffix that the names of a unit's fields end in, and the unit in words. */
static inline const char *rh_unit_suffix(unsigned unit)
{
	switch (unit) {
#define RH_UNIT(unit_, suffix_, text_) \
	case RH_UNIT_##unit_: \
		return suffix_;
#include "rogue/units.def"
	}
	return "";
}

static inline const char *rh_unit_text(unsigned unit)
{
	switch (unit) {
#define RH_UNIT(unit_, suffix_, text_) \
	case RH_UNIT_##unit_: \
		return text_;
#include "rogue/units.def"
	}
	return "";
}

/*
 * Name of a field as an OpenMetrics metric: "rogue_hunter_process_cpu_time_ns_total", the counters with the suffix that the format asks for.
 *   scope  "process" or "system"
 *   out    receives the name, or "" for fields that are labels rather than values (IDENT)
 * Returns out.
 */
static inline char *rh_metric_name(const struct rh_row *row, const char *scope, char out[96])
{
	out[0] = '\0';
	if (row->kind != RH_KIND_IDENT)
		snprintf(out, 96, "rogue_hunter_%s_%s%s", scope, row->name, row->kind == RH_KIND_COUNTER ? "_total" : "");
	return out;
}

/* Kinds of code, each with its own numbers (codes.def). */
enum rh_code_kind {
	RH_CODE_state,
	RH_CODE_band,
	RH_CODE_resource,
	RH_CODE_policy,
	RH_CODE_stress,
	RH_CODE_sampler,
	RH_CODE_sampler_reason,
	RH_CODE_guard_class
};

struct rh_code {
	uint8_t kind, value;
	char letter;      /* of states */
	const char *name; /* "running", "critical", "cpu" */
	const char *text; /* where the name does not say it all */
};

static const struct rh_code rh_codes[] = {
#define RH_STATE(value_, name_, letter_) {RH_CODE_state, value_, letter_, #name_, #name_},
#define RH_BAND(value_, name_) {RH_CODE_band, value_, 0, #name_, #name_},
#define RH_RESOURCE(value_, name_) {RH_CODE_resource, value_, 0, #name_, #name_},
#define RH_POLICY(value_, name_) {RH_CODE_policy, value_, 0, #name_, #name_},
#define RH_STRESS(value_, name_) {RH_CODE_stress, value_, 0, #name_, #name_},
#define RH_SAMPLER(value_, name_) {RH_CODE_sampler, value_, 0, #name_, #name_},
#define RH_SAMPLER_REASON(value_, name_, text_) {RH_CODE_sampler_reason, value_, 0, #name_, text_},
#define RH_GUARD_CLASS(value_, name_, text_) {RH_CODE_guard_class, value_, 0, #name_, text_},
#include "rogue/codes.def"
};

/* Row of a code; one named "unknown", with the letter '?', for a code that this version does not know. */
static inline const struct rh_code *rh_code(enum rh_code_kind kind, unsigned value)
{
	static const struct rh_code unknown = {0, 0, '?', "unknown", "unknown"};

	for (size_t i = 0; i < sizeof(rh_codes) / sizeof(rh_codes[0]); i++)
		if (rh_codes[i].kind == (uint8_t)kind && rh_codes[i].value == value)
			return &rh_codes[i];
	return &unknown;
}

/* A signal, as signals.def has it. */
struct rh_signal_row {
	const char *name, *text, *lost, *enable;
	unsigned bit; /* enum rh_signal */
};

static const struct rh_signal_row rh_signal_rows[] = {
#define RH_SIGNAL(bit_, name_, text_, lost_, enable_) \
	{.name = #name_, .text = (text_), .lost = (lost_), .enable = (enable_), .bit = (bit_)},
#include "rogue/signals.def"
};

enum { RH_SIGNAL_ROWS = sizeof(rh_signal_rows) / sizeof(rh_signal_rows[0]) };

#endif
