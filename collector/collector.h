/*
 * collector.h - the collector as a whole: opened in a fixed order, then one sample for each tick.
 *
 * Opening may fail with one sentence. From the first published sample on no trouble of the environment ends it: it says once what is wrong, and
 * goes on trying.
 */
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include "collector/backend.h"
#include "collector/guard/stillness.h"
#include "collector/meters/meter.h"
#include "collector/options.h"
#include "collector/pace.h"
#include "collector/publish.h"
#include "collector/sample.h"
#include "collector/self.h"
#include "collector/tick.h"

struct collector {
	const struct options *options; /* borrowed */
	struct backend_choice backend;
	struct pool pool;
	struct meters meters;
	struct sample sample;
	struct publish publish;
	struct tick tick;
	struct pace pace;
	struct self self;
	struct stillness stillness;
	struct moment now; /* of the tick at work */
	uint64_t published;
	uint64_t signals;    /* bits of enum rh_signal: what protects the collector itself */
	uint32_t ring_group; /* group that may read the ring, (uint32_t)-1 to leave it */
	char boot_id[40];
	bool source_fails, ring_fails; /* said so already */
};

/*
 * Asks for protection, starts the guard, gives up the rights that are not needed any more, opens the source, takes the first sample, creates the ring
 * large enough for what was seen, and publishes.
 * Returns an exit code, with a sentence in `error` if it is not COLLECTOR_OK. Call collector_close() in any case.
 */
enum collector_exit collector_open(struct collector *collector, const struct options *options, char error[256]);

/* Samples until a signal, or the number of samples asked for. */
void collector_run(struct collector *collector);

/* Closes the ring for its readers and gives everything back. */
void collector_close(struct collector *collector);

#endif
