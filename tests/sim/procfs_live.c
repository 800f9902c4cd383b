/*
 * The /proc back end on the real /proc: a zoo of children whose values are compared with what the kernel says by other ways (their cpu
 * clocks, /proc read with the C library). Each child does its work and then sleeps, so values stand still while they are compared.
 */
#include "tests/support/procfs_live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY_FILES = 100000, REFRESH_PARTS = 2 };

static uint64_t tick_ns(void)
{
	return 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void nothing(void)
{
}

static void burn(void)
{
	for (volatile uint64_t i = 0; i < 30000000; i++)
		;
}

static const struct raw_process *need(const struct procfs_live *live, pid_t pid)
{
	const struct raw_process *record = procfs_live_find(live, pid);
	assert_non_null(record);
	return record;
}

/* cpu time must be what the process's clock says, cut nowhere: the child sleeps, so its clock stands. */
static void check_cpu(const struct procfs_live *live, pid_t pid, uint64_t tolerance_ns)
{
	uint64_t clock_ns = procfs_live_cpu_ns(pid), cpu_ns = need(live, pid)->cpu_time_ns;
	assert_in_range(cpu_ns, clock_ns - tolerance_ns, clock_ns + tolerance_ns);
}

static void test_single(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	pid_t pid = procfs_live_child(burn);
	procfs_live_tick(&live);
	const struct raw_process *record = need(&live, pid);
	check_cpu(&live, pid, 0);
	assert_int_equal(record->ppid, getpid());
	assert_int_equal(record->uid, getuid());
	assert_int_equal(record->state, RH_STATE_sleeping);
	assert_int_equal(record->threads, 1);
	assert_int_equal(record->flags, 0);
	assert_int_equal(record->voluntary_csw, procfs_live_number(pid, "status", "\nvoluntary_ctxt_switches:"));
	assert_int_equal(record->anon_bytes, 1024 * procfs_live_number(pid, "status", "\nRssAnon:"));
	assert_int_equal(record->mem_peak_bytes, 1024 * procfs_live_number(pid, "status", "\nVmHWM:"));
	assert_int_equal(record->syscalls, procfs_live_number(pid, "io", "syscr:") + procfs_live_number(pid, "io", "syscw:"));
	/* Asleep it stays as it is; killed it is gone. */
	struct raw_process before = *record;
	procfs_live_tick(&live);
	assert_memory_equal(&before, need(&live, pid), sizeof(before));
	procfs_live_kill(pid);
	procfs_live_tick(&live);
	assert_null(procfs_live_find(&live, pid));
	procfs_live_close(&live);
}

/* ---- threads ---- */

static void *thread_burn_and_sleep(void *ready)
{
	burn();
	pthread_barrier_wait(ready);
	for (;;)
		pause();
	return NULL;
}

static void *thread_burn(void *unused)
{
	burn();
	return unused;
}

enum { LIVING = 4, ENDED = 3 };

static void many_threads(void)
{
	static pthread_barrier_t ready;
	pthread_t thread;
	pthread_barrier_init(&ready, NULL, LIVING + 1);
	for (int i = 0; i < LIVING; i++)
		pthread_create(&thread, NULL, thread_burn_and_sleep, &ready);
	for (int i = 0; i < ENDED; i++) {
		pthread_create(&thread, NULL, thread_burn, NULL);
		pthread_join(thread, NULL);
	}
	pthread_barrier_wait(&ready);
}

/* The main thread sleeps, the others may have a few steps to go. The tick after the one that finds them asleep has their last values. */
static void tick_until_asleep(struct procfs_live *live, pid_t pid)
{
	for (int i = 0; i < 2000; i++) {
		procfs_live_tick(live);
		const struct raw_process *record = need(live, pid);
		assert_int_not_equal(record->state, RH_STATE_zombie);
		if (record->threads_running == 0 && record->state == RH_STATE_sleeping)
			break;
		usleep(1000);
	}
	for (int i = 0; i < 8; i++)
		procfs_live_tick(live);
}

/* Living threads and ended ones: within two ticks, as ended ones are known from stat alone. */
static void test_threads(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	pid_t pid = procfs_live_child(many_threads);
	tick_until_asleep(&live, pid);
	const struct raw_process *record = need(&live, pid);
	assert_int_equal(record->threads, LIVING + 1);
	check_cpu(&live, pid, 2 * tick_ns());
	assert_int_equal(record->threads_running, 0);
	assert_int_equal(record->state, RH_STATE_sleeping);
	/* Each thread was scheduled at least once. */
	assert_true(rh_has(record->present, RH_F_wakeups_count) && record->wakeups >= LIVING + 1);
	procfs_live_kill(pid);
	procfs_live_close(&live);
}

/* A thread that ends when the process gets a SIGUSR2, of which each ends one. */
static void *thread_until_told(void *unused)
{
	sigset_t set;
	int signal_number;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	burn();
	sigwait(&set, &signal_number);
	return unused;
}

static void threads_that_end(void)
{
	sigset_t set;
	pthread_t thread;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < LIVING; i++)
		pthread_create(&thread, NULL, thread_until_told, NULL);
	usleep(20000);
}

/* While threads end one after the other no sum falls, and cpu time stays right. */
static void test_threads_end(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	pid_t pid = procfs_live_child(threads_that_end);
	procfs_live_tick(&live);
	struct raw_process before = *need(&live, pid);
	assert_int_equal(before.threads, LIVING + 1);
	for (int left = LIVING; left > 0; left--) {
		kill(pid, SIGUSR2);
		for (int i = 0; i < 2000 && procfs_live_number(pid, "status", "\nThreads:") >= (uint64_t)left + 1; i++)
			usleep(1000);
		procfs_live_tick(&live);
		const struct raw_process *record = need(&live, pid);
		assert_int_equal(record->threads, left);
		assert_true(record->cpu_time_ns >= before.cpu_time_ns && record->runnable_time_ns >= before.runnable_time_ns);
		assert_true(record->wakeups >= before.wakeups);
		before = *record;
	}
	check_cpu(&live, pid, 2 * tick_ns());
	procfs_live_kill(pid);
	procfs_live_close(&live);
}

static void *thread_waits(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* The main thread ends, which /proc shows as a zombie; the process lives. */
static void test_dead_main_thread(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t thread;
		alarm(60);
		pthread_create(&thread, NULL, thread_waits, NULL);
		pthread_exit(NULL);
	}
	assert_true(pid > 0);
	procfs_live_await_state(pid, 'Z');
	tick_until_asleep(&live, pid);
	assert_int_equal(need(&live, pid)->state, RH_STATE_sleeping);
	assert_int_equal(need(&live, pid)->threads, 2);
	procfs_live_kill(pid);
	procfs_live_close(&live);
}

/* ---- io and memory ---- */

static void do_io(void)
{
	int fd = open("/dev/null", O_WRONLY);
	for (int i = 0; i < 5000; i++)
		if (write(fd, "x", 1) != 1)
			_exit(1);
}

enum { TOUCHED_PAGES = 3000 };

static void touch_memory(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, TOUCHED_PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(memory, TOUCHED_PAGES * page, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < TOUCHED_PAGES; i++)
		memory[i * page] = 1;
}

static void touch_shared_memory(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, TOUCHED_PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < TOUCHED_PAGES; i++)
		memory[i * page] = 1;
}

static void test_io_and_memory(void **state)
{
	(void)state;
	struct procfs_live live;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	pid_t io = procfs_live_child(do_io), memory = procfs_live_child(touch_memory), shared = procfs_live_child(touch_shared_memory);
	procfs_live_tick(&live);
	const struct raw_process *record = need(&live, io);
	assert_true(record->syscalls >= 5000);
	assert_int_equal(record->syscalls, procfs_live_number(io, "io", "syscr:") + procfs_live_number(io, "io", "syscw:"));
	assert_int_equal(record->write_bytes, procfs_live_number(io, "io", "\nwrite_bytes:"));
	record = need(&live, memory);
	assert_true(record->minor_faults >= TOUCHED_PAGES);
	assert_true(record->anon_bytes >= TOUCHED_PAGES * page && record->rss_bytes >= (TOUCHED_PAGES - 512) * page);
	record = need(&live, shared);
	assert_true(record->shmem_bytes >= TOUCHED_PAGES * page);
	assert_int_equal(record->anon_bytes, 1024 * procfs_live_number(shared, "status", "\nRssAnon:"));
	procfs_live_kill(io), procfs_live_kill(memory), procfs_live_kill(shared);
	procfs_live_close(&live);
}

/* ---- states ---- */

static void test_states(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	pid_t stopped = procfs_live_child(nothing), zombie = procfs_live_child(nothing);
	procfs_live_tick(&live);
	assert_int_equal(need(&live, stopped)->state, RH_STATE_sleeping);
	kill(stopped, SIGSTOP);
	procfs_live_await_state(stopped, 'T');
	kill(zombie, SIGKILL);
	procfs_live_await_state(zombie, 'Z');
	procfs_live_tick(&live);
	assert_int_equal(need(&live, stopped)->state, RH_STATE_stopped);
	assert_int_equal(need(&live, zombie)->state, RH_STATE_zombie);
	kill(stopped, SIGCONT);
	procfs_live_await_state(stopped, 'S');
	assert_int_equal(waitpid(zombie, NULL, 0), zombie);
	procfs_live_tick(&live);
	assert_int_equal(need(&live, stopped)->state, RH_STATE_sleeping);
	assert_null(procfs_live_find(&live, zombie));
	/* This process is running while it reads itself. */
	assert_int_equal(need(&live, getpid())->state, RH_STATE_running);
	assert_int_equal(need(&live, getpid())->threads_running, 1);
	procfs_live_kill(stopped);
	procfs_live_close(&live);
}

static void test_kernel_threads(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	procfs_live_tick(&live);
	uint32_t kernel_threads = 0;
	for (uint32_t i = 0; i < live.tick.count; i++) {
		const struct raw_process *record = &live.records[i];
		if (!(record->flags & RH_PROCESS_kernel_thread))
			continue;
		kernel_threads++;
		assert_true(record->ppid == 0 || record->ppid == 2);
		assert_true(rh_has(record->present, RH_F_mem_bytes) && rh_has(record->present, RH_F_rss_bytes));
		assert_int_equal(record->anon_bytes + record->shmem_bytes + record->swap_bytes + record->rss_bytes, 0);
	}
	const struct raw_process *kthreadd = procfs_live_find(&live, 2);
	if (kthreadd && strcmp(kthreadd->command, "kthreadd") == 0)
		assert_true(kernel_threads >= 2);
	procfs_live_close(&live);
}

/* ---- the list ---- */

static uint32_t threads_listed_as_processes(const struct procfs_live *live, pid_t pid)
{
	char path[64];
	uint32_t listed = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		pid_t thread = (pid_t)atoi(entry->d_name);
		listed += thread > 0 && thread != pid && procfs_live_find(live, thread) != NULL;
	}
	closedir(folder);
	return listed;
}

/* Each new process is there in the next tick and gone in the one after its end; threads, whose ids are pids too, are none. */
static void test_come_and_go(void **state)
{
	(void)state;
	struct procfs_live live;
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	for (int i = 0; i < 100; i++) {
		procfs_live_tick(&live);
		pid_t pid = procfs_live_child(i % 10 ? nothing : many_threads);
		procfs_live_tick(&live);
		uint32_t threads = need(&live, pid)->threads;
		assert_int_equal(threads, i % 10 ? 1 : LIVING + 1);
		assert_int_equal(threads_listed_as_processes(&live, pid), 0);
		procfs_live_kill(pid);
		procfs_live_tick(&live);
		assert_null(procfs_live_find(&live, pid));
	}
	procfs_live_close(&live);
}

/* A pid that was not given out in turn is found when the list is read as a matter of routine. */
static void test_chosen_pid(void **state)
{
	(void)state;
	struct procfs_live live;
	pid_t free_pid = procfs_live_child(nothing);
	procfs_live_kill(free_pid);
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	for (int i = 0; i < 3; i++)
		procfs_live_tick(&live);
	assert_null(procfs_live_find(&live, free_pid));
	pid_t pid = procfs_live_child_as(free_pid, nothing);
	if (pid == -EPERM || pid == -ENOSYS || pid == -EINVAL) {
		procfs_live_close(&live);
		puts("skipped: choosing a pid takes Linux 5.5 and CAP_CHECKPOINT_RESTORE");
		skip();
	}
	assert_int_equal(pid, free_pid);
	for (int i = 0; i < 32; i++)
		procfs_live_tick(&live);
	need(&live, pid);
	procfs_live_kill(pid);
	procfs_live_close(&live);
}

static void count_call(void *context)
{
	++*(unsigned *)context;
}

/* A source tells now and then that it gets on, or the collector would seem to hang. */
static void test_progress(void **state)
{
	(void)state;
	static struct raw_process records[PROCFS_LIVE_CAPACITY];
	unsigned calls = 0, sampled = 0;
	const struct source_options options = {.proc_root = "/proc",
	        .max_processes = PROCFS_LIVE_CAPACITY,
	        .refresh_parts = REFRESH_PARTS,
	        .progress = count_call,
	        .progress_context = &calls};
	struct source *source;
	struct raw_system system;
	struct source_tick tick;
	char error[256];
	assert_int_equal(source_procfs_open(&options, &source, error), 0);
	while (sampled < 2000) {
		assert_int_equal(source->operations->tick(source, 0, records, &system, &tick), 0);
		sampled += tick.count;
	}
	assert_in_range(calls, sampled / 256, sampled / 32);
	source->operations->close(&source);
}

/* ---- descriptors ---- */

/* Lets each child run a little: it stops or, the other time, goes on to sleep. */
static void stir(const pid_t *pids, size_t count, bool stop)
{
	for (size_t i = 0; i < count; i++) {
		kill(pids[i], stop ? SIGSTOP : SIGCONT);
		procfs_live_await_state(pids[i], stop ? 'T' : 'S');
	}
}

/* With too few descriptors the same values come, and it is said so. */
static void test_few_files(void **state)
{
	(void)state;
	struct procfs_live few, many;
	procfs_live_open(&few, 16, REFRESH_PARTS);
	procfs_live_open(&many, MANY_FILES, REFRESH_PARTS);
	pid_t pids[40];
	for (size_t i = 0; i < 40; i++)
		pids[i] = procfs_live_child(i % 2 ? nothing : burn);
	for (int i = 0; i < 3; i++) {
		procfs_live_tick(&few);
		procfs_live_tick(&many);
		stir(pids, 40, i % 2 == 0);
	}
	procfs_live_tick(&few);
	procfs_live_tick(&many);
	assert_true(few.tick.degraded & RH_DEGRADED_fewer_files);
	assert_false(many.tick.degraded & RH_DEGRADED_fewer_files);
	for (size_t i = 0; i < 40; i++) {
		check_cpu(&few, pids[i], 0);
		assert_memory_equal(need(&few, pids[i]), need(&many, pids[i]), sizeof(struct raw_process));
		procfs_live_kill(pids[i]);
	}
	procfs_live_tick(&few);
	for (size_t i = 0; i < 40; i++)
		assert_null(procfs_live_find(&few, pids[i]));
	procfs_live_close(&few);
	procfs_live_close(&many);
}

enum { FILES_SEEN = 4096 };

static void note_open_files(bool open_files[FILES_SEEN])
{
	for (int fd = 0; fd < FILES_SEEN; fd++)
		open_files[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* Nothing stays open behind a source. */
static void test_close(void **state)
{
	(void)state;
	struct procfs_live live;
	static bool before[FILES_SEEN], between[FILES_SEEN], after[FILES_SEEN];
	pid_t pid = procfs_live_child(many_threads);
	note_open_files(before);
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	for (int i = 0; i < 3; i++)
		procfs_live_tick(&live);
	note_open_files(between);
	procfs_live_close(&live);
	note_open_files(after);
	assert_memory_not_equal(before, between, sizeof(before));
	assert_memory_equal(before, after, sizeof(before));
	procfs_live_kill(pid);
}

enum { FILE_LIMIT = 160, SLEEPERS = 100 };

/* Someone else in the program takes the descriptors that were left to it: no process is lost for that. The limit stays: the last test. */
static void test_out_of_files(void **state)
{
	(void)state;
	struct procfs_live live;
	const struct rlimit limit = {FILE_LIMIT, FILE_LIMIT};
	static int taken[FILE_LIMIT];
	pid_t pids[SLEEPERS];
	for (int i = 0; i < SLEEPERS; i++)
		pids[i] = procfs_live_child(nothing);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	procfs_live_open(&live, MANY_FILES, REFRESH_PARTS);
	procfs_live_tick(&live);
	stir(pids, SLEEPERS, true);
	procfs_live_tick(&live);
	assert_true(live.tick.degraded & RH_DEGRADED_fewer_files);
	stir(pids, SLEEPERS, false);
	int count = 0;
	while (count < FILE_LIMIT && (taken[count] = dup(0)) >= 0)
		count++;
	assert_true(count > 0);
	for (int i = 0; i < 100; i++)
		procfs_live_tick(&live);
	for (int i = 0; i < SLEEPERS; i++) {
		assert_non_null(procfs_live_find(&live, pids[i]));
		kill(pids[i], SIGSTOP);
		procfs_live_await_state(pids[i], 'T');
	}
	procfs_live_tick(&live); /* may run out, and gives files up */
	procfs_live_tick(&live);
	while (count > 0)
		close(taken[--count]);
	for (int i = 0; i < SLEEPERS; i++) {
		assert_int_equal(need(&live, pids[i])->state, RH_STATE_stopped);
		procfs_live_kill(pids[i]);
	}
	procfs_live_close(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_single),
	        cmocka_unit_test(test_threads),
	        cmocka_unit_test(test_threads_end),
	        cmocka_unit_test(test_dead_main_thread),
	        cmocka_unit_test(test_io_and_memory),
	        cmocka_unit_test(test_states),
	        cmocka_unit_test(test_kernel_threads),
	        cmocka_unit_test(test_come_and_go),
	        cmocka_unit_test(test_chosen_pid),
	        cmocka_unit_test(test_progress),
	        cmocka_unit_test(test_few_files),
	        cmocka_unit_test(test_close),
	        cmocka_unit_test(test_out_of_files),
	};
	if (PROCFS_LIVE_SKIPPED) {
		puts("skipped: ThreadSanitizer adds a thread to each child");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
