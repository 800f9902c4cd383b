/*
 * ring.c - one writer, killed and stopped at random moments, against four kinds of readers, each a process of its own.
 *
 * Invariants, counted over all reads:
 *   - a read that rh_valid() calls valid is, in every byte, the sample asked for (ring_payload.h);
 *   - got + lost == cursor for a reader that follows with rh_next(), numbers only rise;
 *   - a stopped or dead writer harms nobody: the newest sample stays readable;
 *   - readers notice a dead writer and a replaced segment, and go on with the new one.
 * The arena is too small for all slots and frames differ in size, so samples are overwritten because of their slot as well as because
 * of their bytes. The test fails unless each of the situations came up. RACE_SECONDS sets how long it runs, 8 if unset.
 *
 * With RING_TEST_NO_RECLAIM (ring_no_reclaim.c) the writer does not mark what it overwrites, and the same test must find torn samples.
 */
#include "base/clock.h"
#include "tests/support/ring_payload.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 48, ARENA_BYTES = 384 * 1024, RECORDS_MOST = 240, READERS = 4, DEFAULT_SECONDS = 8, READS_LEAST = 200 };

#ifdef RING_TEST_NO_RECLAIM
static const bool is_control = true;
#else
static const bool is_control = false;
#endif

enum kind { LATEST, OLDEST, RANDOM, NEXT };
static const char *const kind_name[READERS] = {"latest", "oldest", "random", "next"};

/* What a reader saw; each has one of its own in memory shared with the parent. */
struct tally {
	_Alignas(64) atomic_ulong valid, torn, lapped, corrupt, unaccounted, backwards, unreadable, dead, replaced, attached;
};

struct shared {
	atomic_bool finished;
	_Alignas(64) struct tally tally[READERS];
};

static struct shared *shared;
static char instance[64];

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

static void count(atomic_ulong *what)
{
	atomic_fetch_add_explicit(what, 1, memory_order_relaxed);
}

static void sleep_ns(uint64_t ns)
{
	struct timespec time = clock_timespec(ns);

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* ---- the writer: publishes without pause until it is killed ---- */

static _Noreturn void writer_run(uint64_t key)
{
	static const uint32_t strides[] = {RH_PROCESS_HOT_BYTES, 200, sizeof(struct rh_process), 384};
	uint64_t random = key;
	struct ring_writer *writer;
	struct ring_options options = {.instance = instance,
	        .slots = SLOTS,
	        .arena_bytes = ARENA_BYTES,
	        .min_arena_bytes = ARENA_BYTES,
	        .period_ns = 5 * NS_PER_MS,
	        .group = UINT32_MAX,
	        .writer_start_ns = key};
	char error[256];

	if (ring_create(&options, &writer, error) != 0) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	for (uint64_t n = 1;; n++) {
		uint32_t records = next_random(&random) % (next_random(&random) % 4 ? 40 : RECORDS_MOST);
		struct ring_frame frame;
		struct rh_system system;

		if (ring_reserve(writer, records, strides[next_random(&random) % 4], &frame) != 0)
			_exit(2);
		payload_fill(&frame, key, n, records);
		payload_system(&system, key, n, clock_now_ns(CLOCK_BOOTTIME));
		ring_publish(writer, &system, records, records);
		ring_wake(writer);
	}
}

/* ---- readers ---- */

struct reader {
	enum kind kind;
	struct tally *tally;
	struct rh_ring *ring;
	uint64_t key; /* of the writer of this segment */
	uint64_t cursor, lost, got, highest;
	uint64_t random;
};

static bool attach(struct reader *reader)
{
	struct rh_info info;

	if (rh_open(instance, &reader->ring, NULL) != RH_OK)
		return false;
	rh_info(reader->ring, &info);
	reader->key = info.writer_start_ns;
	reader->cursor = reader->lost = reader->got = reader->highest = 0;
	count(&reader->tally->attached);
	return true;
}

/* One sample, chosen as this kind of reader does. */
static enum rh_status take(struct reader *reader, struct rh_view *view)
{
	uint64_t oldest = rh_oldest(reader->ring), newest = rh_newest(reader->ring);

	switch (reader->kind) {
	case LATEST:
		return rh_latest(reader->ring, view);
	case OLDEST:
		return rh_at(reader->ring, oldest, view);
	case RANDOM:
		return rh_at(reader->ring, oldest + next_random(&reader->random) % (newest - oldest + 2), view);
	case NEXT:
		rh_wait(reader->ring, reader->cursor, 20 * NS_PER_MS);
		return rh_next(reader->ring, &reader->cursor, &reader->lost, view);
	}
	return RH_INVALID;
}

static void check_order(struct reader *reader, const struct rh_view *view)
{
	if (reader->kind == NEXT)
		reader->got++;
	if ((reader->kind == NEXT || reader->kind == LATEST) && view->sample < reader->highest + (reader->kind == NEXT))
		count(&reader->tally->backwards);
	reader->highest = view->sample;
}

static void check(struct reader *reader, const struct rh_view *view)
{
	bool right = payload_wrong_rows(view, reader->key) == 0;

	check_order(reader, view);
	if (!payload_system_is(view, reader->key))
		count(&reader->tally->torn); /* a validated copy: right whatever happened since */
	if (!rh_valid(view))
		count(&reader->tally->lapped);
	else if (right)
		count(&reader->tally->valid);
	else
		count(&reader->tally->torn);
}

/* A crashed segment must still give its newest sample, if it ever had one. */
static void check_after_death(struct reader *reader)
{
	struct rh_view view;

	if (rh_newest(reader->ring) == 0)
		return;
	if (rh_latest(reader->ring, &view) != RH_OK || payload_wrong_rows(&view, reader->key) || !rh_valid(&view))
		count(&reader->tally->unreadable);
}

static void look_after_writer(struct reader *reader)
{
	enum rh_status status = rh_writer_status(reader->ring);

	if (status == RH_DEAD || status == RH_REPLACED) {
		count(status == RH_DEAD ? &reader->tally->dead : &reader->tally->replaced);
		check_after_death(reader);
	}
	if (status == RH_REPLACED)
		rh_close(&reader->ring);
}

static void read_one(struct reader *reader)
{
	struct rh_view view;
	enum rh_status result = take(reader, &view);

	if (result == RH_OK)
		check(reader, &view);
	else if (result == RH_LAPPED || result == RH_BUSY)
		count(&reader->tally->lapped);
	else if (result == RH_CORRUPT)
		count(&reader->tally->corrupt);
	if (reader->got + reader->lost != reader->cursor)
		count(&reader->tally->unaccounted);
}

static _Noreturn void reader_run(enum kind kind)
{
	struct reader reader = {.kind = kind, .tally = &shared->tally[kind], .random = 77 + (uint64_t)kind};

	for (uint64_t turn = 0; !atomic_load(&shared->finished); turn++) {
		if (!reader.ring && !attach(&reader)) {
			sleep_ns(NS_PER_MS);
			continue;
		}
		read_one(&reader);
		if (turn % 32 == 0)
			look_after_writer(&reader);
	}
	rh_close(&reader.ring);
	_exit(0);
}

/* ---- the parent: starts, stops, kills ---- */

static pid_t start(void (*run)(uint64_t), uint64_t argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(argument);
	}
	if (pid < 0)
		exit(1);
	return pid;
}

static void run_reader(uint64_t kind)
{
	reader_run((enum kind)kind);
}

static void run_writer(uint64_t key)
{
	writer_run(key);
}

static unsigned long sum_valid(void)
{
	unsigned long sum = 0;

	for (int i = 0; i < READERS; i++)
		sum += atomic_load(&shared->tally[i].valid);
	return sum;
}

/* Stops the writer wherever it is, gives readers time, and says how many valid reads there were meanwhile. */
static unsigned long stop_for_a_while(pid_t writer, uint64_t *random)
{
	kill(writer, SIGSTOP);
	unsigned long before = sum_valid();
	sleep_ns((5 + next_random(random) % 20) * NS_PER_MS);
	unsigned long meanwhile = sum_valid() - before;
	kill(writer, SIGCONT);
	return meanwhile;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* A writer that was killed while it made its segment leaves the private name; in life its pid comes by again, or the machine restarts. */
static void reap_writer(pid_t pid)
{
	char name[128];

	reap(pid);
	snprintf(name, sizeof(name), "/rogue-hunter.%s.%d.new", instance, (int)pid);
	shm_unlink(name);
}

struct torments {
	unsigned kills, stops;
	unsigned long reads_while_stopped;
};

static bool torn_already(void)
{
	for (int i = 0; i < READERS; i++)
		if (atomic_load(&shared->tally[i].torn) > 0)
			return true;
	return false;
}

static struct torments torment(uint64_t deadline)
{
	struct torments sum = {0};
	uint64_t random = 4711, key = 1;
	pid_t writer = start(run_writer, payload_mix(0, key, 0));

	while (clock_now_ns(CLOCK_MONOTONIC) < deadline) {
		sleep_ns((3 + next_random(&random) % 40) * NS_PER_MS + next_random(&random) % NS_PER_MS);
		if (is_control && torn_already())
			break;
		if (is_control)
			continue;
		if (next_random(&random) % 3) {
			sum.reads_while_stopped += stop_for_a_while(writer, &random);
			sum.stops++;
			continue;
		}
		kill(writer, SIGKILL);
		reap_writer(writer);
		sum.kills++;
		sleep_ns(next_random(&random) % 20 * NS_PER_MS); /* time in which the segment has no living writer */
		writer = start(run_writer, payload_mix(0, ++key, 0));
	}
	kill(writer, SIGKILL);
	reap_writer(writer);
	return sum;
}

static int fail(const char *what)
{
	printf("FAIL: %s\n", what);
	return 1;
}

static int judge(const struct torments *torments)
{
	int failures = 0;
	unsigned long dead = 0;

	for (int i = 0; i < READERS; i++) {
		struct tally *t = &shared->tally[i];

		printf("%-6s valid %lu, torn %lu, lapped %lu, corrupt %lu, unaccounted %lu, backwards %lu, unreadable %lu, dead %lu, "
		       "replaced %lu, attached %lu\n",
		        kind_name[i], t->valid, t->torn, t->lapped, t->corrupt, t->unaccounted, t->backwards, t->unreadable, t->dead,
		        t->replaced, t->attached);
		failures += t->valid < READS_LEAST ? fail("too few valid reads for a verdict") : 0;
		failures += t->torn ? fail("a torn sample passed as valid") : 0;
		failures += t->corrupt ? fail("a sound segment was called corrupt") : 0;
		failures += t->unaccounted || t->backwards ? fail("samples were not accounted for") : 0;
		failures += t->unreadable ? fail("a segment without a writer could not be read") : 0;
		failures += !t->replaced || t->attached < 2 ? fail("a new writer went unnoticed") : 0;
		dead += t->dead;
	}
	/* Not each reader must have looked in the moments without a writer. */
	failures += !dead ? fail("the writer's death went unnoticed") : 0;
	failures += !shared->tally[OLDEST].lapped || !shared->tally[RANDOM].lapped ? fail("no reader was ever lapped") : 0;
	failures += !torments->reads_while_stopped ? fail("a stopped writer stopped the readers") : 0;
	printf("writer killed %u times, stopped %u times; %lu valid reads while it was stopped\n", torments->kills, torments->stops,
	        torments->reads_while_stopped);
	return failures ? 1 : 0;
}

/* The negative control: without reclaim the test must see what it is there to see. */
static int judge_control(void)
{
	unsigned long reads = sum_valid();

	if (!torn_already())
		return fail("without reclaim no torn sample was found: the race test is blind");
	printf("without reclaim torn samples are found, after %lu sound reads\n", reads);
	return 0;
}

static void remove_segment(void)
{
	char name[80];

	if (rh_segment_name(instance, name) == RH_OK)
		shm_unlink(name);
}

int main(void)
{
	const char *seconds = getenv("RACE_SECONDS");
	uint64_t duration_ns = (seconds ? strtoull(seconds, NULL, 10) : DEFAULT_SECONDS) * NS_PER_S;
	pid_t readers[READERS];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(instance, sizeof(instance), "race-%d", (int)getpid());
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	for (int i = 0; i < READERS; i++)
		readers[i] = start(run_reader, (uint64_t)i);
	struct torments torments = torment(clock_now_ns(CLOCK_MONOTONIC) + duration_ns);
	atomic_store(&shared->finished, true);
	for (int i = 0; i < READERS; i++)
		reap(readers[i]);
	remove_segment();
	return is_control ? judge_control() : judge(&torments);
}
