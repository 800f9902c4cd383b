/* config_load.c - defaults, and over them the configuration file that applies. */
#include "cli/config_load.h"

#include "base/complain.h"
#include "base/file.h"
#include "cli/config_toml.h"
#include "cli/exit_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 1024 * 1024 };

/* Reads a regular file whole into *ret_text, which the caller frees. Returns its length or -errno. A link may lead to it: dotfiles often are links. */
static ssize_t read_file(const char *path, char **ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to hang on a FIFO */
	struct stat status;
	ssize_t length = -errno;

	*ret_text = NULL;
	if (fd < 0)
		return length;
	if (fstat(fd, &status) != 0)
		length = -errno;
	else if (S_ISDIR(status.st_mode))
		length = -EISDIR;
	else if (!S_ISREG(status.st_mode))
		length = -EINVAL;
	else if (status.st_size > FILE_MAX_BYTES)
		length = -EFBIG;
	else if (!(*ret_text = malloc(FILE_MAX_BYTES + 2)))
		length = -ENOMEM;
	else
		length = file_pread(fd, *ret_text, FILE_MAX_BYTES + 2);
	closefd(&fd);
	return length > FILE_MAX_BYTES ? -EFBIG : length;
}

static void complain_unreadable(const char *path, int error)
{
	if (error == EFBIG)
		complain("configuration file %s is larger than 1 MiB", path);
	else if (error == EINVAL)
		complain("configuration file %s is no regular file", path);
	else
		complain("cannot read configuration file %s: %s", path, strerror(error));
}

static int parse(const char *path, const char *text, size_t length, struct config *config)
{
	struct config_fault fault;

	if (config_toml_read(text, length, config, &fault))
		return EXIT_OK;
	if (fault.line > 0)
		complain("%s:%u:%u: %s", path, fault.line, fault.column, fault.rule);
	else
		complain("%s: %s", path, fault.rule);
	return EXIT_USAGE;
}

int config_load(const char *path, struct config *config, struct config_origin *ret_origin)
{
	char *text;
	int result;

	config_defaults(config);
	*ret_origin = (struct config_origin){.is_read = false};
	if (path)
		snprintf(ret_origin->path, sizeof(ret_origin->path), "%s", path);
	else if (*path_config(ret_origin->path) == '\0')
		return EXIT_OK;
	ssize_t length = read_file(path ? path : ret_origin->path, &text);
	if (length >= 0) {
		ret_origin->is_read = true;
		result = parse(ret_origin->path, text, (size_t)length, config);
	} else if (!path && (length == -ENOENT || length == -ENOTDIR)) {
		result = EXIT_OK;
	} else {
		complain_unreadable(ret_origin->path, (int)-length);
		result = EXIT_USAGE;
	}
	free(text);
	return result;
}
