/* collector.c - see collector.h. */
#include "collector/collector.h"

#include "base/file.h"
#include "base/log.h"
#include "collector/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_stepped(const struct collector *collector)
{
	return collector->options->step_fd >= 0;
}

/* ---- what a sample is told about its making ---- */

/*
 * In step mode time is what the simulated machine says, DIR/uptime, and passes by one interval where that stands still.
 */
static struct moment stepped_moment(const struct collector *collector)
{
	const struct moment *before = &collector->now;
	char path[CONFIG_TEXT_BYTES + 16], text[64];
	uint64_t uptime_ns = 0;
	snprintf(path, sizeof(path), "%s/uptime", collector->options->config.sampling_proc_root);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) > 0) {
		double seconds = strtod(text, NULL);
		uptime_ns = seconds > 0 && seconds < 1e9 ? (uint64_t)(seconds * NS_PER_S) : 0;
	}
	if (uptime_ns <= before->monotonic_ns)
		uptime_ns = before->monotonic_ns + collector->pace.base_ns;
	return (struct moment){.monotonic_ns = uptime_ns, .boottime_ns = uptime_ns, .realtime_ns = clock_now_ns(CLOCK_REALTIME)};
}

#define SET(field, value) \
	do { \
		system->field = (value); \
		rh_set(system->present, RH_S_##field); \
	} while (0)

static void honesty_fill(struct collector *collector, uint64_t lateness_ns, uint64_t begin_ns)
{
	struct rh_system *system = &collector->sample.system;
	SET(interval_ns, collector->pace.interval_ns);
	SET(lateness_ns, lateness_ns);
	SET(ticks_missed_count, collector->tick.missed);
	SET(sampler_reason, (uint8_t)collector->backend.reason);
	SET(signals, system->signals | collector->signals | stillness_fill(&collector->stillness, system));
	SET(self_cpu_ns, self_cpu_ns());
	uint64_t rss_bytes = self_rss_bytes(&collector->self, begin_ns);
	if (rss_bytes > 0)
		SET(self_rss_bytes, rss_bytes);
	if (pace_is_slowed(&collector->pace))
		system->degraded |= RH_DEGRADED_slower_rate;
	SET(scan_ns, clock_now_ns(CLOCK_MONOTONIC) - begin_ns);
}
#undef SET

/* ---- one sample ---- */

/*
 * Time the source should use at most. A quarter of what is allowed is left to scores and publishing: work that can be put off must not
 * lengthen the interval.
 */
static uint64_t budget_ns(const struct collector *collector)
{
	return (uint64_t)((double)collector->pace.interval_ns * collector->pace.allowed * 0.75);
}

static int sample_now(struct collector *collector)
{
	collector->now = is_stepped(collector) ? stepped_moment(collector) : moment_now();
	return sample_take(&collector->sample, &collector->now, budget_ns(collector));
}

static int publish_now(struct collector *collector, uint64_t lateness_ns, uint64_t begin_ns)
{
	struct publish_batch batch = sample_batch(&collector->sample);
	honesty_fill(collector, lateness_ns, begin_ns);
	int result = publish_sample(&collector->publish, &collector->sample.system, &batch, collector->pace.interval_ns);
	if (result == 0)
		collector->published++;
	return result;
}

/* Says that something fails, or works again, when that changes. */
static void say_change(bool *fails, bool fails_now, const char *event, const char *what, const char *why)
{
	if (fails_now && !*fails)
		log_say(LOG_ERROR_, event, "%s: %s; trying again", what, why);
	else if (!fails_now && *fails)
		log_say(LOG_INFO_, event, "%s: works again", what);
	*fails = fails_now;
}

static void pace_adapt(struct collector *collector, uint64_t cpu_ns)
{
	uint64_t before_ns = collector->pace.interval_ns;
	uint64_t interval_ns = pace_update(&collector->pace, cpu_ns);
	if (interval_ns != before_ns)
		log_say(LOG_INFO_, "interval", "a sample takes %.1f ms of cpu: the interval is now %.3f s",
		        collector->pace.cost_ns / NS_PER_MS, (double)interval_ns / NS_PER_S);
}

/* What our programs in the kernel took since the sample before, on behalf of others. */
static uint64_t hooks_ns(const struct collector *collector)
{
	const struct rh_system *system = &collector->sample.system;
	bool known = rh_has(system->present, RH_S_hook_cost_ratio) && rh_has(system->present, RH_S_elapsed_ns);
	return known ? (uint64_t)((double)system->hook_cost_ratio * (double)system->elapsed_ns) : 0;
}

/*
 * When the sample that is at work should be published: the cpu time of one, twice over. A sample that is being taken and takes its time is not put ahead:
 * what holds it up is its own work.
 */
static uint64_t expected_end_ns(const struct collector *collector, uint64_t begin_ns)
{
	return begin_ns + 2 * (uint64_t)collector->pace.cost_ns;
}

static void tick_serve(struct collector *collector)
{
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC), cpu_ns = self_cpu_ns();
	uint64_t lateness_ns = is_stepped(collector) ? 0 : tick_lateness_ns(&collector->tick, begin_ns);
	/* Before the sample, so that it tells of the ticks that its own lateness has cost. */
	if (!is_stepped(collector))
		tick_next(&collector->tick, begin_ns, collector->pace.interval_ns);
	stillness_expect(&collector->stillness, expected_end_ns(collector, begin_ns));

	uint32_t rings = collector->publish.rings;
	int result = sample_now(collector);
	say_change(&collector->source_fails, result < 0, "source", "processes cannot be read", strerror(result < 0 ? -result : 0));
	if (result == 0) {
		result = publish_now(collector, lateness_ns, begin_ns);
		say_change(&collector->ring_fails, result < 0, "ring", "samples cannot be published", collector->publish.error);
	}
	if (collector->publish.rings != rings)
		log_say(LOG_WARNING_, "ring", "the ring was removed or replaced: a new one has been created");
	if (!is_stepped(collector))
		pace_adapt(collector, self_cpu_ns() - cpu_ns + hooks_ns(collector));
	stillness_done(&collector->stillness, collector->tick.due_ns);
}

/* ---- life ---- */

/* A machine in trouble makes samples slow; a collector that gets on with one does not hang. */
static void show_progress(void *context)
{
	struct collector *collector = context;
	publish_heartbeat(&collector->publish);
}

static uint64_t meters_add(void *context, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system)
{
	struct collector *collector = context;
	return meters_tick(&collector->meters, interval_ns, processes, count, system);
}

static enum collector_exit source_open(struct collector *collector, char error[256])
{
	const struct config *config = &collector->options->config;
	struct source_options options = {
	        .proc_root = config->sampling_proc_root,
	        .interval_ns = collector->pace.base_ns,
	        .max_processes = (uint32_t)config->sampling_max_processes,
	        .refresh_parts = (uint32_t)config->sampling_refresh_parts,
	        .thread_limit = (uint32_t)config->sampling_thread_limit,
	        .fd_limit = (uint32_t)config->sampling_fd_limit,
	        .config = config,
	        .progress = show_progress,
	        .progress_context = collector,
	};
	if (backend_open(config->sampling_sampler, &options, &collector->backend, error) < 0)
		return COLLECTOR_FAILED;
	if (collector->backend.note[0])
		log_say(LOG_WARNING_, "sampler", "%s", collector->backend.note);
	sample_open(&collector->sample, config, collector->backend.source, &collector->pool, options.max_processes);
	const struct meter_options meter_options = {
	        .config = config,
	        .proc_root = config->sampling_proc_root,
	        .sys_root = "/sys",
	        .max_processes = options.max_processes,
	};
	/* A simulated machine has none of this one's devices. */
	if (!is_stepped(collector))
		meters_open(&collector->meters, &meter_options);
	collector->sample.add = meters_add;
	collector->sample.add_context = collector;
	if (!collector->pool.failed)
		return COLLECTOR_OK;
	snprintf(error, 256, "no memory for %u processes: lower sampling.max_processes", options.max_processes);
	return COLLECTOR_RESOURCES;
}

/* The group that may read the ring. */
static enum collector_exit group_find(const struct config *config, uint32_t *ret_group, char error[256])
{
	*ret_group = UINT32_MAX;
	if (!config->ring_group[0])
		return COLLECTOR_OK;
	const struct group *group = getgrnam(config->ring_group);
	if (!group) {
		snprintf(error, 256, "ring.group: there is no such group");
		return COLLECTOR_USAGE;
	}
	*ret_group = group->gr_gid;
	return COLLECTOR_OK;
}

/* Start of this process as its own sample tells it, so that readers can compare; the time of the sample where it is not listed. */
static uint64_t own_start_ns(const struct collector *collector)
{
	for (uint32_t i = 0; i < collector->sample.count; i++)
		if (collector->sample.records[i].pid == (uint32_t)getpid())
			return collector->sample.records[i].start_time_ns;
	return collector->now.boottime_ns;
}

static enum collector_exit ring_open(struct collector *collector, char error[256])
{
	const struct config *config = &collector->options->config;

	self_boot_id(config->sampling_proc_root, collector->boot_id);
	struct publish_options options = {
	        .config = config,
	        .instance = collector->options->instance,
	        .boot_id = collector->boot_id[0] ? collector->boot_id : NULL,
	        .interval_ns = collector->pace.base_ns,
	        .memory_bytes = collector->sample.system.mem_total_bytes,
	        .writer_start_ns = own_start_ns(collector),
	        .processes = collector->sample.count,
	        .capacity = collector->sample.rows,
	        .group = collector->ring_group,
	};
	int result = publish_open(&collector->publish, &options, &collector->pool);
	if (result == 0 && !collector->pool.failed)
		return COLLECTOR_OK;
	snprintf(error, 256, "%s",
	        collector->pool.failed ? "no memory to order processes: lower sampling.max_processes" : collector->publish.error);
	return result == -ENOSPC || collector->pool.failed ? COLLECTOR_RESOURCES : COLLECTOR_FAILED;
}

static void say_ready(const struct collector *collector)
{
	int fd = collector->options->ready_fd;
	if (fd < 0)
		return;
	/* Who asked for it may be gone: then nobody waits. */
	(void)file_write_all(fd, "ready\n", 6);
	close(fd);
}

enum collector_exit collector_open(struct collector *collector, const struct options *options, char error[256])
{
	const struct config *config = &options->config;
	memset(collector, 0, sizeof(*collector));
	collector->options = options;
	collector->tick = (struct tick){.timer_fd = -1, .signal_fd = -1};
	pace_init(&collector->pace, (uint64_t)(config->sampling_interval * NS_PER_S), config->sampling_max_cpu);
	self_open(&collector->self);
	enum collector_exit code = group_find(config, &collector->ring_group, error);
	if (code != COLLECTOR_OK)
		return code;
	collector->signals = self_protect();
	uint64_t keep = rights_prepare(collector->ring_group);
	/* A simulated machine does not stand still when this one does. */
	if (!is_stepped(collector))
		stillness_open(&collector->stillness, config);
	/* Before all else: what is opened from here on is opened with the rights that are kept, and so can be opened again. */
	rights_drop(keep);
	int result = tick_open(&collector->tick, options->step_fd);
	if (result < 0) {
		snprintf(error, 256, "no timer: %s", strerror(-result));
		return COLLECTOR_FAILED;
	}
	code = source_open(collector, error);
	if (code != COLLECTOR_OK)
		return code;

	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	result = sample_now(collector);
	if (result < 0) {
		snprintf(error, 256, "processes cannot be read below %.128s: %s", config->sampling_proc_root, strerror(-result));
		return COLLECTOR_FAILED;
	}
	code = ring_open(collector, error);
	if (code != COLLECTOR_OK)
		return code;
	result = publish_now(collector, 0, begin_ns);
	if (result < 0) {
		snprintf(error, 256, "the first sample cannot be published: %.200s", collector->publish.error);
		return COLLECTOR_FAILED;
	}
	say_ready(collector);
	return COLLECTOR_OK;
}

void collector_run(struct collector *collector)
{
	uint64_t wanted = collector->options->samples;
	if (tick_start(&collector->tick, clock_now_ns(CLOCK_MONOTONIC) + collector->pace.interval_ns) < 0)
		return;
	stillness_done(&collector->stillness, collector->tick.due_ns);
	while (wanted == 0 || collector->published < wanted) {
		switch (tick_wait(&collector->tick)) {
		case TICK_DUE:
			tick_serve(collector);
			break;
		case TICK_QUIET:
			publish_heartbeat(&collector->publish);
			break;
		case TICK_STOP:
			return;
		}
	}
}

void collector_close(struct collector *collector)
{
	stillness_close(&collector->stillness);
	publish_close(&collector->publish);
	meters_close(&collector->meters);
	if (collector->backend.source)
		collector->backend.source->operations->close(&collector->backend.source);
	pool_release(&collector->pool);
	tick_close(&collector->tick);
	self_close(&collector->self);
}
