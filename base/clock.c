/* clock.c - wall-clock labels for people. */
#include "base/clock.h"

#include <stdio.h>

char *clock_label(uint64_t realtime_ns, char out[40])
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	struct tm local;
	char date[24], zone[8];

	if (!localtime_r(&seconds, &local) || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &local) == 0 ||
	        strftime(zone, sizeof(zone), "%z", &local) == 0) {
		snprintf(out, 40, "-");
		return out;
	}
	/* "+0100" becomes "+01:00", as ISO 8601's extended form asks. */
	snprintf(out, 40, "%s.%03u%.3s:%s", date, (unsigned)(realtime_ns % NS_PER_S / NS_PER_MS), zone, zone + 3);
	return out;
}
