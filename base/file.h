/*
 * file.h - opening, reading and creating files without surprises.
 *
 * Nothing here follows a symbolic link at the last component of a path, and directories are created 0750 and must be owned by
 * root or the caller and not writable by others.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes *fd if it is open, sets it to -1, keeps errno. */
void closefd(int *fd);

/* Reads up to size - 1 bytes from offset 0, to the end of the file, and ends them with NUL. Returns the length, or -errno. */
ssize_t file_pread(int fd, char *buffer, size_t size);

/* Opens below directory dirfd (AT_FDCWD allowed) and reads as file_pread() does. Returns the length, or -errno. */
ssize_t file_read_at(int dirfd, const char *path, char *buffer, size_t size);

/* Writes all of it. Returns 0 or -errno. */
int file_write_all(int fd, const void *data, size_t size);

/*
 * Creates a directory and its missing parents with mode 0750, and checks the last one: a real directory, owned by root or by
 * the caller, not writable by others. Returns 0, or -errno with a sentence in `error`.
 */
int file_make_directory(const char *path, char error[256]);

/* Opens a file for appending or locking, created 0640, O_NOFOLLOW, a regular file owned by root or the caller. Returns fd or -errno. */
int file_open_private(const char *path, int flags);

#endif
