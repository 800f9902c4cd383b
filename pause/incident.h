/*
 * incident.h - something that goes on, or went on, as it was noticed sample by sample: which kinds of standing still, since when, until when.
 */
#ifndef PAUSE_INCIDENT_H
#define PAUSE_INCIDENT_H

#include "pause/notice.h"

struct incident_kind {
	bool active;                /* ever in this incident */
	uint64_t onset_ns, last_ns; /* BOOTTIME: the earliest begin; the newest sample in which it was active */
	uint64_t longest_ns;
	uint32_t tasks; /* most in one sample */
};

struct incident {
	bool open;
	uint64_t onset_ns, last_ns; /* over all kinds */
	uint64_t last_sample;
	uint64_t newest_sample; /* that the judge has seen: the ring may hold later ones already */
	struct incident_kind kinds[NOTICE_KINDS];
};

/* Adds what was noticed in the sample taken at now_ns; `mask` has a bit for each kind that belongs here. Returns true if any was active. */
bool incident_add(struct incident *incident, const struct notice *notice, unsigned mask, uint64_t now_ns, uint64_t sample);

/* Both as one. */
struct incident incident_union(const struct incident *a, const struct incident *b);

#endif
