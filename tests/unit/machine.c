/* machine.c - the system record: rates, and the account of all cpu time. */
#include "collector/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/near.h"

static const struct span one_second = {.elapsed_ns = NS_PER_S, .begin_boottime_ns = 1, .comparable = true};

static const struct machine_sums nothing_ran = {0};

static struct raw_system reading(void)
{
	struct raw_system raw = {.present = {UINT64_MAX, UINT64_MAX}, .cpus = 4};
	return raw;
}

static void cpu_time_is_accounted_for_wholly(void **state)
{
	(void)state;
	struct raw_system before = reading(), now = reading();
	struct rh_system system = {0};
	now.cpu_busy_ns = 1500 * (uint64_t)NS_PER_MS;
	now.cpu_irq_ns = 100 * (uint64_t)NS_PER_MS;
	now.cpu_steal_ns = 400 * (uint64_t)NS_PER_MS;
	now.cpu_iowait_ns = 600 * (uint64_t)NS_PER_MS;
	now.cpu_idle_ns = 1500 * (uint64_t)NS_PER_MS;
	assert_true(machine_fill(&system, &now, &before, &one_second, &(struct machine_sums){.cpu_ns = 1.2 * NS_PER_S}));
	assert_near(system.cpu_busy_ratio, 0.375, 1e-6);
	assert_near(system.cpu_irq_ratio, 0.025, 1e-6);
	assert_near(system.cpu_steal_ratio, 0.1, 1e-6);
	assert_near(system.cpu_iowait_ratio, 0.15, 1e-6);
	assert_near(system.cpu_processes_ratio, 0.3, 1e-6);
	assert_near(system.cpu_unattributed_ratio, 0.05, 1e-6);
	double idle_ratio = 0.375;
	assert_near(system.cpu_processes_ratio + system.cpu_unattributed_ratio + system.cpu_irq_ratio + system.cpu_steal_ratio +
	                    system.cpu_iowait_ratio + (float)idle_ratio,
	        1, 1e-6);
}

static void pressure_and_disks_are_rates(void **state)
{
	(void)state;
	struct raw_system before = reading(), now = reading();
	struct rh_system system = {0};
	struct span half = {.elapsed_ns = NS_PER_S / 2, .begin_boottime_ns = 1, .comparable = true};
	now.psi_memory_full_ns = 50 * (uint64_t)NS_PER_MS;
	now.disk_read_bytes = 4096;
	now.disk_requests = 4;
	now.disk_request_ns = 8 * (uint64_t)NS_PER_MS;
	now.cpu_idle_ns = 2 * (uint64_t)NS_PER_S;
	assert_true(machine_fill(&system, &now, &before, &half, &nothing_ran));
	assert_near(system.psi_memory_full_ms_per_s, 100, 1e-4);
	assert_near(system.disk_read_bytes_per_s, 8192, 1e-2);
	assert_near(system.disk_latency_ns, 2e6, 1);
	now.disk_requests = 0;
	memset(&system, 0, sizeof(system));
	assert_true(machine_fill(&system, &now, &before, &half, &nothing_ran));
	assert_false(rh_has(system.present, RH_S_disk_latency_ns));
}

/* User and system time are whole ticks of who was met: a guess in a short interval. Idle time is clocked. */
static void busy_is_what_was_not_idle(void **state)
{
	(void)state;
	struct raw_system before = reading(), now = reading();
	struct rh_system system = {0};
	struct span short_span = {.elapsed_ns = 50 * (uint64_t)NS_PER_MS, .begin_boottime_ns = 1, .comparable = true};
	now.cpu_busy_ns = 12 * (uint64_t)NS_PER_MS;
	now.cpu_idle_ns = 140 * (uint64_t)NS_PER_MS;
	const struct machine_sums sums = {.cpu_ns = 60.0 * NS_PER_MS};
	assert_true(machine_fill(&system, &now, &before, &short_span, &sums));
	assert_near(system.cpu_busy_ratio, 0.3, 1e-6);
	assert_near(system.cpu_processes_ratio, 0.3, 1e-6);
	assert_near(system.cpu_unattributed_ratio, 0, 1e-6);
	assert_false(rh_has(system.present, RH_S_brief_cpu_ratio));
	assert_false(rh_has(system.present, RH_S_brief_processes_count));
	assert_false(rh_has(system.present, RH_S_run_delay_ms_per_s));
}

static void what_the_kernel_was_watched_for_is_passed_on(void **state)
{
	(void)state;
	struct raw_system before = reading(), now = reading();
	struct rh_system system = {0};
	struct span half = {.elapsed_ns = NS_PER_S / 2, .begin_boottime_ns = 1, .comparable = true};
	now.cpu_idle_ns = 2 * (uint64_t)NS_PER_S;
	now.switches = 5000;
	now.run_delay_unowned_ns = 3 * (uint64_t)NS_PER_MS;
	now.hook_ns = NS_PER_MS;
	now.waiting = 7;
	now.disk_slowest_device = 8 << 20;
	now.disk_slowest_latency_ns = 2e6F;
	now.disk_latency_max_ns = 9e6F;
	now.kernel_bytes = 1 << 20;
	const struct machine_sums sums = {
	        .cpu_ns = 2e8,
	        .brief_cpu_ns = 1e8,
	        .brief_count = 42,
	        .briefs_known = true,
	        .run_delay_ms_per_s = 12,
	        .run_delay_known = true,
	};
	assert_true(machine_fill(&system, &now, &before, &half, &sums));
	assert_near(system.switches_per_s, 10000, 1e-2);
	assert_near(system.run_delay_unattributed_ms_per_s, 6, 1e-4);
	assert_near(system.run_delay_ms_per_s, 12, 1e-4);
	assert_near(system.hook_cost_ratio, 0.002, 1e-7);
	assert_near(system.brief_cpu_ratio, 0.05, 1e-6);
	assert_int_equal(system.brief_processes_count, 42);
	assert_int_equal(system.waiting_count, 7);
	assert_int_equal(system.disk_slowest_device, 8 << 20);
	assert_near(system.disk_slowest_latency_ns, 2e6, 1);
	assert_near(system.disk_latency_max_ns, 9e6, 1);
	assert_int_equal(system.self_kernel_bytes, 1 << 20);
}

/* Regression 10: a cpu went away and took its counters along. */
static void counters_that_ran_backwards_are_left_out(void **state)
{
	(void)state;
	struct raw_system before = reading(), now = reading();
	struct rh_system system = {0};
	before.cpu_busy_ns = 9 * (uint64_t)NS_PER_S;
	now.cpu_busy_ns = 7 * (uint64_t)NS_PER_S;
	now.cpu_idle_ns = NS_PER_S;
	assert_false(machine_fill(&system, &now, &before, &one_second, &nothing_ran));
	assert_false(rh_has(system.present, RH_S_cpu_busy_ratio));
	assert_false(rh_has(system.present, RH_S_cpu_unattributed_ratio));
	assert_true(rh_has(system.present, RH_S_cpus_count));
}

static void without_comparable_span_there_are_levels_alone(void **state)
{
	(void)state;
	struct raw_system now = reading();
	struct rh_system system = {0};
	struct span first = {0};
	now.load = 1.5;
	assert_true(machine_fill(&system, &now, &now, &first, &nothing_ran));
	assert_false(rh_has(system.present, RH_S_cpu_busy_ratio));
	assert_false(rh_has(system.present, RH_S_psi_io_full_ms_per_s));
	assert_near(system.load_ratio, 1.5, 1e-6);
}

static void what_the_source_lacks_is_absent(void **state)
{
	(void)state;
	struct raw_system none = {0};
	struct rh_system system = {0};
	const uint64_t nothing[2] = {0};
	assert_true(machine_fill(&system, &none, &none, &one_second, &(struct machine_sums){.cpu_ns = 5e8}));
	assert_memory_equal(system.present, nothing, sizeof(nothing));
}

/* Names come from the kernel as they are: what is longer than a name is cut. */
static void rare_events_are_passed_on(void **state)
{
	(void)state;
	struct raw_system before = reading(), now = reading();
	struct rh_system system = {0};
	before.lock_delay_ns = 500 * (uint64_t)NS_PER_MS;
	now.lock_delay_ns = 1750 * (uint64_t)NS_PER_MS;
	now.self_stopped_ns = 3e8f;
	now.stop_sender_pid = 551;
	now.oom_victim_pid = 811;
	now.throttled = 3;
	memcpy(now.stop_sender_command, "bash", sizeof("bash"));
	memset(now.oom_victim_command, 'x', sizeof(now.oom_victim_command));
	assert_true(machine_fill(&system, &now, &before, &one_second, &nothing_ran));
	assert_near(system.lock_delay_ms_per_s, 1250, 0.01);
	assert_near(system.self_stopped_ns, 3e8, 1);
	assert_int_equal(system.stop_sender_pid, 551);
	assert_string_equal(system.stop_sender_command, "bash");
	assert_int_equal(system.oom_victim_pid, 811);
	assert_string_equal(system.oom_victim_command, "xxxxxxxxxxxxxxx");
	assert_int_equal(system.throttled_processes_count, 3);

	struct rh_system without = {0};
	now.present[RH_S_stop_sender_command / 64] &= ~(UINT64_C(1) << RH_S_stop_sender_command % 64);
	now.present[RH_S_lock_delay_ms_per_s / 64] &= ~(UINT64_C(1) << RH_S_lock_delay_ms_per_s % 64);
	assert_true(machine_fill(&without, &now, &before, &one_second, &nothing_ran));
	assert_false(rh_has(without.present, RH_S_stop_sender_command));
	assert_string_equal(without.stop_sender_command, "");
	assert_false(rh_has(without.present, RH_S_lock_delay_ms_per_s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(cpu_time_is_accounted_for_wholly),
	        cmocka_unit_test(pressure_and_disks_are_rates),
	        cmocka_unit_test(busy_is_what_was_not_idle),
	        cmocka_unit_test(what_the_kernel_was_watched_for_is_passed_on),
	        cmocka_unit_test(counters_that_ran_backwards_are_left_out),
	        cmocka_unit_test(without_comparable_span_there_are_levels_alone),
	        cmocka_unit_test(what_the_source_lacks_is_absent),
	        cmocka_unit_test(rare_events_are_passed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
