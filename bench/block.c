/*
 * block.c - what watching the block requests costs: cpu time per request of a process that reads small blocks past the page cache, in turn with
 * and without the programs; time in the programs themselves; and the cost of a tick.
 *
 *   bench_block [ROUNDS]    in a folder on a disk (BUILD, /var/tmp or /tmp)
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/figures.h"
#include "tests/support/block_live.h"

enum { ROUNDS_MOST = 101, READS = 2000, BYTES = 4096, FILE_MIB = 64, PROCESSES = 10000, TICKS = 20 };

static struct block_live live;

/* Busy time of all cpus, interrupts and kernel threads included, cannot be told from others'; this thread's own can. */
static double cpu_ns_per_read(int fd, char *buffer)
{
	unsigned seed = 1;
	uint64_t begin = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < READS; i++) {
		off_t place = (off_t)rand_r(&seed) % (FILE_MIB << 8) * BYTES;
		if (pread(fd, buffer, BYTES, place) != BYTES)
			exit(1);
	}
	return (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / READS;
}

/* What the kernel measured of all programs of this part together: runs and time. */
static void programs_sum(uint64_t *ret_runs, uint64_t *ret_ns)
{
	uint32_t id = 0;
	*ret_runs = *ret_ns = 0;
	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && strncmp(info.name, "request_", 8) == 0) {
			*ret_runs += info.run_cnt;
			*ret_ns += info.run_time_ns;
		}
		close(fd);
	}
}

/* Wherever they run: completions come in interrupts, which no process pays for. Other programs' requests are among them. */
static void bench_programs(int fd, char *buffer)
{
	uint64_t runs, ns, runs_before, ns_before;
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0)
		return;
	uint64_t requests = accounts_sum(&live.accounts).blocks;
	programs_sum(&runs_before, &ns_before);
	cpu_ns_per_read(fd, buffer);
	programs_sum(&runs, &ns);
	requests = accounts_sum(&live.accounts).blocks - requests;
	close(stats);
	if (requests > 0) {
		figure_note("runs of programs per request", (double)(runs - runs_before) / (double)requests, "");
		figure_at_most("time in the programs per request", (double)(ns - ns_before) / (double)requests, 1000, "ns");
	}
}

static void bench_requests(int fd, char *buffer, unsigned rounds)
{
	double with[ROUNDS_MOST], without[ROUNDS_MOST], more[ROUNDS_MOST];
	struct accounts accounts = live.accounts;
	for (unsigned i = 0; i < rounds; i++) {
		char error[256];
		struct source_options options = {.config = &live.config, .max_processes = BLOCK_LIVE_MOST, .interval_ns = 200 * NS_PER_MS};
		with[i] = cpu_ns_per_read(fd, buffer);
		block_close(&live.block);
		without[i] = cpu_ns_per_read(fd, buffer);
		if (block_open(&options, &accounts, &live.block, error) < 0) {
			fprintf(stderr, "%s\n", error);
			exit(1);
		}
		more[i] = with[i] - without[i];
	}
	double median_without = figures_median(without, rounds), median_more = figures_median(more, rounds);
	figure_note("cpu of a 4 KiB read past the page cache, not watched", median_without / 1000, "us");
	figure_note("  watched, more (paired)", median_more, "ns");
	figure_at_most("  watched, ratio", (median_without + median_more) / median_without, 1.10, "x");
}

/* A tick over processes of which none, or each, ran. */
static double tick_ns(struct walk_record *records, struct raw_process *processes, uint8_t ran)
{
	double took[TICKS];
	struct raw_system system = {0};
	struct walk_view walk = {.records = records, .count = PROCESSES};
	for (uint32_t i = 0; i < PROCESSES; i++)
		records[i].ran = ran;
	for (unsigned i = 0; i < TICKS; i++) {
		struct source_tick tick = {0};
		uint64_t begin = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		block_collect(live.block, &walk, processes, &system, &tick);
		took[i] = (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / PROCESSES;
	}
	return figures_median(took, TICKS);
}

static void bench_tick(void)
{
	struct walk_record *records = calloc(PROCESSES, sizeof(*records));
	struct raw_process *processes = calloc(PROCESSES, sizeof(*processes));
	if (!records || !processes)
		exit(1);
	for (uint32_t i = 0; i < PROCESSES; i++) {
		records[i].pid = processes[i].pid = 100 + i;
		records[i].start_time_ns = i;
	}
	figure_note("a tick of 10,000 processes that all ran, per process", tick_ns(records, processes, 1), "ns");
	figure_at_most("a tick of 10,000 processes that slept, per process", tick_ns(records, processes, 0), 30, "ns");
	free(records);
	free(processes);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 15;
	const char *why_not = block_live_open(&live);
	void *buffer = NULL;
	if (why_not) {
		fprintf(stderr, "%s\n", why_not);
		block_live_close(&live);
		return 77;
	}
	int fd = block_live_file(&live, FILE_MIB, O_RDONLY | O_DIRECT);
	if (fd < 0 || posix_memalign(&buffer, BYTES, BYTES) != 0 || rounds == 0 || rounds > ROUNDS_MOST)
		return 1;
	cpu_ns_per_read(fd, buffer);
	bench_requests(fd, buffer, rounds);
	bench_programs(fd, buffer);
	bench_tick();
	free(buffer);
	close(fd);
	block_live_close(&live);
	return 0;
}
