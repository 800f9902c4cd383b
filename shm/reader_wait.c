/*
 * reader_wait.c - waiting for news, and the state of the writer. Nothing here trusts a writer to be alive.
 */
#include "base/clock.h"
#include "shm/reader_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RELAY = 2, HUNG_PERIODS = 10 };
#define PERIOD_LEAST_NS (1ull * NS_PER_MS)
#define PERIOD_MOST_NS (3600ull * NS_PER_S)
#define HUNG_LEAST_NS (2ull * NS_PER_S)

/* The configured period, within reason whatever the segment says. */
static uint64_t period_ns(const struct rh_ring *ring)
{
	uint64_t period = ring->header.period_ns;

	if (period < PERIOD_LEAST_NS)
		return PERIOD_LEAST_NS;
	return period > PERIOD_MOST_NS ? PERIOD_MOST_NS : period;
}

static bool is_closed(const struct rh_ring *ring)
{
	return ck_pr_load_32(&ring->control->state) == SEG_STATE_CLOSED;
}

static bool is_news(const struct rh_ring *ring, uint64_t seen)
{
	return rh_newest(ring) != seen;
}

/* Sleeps once, unless the futex word is no longer `word`. Returns 0 when woken, or the errno. */
static int sleep_on(const struct rh_ring *ring, uint32_t word, uint64_t timeout_ns)
{
	struct timespec timeout = clock_timespec(timeout_ns);
	long result = syscall(SYS_futex, &ring->control->futex, FUTEX_WAIT, word, &timeout, NULL, 0);

	return result == 0 ? 0 : errno;
}

enum rh_status rh_wait(struct rh_ring *ring, uint64_t seen, uint64_t timeout_ns)
{
	uint64_t most = 2 * period_ns(ring), now = clock_now_ns(CLOCK_MONOTONIC);
	uint64_t deadline = now + (timeout_ns < most ? timeout_ns : most);

	for (;;) {
		/*
		 * The word is loaded before the question whether there is news: news that comes after the question changes the word, and
		 * the sleep does not begin. Each turn of this loop without sleep means that the writer did something.
		 */
		uint32_t word = ck_pr_load_32(&ring->control->futex);
		ck_pr_fence_load();
		if (is_news(ring, seen))
			return RH_OK;
		if (is_closed(ring))
			return RH_CLOSED;
		if (now >= deadline)
			return RH_TIMEOUT;
		int failed = sleep_on(ring, word, deadline - now);
		if (failed == 0 && is_news(ring, seen)) {
			syscall(SYS_futex, &ring->control->futex, FUTEX_WAKE, RELAY, NULL, NULL, 0);
			return RH_OK;
		}
		if (failed == EINTR)
			return RH_TIMEOUT;
		now = clock_now_ns(CLOCK_MONOTONIC);
	}
}

uint64_t rh_heartbeat_age_ns(const struct rh_ring *ring)
{
	uint64_t beat = ck_pr_load_64(&ring->control->heartbeat_ns), now = clock_now_ns(CLOCK_BOOTTIME);

	return now > beat ? now - beat : 0;
}

enum rh_status rh_writer_status(const struct rh_ring *ring)
{
	struct stat status;
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	uint64_t patience = HUNG_PERIODS * period_ns(ring);

	if (is_closed(ring))
		return RH_CLOSED;
	if (fstat(ring->fd, &status) != 0)
		return RH_SYSTEM;
	if (status.st_nlink == 0)
		return RH_REPLACED;
	/* Would a read lock meet the writer's lock? The kernel drops that with the writer's last breath. */
	if (fcntl(ring->fd, F_OFD_GETLK, &lock) != 0)
		return RH_SYSTEM;
	if (lock.l_type != F_WRLCK)
		return RH_DEAD;
	if (patience < HUNG_LEAST_NS)
		patience = HUNG_LEAST_NS;
	return rh_heartbeat_age_ns(ring) > patience ? RH_HUNG : RH_RUNNING;
}
