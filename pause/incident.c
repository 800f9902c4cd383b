/* incident.c - see incident.h. */
#include "pause/incident.h"

bool incident_add(struct incident *incident, const struct notice *notice, unsigned mask, uint64_t now_ns, uint64_t sample)
{
	bool any = false;
	for (unsigned i = 0; i < NOTICE_KINDS; i++) {
		const struct noticed *noticed = &notice->kinds[i];
		struct incident_kind *kind = &incident->kinds[i];
		if (!noticed->active || !(mask >> i & 1))
			continue;
		if (!kind->active || noticed->onset_ns < kind->onset_ns)
			kind->onset_ns = noticed->onset_ns;
		if (!incident->open || noticed->onset_ns < incident->onset_ns)
			incident->onset_ns = noticed->onset_ns;
		kind->longest_ns = noticed->longest_ns > kind->longest_ns ? noticed->longest_ns : kind->longest_ns;
		kind->tasks = noticed->tasks > kind->tasks ? noticed->tasks : kind->tasks;
		kind->last_ns = incident->last_ns = now_ns;
		kind->active = incident->open = any = true;
		incident->last_sample = sample;
	}
	return any;
}
