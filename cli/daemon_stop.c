/* daemon_stop.c - `rogue-hunter daemon --stop`. */
#include "cli/daemon_stop.h"

#include "base/complain.h"
#include "base/file.h"
#include "cli/exit_codes.h"
#include "cli/instance_lock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

/* The supervisor gives its children 5 s before it kills them. */
enum { WAIT_MS = 15000 };

static int stop_and_wait(pid_t pid, int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) != 0) {
		complain("cannot stop the daemon, pid %d: %s", (int)pid, strerror(errno));
		return EXIT_FAILED;
	}
	if (poll(&end, 1, WAIT_MS) != 1) {
		complain("the daemon, pid %d, was asked to stop and has not done so yet", (int)pid);
		return EXIT_FAILED;
	}
	printf("rogue-hunter: the daemon, pid %d, has stopped\n", (int)pid);
	return EXIT_OK;
}

int daemon_stop(const char *instance)
{
	char error[256];
	pid_t pid = instance_lock_holder(instance, error);

	if (pid < 0) {
		complain("%s", error);
		return EXIT_FAILED;
	}
	int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	/* The pidfd is of the process that holds the lock only if that one held it before and after. */
	if (pidfd < 0 || instance_lock_holder(instance, error) != pid) {
		closefd(&pidfd);
		complain("no daemon%s%s runs", instance ? " " : "", instance ? instance : "");
		return EXIT_NO_DAEMON;
	}
	int result = stop_and_wait(pid, pidfd);
	closefd(&pidfd);
	return result;
}
