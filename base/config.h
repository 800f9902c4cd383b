/*
 * config.h - the configuration as a struct, its defaults, its rules and its plain-text form.
 *
 * The TOML file is read in cli/ alone (a C++ parser behind a shim); the programs the supervisor starts receive the
 * resolved configuration as "section.key=value" lines through an inherited file descriptor, so that the collector links
 * no parser. Both ways end in config_set(), which knows types, ranges and choices from config.def.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CONFIG_TEXT_BYTES = 256 };

struct config {
#define RH_CONFIG_BOOL(section, key, value, doc) bool section##_##key;
#define RH_CONFIG_INT(section, key, value, min, max, doc) int64_t section##_##key;
#define RH_CONFIG_REAL(section, key, value, min, max, doc) double section##_##key;
#define RH_CONFIG_TEXT(section, key, value, doc) char section##_##key[CONFIG_TEXT_BYTES];
#define RH_CONFIG_CHOICE(section, key, value, choices, doc) char section##_##key[CONFIG_TEXT_BYTES];
#define RH_CONFIG_RULE(expression, key, text)
#include "base/config.def"
};

enum config_type { CONFIG_BOOL, CONFIG_INT, CONFIG_REAL, CONFIG_TEXT, CONFIG_CHOICE };

/* One row of the table, for help texts, `config show` and man pages. */
struct config_row {
	const char *section, *key, *doc, *choices;
	enum config_type type;
	size_t offset;            /* in struct config */
	const char *text_default; /* as it would stand in TOML */
	double min, max;
};

/* A value with the type that its source gave it. A real may be given as an integer; nothing else is converted. */
struct config_value {
	enum config_type type; /* BOOL, INT, REAL or TEXT; CHOICE stands for what no key takes: a date, a list, a table */
	bool boolean;
	int64_t integer;
	double real;
	const char *text; /* borrowed */
};

/* The rows of config.def, in order. */
const struct config_row *config_rows(size_t *ret_count);

/* Sets every key to its default. */
void config_defaults(struct config *config);

/*
 * Sets one key. Returns true, or false with the rule that was broken in `error` - naming key, type, range or choices, never the
 * value given (the file may hold something private).
 */
bool config_set(struct config *config, const char *section, const char *key, const struct config_value *value, char error[256]);

/* The same for a value that comes as text: an option of a command line, a line of the plain form. */
bool config_set_plain(struct config *config, const char *section, const char *key, const char *text, char error[256]);

/* The row of a key, NULL if there is none. */
const struct config_row *config_row_of(const char *section, const char *key);

/* Is there such a section? If not, `error` says so, with the nearest one. */
bool config_has_section(const char *section, char error[256]);

/* Checks the rules between rows. Returns true, or false with the broken rule in `error` and its "section.key" in `ret_key`. */
bool config_check(const struct config *config, const char **ret_key, char error[256]);

/* Value of a row: bool, int64_t, double or char[CONFIG_TEXT_BYTES], as its type says. Borrowed from `config`. */
const void *config_place(const struct config *config, const struct config_row *row);

/* Writes the value of a row as text, without quotes. Returns the length, as snprintf does. */
int config_write_value(const struct config *config, const struct config_row *row, char *buffer, size_t size);

/* Writes all keys as "section.key=value\n". Returns the length, as snprintf does. */
size_t config_write_plain(const struct config *config, char *buffer, size_t size);

/* Reads that form back over the defaults, as config_set() and config_check() allow. Returns true, or false with a sentence. */
bool config_read_plain(struct config *config, const char *text, size_t length, char error[256]);

/* The same from an open file descriptor (read from its begin, at most 64 KiB). */
bool config_read_plain_fd(struct config *config, int fd, char error[256]);

/* Band of a score under this configuration, enum rh_band. */
unsigned config_band(const struct config *config, double score);

/* Score at which a band named in the configuration begins ("low" is 0). */
double config_band_floor(const struct config *config, const char *band);

#ifdef __cplusplus
}
#endif
#endif
