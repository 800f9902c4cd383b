/*
 * find.c - which pause is meant, see find.h.
 */
#include "readers/pauses/find.h"

#include "base/clock.h"
#include "base/text.h"
#include "readers/common/time.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HALF_A_MINUTE_S = 30 };

bool find_is_back(const char *argument)
{
	size_t digits = argument[0] == '-' ? strspn(argument + 1, "0123456789") : 0;
	return digits > 0 && argument[1 + digits] == '\0';
}

static bool read_number(const char *text, uint32_t *ret_number)
{
	uint64_t number;

	if (!text_to_u64(text, UINT32_MAX, &number) || number == 0)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* "@14:03", "@2026-11-20T14:03:07", "@2h", "@1700000000". */
static bool read_moment(const char *text, uint64_t now_ns, uint64_t *ret_realtime_ns)
{
	bool is_epoch = strspn(text + 1, "0123456789.") == strlen(text + 1);
	const char *colon = strchr(text, ':');

	if (!time_read(is_epoch ? text : text + 1, now_ns, ret_realtime_ns) || *ret_realtime_ns == 0)
		return false;
	if (colon && !strchr(colon + 1, ':'))
		*ret_realtime_ns += HALF_A_MINUTE_S * (uint64_t)NS_PER_S; /* a minute was named: nearest to its middle */
	return true;
}

/* "7c1f-44": at least one digit of the boot's 8. */
static bool read_id(const char *text, struct storage_pause_key *key)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");

	if (digits == 0 || digits > FIND_DIGITS_MOST || text[digits] != '-' || !read_number(text + digits + 1, &key->number))
		return false;
	for (size_t i = 0; i < digits; i++)
		key->boot_prefix[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

bool find_read(const char *text, uint64_t now_ns, struct storage_pause_key *ret_key)
{
	uint32_t back;

	*ret_key = (struct storage_pause_key){0};
	if (strcmp(text, "last") == 0)
		return true;
	if (find_is_back(text)) {
		if (!read_number(text + 1, &back))
			return false;
		ret_key->back = back - 1;
		return true;
	}
	if (text[0] == '@')
		return read_moment(text, now_ns, &ret_key->at_realtime_ns);
	return read_number(text, &ret_key->number) || read_id(text, ret_key);
}

unsigned find_digits(struct find_ids *ids, const struct storage_pause *pause)
{
	bool same_boot = ids->digits > 0 && strcmp(ids->boot_id, pause->boot_id) == 0;

	snprintf(ids->boot_id, sizeof(ids->boot_id), "%s", pause->boot_id);
	for (ids->digits = same_boot ? ids->digits : FIND_DIGITS_LEAST; ids->digits < FIND_DIGITS_MOST; ids->digits++) {
		struct storage_pause_key key = {.number = pause->number};
		struct storage_pause found;
		char *document = NULL;
		snprintf(key.boot_prefix, sizeof(key.boot_prefix), "%.*s", (int)ids->digits, pause->boot_id);
		int result = storage_pause_find(ids->storage, &key, &found, &document);
		free(document);
		if (result != -ENOTUNIQ)
			break;
	}
	return ids->digits;
}

char *find_id(struct find_ids *ids, const struct storage_pause *pause, char out[FIND_ID_BYTES])
{
	char boot[FIND_DIGITS_MOST + 1];

	text_sanitise(pause->boot_id, find_digits(ids, pause), boot, sizeof(boot));
	snprintf(out, FIND_ID_BYTES, "%s-%" PRIu32, boot, pause->number);
	return out;
}
