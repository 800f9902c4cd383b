/*
 * health.h - everything that `status` reports, gathered: the collector's from the ring, the tracker's from the database.
 */
#ifndef READERS_STATUS_HEALTH_H
#define READERS_STATUS_HEALTH_H

#include "readers/common/batch.h"
#include "readers/common/window.h"
#include "storage/pauses.h"

struct health {
	/* the ring */
	enum rh_status writer; /* of the collector, or why there is no ring */
	char ring_error[512];  /* a sentence, empty if the ring could be read */
	bool has_sample;
	uint64_t age_ns; /* since the collector's last sign of life */
	struct rh_info info;
	struct batch batch; /* newest sample, its most rogue processes; owned */
	struct window window;
	/* the database */
	char database[4096];                     /* path */
	char database_error[STORAGE_TEXT_BYTES]; /* a sentence, empty if it could be read */
	uint64_t database_bytes, wal_bytes;
	int64_t open_events;
	int pauses_today; /* in the last 24 hours */
	bool has_pause;
	struct storage_pause pause; /* the newest */
	bool has_tracker;           /* the tracker has left word of itself */
	bool tracker_lives;         /* and its process is still there */
	struct storage_state tracker;
};

/* Gathers. Never fails as a whole: what could not be read is said in the error members. */
void health_gather(struct health *health, const char *instance, const char *database);

void health_free(struct health *health);

/* Exit code of `status`. */
int health_exit_code(const struct health *health);

#endif
