/*
 * peer_ring.c - the ring as a way to hand over samples.
 */
#include "bench/peer.h"
#include "tests/support/ring_fixture.h"

#include <stdlib.h>

static void *writer_open(const char *name)
{
	struct ring_options options = fixture_options(name, 64, 32 << 20);
	struct ring_writer *writer;
	char text[256];

	if (ring_create(&options, &writer, text) != 0)
		peer_die(text);
	return writer;
}

static void writer_accept(void *handle, int clients)
{
	(void)handle;
	(void)clients; /* it neither knows nor cares */
}

static void writer_send(void *handle, const struct rh_process *records, uint32_t count)
{
	struct ring_writer *writer = handle;
	struct rh_system system = {.boottime_ns = clock_now_ns(CLOCK_BOOTTIME)};
	struct ring_frame frame;

	if (ring_reserve(writer, count, sizeof(*records), &frame) != 0)
		peer_die("ring_reserve");
	for (uint32_t i = 0; i < count; i++) {
		frame.scores[i] = records[i].score;
		frame.pids[i] = records[i].pid;
	}
	memcpy(frame.records, records, count * sizeof(*records));
	ring_publish(writer, &system, count, count);
	ring_wake(writer);
}

static void writer_close(void *handle)
{
	struct ring_writer *writer = handle;

	ring_close(&writer);
}

/* Looks at every record and takes the top 20, which come first. */
static void take(const struct rh_view *view)
{
	struct rh_process top[PEER_TOP];
	volatile double sum = 0;

	for (uint32_t i = 0; i < view->count; i++) {
		sum = sum + (double)rh_record(view, i)->cpu_pct;
		if (i < PEER_TOP)
			rh_copy(view, i, &top[i]);
	}
	if (!rh_valid(view))
		peer_die("reading a sample that nobody overwrites");
	sum = sum + (double)top[0].score;
}

static void client_run(const char *name, int client, int samples, struct peer_shared *shared)
{
	struct rh_ring *ring;
	struct rh_view view;
	uint64_t cursor = 0;

	if (rh_open(name, &ring, NULL) != RH_OK)
		peer_die("rh_open");
	atomic_fetch_add(&shared->attached, 1);
	for (int i = 0; i < samples;) {
		rh_wait(ring, cursor, NS_PER_S);
		if (rh_next(ring, &cursor, NULL, &view) != RH_OK)
			continue;
		take(&view);
		peer_done(shared, client, i++);
	}
	rh_close(&ring);
}

const struct peer peer_ring = {"ring", writer_open, writer_accept, writer_send, writer_close, client_run};
