/* names.c - the words of the closed lists of pause.def, the word for a probability, and the id of a pause. See pause.h. */
#include "pause/pause.h"

#include <inttypes.h>
#include <stdio.h>

/* The text at `code` of a table; a code of a newer version, or a hole in the list, is unknown. */
#define WORD_AT(table, code) word_at((table), sizeof(table) / sizeof((table)[0]), (code))

static const char *word_at(const char *const *table, size_t count, unsigned code)
{
	return code < count && table[code] ? table[code] : "unknown";
}

const char *pause_class_name(unsigned class)
{
#define PAUSE_CLASS(value, name, metric, unit, amount) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, class);
}

const char *pause_metric_name(unsigned class)
{
#define PAUSE_CLASS(value, name, metric, unit, amount) [value] = metric,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, class);
}

const char *pause_metric_unit(unsigned class)
{
#define PAUSE_CLASS(value, name, metric, unit, amount) [value] = unit,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, class);
}

const char *pause_metric_amount(unsigned class)
{
#define PAUSE_CLASS(value, name, metric, unit, amount) [value] = amount,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, class);
}

const char *pause_state_name(unsigned state)
{
#define PAUSE_STATE(value, name) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, state);
}

const char *pause_kind_name(unsigned kind)
{
#define PAUSE_KIND(value, name) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, kind);
}

const char *pause_role_name(unsigned role)
{
#define PAUSE_ROLE(value, name) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, role);
}

const char *pause_word_name(unsigned word)
{
#define PAUSE_WORD(value, name, from, hedge) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, word);
}

const char *pause_result_name(unsigned result)
{
#define PAUSE_RESULT(value, name) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, result);
}

const char *pause_wait_name(unsigned wait)
{
#define PAUSE_WAIT(value, name, text) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, wait);
}

const char *pause_scope_name(unsigned scope)
{
#define PAUSE_SCOPE(value, name) [value] = #name,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return WORD_AT(table, scope);
}

const char *pause_hedge(unsigned word)
{
#define PAUSE_WORD(value, name, from, hedge) [value] = hedge,
	static const char *const table[] = {
#include "pause/pause.def"
	};
	return word < sizeof(table) / sizeof(table[0]) && table[word] ? table[word] : "";
}

/* Ranges are closed below: 0.80 is "very likely". A ratio that was not measured is in none of them. */
enum pause_word pause_word_for(float class_ratio, float both_ratio, bool recorded)
{
	enum pause_word found = PAUSE_WORD_unclear;

	if (recorded)
		return PAUSE_WORD_recorded;
#define PAUSE_WORD(value, name, from, hedge) [value] = (float)(from),
	static const float least[] = {
#include "pause/pause.def"
	};
	/* The class is held to the same floor as the culprit: below it nothing is said of either. */
	if (!(class_ratio >= least[PAUSE_WORD_likely]))
		return PAUSE_WORD_unexplained;
	for (enum pause_word word = PAUSE_WORD_likely; word < PAUSE_WORD_recorded; word++)
		if (both_ratio >= least[word])
			found = word;
	return found;
}

const struct pause_who *pause_named(const struct pause *pause)
{
	if (pause_word_said(pause) < PAUSE_WORD_likely || pause->outside || pause->own_fault)
		return NULL;
	for (uint32_t i = 0; i < pause->culprit_count && i < PAUSE_CULPRITS; i++)
		if (pause->culprits[i].role == PAUSE_ROLE_culprit)
			return &pause->culprits[i];
	return NULL;
}

enum pause_word pause_word_said(const struct pause *pause)
{
	/* A word of a newer version would be said by nobody here: nobody is named. */
	if (pause->word > PAUSE_WORD_recorded)
		return PAUSE_WORD_unclear;
	if (pause->state == PAUSE_STATE_interim && (pause->word == PAUSE_WORD_very_likely || pause->word == PAUSE_WORD_almost_certain))
		return PAUSE_WORD_likely;
	return (enum pause_word)pause->word;
}

char *pause_id(const struct pause *pause, char out[PAUSE_ID_BYTES])
{
	enum { BOOT_DIGITS = 8 };
	char boot[BOOT_DIGITS + 1] = "00000000";

	/* Of a boot id only hexadecimal digits pass, so that an id can be typed, sorted and put into a file name. */
	for (size_t i = 0; i < BOOT_DIGITS; i++) {
		char digit = pause->boot_id[i];
		if (digit >= 'A' && digit <= 'F')
			digit = (char)(digit - 'A' + 'a');
		if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')))
			break;
		boot[i] = digit;
	}
	snprintf(out, PAUSE_ID_BYTES, "%s-%" PRIu32, boot, pause->number);
	return out;
}
