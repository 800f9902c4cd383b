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

static struct incident_kind kind_union(const struct incident_kind *a, const struct incident_kind *b)
{
	struct incident_kind both = a->active ? *a : *b;
	if (!a->active || !b->active)
		return both;
	both.onset_ns = a->onset_ns < b->onset_ns ? a->onset_ns : b->onset_ns;
	both.last_ns = a->last_ns > b->last_ns ? a->last_ns : b->last_ns;
	both.longest_ns = a->longest_ns > b->longest_ns ? a->longest_ns : b->longest_ns;
	both.tasks = a->tasks > b->tasks ? a->tasks : b->tasks;
	return both;
}

struct incident incident_union(const struct incident *a, const struct incident *b)
{
	struct incident both = a->last_ns > b->last_ns ? *a : *b;
	both.onset_ns = a->onset_ns < b->onset_ns ? a->onset_ns : b->onset_ns;
	for (unsigned i = 0; i < NOTICE_KINDS; i++)
		both.kinds[i] = kind_union(&a->kinds[i], &b->kinds[i]);
	return both;
}
