/*
 * collector.c - a live rh-collector that is stopped, ended and killed: what its readers see then.
 */
#include "tests/support/simulated_proc.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { STOPPED_MS = 400 }; /* several intervals of 50 ms */

struct live {
	char instance[64], segment[80];
	pid_t collector;
	struct rh_ring *ring;
	struct rh_view view;
};

/* Starts a collector with this configuration, and waits for its third sample. */
static struct live *begin(const char *config)
{
	static struct live live;
	int ready[2], configuration = memfd_create("configuration", 0);
	char line[8], config_fd[16];
	snprintf(live.instance, sizeof(live.instance), "live-%d", (int)getpid());
	assert_int_equal(rh_segment_name(live.instance, live.segment), RH_OK);
	assert_int_equal(pipe(ready), 0);
	assert_true(dprintf(configuration, "sampling.interval=0.05\n%s", config) > 0);
	snprintf(config_fd, sizeof(config_fd), "%d", configuration);
	const char *const options[] = {"--name", live.instance, "--config-fd", config_fd, "--ready-fd", "@", NULL};
	live.collector = collector_spawn(options, ready[1]);
	close(ready[1]);
	close(configuration);
	assert_int_equal(read(ready[0], line, sizeof(line)), 6);
	close(ready[0]);
	assert_int_equal(rh_open(live.instance, &live.ring, NULL), RH_OK);
	assert_true(collector_wait(live.ring, 2));
	return &live;
}

static int setup(void **state)
{
	*state = begin("");
	return 0;
}

/* So little cpu that no machine samples twenty times a second with it. */
static int setup_with_little_cpu(void **state)
{
	*state = begin("sampling.max_cpu=0.1\n");
	return 0;
}

/* Waits for the end of the collector. Returns its wait status. */
static int end_of(struct live *live)
{
	int status = 0;
	assert_int_equal(waitpid(live->collector, &status, 0), live->collector);
	live->collector = 0;
	return status;
}

static int teardown(void **state)
{
	struct live *live = *state;
	if (live->collector > 0) {
		kill(live->collector, SIGKILL);
		end_of(live);
	}
	rh_close(&live->ring);
	shm_unlink(live->segment);
	return 0;
}

static void stopped_collector_tells_of_missed_ticks(void **state)
{
	struct live *live = *state;
	assert_int_equal(rh_latest(live->ring, &live->view), RH_OK);
	uint64_t missed_before = live->view.system.ticks_missed_count;
	assert_int_equal(kill(live->collector, SIGSTOP), 0);
	int status;
	assert_int_equal(waitpid(live->collector, &status, WUNTRACED), live->collector);
	uint64_t seen = rh_newest(live->ring);
	poll(NULL, 0, STOPPED_MS);
	assert_int_equal(rh_newest(live->ring), seen);
	assert_int_equal(kill(live->collector, SIGCONT), 0);
	assert_true(collector_wait(live->ring, seen));
	assert_int_equal(rh_at(live->ring, seen + 1, &live->view), RH_OK);
	const struct rh_system *system = &live->view.system;
	/* Told in the first sample after, and its rates are over the time that really passed. */
	assert_true(system->ticks_missed_count > missed_before);
	assert_true(system->lateness_ns > system->interval_ns);
	assert_true(system->elapsed_ns > STOPPED_MS * UINT64_C(1000000));
	assert_int_equal(system->discontinuous, 0);
}

static void terminated_collector_closes_in_good_order(void **state)
{
	struct live *live = *state;
	struct rh_ring *other;
	assert_int_equal(kill(live->collector, SIGTERM), 0);
	assert_int_equal(end_of(live), 0);
	assert_int_equal(rh_writer_status(live->ring), RH_CLOSED);
	assert_int_equal(rh_open(live->instance, &other, NULL), RH_NO_SEGMENT);
	/* What was published can still be read. */
	assert_int_equal(rh_latest(live->ring, &live->view), RH_OK);
}

static void killed_collector_leaves_its_samples(void **state)
{
	struct live *live = *state;
	struct rh_ring *late;
	assert_int_equal(kill(live->collector, SIGKILL), 0);
	assert_true(WIFSIGNALED(end_of(live)));
	assert_int_equal(rh_writer_status(live->ring), RH_DEAD);
	assert_int_equal(rh_open(live->instance, &late, NULL), RH_OK);
	assert_int_equal(rh_latest(late, &live->view), RH_OK);
	assert_true(live->view.count > 0 && rh_valid(&live->view));
	rh_close(&late);
}

static void costly_sampling_is_slowed_openly(void **state)
{
	struct live *live = *state;
	bool is_slowed = false;
	for (unsigned i = 0; i < 20 && !is_slowed; i++) {
		assert_true(collector_wait(live->ring, rh_newest(live->ring)));
		assert_int_equal(rh_latest(live->ring, &live->view), RH_OK);
		is_slowed = (live->view.system.degraded & RH_DEGRADED_slower_rate) != 0;
	}
	assert_true(is_slowed);
	assert_true(live->view.system.interval_ns > 50 * UINT64_C(1000000));
}

/* A second one under the same name does not start, and does not disturb the first. */
static void second_collector_is_refused(void **state)
{
	struct live *live = *state;
	const char *const options[] = {"--name", live->instance, "--samples", "1", NULL};
	int status = 0;
	pid_t second = collector_spawn(options, -1);
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_int_equal(rh_writer_status(live->ring), RH_RUNNING);
	assert_true(collector_wait(live->ring, rh_newest(live->ring)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(stopped_collector_tells_of_missed_ticks, setup, teardown),
	        cmocka_unit_test_setup_teardown(terminated_collector_closes_in_good_order, setup, teardown),
	        cmocka_unit_test_setup_teardown(costly_sampling_is_slowed_openly, setup_with_little_cpu, teardown),
	        cmocka_unit_test_setup_teardown(second_collector_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(killed_collector_leaves_its_samples, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
