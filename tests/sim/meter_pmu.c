/*
 * meter_pmu.c - counters of real processes. The meter counts software events here, which every kernel has: cpu time in the place of instructions,
 * page faults in the place of cycles. The counted are this program itself, started anew, which touches as many pages as it is told.
 */
#include "collector/meters/pmu.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
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

enum { PAGES = 1000, OTHER_FAULTS = 500, CROWD = 80, MAX_PROCESSES = 16 };

/* ---- the counted ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* Without a sanitizer's own faults. */
__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) static void pages_touch(volatile char *pages, size_t count)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < count; i++)
		pages[i * size] = 1;
}

/* Returns how many faults the kernel counted, as getrusage() tells. */
static uint64_t faults_cause(size_t count)
{
	struct rusage before, after;
	size_t bytes = count * (size_t)sysconf(_SC_PAGESIZE);
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		abort();
	(void)madvise(pages, bytes, MADV_NOHUGEPAGE);
	getrusage(RUSAGE_THREAD, &before);
	pages_touch(pages, count);
	getrusage(RUSAGE_THREAD, &after);
	munmap(pages, bytes);
	return (uint64_t)(after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt);
}

static void *thread_run(void *context)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	if (context != NULL)
		*(uint64_t *)context = faults_cause(PAGES);
	return NULL;
}

/* Does as it is told, one letter at a time, and says when it has. */
static int counted_main(void)
{
	pthread_t thread = pthread_self();
	uint64_t faults = 0, thread_faults = 0;
	for (char order; read(STDIN_FILENO, &order, 1) == 1;) {
		pthread_t one;
		switch (order) {
		case '?': /* is it there? */
			break;
		case 't': /* touch pages */
			faults = faults_cause(PAGES);
			break;
		case 'n': /* a new thread, which waits */
			pthread_mutex_lock(&gate);
			pthread_create(&thread, NULL, thread_run, &thread_faults);
			break;
		case 'x': /* let it touch pages and end */
			pthread_mutex_unlock(&gate);
			pthread_join(thread, NULL);
			faults = thread_faults;
			break;
		case 'c': /* a crowd */
			pthread_mutex_lock(&gate);
			for (int i = 0; i < CROWD; i++)
				pthread_create(&one, NULL, thread_run, NULL);
			break;
		default:
			return 1;
		}
		if (write(STDOUT_FILENO, &faults, sizeof(faults)) != (ssize_t)sizeof(faults))
			return 1;
	}
	_exit(0); /* with all threads that still wait */
}

/* ---- the test ---- */

struct counted {
	pid_t pid;
	int orders, answers;
};

struct world {
	struct config config;
	struct meter *meter;
	struct counted counted[2];
	struct raw_process processes[MAX_PROCESSES];
	struct raw_system system;
	uint64_t cpu_ns[2];
	bool gone[2];
	unsigned files;
	char error[256];
};

/* Returns the page faults that it caused. */
static uint64_t order(const struct counted *counted, char what)
{
	uint64_t faults;
	assert_int_equal(write(counted->orders, &what, 1), 1);
	assert_int_equal(read(counted->answers, &faults, sizeof(faults)), sizeof(faults));
	return faults;
}

static struct counted counted_start(void)
{
	int orders[2], answers[2];
	assert_int_equal(pipe(orders), 0);
	assert_int_equal(pipe(answers), 0);
	struct counted counted = {.pid = fork(), .orders = orders[1], .answers = answers[0]};
	assert_true(counted.pid >= 0);
	if (counted.pid == 0) {
		dup2(orders[0], STDIN_FILENO);
		dup2(answers[1], STDOUT_FILENO);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		execl("/proc/self/exe", "counted", "counted", (char *)NULL);
		_exit(1);
	}
	close(orders[0]);
	close(answers[1]);
	order(&counted, '?'); /* its start causes faults, too */
	return counted;
}

static void counted_end(struct counted *counted)
{
	if (counted->pid == 0)
		return;
	close(counted->orders);
	close(counted->answers);
	assert_int_equal(waitpid(counted->pid, NULL, 0), counted->pid);
	counted->pid = 0;
}

/* Entries of a folder that are numbers. */
static unsigned entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static unsigned files(void)
{
	return entries("/proc/self/fd");
}

static int world_open(struct world *world, unsigned limit)
{
	const struct pmu_options pmu_options = {
	        .events = {{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK}, {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS}},
	        .choose_ns = (uint64_t)NS_PER_S * 3,
	};
	const struct meter_options options = {
	        .config = &world->config, .proc_root = "/proc", .sys_root = "/sys", .max_processes = MAX_PROCESSES};
	world->config.meters_pmu_processes = limit;
	int result = pmu_open_events(&options, &pmu_options, &world->meter, world->error);
	if (result == -EACCES || result == -EPERM || (result == -ENODEV && limit > 0))
		skip(); /* perf events are not allowed here */
	return result;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	assert_non_null(world);
	config_defaults(&world->config);
	for (int i = 0; i < 2; i++)
		world->counted[i] = counted_start();
	world->cpu_ns[0] = 1000;
	world->cpu_ns[1] = 500;
	world->files = files();
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	if (world->meter != NULL)
		world->meter->operations->close(&world->meter);
	for (int i = 0; i < 2; i++)
		counted_end(&world->counted[i]);
	free(world);
	return 0;
}

/* A tick in which the two have used as much cpu time as the test says. */
static void tick(struct world *world, uint64_t interval_ns)
{
	uint32_t count = 0;
	memset(world->processes, 0, sizeof(world->processes));
	for (int i = 1; i >= 0; i--) {
		if (world->gone[i])
			continue;
		struct raw_process *process = &world->processes[count++];
		process->pid = (uint32_t)world->counted[i].pid;
		process->start_time_ns = 5;
		process->cpu_time_ns = world->cpu_ns[i];
		rh_set(process->present, RH_F_cpu_time_ns);
	}
	assert_true(world->meter->operations->tick(world->meter, interval_ns, world->processes, count, &world->system));
}

static const struct raw_process *record(const struct world *world, int which)
{
	for (uint32_t i = 0; i < MAX_PROCESSES; i++) {
		if (world->processes[i].pid == (uint32_t)world->counted[which].pid)
			return &world->processes[i];
	}
	return NULL;
}

static bool is_counted(const struct world *world, int which)
{
	const struct raw_process *process = record(world, which);
	bool is = rh_has(process->present, RH_F_cycles_count);
	assert_int_equal(is, rh_has(process->present, RH_F_instructions_count));
	return is;
}

static void more_faults(const struct world *world, int which, uint64_t before, uint64_t expected)
{
	assert_true(is_counted(world, which));
	assert_in_range(record(world, which)->cycles, before + expected, before + expected + OTHER_FAULTS);
}

static void counts_what_happens(void **state)
{
	struct world *world = *state;
	assert_int_equal(world_open(world, 2), 0);
	order(&world->counted[0], 't'); /* before: not counted */
	tick(world, 0);
	assert_true(is_counted(world, 0) && is_counted(world, 1));
	uint64_t begin = record(world, 0)->cycles, other = record(world, 1)->cycles;
	assert_true(begin < PAGES);
	uint64_t faults = order(&world->counted[0], 't');
	assert_true(faults > 0);
	tick(world, 1);
	more_faults(world, 0, begin, faults);
	more_faults(world, 1, other, 0);
	assert_true(record(world, 0)->instructions > 0); /* it ran */
	uint64_t ran = record(world, 0)->instructions;
	faults += order(&world->counted[0], 't');
	uint64_t other_faults = order(&world->counted[1], 't');
	tick(world, 1);
	more_faults(world, 0, begin, faults);
	more_faults(world, 1, other, other_faults);
	assert_true(record(world, 0)->instructions > ran);
}

static void threads_are_found_and_not_forgotten(void **state)
{
	struct world *world = *state;
	assert_int_equal(world_open(world, 2), 0);
	tick(world, 0);
	order(&world->counted[0], 'n');
	tick(world, 1); /* it is found here */
	unsigned found = files();
	uint64_t begin = record(world, 0)->cycles;
	uint64_t faults = order(&world->counted[0], 'x'); /* it works, and ends before anybody looks */
	for (int i = 0; i < 5; i++) {
		tick(world, 1);
		more_faults(world, 0, begin, faults);
	}
	assert_int_equal(files(), found - PMU_EVENTS);
}

static void only_the_busiest(void **state)
{
	struct world *world = *state;
	assert_int_equal(world_open(world, 1), 0);
	tick(world, 0);
	assert_true(is_counted(world, 0));
	assert_false(is_counted(world, 1));
	world->cpu_ns[1] += 1000; /* now the other */
	world->cpu_ns[0] += 10;
	tick(world, NS_PER_S);
	assert_true(is_counted(world, 0)); /* it is not yet time to choose */
	tick(world, 2 * (uint64_t)NS_PER_S);
	assert_false(is_counted(world, 0));
	assert_true(is_counted(world, 1));
	assert_int_equal(files(), world->files + 1 + PMU_EVENTS);
	uint64_t begin = record(world, 1)->cycles;
	uint64_t faults = order(&world->counted[1], 't');
	world->cpu_ns[1] += 1000;
	tick(world, 3 * (uint64_t)NS_PER_S); /* chosen again: it goes on */
	more_faults(world, 1, begin, faults);
}

static void a_process_that_is_gone(void **state)
{
	struct world *world = *state;
	assert_int_equal(world_open(world, 2), 0);
	tick(world, 0);
	assert_int_equal(files(), world->files + 1 + 2 * PMU_EVENTS);
	world->gone[0] = true;
	tick(world, 1);
	assert_true(is_counted(world, 1));
	assert_int_equal(files(), world->files + 1 + PMU_EVENTS);
	world->meter->operations->close(&world->meter);
	assert_null(world->meter);
	assert_int_equal(files(), world->files);
}

/* One tick opens a bounded number of files, and a process gets a bounded number. */
static void a_crowd_of_threads(void **state)
{
	struct world *world = *state;
	assert_int_equal(world_open(world, 2), 0);
	order(&world->counted[0], 'c');
	unsigned before = files();
	for (int i = 0; i < 8; i++) {
		tick(world, 1);
		unsigned now = files();
		assert_true(now - before <= 32 * PMU_EVENTS);
		before = now;
	}
	assert_int_equal(before, world->files + 1 + (64 + 1) * PMU_EVENTS);
	assert_true(is_counted(world, 0) && is_counted(world, 1));
	world->meter->operations->close(&world->meter);
	assert_int_equal(files(), world->files);
}

/* The counts of processes that do not exist are absent; so is all where the processes are simulated. */
static void absent_is_absent(void **state)
{
	struct world *world = *state;
	const struct pmu_options pmu_options = {
	        .events = {{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK}, {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS}}};
	const struct meter_options options = {
	        .config = &world->config, .proc_root = "/", .sys_root = "/sys", .max_processes = MAX_PROCESSES};
	assert_int_equal(world_open(world, 2), 0);
	struct raw_process nobody = {.pid = 4194303, .start_time_ns = 1, .cpu_time_ns = 5};
	rh_set(nobody.present, RH_F_cpu_time_ns);
	assert_true(world->meter->operations->tick(world->meter, 0, &nobody, 1, &world->system));
	assert_false(rh_has(nobody.present, RH_F_instructions_count));
	assert_false(rh_has(nobody.present, RH_F_cycles_count));
	world->meter->operations->close(&world->meter);

	assert_int_equal(pmu_open_events(&options, &pmu_options, &world->meter, world->error), -ENODEV);
	assert_non_null(strstr(world->error, "no proc file system"));
	assert_int_equal(world_open(world, 0), -ENODEV);
	assert_non_null(strstr(world->error, "meters.pmu_processes"));
	assert_int_equal(files(), world->files);
}

/* With the counters of this machine's cpu, if it has any. */
static void this_machine(void **state)
{
	struct world *world = *state;
	const struct meter_options options = {
	        .config = &world->config, .proc_root = "/proc", .sys_root = "/sys", .max_processes = MAX_PROCESSES};
	world->config.meters_pmu_processes = 2;
	int result = meter_pmu_open(&options, &world->meter, world->error);
	if (result < 0) {
		assert_null(world->meter);
		assert_true(strlen(world->error) > 0);
		assert_int_equal(files(), world->files);
		return;
	}
	tick(world, 0);
	order(&world->counted[0], 't');
	tick(world, 1);
	assert_true(is_counted(world, 0));
	assert_true(record(world, 0)->instructions > PAGES && record(world, 0)->cycles > PAGES);
}

int main(int count, char **arguments)
{
	if (count > 1 && strcmp(arguments[1], "counted") == 0)
		return counted_main();
	signal(SIGPIPE, SIG_IGN);
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        WORLD_TEST(counts_what_happens),
	        WORLD_TEST(threads_are_found_and_not_forgotten),
	        WORLD_TEST(only_the_busiest),
	        WORLD_TEST(a_process_that_is_gone),
	        WORLD_TEST(a_crowd_of_threads),
	        WORLD_TEST(absent_is_absent),
	        WORLD_TEST(this_machine),
	};
#undef WORLD_TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
