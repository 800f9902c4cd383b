/* signals.c - see signals.h. */
#include "collector/signals.h"

static uint64_t bit_if(bool live, enum rh_signal signal)
{
	return (uint64_t)live << signal;
}

static bool is_foreign(const struct raw_process *process, uint32_t uid)
{
	return rh_has(process->present, RH_F_uid) && process->uid != uid && !(process->flags & RH_PROCESS_kernel_thread);
}

static uint64_t seen_in_processes(const struct raw_process *processes, uint32_t count, uint32_t uid)
{
	bool run_delay = false, cgroup = false, own_io = false, foreign_io = false, foreigners = false;
	for (uint32_t i = 0; i < count; i++) {
		const struct raw_process *process = &processes[i];
		bool foreign = is_foreign(process, uid), io = rh_has(process->present, RH_F_read_bytes);
		run_delay |= rh_has(process->present, RH_F_runnable_time_ns);
		cgroup |= rh_has(process->present, RH_F_cgroup_id);
		foreigners |= foreign;
		foreign_io |= foreign && io;
		own_io |= !foreign && io;
	}
	return bit_if(run_delay, RH_SIGNAL_run_delay) | bit_if(cgroup, RH_SIGNAL_cgroup) |
	       bit_if(foreign_io || (own_io && !foreigners), RH_SIGNAL_process_io);
}

uint64_t signals_seen(const struct raw_process *processes, uint32_t count, const struct raw_system *system, uint32_t uid)
{
	return seen_in_processes(processes, count, uid) | bit_if(rh_has(system->present, RH_S_psi_cpu_some_ms_per_s), RH_SIGNAL_psi_cpu) |
	       bit_if(rh_has(system->present, RH_S_psi_memory_some_ms_per_s), RH_SIGNAL_psi_memory) |
	       bit_if(rh_has(system->present, RH_S_psi_io_some_ms_per_s), RH_SIGNAL_psi_io) |
	       bit_if(rh_has(system->present, RH_S_cpu_steal_ratio), RH_SIGNAL_steal);
}
