/* machine.c - see machine.h. */
#include "collector/machine.h"

#include <math.h>
#include <string.h>

/* Copies a raw member to a field, if the source has it. */
#define COPY(member, field) \
	do { \
		if (rh_has(now->present, RH_S_##field)) { \
			system->field = now->member; \
			rh_set(system->present, RH_S_##field); \
		} \
	} while (0)

static void levels_fill(struct rh_system *system, const struct raw_system *now)
{
	COPY(cpus, cpus_count);
	COPY(running, running_count);
	COPY(forks, forks_count);
	COPY(mem_total_bytes, mem_total_bytes);
	COPY(mem_available_bytes, mem_available_bytes);
	COPY(swap_total_bytes, swap_total_bytes);
	COPY(swap_used_bytes, swap_used_bytes);
	COPY(dirty_bytes, dirty_bytes);
	COPY(swapins, swapins_count);
	COPY(swapouts, swapouts_count);
	COPY(allocstalls, allocstalls_count);
	COPY(refaults, refaults_count);
	COPY(compact_stalls, compact_stalls_count);
	COPY(oom_kills, oom_kills_count);
	COPY(disk_inflight, disk_inflight_count);
	COPY(disk_slowest_latency_ns, disk_slowest_latency_ns);
	COPY(disk_latency_max_ns, disk_latency_max_ns);
	COPY(disk_slowest_device, disk_slowest_device);
	COPY(waiting, waiting_count);
	COPY(kernel_bytes, self_kernel_bytes);
	COPY(throttled, throttled_processes_count);
	COPY(self_stopped_ns, self_stopped_ns);
	COPY(stop_sender_pid, stop_sender_pid);
	COPY(oom_victim_pid, oom_victim_pid);
	if (rh_has(now->present, RH_S_load_ratio)) {
		system->load_ratio = (float)now->load;
		rh_set(system->present, RH_S_load_ratio);
	}
	if (rh_has(now->present, RH_S_disk_busy_ratio)) {
		system->disk_busy_ratio = (float)now->disk_busy_ratio;
		rh_set(system->present, RH_S_disk_busy_ratio);
	}
}
#undef COPY

static void command_copy(struct rh_system *system, unsigned id, char *field, const struct raw_system *now, const char *command)
{
	if (!rh_has(now->present, id))
		return;
	memcpy(field, command, RH_COMMAND_BYTES);
	field[RH_COMMAND_BYTES - 1] = '\0';
	rh_set(system->present, id);
}

static double difference(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) : 0;
}

static void ratio_set(struct rh_system *system, unsigned id, float *field, double part, double whole)
{
	*field = (float)(part / whole);
	rh_set(system->present, id);
}

/*
 * Where the cpu time went. The whole is wall time times cpus. Idle time is what the kernel knows best of its own sums: it clocks the begin and the end of
 * each sleep of a cpu, where user and system time are counted in whole ticks by who is met at one, which in a short interval is a guess. So a
 * cpu was busy when it was neither idle nor taken by the hypervisor. The time of interrupts is counted in ticks, and on kernels that do not keep it
 * apart it is in the processes' times too: then it comes off the remainder, which is negative by as much.
 */
static bool cpu_fill(struct rh_system *system, const struct raw_system *now, const struct raw_system *before, const struct span *span,
        const struct machine_sums *sums)
{
	if (!rh_has(now->present, RH_S_cpu_busy_ratio) || !rh_has(before->present, RH_S_cpu_busy_ratio))
		return true;
	/* Idle and iowait of single cpus are known to step back a little; busy time never does, unless a cpu went away. */
	if (now->cpu_busy_ns < before->cpu_busy_ns || now->cpu_idle_ns + now->cpu_iowait_ns < before->cpu_idle_ns + before->cpu_iowait_ns)
		return false;
	double busy = difference(now->cpu_busy_ns, before->cpu_busy_ns), iowait = difference(now->cpu_iowait_ns, before->cpu_iowait_ns);
	double steal = difference(now->cpu_steal_ns, before->cpu_steal_ns), irq = difference(now->cpu_irq_ns, before->cpu_irq_ns);
	double idle = difference(now->cpu_idle_ns, before->cpu_idle_ns), whole = busy + iowait + steal + idle;
	bool cpus_known = rh_has(now->present, RH_S_cpus_count) && now->cpus > 0;
	if (whole <= 0)
		return true;
	if (cpus_known) {
		whole = (double)span->elapsed_ns * now->cpus;
		busy = fmax(whole - idle - iowait - steal, 0);
	}
	ratio_set(system, RH_S_cpu_busy_ratio, &system->cpu_busy_ratio, busy, whole);
	if (rh_has(now->present, RH_S_cpu_iowait_ratio))
		ratio_set(system, RH_S_cpu_iowait_ratio, &system->cpu_iowait_ratio, iowait, whole);
	if (rh_has(now->present, RH_S_cpu_irq_ratio))
		ratio_set(system, RH_S_cpu_irq_ratio, &system->cpu_irq_ratio, irq, whole);
	if (rh_has(now->present, RH_S_cpu_steal_ratio))
		ratio_set(system, RH_S_cpu_steal_ratio, &system->cpu_steal_ratio, steal, whole);
	if (!cpus_known)
		return true;
	ratio_set(system, RH_S_cpu_processes_ratio, &system->cpu_processes_ratio, sums->cpu_ns, whole);
	ratio_set(system, RH_S_cpu_unattributed_ratio, &system->cpu_unattributed_ratio, busy - irq - sums->cpu_ns, whole);
	if (sums->briefs_known)
		ratio_set(system, RH_S_brief_cpu_ratio, &system->brief_cpu_ratio, sums->brief_cpu_ns, whole);
	return true;
}

/* A rate over the span from counter `member`, in units of `unit` per second, if known in both readings. */
#define RATE(member, field, unit) \
	do { \
		if (rh_has(now->present, RH_S_##field) && rh_has(before->present, RH_S_##field)) \
			ratio_set(system, RH_S_##field, &system->field, difference(now->member, before->member), seconds *(unit)); \
	} while (0)

static void rates_fill(struct rh_system *system, const struct raw_system *now, const struct raw_system *before, const struct span *span)
{
	double seconds = (double)span->elapsed_ns / NS_PER_S;
	RATE(psi_cpu_some_ns, psi_cpu_some_ms_per_s, NS_PER_MS);
	RATE(psi_memory_some_ns, psi_memory_some_ms_per_s, NS_PER_MS);
	RATE(psi_memory_full_ns, psi_memory_full_ms_per_s, NS_PER_MS);
	RATE(psi_io_some_ns, psi_io_some_ms_per_s, NS_PER_MS);
	RATE(psi_io_full_ns, psi_io_full_ms_per_s, NS_PER_MS);
	RATE(disk_read_bytes, disk_read_bytes_per_s, 1);
	RATE(disk_write_bytes, disk_write_bytes_per_s, 1);
	RATE(switches, switches_per_s, 1);
	RATE(run_delay_unowned_ns, run_delay_unattributed_ms_per_s, NS_PER_MS);
	RATE(hook_ns, hook_cost_ratio, NS_PER_S);
	RATE(lock_delay_ns, lock_delay_ms_per_s, NS_PER_MS);
	bool latency_known = rh_has(now->present, RH_S_disk_latency_ns) && rh_has(before->present, RH_S_disk_latency_ns);
	if (latency_known && now->disk_requests > before->disk_requests)
		ratio_set(system, RH_S_disk_latency_ns, &system->disk_latency_ns, difference(now->disk_request_ns, before->disk_request_ns),
		        (double)(now->disk_requests - before->disk_requests));
}
#undef RATE

bool machine_fill(struct rh_system *system, const struct raw_system *now, const struct raw_system *before, const struct span *span,
        const struct machine_sums *sums)
{
	levels_fill(system, now);
	command_copy(system, RH_S_stop_sender_command, system->stop_sender_command, now, now->stop_sender_command);
	command_copy(system, RH_S_oom_victim_command, system->oom_victim_command, now, now->oom_victim_command);
	if (sums->briefs_known) {
		system->brief_processes_count = sums->brief_count;
		rh_set(system->present, RH_S_brief_processes_count);
	}
	if (sums->run_waits_known)
		ratio_set(system, RH_S_longest_run_wait_ns, &system->longest_run_wait_ns, (double)sums->longest_run_wait_ns, 1);
	if (sums->stuck_waits_known)
		ratio_set(system, RH_S_longest_stuck_wait_ns, &system->longest_stuck_wait_ns, (double)sums->longest_stuck_wait_ns, 1);
	if (!span->comparable)
		return true;
	rates_fill(system, now, before, span);
	if (sums->run_delay_known)
		ratio_set(system, RH_S_run_delay_ms_per_s, &system->run_delay_ms_per_s, sums->run_delay_ms_per_s, 1);
	return cpu_fill(system, now, before, span, sums);
}
