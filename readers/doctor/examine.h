/*
 * examine.h - everything that `doctor` reports, gathered: what the collector's probe finds, and what the running collector publishes.
 */
#ifndef READERS_DOCTOR_EXAMINE_H
#define READERS_DOCTOR_EXAMINE_H

#include "rogue/reader.h"
#include "rogue/samples.h"

#include <stdbool.h>

enum { EXAMINE_TEXT_BYTES = 256, EXAMINE_PATH_BYTES = 4096, EXAMINE_CAPABILITIES = 16 };

/* One signal here and now. */
struct examined_signal {
	bool available;
	char why[EXAMINE_TEXT_BYTES]; /* "" if nothing is known */
};

struct examined_capability {
	char name[32];
	unsigned number;
	bool kept;      /* for as long as it samples; else for the start alone */
	bool available; /* to who asks */
	char purpose[EXAMINE_TEXT_BYTES], lost[EXAMINE_TEXT_BYTES];
};

struct report {
	/* the probe, run by who asks */
	char program[EXAMINE_PATH_BYTES]; /* rh-collector, "" if it was not found */
	bool probed;
	char probe_error[EXAMINE_TEXT_BYTES]; /* a sentence where not */
	char kernel[EXAMINE_TEXT_BYTES], sampler[EXAMINE_TEXT_BYTES], refusal[EXAMINE_TEXT_BYTES];
	unsigned uid;
	double open_ms, sample_ms; /* negative where not known */
	uint64_t processes;
	struct examined_signal signals[RH_SIGNAL_COUNT];
	struct examined_capability capabilities[EXAMINE_CAPABILITIES];
	unsigned capability_count;
	/* the daemon */
	enum rh_status writer; /* of its collector, or why there is no ring */
	char ring_error[512];  /* a sentence, "" if the ring could be read */
	uint32_t writer_pid;
	bool has_system, has_live, has_capabilities;
	struct rh_system system; /* of the newest sample */
	uint64_t live;           /* bits of enum rh_signal */
	uint64_t held;           /* effective capabilities of the collector */
};

/*
 * Gathers. Never fails as a whole: what could not be had is said in the error members.
 *   config_fd  plain form of the configuration for the probe, -1 for the defaults; it stays open
 * Cost: that of loading the collector's programs, up to a few seconds; at most about 25 s.
 */
void examine(struct report *report, const char *instance, int config_fd);

/* Is it live in the daemon's newest sample? Call where has_live. */
bool examine_is_live(const struct report *report, unsigned signal);

/* Is the signal of no use to the daemon, because it has a better one? */
bool examine_is_spare(const struct report *report, unsigned signal);

struct rh_signal_row; /* rogue/tables.h */

/*
 * The step that would enable a signal that is not available, "" where none would: not what the probe says needs something else first, and no step in
 * the configuration where that is not the reason. The program's name stands for its path. Borrowed for the life of the program.
 */
const char *examine_step(const struct report *report, const struct rh_signal_row *row);

#endif
