/*
 * zoo.c - real processes of every kind, and every field of theirs that rh-collector publishes against /proc for the same instant.
 *
 * /proc is read before and after a sample: what grows must lie between the two, and of a process that did not run between them everything must
 * agree exactly (compare.c has the table). Once with each back end.
 */
#include "base/clock.h"
#include "tests/support/live_collector.h"
#include "tests/support/procfs_live.h"
#include "tests/truth/animals.h"
#include "tests/truth/compare.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	SETTLE_SAMPLES = 12, /* until the /proc back end has read the details of those that ran before */
	BRACKETS_AT_WORK = 8,
	TRIES_AT_REST = 6,
	LIST_MOST = 4096,
	RATE_SAMPLES = 20,
	WRONG_MOST = 60, /* lines are enough */
};

struct zoo {
	struct live_collector live;
	struct cage cages[CAGES_MOST];
	unsigned count, backend;
};

/* One process that is looked at. */
struct subject {
	char name[80];
	struct peer before, after;
	struct rh_process record;
	bool all_living, is_ours, is_there, is_recorded, has_agreed;
};

static const char *sampler_name(unsigned backend)
{
	return backend == BY_BPF ? "bpf" : "procfs";
}

static int begin(void **state, unsigned backend)
{
	struct zoo *zoo = calloc(1, sizeof(*zoo));
	char config[256];
	if (PROCFS_LIVE_SKIPPED || !zoo)
		return PROCFS_LIVE_SKIPPED ? 0 : -1;
	*state = zoo;
	zoo->backend = backend;
	snprintf(config, sizeof(config),
	        "sampling.interval=0.05\nsampling.sampler=%s\nsampling.max_cpu=100\nsampling.refresh_parts=1\nsampling.thread_limit="
	        "1000\nring.history=3\nring.min_mib=256\n",
	        sampler_name(backend));
	zoo->count = zoo_open(zoo->cages);
	if (zoo->count == 0 || !live_collector_start(&zoo->live, "zoo", config))
		return -1;
	return 0;
}

static int begin_by_procfs(void **state)
{
	return begin(state, BY_PROCFS);
}

static int begin_by_bpf(void **state)
{
	return begin(state, BY_BPF);
}

static int end(void **state)
{
	struct zoo *zoo = *state;
	if (!zoo)
		return 0;
	live_collector_stop(&zoo->live);
	zoo_close(zoo->cages, zoo->count);
	free(zoo);
	return 0;
}

/* ---- looking ---- */

/* The animals and the other processes they speak of. Returns how many. */
static unsigned subjects_of(const struct zoo *zoo, struct subject *subjects)
{
	unsigned count = 0;
	for (unsigned i = 0; i < zoo->count; i++) {
		const struct cage *cage = &zoo->cages[i];
		subjects[count] = (struct subject){.before.pid = cage->pid, .all_living = !cage->threads_end, .is_ours = true};
		snprintf(subjects[count++].name, sizeof(subjects->name), "%s", cage->name);
		if (cage->tale->other <= 0)
			continue;
		subjects[count] = (struct subject){.before.pid = cage->tale->other, .all_living = true, .is_ours = true};
		snprintf(subjects[count++].name, sizeof(subjects->name), "%s, the child", cage->name);
	}
	return count;
}

/* Reads, waits for a sample, reads again. Returns the time between the readings. */
static uint64_t bracket(struct zoo *zoo, struct subject *subjects, unsigned count)
{
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < count; i++)
		subjects[i].is_there = peer_read(subjects[i].before.pid, &subjects[i].before);
	assert_true(live_collector_await(&zoo->live, clock_now_ns(CLOCK_MONOTONIC)));
	for (unsigned i = 0; i < count; i++)
		subjects[i].is_recorded = live_collector_find(&zoo->live, subjects[i].before.pid, false, &subjects[i].record);
	for (unsigned i = 0; i < count; i++)
		subjects[i].is_there = peer_read(subjects[i].before.pid, &subjects[i].after) && subjects[i].is_there &&
		                       subjects[i].before.value[PEER_START] == subjects[i].after.value[PEER_START];
	return clock_now_ns(CLOCK_MONOTONIC) - begin_ns;
}

/* Returns how many values disagree. */
static unsigned judge(const struct zoo *zoo, const struct subject *subject, uint64_t span_ns, bool is_settled)
{
	const struct comparison comparison = {
	        .before = &subject->before,
	        .after = &subject->after,
	        .record = &subject->record,
	        .name = subject->name,
	        .backend = zoo->backend,
	        .all_living = subject->all_living,
	        .is_ours = subject->is_ours,
	        .is_settled = is_settled,
	        .span_ns = span_ns,
	};
	if (!subject->is_there)
		return 0;
	if (subject->is_recorded)
		return compare_process(&comparison);
	printf("%s (pid %d), %s: not in the sample\n", subject->name, (int)subject->before.pid, sampler_name(zoo->backend));
	return 1;
}

static void settle(struct zoo *zoo)
{
	for (unsigned i = 0; i < SETTLE_SAMPLES; i++)
		assert_true(live_collector_await(&zoo->live, clock_now_ns(CLOCK_MONOTONIC)));
}

/* Every one of them must once have been seen at rest, so that all its values were compared exactly. */
static unsigned judge_at_rest(struct zoo *zoo, struct subject *subjects, unsigned count)
{
	unsigned wrong = 0, missing = count;
	settle(zoo);
	for (unsigned try = 0; try < TRIES_AT_REST && missing > 0; try++) {
		uint64_t span_ns = bracket(zoo, subjects, count);
		missing = 0;
		for (unsigned i = 0; i < count && wrong < WRONG_MOST; i++) {
			wrong += judge(zoo, &subjects[i], span_ns, true);
			subjects[i].has_agreed |= subjects[i].is_there && peer_rested(&subjects[i].before, &subjects[i].after);
			missing += !subjects[i].has_agreed;
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (!subjects[i].has_agreed)
			printf("%s (pid %d) never rested\n", subjects[i].name, (int)subjects[i].before.pid);
	return wrong + missing;
}

/* ---- the tests ---- */

static bool is_left_out(const struct zoo *zoo)
{
	if (!zoo) {
		print_message("ThreadSanitizer's own threads are not in the animals' tales\n");
		return true;
	}
	uint8_t sampler = zoo->live.view.system.sampler;
	if (rh_has(zoo->live.view.system.present, RH_S_sampler))
		return zoo->backend == BY_BPF ? sampler != RH_SAMPLER_bpf && sampler != RH_SAMPLER_bpf_iterator
		                              : sampler != RH_SAMPLER_procfs;
	return true;
}

/* Skips the test where the machine cannot do it; returns the zoo otherwise. */
static struct zoo *zoo_of(void **state)
{
	struct zoo *zoo = *state;
	if (zoo)
		assert_true(live_collector_await(&zoo->live, 0));
	if (is_left_out(zoo)) {
		print_message("no kernel-direct sampling here (reason %u)\n", zoo ? zoo->live.view.system.sampler_reason : 0);
		skip();
	}
	return zoo;
}

static void animals_agree_at_rest_and_at_work(void **state)
{
	static struct subject subjects[2 * CAGES_MOST];
	struct zoo *zoo = zoo_of(state);
	unsigned count = subjects_of(zoo, subjects);
	unsigned wrong = judge_at_rest(zoo, subjects, count);
	assert_int_equal(wrong, 0);
	zoo_work(zoo->cages, zoo->count);
	for (unsigned i = 0; i < BRACKETS_AT_WORK; i++) {
		uint64_t span_ns = bracket(zoo, subjects, count);
		for (unsigned k = 0; k < count && wrong < WRONG_MOST; k++)
			wrong += judge(zoo, &subjects[k], span_ns, false);
	}
	assert_true(zoo_await_rest(zoo->cages, zoo->count));
	assert_int_equal(wrong, 0);
	count = subjects_of(zoo, subjects);
	assert_int_equal(judge_at_rest(zoo, subjects, count), 0);
}

/* All others of the machine, kernel threads and pid 1 among them. */
static void whole_machine_agrees(void **state)
{
	static struct subject subjects[LIST_MOST];
	static pid_t pids[LIST_MOST];
	struct zoo *zoo = zoo_of(state);
	unsigned count = peer_list(pids, LIST_MOST), wrong = 0, kernel_threads = 0;
	settle(zoo);
	for (unsigned i = 0; i < count; i++) {
		subjects[i] = (struct subject){.before.pid = pids[i]};
		snprintf(subjects[i].name, sizeof(subjects[i].name), "one of all");
	}
	uint64_t span_ns = bracket(zoo, subjects, count);
	for (unsigned i = 0; i < count && wrong < WRONG_MOST; i++) {
		wrong += judge(zoo, &subjects[i], span_ns, false);
		kernel_threads += (subjects[i].record.flags & RH_PROCESS_kernel_thread) != 0;
	}
	print_message("%u processes, %u of them kernel threads\n", count, kernel_threads);
	assert_int_equal(wrong, 0);
}

static unsigned zombies_published(const struct zoo *zoo, pid_t pid)
{
	struct rh_process record;
	assert_true(live_collector_find(&zoo->live, pid, false, &record));
	assert_true(rh_has(record.present, RH_F_zombie_children_count));
	return record.zombie_children_count;
}

static void zombies_are_counted_at_their_parents(void **state)
{
	struct zoo *zoo = zoo_of(state);
	settle(zoo);
	for (unsigned i = 0; i < zoo->count; i++)
		assert_int_equal(zombies_published(zoo, zoo->cages[i].pid), zoo->cages[i].tale->zombies);
}

/* Waits that the kernel does not sum up: the longest of one in the interval. */
static void uninterruptible_wait_is_measured(void **state)
{
	struct zoo *zoo = zoo_of(state);
	struct rh_process record;
	pid_t pid = 0;
	float longest = 0;
	bool is_known = false, was_stuck = false;
	for (unsigned i = 0; i < zoo->count; i++)
		if (strcmp(zoo->cages[i].name, "uninterruptible") == 0)
			pid = zoo->cages[i].pid;
	zoo_work(zoo->cages, zoo->count);
	for (unsigned i = 0; i < BRACKETS_AT_WORK; i++) {
		assert_true(live_collector_await(&zoo->live, clock_now_ns(CLOCK_MONOTONIC)));
		assert_true(live_collector_find(&zoo->live, pid, false, &record));
		was_stuck |= record.state == RH_STATE_stuck;
		is_known |= rh_has(record.present, RH_F_stuck_wait_max_ns);
		if (rh_has(record.present, RH_F_stuck_wait_max_ns) && record.stuck_wait_max_ns > longest)
			longest = record.stuck_wait_max_ns;
	}
	assert_true(zoo_await_rest(zoo->cages, zoo->count));
	assert_true(was_stuck);
	assert_int_equal(is_known, zoo->backend == BY_BPF);
	/* It waits for a child that sleeps 200 ms, and longer where others have the cpus. */
	if (is_known)
		assert_true(longest >= 150 * (float)NS_PER_MS);
}

/* Row of a process in a sample, or the count of rows. Its first living record: a process that ends has its last one by the same number. */
static uint32_t row_of_pid(const struct rh_view *view, uint32_t pid)
{
	uint32_t row = 0;
	while (row < view->count && view->pids[row] != pid)
		row++;
	return row;
}

static unsigned compare_samples(const struct rh_view *before, const struct rh_view *now)
{
	struct rh_process earlier, later;
	unsigned wrong = 0;
	for (uint32_t i = 0; i < now->count && wrong < WRONG_MOST; i++)
		if (rh_copy(before, row_of_pid(before, now->pids[i]), &earlier) && rh_copy(now, i, &later) &&
		        !(earlier.flags & RH_PROCESS_exited))
			wrong += compare_rates(&earlier, &later, now->system.elapsed_ns);
	return rh_valid(before) && rh_valid(now) ? wrong : 0;
}

static void rates_are_the_growth_of_their_counters(void **state)
{
	static struct rh_view before, now;
	struct zoo *zoo = zoo_of(state);
	unsigned wrong = 0, compared = 0;
	zoo_work(zoo->cages, zoo->count);
	uint64_t cursor = rh_newest(zoo->live.ring);
	assert_int_equal(rh_at(zoo->live.ring, cursor, &before), RH_OK);
	while (compared < RATE_SAMPLES) {
		if (rh_next(zoo->live.ring, &cursor, NULL, &now) != RH_OK) {
			assert_true(rh_wait(zoo->live.ring, cursor, NS_PER_S) != RH_CLOSED);
			continue;
		}
		if (now.sample == before.sample + 1 && !now.system.discontinuous)
			wrong += compare_samples(&before, &now);
		before = now;
		compared++;
	}
	assert_true(zoo_await_rest(zoo->cages, zoo->count));
	assert_int_equal(wrong, 0);
}

static bool delays_are_counted(void)
{
	char on = '1';
	FILE *file = fopen("/proc/sys/kernel/task_delayacct", "r");
	if (file && fread(&on, 1, 1, file) != 1)
		on = '1';
	if (file)
		fclose(file);
	return on != '0';
}

/* What the kernel does not tell is absent, not zero. */
static void what_is_not_known_is_absent(void **state)
{
	static const unsigned not_by_procfs[] = {RH_F_cgroup_id, RH_F_oom_adj, RH_F_run_wait_max_ns, RH_F_stuck_wait_max_ns,
	        RH_F_io_blame_ms_per_s, RH_F_io_time_ms_per_s, RH_F_brief_count, RH_F_reclaim_delay_ms_per_s};
	struct zoo *zoo = zoo_of(state);
	struct rh_process record;
	settle(zoo);
	assert_true(live_collector_find(&zoo->live, zoo->cages[0].pid, false, &record));
	if (!delays_are_counted()) {
		/* Waiting for block io is measured by the kernel-direct back end itself; only the kernel could tell of swap. */
		assert_false(rh_has(record.present, RH_F_swapin_delay_ms_per_s));
		assert_false(zoo->backend == BY_PROCFS && rh_has(record.present, RH_F_blkio_delay_ms_per_s));
	}
	for (size_t i = 0; zoo->backend == BY_PROCFS && i < sizeof(not_by_procfs) / sizeof(not_by_procfs[0]); i++)
		assert_false(rh_has(record.present, not_by_procfs[i]));
	for (size_t i = 0; zoo->backend == BY_BPF && i < 4; i++)
		assert_true(rh_has(record.present, not_by_procfs[i]));
	assert_false(record.flags & RH_PROCESS_exited);
}

/* ---- the end ---- */

enum { SEEN_MS = 250, END_SAMPLES = 40 };

static void *last_thread(void *unused)
{
	(void)unused;
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + 30 * (uint64_t)NS_PER_MS;
	while (clock_now_ns(CLOCK_MONOTONIC) < until_ns)
		;
	return NULL;
}

/* Seen asleep, then a thread ends, then all of it. */
static _Noreturn void live_and_end(void)
{
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	poll(NULL, 0, SEEN_MS);
	if (pthread_create(&thread, NULL, last_thread, NULL) == 0)
		pthread_join(thread, NULL);
	volatile char *memory = malloc(64 * 4096);
	for (size_t i = 0; memory && i < 64 * 4096; i += 4096)
		memory[i] = 1;
	_exit(0);
}

static uint64_t rusage_cpu_ns(const struct rusage *usage)
{
	return ((uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * NS_PER_S) +
	       ((uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * NS_PER_US);
}

/* The record with which a process takes its leave. */
static bool find_last(struct zoo *zoo, pid_t pid, uint64_t from, struct rh_process *ret_record)
{
	for (unsigned i = 0; i < END_SAMPLES; i++) {
		while (rh_newest(zoo->live.ring) < from + i)
			if (!live_collector_await(&zoo->live, clock_now_ns(CLOCK_MONOTONIC)))
				return false;
		if (rh_at(zoo->live.ring, from + i, &zoo->live.view) == RH_OK && live_collector_find(&zoo->live, pid, true, ret_record))
			return true;
	}
	return false;
}

static void last_record_is_what_wait_tells(void **state)
{
	struct zoo *zoo = zoo_of(state);
	struct rh_process record;
	struct rusage usage;
	uint64_t from = rh_newest(zoo->live.ring) + 1;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		live_and_end();
	assert_int_equal(wait4(child, NULL, 0, &usage), child);
	assert_true(find_last(zoo, child, from, &record));
	uint64_t used_ns = rusage_cpu_ns(&usage);
	uint64_t faults = (uint64_t)(usage.ru_minflt + usage.ru_majflt);
	print_message("cpu %" PRIu64 " us of %" PRIu64 ", faults %" PRIu64 " of %" PRIu64 "\n", record.cpu_time_ns / NS_PER_US,
	        used_ns / NS_PER_US, record.faults_count, faults);
	/* Never more; wait cuts user and system time to a microsecond each. */
	assert_true(record.cpu_time_ns <= used_ns + 2 * NS_PER_US);
	assert_true(record.faults_count <= faults);
	if (zoo->backend == BY_PROCFS)
		return; /* of the time before the last sample it was in */
	/* Its last words are told before its memory is taken down. */
	assert_true(record.cpu_time_ns + 3 * (uint64_t)NS_PER_MS >= used_ns);
	assert_int_equal(record.faults_count, faults);
	assert_true(record.voluntary_csw_count + record.involuntary_csw_count + 4 >= (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw));
	assert_true(record.voluntary_csw_count + record.involuntary_csw_count <= (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw));
	assert_true(rh_has(record.present, RH_F_lifetime_ns));
	assert_true(record.lifetime_ns >= (float)SEEN_MS * (float)NS_PER_MS);
}

#define ZOO_TESTS(test) \
	{#test " by procfs", test, begin_by_procfs, end, NULL}, \
	{ \
#test " by bpf", test, begin_by_bpf, end, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        ZOO_TESTS(animals_agree_at_rest_and_at_work),
	        ZOO_TESTS(whole_machine_agrees),
	        ZOO_TESTS(zombies_are_counted_at_their_parents),
	        ZOO_TESTS(uninterruptible_wait_is_measured),
	        ZOO_TESTS(rates_are_the_growth_of_their_counters),
	        ZOO_TESTS(what_is_not_known_is_absent),
	        ZOO_TESTS(last_record_is_what_wait_tells),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
