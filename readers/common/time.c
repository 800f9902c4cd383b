/*
 * time.c - moments as people type them, see time.h.
 */
#include "readers/common/time.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>
#include <time.h>

static bool read_ago(const char *text, uint64_t now_ns, uint64_t *ret_realtime_ns)
{
	double seconds;

	if (!text_to_duration(text, &seconds) || seconds < 0 || seconds * NS_PER_S > (double)now_ns)
		return false;
	*ret_realtime_ns = now_ns - (uint64_t)(seconds * NS_PER_S);
	return true;
}

static bool read_epoch(const char *text, uint64_t *ret_realtime_ns)
{
	double seconds;

	if (!text_to_double(text, 0, 1e10, &seconds))
		return false;
	*ret_realtime_ns = (uint64_t)(seconds * NS_PER_S);
	return true;
}

static bool read_date(const char *text, uint64_t *ret_realtime_ns)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm typed = {0}, local;
		const char *rest = strptime(text, forms[i], &typed);
		if (!rest || *rest)
			continue;
		local = typed;
		local.tm_isdst = -1; /* summer time or not: as it was then */
		time_t seconds = mktime(&local);
		/* mktime() makes a day of March of the 30th of February. */
		if (seconds < 0 || local.tm_mday != typed.tm_mday)
			return false;
		*ret_realtime_ns = (uint64_t)seconds * NS_PER_S;
		return true;
	}
	return false;
}

/* Today, or yesterday where that is still to come. */
static bool read_time_of_day(const char *text, uint64_t now_ns, uint64_t *ret_realtime_ns)
{
	static const char *const forms[] = {"%H:%M", "%H:%M:%S"};
	const time_t now = (time_t)(now_ns / NS_PER_S);
	struct tm today;

	if (!localtime_r(&now, &today))
		return false;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm typed = {0};
		const char *rest = strptime(text, forms[i], &typed);
		if (!rest || *rest)
			continue;
		for (int back = 0; back <= 1; back++) {
			struct tm local = today;
			local.tm_hour = typed.tm_hour;
			local.tm_min = typed.tm_min;
			local.tm_sec = typed.tm_sec;
			local.tm_mday -= back;
			local.tm_isdst = -1;
			time_t seconds = mktime(&local);
			if (seconds < 0 || seconds > now)
				continue;
			*ret_realtime_ns = (uint64_t)seconds * NS_PER_S;
			return true;
		}
	}
	return false;
}

bool time_read(const char *text, uint64_t now_ns, uint64_t *ret_realtime_ns)
{
	if (text[0] == '@')
		return read_epoch(text + 1, ret_realtime_ns);
	return read_ago(text, now_ns, ret_realtime_ns) || read_date(text, ret_realtime_ns) ||
	       read_time_of_day(text, now_ns, ret_realtime_ns);
}
