/*
 * collector.c - the real rh-collector over a simulated machine, read through the public library.
 */
#include "tests/support/simulated_proc.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/near.h"

static const uint64_t ms_ns = 1000000;
static const char *const no_options[] = {NULL};

static int setup(void **state)
{
	static struct simulation simulation;
	simulation_begin(&simulation);
	*state = &simulation;
	return 0;
}

/* What a failed test left running. */
static int teardown(void **state)
{
	struct simulation *simulation = *state;
	if (simulation->collector > 0)
		simulation_end(simulation);
	return 0;
}

static void hog_appears_and_goes(void **state)
{
	struct simulation *simulation = *state;
	simulation_add(simulation, 100, "quiet")->start_ms = 5000;
	simulation_start(simulation, no_options);
	assert_int_equal(simulation->view.system.discontinuous, 1);
	simulation_step(simulation, 200, 0);
	assert_int_equal(simulation->view.system.discontinuous, 0);
	assert_near(simulation->view.system.max_score, 0, 1);

	struct simulated_process *hog = simulation_add(simulation, 200, "hog");
	hog->state = 'R';
	hog->run_ns = 150 * ms_ns;
	simulation_step(simulation, 200, 0.75);
	struct rh_process record = simulation_record(simulation, 200, false);
	assert_int_equal(record.flags, RH_PROCESS_new);
	assert_near(record.cpu_pct, 75, 0.5);
	assert_string_equal(record.command, "hog");

	hog->run_ns += 200 * ms_ns;
	simulation_step(simulation, 200, 1);
	record = simulation_record(simulation, 200, false);
	assert_near(record.cpu_pct, 100, 0.5);
	assert_int_equal(record.band, RH_BAND_medium);
	assert_int_equal(record.dominant_resource, RH_RESOURCE_cpu);
	assert_int_equal(simulation->view.system.rogue_count, 1);
	assert_int_equal(simulation->view.pids[0], 200);
	assert_near(simulation->view.system.cpu_processes_ratio, 0.25, 0.01);

	simulation_remove(simulation, 200);
	simulation_step(simulation, 200, 0);
	assert_int_equal(simulation->view.system.exited_count, 1);
	record = simulation_record(simulation, 200, true);
	assert_int_equal(record.cpu_time_ns, 350 * ms_ns);
	simulation_step(simulation, 200, 0);
	assert_int_equal(simulation->view.total, 1);
	assert_int_equal(simulation_end(simulation), 0);
}

/* Regression 8. */
static void reused_pid_is_another_process(void **state)
{
	struct simulation *simulation = *state;
	struct simulated_process *process = simulation_add(simulation, 300, "old");
	process->start_ms = 5000;
	process->run_ns = 5000000 * ms_ns;
	simulation_start(simulation, no_options);
	simulation_step(simulation, 200, 0);
	simulation_remove(simulation, 300);
	process = simulation_add(simulation, 300, "new");
	process->run_ns = 20 * ms_ns;
	simulation_step(simulation, 200, 0.1);
	struct rh_process record = simulation_record(simulation, 300, false);
	assert_string_equal(record.command, "new");
	assert_near(record.cpu_pct, 10, 0.5);
	record = simulation_record(simulation, 300, true);
	assert_string_equal(record.command, "old");
	assert_int_equal(simulation_end(simulation), 0);
}

/* Hogs on every cpu, light processes waiting for them: critical, and blamed for the waiting of all. */
static void who_makes_others_wait_is_critical(void **state)
{
	struct simulation *simulation = *state;
	for (uint32_t i = 0; i < 4; i++)
		simulation_add(simulation, 100 + i, "hog")->start_ms = 5000;
	for (uint32_t i = 0; i < 20; i++)
		simulation_add(simulation, 200 + i, "light")->start_ms = 5000;
	simulation_start(simulation, no_options);
	for (unsigned step = 0; step < 3; step++) {
		for (unsigned i = 0; i < simulation->count; i++) {
			struct simulated_process *process = &simulation->processes[i];
			process->run_ns += process->pid < 200 ? 195 * ms_ns : 1 * ms_ns;
			process->wait_ns += process->pid < 200 ? 0 : 30 * ms_ns;
			process->slices += 10;
		}
		simulation->psi_cpu_us += 200 * 1000;
		simulation_step(simulation, 200, 4);
	}
	double blame = 0, waiting = 0;
	struct rh_process record;
	for (uint32_t i = 0; rh_copy(&simulation->view, i, &record); i++) {
		blame += (double)record.cpu_blame_ms_per_s;
		waiting += (double)record.runnable_ms_per_s;
		assert_int_equal(record.band, record.pid < 200 ? RH_BAND_critical : RH_BAND_low);
	}
	assert_near(waiting, 20 * 150, 1);
	assert_near(blame, waiting, 1);
	assert_int_equal(simulation->view.system.stress, RH_STRESS_critical);
	assert_int_equal(simulation_end(simulation), 0);
}

static void time_is_what_the_machine_says(void **state)
{
	struct simulation *simulation = *state;
	simulation_add(simulation, 100, "quiet");
	simulation_start(simulation, no_options);
	simulation_step(simulation, 12340, 0);
	assert_int_equal(simulation->view.system.elapsed_ns, 12340 * ms_ns);
	assert_int_equal(simulation->view.system.monotonic_ns, simulation->uptime_ms * ms_ns);
	assert_int_equal(simulation->view.system.lateness_ns, 0);
	/* Simulated time is no sign of life: the heartbeat is of this machine, though a moment behind the sample. */
	enum rh_status status = RH_HUNG;
	for (unsigned i = 0; i < 500 && (status = rh_writer_status(simulation->ring)) != RH_RUNNING; i++)
		poll(NULL, 0, 10);
	assert_int_equal(status, RH_RUNNING);
	assert_int_equal(simulation_end(simulation), 0);
}

/* Regression 19: the name is removed under the living system. */
static void removed_segment_is_made_anew_within_one_sample(void **state)
{
	struct simulation *simulation = *state;
	char segment[80];
	simulation_add(simulation, 100, "quiet");
	simulation_start(simulation, no_options);
	assert_int_equal(rh_segment_name(simulation->instance, segment), RH_OK);
	assert_int_equal(shm_unlink(segment), 0);
	simulation->uptime_ms += 200;
	assert_int_equal(write(simulation->step_fd, "", 1), 1);
	struct rh_ring *ring = NULL;
	for (unsigned i = 0; i < 500 && rh_open(simulation->instance, &ring, NULL) != RH_OK; i++)
		poll(NULL, 0, 20);
	assert_non_null(ring);
	assert_true(collector_wait(ring, 0));
	assert_int_equal(rh_latest(ring, &simulation->view), RH_OK);
	assert_int_equal(simulation->view.sample, 1);
	assert_int_equal(simulation->view.system.discontinuous, 0);
	assert_int_equal(rh_writer_status(ring), RH_RUNNING);
	rh_close(&ring);
	assert_int_equal(simulation_end(simulation), 0);
}

static void so_many_samples_and_no_more(void **state)
{
	struct simulation *simulation = *state;
	const char *const three[] = {"--samples", "3", NULL};
	simulation_add(simulation, 100, "quiet");
	simulation_start(simulation, three);
	simulation_step(simulation, 200, 0);
	simulation_step(simulation, 200, 0);
	assert_int_equal(simulation_end(simulation), 0);
}

/* Sampler bpf is asked for, but it knows no simulated machine, if it is in this build at all: said in the sample, and the other one works. */
static void missing_back_end_is_replaced_openly(void **state)
{
	struct simulation *simulation = *state;
	const char *const bpf[] = {"--sampler", "bpf", NULL};
	simulation_add(simulation, 100, "quiet");
	simulation_start(simulation, bpf);
	assert_int_equal(simulation->view.system.sampler, RH_SAMPLER_procfs);
	assert_in_range(simulation->view.system.sampler_reason, RH_SAMPLER_REASON_not_built, RH_SAMPLER_REASON_refused);
	assert_int_equal(simulation_end(simulation), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(hog_appears_and_goes, setup, teardown),
	        cmocka_unit_test_setup_teardown(reused_pid_is_another_process, setup, teardown),
	        cmocka_unit_test_setup_teardown(who_makes_others_wait_is_critical, setup, teardown),
	        cmocka_unit_test_setup_teardown(time_is_what_the_machine_says, setup, teardown),
	        cmocka_unit_test_setup_teardown(removed_segment_is_made_anew_within_one_sample, setup, teardown),
	        cmocka_unit_test_setup_teardown(so_many_samples_and_no_more, setup, teardown),
	        cmocka_unit_test_setup_teardown(missing_back_end_is_replaced_openly, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
