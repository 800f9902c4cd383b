/* detach.c - going into the background. */
#include "cli/detach.h"

#include "base/complain.h"
#include "base/file.h"
#include "cli/exit_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
	int exit_code;
	char sentence[256];
};

static int wait_for_report(int fd)
{
	struct report report;
	ssize_t got;

	do
		got = read(fd, &report, sizeof(report)); /* below PIPE_BUF: all of it or nothing */
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(report)) {
		complain("the daemon ended while it was starting; its log says how far it came");
		return EXIT_FAILED;
	}
	report.sentence[sizeof(report.sentence) - 1] = '\0';
	if (report.exit_code == EXIT_OK)
		printf("rogue-hunter: %s\n", report.sentence);
	else
		complain("%s", report.sentence);
	return report.exit_code;
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int stream = STDIN_FILENO; null >= 0 && stream <= STDERR_FILENO; stream++)
		dup2(null, stream);
	if (null > STDERR_FILENO)
		close(null);
	if (chdir("/") != 0) /* not to keep a file system busy; "/" is always there */
		abort();
}

int detach(int *ret_report_fd)
{
	int ends[2];

	fflush(NULL); /* what is buffered must not be written twice */
	if (pipe2(ends, O_CLOEXEC) != 0) {
		complain("cannot start the daemon: %s", strerror(errno));
		return EXIT_FAILED;
	}
	pid_t first = fork();
	if (first == 0) {
		closefd(&ends[0]);
		/* The leader of the session ends at once: a process that leads none can never get a terminal again. */
		if (setsid() < 0 || fork() != 0)
			_exit(0);
		leave_terminal();
		*ret_report_fd = ends[1];
		return -1;
	}
	closefd(&ends[1]);
	int result = EXIT_FAILED;
	if (first < 0)
		complain("cannot start the daemon: %s", strerror(errno));
	else if (waitpid(first, NULL, 0) == first)
		result = wait_for_report(ends[0]);
	closefd(&ends[0]);
	return result;
}

void detach_report(int *fd, int exit_code, const char *sentence)
{
	struct report report = {.exit_code = exit_code};

	if (*fd < 0)
		return;
	snprintf(report.sentence, sizeof(report.sentence), "%s", sentence);
	if (write(*fd, &report, sizeof(report)) < 0) { /* nobody waits any more: there is nobody to tell */
	}
	closefd(fd);
}
