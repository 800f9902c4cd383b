/* clock.c - the cpu clocks of processes; see clock.h. */
#include "collector/procfs/clock.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUCLOCK_SCHED = 2, CLOCK_TYPE_BITS = 3, STATUS_BYTES = 8192 };

/* As clock_getcpuclockid() makes it, which would make a second system call to ask whether there is such a process. */
static clockid_t clock_of(uint32_t pid)
{
	return (clockid_t)(~pid << CLOCK_TYPE_BITS | CPUCLOCK_SCHED);
}

bool procfs_clock_read(uint32_t pid, uint64_t *ret_cpu_ns)
{
	struct timespec time;
	if (clock_gettime(clock_of(pid), &time) != 0)
		return false;
	*ret_cpu_ns = (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	return true;
}

/*
 * The pids of this process in the namespaces from that of the mount point inwards to its own: one pid means that they are the same.
 * (Since Linux 4.1. Before, no line is found.)
 */
static bool is_own_namespace(const char *status)
{
	static const char key[] = "\nNSpid:";
	const char *line = strstr(status, key);
	if (!line)
		return false;
	char *rest;
	unsigned long pid = strtoul(line + sizeof(key) - 1, &rest, 10);
	return pid == (unsigned long)getpid() && *rest == '\n';
}

bool procfs_clock_is_usable(int root_fd)
{
	char status[STATUS_BYTES];
	clockid_t own;
	uint64_t cpu_ns;
	return file_read_at(root_fd, "self/status", status, sizeof(status)) > 0 && is_own_namespace(status) &&
	       clock_getcpuclockid(getpid(), &own) == 0 && own == clock_of((uint32_t)getpid()) &&
	       procfs_clock_read((uint32_t)getpid(), &cpu_ns);
}
