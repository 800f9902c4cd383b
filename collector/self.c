/* self.c - see self.h. Linux. */
#include "collector/self.h"

#include "base/capability.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "rogue/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = -10, STATUS_BYTES = 4096 };
#define OOM_SCORE_ADJ "-900"

static void say_refused(const char *what, int errnum)
{
	log_say(LOG_DEBUG_, "protect", "%s: %s", what, strerror(errnum));
}

static int oom_protect(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = file_write_all(fd, OOM_SCORE_ADJ, strlen(OOM_SCORE_ADJ));
	closefd(&fd);
	return result;
}

/*
 * May this process lock any amount of memory? Under a limit nothing is locked: with MCL_FUTURE a later mapping beyond it would fail, and
 * the ring could not be made anew.
 */
static bool may_lock_all(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		return true;
	return (capability_effective() & CAPABILITY(CAP_IPC_LOCK)) != 0;
}

int self_lock_memory(void)
{
	if (!may_lock_all())
		return -EPERM;
	/* As they come into use: the arrays that are reserved for more processes than there are stay unused memory. */
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 ? -errno : 0;
}

int self_raise_priority(void)
{
	return setpriority(PRIO_PROCESS, 0, NICE) < 0 ? -errno : 0;
}

static uint64_t signal_of(int result, enum rh_signal signal, const char *refused)
{
	if (result < 0)
		say_refused(refused, -result);
	return result < 0 ? 0 : UINT64_C(1) << signal;
}

uint64_t self_protect(void)
{
	int result = oom_protect();
	if (result < 0)
		say_refused("no protection from the out-of-memory killer", -result);
	return signal_of(self_raise_priority(), RH_SIGNAL_real_time, "no raised priority") |
	       signal_of(self_lock_memory(), RH_SIGNAL_locked_memory, "memory is not locked");
}

void self_open(struct self *self)
{
	*self = (struct self){.status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
}

void self_close(struct self *self)
{
	closefd(&self->status_fd);
}

/* The value of a line "key: 123 kB". */
static uint64_t kib_of(const char *text, const char *key)
{
	const char *line = strstr(text, key);
	return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

uint64_t self_rss_bytes(struct self *self, uint64_t monotonic_ns)
{
	char text[STATUS_BYTES];
	bool is_due = self->read_at_ns == 0 || monotonic_ns - self->read_at_ns >= NS_PER_S;
	if (self->status_fd >= 0 && is_due && file_pread(self->status_fd, text, sizeof(text)) > 0) {
		self->rss_bytes = kib_of(text, "RssAnon:") + kib_of(text, "RssFile:");
		self->read_at_ns = monotonic_ns;
	}
	return self->rss_bytes;
}

uint64_t self_cpu_ns(void)
{
	return clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void self_boot_id(const char *proc_root, char ret_boot_id[40])
{
	char path[512], text[64];
	ret_boot_id[0] = '\0';
	int length = snprintf(path, sizeof(path), "%s/sys/kernel/random/boot_id", proc_root);
	if (length < 0 || (size_t)length >= sizeof(path) || file_read_at(AT_FDCWD, path, text, sizeof(text)) < 36)
		return;
	memcpy(ret_boot_id, text, 36);
	ret_boot_id[36] = '\0';
}
