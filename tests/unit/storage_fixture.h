/* A database in a fresh folder, for tests; removed at the end. */
#ifndef TESTS_STORAGE_FIXTURE_H
#define TESTS_STORAGE_FIXTURE_H

#include "storage/storage.h"

#include <dirent.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char folder[200], path[600];
	char notice[STORAGE_TEXT_BYTES], error[STORAGE_TEXT_BYTES];
	uint64_t wal_limit_bytes;
	struct storage *storage;
};

static inline int fixture_reopen(struct fixture *fixture)
{
	struct storage_options options = {.path = fixture->path, .mode = STORAGE_TRACK, .wal_limit_bytes = fixture->wal_limit_bytes};

	storage_close(&fixture->storage);
	return storage_open(&options, &fixture->storage, fixture->notice, fixture->error);
}

/* A second handle on the same database. */
static inline struct storage *fixture_reader(struct fixture *fixture)
{
	struct storage_options options = {.path = fixture->path, .mode = STORAGE_READ};
	struct storage *reader;

	storage_open(&options, &reader, fixture->notice, fixture->error);
	return reader;
}

static inline struct fixture *fixture_new(const char *parent)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	snprintf(fixture->folder, sizeof(fixture->folder), "%s/rh-storage-XXXXXX", parent);
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->path, sizeof(fixture->path), "%s/events.db", fixture->folder);
	return fixture;
}

static inline int fixture_open(void **state)
{
	const char *parent = getenv("TMPDIR");
	struct fixture *fixture = *state = fixture_new(parent ? parent : "/tmp");
	return fixture_reopen(fixture);
}

static inline void fixture_remove(struct fixture *fixture)
{
	DIR *folder = opendir(fixture->folder);
	char path[600];

	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", fixture->folder, entry->d_name);
			unlink(path);
		}
	if (folder)
		closedir(folder);
	rmdir(fixture->folder);
}

static inline int fixture_close(void **state)
{
	struct fixture *fixture = *state;

	storage_close(&fixture->storage);
	fixture_remove(fixture);
	free(fixture);
	return 0;
}

/* An open event with something in every column that must not be empty. */
static inline struct storage_event fixture_event(uint32_t pid, const char *command)
{
	struct storage_event event = {.boot_id = "01234567-89ab-cdef-0123-456789abcdef",
	        .pid = pid,
	        .start_time_ns = 1000 + pid,
	        .uid = 1000,
	        .entry_realtime_ns = 10,
	        .entry_boottime_ns = 11,
	        .entry_score = 41.5f,
	        .peak_realtime_ns = 20,
	        .peak_boottime_ns = 21,
	        .peak_score = 72.25f,
	        .peak_band = RH_BAND_critical,
	        .last_realtime_ns = 30,
	        .last_boottime_ns = 31,
	        .samples_count = 3};

	snprintf(event.command, sizeof(event.command), "%s", command);
	return event;
}

/* Inserts or updates in a transaction of its own. Returns the number. */
static inline uint64_t fixture_put(struct fixture *fixture, const struct storage_event *event)
{
	uint64_t id = 0;

	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_event(fixture->storage, event, &id), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
	return id;
}

#endif
