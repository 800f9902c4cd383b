/*
 * Checks what the compiler cannot: that every row of the tables keeps the rules of its legend. Prints a line for each broken rule, with the
 * row's name, and ends with 1 if there was any.
 *
 * tables_wrong_rows.sh builds it with wrong rows added (LINT_FIELDS, LINT_SYSTEM, LINT_CODES, LINT_SIGNALS, LINT_STATUS, LINT_CONFIG, each the
 * name of a file in quotes) and expects each to be caught.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_LIMIT = 128, NAME_BYTES = 40, BRIEF_BYTES = 110, SYSTEM_TITLE = 9 };

static unsigned faults;

#define FAULT(table, row, ...) (faults++, printf("%s: %s: ", (table), (row)), printf(__VA_ARGS__), putchar('\n'))

/* ---- the tables, untyped: a row that the compiler would refuse can still be named here ---- */

struct unit {
	const char *name, *suffix;
};

static const struct unit units[] = {
#define RH_UNIT(unit_, suffix_, text_) {#unit_, suffix_},
#include "rogue/units.def"
};

struct field {
	const char *table;
	int id;
	const char *name, *type, *kind, *unit, *aggregate, *title;
	int width;
	const char *source, *brief, *doc;
};

static const struct field fields[] = {
#define RH_FIELD(id_, name_, type_, kind_, unit_, aggregate_, title_, width_, source_, brief_, doc_) \
	{"fields.def", id_, #name_, #type_, #kind_, #unit_, #aggregate_, title_, width_, source_, brief_, doc_},
#include "rogue/fields.def"
#ifdef LINT_FIELDS
#define RH_FIELD(id_, name_, type_, kind_, unit_, aggregate_, title_, width_, source_, brief_, doc_) \
	{"fields.def", id_, #name_, #type_, #kind_, #unit_, #aggregate_, title_, width_, source_, brief_, doc_},
#include LINT_FIELDS
#undef RH_FIELD
#endif
#define RH_SYSTEM_FIELD(id_, name_, type_, kind_, unit_, title_, source_, brief_, doc_) \
	{"system.def", id_, #name_, #type_, #kind_, #unit_, "NONE", title_, SYSTEM_TITLE, source_, brief_, doc_},
#include "rogue/system.def"
#ifdef LINT_SYSTEM
#define RH_SYSTEM_FIELD(id_, name_, type_, kind_, unit_, title_, source_, brief_, doc_) \
	{"system.def", id_, #name_, #type_, #kind_, #unit_, "NONE", title_, SYSTEM_TITLE, source_, brief_, doc_},
#include LINT_SYSTEM
#undef RH_SYSTEM_FIELD
#endif
};

struct code {
	const char *table;
	int value;
	const char *name, *text;
};

static const struct code codes[] = {
#define RH_STATE(value_, name_, letter_) {"codes.def: states", value_, #name_, (const char[]){letter_, 0}},
#define RH_BAND(value_, name_) {"codes.def: bands", value_, #name_, #name_},
#define RH_RESOURCE(value_, name_) {"codes.def: resources", value_, #name_, #name_},
#define RH_POLICY(value_, name_) {"codes.def: policies", value_, #name_, #name_},
#define RH_STRESS(value_, name_) {"codes.def: stress levels", value_, #name_, #name_},
#define RH_SAMPLER(value_, name_) {"codes.def: samplers", value_, #name_, #name_},
#define RH_SAMPLER_REASON(value_, name_, text_) {"codes.def: reasons", value_, #name_, text_},
#define RH_PROCESS_FLAG(value_, name_, text_) {"codes.def: flags", value_, #name_, text_},
#define RH_DEGRADED(value_, name_, text_) {"codes.def: degraded", value_, #name_, text_},
#include "rogue/codes.def"
#ifdef LINT_CODES
#define RH_STATE(value_, name_, letter_) {"codes.def: states", value_, #name_, (const char[]){letter_, 0}},
#define RH_PROCESS_FLAG(value_, name_, text_) {"codes.def: flags", value_, #name_, text_},
#include LINT_CODES
#undef RH_STATE
#undef RH_PROCESS_FLAG
#endif
};

struct signal {
	int bit;
	const char *name, *text, *lost, *enable;
};

static const struct signal signals[] = {
#define RH_SIGNAL(bit_, name_, text_, lost_, enable_) {bit_, #name_, text_, lost_, enable_},
#include "rogue/signals.def"
#ifdef LINT_SIGNALS
#define RH_SIGNAL(bit_, name_, text_, lost_, enable_) {bit_, #name_, text_, lost_, enable_},
#include LINT_SIGNALS
#undef RH_SIGNAL
#endif
};

struct status {
	int value;
	const char *name;
	int exit;
	const char *text;
};

static const struct status statuses[] = {
#define RH_STATUS(value_, name_, exit_, text_) {value_, #name_, exit_, text_},
#include "rogue/status.def"
#ifdef LINT_STATUS
#define RH_STATUS(value_, name_, exit_, text_) {value_, #name_, exit_, text_},
#include LINT_STATUS
#undef RH_STATUS
#endif
};

struct key {
	const char *name; /* section.key */
	enum { KEY_PLAIN, KEY_NUMBER, KEY_CHOICE } type;
	double value, min, max;
	const char *choice, *choices, *doc;
};

static const struct key keys[] = {
#define RH_CONFIG_BOOL(section_, key_, value_, doc_) {#section_ "." #key_, KEY_PLAIN, 0, 0, 0, "", "", doc_},
#define RH_CONFIG_INT(section_, key_, value_, min_, max_, doc_) {#section_ "." #key_, KEY_NUMBER, value_, min_, max_, "", "", doc_},
#define RH_CONFIG_REAL(section_, key_, value_, min_, max_, doc_) {#section_ "." #key_, KEY_NUMBER, value_, min_, max_, "", "", doc_},
#define RH_CONFIG_TEXT(section_, key_, value_, doc_) {#section_ "." #key_, KEY_PLAIN, 0, 0, 0, "", "", doc_},
#define RH_CONFIG_CHOICE(section_, key_, value_, choices_, doc_) {#section_ "." #key_, KEY_CHOICE, 0, 0, 0, value_, choices_, doc_},
#define RH_CONFIG_RULE(expression_, key_, text_)
#include "base/config.def"
#ifdef LINT_CONFIG
#define RH_CONFIG_REAL(section_, key_, value_, min_, max_, doc_) {#section_ "." #key_, KEY_NUMBER, value_, min_, max_, "", "", doc_},
#define RH_CONFIG_CHOICE(section_, key_, value_, choices_, doc_) {#section_ "." #key_, KEY_CHOICE, 0, 0, 0, value_, choices_, doc_},
#include LINT_CONFIG
#undef RH_CONFIG_REAL
#undef RH_CONFIG_CHOICE
#endif
};

/* The keys that rules between rows are told of. */
static const char *const rule_keys[] = {
#define RH_CONFIG_BOOL(section_, key_, value_, doc_)
#define RH_CONFIG_INT(section_, key_, value_, min_, max_, doc_)
#define RH_CONFIG_REAL(section_, key_, value_, min_, max_, doc_)
#define RH_CONFIG_TEXT(section_, key_, value_, doc_)
#define RH_CONFIG_CHOICE(section_, key_, value_, choices_, doc_)
#define RH_CONFIG_RULE(expression_, key_, text_) key_,
#include "base/config.def"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- text ---- */

static bool is_one_of(const char *word, const char *words)
{
	size_t length = strlen(word);
	for (const char *at = strstr(words, word); at; at = strstr(at + 1, word))
		if ((at == words || at[-1] == '|') && (at[length] == '\0' || at[length] == '|'))
			return length > 0;
	return false;
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t length = strlen(text), end = strlen(suffix);
	return end <= length && strcmp(text + length - end, suffix) == 0;
}

static void check_name(const char *table, const char *name)
{
	if (strlen(name) >= NAME_BYTES)
		FAULT(table, name, "name is longer than %d bytes", NAME_BYTES - 1);
	for (const char *c = name; *c; c++)
		if (!islower((unsigned char)*c) && *c != '_' && (c == name || !isdigit((unsigned char)*c))) {
			FAULT(table, name, "name is not lower case letters, digits and _");
			return;
		}
}

static void check_phrase(const char *table, const char *name, const char *what, const char *phrase, size_t limit)
{
	if (!phrase[0])
		FAULT(table, name, "%s is empty", what);
	else if (strlen(phrase) > limit)
		FAULT(table, name, "%s is longer than %zu bytes", what, limit);
	else if (ends_in(phrase, "."))
		FAULT(table, name, "%s is a phrase, not a sentence: no full stop", what);
	for (const char *c = phrase; *c; c++)
		if (!isprint((unsigned char)*c)) {
			FAULT(table, name, "%s holds something unprintable", what);
			return;
		}
}

/* ---- fields ---- */

/* The unit whose suffix the name ends in; the longest, so that "_bytes_per_s" is not taken for "_per_s". */
static const struct unit *unit_by_suffix(const char *name)
{
	const struct unit *best = NULL;
	for (size_t i = 0; i < COUNT(units); i++)
		if (units[i].suffix[0] && ends_in(name, units[i].suffix) && (!best || strlen(units[i].suffix) > strlen(best->suffix)))
			best = &units[i];
	return best;
}

static void check_unit(const struct field *field)
{
	const struct unit *said = NULL, *named = unit_by_suffix(field->name);

	for (size_t i = 0; i < COUNT(units); i++)
		if (strcmp(units[i].name, field->unit) == 0)
			said = &units[i];
	if (!said)
		FAULT(field->table, field->name, "unknown unit %s", field->unit);
	else if (said->suffix[0] && said != named)
		FAULT(field->table, field->name, "name does not end in %s, the suffix of its unit", said->suffix);
	else if (!said->suffix[0] && !is_one_of(field->kind, "IDENT|STATE"))
		FAULT(field->table, field->name, "only IDENT and STATE may be without a unit");
	else if (!said->suffix[0] && named && named->suffix[0] == '_')
		FAULT(field->table, field->name, "name ends in %s, but the field has no unit", named->suffix);
}

static void check_kind(const struct field *field)
{
	static const struct {
		const char *kind, *types, *units; /* units "": any */
	} rules[] = {
	        {"IDENT", "u8|u16|u32|u64|text16", ""},
	        {"STATE", "u8|u16|u32|u64|i8|i16|i32", "none|score"},
	        {"GAUGE", "u8|u16|u32|u64|f32", ""},
	        {"COUNTER", "u32|u64", "ns|bytes|count|uj"},
	        {"RATE", "f32", "pct|ratio|per_s|bytes_per_s|ms_per_s|mw"},
	        {"SHARE", "f32", "share"},
	        {"SCORE", "f32", "score"},
	};

	for (size_t i = 0; i < COUNT(rules); i++) {
		if (strcmp(rules[i].kind, field->kind) != 0)
			continue;
		if (!is_one_of(field->type, rules[i].types))
			FAULT(field->table, field->name, "a %s cannot be of type %s", field->kind, field->type);
		if (rules[i].units[0] && !is_one_of(field->unit, rules[i].units))
			FAULT(field->table, field->name, "a %s cannot have the unit %s", field->kind, field->unit);
		return;
	}
	FAULT(field->table, field->name, "unknown kind %s", field->kind);
}

static void check_field(const struct field *field)
{
	if (field->id < 0 || field->id >= ID_LIMIT)
		FAULT(field->table, field->name, "id %d is not below %d", field->id, ID_LIMIT);
	check_name(field->table, field->name);
	check_unit(field);
	check_kind(field);
	if (!is_one_of(field->aggregate, "NONE|SUM|MAX|LAST"))
		FAULT(field->table, field->name, "unknown aggregate %s", field->aggregate);
	if (!is_one_of(field->type, "u8|u16|u32|u64|i8|i16|i32|f32|text16"))
		FAULT(field->table, field->name, "unknown type %s", field->type);
	if (strlen(field->title) > (size_t)field->width)
		FAULT(field->table, field->name, "title \"%s\" is wider than its column of %d", field->title, field->width);
	check_phrase(field->table, field->name, "title", field->title, 16);
	check_phrase(field->table, field->name, "source", field->source, BRIEF_BYTES);
	check_phrase(field->table, field->name, "brief", field->brief, BRIEF_BYTES);
	if (field->doc[0] && !ends_in(field->doc, "."))
		FAULT(field->table, field->name, "doc is a sentence: it ends in a full stop");
}

/* Names are unique over both tables, so that a list of fields is never ambiguous. */
static void check_fields(void)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		check_field(&fields[i]);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(fields[i].name, fields[j].name) == 0)
				FAULT(fields[i].table, fields[i].name, "name is there twice");
			if (fields[i].id == fields[j].id && strcmp(fields[i].table, fields[j].table) == 0)
				FAULT(fields[i].table, fields[i].name, "id %d is that of %s", fields[i].id, fields[j].name);
		}
	}
}

/* ---- units, codes, status, configuration ---- */

static void check_units(void)
{
	for (size_t i = 0; i < COUNT(units); i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(units[i].name, units[j].name) == 0 || strcmp(units[i].suffix, units[j].suffix) == 0)
				FAULT("units.def", units[i].name, "unit or suffix is that of %s", units[j].name);
}

static void check_codes(void)
{
	for (size_t i = 0; i < COUNT(codes); i++) {
		bool bits = strstr(codes[i].table, "flags") || strstr(codes[i].table, "degraded");
		check_name(codes[i].table, codes[i].name);
		check_phrase(codes[i].table, codes[i].name, "text", codes[i].text, BRIEF_BYTES);
		if (codes[i].value < 0 || codes[i].value > (bits ? 15 : 255))
			FAULT(codes[i].table, codes[i].name, "%d does not fit its field", codes[i].value);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(codes[i].table, codes[j].table) != 0)
				continue;
			if (codes[i].value == codes[j].value)
				FAULT(codes[i].table, codes[i].name, "value %d is that of %s", codes[i].value, codes[j].name);
			if (strcmp(codes[i].name, codes[j].name) == 0 || strcmp(codes[i].text, codes[j].text) == 0)
				FAULT(codes[i].table, codes[i].name, "name, letter or text is that of %s", codes[j].name);
		}
	}
}

/* A step in the configuration, "... [section] key = value", is one that there is. */
static void check_step(const struct signal *signal)
{
	const char *step = strchr(signal->enable, '[');
	char section[20], key[40], name[64];
	if (!step || sscanf(step, "[%19[a-z]] %39[a-z_] = ", section, key) != 2)
		return;
	snprintf(name, sizeof(name), "%s.%s", section, key);
	for (size_t i = 0; i < COUNT(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return;
	FAULT("signals.def", signal->name, "there is no key %s", name);
}

static void check_signals(void)
{
	for (size_t i = 0; i < COUNT(signals); i++) {
		const struct signal *signal = &signals[i];
		check_name("signals.def", signal->name);
		check_phrase("signals.def", signal->name, "text", signal->text, BRIEF_BYTES);
		check_phrase("signals.def", signal->name, "lost", signal->lost, BRIEF_BYTES);
		if (signal->enable[0])
			check_phrase("signals.def", signal->name, "enable", signal->enable, 200);
		check_step(signal);
		if (signal->bit < 0 || signal->bit > 63)
			FAULT("signals.def", signal->name, "bit %d does not fit its field", signal->bit);
		for (size_t j = 0; j < i; j++)
			if (signal->bit == signals[j].bit || strcmp(signal->name, signals[j].name) == 0)
				FAULT("signals.def", signal->name, "bit or name is that of %s", signals[j].name);
	}
}

static void check_statuses(void)
{
	for (size_t i = 0; i < COUNT(statuses); i++) {
		check_phrase("status.def", statuses[i].name, "text", statuses[i].text, BRIEF_BYTES);
		if (statuses[i].exit < 0 || statuses[i].exit > 4)
			FAULT("status.def", statuses[i].name, "exit code %d is none of 0 to 4", statuses[i].exit);
		for (size_t j = 0; j < i; j++)
			if (statuses[i].value == statuses[j].value || strcmp(statuses[i].name, statuses[j].name) == 0)
				FAULT("status.def", statuses[i].name, "value or name is that of %s", statuses[j].name);
	}
}

static void check_key(const struct key *key)
{
	check_phrase("config.def", key->name, "doc", key->doc, 200);
	if (key->type == KEY_NUMBER && !(key->min < key->max))
		FAULT("config.def", key->name, "its range is empty");
	if (key->type == KEY_NUMBER && !(key->value >= key->min && key->value <= key->max))
		FAULT("config.def", key->name, "its default is out of its range");
	if (key->type == KEY_CHOICE && !is_one_of(key->choice, key->choices))
		FAULT("config.def", key->name, "its default \"%s\" is no choice", key->choice);
}

static void check_keys(void)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		check_key(&keys[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(keys[i].name, keys[j].name) == 0)
				FAULT("config.def", keys[i].name, "key is there twice");
	}
	for (size_t i = 0; i < COUNT(rule_keys); i++) {
		bool known = false;
		for (size_t j = 0; j < COUNT(keys); j++)
			known |= strcmp(rule_keys[i], keys[j].name) == 0;
		if (!known)
			FAULT("config.def", rule_keys[i], "a rule is told of a key that there is not");
	}
}

int main(void)
{
	check_units();
	check_fields();
	check_codes();
	check_signals();
	check_statuses();
	check_keys();
	printf("%zu fields, %zu codes, %zu status codes, %zu keys: %u faults\n", COUNT(fields), COUNT(codes), COUNT(statuses), COUNT(keys),
	        faults);
	return faults > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
