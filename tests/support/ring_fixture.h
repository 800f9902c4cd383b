/*
 * ring_fixture.h - a ring of its own for one test: a writer, a reader attached to it, and samples with known values.
 */
#ifndef TESTS_SUPPORT_RING_FIXTURE_H
#define TESTS_SUPPORT_RING_FIXTURE_H

#include "base/clock.h"
#include "rogue/reader.h"
#include "shm/writer.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ring_fixture {
	char instance[64];
	struct ring_writer *writer;
	struct rh_ring *ring;
};

enum { FIXTURE_START_NS = 5000, FIXTURE_PID = 1000 };

/* Options for a ring of that instance; the caller changes what it likes. */
static inline struct ring_options fixture_options(const char *instance, uint32_t slots, uint64_t arena_bytes)
{
	return (struct ring_options){.instance = instance,
	        .slots = slots,
	        .arena_bytes = arena_bytes,
	        .min_arena_bytes = arena_bytes,
	        .period_ns = 50 * NS_PER_MS,
	        .group = UINT32_MAX,
	        .boot_id = "12345678-1234-1234-1234-123456789abc",
	        .writer_start_ns = 77};
}

/* An instance name that no other test uses. */
static inline void fixture_name(struct ring_fixture *fixture, const char *test)
{
	snprintf(fixture->instance, sizeof(fixture->instance), "test-%s-%d", test, (int)getpid());
}

/* Creates writer and reader. Returns 0, or -1 with the reason on stderr. */
static inline int fixture_start(struct ring_fixture *fixture, const char *test, uint32_t slots, uint64_t arena_bytes)
{
	char text[256] = "";
	struct rh_error error = {0};

	fixture_name(fixture, test);
	struct ring_options options = fixture_options(fixture->instance, slots, arena_bytes);
	fixture->ring = NULL;
	if (ring_create(&options, &fixture->writer, text) != 0 || rh_open(fixture->instance, &fixture->ring, &error) != RH_OK) {
		fprintf(stderr, "%s%s\n", text, error.text);
		return -1;
	}
	return 0;
}

static inline void fixture_end(struct ring_fixture *fixture)
{
	rh_close(&fixture->ring);
	ring_close(&fixture->writer);
}

/* Record of row i in sample n: pid 1000 + i, cpu_pct n, score falling with the row. */
static inline struct rh_process fixture_record(uint64_t n, uint32_t i)
{
	struct rh_process record = {.pid = FIXTURE_PID + i,
	        .start_time_ns = FIXTURE_START_NS + i,
	        .cpu_pct = (float)n,
	        .score = (float)(100 - i % 100),
	        .nice = (int8_t)-5,
	        .rss_bytes = n * 4096,
	        .zombie_children_count = (uint16_t)i};

	snprintf(record.command, sizeof(record.command), "test%u", i);
	rh_set(record.present, RH_F_pid);
	rh_set(record.present, RH_F_start_time_ns);
	rh_set(record.present, RH_F_cpu_pct);
	rh_set(record.present, RH_F_score);
	rh_set(record.present, RH_F_nice);
	rh_set(record.present, RH_F_rss_bytes);
	rh_set(record.present, RH_F_command);
	rh_set(record.present, RH_F_zombie_children_count);
	return record;
}

/* Reserves and fills a frame without publishing it. */
static inline int fixture_fill(struct ring_writer *writer, uint64_t n, uint32_t count, uint32_t stride)
{
	struct ring_frame frame;
	int failed = ring_reserve(writer, count, stride, &frame);

	for (uint32_t i = 0; !failed && i < count; i++) {
		struct rh_process record = fixture_record(n, i);

		memset(frame.records + (size_t)i * stride, 0, stride);
		memcpy(frame.records + (size_t)i * stride, &record, stride < sizeof(record) ? stride : sizeof(record));
		frame.scores[i] = record.score;
		frame.pids[i] = record.pid;
	}
	return failed;
}

/* Publishes sample n, which must be the next. Returns its number as the ring counts, 0 if there is no room. */
static inline uint64_t fixture_publish_to(struct ring_writer *writer, uint64_t n, uint32_t count, uint32_t stride)
{
	struct rh_system system = {.boottime_ns = clock_now_ns(CLOCK_BOOTTIME), .process_count = count};

	rh_set(system.present, RH_S_boottime_ns);
	rh_set(system.present, RH_S_process_count);
	if (fixture_fill(writer, n, count, stride) != 0)
		return 0;
	n = ring_publish(writer, &system, count, count);
	ring_wake(writer);
	return n;
}

static inline uint64_t fixture_publish(struct ring_fixture *fixture, uint64_t n, uint32_t count)
{
	return fixture_publish_to(fixture->writer, n, count, sizeof(struct rh_process));
}

#endif
