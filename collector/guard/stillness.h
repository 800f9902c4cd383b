/*
 * stillness.h - what tells whether this machine stands still, as fields of each sample: the guard with its canaries, and the kernel's own reports.
 */
#ifndef COLLECTOR_GUARD_STILLNESS_H
#define COLLECTOR_GUARD_STILLNESS_H

#include "base/config.h"
#include "collector/guard/guard.h"
#include "collector/guard/psi_trigger.h"

struct stillness {
	struct guard *guard;           /* NULL: there is none, as in a struct of zeros */
	struct psi_triggers *triggers; /* the same */
	uint64_t cpu_ns;               /* of the reading before */
};

/*
 * Starts what [guard] of the configuration asks for and this machine permits, and says once in the log what is less than that. Call from the thread that
 * samples, before it gives up its rights.
 */
void stillness_open(struct stillness *stillness, const struct config *config);

/* The sample at work should be done at that time of CLOCK_MONOTONIC. */
void stillness_expect(struct stillness *stillness, uint64_t end_ns);

/* The sample is done, and the next one begins then. */
void stillness_done(struct stillness *stillness, uint64_t next_ns);

/* Fills in what was noted since the sample before, whose distance is system->elapsed_ns. Returns the bits (of enum rh_signal) of what is live. */
uint64_t stillness_fill(struct stillness *stillness, struct rh_system *system);

void stillness_close(struct stillness *stillness);

#endif
