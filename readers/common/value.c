/*
 * value.c - fields as text, JSON and CSV, see value.h.
 */
#include "readers/common/value.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "rogue/tables.h"

#include <math.h>

enum { F32_DIGITS = 7 }; /* what a float holds for certain: 57.3 comes out as 57.3 */

/* ---- codes and bit sets: which table of codes.def a STATE field speaks ---- */

struct bit_name {
	unsigned bit;
	const char *name;
};

static const struct bit_name flag_names[] = {
#define RH_PROCESS_FLAG(bit_, name_, text_) {(bit_), #name_},
#include "rogue/codes.def"
        {0, NULL},
};

static const struct bit_name degraded_names[] = {
#define RH_DEGRADED(bit_, name_, text_) {(bit_), #name_},
#include "rogue/codes.def"
        {0, NULL},
};

static const struct bit_name signal_names[] = {
#define RH_SIGNAL(bit_, name_, text_, lost_, enable_) {(bit_), #name_},
#include "rogue/signals.def"
        {0, NULL},
};

static const struct code_field {
	const char *field;
	enum rh_code_kind kind;
	const struct bit_name *bits; /* not NULL: a bit set, not a code of that kind */
} code_fields[] = {
        {"state", RH_CODE_state, NULL},
        {"band", RH_CODE_band, NULL},
        {"dominant_resource", RH_CODE_resource, NULL},
        {"policy", RH_CODE_policy, NULL},
        {"stress", RH_CODE_stress, NULL},
        {"sampler", RH_CODE_sampler, NULL},
        {"sampler_reason", RH_CODE_sampler_reason, NULL},
        {"guard_class", RH_CODE_guard_class, NULL},
        {"flags", 0, flag_names},
        {"degraded", 0, degraded_names},
        {"signals", 0, signal_names},
};

static const struct code_field *code_field_of(const struct rh_row *row)
{
	if (row->kind != RH_KIND_STATE)
		return NULL;
	for (size_t i = 0; i < sizeof(code_fields) / sizeof(code_fields[0]); i++)
		if (strcmp(code_fields[i].field, row->name) == 0)
			return &code_fields[i];
	return NULL;
}

/* ---- loading ---- */

struct loaded {
	enum { LOADED_UNSIGNED, LOADED_SIGNED, LOADED_REAL, LOADED_TEXT } type;
	uint64_t u;
	int64_t i;
	double real;
	const char *text; /* not ended by NUL where all RH_COMMAND_BYTES are used */
};

#define LOAD(type_, member_, ctype_) \
	case RH_TYPE_##type_: { \
		ctype_ value_; \
		memcpy(&value_, at, sizeof(value_)); \
		loaded.member_ = value_; \
		break; \
	}

static struct loaded load(const struct rh_row *row, const void *record)
{
	const char *at = (const char *)record + row->offset;
	struct loaded loaded = {.type = LOADED_UNSIGNED};

	switch ((enum rh_type)row->type) {
		LOAD(u8, u, uint8_t)
		LOAD(u16, u, uint16_t)
		LOAD(u32, u, uint32_t)
		LOAD(u64, u, uint64_t)
		LOAD(i8, i, int8_t)
		LOAD(i16, i, int16_t)
		LOAD(i32, i, int32_t)
		LOAD(f32, real, float)
	case RH_TYPE_text16:
		loaded.type = LOADED_TEXT;
		loaded.text = at;
		break;
	}
	if (row->type == RH_TYPE_f32)
		loaded.type = LOADED_REAL;
	else if (row->type == RH_TYPE_i8 || row->type == RH_TYPE_i16 || row->type == RH_TYPE_i32)
		loaded.type = LOADED_SIGNED;
	return loaded;
}

static double as_real(const struct loaded *loaded)
{
	switch (loaded->type) {
	case LOADED_UNSIGNED:
		return (double)loaded->u;
	case LOADED_SIGNED:
		return (double)loaded->i;
	case LOADED_REAL:
		return loaded->real;
	case LOADED_TEXT:
		break;
	}
	return NAN;
}

bool value_is_present(const struct rh_row *row, const void *record)
{
	uint64_t present[2];
	memcpy(present, record, sizeof(present));
	return rh_has(present, row->id);
}

bool value_is_number(const struct rh_row *row)
{
	return row->type != RH_TYPE_text16 && !code_field_of(row);
}

/* ---- for people ---- */

/* Three digits at most, and the unit. */
static void three_digits(double value, const char *unit, char out[16])
{
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	snprintf(out, 16, "%.*f%s", decimals, value, unit);
}

char *value_duration(double ns, char out[16])
{
	/* Each unit ends where its rounded form would read as the next one: never "1000ms" nor "60.0s". */
	double seconds = fmin(fmax(ns / NS_PER_S, 0), UINT32_MAX - 1);
	uint32_t whole = (uint32_t)(seconds + 0.05);

	if (ns < 0.5)
		snprintf(out, 16, "0");
	else if (seconds < 0.9995e-3)
		three_digits(seconds * 1e6, "us", out);
	else if (seconds < 0.9995)
		three_digits(seconds * 1e3, "ms", out);
	else if (seconds < 59.95)
		three_digits(seconds, "s", out);
	else if (whole < 3600)
		snprintf(out, 16, "%um%02us", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(out, 16, "%uh%02um", whole / 3600, whole % 3600 / 60);
	else if (whole < 86400 * 1000)
		snprintf(out, 16, "%ud%02uh", whole / 86400, whole % 86400 / 3600);
	else
		snprintf(out, 16, "%ud", whole / 86400);
	return out;
}

char *value_number(double number, char out[16])
{
	static const char prefixes[] = "kMGTPE";
	double size = fabs(number);

	if (!isfinite(number)) {
		snprintf(out, 16, "?");
	} else if (size < 0.05) {
		snprintf(out, 16, "0");
	} else if (size < 9.95) {
		snprintf(out, 16, "%.1f", number);
	} else if (size < 999999.5) {
		snprintf(out, 16, "%.0f", number);
	} else {
		size_t power = 0;
		for (number /= 1000; fabs(number) >= 999.5 && power + 2 < sizeof(prefixes); number /= 1000)
			power++;
		snprintf(out, 16, "%.*f%c", fabs(number) < 9.95 ? 1 : 0, number, prefixes[power]);
	}
	return out;
}

/* Names of the bits that are set, "-" for none; a bit without a name is shown by number. */
static void bits_text(const struct bit_name *names, uint64_t bits, char out[VALUE_TEXT_BYTES])
{
	size_t used = 0;

	snprintf(out, VALUE_TEXT_BYTES, "-");
	for (; names->name; names++) {
		if (!(bits >> names->bit & 1))
			continue;
		int length = snprintf(out + used, VALUE_TEXT_BYTES - used, "%s%s", used > 0 ? "," : "", names->name);
		used += (size_t)length;
		if (used >= VALUE_TEXT_BYTES)
			return;
	}
}

/* First letters of the bits that are set: "kn" for a new kernel thread. */
static void bits_letters(const struct bit_name *names, uint64_t bits, char out[VALUE_TEXT_BYTES])
{
	size_t used = 0;

	for (; names->name && used + 1 < VALUE_TEXT_BYTES; names++)
		if (bits >> names->bit & 1)
			out[used++] = names->name[0];
	if (used == 0)
		out[used++] = '-';
	out[used] = '\0';
}

static void code_text(const struct code_field *code, uint64_t value, char out[VALUE_TEXT_BYTES])
{
	if (code->bits)
		bits_text(code->bits, value, out);
	else
		snprintf(out, VALUE_TEXT_BYTES, "%s", rh_code(code->kind, (unsigned)value)->name);
}

/* Integers of identity and level stand as they are; a scaled pid would be none. */
static bool is_exact(const struct rh_row *row)
{
	return row->type != RH_TYPE_f32 && (row->kind == RH_KIND_IDENT || row->kind == RH_KIND_STATE || row->kind == RH_KIND_GAUGE);
}

static void number_text(const struct rh_row *row, const struct loaded *loaded, char out[VALUE_TEXT_BYTES])
{
	double number = as_real(loaded);
	char text[16];

	switch ((enum rh_unit)row->unit) {
	case RH_UNIT_ns:
		value_duration(number, text);
		break;
	case RH_UNIT_bytes:
	case RH_UNIT_bytes_per_s:
		text_bytes(number, text);
		break;
	case RH_UNIT_pct:
		snprintf(text, sizeof(text), "%.1f", number);
		break;
	case RH_UNIT_ratio:
		snprintf(text, sizeof(text), "%.2f", number);
		break;
	case RH_UNIT_share:
		snprintf(text, sizeof(text), number < 99.95 ? "%.1fx" : "%.0fx", number);
		break;
	case RH_UNIT_score:
		snprintf(text, sizeof(text), "%.0f", number);
		break;
	case RH_UNIT_none:
	case RH_UNIT_id:
	case RH_UNIT_count:
	case RH_UNIT_uj:
	case RH_UNIT_mw:
	case RH_UNIT_per_s:
	case RH_UNIT_ms_per_s:
		value_number(number, text);
		break;
	}
	snprintf(out, VALUE_TEXT_BYTES, "%s", text);
}

static void loaded_text(const struct rh_row *row, const struct loaded *loaded, char out[VALUE_TEXT_BYTES])
{
	if (loaded->type == LOADED_TEXT)
		text_sanitise(loaded->text, row->size, out, VALUE_TEXT_BYTES);
	else if (row->unit == RH_UNIT_ns || row->unit == RH_UNIT_bytes || !is_exact(row))
		number_text(row, loaded, out);
	else if (loaded->type == LOADED_SIGNED)
		snprintf(out, VALUE_TEXT_BYTES, "%lld", (long long)loaded->i);
	else
		snprintf(out, VALUE_TEXT_BYTES, "%llu", (unsigned long long)loaded->u);
}

char *value_text(const struct rh_row *row, const void *record, char out[VALUE_TEXT_BYTES])
{
	const struct code_field *code = code_field_of(row);
	struct loaded loaded = load(row, record);

	if (!value_is_present(row, record))
		snprintf(out, VALUE_TEXT_BYTES, "-");
	else if (code)
		code_text(code, loaded.u, out);
	else if (strcmp(row->name, "realtime_ns") == 0)
		clock_label(loaded.u, out);
	else
		loaded_text(row, &loaded, out);
	return out;
}

char *value_cell(const struct rh_row *row, const void *record, char out[VALUE_TEXT_BYTES])
{
	const struct code_field *code = code_field_of(row);
	struct loaded loaded = load(row, record);

	if (!value_is_present(row, record))
		return value_text(row, record, out);
	if (code && !code->bits && code->kind == RH_CODE_state)
		snprintf(out, VALUE_TEXT_BYTES, "%c", rh_code(RH_CODE_state, (unsigned)loaded.u)->letter);
	else if (code && code->bits)
		bits_letters(code->bits, loaded.u, out);
	else
		value_text(row, record, out);
	return out;
}

/* ---- JSON and CSV ---- */

static void bits_json(const struct bit_name *names, uint64_t bits, struct json *json)
{
	json_array_begin(json);
	for (; names->name; names++)
		if (bits >> names->bit & 1)
			json_text(json, names->name, strlen(names->name));
	json_array_end(json);
}

static void code_json(const struct code_field *code, uint64_t value, struct json *json)
{
	if (code->bits) {
		bits_json(code->bits, value, json);
		return;
	}
	const char *name = rh_code(code->kind, (unsigned)value)->name;
	json_text(json, name, strlen(name));
}

static void loaded_json(const struct rh_row *row, const struct loaded *loaded, struct json *json)
{
	switch (loaded->type) {
	case LOADED_UNSIGNED:
		json_u64(json, loaded->u);
		break;
	case LOADED_SIGNED:
		json_i64(json, loaded->i);
		break;
	case LOADED_REAL:
		json_f64(json, loaded->real, F32_DIGITS);
		break;
	case LOADED_TEXT:
		json_text(json, loaded->text, row->size);
		break;
	}
}

void value_json(const struct rh_row *row, const void *record, struct json *json)
{
	if (!value_is_present(row, record))
		return;
	const struct code_field *code = code_field_of(row);
	struct loaded loaded = load(row, record);

	json_key(json, row->name);
	if (code)
		code_json(code, loaded.u, json);
	else
		loaded_json(row, &loaded, json);
}

void value_json_object(const struct columns *columns, const void *record, struct json *json)
{
	json_object_begin(json);
	for (size_t i = 0; i < columns->count; i++)
		value_json(columns->rows[i], record, json);
	json_object_end(json);
}

static void code_csv(const struct code_field *code, uint64_t value, FILE *out)
{
	if (!code->bits) {
		fputs(rh_code(code->kind, (unsigned)value)->name, out);
		return;
	}
	bool first = true;
	for (const struct bit_name *bit = code->bits; bit->name; bit++) {
		if (!(value >> bit->bit & 1))
			continue;
		fprintf(out, "%s%s", first ? "" : "|", bit->name);
		first = false;
	}
}

static void loaded_csv(const struct rh_row *row, const struct loaded *loaded, FILE *out)
{
	switch (loaded->type) {
	case LOADED_UNSIGNED:
		fprintf(out, "%llu", (unsigned long long)loaded->u);
		break;
	case LOADED_SIGNED:
		fprintf(out, "%lld", (long long)loaded->i);
		break;
	case LOADED_REAL:
		if (isfinite(loaded->real))
			fprintf(out, "%.*g", F32_DIGITS, loaded->real);
		break;
	case LOADED_TEXT:
		csv_text(out, loaded->text, row->size, true);
		break;
	}
}

void value_csv(const struct rh_row *row, const void *record, FILE *out)
{
	if (!value_is_present(row, record))
		return;
	const struct code_field *code = code_field_of(row);
	struct loaded loaded = load(row, record);

	if (code)
		code_csv(code, loaded.u, out);
	else
		loaded_csv(row, &loaded, out);
}

/* ---- order ---- */

static int compare_loaded(const struct rh_row *row, const struct loaded *a, const struct loaded *b)
{
	switch (a->type) {
	case LOADED_UNSIGNED:
		return (a->u > b->u) - (a->u < b->u);
	case LOADED_SIGNED:
		return (a->i > b->i) - (a->i < b->i);
	case LOADED_REAL:
		return (a->real > b->real) - (a->real < b->real);
	case LOADED_TEXT:
		return strncmp(a->text, b->text, row->size);
	}
	return 0;
}

int value_compare(const struct rh_row *row, const void *a, const void *b)
{
	bool in_a = value_is_present(row, a), in_b = value_is_present(row, b);
	if (!in_a || !in_b)
		return in_a - in_b;
	struct loaded loaded_a = load(row, a), loaded_b = load(row, b);
	return compare_loaded(row, &loaded_a, &loaded_b);
}
