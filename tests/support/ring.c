/*
 * ring.c - see ring.h.
 */
#include "tests/support/ring.h"

#include "base/clock.h"
#include "rogue/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

char *ring_instance(const char *name, char out[65])
{
	snprintf(out, 65, "test-%d-%s", (int)getpid(), name);
	return out;
}

struct ring_writer *ring_begin(const char *instance, unsigned slots)
{
	const struct ring_options options = {.instance = instance,
	        .slots = slots,
	        .arena_bytes = 1 << 20,
	        .min_arena_bytes = 1 << 16,
	        .period_ns = UINT64_C(1000000) * RING_PERIOD_MS,
	        .group = UINT32_MAX};
	struct ring_writer *writer;
	char error[256];

	if (ring_create(&options, &writer, error) != 0) {
		fprintf(stderr, "no ring: %s\n", error);
		exit(EXIT_FAILURE);
	}
	return writer;
}

struct rh_process ring_process(uint32_t pid, const char *command, float score)
{
	struct rh_process process = {0};

	RING_SET(&process, RH_F_, start_time_ns, UINT64_C(1000000000) * pid);
	RING_SET(&process, RH_F_, pid, pid);
	RING_SET(&process, RH_F_, ppid, 1);
	RING_SET(&process, RH_F_, flags, 0);
	RING_SET(&process, RH_F_, state, RH_STATE_running);
	RING_SET(&process, RH_F_, band, score >= 70 ? RH_BAND_critical : score >= 40 ? RH_BAND_medium : RH_BAND_low);
	rh_set(process.present, RH_F_command);
	memcpy(process.command, command, strnlen(command, sizeof(process.command)));
	RING_SET(&process, RH_F_, score, score);
	RING_SET(&process, RH_F_, cpu_pct, score);
	RING_SET(&process, RH_F_, dominant_resource, RH_RESOURCE_cpu);
	return process;
}

struct rh_system ring_system(uint32_t rogues, float max_score)
{
	struct rh_system system = {0};

	RING_SET(&system, RH_S_, boottime_ns, clock_now_ns(CLOCK_BOOTTIME));
	RING_SET(&system, RH_S_, monotonic_ns, clock_now_ns(CLOCK_MONOTONIC));
	RING_SET(&system, RH_S_, realtime_ns, clock_now_ns(CLOCK_REALTIME));
	RING_SET(&system, RH_S_, rogue_count, rogues);
	RING_SET(&system, RH_S_, max_score, max_score);
	RING_SET(&system, RH_S_, stress, max_score >= 70 ? RH_STRESS_critical : RH_STRESS_normal);
	RING_SET(&system, RH_S_, sampler, RH_SAMPLER_procfs);
	RING_SET(&system, RH_S_, sampler_reason, RH_SAMPLER_REASON_best);
	RING_SET(&system, RH_S_, degraded, 0);
	RING_SET(&system, RH_S_, cpus_count, 2);
	RING_SET(&system, RH_S_, cpu_busy_ratio, 0.71f);
	RING_SET(&system, RH_S_, self_cpu_ns, system.monotonic_ns / 1000);
	RING_SET(&system, RH_S_, self_rss_bytes, 8 << 20);
	RING_SET(&system, RH_S_, lateness_ns, 250000);
	return system;
}

uint64_t ring_put(
        struct ring_writer *writer, const struct rh_system *system, const struct rh_process *processes, uint32_t count, uint32_t total)
{
	struct ring_frame frame;

	if (ring_reserve(writer, count, sizeof(struct rh_process), &frame) != 0) {
		fprintf(stderr, "no room for %u records\n", count);
		exit(EXIT_FAILURE);
	}
	for (uint32_t i = 0; i < count; i++) {
		frame.scores[i] = processes[i].score;
		frame.pids[i] = processes[i].pid;
		memcpy(frame.records + (size_t)i * frame.stride, &processes[i], sizeof(processes[i]));
	}
	uint64_t sample = ring_publish(writer, system, count, total);
	ring_wake(writer);
	return sample;
}

void ring_remove(const char *instance)
{
	char name[80];
	if (rh_segment_name(instance, name) == RH_OK)
		shm_unlink(name);
}
