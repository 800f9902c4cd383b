/* source_fake.c - see source_fake.h. */
#include "tests/support/source_fake.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned known_fields[] = {
        RH_F_start_time_ns,
        RH_F_pid,
        RH_F_ppid,
        RH_F_uid,
        RH_F_state,
        RH_F_command,
        RH_F_policy,
        RH_F_nice,
        RH_F_priority,
        RH_F_rss_bytes,
        RH_F_cpu_time_ns,
        RH_F_anon_bytes,
        RH_F_shmem_bytes,
        RH_F_swap_bytes,
        RH_F_faults_count,
        RH_F_pageins_count,
        RH_F_read_bytes,
        RH_F_write_bytes,
        RH_F_syscalls_count,
        RH_F_wakeups_count,
        RH_F_runnable_time_ns,
        RH_F_threads_count,
};
static const unsigned known_system_fields[] = {
        RH_S_cpus_count,
        RH_S_running_count,
        RH_S_cpu_busy_ratio,
        RH_S_cpu_iowait_ratio,
        RH_S_cpu_irq_ratio,
        RH_S_cpu_steal_ratio,
        RH_S_psi_cpu_some_ms_per_s,
        RH_S_psi_memory_full_ms_per_s,
        RH_S_psi_io_full_ms_per_s,
        RH_S_mem_total_bytes,
        RH_S_mem_available_bytes,
        RH_S_disk_busy_ratio,
};

static int fake_tick(
        struct source *source, uint64_t budget_ns, struct raw_process *processes, struct raw_system *system, struct source_tick *ret_tick)
{
	struct source_fake *fake = (struct source_fake *)source;
	(void)budget_ns;
	fake->ticks++;
	if (fake->result < 0)
		return fake->result;
	memcpy(processes, fake->processes, fake->count * sizeof(*processes));
	*system = fake->system;
	*ret_tick = fake->tick;
	ret_tick->count = fake->count;
	return 0;
}

static void fake_close(struct source **source)
{
	*source = NULL;
}

struct source_fake *source_fake_new(void)
{
	static const struct source_operations operations = {.sampler = RH_SAMPLER_procfs, .tick = fake_tick, .close = fake_close};
	struct source_fake *fake = calloc(1, sizeof(*fake));
	RH_ASSERT(fake);
	fake->processes = calloc(SOURCE_FAKE_MOST, sizeof(*fake->processes));
	RH_ASSERT(fake->processes);
	fake->source.operations = &operations;
	fake->system.cpus = 4;
	fake->system.mem_total_bytes = UINT64_C(16) << 30;
	fake->system.mem_available_bytes = UINT64_C(8) << 30;
	for (size_t i = 0; i < sizeof(known_system_fields) / sizeof(known_system_fields[0]); i++)
		rh_set(fake->system.present, known_system_fields[i]);
	return fake;
}

void source_fake_free(struct source_fake **fake)
{
	free((*fake)->processes);
	free(*fake);
	*fake = NULL;
}

struct raw_process *source_fake_add(struct source_fake *fake, uint32_t pid, uint64_t start_time_ns)
{
	RH_ASSERT(fake->count < SOURCE_FAKE_MOST);
	struct raw_process *process = &fake->processes[fake->count++];
	*process = (struct raw_process){.pid = pid, .ppid = 1, .start_time_ns = start_time_ns, .state = RH_STATE_sleeping, .threads = 1};
	snprintf(process->command, sizeof(process->command), "fake%u", pid);
	for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++)
		rh_set(process->present, known_fields[i]);
	return process;
}

struct raw_process source_fake_words(uint32_t pid, uint32_t ppid, uint64_t start_time_ns, uint64_t end_time_ns)
{
	static const unsigned told[] = {
	        RH_F_start_time_ns,
	        RH_F_pid,
	        RH_F_ppid,
	        RH_F_uid,
	        RH_F_state,
	        RH_F_command,
	        RH_F_cpu_time_ns,
	        RH_F_runnable_time_ns,
	        RH_F_faults_count,
	        RH_F_pageins_count,
	        RH_F_read_bytes,
	        RH_F_write_bytes,
	        RH_F_syscalls_count,
	        RH_F_cpu_blame_ms_per_s,
	        RH_F_io_time_ms_per_s,
	        RH_F_lifetime_ns,
	};
	struct raw_process words = {
	        .pid = pid,
	        .ppid = ppid,
	        .start_time_ns = start_time_ns,
	        .end_time_ns = end_time_ns,
	        .state = RH_STATE_zombie,
	};
	snprintf(words.command, sizeof(words.command), "ended%u", pid);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		rh_set(words.present, told[i]);
	return words;
}

struct raw_process *source_fake_find(struct source_fake *fake, uint32_t pid)
{
	for (uint32_t i = 0; i < fake->count; i++)
		if (fake->processes[i].pid == pid)
			return &fake->processes[i];
	return NULL;
}

void source_fake_remove(struct source_fake *fake, uint32_t pid)
{
	struct raw_process *process = source_fake_find(fake, pid);
	RH_ASSERT(process);
	size_t behind = (size_t)(&fake->processes[fake->count] - process) - 1;
	memmove(process, process + 1, behind * sizeof(*process));
	fake->count--;
}

void source_fake_pass(struct source_fake *fake, uint64_t elapsed_ns, double busy_ratio)
{
	uint64_t whole_ns = elapsed_ns * fake->system.cpus, busy_ns = (uint64_t)((double)whole_ns * busy_ratio);
	fake->system.cpu_busy_ns += busy_ns;
	fake->system.cpu_idle_ns += whole_ns - busy_ns;
}
