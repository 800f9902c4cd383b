/*
 * path.h - where things lie: XDG folders for a user, /etc, /var/lib, /run and /var/log for root (the system service).
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>

enum { PATH_BYTES = 4096 };

/* Is this the name of an instance: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot? */
bool path_is_instance(const char *name);

/*
 * NULL as instance is the default one ("rogue-hunter" in file names). All return `out`; an empty string where there is no such place:
 * neither HOME nor the XDG variable is an absolute path, the instance is none, or the path would be too long.
 */
char *path_config(char out[PATH_BYTES]);
char *path_database(const char *instance, char out[PATH_BYTES]);
char *path_log(const char *instance, char out[PATH_BYTES]);
char *path_lock(const char *instance, char out[PATH_BYTES]);

/*
 * A helper program (rh-collector, rh-tracker): beside the running program, as in a build tree, else in the libexec folder of the
 * installed tree that it belongs to. Absolute; never looked for in PATH. Returns `out`, an empty string where there is none.
 */
char *path_program(const char *program, char out[PATH_BYTES]);

#endif
