/* log_writer.c - see log_writer.h. Linux. */
#include "base/log_writer.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SLOTS = 16, SLOT_BYTES = 4096, LOWEST_PRIORITY = 19 };

static struct {
	void (*write)(const char *text, size_t length);
	pthread_t thread;
	bool runs;
	int event_fd;   /* written for each line, and for the end */
	unsigned put;   /* lines put so far; stored by the one who puts, released with the line */
	unsigned taken; /* lines written so far; stored by the writer, released when the slot is free */
	bool stop;
	struct {
		size_t length;
		char text[SLOT_BYTES];
	} slots[SLOTS];
} writer = {.event_fd = -1};

static void *run(void *unused)
{
	uint64_t events;
	(void)unused;

	setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST_PRIORITY);
	for (bool stop = false; !stop;) {
		if (read(writer.event_fd, &events, sizeof(events)) < 0 && errno != EINTR)
			return NULL;
		stop = __atomic_load_n(&writer.stop, __ATOMIC_ACQUIRE);
		/* Pairs with the release in log_writer_put(): the line is there. */
		unsigned put = __atomic_load_n(&writer.put, __ATOMIC_ACQUIRE);
		for (unsigned taken = writer.taken; taken != put; taken++) {
			writer.write(writer.slots[taken % SLOTS].text, writer.slots[taken % SLOTS].length);
			__atomic_store_n(&writer.taken, taken + 1, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

int log_writer_start(void (*write)(const char *text, size_t length))
{
	sigset_t all, before;

	if (writer.runs)
		return -EBUSY;
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	writer.event_fd = fd;
	writer.write = write;
	writer.put = writer.taken = 0;
	writer.stop = false;
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&writer.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	writer.runs = failed == 0;
	if (failed)
		closefd(&writer.event_fd);
	return -failed;
}

bool log_writer_runs(void)
{
	return writer.runs;
}

/* The counter of an eventfd would have to overflow for this to wait. */
static void wake(void)
{
	const uint64_t one = 1;

	while (write(writer.event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

bool log_writer_put(const char *text, size_t length)
{
	unsigned put = writer.put;

	/* Pairs with the release of the writer: it is done with the slot. */
	if (length > SLOT_BYTES || put - __atomic_load_n(&writer.taken, __ATOMIC_ACQUIRE) == SLOTS)
		return false;
	memcpy(writer.slots[put % SLOTS].text, text, length);
	writer.slots[put % SLOTS].length = length;
	__atomic_store_n(&writer.put, put + 1, __ATOMIC_RELEASE);
	wake();
	return true;
}

bool log_writer_stop(void)
{
	if (!writer.runs)
		return true;
	struct timespec limit = clock_timespec(clock_now_ns(CLOCK_REALTIME) + (uint64_t)NS_PER_S);
	__atomic_store_n(&writer.stop, true, __ATOMIC_RELEASE);
	wake();
	if (pthread_timedjoin_np(writer.thread, NULL, &limit) != 0)
		return false;
	writer.runs = false;
	closefd(&writer.event_fd);
	return true;
}
