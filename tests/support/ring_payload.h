/*
 * ring_payload.h - contents for samples by which a reader can tell, byte by byte, whether what it read is the one sample it asked for.
 *
 * Every word of every record, every row of the index columns and every word of the system record is a function of the sample's
 * number, its place and a key that differs for every writer. So a read that mixes two samples, or two writers, is found wherever it mixes.
 * For tests and benchmarks only; the values make no sense as fields, but for pid, start time and the present mask left out of it.
 */
#ifndef TESTS_SUPPORT_RING_PAYLOAD_H
#define TESTS_SUPPORT_RING_PAYLOAD_H

#include "rogue/reader.h"
#include "shm/writer.h"

#include <string.h>

static inline uint64_t payload_mix(uint64_t key, uint64_t n, uint64_t row)
{
	uint64_t x = key ^ n * UINT64_C(0x9e3779b97f4a7c15) ^ row * UINT64_C(0xc2b2ae3d27d4eb4f);

	x = (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 29;
}

/* Word `i` of a record whose first word is `first`. */
static inline uint64_t payload_word(uint64_t first, uint32_t i)
{
	return first + i * UINT64_C(0x9e3779b97f4a7c15);
}

static inline float payload_score(uint64_t first)
{
	return (float)(first & 0xffffff); /* exact in a float */
}

/* Fills the frame of sample n with `count` records. */
static inline void payload_fill(const struct ring_frame *frame, uint64_t key, uint64_t n, uint32_t count)
{
	for (uint32_t row = 0; row < count; row++) {
		uint64_t first = payload_mix(key, n, row);
		uint64_t *words = (uint64_t *)(void *)(frame->records + (size_t)row * frame->stride);

		frame->scores[row] = payload_score(first);
		frame->pids[row] = (uint32_t)(first >> 32);
		for (uint32_t i = 0; i < frame->stride / 8; i++)
			words[i] = payload_word(first, i);
	}
}

/* A system record for sample n; its boottime_ns is the heartbeat and must be real, the ring fills in present bit and sample_id. */
static inline void payload_system(struct rh_system *system, uint64_t key, uint64_t n, uint64_t boottime_ns)
{
	uint64_t first = payload_mix(key, n, UINT64_MAX);
	uint64_t words[sizeof(*system) / 8];

	for (uint32_t i = 0; i < sizeof(*system) / 8; i++)
		words[i] = payload_word(first, i);
	memcpy(system, words, sizeof(words));
	memset(system->present, 0, sizeof(system->present));
	system->boottime_ns = boottime_ns;
}

/* Does the copy of the system record belong to sample n? */
static inline bool payload_system_is(const struct rh_view *view, uint64_t key)
{
	struct rh_system expected;

	payload_system(&expected, key, view->sample, view->system.boottime_ns);
	expected.sample_id = view->sample;
	rh_set(expected.present, RH_S_sample_id);
	return memcmp(&expected, &view->system, sizeof(expected)) == 0;
}

/* Reads every row in place. Returns the number of rows that are not those of the sample; what it says counts only after rh_valid(). */
static inline uint32_t payload_wrong_rows(const struct rh_view *view, uint64_t key)
{
	uint32_t wrong = 0;

	for (uint32_t row = 0; row < view->count; row++) {
		uint64_t first = payload_mix(key, view->sample, row), difference = 0;
		const uint64_t *words = (const uint64_t *)(const void *)(view->record_base + (size_t)row * view->stride);

		difference |= (uint64_t)(view->scores[row] != payload_score(first)) | (view->pids[row] ^ (uint32_t)(first >> 32));
		for (uint32_t i = 0; i < view->stride / 8; i++)
			difference |= words[i] ^ payload_word(first, i);
		wrong += difference != 0;
	}
	return wrong;
}

#endif
