/* psi_trigger.c - see psi_trigger.h. Linux. */
#include "collector/guard/psi_trigger.h"

#include "base/capability.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MEMORY, IO, FILES };
static const char *const names[FILES] = {[MEMORY] = "memory", [IO] = "io"};

struct psi_triggers {
	struct pollfd polled[FILES + 1]; /* the last one is the event that ends the thread; -1: there is none */
	_Atomic uint32_t count;
	pthread_t thread;
};

/* ---- one trigger ---- */

/* In microseconds: the stall that is worth a report, and the window it must lie in. The kernel looks ten times in a window. */
static const char *const requests[] = {"some 150000 1000000", "some 300000 2000000"};

const char *psi_trigger_refusal(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return "this kernel has no pressure stall information";
	case EOPNOTSUPP:
		return "pressure stall information is switched off: boot with psi=1";
	case EACCES:
	case EPERM:
	case EROFS:
		return "triggers on pressure are not permitted here";
	case EINVAL:
		return "before Linux 6.5 triggers on pressure take CAP_SYS_RESOURCE";
	default:
		return strerror(errnum);
	}
}

int psi_trigger_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), result = fd < 0 ? -errno : -EINVAL;
	/* Too short a window is refused as any mistake is, and a file that was refused takes another request. */
	for (size_t i = 0; fd >= 0 && i < sizeof(requests) / sizeof(requests[0]) && (result == -EINVAL || result == -EPERM); i++) {
		size_t length = strlen(requests[i]) + 1;
		ssize_t written = write(fd, requests[i], length);
		result = written == (ssize_t)length ? 0 : written < 0 ? -errno : -EIO;
	}
	if (result == 0)
		return fd;
	closefd(&fd);
	return result;
}

/* ---- the thread ---- */

static void *run(void *argument)
{
	struct psi_triggers *triggers = argument;
	(void)pthread_setname_np(pthread_self(), "rh-psi");
	(void)capability_keep(0);
	for (;;) {
		if (poll(triggers->polled, FILES + 1, -1) < 0)
			continue;
		if (triggers->polled[FILES].revents)
			return NULL;
		for (unsigned i = 0; i < FILES; i++) {
			short events = triggers->polled[i].revents;
			if (events & (POLLERR | POLLNVAL))
				triggers->polled[i].fd = -2 - triggers->polled[i].fd; /* the trigger is gone; below 0 it is not polled */
			else if (events & POLLPRI)
				atomic_fetch_add_explicit(&triggers->count, 1, memory_order_relaxed);
		}
	}
}

static int start(struct psi_triggers *triggers)
{
	sigset_t all, before;
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	triggers->polled[FILES] = (struct pollfd){.fd = fd, .events = POLLIN};
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&triggers->thread, NULL, run, triggers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -failed;
}

static void close_all(struct psi_triggers *triggers)
{
	for (unsigned i = 0; i <= FILES; i++) {
		if (triggers->polled[i].fd < -1)
			triggers->polled[i].fd = -2 - triggers->polled[i].fd;
		closefd(&triggers->polled[i].fd);
	}
	free(triggers);
}

int psi_triggers_open(const char *folder, struct psi_triggers **ret_triggers)
{
	struct psi_triggers *triggers = calloc(1, sizeof(*triggers));
	int opened = 0, result = 0;
	char path[512];
	*ret_triggers = NULL;
	if (!triggers)
		return -ENOMEM;
	triggers->polled[FILES].fd = -1;
	for (unsigned i = 0; i < FILES; i++) {
		int length = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		int fd = length > 0 && (size_t)length < sizeof(path) ? psi_trigger_open(path) : -ENAMETOOLONG;
		triggers->polled[i] = (struct pollfd){.fd = fd < 0 ? -1 : fd, .events = POLLPRI};
		opened += fd >= 0;
		if (fd < 0 && result == 0)
			result = fd;
	}
	if (opened > 0)
		result = start(triggers);
	if (result < 0)
		close_all(triggers);
	else
		*ret_triggers = triggers;
	return result;
}

uint32_t psi_triggers_count(const struct psi_triggers *triggers)
{
	return atomic_load_explicit(&triggers->count, memory_order_relaxed);
}

void psi_triggers_close(struct psi_triggers **triggers)
{
	const uint64_t one = 1;
	struct psi_triggers *closing = *triggers;
	*triggers = NULL;
	if (!closing)
		return;
	while (write(closing->polled[FILES].fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(closing->thread, NULL);
	close_all(closing);
}
