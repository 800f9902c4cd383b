/*
 * meter_gpu.c - the thread of the gpu meters and what a tick makes of its results. The work is one of the test's own, which looks when the test
 * lets it: no sleeping, no clock.
 */
#include "collector/meters/gpu.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START UINT64_C(5000000000)

/* What the thread shall find next, and where it stands. */
struct script {
	sem_t begin, look, looked;
	bool hold_begin;
	int begin_result;
	struct gpu_result next;
	atomic_int ended;
	bool signals_blocked;
};

static int script_begin(void *context, char error[256])
{
	struct script *script = context;
	sigset_t blocked;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	script->signals_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGCHLD) == 1;
	if (script->hold_begin)
		sem_wait(&script->begin);
	if (script->begin_result < 0)
		snprintf(error, 256, "the test says no");
	return script->begin_result;
}

static void script_look(void *context, const atomic_bool *stop, struct gpu_result *result)
{
	struct script *script = context;
	sem_post(&script->looked); /* the look before is published */
	sem_wait(&script->look);
	if (atomic_load(stop))
		return;
	*result = script->next;
}

static void script_end(void *context)
{
	struct script *script = context;
	atomic_store(&script->ended, 1);
}

static const struct meter_operations operations = {.signal = RH_SIGNAL_gpu_drm, .tick = gpu_tick, .close = gpu_close};

static struct gpu_options options_of(struct script *script)
{
	return (struct gpu_options){
	        .operations = &operations,
	        .work = {.context = script, .begin = script_begin, .look = script_look, .end = script_end},
	        .name = "test",
	        .interval_ns = 1,
	        .begin_ns = (uint64_t)NS_PER_S * 60,
	        .close_ns = (uint64_t)NS_PER_S * 60,
	};
}

static struct script *script_new(void)
{
	struct script *script = calloc(1, sizeof(*script));
	assert_non_null(script);
	sem_init(&script->begin, 0, 0);
	sem_init(&script->look, 0, 0);
	sem_init(&script->looked, 0, 0);
	script->next.tells = true;
	script->next.busy_ratio = NAN;
	return script;
}

/* Lets the thread look once, and waits until that is published. */
static void look(struct script *script)
{
	sem_post(&script->look);
	sem_wait(&script->looked);
}

static struct meter *open_meter(struct script *script)
{
	char error[256] = "";
	struct meter *meter;
	const struct gpu_options options = options_of(script);
	assert_int_equal(gpu_open(&options, &meter, error), 0);
	sem_wait(&script->looked); /* it is about to look */
	return meter;
}

static void close_meter(struct script *script, struct meter *meter)
{
	sem_post(&script->look);
	gpu_close(&meter);
	assert_null(meter);
	assert_int_equal(atomic_load(&script->ended), 1);
	free(script);
}

struct machine {
	struct raw_process processes[3];
	struct raw_system system;
};

static struct machine machine_fresh(void)
{
	struct machine machine = {0};
	for (uint32_t i = 0; i < 3; i++) {
		machine.processes[i].pid = 10 + i;
		machine.processes[i].start_time_ns = START;
	}
	return machine;
}

static bool tick(struct meter *meter, uint64_t interval_ns, struct machine *machine)
{
	*machine = machine_fresh();
	return meter->operations->tick(meter, interval_ns, machine->processes, 3, &machine->system);
}

static void nothing_is_known_before_the_first_look(void **state)
{
	(void)state;
	struct script *script = script_new();
	struct meter *meter = open_meter(script);
	struct machine machine;
	assert_false(tick(meter, 100, &machine));
	for (int i = 0; i < 3; i++)
		assert_false(rh_has(machine.processes[i].present, RH_F_gpu_time_ns));
	assert_false(rh_has(machine.system.present, RH_S_gpu_contention_ratio));
	assert_true(script->signals_blocked);
	close_meter(script, meter);
}

static void a_tick_takes_the_newest(void **state)
{
	(void)state;
	struct script *script = script_new();
	struct meter *meter = open_meter(script);
	struct machine machine;
	script->next.busy_ratio = 0.25;
	script->next.looked_ns = 0;
	script->next.count = 1;
	script->next.users[0] = (struct gpu_user){.pid = 11, .start_time_ns = START, .time_ns = 700};
	look(script);
	script->next.users[0].time_ns = 900; /* nobody took the first */
	look(script);
	assert_true(tick(meter, 100, &machine));
	assert_true(rh_has(machine.processes[1].present, RH_F_gpu_time_ns));
	assert_int_equal(machine.processes[1].gpu_time_ns, 900);
	assert_false(rh_has(machine.processes[0].present, RH_F_gpu_time_ns));
	assert_false(rh_has(machine.processes[2].present, RH_F_gpu_time_ns));
	assert_true(rh_has(machine.system.present, RH_S_gpu_contention_ratio));
	assert_true(fabs(machine.system.gpu_busy_ratio - 0.25) < 1e-9);
	close_meter(script, meter);
}

/* The growth between two looks comes evenly over the time until the next, and never beyond. */
static void growth_is_handed_out_evenly(void **state)
{
	(void)state;
	struct script *script = script_new();
	struct meter *meter = open_meter(script);
	struct machine machine;
	script->next.count = 1;
	script->next.users[0] = (struct gpu_user){.pid = 10, .start_time_ns = START, .time_ns = 1000};
	look(script);
	tick(meter, 100, &machine);
	assert_int_equal(machine.processes[0].gpu_time_ns, 1000);
	script->next.users[0].time_ns = 1000 + UINT64_C(1000000000000);
	look(script);
	uint64_t before = 1000;
	tick(meter, 0, &machine);
	assert_int_equal(machine.processes[0].gpu_time_ns, 1000);
	/* The looks were thousands of ns apart, at the least: in one of them a little comes, in an hour all. */
	for (int i = 0; i < 3; i++) {
		tick(meter, 1, &machine);
		assert_true(machine.processes[0].gpu_time_ns >= before);
		before = machine.processes[0].gpu_time_ns;
	}
	assert_true(before > 1000);
	assert_true(before < 1000 + UINT64_C(1000000000000));
	tick(meter, (uint64_t)NS_PER_S * 3600, &machine);
	assert_true(machine.processes[0].gpu_time_ns == 1000 + UINT64_C(1000000000000));
	tick(meter, (uint64_t)NS_PER_S * 3600, &machine);
	assert_true(machine.processes[0].gpu_time_ns == 1000 + UINT64_C(1000000000000));
	close_meter(script, meter);
}

static void a_pid_used_again_is_not_the_user(void **state)
{
	(void)state;
	struct script *script = script_new();
	struct meter *meter = open_meter(script);
	struct machine machine;
	script->next.count = 2;
	script->next.users[0] = (struct gpu_user){.pid = 10, .start_time_ns = START - NS_PER_S, .time_ns = 5};
	script->next.users[1] = (struct gpu_user){.pid = 12, .start_time_ns = START - 7 * NS_PER_MS, .time_ns = 6}; /* whole clock ticks */
	look(script);
	assert_true(tick(meter, 100, &machine));
	assert_false(rh_has(machine.processes[0].present, RH_F_gpu_time_ns));
	assert_true(rh_has(machine.processes[2].present, RH_F_gpu_time_ns));
	close_meter(script, meter);
}

/* A machine with gpus of two kinds: each meter adds to what the other said. */
static void two_meters_add_up(void **state)
{
	(void)state;
	struct script *scripts[2] = {script_new(), script_new()};
	struct meter *meters[2] = {open_meter(scripts[0]), open_meter(scripts[1])};
	struct machine machine = machine_fresh();
	for (int i = 0; i < 2; i++) {
		scripts[i]->next.count = 1;
		scripts[i]->next.users[0] = (struct gpu_user){.pid = 10, .start_time_ns = START, .time_ns = i == 0 ? 100 : 30};
		scripts[i]->next.busy_ratio = i == 0 ? 0.5 : 0.25;
		look(scripts[i]);
		assert_true(meters[i]->operations->tick(meters[i], 100, machine.processes, 3, &machine.system));
	}
	assert_int_equal(machine.processes[0].gpu_time_ns, 130);
	assert_true(fabs(machine.system.gpu_busy_ratio - 0.5) < 1e-9);
	for (int i = 0; i < 2; i++)
		close_meter(scripts[i], meters[i]);
}

static void drivers_that_do_not_tell(void **state)
{
	(void)state;
	struct script *script = script_new();
	struct meter *meter = open_meter(script);
	struct machine machine;
	script->next.tells = false;
	script->next.busy_ratio = 0.5;
	look(script);
	assert_false(tick(meter, 100, &machine));
	assert_false(rh_has(machine.system.present, RH_S_gpu_contention_ratio));
	close_meter(script, meter);
}

static void as_many_users_as_there_is_room_for(void **state)
{
	(void)state;
	struct script *script = script_new();
	struct meter *meter = open_meter(script);
	struct raw_process *processes = calloc(GPU_USERS, sizeof(*processes));
	struct raw_system system = {0};
	assert_non_null(processes);
	script->next.count = GPU_USERS;
	for (uint32_t i = 0; i < GPU_USERS; i++) {
		/* Two pids in each place of the hash table. */
		script->next.users[i] = (struct gpu_user){.pid = 1 + i % 512 + i / 512 * 2048, .start_time_ns = START, .time_ns = i};
		processes[GPU_USERS - 1 - i] = (struct raw_process){.pid = script->next.users[i].pid, .start_time_ns = START};
	}
	look(script);
	assert_true(meter->operations->tick(meter, 100, processes, GPU_USERS, &system));
	for (uint32_t i = 0; i < GPU_USERS; i++)
		assert_int_equal(processes[GPU_USERS - 1 - i].gpu_time_ns, i);
	free(processes);
	close_meter(script, meter);
}

static void a_begin_that_fails(void **state)
{
	(void)state;
	struct script *script = script_new();
	char error[256] = "";
	struct meter *meter;
	script->begin_result = -EIO;
	const struct gpu_options options = options_of(script);
	assert_int_equal(gpu_open(&options, &meter, error), -EIO);
	assert_null(meter);
	assert_string_equal(error, "the test says no");
	assert_int_equal(atomic_load(&script->ended), 1);
	free(script);
}

/* One that takes long is not waited for: the meter is there, and works once it has begun. */
static void a_begin_that_takes_long(void **state)
{
	(void)state;
	struct script *script = script_new();
	char error[256] = "";
	struct meter *meter;
	struct machine machine;
	struct gpu_options options = options_of(script);
	script->hold_begin = true;
	options.begin_ns = 1;
	assert_int_equal(gpu_open(&options, &meter, error), 0);
	assert_false(tick(meter, 100, &machine));
	sem_post(&script->begin);
	sem_wait(&script->looked);
	look(script);
	assert_true(tick(meter, 100, &machine));
	close_meter(script, meter);
}

/* A thread that hangs in a driver is left alone, and frees what it has when it comes back. */
static void a_look_that_hangs(void **state)
{
	(void)state;
	struct script *script = script_new();
	char error[256] = "";
	struct meter *meter;
	struct gpu_options options = options_of(script);
	options.close_ns = 1;
	assert_int_equal(gpu_open(&options, &meter, error), 0);
	sem_wait(&script->looked);
	gpu_close(&meter); /* comes back although the look does not */
	assert_null(meter);
	assert_int_equal(atomic_load(&script->ended), 0);
	sem_post(&script->look);
	for (int i = 0; i < 60000 && atomic_load(&script->ended) == 0; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&script->ended), 1);
	free(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing_is_known_before_the_first_look),
	        cmocka_unit_test(a_tick_takes_the_newest),
	        cmocka_unit_test(growth_is_handed_out_evenly),
	        cmocka_unit_test(a_pid_used_again_is_not_the_user),
	        cmocka_unit_test(two_meters_add_up),
	        cmocka_unit_test(drivers_that_do_not_tell),
	        cmocka_unit_test(as_many_users_as_there_is_room_for),
	        cmocka_unit_test(a_begin_that_fails),
	        cmocka_unit_test(a_begin_that_takes_long),
	        cmocka_unit_test(a_look_that_hangs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
