/*
 * collector_allocations.c - a thousand samples of this machine's own /proc, scored and published, while processes come and go: not one
 * allocation.
 */
#include "collector/publish.h"
#include "collector/sample.h"
#include "collector/self.h"

#include "tests/support/allocations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAMPLES = 1000, FORK_EACH = 5, CAPACITY = 8192 };
static const uint64_t interval_ns = 200 * (uint64_t)NS_PER_MS;

struct parts {
	struct config config;
	struct pool pool;
	struct source *source;
	struct sample sample;
	struct publish publish;
	struct self self;
	char instance[40];
};

static void take(struct parts *parts)
{
	struct moment now = moment_now();
	assert_int_equal(sample_take(&parts->sample, &now, interval_ns), 0);
}

static void begin(struct parts *parts)
{
	char error[256];
	const struct source_options source = {
	        .proc_root = "/proc",
	        .interval_ns = interval_ns,
	        .max_processes = CAPACITY,
	        .refresh_parts = 16,
	        .thread_limit = 64,
	        .fd_limit = 1024,
	};
	config_defaults(&parts->config);
	parts->config.ring_min_mib = parts->config.ring_max_mib = 4;
	assert_int_equal(source_procfs_open(&source, &parts->source, error), 0);
	sample_open(&parts->sample, &parts->config, parts->source, &parts->pool, CAPACITY);
	assert_false(parts->pool.failed);
	take(parts);
	snprintf(parts->instance, sizeof(parts->instance), "allocations-%d", (int)getpid());
	const struct publish_options publish = {
	        .config = &parts->config,
	        .instance = parts->instance,
	        .interval_ns = interval_ns,
	        .processes = parts->sample.count,
	        .capacity = 2 * CAPACITY,
	        .group = UINT32_MAX,
	};
	assert_int_equal(publish_open(&parts->publish, &publish, &parts->pool), 0);
	self_open(&parts->self);
}

static void sampling_allocates_nothing(void **state)
{
	static struct parts parts;
	unsigned long made = 0, exited = 0;
	(void)state;
	begin(&parts);
	for (unsigned i = 0; i < SAMPLES; i++) {
		pid_t child = i % FORK_EACH == 0 ? fork() : -1;
		if (child == 0)
			_exit(0);
		unsigned long before = allocations;
		take(&parts);
		struct publish_batch batch = sample_batch(&parts.sample);
		parts.sample.system.self_rss_bytes = self_rss_bytes(&parts.self, parts.sample.system.monotonic_ns);
		assert_int_equal(publish_sample(&parts.publish, &parts.sample.system, &batch, interval_ns), 0);
		made += allocations - before;
		exited += parts.sample.system.exited_count;
		if (child > 0)
			assert_int_equal(waitpid(child, NULL, 0), child);
	}
	publish_close(&parts.publish);
	parts.source->operations->close(&parts.source);
	self_close(&parts.self);
	pool_release(&parts.pool);
	assert_int_equal(made, 0);
	assert_true(exited > 0); /* processes did come and go */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sampling_allocates_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
