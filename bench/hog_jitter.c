/*
 * hog_jitter.c - how right the cpu time of a hog is in intervals of 50 ms: the growth that rh-collector publishes from sample to sample against the
 * hog's own clock at the same two moments; by each back end, for a hog without a break and for one that sleeps often.
 */
#include "base/clock.h"
#include "bench/figures.h"
#include "tests/support/hog.h"
#include "tests/support/live_collector.h"

#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 200, WARM_UP = 10, STAMPED_MS = 15 };

struct errors {
	double us[SAMPLES];
	unsigned count;
	bool is_right;
};

static void measure(struct errors *errors, const char *sampler, const struct hog *hog)
{
	struct live_collector live;
	struct rh_process record;
	char config[96];
	double truth, truth_before = -1, value_before = 0;
	uint64_t sample_before = 0;
	snprintf(config, sizeof(config), "sampling.interval=0.05\nsampling.max_cpu=100\nsampling.sampler=%s\n", sampler);
	errors->count = 0;
	if (!live_collector_start(&live, "hog", config))
		exit(1);
	for (unsigned i = 0; i < SAMPLES + WARM_UP; i++) {
		if (!live_collector_await(&live, clock_now_ns(CLOCK_MONOTONIC)))
			break;
		poll(NULL, 0, STAMPED_MS); /* the hog's next stamp is needed too */
		/* The kernel-direct sample is of its moment; from /proc a process is read at some time between the begin of the sample and its end. */
		uint64_t moment_ns = live.view.system.monotonic_ns + (sampler[0] == 'p' ? live.view.system.scan_ns / 2 : 0);
		if (!live_collector_find(&live, hog->pid, false, &record) || !hog_cpu_at(hog, moment_ns, &truth))
			continue;
		if (i >= WARM_UP && truth_before >= 0 && live.view.sample == sample_before + 1)
			errors->us[errors->count++] =
			        fabs(((double)record.cpu_time_ns - value_before) - (truth - truth_before)) / NS_PER_US;
		truth_before = truth;
		value_before = (double)record.cpu_time_ns;
		sample_before = live.view.sample;
	}
	errors->is_right = (live.view.system.sampler == RH_SAMPLER_procfs) == (sampler[0] == 'p');
	live_collector_stop(&live);
}

static void print_errors(const char *what, struct errors *errors)
{
	char text[96];
	if (!errors->is_right || errors->count < SAMPLES / 4) {
		printf("  %s: left out, %u intervals compared\n", what, errors->count);
		return;
	}
	double median = figures_median(errors->us, errors->count);
	snprintf(text, sizeof(text), "  %s: median", what);
	figure_note(text, median, "us");
	snprintf(text, sizeof(text), "  %s: 99th percentile", what);
	figure_at_most(text, errors->us[errors->count * 99 / 100], 500, "us");
}

static void run(const char *what, unsigned rest_us)
{
	static struct errors bpf, procfs;
	struct hog hog;
	if (!hog_start(&hog, rest_us))
		exit(1);
	measure(&bpf, "bpf", &hog);
	measure(&procfs, "procfs", &hog);
	hog_stop(&hog);
	printf("%s, error of its cpu time in 50 ms:\n", what);
	print_errors("kernel-direct", &bpf);
	print_errors("/proc", &procfs);
}

int main(void)
{
	run("a hog without a break", 0);
	run("one that sleeps after each millisecond", 300);
	return 0;
}
