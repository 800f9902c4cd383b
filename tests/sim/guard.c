/*
 * guard.c - the pause guard on this machine: canaries feel what holds up ordinary programs, the guard does not, and an overdue caller is
 * put ahead of those that hold it up.
 *
 * Injections are bounded by alarm(2) in the child that makes them and end with this process. Skipped (77) where real-time classes are refused.
 */
#include "collector/guard/guard.h"
#include "base/capability.h"
#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOG_MS = 800, HELD_UP_MS = 300 };

static void sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

static void pin(unsigned cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

static unsigned last_cpu(void)
{
	cpu_set_t cpus;
	unsigned last = 0;
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			last = cpu;
	return last;
}

/* A real-time thread that keeps a cpu busy for HOG_MS. */
static pid_t hog_start(unsigned cpu)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(5);
	pin(cpu);
	struct sched_param priority = {.sched_priority = 50};
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		_exit(77);
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + HOG_MS * (uint64_t)NS_PER_MS;
	while (clock_now_ns(CLOCK_MONOTONIC) < end_ns)
		;
	_exit(0);
}

static int hog_end(pid_t hog)
{
	int status;
	assert_int_equal(waitpid(hog, &status, 0), hog);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_quiet_machine_is_watched(void **state)
{
	(void)state;
	struct guard_options options = {.guard_hz = 100, .canary_hz = 50};
	struct guard_reading reading;
	struct guard *guard;
	assert_int_equal(guard_open(&options, &guard), 0);
	sleep_ms(200);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &reading);
	assert_int_not_equal(reading.class, RH_GUARD_CLASS_none);
	assert_true(reading.canaries > 0);
	assert_true(reading.canary_late_max_ns > 0);
	assert_true(reading.guard_late_max_ns > 0);
	assert_true(reading.cpu_ns > 0);
	assert_int_equal(reading.boosts, 0);
	guard_close(&guard);
	assert_null(guard);
}

/* While the hog runs its canary is overdue, and the one of another cpu is not. */
static void a_real_time_hog_is_felt_on_its_cpu_while_it_runs(void **state)
{
	(void)state;
	struct guard_options options = {.guard_hz = 100, .canary_hz = 50};
	struct guard_reading during, after;
	struct guard *guard;
	unsigned cpu = last_cpu();
	assert_int_equal(guard_open(&options, &guard), 0);
	sleep_ms(100);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &during);
	pid_t hog = hog_start(cpu);
	pin(0); /* the reader stays out of its way */
	sleep_ms(HELD_UP_MS + 200);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &during);
	int result = hog_end(hog);
	sleep_ms(100);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &after);
	guard_close(&guard);
	if (result == 77 || during.class < RH_GUARD_CLASS_deadline || cpu == 0)
		skip();
	assert_int_equal(during.canary_cpu, cpu);
	assert_true(during.canary_late_max_ns > HELD_UP_MS * (uint64_t)NS_PER_MS);
	assert_true(during.canaries_late >= 1);
	assert_true(during.guard_late_max_ns < during.canary_late_max_ns);
	assert_true(after.canary_late_max_ns >= during.canary_late_max_ns);
}

/* The caller shares its cpu with the hog and would have to wait for its end; its sample is announced, and it gets the cpu before. */
static void an_overdue_caller_is_boosted_and_goes_back(void **state)
{
	(void)state;
	struct guard_options options = {.guard_hz = 200, .boost_after_ns = 50 * NS_PER_MS};
	struct guard_reading reading;
	struct guard *guard;
	assert_int_equal(guard_open(&options, &guard), 0);
	sleep_ms(50);
	int policy = sched_getscheduler(0);
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	pid_t hog = hog_start(last_cpu()); /* it may run anywhere: a boost needs no pinned caller, and DEADLINE none may be */
	guard_expect(guard, begin_ns);
	while (clock_now_ns(CLOCK_MONOTONIC) < begin_ns + 200 * (uint64_t)NS_PER_MS)
		; /* overdue, and not done */
	int boosted = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	guard_done(guard, 0);
	int back = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	guard_read(guard, 1, &reading);
	hog_end(hog);
	guard_close(&guard);
	if (reading.class < RH_GUARD_CLASS_fifo)
		skip();
	assert_int_equal(reading.boosts, 1);
	assert_true(boosted == SCHED_FIFO || boosted == 6);
	assert_int_equal(back, policy);
}

/* ---- a cpu that is taken away ---- */

static bool write_text(const char *folder, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

static struct guard_reading read_after(struct guard *guard, unsigned ms)
{
	struct guard_reading reading;
	sleep_ms(ms);
	guard_read(guard, HELD_UP_MS * (uint64_t)NS_PER_MS, &reading);
	return reading;
}

/* In a child, which is put into a set of cpus with the first one alone and then back. Exits with 0, the number of the step that failed, or 77. */
static _Noreturn void lose_a_cpu(const char *root, const char *group)
{
	struct guard_options options = {.guard_hz = 50, .canary_hz = 50};
	char first[16];
	struct guard *guard;
	cpu_set_t cpus;
	alarm(10);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		_exit(77);
	unsigned cpu = 0, count = (unsigned)CPU_COUNT(&cpus);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	snprintf(first, sizeof(first), "%u", cpu);
	if (count < 2 || !write_text(group, "cpuset.cpus", first) || !write_text(group, "cpuset.mems", "0"))
		_exit(77);
	if (guard_open(&options, &guard) != 0 || read_after(guard, 300).canaries != count)
		_exit(1);
	if (!write_text(group, "cgroup.procs", "0"))
		_exit(77);
	struct guard_reading away = read_after(guard, 300);
	away = read_after(guard, 300);
	bool is_moved = write_text(root, "cgroup.procs", "0");
	struct guard_reading back = read_after(guard, 300);
	guard_close(&guard);
	if (!is_moved)
		_exit(77);
	_exit(away.canaries != 1 || away.canary_cpu != cpu ? 2 : back.canaries != count ? 3 : 0);
}

/* As when it goes offline: its canary runs elsewhere and must not speak for it; when it is there again, it does. */
static void a_canary_without_its_cpu_is_silent(void **state)
{
	static const char root[] = "/sys/fs/cgroup/cpuset";
	char group[64];
	int status;
	(void)state;
	snprintf(group, sizeof(group), "%s/rogue-guard-%d", root, (int)getpid());
	if (mkdir(group, 0700) != 0)
		skip();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		lose_a_cpu(root, group);
	assert_int_equal(waitpid(child, &status, 0), child);
	for (unsigned i = 0; rmdir(group) != 0 && i < 100; i++)
		sleep_ms(20);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- time ---- */

static void a_suspend_is_nobodys_lateness(void **state)
{
	const uint64_t ms = NS_PER_MS, slept = 5000 * ms;
	(void)state;
	assert_int_equal(guard_late_ns(100 * ms, 90 * ms, slept, slept), 0);
	assert_int_equal(guard_late_ns(100 * ms, 100 * ms, slept, slept), 0);
	assert_int_equal(guard_late_ns(100 * ms, 700 * ms, slept, slept), 600 * ms);
	/* Tasks and devices were being frozen for 600 ms, and then time stood still for 8 s. */
	assert_int_equal(guard_late_ns(100 * ms, 700 * ms, slept, slept + 8000 * ms), 0);
	/* The two clocks are not read at once: that is no suspend. */
	assert_int_equal(guard_late_ns(100 * ms, 700 * ms, slept, slept + ms), 600 * ms);
	assert_int_equal(guard_late_ns(100 * ms, 700 * ms, slept + 300 * ms, slept), 600 * ms);
}

/* ---- threads ---- */

static void its_threads_have_names_and_no_rights_to_spare(void **state)
{
	struct guard_options options = {.guard_hz = 50, .canary_hz = 50, .boost_after_ns = NS_PER_MS};
	unsigned guards = 0, canaries = 0;
	char path[300], line[256], name[32];
	struct guard *guard;
	(void)state;
	assert_int_equal(guard_open(&options, &guard), 0);
	struct guard_reading reading = read_after(guard, 200);
	DIR *folder = opendir("/proc/self/task");
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		unsigned long long blocked = 0, effective = 0;
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/status", entry->d_name);
		FILE *file = fopen(path, "r");
		name[0] = '\0';
		while (file && fgets(line, sizeof(line), file)) {
			sscanf(line, "Name:\t%31s", name);
			sscanf(line, "SigBlk:\t%llx", &blocked);
			sscanf(line, "CapEff:\t%llx", &effective);
		}
		if (file)
			fclose(file);
		bool is_guard = strcmp(name, "rh-guard") == 0, is_canary = strncmp(name, "rh-canary/", 10) == 0;
		guards += is_guard;
		canaries += is_canary;
		if (is_guard || is_canary) {
			assert_int_equal(effective & ~(is_guard ? CAPABILITY(CAP_SYS_NICE) : 0), 0);
			assert_true(blocked >> (SIGTERM - 1) & 1);
		}
	}
	closedir(folder);
	guard_close(&guard);
	assert_int_equal(guards, 1);
	assert_int_equal(canaries, reading.canaries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_quiet_machine_is_watched), cmocka_unit_test(an_overdue_caller_is_boosted_and_goes_back),
	        cmocka_unit_test(a_canary_without_its_cpu_is_silent), cmocka_unit_test(a_suspend_is_nobodys_lateness),
	        cmocka_unit_test(its_threads_have_names_and_no_rights_to_spare),
	        cmocka_unit_test(a_real_time_hog_is_felt_on_its_cpu_while_it_runs), /* it stays on one cpu: the last one */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
