/*
 * backend.h - the sampling back ends of this build, best first, and the choice among them.
 */
#ifndef COLLECTOR_BACKEND_H
#define COLLECTOR_BACKEND_H

#include "collector/source.h"

/* The back end chosen, and why. */
struct backend_choice {
	struct source *source; /* owned by the caller */
	enum rh_sampler_reason reason;
	char note[256]; /* a sentence where the choice is not what was asked for, else empty */
};

/*
 * Opens the back end that `sampler` asks for ("auto" or a name): with auto, and where the one asked for is not in this build or is refused by the
 * machine, the best that opens. Returns 0, or -errno with a sentence in `error` when none opens.
 */
int backend_open(const char *sampler, const struct source_options *options, struct backend_choice *ret_choice, char error[256]);

#endif
