/*
 * The /proc back end on a folder that looks like /proc: what it makes of values, of processes that come and go, of files that are
 * missing or damaged, and of counters that run backwards.
 */
#include "tests/support/procfs_tree.h"
#include "collector/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAPACITY = 16, REFRESH_PARTS = 4, THREAD_LIMIT = 8 };

/* One world: a folder, a source that reads it, and what the newest tick gave. */
struct world {
	struct procfs_tree tree;
	struct source *source;
	struct raw_process records[CAPACITY];
	struct raw_system system;
	struct source_tick tick;
	uint64_t tick_ns, page_bytes;
};

static struct source_options options_of(const struct world *world)
{
	return (struct source_options){
	        .proc_root = world->tree.root,
	        .interval_ns = 200000000,
	        .max_processes = CAPACITY,
	        .refresh_parts = REFRESH_PARTS,
	        .thread_limit = THREAD_LIMIT,
	        .fd_limit = 1000,
	};
}

static int world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char error[256];
	*state = world;
	if (!world || procfs_tree_open(&world->tree) != 0)
		return -1;
	procfs_tree_put_machine(&world->tree);
	world->tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	world->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	struct source_options options = options_of(world);
	return source_procfs_open(&options, &world->source, error);
}

static int world_close(void **state)
{
	struct world *world = *state;
	world->source->operations->close(&world->source);
	assert_null(world->source);
	procfs_tree_close(&world->tree);
	free(world);
	return 0;
}

static void tick_within(struct world *world, uint64_t budget_ns)
{
	assert_int_equal(world->source->operations->tick(world->source, budget_ns, world->records, &world->system, &world->tick), 0);
	assert_in_range(world->tick.count, 0, CAPACITY);
	for (uint32_t i = 0; i < world->tick.count; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(world->records[i].pid, world->records[j].pid);
}

static void tick(struct world *world)
{
	tick_within(world, UINT64_MAX);
}

static const struct raw_process *find(const struct world *world, uint32_t pid)
{
	for (uint32_t i = 0; i < world->tick.count; i++)
		if (world->records[i].pid == pid)
			return &world->records[i];
	return NULL;
}

static const struct raw_process *need(const struct world *world, uint32_t pid)
{
	const struct raw_process *record = find(world, pid);
	assert_non_null(record);
	return record;
}

#define HAS(record, field) rh_has((record)->present, RH_F_##field)

/* The process ran: its schedstat moves, so that the gate opens. */
static void run(struct procfs_tree_process *process)
{
	process->run_ns += 1000000;
	process->slices++;
}

static void test_values(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "worker");
	process.nice = -5;
	process.priority = 15;
	process.policy = 3;
	procfs_tree_put(&world->tree, &process);
	tick(world);
	assert_int_equal(world->tick.count, 1);
	assert_int_equal(world->tick.unreadable, 0);
	const struct raw_process *record = need(world, 70);
	assert_int_equal(record->start_time_ns, 1070 * world->tick_ns);
	assert_int_equal(record->ppid, 1);
	assert_int_equal(record->uid, 1000);
	assert_int_equal(record->state, RH_STATE_sleeping);
	assert_int_equal(record->policy, RH_POLICY_batch);
	assert_int_equal(record->nice, -5);
	assert_int_equal(record->priority, 15);
	assert_int_equal(record->flags, 0);
	assert_string_equal(record->command, "worker");
	assert_int_equal(record->runnable_time_ns, 2000000);
	assert_int_equal(record->wakeups, 40);
	assert_int_equal(record->minor_faults, 100);
	assert_int_equal(record->major_faults, 3);
	assert_int_equal(record->read_bytes, 4096);
	assert_int_equal(record->write_bytes, 8192);
	assert_int_equal(record->syscalls, 23);
	assert_int_equal(record->rss_bytes, 500 * world->page_bytes);
	assert_int_equal(record->anon_bytes, 900 * 1024);
	assert_int_equal(record->shmem_bytes, 50 * 1024);
	assert_int_equal(record->swap_bytes, 25 * 1024);
	assert_int_equal(record->mem_peak_bytes, 2400 * 1024);
	assert_int_equal(record->voluntary_csw, 30);
	assert_int_equal(record->involuntary_csw, 9);
	assert_int_equal(record->threads, 1);
	assert_int_equal(record->threads_running, 0);
	static const uint8_t ids[] = {RH_F_start_time_ns, RH_F_pid, RH_F_ppid, RH_F_uid, RH_F_flags, RH_F_state, RH_F_command, RH_F_policy,
	        RH_F_nice, RH_F_priority, RH_F_rss_bytes, RH_F_mem_bytes, RH_F_cpu_time_ns, RH_F_anon_bytes, RH_F_shmem_bytes,
	        RH_F_swap_bytes, RH_F_mem_peak_bytes, RH_F_faults_count, RH_F_read_bytes, RH_F_write_bytes, RH_F_disk_io_bytes,
	        RH_F_voluntary_csw_count, RH_F_involuntary_csw_count, RH_F_syscalls_count, RH_F_wakeups_count, RH_F_runnable_time_ns,
	        RH_F_pageins_count, RH_F_threads_count, RH_F_threads_running_count, RH_F_threads_stuck_count};
	uint64_t expected[2] = {0};
	for (size_t i = 0; i < sizeof(ids); i++)
		rh_set(expected, ids[i]);
	assert_memory_equal(record->present, expected, sizeof(expected));
}

static void test_states(void **state)
{
	struct world *world = *state;
	static const struct {
		char letter;
		uint8_t state;
	} states[] = {{'R', RH_STATE_running}, {'S', RH_STATE_sleeping}, {'I', RH_STATE_idle}, {'T', RH_STATE_stopped},
	        {'t', RH_STATE_stopped}, {'Z', RH_STATE_zombie}, {'X', RH_STATE_zombie}, {'D', RH_STATE_stuck}, {'P', RH_STATE_unknown},
	        {'\x01', RH_STATE_unknown}};
	struct procfs_tree_process process = procfs_tree_process(70, "worker");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		process.state = states[i].letter;
		run(&process);
		procfs_tree_put(&world->tree, &process);
		tick(world);
		assert_int_equal(need(world, 70)->state, states[i].state);
		assert_int_equal(need(world, 70)->threads_running, states[i].state == RH_STATE_running);
		assert_int_equal(need(world, 70)->threads_stuck, states[i].state == RH_STATE_stuck);
	}
}

static void test_come_and_go(void **state)
{
	struct world *world = *state;
	tick(world);
	assert_int_equal(world->tick.count, 0);
	for (uint32_t pid = 10; pid < 14; pid++) {
		struct procfs_tree_process process = procfs_tree_process(pid, "one of four");
		procfs_tree_put(&world->tree, &process);
	}
	tick(world);
	assert_int_equal(world->tick.count, 4);
	procfs_tree_remove(&world->tree, "10");
	procfs_tree_remove(&world->tree, "12");
	struct procfs_tree_process late = procfs_tree_process(9, "late");
	procfs_tree_put(&world->tree, &late);
	tick(world);
	assert_int_equal(world->tick.count, 3);
	assert_null(find(world, 10));
	assert_null(find(world, 12));
	assert_string_equal(need(world, 9)->command, "late");
	need(world, 11), need(world, 13);
}

static void test_no_room(void **state)
{
	struct world *world = *state;
	for (uint32_t pid = 1; pid <= CAPACITY + 3; pid++) {
		struct procfs_tree_process process = procfs_tree_process(pid, "many");
		procfs_tree_put(&world->tree, &process);
	}
	tick(world);
	assert_int_equal(world->tick.count, CAPACITY);
	assert_int_equal(world->tick.dropped, 3);
}

/* Asleep, a process keeps its record; what others changed about it is found by the slow round. */
static void test_gate(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "sleeper"), other = procfs_tree_process(71, "other");
	procfs_tree_put(&world->tree, &process);
	for (uint32_t pid = 71; pid < 71 + REFRESH_PARTS * 2 - 1; pid++) {
		other.pid = pid;
		procfs_tree_put(&world->tree, &other);
	}
	tick(world);
	process.ppid = 5;
	procfs_tree_put(&world->tree, &process);
	int ticks = 0;
	while (need(world, 70)->ppid != 5 && ticks <= REFRESH_PARTS) {
		tick(world);
		ticks++;
	}
	assert_in_range(ticks, 1, REFRESH_PARTS);
	/* And at once if it runs, wherever the slow round is. */
	for (uint32_t ppid = 6; ppid < 6 + 2 * REFRESH_PARTS; ppid++) {
		process.ppid = ppid;
		run(&process);
		procfs_tree_put(&world->tree, &process);
		tick(world);
		assert_int_equal(need(world, 70)->ppid, ppid);
	}
}

/* The negative control of the gate: without it (no schedstat) each change is seen at once. */
static void test_no_gate(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "sleeper");
	for (uint32_t ppid = 6; ppid < 6 + 2 * REFRESH_PARTS; ppid++) {
		process.ppid = ppid;
		procfs_tree_put(&world->tree, &process);
		procfs_tree_remove(&world->tree, "70/schedstat");
		tick(world);
		const struct raw_process *record = need(world, 70);
		assert_int_equal(record->ppid, ppid);
		assert_int_equal(record->cpu_time_ns, 10 * world->tick_ns);
		assert_true(HAS(record, cpu_time_ns) && !HAS(record, runnable_time_ns) && !HAS(record, wakeups_count));
	}
	/* A kernel that does not count writes zeros: the same. */
	procfs_tree_write(&world->tree, "70/schedstat", "0 0 0\n");
	tick(world);
	assert_false(HAS(need(world, 70), runnable_time_ns));
}

static void test_memory_refresh(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "growing");
	procfs_tree_put(&world->tree, &process);
	tick(world);
	/* It runs and grows by far: the footprint is read in the same tick. */
	for (int i = 0; i < 2 * REFRESH_PARTS; i++) {
		process.rss_pages += 1000;
		process.anon_kb += 4000;
		run(&process);
		procfs_tree_put(&world->tree, &process);
		tick(world);
		assert_int_equal(need(world, 70)->anon_bytes, process.anon_kb * 1024);
	}
	/* It is swapped out in its sleep: the slow round finds it. */
	process.rss_pages = 10;
	process.anon_kb = 40;
	process.swap_kb = 20000;
	procfs_tree_put(&world->tree, &process);
	for (int i = 0; i < REFRESH_PARTS; i++)
		tick(world);
	assert_int_equal(need(world, 70)->swap_bytes, 20000 * 1024);
	assert_int_equal(need(world, 70)->rss_bytes, 10 * world->page_bytes);
}

/* Lets the process run for 1.234567 ms; `unseen_ns` is the time of threads that ended unseen. Returns the cpu time that the source gives. */
static uint64_t run_exactly(struct world *world, struct procfs_tree_process *process, uint64_t unseen_ns)
{
	process->run_ns += 1234567;
	process->slices++;
	uint64_t exact_ns = process->run_ns + unseen_ns, user_ns = exact_ns * 2 / 3;
	process->user_ticks = user_ns / world->tick_ns;
	process->system_ticks = (exact_ns - user_ns) / world->tick_ns;
	procfs_tree_put(&world->tree, process);
	tick(world);
	uint64_t stat_ns = (process->user_ticks + process->system_ticks) * world->tick_ns, cpu_ns = need(world, process->pid)->cpu_time_ns;
	assert_true(cpu_ns >= stat_ns && cpu_ns < stat_ns + 2 * world->tick_ns);
	return cpu_ns;
}

/* To the ns, from schedstat, though stat counts in ticks. */
static void test_cpu_time(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "worker");
	for (int i = 0; i < 100; i++) {
		uint64_t cpu_ns = run_exactly(world, &process, 0);
		assert_int_equal(cpu_ns, process.run_ns);
	}
}

/* Time of threads that were never seen is only in stat: right within its two ticks, never falling, and nothing is lost or counted twice. */
static void test_cpu_time_unseen(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "worker");
	uint64_t unseen_ns = 123456789, before_ns = 0;
	for (int i = 0; i < 400; i++) {
		uint64_t cpu_ns = run_exactly(world, &process, unseen_ns);
		assert_true(cpu_ns > before_ns);
		before_ns = cpu_ns;
		if (i % 50 == 0)
			unseen_ns += 98765432;
	}
}

static void test_missing_files(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "bare");
	procfs_tree_put(&world->tree, &process);
	procfs_tree_remove(&world->tree, "70/io");
	procfs_tree_remove(&world->tree, "70/status");
	/* A folder without anything in it is a process that cannot be read. */
	procfs_tree_write(&world->tree, "71/nothing", "x");
	procfs_tree_write(&world->tree, "72/stat", "rubbish");
	tick(world);
	assert_int_equal(world->tick.count, 1);
	const struct raw_process *record = need(world, 70);
	assert_false(HAS(record, read_bytes) || HAS(record, write_bytes) || HAS(record, disk_io_bytes) || HAS(record, syscalls_count));
	assert_false(HAS(record, anon_bytes) || HAS(record, mem_bytes) || HAS(record, swap_bytes));
	assert_true(HAS(record, uid) && HAS(record, rss_bytes));
	assert_int_equal(record->uid, geteuid());
	assert_in_range(world->tick.unreadable, 1, 2);
}

static void test_io_refused(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "private");
	procfs_tree_put(&world->tree, &process);
	procfs_tree_write(&world->tree, "70/io", "%s", "");
	for (int i = 0; i < 20; i++) {
		run(&process);
		procfs_tree_put(&world->tree, &process);
		procfs_tree_write(&world->tree, "70/io", "%s", "");
		tick(world);
		assert_int_equal(world->tick.unreadable, 1);
		assert_false(HAS(need(world, 70), read_bytes));
	}
	/* The right comes back. */
	for (int i = 0; i <= REFRESH_PARTS; i++) {
		run(&process);
		procfs_tree_put(&world->tree, &process);
		tick(world);
	}
	assert_int_equal(world->tick.unreadable, 0);
	assert_int_equal(need(world, 70)->read_bytes, 4096);
}

static void test_no_memory(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process thread = procfs_tree_process(2, "kthreadd"), zombie = procfs_tree_process(70, "gone"),
	                           old = procfs_tree_process(71, "old kernel");
	thread.flags = 0x00200000;
	thread.rss_kb = zombie.rss_kb = 0;
	thread.rss_pages = zombie.rss_pages = 0;
	zombie.state = 'Z';
	procfs_tree_put(&world->tree, &thread);
	procfs_tree_put(&world->tree, &zombie);
	procfs_tree_put(&world->tree, &old);
	procfs_tree_write(&world->tree, "71/status", "Uid:\t5\t5\t5\t5\nVmHWM:\t 9 kB\nVmRSS:\t 8 kB\nVmSwap:\t 1 kB\n");
	tick(world);
	assert_int_equal(need(world, 2)->flags, RH_PROCESS_kernel_thread);
	for (uint32_t pid = 2; pid <= 70; pid += 68) {
		const struct raw_process *record = need(world, pid);
		assert_true(HAS(record, mem_bytes) && HAS(record, anon_bytes) && HAS(record, swap_bytes) && HAS(record, shmem_bytes));
		assert_int_equal(record->anon_bytes + record->swap_bytes + record->shmem_bytes + record->mem_peak_bytes, 0);
	}
	const struct raw_process *record = need(world, 71);
	assert_true(HAS(record, swap_bytes) && HAS(record, mem_peak_bytes) && !HAS(record, anon_bytes) && !HAS(record, mem_bytes));
}

/* ---- threads ---- */

static void test_threads(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "threaded");
	process.threads = 3;
	process.user_ticks = 30;
	procfs_tree_put(&world->tree, &process);
	procfs_tree_put_thread(&world->tree, 70, 70, 'S', 105000000, 2000000, 40);
	procfs_tree_put_thread(&world->tree, 70, 171, 'R', 130000000, 100, 5);
	procfs_tree_put_thread(&world->tree, 70, 172, 'D', 100000000, 200, 6);
	tick(world);
	const struct raw_process *record = need(world, 70);
	assert_int_equal(record->cpu_time_ns, 335000000);
	assert_int_equal(record->runnable_time_ns, 2000300);
	assert_int_equal(record->wakeups, 51);
	assert_int_equal(record->threads, 3);
	assert_int_equal(record->threads_running, 1);
	assert_int_equal(record->threads_stuck, 1);
	assert_int_equal(record->state, RH_STATE_running);
	/* One ends: what was seen of it stays in the sums. Its place is taken by a new one. */
	procfs_tree_remove(&world->tree, "70/task/171");
	procfs_tree_put_thread(&world->tree, 70, 173, 'S', 5000000, 10, 1);
	process.user_ticks += 1;
	run(&process);
	procfs_tree_put(&world->tree, &process);
	tick(world), process.user_ticks++, run(&process), procfs_tree_put(&world->tree, &process), tick(world);
	record = need(world, 70);
	assert_int_equal(record->runnable_time_ns, 2000310);
	assert_int_equal(record->wakeups, 52);
	assert_int_equal(record->threads_running, 0);
	assert_int_equal(record->state, RH_STATE_stuck);
	/* All but the main thread end. */
	procfs_tree_remove(&world->tree, "70/task");
	process.threads = 1;
	run(&process);
	procfs_tree_put(&world->tree, &process);
	tick(world);
	record = need(world, 70);
	assert_int_equal(record->runnable_time_ns, 2000310);
	assert_int_equal(record->wakeups, process.slices + 5 + 6 + 1);
	assert_int_equal(record->state, RH_STATE_sleeping);
	assert_int_equal(record->threads_stuck, 0);
}

static void test_thread_limit(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "crowded");
	process.threads = THREAD_LIMIT + 1;
	procfs_tree_put(&world->tree, &process);
	tick(world);
	const struct raw_process *record = need(world, 70);
	assert_false(HAS(record, runnable_time_ns) || HAS(record, wakeups_count) || HAS(record, threads_running_count));
	assert_true(HAS(record, cpu_time_ns));
	assert_int_equal(record->cpu_time_ns, 10 * world->tick_ns);
	tick(world);
	assert_int_equal(need(world, 70)->state, RH_STATE_sleeping);
	/* Its main thread sleeps, yet cpu time was used: some thread ran. */
	process.user_ticks += 5;
	procfs_tree_put(&world->tree, &process);
	tick(world);
	assert_int_equal(need(world, 70)->state, RH_STATE_running);
	assert_int_equal(need(world, 70)->cpu_time_ns, 15 * world->tick_ns);
}

static void test_dead_main_thread(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "headless");
	process.threads = 2;
	process.state = 'Z';
	procfs_tree_put(&world->tree, &process);
	procfs_tree_put_thread(&world->tree, 70, 70, 'Z', 105000000, 2000000, 40);
	procfs_tree_put_thread(&world->tree, 70, 71, 'S', 1, 1, 1);
	tick(world);
	assert_int_equal(need(world, 70)->state, RH_STATE_sleeping);
}

/* ---- the budget ---- */

static void test_no_time(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "threaded");
	process.threads = 2;
	for (uint32_t pid = 70; pid < 73; pid++) {
		process.pid = pid;
		procfs_tree_put(&world->tree, &process);
		procfs_tree_put_thread(&world->tree, pid, pid, 'S', 105000000, 2000000, 40);
		procfs_tree_put_thread(&world->tree, pid, pid + 100, 'S', 5000000, 1, 1);
	}
	/* Every process is there all the same, and in the end every detail, a little in each tick. */
	for (int i = 0; i < 20; i++) {
		tick_within(world, 0);
		assert_int_equal(world->tick.count, 3);
		if (i == 0) {
			assert_true(world->tick.degraded & RH_DEGRADED_no_thread_details);
			assert_true(world->tick.degraded & RH_DEGRADED_slower_refresh);
		}
	}
	for (uint32_t pid = 70; pid < 73; pid++) {
		assert_int_equal(need(world, pid)->wakeups, 41);
		assert_true(HAS(need(world, pid), mem_bytes));
	}
	tick(world);
	assert_int_equal(world->tick.degraded, 0);
}

/* ---- the machine ---- */

static void test_machine(void **state)
{
	struct world *world = *state;
	tick(world);
	const struct raw_system *system = &world->system;
	assert_int_equal(system->cpus, 2);
	assert_int_equal(system->running, 2);
	assert_int_equal(system->forks, 5670);
	assert_int_equal(system->cpu_busy_ns, (1000 + 20 + 300 + 6 + 70) * world->tick_ns);
	assert_int_equal(system->cpu_idle_ns, 40000 * world->tick_ns);
	assert_int_equal(system->cpu_iowait_ns, 50 * world->tick_ns);
	assert_int_equal(system->cpu_irq_ns, 76 * world->tick_ns);
	assert_int_equal(system->cpu_steal_ns, 8 * world->tick_ns);
	assert_true(system->load > 0.499 && system->load < 0.501);
	assert_int_equal(system->psi_cpu_some_ns, 1000000);
	assert_int_equal(system->psi_memory_some_ns, 2000000);
	assert_int_equal(system->psi_memory_full_ns, 1500000);
	assert_int_equal(system->psi_io_some_ns, 3000000);
	assert_int_equal(system->psi_io_full_ns, 2500000);
	assert_int_equal(system->mem_total_bytes, 8000 * 1024);
	assert_int_equal(system->mem_available_bytes, 6000 * 1024);
	assert_int_equal(system->swap_total_bytes, 500 * 1024);
	assert_int_equal(system->swap_used_bytes, 100 * 1024);
	assert_int_equal(system->dirty_bytes, 16 * 1024);
	assert_int_equal(system->swapins, 1);
	assert_int_equal(system->swapouts, 2);
	assert_int_equal(system->allocstalls, 7);
	assert_int_equal(system->refaults, 11);
	assert_int_equal(system->compact_stalls, 7);
	assert_int_equal(system->oom_kills, 8);
	assert_false(world->tick.discontinuous);
}

static void test_machine_without_files(void **state)
{
	struct world *world = *state;
	static const char *const files[] = {"stat", "loadavg", "meminfo", "vmstat", "pressure", "diskstats"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		procfs_tree_remove(&world->tree, files[i]);
	tick(world);
	assert_int_equal(world->system.present[0] | world->system.present[1], 0);
	procfs_tree_put_machine(&world->tree);
	tick(world);
	assert_true(rh_has(world->system.present, RH_S_cpu_busy_ratio) && rh_has(world->system.present, RH_S_psi_io_full_ms_per_s));
	assert_true(rh_has(world->system.present, RH_S_disk_busy_ratio) && rh_has(world->system.present, RH_S_oom_kills_count));
}

static void test_disks(void **state)
{
	struct world *world = *state;
	static const char first[] = "   8 0 sda 10 0 100 20 30 0 300 40 2 50 60\n   8 1 sda1 9 0 99 20 30 0 300 40 2 50 60\n"
	                            " 259 0 nvme0n1 1 0 8 1 2 0 16 2 1 7 3\n 259 1 nvme0n1p1 1 0 8 1 2 0 16 2 1 7 3\n"
	                            " 253 0 dm-0 5 0 5 5 5 0 5 5 5 5 5\n   7 0 loop0 1 0 1 1 1 0 1 1 1 1 1\n"
	                            "   9 127 md127 1 0 1 1 1 0 1 1 1 1 1\n 252 0 zram0 1 0 1 1 1 0 1 1 1 1 1\n";
	procfs_tree_write(&world->tree, "diskstats", "%s", first);
	tick(world);
	const struct raw_system *system = &world->system;
	assert_int_equal(system->disk_read_bytes, 108 * 512);
	assert_int_equal(system->disk_write_bytes, 316 * 512);
	assert_int_equal(system->disk_requests, 43);
	assert_int_equal(system->disk_request_ns, UINT64_C(63000000));
	assert_int_equal(system->disk_inflight, 3);
	assert_false(rh_has(system->present, RH_S_disk_busy_ratio)); /* not before the second look */
	tick(world);
	assert_true(rh_has(system->present, RH_S_disk_busy_ratio));
	assert_true(system->disk_busy_ratio == 0);
	/* The busiest disk counts, and it cannot be busier than all the time. */
	procfs_tree_write(
	        &world->tree, "diskstats", " 259 0 nvme0n1 1 0 8 1 2 0 16 2 1 99999999 3\n 8 0 sda 10 0 100 20 30 0 300 40 2 50 60\n");
	tick(world);
	assert_true(system->disk_busy_ratio == 1);
	/* A disk that was replaced begins anew. */
	procfs_tree_write(&world->tree, "diskstats", " 259 0 nvme0n1 1 0 8 1 2 0 16 2 1 3 3\n");
	tick(world);
	assert_true(system->disk_busy_ratio == 0);
}

static void test_delay_accounting(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "reader");
	process.blkio_ticks = 12;
	procfs_tree_put(&world->tree, &process);
	tick(world);
	assert_false(HAS(need(world, 70), blkio_delay_ms_per_s));
	procfs_tree_write(&world->tree, "sys/kernel/task_delayacct", "1\n");
	struct source_options options = options_of(world);
	char error[256];
	world->source->operations->close(&world->source);
	assert_int_equal(source_procfs_open(&options, &world->source, error), 0);
	tick(world);
	assert_true(HAS(need(world, 70), blkio_delay_ms_per_s));
	assert_int_equal(need(world, 70)->blkio_delay_ns, 12 * world->tick_ns);
}

static void test_absurd_numbers(void **state)
{
	struct world *world = *state;
	struct procfs_tree_process process = procfs_tree_process(70, "huge");
	process.run_ns = process.wait_ns = process.slices = UINT64_MAX;
	process.user_ticks = process.system_ticks = process.minor_faults = process.major_faults = UINT64_MAX;
	process.rss_pages = process.anon_kb = process.swap_kb = process.read_bytes = process.read_calls = UINT64_MAX;
	process.start_ticks = UINT64_MAX;
	process.threads = UINT32_MAX;
	procfs_tree_put(&world->tree, &process);
	procfs_tree_write(&world->tree, "stat", "cpu  18446744073709551615 18446744073709551615 99999999999999999999 1 1 1 1 1\n");
	for (int i = 0; i < 3; i++)
		tick(world);
	const struct raw_process *record = need(world, 70);
	assert_true(record->cpu_time_ns == UINT64_MAX && record->anon_bytes == UINT64_MAX && record->start_time_ns == UINT64_MAX);
	assert_true(world->system.cpu_busy_ns == UINT64_MAX);
}

static void test_no_root(void **state)
{
	(void)state;
	struct source_options options = {.proc_root = "/nonexistent/proc", .max_processes = 1, .refresh_parts = 1};
	struct source *source = NULL;
	char error[256] = "";
	assert_int_not_equal(source_procfs_open(&options, &source, error), 0);
	assert_non_null(strstr(error, "/nonexistent/proc"));
	assert_null(source);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WORLD_TEST(test_values),
	        WORLD_TEST(test_states),
	        WORLD_TEST(test_come_and_go),
	        WORLD_TEST(test_no_room),
	        WORLD_TEST(test_gate),
	        WORLD_TEST(test_no_gate),
	        WORLD_TEST(test_memory_refresh),
	        WORLD_TEST(test_cpu_time),
	        WORLD_TEST(test_cpu_time_unseen),
	        WORLD_TEST(test_missing_files),
	        WORLD_TEST(test_io_refused),
	        WORLD_TEST(test_no_memory),
	        WORLD_TEST(test_threads),
	        WORLD_TEST(test_thread_limit),
	        WORLD_TEST(test_dead_main_thread),
	        WORLD_TEST(test_no_time),
	        WORLD_TEST(test_machine),
	        WORLD_TEST(test_machine_without_files),
	        WORLD_TEST(test_disks),
	        WORLD_TEST(test_delay_accounting),
	        WORLD_TEST(test_absurd_numbers),
	        cmocka_unit_test(test_no_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
