/*
 * ring_crowd.c - many readers: what eight scanning ones cost the writer at 5 Hz, and how many of ten million validated reads are torn.
 */
#include "bench/figures.h"
#include "tests/support/ring_fixture.h"
#include "tests/support/ring_payload.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { READERS = 8, RECORDS = 1000, SAMPLES = 8, ROUNDS = 5, PERIOD_MS = 200, READERS_FAST = 2, SMALL = 8 };
static const unsigned long reads_wanted = 10000000;

static struct shared {
	atomic_ulong scans, valid, torn;
	atomic_bool finished;
} * shared;

static void die(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static pid_t start(void (*run)(const char *), const char *instance)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(instance);
		_exit(0);
	}
	return pid;
}

static void end_all(const pid_t *pids, int count)
{
	atomic_store(&shared->finished, true);
	for (int i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
	atomic_store(&shared->finished, false);
}

/* Waits for each sample and looks at every record of it. */
static void scan(const char *instance)
{
	struct rh_ring *ring;
	struct rh_view view;
	uint64_t cursor;

	if (rh_open(instance, &ring, NULL) != RH_OK)
		die("rh_open");
	cursor = rh_newest(ring);
	while (!atomic_load(&shared->finished)) {
		double sum = 0;

		rh_wait(ring, cursor, 50 * NS_PER_MS);
		if (rh_next(ring, &cursor, NULL, &view) != RH_OK)
			continue;
		for (uint32_t i = 0; i < view.count; i++)
			sum += (double)rh_record(&view, i)->cpu_pct;
		if (rh_valid(&view) && sum >= 0)
			atomic_fetch_add(&shared->scans, 1);
	}
	rh_close(&ring);
}

struct cost {
	double publish_us, wake_us;
};

/* Median cost of a sample at 5 Hz: filling and publishing, and waking whoever waits. */
static struct cost write_for_a_while(struct ring_fixture *f)
{
	static uint64_t n;
	double publish[SAMPLES], wake[SAMPLES];

	for (int i = 0; i < SAMPLES; i++) {
		struct rh_system system = {.boottime_ns = clock_now_ns(CLOCK_BOOTTIME)};
		uint64_t begin = clock_now_ns(CLOCK_THREAD_CPUTIME_ID), between;

		fixture_fill(f->writer, ++n, RECORDS, sizeof(struct rh_process));
		ring_publish(f->writer, &system, RECORDS, RECORDS);
		between = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		ring_wake(f->writer);
		publish[i] = (double)(between - begin) / 1e3;
		wake[i] = (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - between) / 1e3;
		usleep(PERIOD_MS * 1000);
	}
	return (struct cost){figures_median(publish, SAMPLES), figures_median(wake, SAMPLES)};
}

static void signal_all(const pid_t *pids, int signal)
{
	for (int i = 0; i < READERS; i++)
		kill(pids[i], signal);
}

/*
 * Alone and in a crowd in turn, so that a machine whose speed drifts does not decide. The arena is small and each byte of it has been written
 * before: memory that a virtual machine gave back to its host costs more than any reader.
 */
static void bench_scanners(void)
{
	struct ring_fixture f;
	pid_t readers[READERS];
	struct cost alone[ROUNDS], crowd[ROUNDS];
	double slower[ROUNDS], alone_us[ROUNDS], crowd_us[ROUNDS], alone_wake_us[ROUNDS], crowd_wake_us[ROUNDS];

	if (fixture_start(&f, "crowd", 32, 8 << 20) != 0)
		die("setting up");
	for (uint64_t n = 1; n <= 100; n++)
		fixture_publish_to(f.writer, n, RECORDS, sizeof(struct rh_process));
	for (int i = 0; i < READERS; i++)
		readers[i] = start(scan, f.instance);
	for (int i = 0; i < ROUNDS; i++) {
		signal_all(readers, SIGSTOP);
		alone[i] = write_for_a_while(&f);
		signal_all(readers, SIGCONT);
		crowd[i] = write_for_a_while(&f);
		slower[i] = crowd[i].publish_us / alone[i].publish_us;
		alone_us[i] = alone[i].publish_us;
		crowd_us[i] = crowd[i].publish_us;
		alone_wake_us[i] = alone[i].wake_us;
		crowd_wake_us[i] = crowd[i].wake_us;
	}
	end_all(readers, READERS);
	if (atomic_load(&shared->scans) < ROUNDS * SAMPLES)
		die("scanning");
	figure_note("fill and publish 1,000 records at 5 Hz, alone", figures_median(alone_us, ROUNDS), "us");
	figure_note("the same with 8 readers that scan every record", figures_median(crowd_us, ROUNDS), "us");
	figure_at_most("8 scanning readers slow the writer", figures_median(slower, ROUNDS), 1.2, "x");
	figure_note("FUTEX_WAKE, 8 readers stopped", figures_median(alone_wake_us, ROUNDS), "us");
	figure_note("FUTEX_WAKE, 8 readers wait", figures_median(crowd_wake_us, ROUNDS), "us");
	fixture_end(&f);
}

/* Reads the newest sample as fast as it can, and checks every byte of it. */
static void hammer(const char *instance)
{
	struct rh_ring *ring;
	struct rh_info info;
	struct rh_view view;

	if (rh_open(instance, &ring, NULL) != RH_OK)
		die("rh_open");
	rh_info(ring, &info);
	while (!atomic_load(&shared->finished)) {
		unsigned long valid = 0, torn = 0;

		for (int i = 0; i < 1000; i++) {
			if (rh_latest(ring, &view) != RH_OK)
				continue;
			bool right = payload_wrong_rows(&view, info.writer_start_ns) == 0;
			if (!rh_valid(&view))
				continue;
			valid++;
			torn += !right;
		}
		atomic_fetch_add(&shared->valid, valid);
		atomic_fetch_add(&shared->torn, torn);
	}
	rh_close(&ring);
}

static void bench_torn(void)
{
	struct ring_fixture f;
	struct rh_info info;
	pid_t readers[READERS_FAST];
	uint64_t n = 0;

	/* So small a ring that every sample is soon overwritten, often while it is being read. */
	if (fixture_start(&f, "torn", 4, 16 << 10) != 0)
		die("setting up");
	rh_info(f.ring, &info);
	for (int i = 0; i < READERS_FAST; i++)
		readers[i] = start(hammer, f.instance);
	while (atomic_load_explicit(&shared->valid, memory_order_relaxed) < reads_wanted) {
		struct ring_frame frame;
		struct rh_system system = {.boottime_ns = ++n};
		uint32_t count = 1 + (uint32_t)(n % SMALL);

		if (ring_reserve(f.writer, count, sizeof(struct rh_process), &frame) != 0)
			die("ring_reserve");
		payload_fill(&frame, info.writer_start_ns, n, count);
		ring_publish(f.writer, &system, count, count);
	}
	end_all(readers, READERS_FAST);
	figure_note("samples published meanwhile", (double)n / 1e6, "1e6");
	figure_note("reads that rh_valid() called valid", (double)atomic_load(&shared->valid) / 1e6, "1e6");
	figure_at_most("of these torn", (double)atomic_load(&shared->torn), 0, "");
	fixture_end(&f);
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	bench_torn();
	bench_scanners();
	return 0;
}
