/*
 * ring.c - what publishing and reading cost by themselves: ratios against memcpy() in the same run, and times of single calls.
 */
#include "bench/figures.h"
#include "tests/support/ring_fixture.h"

enum { ROUNDS = 41, RECORDS = 1000, COLD_BYTES = 256 << 20, CALLS = 20000 };

static uint64_t now_ns(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

static void die(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

/* What a collector has ready when it publishes. */
struct source {
	float scores[RECORDS];
	uint32_t pids[RECORDS];
	struct rh_process records[RECORDS];
};

static double publish_ns(struct ring_fixture *f, const struct source *source)
{
	struct rh_system system = {.boottime_ns = clock_now_ns(CLOCK_BOOTTIME)};
	struct ring_frame frame;
	uint64_t begin = now_ns();

	if (ring_reserve(f->writer, RECORDS, sizeof(struct rh_process), &frame) != 0)
		die("ring_reserve");
	memcpy(frame.scores, source->scores, sizeof(source->scores));
	memcpy(frame.pids, source->pids, sizeof(source->pids));
	memcpy(frame.records, source->records, sizeof(source->records));
	ring_publish(f->writer, &system, RECORDS, RECORDS);
	return (double)(now_ns() - begin);
}

/*
 * Publishing 1,000 records against memcpy() of as many bytes, in turns. Both write to shared memory that was last touched a whole
 * arena ago, the arena being as large as the plain memory.
 */
static void bench_publish(void)
{
	struct ring_fixture f;
	struct source *source = calloc(1, sizeof(*source));
	int fd = memfd_create("plain", MFD_CLOEXEC);
	double publish[ROUNDS], plain[ROUNDS];
	size_t room = (sizeof(*source) + 4095) / 4096 * 4096;

	if (!source || fd < 0 || ftruncate(fd, COLD_BYTES) != 0 || fixture_start(&f, "bench", 2048, COLD_BYTES) != 0)
		die("setting up");
	unsigned char *memory = mmap(NULL, COLD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	size_t turns = COLD_BYTES / room;
	for (size_t i = 0; i < 2 * turns; i++) { /* a warm-up round of both, then measured pairs spread over the next */
		double publish_time = publish_ns(&f, source);
		uint64_t begin = now_ns();

		memcpy(memory + i % turns * room, source, sizeof(*source));
		double plain_time = (double)(now_ns() - begin);
		if (i >= turns && (i - turns) % (turns / ROUNDS) == 0 && (i - turns) / (turns / ROUNDS) < ROUNDS) {
			publish[(i - turns) / (turns / ROUNDS)] = publish_time;
			plain[(i - turns) / (turns / ROUNDS)] = plain_time;
		}
	}
	double median_publish = figures_median(publish, ROUNDS), median_plain = figures_median(plain, ROUNDS);
	figure_note("memcpy of 1,000 records to cold memory", median_plain / 1e3, "us");
	figure_note("publish of 1,000 records", median_publish / 1e3, "us");
	figure_at_most("publish of 1,000 records / memcpy of the same bytes", median_publish / median_plain, 1.2, "x");
	munmap(memory, COLD_BYTES);
	close(fd);
	free(source);
	fixture_end(&f);
}

/* Median over rounds of the time of one call. */
static double call_ns(void (*call)(struct ring_fixture *), struct ring_fixture *f)
{
	double rounds[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin = now_ns();

		for (int i = 0; i < CALLS; i++)
			call(f);
		rounds[round] = (double)(now_ns() - begin) / CALLS;
	}
	return figures_median(rounds, ROUNDS);
}

static void publish_nothing(struct ring_fixture *f)
{
	static struct rh_system system;
	struct ring_frame frame;

	if (ring_reserve(f->writer, 0, sizeof(struct rh_process), &frame) != 0)
		die("ring_reserve");
	ring_publish(f->writer, &system, 0, 0);
}

static void read_newest(struct ring_fixture *f)
{
	struct rh_view view;

	if (rh_latest(f->ring, &view) != RH_OK || !rh_valid(&view))
		die("rh_latest");
}

/* The first records of a sample are those of the highest scores, so the top 20 are found without looking at the rest. */
static void read_top_20(struct ring_fixture *f)
{
	struct rh_process top[20];
	struct rh_view view;
	volatile float sink = 0;

	if (rh_latest(f->ring, &view) != RH_OK)
		die("rh_latest");
	for (uint32_t i = 0; i < 20; i++)
		if (!rh_copy(&view, i, &top[i]))
			die("rh_copy");
	if (!rh_valid(&view))
		die("rh_valid");
	sink = sink + top[19].score;
}

static void bench_calls(void)
{
	struct ring_fixture f;

	if (fixture_start(&f, "bench", 64, 64 << 20) != 0)
		die("setting up");
	figure_at_most("publish without payload", call_ns(publish_nothing, &f), 50, "ns");
	if (fixture_publish(&f, 1, 10000) == 0)
		die("publish");
	figure_at_most("newest header read and validated, warm", call_ns(read_newest, &f), 50, "ns");
	figure_at_most("top 20 of 10,000 records copied and validated", call_ns(read_top_20, &f) / 1e3, 2, "us");
	fixture_end(&f);
}

int main(void)
{
	bench_publish();
	bench_calls();
	return 0;
}
