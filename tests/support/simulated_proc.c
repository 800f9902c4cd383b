/* simulated_proc.c - see simulated_proc.h. */
#include "tests/support/simulated_proc.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 100, OPTIONS_MOST = 32, TICK_MS = 1000 / SIMULATED_HZ };
static const uint64_t wait_ns = 200 * UINT64_C(1000000);

/* ---- the folder ---- */

static void put(const struct simulation *simulation, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void put(const struct simulation *simulation, const char *name, const char *format, ...)
{
	char path[256];
	va_list arguments;
	snprintf(path, sizeof(path), "%s/%s", simulation->root, name);
	FILE *file = fopen(path, "w");
	RH_ASSERT(file);
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	RH_ASSERT(fclose(file) == 0);
}

static void put_folder(const struct simulation *simulation, const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", simulation->root, name);
	RH_ASSERT(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *place)
{
	(void)about;
	(void)type;
	(void)place;
	return remove(path);
}

static void remove_below(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put_process(const struct simulation *simulation, const struct simulated_process *process)
{
	char name[64], folder[32];
	uint64_t ticks = process->run_ns / ((uint64_t)TICK_MS * 1000000);
	snprintf(folder, sizeof(folder), "%u", process->pid);
	put_folder(simulation, folder);
	snprintf(name, sizeof(name), "%u/stat", process->pid);
	put(simulation, name,
	        "%u (%s) %c %u 1 1 0 -1 4194304 0 0 0 0 %" PRIu64 " 0 0 0 20 0 1 0 %" PRIu64 " 10000000 %" PRIu64
	        " 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
	        process->pid, process->command, process->state, process->ppid, ticks, process->start_ms / TICK_MS, process->anon_kib / 4);
	snprintf(name, sizeof(name), "%u/schedstat", process->pid);
	put(simulation, name, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", process->run_ns, process->wait_ns, process->slices);
	snprintf(name, sizeof(name), "%u/io", process->pid);
	put(simulation, name, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: %" PRIu64 "\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
	        process->read_bytes);
	snprintf(name, sizeof(name), "%u/status", process->pid);
	put(simulation, name,
	        "Name:\t%s\nPid:\t%u\nUid:\t1000\t1000\t1000\t1000\nVmHWM:\t%" PRIu64 " kB\nVmRSS:\t%" PRIu64 " kB\nRssAnon:\t%" PRIu64
	        " kB\nRssFile:\t0 kB\nRssShmem:\t0 kB\nVmSwap:\t0 "
	        "kB\nThreads:\t1\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
	        process->command, process->pid, process->anon_kib, process->anon_kib, process->anon_kib);
}

static void put_machine(const struct simulation *simulation)
{
	put(simulation, "uptime", "%" PRIu64 ".%02" PRIu64 " 0.00\n", simulation->uptime_ms / 1000, simulation->uptime_ms % 1000 / TICK_MS);
	put(simulation, "loadavg", "0.50 0.40 0.30 1/%u 99\n", simulation->count);
	put(simulation, "stat",
	        "cpu  %" PRIu64 " 0 0 %" PRIu64 " 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n"
	        "cpu2 0 0 0 0 0 0 0 0 0 0\ncpu3 0 0 0 0 0 0 0 0 0 0\nctxt 1\nbtime 1700000000\nprocesses 100\nprocs_running "
	        "1\nprocs_blocked 0\n",
	        simulation->busy_ms / TICK_MS, simulation->idle_ms / TICK_MS);
	put(simulation, "meminfo",
	        "MemTotal:       16000000 kB\nMemFree:        8000000 kB\nMemAvailable:   12000000 kB\nDirty:  0 kB\n"
	        "SwapTotal:  0 kB\nSwapFree:  0 kB\n");
	put(simulation, "pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=%" PRIu64 "\n", simulation->psi_cpu_us);
	for (unsigned i = 0; i < simulation->count; i++)
		put_process(simulation, &simulation->processes[i]);
}

void simulation_begin(struct simulation *simulation)
{
	const char *scratch = getenv("TMPDIR");
	memset(simulation, 0, sizeof(*simulation));
	snprintf(simulation->root, sizeof(simulation->root), "%.40s/simulation-XXXXXX", scratch ? scratch : "/tmp");
	RH_ASSERT(mkdtemp(simulation->root));
	snprintf(simulation->instance, sizeof(simulation->instance), "simulation-%d", (int)getpid());
	simulation->uptime_ms = 1000 * 1000;
	simulation->idle_ms = simulation->uptime_ms * SIMULATED_CPUS;
	simulation->step_fd = -1;
	put_folder(simulation, "pressure");
}

struct simulated_process *simulation_add(struct simulation *simulation, uint32_t pid, const char *command)
{
	RH_ASSERT(simulation->count < SIMULATED_MOST);
	struct simulated_process *process = &simulation->processes[simulation->count++];
	*process = (struct simulated_process){.pid = pid, .ppid = 1, .command = command, .state = 'S', .slices = 1, .anon_kib = 1024};
	process->start_ms = simulation->uptime_ms;
	process->run_ns = 1;
	return process;
}

void simulation_remove(struct simulation *simulation, uint32_t pid)
{
	char path[128];
	unsigned kept = 0;
	for (unsigned i = 0; i < simulation->count; i++)
		if (simulation->processes[i].pid != pid)
			simulation->processes[kept++] = simulation->processes[i];
	RH_ASSERT(kept + 1 == simulation->count);
	simulation->count = kept;
	snprintf(path, sizeof(path), "%s/%u", simulation->root, pid);
	remove_below(path);
}

/* ---- the collector ---- */

pid_t collector_spawn(const char *const *options, int fd)
{
	const char *arguments[OPTIONS_MOST] = {"rh-collector"}, *bin = getenv("BIN");
	char program[256], number[16];
	unsigned count = 1;
	RH_ASSERT(bin);
	snprintf(program, sizeof(program), "%s/rh-collector", bin);
	snprintf(number, sizeof(number), "%d", fd);
	for (; *options; options++) {
		RH_ASSERT(count < OPTIONS_MOST - 1);
		arguments[count++] = strcmp(*options, "@") == 0 ? number : *options;
	}
	pid_t child = fork();
	RH_ASSERT(child >= 0);
	if (child == 0) {
		execv(program, (char *const *)(uintptr_t)arguments);
		perror(program);
		_exit(127);
	}
	return child;
}

bool collector_wait(struct rh_ring *ring, uint64_t seen)
{
	for (unsigned i = 0; i < TRIES && rh_newest(ring) <= seen; i++)
		rh_wait(ring, rh_newest(ring), wait_ns);
	return rh_newest(ring) > seen;
}

void simulation_start(struct simulation *simulation, const char *const *options)
{
	const char *arguments[OPTIONS_MOST] = {
	        "--name", simulation->instance, "--proc-root", simulation->root, "--step-fd", "@", "--ready-fd", "9"};
	unsigned count = 8;
	int steps[2], ready[2];
	char line[8];
	while (*options) {
		RH_ASSERT(count < OPTIONS_MOST - 1);
		arguments[count++] = *options++;
	}
	put_machine(simulation);
	RH_ASSERT(pipe(steps) == 0 && pipe(ready) == 0 && dup2(ready[1], 9) == 9);
	fcntl(steps[1], F_SETFD, FD_CLOEXEC);
	simulation->collector = collector_spawn(arguments, steps[0]);
	close(steps[0]);
	close(ready[1]);
	close(9);
	simulation->step_fd = steps[1];
	RH_ASSERT(read(ready[0], line, sizeof(line)) == 6);
	close(ready[0]);
	RH_ASSERT(rh_open(simulation->instance, &simulation->ring, NULL) == RH_OK);
	simulation->samples = 1;
	RH_ASSERT(rh_latest(simulation->ring, &simulation->view) == RH_OK);
}

void simulation_step(struct simulation *simulation, uint64_t ms, double busy_cpus)
{
	uint64_t busy_ms = (uint64_t)((double)ms * busy_cpus);
	simulation->uptime_ms += ms;
	simulation->busy_ms += busy_ms;
	simulation->idle_ms += ms * SIMULATED_CPUS - busy_ms;
	put_machine(simulation);
	RH_ASSERT(write(simulation->step_fd, "", 1) == 1);
	RH_ASSERT(collector_wait(simulation->ring, simulation->samples));
	simulation->samples++;
	RH_ASSERT(rh_latest(simulation->ring, &simulation->view) == RH_OK);
}

struct rh_process simulation_record(struct simulation *simulation, uint32_t pid, bool exited)
{
	struct rh_process record = {0};
	for (uint32_t i = 0; rh_copy(&simulation->view, i, &record); i++)
		if (record.pid == pid && ((record.flags & RH_PROCESS_exited) != 0) == exited)
			return record;
	fprintf(stderr, "no record of pid %u\n", pid);
	abort();
}

int simulation_end(struct simulation *simulation)
{
	int status = 0;
	close(simulation->step_fd);
	RH_ASSERT(waitpid(simulation->collector, &status, 0) == simulation->collector);
	simulation->collector = 0;
	rh_close(&simulation->ring);
	remove_below(simulation->root);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
