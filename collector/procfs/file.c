/* file.c - reading files of processes; see file.h. */
#include "collector/procfs/file.h"

#include "base/assert.h"
#include "base/file.h"
#include "collector/procfs/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	PROC_MAGIC = 0x9fa0, /* PROC_SUPER_MAGIC of linux/magic.h */
	RESERVED_FILES = 64, /* left to the rest of the program, and to files read once */
	HOT_PART = 8,        /* one kept file in so many is a hot one where each process has its schedstat open: few are active at a time */
	GATE_PART = 3,       /* one in so many is a schedstat where only active processes have files */
};

static uint32_t raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	rlim_t soft = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = soft;
	return limit.rlim_cur > INT32_MAX ? INT32_MAX : (uint32_t)limit.rlim_cur;
}

int procfs_file_open_root(struct procfs_files *files, const char *proc_root, uint32_t fd_limit)
{
	*files = (struct procfs_files){.root_fd = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	if (files->root_fd < 0)
		return -errno;
	struct statfs about;
	files->is_procfs = fstatfs(files->root_fd, &about) == 0 && about.f_type == PROC_MAGIC;
	if (!files->is_procfs)
		return 0;
	uint32_t limit = raise_file_limit();
	limit = limit > RESERVED_FILES ? limit - RESERVED_FILES : 0;
	if (limit > fd_limit)
		limit = fd_limit;
	files->has_clocks = procfs_clock_is_usable(files->root_fd);
	files->limit[PROCFS_FILE_HOT] = files->has_clocks ? limit - limit / GATE_PART : limit / HOT_PART;
	files->limit[PROCFS_FILE_GATE] = limit - files->limit[PROCFS_FILE_HOT];
	memcpy(files->room, files->limit, sizeof(files->room));
	return 0;
}

void procfs_file_close_root(struct procfs_files *files)
{
	RH_ASSERT(files->open[PROCFS_FILE_GATE] == 0 && files->open[PROCFS_FILE_HOT] == 0);
	closefd(&files->root_fd);
}

/* Writes a number without leading zeros. Returns the place behind it. */
static char *put_number(char *out, uint32_t number)
{
	char digits[10];
	size_t length = 0;
	do
		digits[length++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (length > 0)
		*out++ = digits[--length];
	return out;
}

static char *put_text(char *out, const char *text)
{
	size_t length = strlen(text);
	memcpy(out, text, length);
	return out + length;
}

/* The names are our own and short: "/schedstat" is the longest, and two numbers of 10 digits and "/task/" make 37 bytes with it. */
const char *procfs_file_path(uint32_t pid, const char *name, char out[PROCFS_FILE_PATH_BYTES])
{
	RH_ASSERT(strlen(name) <= sizeof("schedstat") - 1);
	char *at = put_text(put_number(out, pid), "/");
	*put_text(at, name) = '\0';
	return out;
}

const char *procfs_file_thread_path(uint32_t pid, uint32_t tid, const char *name, char out[PROCFS_FILE_PATH_BYTES])
{
	RH_ASSERT(strlen(name) <= sizeof("schedstat") - 1);
	char *at = put_text(put_number(out, pid), "/task/");
	*put_text(put_text(put_number(at, tid), "/"), name) = '\0';
	return out;
}

bool procfs_file_is_gone(ssize_t error)
{
	return error == -ESRCH || error == -ENOENT;
}

static ssize_t read_whole(int fd, char *buffer, size_t size)
{
	ssize_t length;
	do
		length = pread(fd, buffer, size, 0);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : length;
}

/* Out of descriptors although some were reserved: others took them. Gives up as many files as the reserve is. */
static void lower_limits(struct procfs_files *files)
{
	for (int class = 0; class < PROCFS_FILE_CLASSES; class ++) {
		uint32_t open = files->open[class];
		files->limit[class] = open > RESERVED_FILES ? open - RESERVED_FILES : 0;
	}
	files->refused = true;
}

static int open_file(struct procfs_files *files, const char *path)
{
	int fd = openat(files->root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	int error = errno;
	if (error == EMFILE || error == ENFILE)
		lower_limits(files);
	return -error;
}

bool procfs_file_is_over(const struct procfs_files *files, enum procfs_file_class class)
{
	return files->open[class] > files->limit[class];
}

void procfs_file_regain(struct procfs_files *files)
{
	for (int class = 0; class < PROCFS_FILE_CLASSES; class ++) {
		uint32_t missing = files->room[class] - files->limit[class];
		files->limit[class] += missing < RESERVED_FILES ? missing : RESERVED_FILES;
	}
}

ssize_t procfs_file_read_once(struct procfs_files *files, const char *path, char *buffer, size_t size)
{
	int fd = open_file(files, path);
	if (fd < 0)
		return fd;
	ssize_t length = read_whole(fd, buffer, size);
	close(fd);
	return length;
}

ssize_t procfs_file_read(
        struct procfs_files *files, enum procfs_file_class class, int *fd, bool keep, const char *path, char *buffer, size_t size)
{
	if (*fd >= 0)
		return read_whole(*fd, buffer, size);
	if (!keep || files->open[class] >= files->limit[class]) {
		files->refused |= keep && files->is_procfs;
		return procfs_file_read_once(files, path, buffer, size);
	}
	int opened = open_file(files, path);
	if (opened < 0)
		return opened;
	*fd = opened;
	files->open[class]++;
	return read_whole(*fd, buffer, size);
}

void procfs_file_drop(struct procfs_files *files, enum procfs_file_class class, int *fd)
{
	if (*fd < 0)
		return;
	RH_ASSERT(files->open[class] > 0);
	closefd(fd);
	files->open[class]--;
}
