/*
 * health.c - gathering what `status` reports, see health.h.
 */
#include "readers/status/health.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "readers/common/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void gather_ring(struct health *health, const char *instance)
{
	struct rh_error error = {0};
	struct rh_ring *ring;

	health->writer = rh_open(instance, &ring, &error);
	if (health->writer != RH_OK) {
		attach_reason(health->writer, &error, health->ring_error);
		return;
	}
	rh_info(ring, &health->info);
	enum rh_status status = batch_latest(ring, RH_TOP_BY_SCORE, &health->batch);
	health->has_sample = status == RH_OK;
	if (status != RH_OK)
		snprintf(health->ring_error, sizeof(health->ring_error), "%s", rh_status_text(status));
	window_of(ring, &health->window);
	health->age_ns = rh_heartbeat_age_ns(ring);
	health->writer = rh_writer_status(ring);
	rh_close(&ring);
}

/*
 * Is that pid a tracker's, and alive? The pid of one that died may be another's by now, after a reboot above all; one that has ended and was not
 * waited for is dead. What is hidden from us (hidepid) is not known to be dead.
 */
static bool is_tracker(pid_t pid)
{
	static const char name[] = " (rh-tracker) ";
	char path[40], text[512];

	if (kill(pid, 0) != 0 && errno != EPERM)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return true;
	const char *found = strstr(text, name);
	return found && !strchr("ZX", found[sizeof(name) - 1]);
}

/* Is the process there that wrote the row, in this boot? */
static bool tracker_lives(const struct health *health)
{
	const struct storage_state *tracker = &health->tracker;

	if (!tracker->running || tracker->tracker_pid == 0 || tracker->tracker_pid > INT32_MAX)
		return false;
	if (health->info.boot_id[0] && strcmp(health->info.boot_id, tracker->boot_id) != 0)
		return false;
	return is_tracker((pid_t)tracker->tracker_pid);
}

static const uint64_t day_ns = (uint64_t)86400 * NS_PER_S;

static void gather_database(struct health *health, const char *instance, const char *database)
{
	char notice[STORAGE_TEXT_BYTES];
	struct storage *storage;

	if (database)
		snprintf(health->database, sizeof(health->database), "%s", database);
	else
		path_database(instance, health->database);
	const struct storage_options options = {.path = health->database, .mode = STORAGE_READ};
	if (storage_open(&options, &storage, notice, health->database_error) != 0)
		return;
	health->database_bytes = storage_file_bytes(storage);
	health->wal_bytes = storage_wal_bytes(storage);
	health->open_events = storage_open_events(storage);
	health->pauses_today = storage_count_pauses(storage, NULL, clock_now_ns(CLOCK_REALTIME) - day_ns);
	health->has_pause = storage_pauses(storage, &(struct storage_pause_filter){0}, &health->pause, 1) == 1;
	int found = storage_state(storage, &health->tracker);
	if (health->open_events < 0 || health->pauses_today < 0 || found < 0)
		snprintf(health->database_error, sizeof(health->database_error), "%s", storage_error(storage));
	health->has_tracker = found == 1;
	health->tracker_lives = health->has_tracker && tracker_lives(health);
	storage_close(&storage);
}

void health_gather(struct health *health, const char *instance, const char *database)
{
	*health = (struct health){0};
	gather_ring(health, instance);
	gather_database(health, instance, database);
}

void health_free(struct health *health)
{
	batch_free(&health->batch);
}

int health_exit_code(const struct health *health)
{
	return attach_exit_code(health->writer);
}
