/*
 * peers.c - cpu of one refresh at 5,000 more processes that sleep: rh-collector with each back end, and htop, top, atop, pidstat and a psutil loop.
 *
 *   peers [PROCESSES]
 * Each peer runs as people run it, once a second in a terminal of 200 x 50, and says by a burst of output that it has refreshed: its cpu time from one
 * burst to the next, start-up left out. Of the collector the cpu time that it publishes of itself; what its programs in the kernel cost others is a figure
 * of its own. Medians over several refreshes and rounds. What is not installed is left out with a line. The processes end with this one, however it ends.
 */
#include "base/clock.h"
#include "bench/figures.h"
#include "tests/support/live_collector.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum {
	PROCESSES = 5000,
	PROCESSES_MOST = 30000,
	ROUNDS = 3,
	WARM_UP = 2,
	REFRESHES = 5,
	SAMPLES_WARM_UP = 60, /* until each page of the ring was written once: the kernel clears it then */
	SAMPLES = 40,
	QUIET_MS = 150, /* no output for so long ends a burst */
	BURST_MS = 8000,
};

static const struct peer {
	const char *name, *program;
	const char *arguments[8];
	double times; /* as much cpu as ours it should take at least */
} peers[] = {
        {"htop", "htop", {"htop", "-d", "10", NULL}, 40},
        {"top", "top", {"top", "-d", "1", NULL}, 35},
        {"atop", "atop", {"atop", "1", NULL}, 80},
        {"pidstat", "pidstat", {"pidstat", "1", NULL}, 80},
        {"psutil loop", "/usr/bin/python3",
                {"python3", "-c",
                        "import psutil, time\n"
                        "names = ['pid', 'ppid', 'name', 'status', 'cpu_times', 'memory_info', 'num_threads', 'io_counters', "
                        "'num_ctx_switches']\n"
                        "while True:\n"
                        "    print(sum(1 for process in psutil.process_iter(names)), flush=True)\n"
                        "    time.sleep(1)\n",
                        NULL},
                100},
};
enum { PEERS = sizeof(peers) / sizeof(peers[0]) };

static pid_t children[PROCESSES_MOST];
static unsigned child_count;
static pid_t peer_pid;

static void end_all(void)
{
	if (peer_pid > 0)
		kill(peer_pid, SIGKILL);
	for (unsigned i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	for (unsigned i = 0; i < child_count; i++)
		waitpid(children[i], NULL, 0);
	child_count = 0;
}

static void start_children(unsigned count)
{
	pid_t parent = getpid();
	while (child_count < count) {
		pid_t child = fork();
		if (child < 0) {
			fprintf(stderr, "peers: fork: %s\n", strerror(errno));
			exit(1);
		}
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == parent)
				pause();
			_exit(0);
		}
		children[child_count++] = child;
	}
}

/* ---- peers ---- */

static pid_t start_peer(const struct peer *peer, int *ret_fd)
{
	struct winsize size = {.ws_row = 50, .ws_col = 200};
	pid_t child = forkpty(ret_fd, NULL, NULL, &size);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("TERM", "xterm", 1);
		execvp(peer->program, (char *const *)(uintptr_t)peer->arguments);
		_exit(127);
	}
	return child;
}

/* Reads until there was output, and then none for a while. Returns false if the program has ended. */
static bool await_burst(int fd)
{
	char text[16384];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	bool some = false;
	for (;;) {
		if (poll(&wait, 1, some ? QUIET_MS : BURST_MS) <= 0)
			return some;
		if (read(fd, text, sizeof(text)) <= 0)
			return false;
		some = true;
	}
}

static bool read_cpu(pid_t pid, double *ret_ms)
{
	clockid_t clock;
	if (clock_getcpuclockid(pid, &clock) != 0)
		return false;
	uint64_t used_ns = clock_now_ns(clock);
	*ret_ms = (double)used_ns / NS_PER_MS;
	return true;
}

/* Cpu of one refresh in ms, median; 0 if it cannot be run. */
static double measure_peer(const struct peer *peer)
{
	double costs[REFRESHES], before_ms = 0, now_ms = 0;
	unsigned taken = 0;
	int fd;
	peer_pid = start_peer(peer, &fd);
	for (unsigned i = 0; peer_pid > 0 && i < WARM_UP + REFRESHES + 1; i++) {
		if (!await_burst(fd) || !read_cpu(peer_pid, &now_ms))
			break;
		if (i > WARM_UP)
			costs[taken++] = now_ms - before_ms;
		before_ms = now_ms;
	}
	if (peer_pid > 0) {
		kill(peer_pid, SIGKILL);
		waitpid(peer_pid, NULL, 0);
		close(fd);
	}
	peer_pid = 0;
	return taken == REFRESHES ? figures_median(costs, taken) : 0;
}

/* ---- ours ---- */

struct own {
	double cpu_ms, hook_pct;
	uint32_t processes;
	uint8_t sampler;
};

/* Cpu of one sample in ms, median; 0 if it cannot be run. */
static struct own measure_own(const char *sampler)
{
	struct live_collector live;
	struct own own = {0};
	double costs[SAMPLES];
	char config[64];
	uint64_t before_ns = 0;
	unsigned taken = 0;
	snprintf(config, sizeof(config), "sampling.sampler=%s\nring.max_mib=64\n", sampler);
	if (!live_collector_start(&live, "peers", config))
		return own;
	uint64_t cursor = rh_newest(live.ring);
	for (unsigned waits = 0; taken < SAMPLES && waits < 1000; waits++) {
		if (rh_next(live.ring, &cursor, NULL, &live.view) != RH_OK) {
			rh_wait(live.ring, cursor, 100 * (uint64_t)NS_PER_MS);
			continue;
		}
		if (live.view.sample > SAMPLES_WARM_UP)
			costs[taken++] = (double)(live.view.system.self_cpu_ns - before_ns) / NS_PER_MS;
		before_ns = live.view.system.self_cpu_ns;
	}
	own = (struct own){.processes = live.view.total, .sampler = live.view.system.sampler};
	if (taken == SAMPLES)
		own.cpu_ms = figures_median(costs, taken);
	if (rh_has(live.view.system.present, RH_S_hook_cost_ratio))
		own.hook_pct = 100 * (double)live.view.system.hook_cost_ratio;
	live_collector_stop(&live);
	return own;
}

/* ---- one beside the other ---- */

struct results {
	double bpf[ROUNDS], procfs[ROUNDS], peer[PEERS][ROUNDS], hook_pct;
	bool has_bpf;
	uint32_t processes;
};

static void run_round(struct results *results, unsigned round)
{
	struct own bpf = measure_own("bpf"), procfs = measure_own("procfs");
	results->has_bpf = bpf.sampler == RH_SAMPLER_bpf || bpf.sampler == RH_SAMPLER_bpf_iterator;
	results->bpf[round] = bpf.cpu_ms;
	results->procfs[round] = procfs.cpu_ms;
	results->hook_pct = bpf.hook_pct;
	results->processes = procfs.processes;
	for (unsigned i = 0; i < PEERS; i++)
		results->peer[i][round] = measure_peer(&peers[i]);
}

static void print_peer(const struct results *results, unsigned i, double cpu_ms, double own_ms)
{
	char text[80];
	if (cpu_ms <= 0) {
		printf("  %s: left out, it cannot be run here\n", peers[i].name);
		return;
	}
	snprintf(text, sizeof(text), "  %s, cpu of a refresh", peers[i].name);
	figure_note(text, cpu_ms, "ms");
	snprintf(text, sizeof(text), "  %s against %s", peers[i].name, results->has_bpf ? "rh-collector" : "its /proc back end");
	if (results->has_bpf)
		figure_at_least(text, cpu_ms / own_ms, peers[i].times, "x");
	else
		figure_note(text, cpu_ms / own_ms, "x");
}

static void print_results(struct results *results)
{
	double procfs_ms = figures_median(results->procfs, ROUNDS), bpf_ms = figures_median(results->bpf, ROUNDS);
	printf("%u processes, nearly all of them asleep:\n", results->processes);
	figure_note("  rh-collector from /proc, cpu of a sample", procfs_ms, "ms");
	if (results->has_bpf) {
		figure_note("  rh-collector kernel-direct, cpu of a sample", bpf_ms, "ms");
		figure_note("  its programs in the kernel, part of a core", results->hook_pct, "%");
		figure_at_least("  its /proc back end against it", procfs_ms / bpf_ms, 5, "x");
	} else {
		printf("  rh-collector kernel-direct: left out, it is not possible here\n");
	}
	for (unsigned i = 0; i < PEERS; i++)
		print_peer(results, i, figures_median(results->peer[i], ROUNDS), results->has_bpf ? bpf_ms : procfs_ms);
}

int main(int argc, char **argv)
{
	static struct results results;
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : PROCESSES;
	if (argc > 2 || count == 0 || count > PROCESSES_MOST) {
		fprintf(stderr, "usage: peers [PROCESSES]\n");
		return 2;
	}
	atexit(end_all);
	start_children((unsigned)count);
	for (unsigned round = 0; round < ROUNDS; round++)
		run_round(&results, round);
	print_results(&results);
	return 0;
}
