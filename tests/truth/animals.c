/* animals.c - what each animal of the zoo is and does; see animals.h. */
#include "tests/truth/animals.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MIB = 1 << 20,
	THREADS = 200,
	THREAD_STACK_BYTES = 128 << 10,
	HUGE_MIB = 300,
	SHARED_MIB = 64,
	MAPPED_MIB = 32,
	NOBODY = 65534,
};

/* Of the animal that this process is. */
static struct tale *tale;

void animal_be(struct tale *own)
{
	tale = own;
}

static void cannot(const char *why)
{
	snprintf(tale->why, sizeof(tale->why), "%s: %s", why, strerror(errno));
	tale->ready = 2;
	_exit(0);
}

void animal_spin_ms(unsigned ms)
{
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + ms * (uint64_t)NS_PER_MS;
	while (clock_now_ns(CLOCK_MONOTONIC) < until_ns)
		;
}

static char *map(size_t bytes, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (memory == MAP_FAILED)
		cannot("no memory");
	return memory;
}

static void touch(char *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 4096)
		((volatile char *)memory)[i]++;
}

/* A file of its own on the disk of the build folder, without a name. */
static int open_file(int flags)
{
	const char *folder = getenv("BUILD");
	int fd = open(folder ? folder : ".", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		cannot("no file of its own");
	return fd;
}

void animal_start_thread(void *(*run)(void *), void *argument)
{
	pthread_t thread;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, run, argument) != 0)
		cannot("no thread");
	pthread_attr_destroy(&attributes);
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* ---- many threads, threads that end ---- */

static int crowd_pipe[2];

static void *crowd_run(void *unused)
{
	char byte;
	(void)unused;
	while (read(crowd_pipe[0], &byte, 1) == 1)
		for (volatile int i = 0; i < 50000; i++)
			;
	return NULL;
}

static void crowd_begin(void)
{
	if (pipe(crowd_pipe) != 0)
		cannot("no pipe");
	for (int i = 0; i < THREADS; i++)
		animal_start_thread(crowd_run, NULL);
}

static void crowd_work(void)
{
	static const char bytes[THREADS];
	for (int i = 0; i < 3; i++) {
		if (write(crowd_pipe[1], bytes, sizeof(bytes)) < 0)
			return;
		poll(NULL, 0, 30);
	}
}

static void *mortal_run(void *unused)
{
	(void)unused;
	char *memory = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED) {
		touch(memory, 64 * 4096);
		munmap(memory, 64 * 4096);
	}
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[512];
	for (int i = 0; i < 10 && fd >= 0; i++)
		if (pread(fd, text, sizeof(text), 0) < 0)
			break;
	if (fd >= 0)
		close(fd);
	animal_spin_ms(8);
	poll(NULL, 0, 1);
	return NULL;
}

static void mortal_work(void)
{
	pthread_t threads[10];
	unsigned count = 0;
	while (count < 10 && pthread_create(&threads[count], NULL, mortal_run, NULL) == 0)
		count++;
	while (count > 0)
		pthread_join(threads[--count], NULL);
}

static void leaderless_work(void)
{
	animal_spin_ms(50);
}

/* Two threads that take turns through pipes: little else than context switches. */
static int turn_to[2], turn_back[2];

static void *turn_run(void *unused)
{
	char byte;
	(void)unused;
	while (read(turn_to[0], &byte, 1) == 1)
		if (write(turn_back[1], &byte, 1) != 1)
			break;
	return NULL;
}

static void turns_begin(void)
{
	if (pipe(turn_to) != 0 || pipe(turn_back) != 0)
		cannot("no pipe");
	animal_start_thread(turn_run, NULL);
}

static void turns_work(void)
{
	char byte = 0;
	for (int i = 0; i < 3000; i++)
		if (write(turn_to[1], &byte, 1) != 1 || read(turn_back[0], &byte, 1) != 1)
			return;
}

/* ---- cpu, forks ---- */

static void hog_work(void)
{
	animal_spin_ms(150);
}

static void forks_work(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		if (child > 0)
			waitpid(child, NULL, 0);
	}
}

/* Its parent waits for a vfork()ed child uninterruptibly. */
static void vfork_work(void)
{
	static volatile pid_t child;
	child = vfork();
	if (child == 0) {
		const struct timespec time = {.tv_nsec = 200 * NS_PER_MS};
		syscall(SYS_nanosleep, &time, NULL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* ---- io and faults ---- */

static void direct_begin(void)
{
	close(open_file(O_DIRECT));
}

static void direct_work(void)
{
	int fd = open_file(O_DIRECT);
	char *memory = map(MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (off_t i = 0; i < 8; i++)
		if (pwrite(fd, memory, MIB, i * MIB) != MIB || pread(fd, memory, MIB, i * MIB) != MIB)
			break;
	munmap(memory, MIB);
	close(fd);
}

static void buffered_begin(void)
{
	close(open_file(0));
}

static void buffered_work(void)
{
	int fd = open_file(0);
	char *memory = map(MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (off_t i = 0; i < 4; i++)
		if (pwrite(fd, memory, MIB, i * MIB) != MIB)
			break;
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (off_t i = 0; i < 4; i++)
		if (pread(fd, memory, MIB, i * MIB) != MIB)
			break;
	munmap(memory, MIB);
	close(fd); /* what is dirty and has no name is cancelled */
}

static void minor_faults_work(void)
{
	for (int i = 0; i < 4; i++) {
		char *memory = map(16 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		touch(memory, 16 * MIB);
		munmap(memory, 16 * MIB);
	}
}

static void major_faults_work(void)
{
	int fd = open_file(0);
	if (ftruncate(fd, 4 * MIB) != 0)
		cannot("no room for a file");
	char *memory = map(4 * MIB, MAP_SHARED, fd);
	touch(memory, 4 * MIB);
	munmap(memory, 4 * MIB);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	memory = map(4 * MIB, MAP_SHARED, fd);
	madvise(memory, 4 * MIB, MADV_RANDOM);
	volatile char sum = 0;
	for (size_t i = 0; i < 4 * MIB; i += 64 << 10)
		sum = (char)(sum + ((volatile char *)memory)[i]);
	munmap(memory, 4 * MIB);
	close(fd);
}

/* ---- memory ---- */

static void huge_begin(void)
{
	touch(map((size_t)HUGE_MIB * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1), (size_t)HUGE_MIB * MIB);
}

static void huge_work(void)
{
	char *memory = map(10 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(memory, 10 * MIB);
	munmap(memory, 10 * MIB);
	touch(map(37 * 4096, MAP_PRIVATE | MAP_ANONYMOUS, -1), 37 * 4096); /* fewer pages than a cpu keeps to itself */
}

static void shared_begin(void)
{
	int fd = memfd_create("shared", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)SHARED_MIB * MIB) != 0)
		cannot("no shared memory");
	touch(map((size_t)SHARED_MIB * MIB, MAP_SHARED, fd), (size_t)SHARED_MIB * MIB);
}

static void mapped_begin(void)
{
	int fd = open_file(0);
	if (ftruncate(fd, (off_t)MAPPED_MIB * MIB) != 0)
		cannot("no room for a file");
	touch(map((size_t)MAPPED_MIB * MIB, MAP_SHARED, fd), (size_t)MAPPED_MIB * MIB);
}

/* ---- states ---- */

static void zombies_begin(void)
{
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_NAME, i ? "deceased" : "de)ceas (ed");
			animal_spin_ms(12);
			_exit(3);
		}
		if (child < 0 || waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT) != 0)
			cannot("no child");
		tale->other = child;
	}
	tale->zombies = 3;
}

static void stopped_child(int sig)
{
	raise(sig);
	_exit(0);
}

static void stopped_begin(void)
{
	tale->other = fork();
	if (tale->other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		stopped_child(SIGSTOP);
	}
	if (tale->other < 0 || waitid(P_PID, (id_t)tale->other, NULL, WSTOPPED | WNOWAIT) != 0)
		cannot("no stopped child");
}

static void traced_begin(void)
{
	tale->other = fork();
	if (tale->other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sleep_for_ever(NULL);
	}
	if (tale->other < 0 || ptrace(PTRACE_SEIZE, tale->other, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, tale->other, 0, 0) != 0 ||
	        waitpid(tale->other, NULL, __WALL) != tale->other)
		cannot("no traced child");
}

/* ---- who it is ---- */

static void exec_now(void)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%d", ANIMAL_LIFE_S);
	animal_spin_ms(15);
	tale->ready = 1;
	execl("/bin/sleep", "slumber", seconds, (char *)NULL);
	cannot("no exec");
}

static void *exec_run(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	exec_now();
	return NULL;
}

static void thread_exec_begin(void)
{
	animal_spin_ms(15);
	animal_start_thread(sleep_for_ever, NULL);
	animal_start_thread(exec_run, NULL);
	sleep_for_ever(NULL);
}

static void setuid_begin(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
		cannot("no right to be another user");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Real and effective user differ. */
static void seteuid_begin(void)
{
	if (setresuid(NOBODY, 0, 0) != 0)
		cannot("no right to be another user");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void adjusted_begin(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "567", 3) != 3)
		cannot("no oom adjustment");
	close(fd);
}

static void grouped_begin(void)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char path[128], text[16];
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/rogue-zoo-%d", mounts[i], (int)getppid());
		if (access(mounts[i], W_OK) == 0 && mkdir(path, 0700) == 0)
			break;
		path[0] = '\0';
	}
	strncat(path, "/cgroup.procs", sizeof(path) - strlen(path) - 1);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		cannot("no cgroup of its own");
	close(fd);
}

/* ---- how it is scheduled ---- */

static void set_policy(int policy, int priority)
{
	const struct sched_param parameter = {.sched_priority = priority};
	if (sched_setscheduler(0, policy, &parameter) != 0)
		cannot("no right to this policy");
}

static void batch_begin(void)
{
	set_policy(SCHED_BATCH, 0);
	if (setpriority(PRIO_PROCESS, 0, 7) != 0)
		cannot("no nice value");
}

static void idle_policy_begin(void)
{
	set_policy(SCHED_IDLE, 0);
}

static void fifo_begin(void)
{
	set_policy(SCHED_FIFO, 37);
}

static void round_robin_begin(void)
{
	set_policy(SCHED_RR, 99);
}

static void short_work(void)
{
	animal_spin_ms(10);
}

static void deadline_begin(void)
{
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attributes = {.size = 48, .policy = 6, .runtime_ns = 1000000, .deadline_ns = 100000000, .period_ns = 100000000};
	if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
		cannot("no deadline");
}

static void eager_begin(void)
{
	if (setpriority(PRIO_PROCESS, 0, -11) != 0)
		cannot("no right to a lower nice value");
}

static void *another_nice_run(void *unused)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 13);
	prctl(PR_SET_NAME, "another name");
	return sleep_for_ever(unused);
}

/* Nice value and name of a thread are not those of its process. */
static void thread_of_another_kind_begin(void)
{
	animal_start_thread(another_nice_run, NULL);
}

/* ---- names ---- */

#define NAMED(function, text) \
	static void function(void) \
	{ \
		prctl(PR_SET_NAME, text); \
	}
NAMED(bracket_begin, "a) R 1 (b) Z 7")
NAMED(blank_begin, " two  blanks ")
NAMED(newline_begin, "new\nline\t\\n")
NAMED(cut_utf8_begin, "fourteen byte\xe2\x82")
NAMED(escape_begin, "\x1b[31mred\a\x7f")
NAMED(empty_begin, "")

/* ---- the list ---- */

const struct animal animals[] = {
        {"idle", NULL, NULL, 0},
        {"hog", NULL, hog_work, 0},
        {"200 threads", crowd_begin, crowd_work, 0},
        {"threads that end", NULL, mortal_work, THREADS_END},
        {"threads without their main thread", NULL, leaderless_work, THREADS_END | LEADERLESS},
        {"context switches", turns_begin, turns_work, 0},
        {"forks", NULL, forks_work, 0},
        {"uninterruptible", NULL, vfork_work, 0},
        {"direct io", direct_begin, direct_work, 0},
        {"buffered io", buffered_begin, buffered_work, 0},
        {"minor faults", NULL, minor_faults_work, 0},
        {"major faults", buffered_begin, major_faults_work, 0},
        {"huge", huge_begin, huge_work, 0},
        {"shared memory", shared_begin, NULL, 0},
        {"mapped file", mapped_begin, NULL, 0},
        {"zombies", zombies_begin, NULL, 0},
        {"stopped", stopped_begin, NULL, 0},
        {"traced", traced_begin, NULL, 0},
        {"exec", exec_now, NULL, THREADS_END},
        {"exec by a thread", thread_exec_begin, NULL, THREADS_END},
        {"setuid", setuid_begin, short_work, 0},
        {"real and effective user", seteuid_begin, NULL, 0},
        {"oom adjustment", adjusted_begin, NULL, 0},
        {"cgroup", grouped_begin, NULL, 0},
        {"batch, nice 7", batch_begin, short_work, 0},
        {"idle policy", idle_policy_begin, NULL, 0},
        {"fifo", fifo_begin, short_work, 0},
        {"round robin", round_robin_begin, NULL, 0},
        {"deadline", deadline_begin, NULL, 0},
        {"nice -11", eager_begin, short_work, 0},
        {"thread of another kind", thread_of_another_kind_begin, NULL, 0},
        {"bracket", bracket_begin, NULL, 0},
        {"blanks", blank_begin, NULL, 0},
        {"newline", newline_begin, NULL, 0},
        {"cut utf-8", cut_utf8_begin, NULL, 0},
        {"escape codes", escape_begin, NULL, 0},
        {"empty name", empty_begin, NULL, 0},
};
const unsigned animal_count = sizeof(animals) / sizeof(animals[0]);
_Static_assert(sizeof(animals) / sizeof(animals[0]) <= (size_t)CAGES_MOST, "a cage for each");
