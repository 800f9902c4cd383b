/*
 * collector_tick.c - what a sample costs the collector, per process.
 *
 *   collector_tick synthetic   scoring and publishing of raw records of 1,000 and 31,000 processes that exist only here, caches swept before each
 *   collector_tick live        the whole rh-collector with 1,000 and 10,000 more processes, 5 % of them active, as it publishes its own cpu time and
 *                              that of its hooks; with caches as they are, and with 96 MiB swept on each cpu before each tick; and its
 *                              resident memory with 300 processes
 *   collector_tick crowd       the same with 31,000 processes, if the machine has room for so many: part of a core, interval, state
 * A second argument, auto or procfs, is the back end; without one both are taken. Without any argument all. Medians of several samples. The processes
 * end with this one, however it ends.
 */
#include "base/clock.h"
#include "bench/figures.h"
#include "collector/sample.h"
#include "rogue/reader.h"
#include "rogue/tables.h"
#include "tests/support/source_fake.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ACTIVE_EACH = 20,
	ROUNDS = 41,
	SWEEP_BYTES = 64 << 20,
	LIVE_SWEEP_BYTES = 96 << 20,
	SWEEPERS_MOST = 64,
	LIVE_FEW = 1000,
	LIVE_MOST = 10000,
	CROWD = 31000,
	CROWD_KIB_EACH = 128,  /* kernel memory of a process, and some of its own */
	CROWD_SPARE_PIDS = 64, /* left to the others */
	CROWD_SECONDS = 20,
	LIVE_SAMPLES = 25,
	LIVE_WARM_UP = 20, /* samples until every process went through the slow round */
	INTERVAL_MS = 200,
	ACTIVE_PAUSE_MS = 100,
};
static const uint64_t interval_ns = INTERVAL_MS * (uint64_t)NS_PER_MS;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "collector_tick: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- processes that exist only here ---- */

static void sweep(size_t bytes)
{
	static volatile char *memory;
	if (!memory && !(memory = calloc(bytes, 1)))
		fail("calloc");
	for (size_t i = 0; i < bytes; i += 64)
		memory[i]++;
}

static void sweep_caches(void)
{
	sweep(SWEEP_BYTES);
}

static double since_us(uint64_t begin_ns)
{
	return (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / NS_PER_US;
}

/* Cpu time of each stage, by round, in us. */
struct stages {
	double copy[ROUNDS], take[ROUNDS], score[ROUNDS], publish[ROUNDS];
};

static void work(struct source_fake *fake, uint32_t round)
{
	for (uint32_t i = round % ACTIVE_EACH; i < fake->count; i += ACTIVE_EACH) {
		fake->processes[i].cpu_time_ns += interval_ns / 10;
		fake->processes[i].runnable_time_ns += interval_ns / 50;
		fake->processes[i].wakeups += 20;
	}
	source_fake_pass(fake, interval_ns, 0.9);
}

static void measure(struct source_fake *fake, struct sample *sample, struct publish *publish, struct stages *stages)
{
	struct moment now = {.monotonic_ns = NS_PER_S, .boottime_ns = NS_PER_S};
	struct score_machine machine = {.contention = {0, 1, 0, 0.5F, 0.5F, 0.5F}, .mem_total_bytes = 16e9};
	static struct raw_process copied[SOURCE_FAKE_MOST];
	struct raw_system system;
	struct source_tick tick;
	if (sample_take(sample, &now, interval_ns) != 0)
		fail("sample");
	for (uint32_t round = 0; round < ROUNDS; round++) {
		now.monotonic_ns += interval_ns;
		now.boottime_ns += interval_ns;
		work(fake, round);
		sweep_caches();
		uint64_t begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		fake->source.operations->tick(&fake->source, 0, copied, &system, &tick);
		stages->copy[round] = since_us(begin_ns);
		sweep_caches();
		begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		if (sample_take(sample, &now, interval_ns) != 0)
			fail("sample");
		stages->take[round] = since_us(begin_ns);
		struct publish_batch batch = sample_batch(sample);
		begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		if (publish_sample(publish, &sample->system, &batch, interval_ns) != 0)
			fail(publish->error);
		stages->publish[round] = since_us(begin_ns);
		begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		score_run(sample->config, &machine, &sample->columns, sample->count);
		stages->score[round] = since_us(begin_ns);
	}
}

static void bench_synthetic(uint32_t processes)
{
	struct source_fake *fake = source_fake_new();
	struct pool pool = {0};
	static struct config config;
	static struct sample sample;
	static struct publish publish;
	static struct stages stages;
	char instance[40];
	config_defaults(&config);
	for (uint32_t pid = 1; pid <= processes; pid++)
		source_fake_add(fake, pid, NS_PER_S)->anon_bytes = pid * UINT64_C(4096);
	sample_open(&sample, &config, &fake->source, &pool, SOURCE_FAKE_MOST);
	snprintf(instance, sizeof(instance), "bench-tick-%d", (int)getpid());
	struct publish_options options = {
	        .config = &config,
	        .instance = instance,
	        .interval_ns = interval_ns,
	        .processes = processes,
	        .capacity = 2 * SOURCE_FAKE_MOST,
	        .group = UINT32_MAX,
	};
	if (publish_open(&publish, &options, &pool) != 0 || pool.failed)
		fail(publish.error);
	measure(fake, &sample, &publish, &stages);
	publish_close(&publish);

	double per_process = 1000.0 / processes; /* us in all to ns for each */
	double copy = figures_median(stages.copy, ROUNDS) * per_process;
	printf("%u processes, nanoseconds of cpu for each:\n", processes);
	figure_note("  deltas, blame, contention, scores, swept caches", figures_median(stages.take, ROUNDS) * per_process - copy, "ns");
	figure_note("  the scores alone, warm", figures_median(stages.score, ROUNDS) * per_process, "ns");
	figure_note("  order and publish", figures_median(stages.publish, ROUNDS) * per_process, "ns");
	pool_release(&pool);
	source_fake_free(&fake);
}

static void bench_synthetics(void)
{
	bench_synthetic(1000);
	bench_synthetic(31000);
}

/* ---- the whole collector ---- */

static pid_t children[CROWD];
static unsigned child_count;

static void kill_children(void)
{
	for (unsigned i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	for (unsigned i = 0; i < child_count; i++)
		waitpid(children[i], NULL, 0);
	child_count = 0;
}

/* Sleeps, or works a little ten times a second. */
static _Noreturn void child_run(bool is_active, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		poll(NULL, 0, is_active ? ACTIVE_PAUSE_MS : -1);
		for (volatile int i = 0; i < 1000; i++)
			;
	}
	_exit(0);
}

static void start_children(unsigned count)
{
	pid_t parent = getpid();
	while (child_count < count) {
		pid_t child = fork();
		if (child < 0 && errno == EAGAIN && count > LIVE_FEW)
			return; /* others took what was left */
		if (child < 0)
			fail("fork");
		if (child == 0)
			child_run(child_count % ACTIVE_EACH == 0, parent);
		children[child_count++] = child;
	}
}

static uint64_t number_in(const char *path, const char *key)
{
	char line[256];
	uint64_t number = 0;
	FILE *file = fopen(path, "r");
	if (!file)
		return 0;
	while (number == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			number = strtoull(line + strlen(key), NULL, 10);
	fclose(file);
	return number;
}

/* Processes that can be started, at most `wanted` in all; 0, with a sentence, where that would be too few to mean anything. */
static unsigned crowd_size(unsigned wanted)
{
	uint64_t present = 0, pids = number_in("/proc/sys/kernel/pid_max", ""), limit = number_in("/sys/fs/cgroup/pids.max", "");
	uint64_t available_kib = number_in("/proc/meminfo", "MemAvailable:");
	struct rlimit processes;
	DIR *proc = opendir("/proc");
	for (const struct dirent *entry; proc && (entry = readdir(proc));)
		present += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
	if (proc)
		closedir(proc);
	if (limit > 0 && limit < pids)
		pids = limit;
	if (getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_cur < pids)
		pids = processes.rlim_cur;
	/* The kernel gives out no pid below 300 again. */
	uint64_t room = pids > present + 300 + CROWD_SPARE_PIDS ? pids - present - 300 - CROWD_SPARE_PIDS : 0;
	if (room > wanted)
		room = wanted;
	if (room >= wanted / 2 && available_kib / 2 >= room * CROWD_KIB_EACH)
		return (unsigned)room;
	printf("%u processes: left out; this machine has room for %" PRIu64 " more and %" PRIu64 " MiB of memory\n", wanted, room,
	        available_kib / 1024);
	return 0;
}

/* rh-collector of the same build tree. It ends with this process. */
static pid_t start_collector(const char *instance, const char *sampler)
{
	char self[PATH_MAX], program[PATH_MAX + 32];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		fail("/proc/self/exe");
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(program, sizeof(program), "%s/../bin/rh-collector", self);
	pid_t child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, "rh-collector", "--name", instance, "--sampler", sampler, (char *)NULL);
		fail(program);
	}
	return child;
}

/* What the collector published of itself. */
struct live_figures {
	double us_per_process, core_pct, hooks_pct, rss_mib;
	uint32_t processes;
	uint16_t degraded;
	uint8_t sampler;
};

static struct rh_ring *attach(const char *instance)
{
	struct rh_ring *ring = NULL;
	for (unsigned i = 0; i < 200 && rh_open(instance, &ring, NULL) != RH_OK; i++)
		poll(NULL, 0, 50);
	if (!ring)
		fail("no ring of rh-collector");
	return ring;
}

/* One on each cpu, so that the one of the next tick is among them. */
static pid_t sweepers[SWEEPERS_MOST];
static unsigned sweeper_count;

static void sweepers_stop(void)
{
	for (unsigned i = 0; i < sweeper_count; i++) {
		kill(sweepers[i], SIGKILL);
		waitpid(sweepers[i], NULL, 0);
	}
	sweeper_count = 0;
}

/* Sweeps after each sample, when the next one is some 150 ms away. */
static _Noreturn void sweeper_run(const char *instance, unsigned cpu, pid_t parent)
{
	cpu_set_t only;
	static struct rh_view view;
	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sched_setaffinity(0, sizeof(only), &only) < 0)
		_exit(1);
	struct rh_ring *ring = attach(instance);
	uint64_t cursor = rh_newest(ring);
	while (getppid() == parent) {
		rh_wait(ring, cursor, 2 * interval_ns);
		while (rh_next(ring, &cursor, NULL, &view) == RH_OK)
			;
		poll(NULL, 0, INTERVAL_MS / 2);
		sweep(LIVE_SWEEP_BYTES);
	}
	_exit(0);
}

static void sweepers_start(const char *instance)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t parent = getpid();
	for (unsigned cpu = 0; cpu < cpus && cpu < SWEEPERS_MOST; cpu++) {
		pid_t child = fork();
		if (child < 0)
			fail("fork");
		if (child == 0)
			sweeper_run(instance, cpu, parent);
		sweepers[sweeper_count++] = child;
	}
}

/* Of the samples from number `first` on. */
static struct live_figures measure_samples(struct rh_ring *ring, uint64_t first)
{
	struct live_figures figures = {0};
	static double cost_us[LIVE_SAMPLES], hooks_us[LIVE_SAMPLES];
	static struct rh_view view;
	uint64_t cursor = rh_newest(ring), cpu_before_ns = 0;
	unsigned taken = 0;
	for (unsigned i = 0; taken < LIVE_SAMPLES && i < 1000; i++) {
		if (rh_next(ring, &cursor, NULL, &view) != RH_OK) {
			rh_wait(ring, cursor, 2 * interval_ns);
			continue;
		}
		/* The sample tells the cpu time up to its own publication: the difference of two is one whole tick. */
		uint64_t cpu_ns = view.system.self_cpu_ns;
		if (view.sample > first && cpu_before_ns > 0) {
			hooks_us[taken] = (double)view.system.hook_cost_ratio * (double)view.system.elapsed_ns / NS_PER_US;
			cost_us[taken++] = (double)(cpu_ns - cpu_before_ns) / NS_PER_US;
		}
		cpu_before_ns = cpu_ns;
	}
	double tick_us = figures_median(cost_us, taken), hook_us = figures_median(hooks_us, taken);
	figures.us_per_process = tick_us / view.total;
	figures.hooks_pct = 100 * hook_us / ((double)INTERVAL_MS * 1000);
	figures.core_pct = 100 * tick_us / ((double)INTERVAL_MS * 1000) + figures.hooks_pct;
	figures.rss_mib = (double)view.system.self_rss_bytes / 1048576;
	figures.processes = view.total;
	figures.degraded = view.system.degraded;
	figures.sampler = view.system.sampler;
	return figures;
}

/* With caches as they are; then, if asked for, with swept ones. */
static struct live_figures measure_collector(const char *sampler, struct live_figures *ret_swept)
{
	char instance[40];
	snprintf(instance, sizeof(instance), "bench-live-%d", (int)getpid());
	pid_t collector = start_collector(instance, sampler);
	struct rh_ring *ring = attach(instance);
	struct live_figures figures = measure_samples(ring, LIVE_WARM_UP);
	if (ret_swept) {
		sweepers_start(instance);
		*ret_swept = measure_samples(ring, rh_newest(ring) + 3);
		sweepers_stop();
	}
	rh_close(&ring);
	kill(collector, SIGTERM);
	waitpid(collector, NULL, 0);
	return figures;
}

static void print_live(const char *sampler, const struct live_figures *quiet, const struct live_figures *swept)
{
	double limit = quiet->sampler == RH_SAMPLER_procfs ? 4 : 1;
	printf("rh-collector --sampler %s (%s): %u processes, one in %d active, degraded %#x and %#x:\n", sampler,
	        rh_code(RH_CODE_sampler, quiet->sampler)->name, quiet->processes, ACTIVE_EACH, quiet->degraded, swept->degraded);
	figure_at_most("  cpu of a whole tick per process, caches as they are", quiet->us_per_process, limit, "us");
	figure_at_most("  the same, 96 MiB swept before each tick", swept->us_per_process, limit, "us");
	if (quiet->sampler != RH_SAMPLER_procfs && quiet->processes < 2 * LIVE_FEW)
		figure_at_most("  collector and hooks at 5 Hz, of one core", quiet->core_pct, 0.8, "%");
	else
		figure_note("  collector and hooks at 5 Hz, of one core", quiet->core_pct, "%");
	figure_note("  of it the hooks", quiet->hooks_pct, "%");
}

/* The whole ladder of one back end. */
static void bench_live_of(const char *sampler)
{
	struct live_figures swept;
	start_children(220);
	struct live_figures few = measure_collector(sampler, NULL);
	start_children(LIVE_FEW);
	struct live_figures many = measure_collector(sampler, &swept);
	print_live(sampler, &many, &swept);
	figure_at_most("  resident memory besides the segment, few processes", few.rss_mib, 12, "MiB");
	figure_note("  resident memory besides the segment, 1,000 processes", many.rss_mib, "MiB");
	if (crowd_size(LIVE_MOST) > 0) {
		start_children(LIVE_MOST);
		many = measure_collector(sampler, &swept);
		print_live(sampler, &many, &swept);
		figure_note("  resident memory besides the segment", many.rss_mib, "MiB");
	}
	kill_children();
}

/* ---- more processes than a machine should have ---- */

/* What was seen of the collector in a while. */
struct crowd_figures {
	double core_pct, interval_s, scan_ms;
	uint32_t processes;
	unsigned samples, looks, not_running;
	uint16_t degraded;
};

static struct crowd_figures measure_crowd(struct rh_ring *ring, unsigned seconds)
{
	static struct rh_view view;
	struct crowd_figures figures = {0};
	uint64_t cpu_ns = 0, begin_ns = 0, cursor = rh_newest(ring),
	         until_ns = clock_now_ns(CLOCK_MONOTONIC) + seconds * (uint64_t)NS_PER_S;
	while (clock_now_ns(CLOCK_MONOTONIC) < until_ns) {
		figures.looks++;
		figures.not_running += rh_writer_status(ring) != RH_RUNNING;
		if (rh_next(ring, &cursor, NULL, &view) != RH_OK) {
			rh_wait(ring, cursor, 100 * (uint64_t)NS_PER_MS);
			continue;
		}
		if (figures.samples++ == 0) {
			cpu_ns = view.system.self_cpu_ns;
			begin_ns = view.system.monotonic_ns;
			continue;
		}
		figures.core_pct = 100 * (double)(view.system.self_cpu_ns - cpu_ns) / (double)(view.system.monotonic_ns - begin_ns);
		figures.interval_s = (double)view.system.interval_ns / NS_PER_S;
		figures.scan_ms = (double)view.system.scan_ns / NS_PER_MS;
		figures.processes = view.total;
		figures.degraded = view.system.degraded;
	}
	return figures;
}

static void bench_crowd_of(const char *sampler)
{
	unsigned count = crowd_size(CROWD);
	char instance[40];
	if (count == 0)
		return;
	start_children(count);
	snprintf(instance, sizeof(instance), "bench-crowd-%d", (int)getpid());
	pid_t collector = start_collector(instance, sampler);
	struct rh_ring *ring = attach(instance);
	struct crowd_figures first = measure_crowd(ring, CROWD_SECONDS / 2), later = measure_crowd(ring, CROWD_SECONDS);
	rh_close(&ring);
	kill(collector, SIGTERM);
	waitpid(collector, NULL, 0);
	kill_children();
	printf("rh-collector --sampler %s: %u processes, one in %d active ten times a second, degraded %#x:\n", sampler, later.processes,
	        ACTIVE_EACH, later.degraded);
	figure_at_most("  cpu, in the first 10 s after its start", first.core_pct, 10, "%");
	figure_at_most("  cpu, in the 20 s after them", later.core_pct, 10, "%");
	figure_note("  interval that it settled on", later.interval_s, "s");
	figure_note("  time of a sample", later.scan_ms, "ms");
	figure_at_most("  looks at which the collector was called anything but running", first.not_running + later.not_running, 0, "");
	figure_note("  of", first.looks + later.looks, "");
}

static const char *const samplers[] = {"auto", "procfs"};
enum { SAMPLERS = sizeof(samplers) / sizeof(samplers[0]) };
static const char *only_sampler;

static void for_each_sampler(void (*run)(const char *sampler))
{
	for (size_t i = 0; i < SAMPLERS; i++)
		if (!only_sampler || strcmp(only_sampler, samplers[i]) == 0)
			run(samplers[i]);
}

static void bench_live(void)
{
	for_each_sampler(bench_live_of);
}

static void bench_crowd(void)
{
	for_each_sampler(bench_crowd_of);
}

static void stop_all(void)
{
	sweepers_stop();
	kill_children();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {{"synthetic", bench_synthetics}, {"live", bench_live}, {"crowd", bench_crowd}};
	unsigned found = 0;
	only_sampler = argc == 3 ? argv[2] : NULL;
	bool is_known = !only_sampler || strcmp(only_sampler, "auto") == 0 || strcmp(only_sampler, "procfs") == 0;
	atexit(stop_all);
	for (size_t i = 0; argc <= 3 && is_known && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (argc >= 2 && strcmp(argv[1], parts[i].name) != 0)
			continue;
		parts[i].run();
		found++;
	}
	if (found > 0)
		return 0;
	fprintf(stderr, "usage: collector_tick [synthetic|live|crowd] [auto|procfs]\n");
	return 2;
}
