/*
 * What the walk inside the kernel says of a process, against what the kernel says by other ways: /proc read with the C library, cpu clocks. Both
 * ways to walk. Children do their work and then sleep, so that values stand still while they are compared.
 */
#include "base/clock.h"
#include "tests/support/procfs_live.h"
#include "tests/support/walk_live.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/truth/at_rest.h"

static struct walk_live walks[2]; /* by system call, by iterator */
static int walk_count;

/* ---- what children do ---- */

static void nothing(void)
{
}

static void burn(void)
{
	for (volatile uint64_t i = 0; i < 10000000; i++)
		;
}

enum { FILE_BYTES = 4 << 20, MEMORY_BYTES = 24 << 20, SHARED_BYTES = 8 << 20, LIVING = 6, ENDED = 5 };

static void write_file(void)
{
	char path[] = "/var/tmp/bpf_walk_XXXXXX";
	static char buffer[65536];
	int fd = mkstemp(path);
	for (size_t i = 0; fd >= 0 && i < FILE_BYTES / sizeof(buffer); i++)
		if (write(fd, buffer, sizeof(buffer)) < 0)
			_exit(1);
	fsync(fd);
	unlink(path);
	for (int i = 0; i < 100; i++)
		if (pread(fd, buffer, 1, 0) < 0)
			_exit(1);
}

static void take_memory(void)
{
	char *own = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(own, 1, MEMORY_BYTES);
	memset(shared, 1, SHARED_BYTES);
	munmap(own, MEMORY_BYTES / 2); /* the peak stays */
}

static void *thread_stay(void *ready)
{
	burn();
	pthread_barrier_wait(ready);
	for (;;)
		pause();
	return NULL;
}

static void *thread_end(void *unused)
{
	burn();
	return unused;
}

static void many_threads(void)
{
	static pthread_barrier_t ready;
	pthread_t thread;
	pthread_barrier_init(&ready, NULL, LIVING + 1);
	for (int i = 0; i < LIVING; i++)
		pthread_create(&thread, NULL, thread_stay, &ready);
	for (int i = 0; i < ENDED; i++) {
		pthread_create(&thread, NULL, thread_end, NULL);
		pthread_join(thread, NULL);
	}
	pthread_barrier_wait(&ready);
}

/* The main thread ends, the memory stays with the other. */
static void *thread_survive(void *unused)
{
	take_memory();
	for (;;)
		pause();
	return unused;
}

static void lose_main_thread(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, thread_survive, NULL);
	pthread_exit(NULL);
}

static void renice(void)
{
	if (setpriority(PRIO_PROCESS, 0, 7) < 0)
		_exit(1);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd < 0 || write(fd, "300", 3) != 3)
		_exit(1);
	const struct sched_param none = {0};
	sched_setscheduler(0, SCHED_BATCH, &none);
}

static void change_user(void)
{
	if (setresuid(12345, 12345, 12345) < 0)
		_exit(1);
}

/* A child that lives no longer than this process. Returns 0 in the child. */
static pid_t fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(1);
	return pid;
}

/* ---- comparing ---- */

static uint64_t of_status(pid_t pid, const char *key)
{
	return procfs_live_number(pid, "status", key);
}

/* The number of that column, as in proc(5). */
static int64_t of_stat(pid_t pid, int column)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	const char *at = strrchr(text, ')');
	assert_non_null(at);
	for (int i = 2; i < column; i++) {
		at = strchr(at + 1, ' ');
		assert_non_null(at);
	}
	return strtoll(at, NULL, 10);
}

static void compare_times(const struct raw_process *process, pid_t pid)
{
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	assert_int_equal(process->cpu_time_ns, procfs_live_cpu_ns(pid));
	assert_int_equal(process->start_time_ns / tick_ns, of_stat(pid, 22));
	assert_int_equal(process->minor_faults, of_stat(pid, 10));
	assert_int_equal(process->major_faults, of_stat(pid, 12));
}

static void compare_identity(const struct raw_process *process, pid_t pid)
{
	char command[RH_COMMAND_BYTES] = "", path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(command, sizeof(command), file));
	fclose(file);
	command[strcspn(command, "\n")] = '\0';
	assert_string_equal(process->command, command);
	assert_int_equal(process->pid, pid);
	assert_int_equal(process->ppid, of_status(pid, "\nPPid:"));
	assert_int_equal(process->uid, of_status(pid, "\nUid:"));
	assert_int_equal(process->threads, of_status(pid, "\nThreads:"));
	assert_int_equal(process->priority, of_stat(pid, 18));
	assert_int_equal(process->nice, of_stat(pid, 19));
	assert_int_equal(process->policy, of_stat(pid, 41));
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	file = fopen(path, "re");
	int adjustment = 0;
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &adjustment), 1);
	fclose(file);
	assert_int_equal(process->oom_adj, adjustment);
}

static void compare_memory(const struct raw_process *process, pid_t pid)
{
	assert_int_equal(process->rss_bytes, 1024 * of_status(pid, "\nVmRSS:"));
	assert_int_equal(process->anon_bytes, 1024 * of_status(pid, "\nRssAnon:"));
	assert_int_equal(process->shmem_bytes, 1024 * of_status(pid, "\nRssShmem:"));
	assert_int_equal(process->swap_bytes, 1024 * of_status(pid, "\nVmSwap:"));
	assert_int_equal(process->mem_peak_bytes, 1024 * of_status(pid, "\nVmHWM:"));
}

static void compare_io(const struct raw_process *process, pid_t pid)
{
	assert_int_equal(process->read_bytes, procfs_live_number(pid, "io", "\nread_bytes:"));
	assert_int_equal(process->write_bytes, procfs_live_number(pid, "io", "\nwrite_bytes:"));
	assert_int_equal(process->syscalls, procfs_live_number(pid, "io", "syscr:") + procfs_live_number(pid, "io", "syscw:"));
}

/* A child that does that work, in both walks. Returns its pid. */
static pid_t compare(void (*work)(void))
{
	pid_t pid = procfs_live_child(work);
	at_rest_await(pid);
	for (int i = 0; i < walk_count; i++) {
		walk_live_run(&walks[i]);
		struct raw_process process = walk_live_process(&walks[i], pid);
		compare_times(&process, pid);
		compare_identity(&process, pid);
		compare_io(&process, pid);
		assert_int_equal(process.state, RH_STATE_sleeping);
		assert_int_equal(process.threads_running, 0);
		assert_int_equal(process.flags, 0);
		if (process.threads == 1) {
			assert_int_equal(process.voluntary_csw, of_status(pid, "\nvoluntary_ctxt_switches:"));
			assert_int_equal(process.involuntary_csw, of_status(pid, "\nnonvoluntary_ctxt_switches:"));
		}
	}
	return pid;
}

static void compare_with_memory(void (*work)(void))
{
	pid_t pid = compare(work);
	for (int i = 0; i < walk_count; i++) {
		struct raw_process process = walk_live_process(&walks[i], pid);
		compare_memory(&process, pid);
	}
	procfs_live_kill(pid);
}

/* ---- the tests ---- */

static void test_single(void **state)
{
	(void)state;
	compare_with_memory(nothing);
	compare_with_memory(burn);
	compare_with_memory(write_file);
	compare_with_memory(take_memory);
	compare_with_memory(renice);
	compare_with_memory(change_user);
}

static void test_threads(void **state)
{
	(void)state;
	pid_t pid = compare(many_threads);
	for (int i = 0; i < walk_count; i++) {
		struct raw_process process = walk_live_process(&walks[i], pid);
		assert_int_equal(process.threads, LIVING + 1);
		assert_true(walk_live_find(&walks[i], pid)->ended_cpu_ns > 0);
		compare_memory(&process, pid);
	}
	procfs_live_kill(pid);
}

/* procfs_live_child() waits for a main thread that sleeps, and this one ends: here the child is started by hand. */
static void test_lost_main_thread(void **state)
{
	(void)state;
	pid_t pid = fork_bound();
	if (pid == 0) {
		lose_main_thread();
		_exit(1);
	}
	procfs_live_await_state(pid, 'Z');
	at_rest_await(pid);
	for (int i = 0; i < walk_count; i++) {
		walk_live_run(&walks[i]);
		struct raw_process process = walk_live_process(&walks[i], pid);
		assert_int_equal(process.state, RH_STATE_sleeping);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow is anonymous memory too */
		assert_in_range(process.anon_bytes, MEMORY_BYTES / 2, MEMORY_BYTES);
#endif
		assert_in_range(process.shmem_bytes, SHARED_BYTES, SHARED_BYTES + (1 << 20));
		assert_int_equal(process.cpu_time_ns, procfs_live_cpu_ns(pid));
	}
	procfs_live_kill(pid);
}

static void test_states(void **state)
{
	(void)state;
	pid_t stopped = procfs_live_child(nothing), zombie = fork_bound();
	if (zombie == 0)
		_exit(0);
	kill(stopped, SIGSTOP);
	procfs_live_await_state(stopped, 'T');
	procfs_live_await_state(zombie, 'Z');
	for (int i = 0; i < walk_count; i++) {
		walk_live_run(&walks[i]);
		assert_int_equal(walk_live_process(&walks[i], stopped).state, RH_STATE_stopped);
		struct raw_process dead = walk_live_process(&walks[i], zombie);
		assert_int_equal(dead.state, RH_STATE_zombie);
		assert_int_equal(dead.rss_bytes, 0);
		assert_int_equal(dead.ppid, getpid());
		struct raw_process kthreadd = walk_live_process(&walks[i], 2);
		assert_true(kthreadd.flags & RH_PROCESS_kernel_thread);
		assert_int_equal(kthreadd.rss_bytes, 0);
	}
	waitpid(zombie, NULL, 0);
	procfs_live_kill(stopped);
}

/* A vfork() keeps the parent in an uninterruptible wait until the child execs or ends. */
static void test_stuck(void **state)
{
	(void)state;
	enum { HELD_MS = 40 };
	pid_t pid = fork_bound();
	if (pid == 0) {
		if (syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0) {
			for (;;)
				pause();
		}
		_exit(0);
	}
	procfs_live_await_state(pid, 'D');
	usleep(HELD_MS * 1000);
	for (int i = 0; i < walk_count; i++) {
		walk_live_run(&walks[i]);
		const struct walk_record *record = walk_live_find(&walks[i], pid);
		assert_non_null(record);
		assert_int_equal(walk_live_process(&walks[i], pid).state, RH_STATE_stuck);
		assert_int_equal(record->threads_stuck, 1);
		assert_true(record->stuck_wait_now_ns > HELD_MS * UINT64_C(900000));
		uint64_t age_ns = clock_now_ns(CLOCK_BOOTTIME) - record->start_time_ns;
		assert_true(record->stuck_wait_now_ns < age_ns);
		assert_int_equal(record->io_wait_now_ns, 0);
	}
	/* Its child first, which it waits for. */
	for (uint32_t i = 0; i < walks[0].result.view.count; i++)
		if (walks[0].result.view.records[i].ppid == (uint32_t)pid)
			kill((pid_t)walks[0].result.view.records[i].pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* How a hog that is asked tells its own cpu time. The process clock that others can read is as old as the last tick, and reading one's own makes
 * the kernel's sum up to date: therefore afterwards, and only when asked. */
struct confession {
	atomic_uint asked, told;
	uint64_t cpu_ns, boottime_ns;
};

static _Noreturn void hog(struct confession *confession)
{
	for (;;) {
		unsigned asked = atomic_load(&confession->asked);
		if (asked == atomic_load(&confession->told))
			continue;
		confession->cpu_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
		confession->boottime_ns = clock_now_ns(CLOCK_BOOTTIME);
		atomic_store(&confession->told, asked);
	}
}

static void confess(struct confession *confession)
{
	unsigned asked = atomic_fetch_add(&confession->asked, 1) + 1;
	while (atomic_load(&confession->told) != asked)
		usleep(50);
}

/*
 * A hog's cpu time at the begin of the walk, though the kernel's own sum is as old as the last tick of its cpu: what the hog itself reads afterwards
 * is more by at most the time that has passed since. So it is in nine looks of ten.
 */
static void test_running(void **state)
{
	(void)state;
	enum { WALKS = 50, TOLERANCE_NS = 100000 };
	int wrong = 0;
	struct confession *confession = mmap(NULL, sizeof(*confession), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork_bound();
	if (pid == 0)
		hog(confession);
	confess(confession);
	for (int round = 0; round < WALKS; round++) {
		usleep(7000);
		for (int i = 0; i < walk_count; i++) {
			walk_live_run(&walks[i]);
			uint64_t begin_ns = walks[i].result.view.begin_boot_ns, cpu_ns = walk_live_process(&walks[i], pid).cpu_time_ns;
			confess(confession);
			wrong += cpu_ns > confession->cpu_ns + TOLERANCE_NS;
			wrong += cpu_ns + (confession->boottime_ns - begin_ns) + TOLERANCE_NS < confession->cpu_ns;
		}
	}
	/* Interrupts since the last tick, and what the host has taken of the cpu, are the hog's until the kernel has counted them: on a busy machine once or twice. */
	if (wrong > 0)
		print_message("%d of %d looks are wrong\n", wrong, WALKS * walk_count);
	assert_true(wrong <= WALKS * walk_count / 10);
	procfs_live_kill(pid);
	munmap(confession, sizeof(*confession));
}

/* Two that want the one cpu: one of them waits, in the list of those that wait and in its own delay, wherever the kernel's sum stands. */
static void test_waiting(void **state)
{
	(void)state;
	enum { HOGS = 3, WALKS = 30 };
	pid_t pids[HOGS];
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	for (int i = 0; i < HOGS; i++) {
		pids[i] = fork_bound();
		if (pids[i] == 0) {
			sched_setaffinity(0, sizeof(one), &one);
			for (volatile uint64_t j = 0;; j++)
				;
		}
	}
	uint64_t before_ns[HOGS] = {0};
	uint32_t waited = 0;
	for (int round = 0; round < WALKS; round++) {
		usleep(5000);
		walk_live_run(&walks[0]);
		const struct walk_view *view = &walks[0].result.view;
		for (int i = 0; i < HOGS; i++) {
			const struct walk_record *record = walk_live_find(&walks[0], pids[i]);
			assert_non_null(record);
			assert_true(record->run_delay_ns >= before_ns[i]);
			before_ns[i] = record->run_delay_ns;
			bool listed = false;
			for (uint32_t j = 0; j < view->waiting_count; j++) {
				if (view->waiting[j].tgid != (uint32_t)pids[i])
					continue;
				listed = true;
				uint64_t wait_ns =
				        view->begin_rq_ns > view->waiting[j].queued_ns ? view->begin_rq_ns - view->waiting[j].queued_ns : 0;
				assert_int_equal(wait_ns, record->run_wait_now_ns);
				assert_true(record->run_delay_ns >= wait_ns);
			}
			assert_true(listed || record->run_wait_now_ns == 0 || view->waiting_lost > 0);
			assert_true(record->ran);
			waited += listed;
		}
	}
	assert_true(waited > 0);
	for (int i = 0; i < HOGS; i++)
		procfs_live_kill(pids[i]);
}

/* `ran` is only for those that did, or of which a thread ended. */
static void test_ran(void **state)
{
	(void)state;
	pid_t pid = procfs_live_child(nothing);
	at_rest_await(pid);
	for (int i = 0; i < walk_count; i++) {
		walk_live_run(&walks[i]);
		walk_live_run(&walks[i]);
		assert_false(walk_live_find(&walks[i], pid)->ran);
		kill(pid, SIGSTOP);
		procfs_live_await_state(pid, 'T');
		walk_live_run(&walks[i]);
		assert_true(walk_live_find(&walks[i], pid)->ran);
		kill(pid, SIGCONT);
		procfs_live_await_state(pid, 'S');
	}
	procfs_live_kill(pid);
}

/* What others do to a process that sleeps: of such a one the walk reads only a part anew. */
static void test_changed_asleep(void **state)
{
	(void)state;
	pid_t pid = procfs_live_child(take_memory), parent = fork_bound();
	if (parent == 0) {
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, 0);
			alarm(60);
		}
		for (;;)
			pause();
	}
	at_rest_await(pid);
	usleep(20000);
	for (int i = 0; i < walk_count; i++) {
		char path[64];
		walk_live_run(&walks[i]);
		walk_live_run(&walks[i]);
		assert_int_equal(setpriority(PRIO_PROCESS, (id_t)pid, 3 + i), 0);
		const struct sched_param none = {0};
		assert_int_equal(sched_setscheduler(pid, i ? SCHED_OTHER : SCHED_BATCH, &none), 0);
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		fprintf(file, "%d", 100 + i);
		fclose(file);
		walk_live_run(&walks[i]);
		struct raw_process process = walk_live_process(&walks[i], pid);
		assert_false(walk_live_find(&walks[i], pid)->ran);
		compare_identity(&process, pid);
		compare_times(&process, pid);
		compare_memory(&process, pid);
	}
	/* A new parent. */
	pid_t child = 0;
	walk_live_run(&walks[0]);
	for (uint32_t i = 0; i < walks[0].result.view.count; i++)
		if (walks[0].result.view.records[i].ppid == (uint32_t)parent)
			child = (pid_t)walks[0].result.view.records[i].pid;
	assert_true(child > 0);
	procfs_live_kill(parent);
	for (int i = 0; i < walk_count; i++) {
		walk_live_run(&walks[i]);
		assert_int_equal(walk_live_process(&walks[i], child).ppid, of_status(child, "\nPPid:"));
	}
	kill(child, SIGKILL);
	procfs_live_kill(pid);
}

/* Who was on a cpu in one walk and has left it since has not arrived on one, and yet has run. */
static void test_left_cpu(void **state)
{
	(void)state;
	enum { ROUNDS = 20 };
	pid_t pid = fork_bound();
	if (pid == 0)
		for (volatile uint64_t i = 0;; i++)
			;
	for (int round = 0; round < ROUNDS; round++) {
		struct walk_live *walk = &walks[round % walk_count];
		usleep(3000);
		walk_live_run(walk);
		at_rest_stop(pid);
		walk_live_run(walk);
		assert_true(walk_live_find(walk, pid)->ran);
		assert_int_equal(walk_live_process(walk, pid).cpu_time_ns, procfs_live_cpu_ns(pid));
		walk_live_run(walk);
		assert_false(walk_live_find(walk, pid)->ran);
		assert_int_equal(walk_live_process(walk, pid).cpu_time_ns, procfs_live_cpu_ns(pid));
		kill(pid, SIGCONT);
	}
	procfs_live_kill(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_single),
	        cmocka_unit_test(test_threads),
	        cmocka_unit_test(test_lost_main_thread),
	        cmocka_unit_test(test_states),
	        cmocka_unit_test(test_stuck),
	        cmocka_unit_test(test_running),
	        cmocka_unit_test(test_waiting),
	        cmocka_unit_test(test_ran),
	        cmocka_unit_test(test_changed_asleep),
	        cmocka_unit_test(test_left_cpu),
	};
	if (!walk_live_is_possible())
		return 77;
	static const char *const ways[] = {"syscall", "iterator"};
	for (int i = 0; i < 2; i++)
		walk_count += walk_live_open(&walks[walk_count], ways[i]) == 0;
	if (walk_count == 0)
		return 77;
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	while (walk_count > 0)
		walk_live_close(&walks[--walk_count]);
	return failures;
}
