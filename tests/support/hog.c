/* hog.c - see hog.h. */
#include "tests/support/hog.h"

#include "base/clock.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STAMPS = 1 << 16, SLACK = 1024, EVERY_NS = 20 * NS_PER_US, SURE_NS = 5 * NS_PER_US, APART_NS = 10 * NS_PER_MS, LIFE_S = 300 };

struct stamp {
	uint64_t monotonic_ns, cpu_ns;
};

struct hog_stamps {
	_Atomic uint64_t count;
	struct stamp stamp[STAMPS];
};

static void put(struct hog_stamps *stamps, uint64_t monotonic_ns, uint64_t cpu_ns)
{
	uint64_t count = stamps->count;
	stamps->stamp[count % STAMPS] = (struct stamp){monotonic_ns, cpu_ns};
	stamps->count = count + 1;
}

/* A stamp counts only where nothing came between the two clocks. */
static uint64_t stamp_now(struct hog_stamps *stamps)
{
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC), cpu_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC);
	if (end_ns - begin_ns < SURE_NS)
		put(stamps, begin_ns + (end_ns - begin_ns) / 2, cpu_ns);
	return end_ns;
}

static _Noreturn void run(struct hog_stamps *stamps, unsigned rest_us, pid_t parent)
{
	const struct timespec rest = {.tv_nsec = (long)rest_us * NS_PER_US};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	for (unsigned i = 1; getppid() == parent; i++) {
		uint64_t next_ns = stamp_now(stamps) + EVERY_NS;
		while (clock_now_ns(CLOCK_MONOTONIC) < next_ns)
			;
		if (rest_us > 0 && i % (NS_PER_MS / EVERY_NS) == 0) {
			stamp_now(stamps);
			nanosleep(&rest, NULL);
		}
	}
	_exit(0);
}

bool hog_start(struct hog *hog, unsigned rest_us)
{
	pid_t parent = getpid();
	*hog = (struct hog){.stamps = mmap(NULL, sizeof(*hog->stamps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
	if (hog->stamps == MAP_FAILED)
		return false;
	hog->pid = fork();
	if (hog->pid == 0)
		run(hog->stamps, rest_us, parent);
	return hog->pid > 0;
}

bool hog_cpu_at(const struct hog *hog, uint64_t monotonic_ns, double *ret_cpu_ns)
{
	uint64_t high = hog->stamps->count, low = high > STAMPS - SLACK ? high - (STAMPS - SLACK) : 0;
	/* The last stamp at or before that moment. */
	if (high == 0 || hog->stamps->stamp[low % STAMPS].monotonic_ns > monotonic_ns)
		return false;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (hog->stamps->stamp[middle % STAMPS].monotonic_ns <= monotonic_ns)
			low = middle;
		else
			high = middle;
	}
	if (low + 1 >= hog->stamps->count)
		return false;
	const struct stamp *before = &hog->stamps->stamp[low % STAMPS], *after = &hog->stamps->stamp[(low + 1) % STAMPS];
	double part = (double)(monotonic_ns - before->monotonic_ns) / (double)(after->monotonic_ns - before->monotonic_ns);
	double ran_ns = (double)(after->cpu_ns - before->cpu_ns);
	*ret_cpu_ns = (double)before->cpu_ns + part * ran_ns;
	return after->monotonic_ns - before->monotonic_ns < APART_NS || ran_ns < EVERY_NS * 5;
}

void hog_stop(struct hog *hog)
{
	if (hog->pid > 0) {
		kill(hog->pid, SIGKILL);
		waitpid(hog->pid, NULL, 0);
	}
	if (hog->stamps && hog->stamps != MAP_FAILED)
		munmap(hog->stamps, sizeof(*hog->stamps));
	memset(hog, 0, sizeof(*hog));
}
