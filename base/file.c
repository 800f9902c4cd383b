/* file.c - opening, reading and creating files without surprises. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void closefd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

ssize_t file_pread(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		ssize_t got = pread(fd, buffer + length, size - 1 - length, (off_t)length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	buffer[length] = '\0';
	return (ssize_t)length;
}

ssize_t file_read_at(int dirfd, const char *path, char *buffer, size_t size)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t length = file_pread(fd, buffer, size);
	close(fd);
	return length;
}

int file_write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		ssize_t done = write(fd, next, size);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		next += done;
		size -= (size_t)done;
	}
	return 0;
}

static bool is_trusted_owner(const struct stat *status)
{
	return status->st_uid == 0 || status->st_uid == geteuid();
}

int file_make_directory(const char *path, char error[256])
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(part)) {
		snprintf(error, 256, "the folder's path is empty or too long");
		return -ENAMETOOLONG;
	}
	memcpy(part, path, length + 1);
	for (char *slash = part + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(part, 0750) != 0 && errno != EEXIST) {
			int failed = errno;
			snprintf(error, 256, "cannot create folder %.120s: %s", part, strerror(failed));
			return -failed;
		}
		*slash = '/';
	}
	struct stat status;
	if ((mkdir(part, 0750) != 0 && errno != EEXIST) || lstat(part, &status) != 0) {
		int failed = errno;
		snprintf(error, 256, "cannot create folder %.120s: %s", part, strerror(failed));
		return -failed;
	}
	if (!S_ISDIR(status.st_mode)) {
		snprintf(error, 256, "%.120s is not a folder", part);
		return -ENOTDIR;
	}
	if (!is_trusted_owner(&status) || (status.st_mode & S_IWOTH)) {
		snprintf(error, 256, "folder %.120s belongs to somebody else or is writable by all", part);
		return -EPERM;
	}
	return 0;
}

int file_open_private(const char *path, int flags)
{
	/* O_NONBLOCK: a FIFO put in the way must not hang us; it has no effect on a regular file. */
	int fd = open(path, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
	if (fd < 0)
		return -errno;
	struct stat status;
	int failed = 0;
	if (fstat(fd, &status) != 0)
		failed = errno;
	else if (!S_ISREG(status.st_mode) || !is_trusted_owner(&status) || (status.st_mode & S_IWOTH))
		failed = EPERM;
	if (failed) {
		closefd(&fd);
		return -failed;
	}
	return fd;
}
