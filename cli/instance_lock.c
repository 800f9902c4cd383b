/* instance_lock.c - one daemon per instance name, and finding it. */
#include "cli/instance_lock.h"

#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Open until the process ends: closing any descriptor of the file would drop its record locks. */
static int lock_fd = -1;

static int make_folder(const char *path, char error[256])
{
	char folder[PATH_BYTES];

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	return file_make_directory(folder, error);
}

static pid_t holder_of(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

static void say_held(const char *instance, pid_t pid, char error[256])
{
	const char *name = instance ? instance : "", *mark = instance ? " " : "";

	if (pid > 0)
		snprintf(error, 256, "the daemon%s%.64s runs already, with pid %d", mark, name, (int)pid);
	else
		snprintf(error, 256, "the daemon%s%.64s runs already", mark, name); /* it ended just now, or is in another pid namespace */
}

int instance_lock_take(const char *instance, char error[256])
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_BYTES];

	if (*path_lock(instance, path) == '\0') {
		snprintf(error, 256, "no place for the lock file: neither HOME nor XDG_RUNTIME_DIR is set");
		return -ENOENT;
	}
	int failed = make_folder(path, error);
	if (failed)
		return failed;
	lock_fd = file_open_private(path, O_RDWR);
	if (lock_fd < 0) {
		snprintf(error, 256, "cannot open lock file %.150s: %s", path, strerror(-lock_fd));
		return lock_fd;
	}
	if (fcntl(lock_fd, F_SETLK, &lock) == 0)
		return 0;
	failed = errno == EACCES ? EAGAIN : errno;
	if (failed == EAGAIN)
		say_held(instance, holder_of(lock_fd), error);
	else
		snprintf(error, 256, "cannot lock %.150s: %s", path, strerror(failed));
	closefd(&lock_fd);
	return -failed;
}

pid_t instance_lock_holder(const char *instance, char error[256])
{
	char path[PATH_BYTES];
	int fd = open(path_lock(instance, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0) {
		int failed = errno;
		snprintf(error, 256, "cannot open lock file %.150s: %s", path, strerror(failed));
		return -failed;
	}
	pid_t pid = holder_of(fd);
	closefd(&fd);
	return pid;
}
