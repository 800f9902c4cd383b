/*
 * weigh.h - the judgement of one incident: of what class it was, who stood still, because of whom, how sure that is, and on what evidence.
 *
 * docs/pauses.md has the method.
 */
#ifndef PAUSE_WEIGH_H
#define PAUSE_WEIGH_H

#include "base/config.h"
#include "pause/incident.h"
#include "pause/parties.h"
#include "pause/pause.h"

/* What a judgement works on. */
struct weighing {
	const struct config *config;     /* borrowed */
	const struct incident *incident; /* borrowed */
	struct rh_ring *ring;            /* borrowed */
	struct sums sums;
	struct parties parties;
	struct pause *pause; /* borrowed: the result */
	/* seconds of standing still by what was waited for, over the processes that stood still long enough */
	double run_ns, io_ns, memory_ns, stuck_ns;
	uint32_t named;   /* parties that are culprits */
	double certainty; /* that they are */
};

/*
 * Judges. Fills in all of *ret_pause but its number, boot, state, and what only the machine itself can tell.
 * Returns false where there is nothing to report: nobody stood still but for his own doing, or deserved it. Cost: see sums_gather().
 */
bool weigh(const struct config *config, struct rh_ring *ring, const struct incident *incident, bool ongoing, struct pause *ret_pause);

/* Nanoseconds as a whole number; below 0, or none at all, 0. */
static inline uint64_t whole_ns(double ns)
{
	return ns > 0 ? (uint64_t)ns : 0;
}

/*
 * The part of the waiting for a cpu that others' running on the same cpu accounts for, 0 to 1; NAN where nobody waited. What the members of groups that were held
 * back waited is left out.
 */
double weigh_covered(const struct weighing *weighing);

/* ---- parts, in files of their own ---- */

/* accuse.c: sets who is blamed for a class, and how sure that is. Each returns false if nobody stood still because of another. */
bool accuse_cpu(struct weighing *weighing);
bool accuse_memory(struct weighing *weighing);
bool accuse_io(struct weighing *weighing);
bool accuse_stuck(struct weighing *weighing);
bool accuse_quota(struct weighing *weighing);

/* victims.c: who stood still, the longest first, those in the parties named left out unless it is their own fault. */
double victims_take(struct weighing *weighing, enum pause_wait wait);

/* evidence.c: what speaks for and against, which other classes were weighed, what was seen. */
void evidence_fill(struct weighing *weighing);

/* timeline.c */
void timeline_fill(struct weighing *weighing);

#endif
