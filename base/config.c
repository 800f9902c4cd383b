/* config.c - the configuration, table-driven from config.def. */
#include "base/config.h"

#include "base/file.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_BYTES = 64 * 1024 };

/* `offset` and text_default of a row come from the same words as the member and its default: they cannot differ. */
#define ROW(section_, key_, value_, type_, min_, max_, choices_, doc_) \
	{.section = #section_, \
	        .key = #key_, \
	        .doc = (doc_), \
	        .choices = (choices_), \
	        .type = (type_), \
	        .offset = offsetof(struct config, section_##_##key_), \
	        .text_default = #value_, \
	        .min = (min_), \
	        .max = (max_)},

static const struct config_row rows[] = {
#define RH_CONFIG_BOOL(section, key, value, doc) ROW(section, key, value, CONFIG_BOOL, 0, 1, NULL, doc)
#define RH_CONFIG_INT(section, key, value, min, max, doc) ROW(section, key, value, CONFIG_INT, min, max, NULL, doc)
#define RH_CONFIG_REAL(section, key, value, min, max, doc) ROW(section, key, value, CONFIG_REAL, min, max, NULL, doc)
#define RH_CONFIG_TEXT(section, key, value, doc) ROW(section, key, value, CONFIG_TEXT, 0, 0, NULL, doc)
#define RH_CONFIG_CHOICE(section, key, value, choices, doc) ROW(section, key, value, CONFIG_CHOICE, 0, 0, choices, doc)
#define RH_CONFIG_RULE(expression, key, text)
#include "base/config.def"
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct config defaults = {
#define RH_CONFIG_BOOL(section, key, value, doc) .section##_##key = value,
#define RH_CONFIG_INT(section, key, value, min, max, doc) .section##_##key = value,
#define RH_CONFIG_REAL(section, key, value, min, max, doc) .section##_##key = value,
#define RH_CONFIG_TEXT(section, key, value, doc) .section##_##key = value,
#define RH_CONFIG_CHOICE(section, key, value, choices, doc) .section##_##key = value,
#define RH_CONFIG_RULE(expression, key, text)
#include "base/config.def"
};

/* A row can be reached from a const and from a writable configuration; only this file turns its offset into a place. */
static void *place(struct config *config, const struct config_row *row)
{
	return (unsigned char *)config + row->offset;
}

const void *config_place(const struct config *config, const struct config_row *row)
{
	return (const unsigned char *)config + row->offset;
}

const struct config_row *config_rows(size_t *ret_count)
{
	*ret_count = ROWS;
	return rows;
}

void config_defaults(struct config *config)
{
	*config = defaults;
}

const struct config_row *config_row_of(const char *section, const char *key)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

bool config_has_section(const char *section, char error[256])
{
	struct nearest nearest;

	nearest_begin(&nearest, section);
	for (size_t i = 0; i < ROWS; i++) {
		if (strcmp(rows[i].section, section) == 0)
			return true;
		nearest_offer(&nearest, rows[i].section);
	}
	if (nearest.best)
		snprintf(error, 256, "unknown section; did you mean [%s]?", nearest.best);
	else
		snprintf(error, 256, "unknown section; `rogue-hunter config show --default` lists all of them");
	return false;
}

/* The key that was meant may stand in another section: [ring] interval is sampling.interval. */
static void say_unknown_key(const char *section, const char *key, char error[256])
{
	const struct config_row *meant = NULL;
	struct nearest nearest;

	nearest_begin(&nearest, key);
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].section, section) == 0 && nearest_offer(&nearest, rows[i].key))
			meant = &rows[i];
	for (size_t i = 0; i < ROWS; i++)
		if (nearest_offer(&nearest, rows[i].key))
			meant = &rows[i];
	if (meant)
		snprintf(error, 256, "unknown key; did you mean %s.%s?", meant->section, meant->key);
	else
		snprintf(error, 256, "unknown key; `rogue-hunter config show --default` lists all of them");
}

static bool is_choice(const char *choices, const char *text)
{
	size_t length = strlen(text);

	for (const char *choice = choices; *choice;) {
		size_t this_length = strcspn(choice, "|");
		if (this_length == length && memcmp(choice, text, length) == 0)
			return true;
		choice += this_length;
		choice += *choice == '|';
	}
	return false;
}

/* The plain form has one value to a line: control characters would break it, and no path needs one. */
static bool is_plain_text(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return true;
}

/* "auto|bpf" becomes: one of "auto", "bpf". */
static void say_choices(const char *choices, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "one of ");

	for (const char *choice = choices; *choice && used < size;) {
		int length = (int)strcspn(choice, "|");
		used += (size_t)snprintf(out + used, size - used, "\"%.*s\"%s", length, choice, choice[length] ? ", " : "");
		choice += length;
		choice += *choice == '|';
	}
}

static void say_rule(const struct config_row *row, char error[256])
{
	int used = snprintf(error, 256, "%s.%s must be ", row->section, row->key);
	char *rest = error + used;
	size_t size = 256 - (size_t)used;

	switch (row->type) {
	case CONFIG_BOOL:
		snprintf(rest, size, "true or false");
		break;
	case CONFIG_INT:
		snprintf(rest, size, "a whole number from %.0f to %.0f", row->min, row->max);
		break;
	case CONFIG_REAL:
		snprintf(rest, size, "a number from %.10g to %.10g", row->min, row->max);
		break;
	case CONFIG_TEXT:
		snprintf(rest, size, "text of at most %d bytes without control characters", CONFIG_TEXT_BYTES - 1);
		break;
	case CONFIG_CHOICE:
		say_choices(row->choices, rest, size);
		break;
	}
}

static bool set_number(void *to, const struct config_row *row, const struct config_value *value)
{
	double real = value->type == CONFIG_INT ? (double)value->integer : value->real;

	if (value->type != CONFIG_INT && (value->type != CONFIG_REAL || row->type == CONFIG_INT))
		return false;
	if (!(real >= row->min && real <= row->max)) /* also refuses nan */
		return false;
	if (row->type == CONFIG_INT)
		memcpy(to, &value->integer, sizeof(value->integer));
	else
		memcpy(to, &real, sizeof(real));
	return true;
}

static bool set_text(void *to, const struct config_row *row, const struct config_value *value)
{
	if (value->type != CONFIG_TEXT || strlen(value->text) >= CONFIG_TEXT_BYTES || !is_plain_text(value->text))
		return false;
	if (row->type == CONFIG_CHOICE && !is_choice(row->choices, value->text))
		return false;
	memset(to, 0, CONFIG_TEXT_BYTES); /* equal configurations are equal byte for byte */
	memcpy(to, value->text, strlen(value->text));
	return true;
}

static bool set_value(void *to, const struct config_row *row, const struct config_value *value)
{
	switch (row->type) {
	case CONFIG_BOOL:
		if (value->type != CONFIG_BOOL)
			return false;
		memcpy(to, &value->boolean, sizeof(value->boolean));
		return true;
	case CONFIG_INT:
	case CONFIG_REAL:
		return set_number(to, row, value);
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		return set_text(to, row, value);
	}
	return false;
}

bool config_set(struct config *config, const char *section, const char *key, const struct config_value *value, char error[256])
{
	const struct config_row *row = config_row_of(section, key);

	if (!row) {
		if (config_has_section(section, error))
			say_unknown_key(section, key, error);
		return false;
	}
	if (!set_value(place(config, row), row, value)) {
		say_rule(row, error);
		return false;
	}
	return true;
}

bool config_check(const struct config *config, const char **ret_key, char error[256])
{
	const struct config *c = config;

#define RH_CONFIG_BOOL(section, key, value, doc)
#define RH_CONFIG_INT(section, key, value, min, max, doc)
#define RH_CONFIG_REAL(section, key, value, min, max, doc)
#define RH_CONFIG_TEXT(section, key, value, doc)
#define RH_CONFIG_CHOICE(section, key, value, choices, doc)
#define RH_CONFIG_RULE(expression, key, text) \
	if (!(expression)) { \
		*ret_key = (key); \
		snprintf(error, 256, "%s: %s", (key), (text)); \
		return false; \
	}
#include "base/config.def"
	return true;
}

int config_write_value(const struct config *config, const struct config_row *row, char *buffer, size_t size)
{
	const void *from = config_place(config, row);
	int64_t integer;
	double real;

	switch (row->type) {
	case CONFIG_BOOL:
		return snprintf(buffer, size, "%s", *(const bool *)from ? "true" : "false");
	case CONFIG_INT:
		memcpy(&integer, from, sizeof(integer));
		return snprintf(buffer, size, "%lld", (long long)integer);
	case CONFIG_REAL: {
		/* The fewest digits that give the same number back. */
		char shortest[40];
		memcpy(&real, from, sizeof(real));
		snprintf(shortest, sizeof(shortest), "%.15g", real);
		return snprintf(buffer, size, "%.*g", strtod(shortest, NULL) == real ? 15 : 17, real);
	}
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		return snprintf(buffer, size, "%s", (const char *)from);
	}
	return 0;
}

size_t config_write_plain(const struct config *config, char *buffer, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < ROWS; i++) {
		char value[CONFIG_TEXT_BYTES];
		config_write_value(config, &rows[i], value, sizeof(value));
		bool fits = length < size;
		length += (size_t)snprintf(
		        fits ? buffer + length : NULL, fits ? size - length : 0, "%s.%s=%s\n", rows[i].section, rows[i].key, value);
	}
	return length;
}

/* Gives a text of the plain form the type that its row asks for; what is no such number stays text, which config_set() refuses. */
static struct config_value value_of(const struct config_row *row, const char *text)
{
	struct config_value value = {.type = CONFIG_TEXT, .text = text};
	char *end = NULL;

	errno = 0;
	if (row->type == CONFIG_BOOL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
		value.type = CONFIG_BOOL;
		value.boolean = text[0] == 't';
	} else if (row->type == CONFIG_INT || row->type == CONFIG_REAL) {
		if (row->type == CONFIG_INT)
			value.integer = strtoll(text, &end, 10);
		else
			value.real = strtod(text, &end);
		if (end != text && *end == '\0' && errno == 0)
			value.type = row->type;
	}
	return value;
}

bool config_set_plain(struct config *config, const char *section, const char *key, const char *text, char error[256])
{
	const struct config_row *row = config_row_of(section, key);
	struct config_value value = {.type = CONFIG_TEXT, .text = text};

	if (row)
		value = value_of(row, text);
	return config_set(config, section, key, &value, error);
}

/* One line without its newline, "section.key=value". */
static bool read_line(struct config *config, char *line, char error[256])
{
	char *dot = strchr(line, '.'), *equals = strchr(line, '=');

	if (!dot || !equals || equals < dot) {
		snprintf(error, 256, "not section.key=value");
		return false;
	}
	*dot = *equals = '\0';
	return config_set_plain(config, line, dot + 1, equals + 1, error);
}

bool config_read_plain(struct config *config, const char *text, size_t length, char error[256])
{
	const char *key, *end = text + length;
	char rule[256];

	config_defaults(config);
	for (unsigned number = 1; text < end; number++) {
		char line[CONFIG_TEXT_BYTES + 128];
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line_length = (size_t)((newline ? newline : end) - text);
		bool fits = newline && line_length < sizeof(line) && !memchr(text, '\0', line_length);

		snprintf(rule, sizeof(rule), "not a line of text");
		if (fits) {
			memcpy(line, text, line_length);
			line[line_length] = '\0';
		}
		if (!fits || !read_line(config, line, rule)) {
			snprintf(error, 256, "configuration line %u: %.200s", number, rule);
			return false;
		}
		text = newline + 1;
	}
	if (!config_check(config, &key, rule)) {
		snprintf(error, 256, "configuration: %.200s", rule);
		return false;
	}
	return true;
}

bool config_read_plain_fd(struct config *config, int fd, char error[256])
{
	static char text[PLAIN_BYTES + 2]; /* too much for a stack that is locked in memory */
	ssize_t length = file_pread(fd, text, sizeof(text));

	if (length < 0) {
		snprintf(error, 256, "cannot read the configuration from file descriptor %d: %s", fd, strerror((int)-length));
		return false;
	}
	if (length > PLAIN_BYTES) {
		snprintf(error, 256, "the configuration at file descriptor %d is larger than %d KiB", fd, PLAIN_BYTES / 1024);
		return false;
	}
	return config_read_plain(config, text, (size_t)length, error);
}

unsigned config_band(const struct config *config, double score)
{
	/* The thresholds rise (a rule of config.def): the band is the number of those reached. */
	return (unsigned)(score >= config->bands_medium) + (score >= config->bands_elevated) + (score >= config->bands_high) +
	       (score >= config->bands_critical);
}

double config_band_floor(const struct config *config, const char *band)
{
	const struct {
		const char *name;
		double floor;
	} bands[] = {
	        {"medium", config->bands_medium},
	        {"elevated", config->bands_elevated},
	        {"high", config->bands_high},
	        {"critical", config->bands_critical},
	};

	for (size_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++)
		if (strcmp(bands[i].name, band) == 0)
			return bands[i].floor;
	return 0;
}
