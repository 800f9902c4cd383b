/* figures.c - see figures.h. */
#include "pause/figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Of a day; offsets of time zones are below 18 hours. */
enum { DAY_S = 86400, OFFSET_MAX_S = 18 * 3600 };

char *pause_duration_text(uint64_t ns, char out[PAUSE_FIGURE_BYTES])
{
	uint64_t ms = ns / 1000000 + (ns % 1000000 >= 500000);
	uint64_t s = ms / 1000 + (ms % 1000 >= 500);

	if (ms == 0)
		snprintf(out, PAUSE_FIGURE_BYTES, "under 1 ms");
	else if (ms < 1000)
		snprintf(out, PAUSE_FIGURE_BYTES, "%" PRIu64 " ms", ms);
	else if (ms < 9995)
		snprintf(out, PAUSE_FIGURE_BYTES, "%" PRIu64 ".%02" PRIu64 " s", (ms + 5) / 1000, (ms + 5) % 1000 / 10);
	else if (ms < 59950)
		snprintf(out, PAUSE_FIGURE_BYTES, "%" PRIu64 ".%" PRIu64 " s", (ms + 50) / 1000, (ms + 50) % 1000 / 100);
	else if (s < 3600)
		snprintf(out, PAUSE_FIGURE_BYTES, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else if (s + 30 < UINT64_C(1000) * 3600)
		snprintf(out, PAUSE_FIGURE_BYTES, "%" PRIu64 " h %" PRIu64 " min", (s + 30) / 3600, (s + 30) % 3600 / 60);
	else if (s < UINT64_C(1000) * DAY_S)
		snprintf(out, PAUSE_FIGURE_BYTES, "%" PRIu64 " d %" PRIu64 " h", s / DAY_S, s % DAY_S / 3600);
	else
		snprintf(out, PAUSE_FIGURE_BYTES, "over 999 d");
	return out;
}

char *pause_quota_text(uint64_t ns, char out[PAUSE_FIGURE_BYTES])
{
	pause_duration_text(ns, out);
	char *point = strchr(out, '.');
	if (!point)
		return out;
	char *end = point + strspn(point, ".0123456789");
	char *keep = end;
	while (keep[-1] == '0')
		keep--;
	if (keep[-1] == '.')
		keep--;
	memmove(keep, end, strlen(end) + 1);
	return out;
}

char *pause_bytes_text(double bytes, char out[PAUSE_FIGURE_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t step = 0;

	if (isnan(bytes)) {
		snprintf(out, PAUSE_FIGURE_BYTES, "-");
		return out;
	}
	if (bytes < 0)
		bytes = 0;
	/* From 999.5 the rounded form would need a fourth digit. */
	while (bytes >= 999.5 && step + 1 < COUNT_OF(units)) {
		bytes /= 1024;
		step++;
	}
	if (bytes >= 999.5)
		snprintf(out, PAUSE_FIGURE_BYTES, "over 999 %s", units[step]);
	else
		snprintf(out, PAUSE_FIGURE_BYTES, step > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[step]);
	return out;
}

int pause_percents(double ratio)
{
	if (!(ratio > 0))
		return 0;
	return ratio >= 1 ? 100 : (int)(ratio * 100 + 0.5);
}

char *pause_share_text(double ratio, char out[PAUSE_FIGURE_BYTES])
{
	int percents = pause_percents(ratio);

	if (isnan(ratio))
		snprintf(out, PAUSE_FIGURE_BYTES, "-");
	else if (percents == 0)
		snprintf(out, PAUSE_FIGURE_BYTES, "under 1%%");
	else if (percents == 100)
		snprintf(out, PAUSE_FIGURE_BYTES, "all");
	else
		snprintf(out, PAUSE_FIGURE_BYTES, "%d%%", percents);
	return out;
}

char *pause_state_text(double ratio, char out[PAUSE_FIGURE_BYTES])
{
	if (pause_percents(ratio) == 100)
		snprintf(out, PAUSE_FIGURE_BYTES, "over 99%%");
	else
		pause_share_text(ratio, out);
	return out;
}

bool pause_utc_offset(const struct pause *pause, int32_t *ret_offset_s)
{
	int32_t offset = pause->place.utc_offset_s;

	*ret_offset_s = 0;
	if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S || (offset == 0 && pause->place.host[0] == '\0'))
		return false;
	*ret_offset_s = offset;
	return true;
}
