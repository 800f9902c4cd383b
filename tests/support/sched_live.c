/* sched_live.c - see sched_live.h. */
#include "tests/support/sched_live.h"

#include "base/clock.h"
#include "collector/bpf/convert.h"
#include "collector/bpf/load.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TICK_MS = 50, LIFE_S = 60 };

void sched_live_init(struct sched_live *live)
{
	*live = (struct sched_live){
	        .limits = {.words_bytes = 1 << 20,
	                .judged_ns = NS_PER_S,
	                .mean_ns = (uint64_t)60 * NS_PER_S,
	                .pause_ns = (uint64_t)10 * NS_PER_S,
	                .pause_most_ns = (uint64_t)600 * NS_PER_S},
	        .accounts = {.fd = -1, .cpu_fd = -1},
	};
	config_defaults(&live->config);
	live->config.sampling_scheduler_max_cpu = 100;
}

bool sched_live_open(struct sched_live *live)
{
	struct walk_options walk = {.way = "auto", .processes = SCHED_LIVE_PROCESSES / 2, .chunk = 128, .chunk_from = 2000};
	struct source_options options = {.proc_root = "/proc", .max_processes = SCHED_LIVE_PROCESSES, .config = &live->config};
	char error[256] = "the kernel gives no room for accounts";
	/* As the collector does where it may: else a walk takes as long as the others let it, and what is read after it is of another time. */
	const struct sched_param first = {.sched_priority = 2};
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
	load_quietly();
	if (!load_has_type_information() || !load_is_permitted()) {
		fprintf(stderr, "skipped: this kernel or these rights do not allow programs in the kernel\n");
		return false;
	}
	for (unsigned i = 0; i < 2; i++)
		live->processes[i] = calloc(SCHED_LIVE_PROCESSES, sizeof(struct raw_process));
	if (!live->processes[0] || !live->processes[1] || walk_open(&walk, &live->walk, error) < 0 ||
	        accounts_open(&live->accounts, 16384) < 0 ||
	        sched_open_within(&options, &live->limits, &live->accounts, &live->sched, error) < 0) {
		fprintf(stderr, "skipped: %s\n", error);
		sched_live_close(live);
		return false;
	}
	sched_live_tick(live);
	sched_live_reset(live);
	return true;
}

void sched_live_close(struct sched_live *live)
{
	if (live->sched)
		sched_close(&live->sched);
	accounts_close(&live->accounts);
	if (live->walk)
		walk_close(&live->walk);
	for (unsigned i = 0; i < 2; i++)
		free(live->processes[i]);
	live->processes[0] = live->processes[1] = NULL;
}

static int by_pid(const void *a, const void *b)
{
	uint32_t left = ((const struct raw_process *)a)->pid, right = ((const struct raw_process *)b)->pid;
	return (left > right) - (left < right);
}

static const struct raw_process *find(const struct sched_live *live, unsigned generation, uint32_t pid)
{
	struct raw_process key = {.pid = pid};
	return bsearch(&key, live->processes[generation], live->counts[generation], sizeof(key), by_pid);
}

/* What came to a process since the tick before. */
static void add(struct sched_live *live, const struct raw_process *now)
{
	const struct raw_process *before = find(live, !live->current, now->pid);
	bool is_known = before && before->start_time_ns == now->start_time_ns;
	bool is_told = rh_has(now->present, RH_F_cpu_blame_ms_per_s) || now->end_time_ns > 0;
	bool was_told = is_known && rh_has(before->present, RH_F_cpu_blame_ms_per_s);
	if (is_told && was_told && now->end_time_ns == 0 && now->cpu_blame_ns < before->cpu_blame_ns)
		live->backwards++;
	live->delay_ns += (double)now->runnable_time_ns - (is_known ? (double)before->runnable_time_ns : 0);
	if (is_told && (was_told || !is_known))
		live->blame_ns += (double)now->cpu_blame_ns - (is_known ? (double)before->cpu_blame_ns : 0);
}

void sched_live_tick(struct sched_live *live)
{
	struct walk_result walk;
	struct convert convert;
	sched_begin(live->sched);
	if (walk_run(live->walk, &walk) < 0)
		abort();
	live->current = !live->current;
	struct raw_process *processes = live->processes[live->current];
	uint32_t count = walk.view.count < SCHED_LIVE_PROCESSES ? walk.view.count : SCHED_LIVE_PROCESSES;
	convert_init(&convert, walk.features, false, 4096);
	for (uint32_t i = 0; i < count; i++)
		convert_process(&convert, &walk.view.records[i], &processes[i]);
	live->tick = (struct source_tick){.count = count};
	live->system = (struct raw_system){0};
	walk.view.count = count;
	walk.view.sum = accounts_sum(&live->accounts);
	sched_collect(live->sched, &walk.view, live->begin_ns ? walk.view.begin_boot_ns - live->begin_ns : NS_PER_S, processes,
	        &live->system, &live->tick);
	live->begin_ns = walk.view.begin_boot_ns;
	live->counts[live->current] = count;
	qsort(processes, count, sizeof(*processes), by_pid);
	for (uint32_t i = 0; i < count; i++)
		add(live, &processes[i]);
	for (uint32_t i = 0; i < live->tick.ended_count; i++)
		add(live, &live->tick.ended[i]);
	live->unowned_ns += (double)(live->system.run_delay_unowned_ns - live->unowned_before_ns);
	live->unowned_before_ns = live->system.run_delay_unowned_ns;
}

void sched_live_watch(struct sched_live *live, unsigned ms)
{
	const struct timespec pause = {.tv_nsec = TICK_MS * NS_PER_MS};
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + (uint64_t)ms * NS_PER_MS;
	do {
		nanosleep(&pause, NULL);
		sched_live_tick(live);
	} while (clock_now_ns(CLOCK_MONOTONIC) < end_ns);
}

void sched_live_reset(struct sched_live *live)
{
	live->delay_ns = live->blame_ns = live->unowned_ns = 0;
	live->backwards = 0;
}

const struct raw_process *sched_live_find(const struct sched_live *live, pid_t pid)
{
	return find(live, live->current, (uint32_t)pid);
}

pid_t sched_live_child(int cpu, void (*work)(void))
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	cpu_set_t cpus;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	CPU_ZERO(&cpus);
	if (cpu >= 0)
		CPU_SET((size_t)cpu, &cpus);
	if (cpu >= 0 && sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		_exit(1);
	if (getppid() == parent)
		work();
	_exit(0);
}

void sched_live_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
