/* tick.c - see tick.h. */
#include "collector/tick.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { QUIET_MS = 1000 };

static int timer_arm(const struct tick *tick)
{
	struct itimerspec at = {.it_value = clock_timespec(tick->due_ns)};
	if (tick->timer_fd < 0)
		return 0;
	return timerfd_settime(tick->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}

static int signals_open(void)
{
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int tick_open(struct tick *tick, int step_fd)
{
	*tick = (struct tick){.timer_fd = -1, .step_fd = step_fd};
	tick->signal_fd = signals_open();
	if (tick->signal_fd < 0)
		return tick->signal_fd;
	if (step_fd >= 0)
		return 0;
	tick->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return tick->timer_fd < 0 ? -errno : 0;
}

int tick_start(struct tick *tick, uint64_t due_ns)
{
	tick->due_ns = due_ns;
	return timer_arm(tick);
}

/* One tick from the timer or one step. A spurious wake-up, which is none, is as if nothing had come. */
static enum tick_event tick_take(const struct tick *tick)
{
	uint64_t expirations;
	unsigned char step;
	if (tick->step_fd >= 0) {
		ssize_t got = read(tick->step_fd, &step, 1);
		return got == 1 ? TICK_DUE : got < 0 && (errno == EAGAIN || errno == EINTR) ? TICK_QUIET : TICK_STOP;
	}
	return read(tick->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations) ? TICK_DUE : TICK_QUIET;
}

enum tick_event tick_wait(struct tick *tick)
{
	struct pollfd fds[] = {
	        {.fd = tick->step_fd >= 0 ? tick->step_fd : tick->timer_fd, .events = POLLIN},
	        {.fd = tick->signal_fd, .events = POLLIN},
	};
	int ready = poll(fds, sizeof(fds) / sizeof(fds[0]), QUIET_MS);
	if (ready <= 0)
		return TICK_QUIET;
	if (fds[1].revents)
		return TICK_STOP;
	return tick_take(tick);
}

uint64_t tick_lateness_ns(const struct tick *tick, uint64_t now_ns)
{
	return now_ns > tick->due_ns ? now_ns - tick->due_ns : 0;
}

uint64_t tick_advance(uint64_t due_ns, uint64_t now_ns, uint64_t interval_ns, uint64_t *missed)
{
	if (now_ns < due_ns)
		return due_ns + interval_ns;
	uint64_t skipped = (now_ns - due_ns) / interval_ns;
	*missed += skipped;
	return due_ns + (skipped + 1) * interval_ns;
}

void tick_next(struct tick *tick, uint64_t now_ns, uint64_t interval_ns)
{
	tick->due_ns = tick_advance(tick->due_ns, now_ns, interval_ns, &tick->missed);
	/* Cannot fail: the descriptor is a timer's and the time is valid. */
	(void)timer_arm(tick);
}

void tick_close(struct tick *tick)
{
	closefd(&tick->timer_fd);
	closefd(&tick->signal_fd);
}
