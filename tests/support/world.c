/* world.c - see world.h. */
#include "tests/support/world.h"

#include "base/clock.h"
#include "pause/document.h"
#include "pause/sentence.h"
#include "shm/layout.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIRST_PROCESSES = 64, DAEMON_PID = 900 };

static const uint64_t first_boottime_ns = UINT64_C(86400000000000), first_realtime_ns = UINT64_C(1790000000000000000);
static const double mem_total_bytes = 16.0 * (1 << 30);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "world: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- life of a world ---- */

/* The name of the segment is gone before anything is written: however the test ends, nothing is left behind. */
static void ring_begin_in(struct world *world)
{
	char instance[65], name[80], error[256];
	const struct world_options *options = &world->options;
	snprintf(instance, sizeof(instance), "world-%d-%u", (int)getpid(), world->rings++);
	const struct ring_options ring = {.instance = instance,
	        .slots = options->slots,
	        .arena_bytes = options->arena_bytes,
	        .min_arena_bytes = options->arena_bytes,
	        .period_ns = WORLD_PERIOD_MS * NS_PER_MS,
	        .group = UINT32_MAX,
	        .boot_id = options->boot_id};
	must(ring_create(&ring, &world->writer, error) == 0, error);
	must(rh_segment_name(instance, name) == RH_OK, "no name");
	bool attached = rh_open(instance, &world->ring, NULL) == RH_OK;
	world->segment_fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);
	shm_unlink(name);
	must(attached && world->segment_fd >= 0, "no ring");
}

static void ring_end_in(struct world *world)
{
	close(world->segment_fd);
	rh_close(&world->ring);
	ring_close(&world->writer);
}

static void machine_begin(struct world_machine *machine)
{
	*machine = (struct world_machine){
	        .cpus = 4,
	        .switches_per_s = 2000,
	        .mem_available_ratio = 0.6,
	        .psi_full_part = 0.8,
	        .guard_ms = 0.1,
	        .canary_ms = 0.2,
	        .disk_latency_ms = 2,
	        .disk_device = 259U << 20,
	        .signals = (UINT64_C(1) << RH_SIGNAL_COUNT) - 1,
	        .sampler = RH_SAMPLER_bpf,
	        .guard_class = RH_GUARD_CLASS_deadline,
	        .interval_ns = WORLD_PERIOD_MS * NS_PER_MS,
	        .stride = sizeof(struct rh_process),
	};
}

struct world *world_new_with(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof(*world));
	must(world, "no memory");
	world->options = *options;
	config_defaults(&world->config);
	world->config.pause_interim = 2; /* what the scripts of the worlds are written for */
	machine_begin(&world->machine);
	world->boottime_ns = first_boottime_ns;
	world->monotonic_ns = first_boottime_ns - 3600 * (uint64_t)NS_PER_S; /* it was suspended for an hour before */
	world->realtime_ns = first_realtime_ns;
	world->number_from = 1;
	ring_begin_in(world);
	world->judge = judge_new(&world->config);
	must(world->judge, "no memory");
	judge_begin(world->judge, options->boot_id, 1);
	world_add(world, 1, 0, "systemd");
	world_add(world, 2, 0, "kthreadd")->flags = RH_PROCESS_kernel_thread;
	world_add(world, 800, 1, "bash");
	world_add(world, DAEMON_PID, 1, "rh-collector")->cpu_pct = 0.3;
	return world;
}

struct world *world_new(void)
{
	const struct world_options options = {
	        .boot_id = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10", .slots = 200, .arena_bytes = 16 << 20, .processes = 256};
	return world_new_with(&options);
}

void world_findings_free(struct world_findings *findings)
{
	for (uint32_t i = 0; i < findings->count; i++)
		free(findings->list[i].document);
	free(findings->list);
	*findings = (struct world_findings){0};
}

void world_free(struct world **world)
{
	struct world *w = *world;
	judge_free(&w->judge);
	ring_end_in(w);
	world_findings_free(&w->findings);
	for (uint32_t i = 0; i < w->count; i++)
		free(w->processes[i]);
	free(w->processes);
	free(w);
	*world = NULL;
}

/* ---- processes ---- */

struct world_process *world_add(struct world *world, uint32_t pid, uint32_t ppid, const char *command)
{
	if (world->count == world->capacity) {
		world->capacity = world->capacity ? 2 * world->capacity : FIRST_PROCESSES;
		world->processes = realloc(world->processes, world->capacity * sizeof(struct world_process *));
		must(world->processes, "no memory");
	}
	struct world_process *process = calloc(1, sizeof(*process));
	must(process, "no memory");
	*process = (struct world_process){.pid = pid,
	        .ppid = ppid,
	        .threads = 1,
	        .cgroup_id = 7,
	        .mem_bytes = 10 << 20,
	        .start_time_ns = world->boottime_ns + pid, /* a moment after the newest sample */
	        .is_new = world->sample > 0};
	if (world->sample == 0)
		process->start_time_ns -= 3600 * (uint64_t)NS_PER_S;
	memcpy(process->command, command, strnlen(command, RH_COMMAND_BYTES - 1));
	world->processes[world->count++] = process;
	must(world->count <= world->options.processes, "more processes than were asked for");
	return process;
}

struct world_process *world_add_many(struct world *world, uint32_t count, uint32_t pid, uint32_t ppid, const char *command)
{
	struct world_process *first = NULL;
	for (uint32_t i = 0; i < count; i++) {
		struct world_process *process = world_add(world, pid + i, ppid, command);
		first = first ? first : process;
	}
	return first;
}

struct world_process *world_find(struct world *world, uint32_t pid)
{
	for (uint32_t i = world->count; i > 0; i--)
		if (world->processes[i - 1]->pid == pid)
			return world->processes[i - 1];
	must(false, "no such process");
	return NULL;
}

void world_each(struct world *world, uint32_t pid, uint32_t count, void (*f)(struct world_process *process))
{
	for (uint32_t i = 0; i < count; i++)
		f(world_find(world, pid + i));
}

void world_rest(struct world_process *process)
{
	process->standing = WORLD_GOES;
	process->cpu_pct = process->run = process->run_longest = process->blame = 0;
	process->disk = process->stuck_longest = process->device = process->device_blame = process->bytes_per_s = 0;
	process->memory = process->reclaim = process->pageins_per_s = process->grows_bytes_per_s = 0;
	process->lock_blame = process->brief_count = 0;
}

/* ---- one sample ---- */

/* What a process waited in this sample, standing still or by the rates that were set. */
struct waited {
	double run, run_longest, disk, memory, stuck_longest;
};

static struct waited waited_by(struct world_process *process, double elapsed_ms)
{
	struct waited waited = {
	        .run = process->run,
	        .run_longest = process->run_longest,
	        .disk = process->disk,
	        .memory = process->memory,
	        .stuck_longest = process->stuck_longest,
	};
	process->stood_ms = process->standing == WORLD_GOES ? 0 : process->stood_ms + elapsed_ms;
	switch (process->standing) {
	case WORLD_GOES:
		return waited;
	case WORLD_FOR_CPU:
	case WORLD_FOR_QUOTA:
		waited.run = 1000;
		waited.run_longest = process->stood_ms;
		return waited;
	case WORLD_FOR_DISK:
		waited.disk = 1000;
		break;
	case WORLD_FOR_MEMORY:
		waited.memory = 1000;
		break;
	case WORLD_FOR_LOCK:
		break;
	}
	waited.stuck_longest = process->stood_ms;
	return waited;
}

#define SET(record, field, value) \
	do { \
		(record)->field = (value); \
		rh_set((record)->present, RH_F_##field); \
	} while (0)
#define SET_S(field, value) \
	do { \
		system->field = (value); \
		rh_set(system->present, RH_S_##field); \
	} while (0)
#define MS_TO_NS(ms) ((float)((ms)*1e6))

static bool is_watched(const struct world_machine *machine, unsigned signal)
{
	return machine->signals >> signal & 1;
}

static int8_t priority_of(const struct world_process *process)
{
	return (int8_t)(process->rt_prio ? -1 - process->rt_prio : 20 + process->nice);
}

static void record_identity(struct rh_process *record, const struct world_process *process)
{
	uint16_t flags = process->flags;
	flags |= process->is_new ? RH_PROCESS_new : 0;
	flags |= process->exits ? RH_PROCESS_exited : 0;
	flags |= process->standing == WORLD_FOR_QUOTA ? RH_PROCESS_throttled : 0;
	bool stuck = process->standing == WORLD_FOR_DISK || process->standing == WORLD_FOR_MEMORY || process->standing == WORLD_FOR_LOCK;
	SET(record, start_time_ns, process->start_time_ns);
	SET(record, pid, process->pid);
	SET(record, ppid, process->ppid);
	SET(record, flags, flags);
	SET(record, state, stuck ? RH_STATE_stuck : process->cpu_pct > 1 ? RH_STATE_running : RH_STATE_sleeping);
	rh_set(record->present, RH_F_command);
	memcpy(record->command, process->command, sizeof(record->command));
	SET(record, policy, process->policy);
	SET(record, nice, process->nice);
	SET(record, priority, priority_of(process));
	SET(record, threads_count, process->threads);
	SET(record, threads_stuck_count, stuck ? 1 : 0);
}

static void record_make(
        struct rh_process *record, const struct world_process *process, const struct waited *waited, const struct world_machine *machine)
{
	*record = (struct rh_process){0};
	record_identity(record, process);
	SET(record, cpu_pct, (float)process->cpu_pct);
	SET(record, score, (float)fmin(100, process->cpu_pct));
	SET(record, runnable_ms_per_s, (float)waited->run);
	SET(record, cpu_blame_ms_per_s, (float)process->blame);
	SET(record, mem_bytes, (uint64_t)process->mem_bytes);
	SET(record, disk_io_bytes_per_s, (float)process->bytes_per_s);
	SET(record, pageins_per_s, (float)process->pageins_per_s);
	if (machine->sampler == RH_SAMPLER_procfs)
		return;
	SET(record, cgroup_id, process->cgroup_id);
	SET(record, thrashing_delay_ms_per_s, (float)waited->memory);
	SET(record, reclaim_delay_ms_per_s, (float)process->reclaim);
	SET(record, blkio_delay_ms_per_s, (float)waited->disk);
	SET(record, io_time_ms_per_s, (float)process->device);
	SET(record, io_blame_ms_per_s, (float)process->device_blame);
	SET(record, brief_count, (uint32_t)process->brief_count);
	if (!is_watched(machine, RH_SIGNAL_scheduler))
		return;
	SET(record, run_wait_max_ns, MS_TO_NS(waited->run_longest));
	SET(record, stuck_wait_max_ns, MS_TO_NS(waited->stuck_longest));
	if (is_watched(machine, RH_SIGNAL_kernel_locks))
		SET(record, lock_blame_ms_per_s, (float)process->lock_blame);
}

/* All of them together. */
struct totals {
	double cpu, run, blame, disk, memory, run_longest, stuck_longest, run_most, disk_most, memory_most;
	uint32_t stuck, throttled, exited, new;
};

static void totals_add(struct totals *totals, const struct world_process *process, const struct waited *waited)
{
	const bool is_kernel = process->flags & RH_PROCESS_kernel_thread;
	totals->cpu += process->cpu_pct / 100;
	totals->run += waited->run;
	totals->blame += process->blame;
	totals->disk += waited->disk;
	totals->memory += waited->memory + process->reclaim;
	totals->run_most = fmax(totals->run_most, waited->run);
	totals->disk_most = fmax(totals->disk_most, waited->disk);
	totals->memory_most = fmax(totals->memory_most, waited->memory + process->reclaim);
	if (!is_kernel) {
		totals->run_longest = fmax(totals->run_longest, waited->run_longest);
		totals->stuck_longest = fmax(totals->stuck_longest, waited->stuck_longest);
	}
	totals->stuck += waited->stuck_longest > 0;
	totals->throttled += process->standing == WORLD_FOR_QUOTA || process->flags & RH_PROCESS_throttled;
	totals->exited += process->exits;
	totals->new += process->is_new;
}

static void system_time(struct world *world, struct rh_system *system, double elapsed_ms)
{
	const struct world_machine *machine = &world->machine;
	SET_S(boottime_ns, world->boottime_ns);
	SET_S(monotonic_ns, world->monotonic_ns);
	SET_S(realtime_ns, world->realtime_ns);
	SET_S(elapsed_ns, (uint64_t)(elapsed_ms * 1e6));
	SET_S(interval_ns, machine->interval_ns);
	SET_S(lateness_ns, (uint64_t)(machine->lateness_ms * 1e6));
	SET_S(scan_ns, 1000000);
	SET_S(sampler, machine->sampler);
	SET_S(signals, machine->signals);
	SET_S(switches_per_s, (float)machine->switches_per_s);
}

static void system_guard(struct world *world, struct rh_system *system, double elapsed_ms)
{
	const struct world_machine *machine = &world->machine;
	world->canary_stood_ms = machine->canary_stands ? world->canary_stood_ms + elapsed_ms : 0;
	double canary_ms = machine->canary_stands ? world->canary_stood_ms : machine->canary_ms;
	uint32_t late = canary_ms < 100 ? 0 : machine->canaries_late ? machine->canaries_late : 1;
	SET_S(guard_class, machine->guard_class);
	if (machine->guard_class != RH_GUARD_CLASS_none)
		SET_S(guard_lateness_ns, MS_TO_NS(machine->guard_ms));
	if (is_watched(machine, RH_SIGNAL_canaries)) {
		SET_S(canary_lateness_ns, MS_TO_NS(canary_ms));
		SET_S(canary_cpu, (uint16_t)machine->canary_cpu);
		SET_S(canaries_late_count, (uint16_t)late);
	}
	if (machine->stopped_ms > 0) {
		SET_S(self_stopped_ns, MS_TO_NS(machine->stopped_ms));
		SET_S(stop_sender_pid, machine->stopper_pid);
		rh_set(system->present, RH_S_stop_sender_command);
		memcpy(system->stop_sender_command, machine->stopper, strnlen(machine->stopper, RH_COMMAND_BYTES - 1));
	}
}

static void system_load(const struct world *world, struct rh_system *system, const struct totals *totals)
{
	const struct world_machine *machine = &world->machine;
	SET_S(cpus_count, machine->cpus);
	SET_S(cpu_busy_ratio, (float)fmin(1, totals->cpu / machine->cpus));
	SET_S(cpu_steal_ratio, (float)machine->steal_ratio);
	SET_S(cpu_irq_ratio, 0.01F);
	SET_S(cpu_iowait_ratio, 0);
	SET_S(run_delay_ms_per_s, (float)totals->run);
	SET_S(run_delay_unattributed_ms_per_s, (float)fmax(0, totals->run - totals->blame));
	SET_S(psi_cpu_some_ms_per_s, (float)fmin(1000, totals->run_most));
	SET_S(psi_io_some_ms_per_s, (float)fmin(1000, totals->disk_most));
	SET_S(psi_io_full_ms_per_s, (float)(fmin(1000, totals->disk_most) * machine->psi_full_part));
	SET_S(psi_memory_some_ms_per_s, (float)fmin(1000, totals->memory_most));
	SET_S(psi_memory_full_ms_per_s, (float)(fmin(1000, totals->memory_most) * machine->psi_full_part));
	SET_S(io_delay_ms_per_s, (float)totals->disk);
	SET_S(mem_delay_ms_per_s, (float)totals->memory);
	SET_S(stuck_count, totals->stuck);
	SET_S(throttled_processes_count, totals->throttled);
	if (is_watched(machine, RH_SIGNAL_scheduler)) {
		SET_S(longest_run_wait_ns, MS_TO_NS(totals->run_longest));
		SET_S(longest_stuck_wait_ns, MS_TO_NS(totals->stuck_longest));
	}
}

static void system_stores(const struct world *world, struct rh_system *system)
{
	const struct world_machine *machine = &world->machine;
	SET_S(mem_total_bytes, (uint64_t)mem_total_bytes);
	SET_S(mem_available_bytes, (uint64_t)(machine->mem_available_ratio * mem_total_bytes));
	SET_S(swap_total_bytes, UINT64_C(1) << 30);
	SET_S(swap_used_bytes, 0);
	SET_S(allocstalls_count, machine->allocstalls);
	SET_S(refaults_count, machine->refaults);
	SET_S(swapins_count, machine->swapins);
	SET_S(oom_kills_count, machine->oom_kills);
	SET_S(disk_busy_ratio, (float)machine->disk_busy_ratio);
	SET_S(disk_latency_ns, MS_TO_NS(machine->disk_latency_ms / 2));
	SET_S(disk_latency_max_ns, MS_TO_NS(machine->disk_latency_ms));
	SET_S(disk_slowest_latency_ns, MS_TO_NS(machine->disk_latency_ms / 2));
	SET_S(disk_slowest_device, machine->disk_device);
	if (machine->oom_pid != 0) {
		SET_S(oom_victim_pid, machine->oom_pid);
		rh_set(system->present, RH_S_oom_victim_command);
		memcpy(system->oom_victim_command, machine->oom_command, strnlen(machine->oom_command, RH_COMMAND_BYTES - 1));
	}
}

/* Takes away what lies beyond the stride, as the collector does. */
static void record_cut(struct rh_process *record, uint32_t stride)
{
	static const uint16_t ends[RH_FIELD_IDS] = {
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	[id] = (uint16_t)(offsetof(struct rh_process, name) + sizeof(((struct rh_process *)0)->name)),
#include "rogue/fields.def"
	};
	for (unsigned i = 0; i < RH_FIELD_IDS; i++)
		if (ends[i] > stride)
			record->present[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static void process_end_sample(struct world_process *process, double elapsed_ms)
{
	process->is_new = false;
	process->is_gone = process->exits;
	process->mem_bytes += process->grows_bytes_per_s * elapsed_ms / 1000;
}

/* Children of a process that is gone are init's. */
static void orphans_adopt(struct world *world, uint32_t pid)
{
	for (uint32_t i = 0; i < world->count; i++)
		if (world->processes[i]->ppid == pid)
			world->processes[i]->ppid = 1;
}

static uint32_t frame_fill(struct world *world, const struct ring_frame *frame, double elapsed_ms, struct totals *totals)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < world->count; i++) {
		struct world_process *process = world->processes[i];
		struct rh_process record;
		if (process->is_gone)
			continue;
		struct waited waited = waited_by(process, elapsed_ms);
		record_make(&record, process, &waited, &world->machine);
		totals_add(totals, process, &waited);
		process_end_sample(process, elapsed_ms);
		if (process->is_gone)
			orphans_adopt(world, process->pid);
		record_cut(&record, frame->stride);
		frame->scores[count] = record.score;
		frame->pids[count] = record.pid;
		memcpy(frame->records + (size_t)count++ * frame->stride, &record, frame->stride);
	}
	return count;
}

static void findings_take(struct world_findings *findings, struct judge *judge)
{
	static struct pause pause;
	while (judge_next(judge, &pause)) {
		if (findings->count == findings->capacity) {
			findings->capacity = findings->capacity ? 2 * findings->capacity : 8;
			findings->list = realloc(findings->list, findings->capacity * sizeof(*findings->list));
			must(findings->list, "no memory");
		}
		struct world_finding *finding = &findings->list[findings->count++];
		finding->pause = pause;
		finding->document = pause_document_text(&pause);
		must(finding->document, "no document");
		pause_sentence(&pause, 4, finding->sentence);
	}
}

static void publish(struct world *world, double elapsed_ms)
{
	struct rh_system system = {0};
	struct totals totals = {0};
	struct ring_frame frame;
	struct rh_view view;
	must(ring_reserve(world->writer, world->count, world->machine.stride, &frame) == 0, "no room in the ring");
	uint32_t count = frame_fill(world, &frame, elapsed_ms, &totals);
	system_time(world, &system, elapsed_ms);
	system_guard(world, &system, elapsed_ms);
	system_load(world, &system, &totals);
	system_stores(world, &system);
	world->sample = ring_publish(world->writer, &system, count, count);
	world->no_replay |= world->is_unwatched || rh_oldest(world->ring) > 1;
	if (world->is_unwatched)
		return;
	must(rh_latest(world->ring, &view) == RH_OK && view.sample == world->sample, "the newest sample cannot be read");
	judge_step(world->judge, world->ring, &view);
	findings_take(&world->findings, world->judge);
}

/* ---- time ---- */

static void pass(struct world *world, double ms)
{
	const uint64_t ns = (uint64_t)(ms * 1e6);
	world->boottime_ns += ns;
	world->monotonic_ns += ns;
	world->realtime_ns += ns;
}

void world_run(struct world *world, double seconds)
{
	const double period_ms = (double)world->machine.interval_ns / 1e6;
	for (long i = lround(seconds * 1000 / period_ms); i > 0; i--) {
		pass(world, period_ms);
		publish(world, period_ms);
	}
}

void world_run_late(struct world *world, double late_ms)
{
	const double elapsed_ms = (double)world->machine.interval_ns / 1e6 + late_ms, before_ms = world->machine.lateness_ms;
	world->machine.lateness_ms = late_ms;
	pass(world, elapsed_ms);
	publish(world, elapsed_ms);
	world->machine.lateness_ms = before_ms;
}

void world_suspend(struct world *world, double seconds)
{
	world->boottime_ns += (uint64_t)(seconds * 1e9);
	world->realtime_ns += (uint64_t)(seconds * 1e9);
}

void world_set_wall_clock(struct world *world, int64_t by_s)
{
	world->realtime_ns += (uint64_t)(by_s * (int64_t)NS_PER_S);
}

/* ---- rings ---- */

/* The slot gets the odd value of one whose sample is being overwritten: see shm/layout.h. */
void world_lose(struct world *world, uint64_t from, uint64_t count)
{
	struct seg_header header;
	must(pread(world->segment_fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header), "no header");
	for (uint64_t sample = from; sample < from + count; sample++) {
		const uint32_t odd = seg_even(sample, header.slots) + 1;
		off_t place = (off_t)(header.slots_off + (sample - 1) % header.slots * header.slot_size);
		must(pwrite(world->segment_fd, &odd, sizeof(odd), place) == (ssize_t)sizeof(odd), "no slot");
	}
	world->no_replay = true;
}

void world_replace_ring(struct world *world, const char *boot_id, uint32_t next_number)
{
	ring_end_in(world);
	world->options.boot_id = boot_id;
	world->number_from = next_number;
	world->sample = 0;
	world->no_replay = true;
	ring_begin_in(world);
	judge_begin(world->judge, boot_id, next_number);
}

struct world_findings world_judge_again(struct world *world)
{
	struct world_findings findings = {0};
	struct judge *judge = judge_new(&world->config);
	struct rh_view view;
	uint64_t cursor = 0;
	must(judge, "no memory");
	judge_begin(judge, world->options.boot_id, world->number_from);
	while (rh_next(world->ring, &cursor, NULL, &view) == RH_OK) {
		judge_step(judge, world->ring, &view);
		findings_take(&findings, judge);
	}
	judge_free(&judge);
	return findings;
}
