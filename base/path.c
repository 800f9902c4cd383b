/* path.c - where things lie. Root is the system service and looks at no environment; everybody else has the XDG folders. */
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INSTANCE_MAX = 64 };

/* One kind of place: where it lies for root, and the XDG variable with its fall-back below HOME for a user. */
struct kind {
	const char *system, *variable, *below_home;
};

static const struct kind config_kind = {"/etc", "XDG_CONFIG_HOME", ".config"};
static const struct kind data_kind = {"/var/lib", "XDG_DATA_HOME", ".local/share"};
static const struct kind log_kind = {"/var/log", "XDG_STATE_HOME", ".local/state"};
static const struct kind run_kind = {"/run", "XDG_RUNTIME_DIR", ".local/state"};

bool path_is_instance(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strspn(name, allowed);

	return length >= 1 && length <= INSTANCE_MAX && name[length] == '\0' && name[0] != '.';
}

/* XDG: a variable that is unset, empty or relative counts as not there. */
static const char *absolute_variable(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] == '/' ? value : NULL;
}

/* The place of one file, or an empty string where there is none or it would not fit: half a path is another file. */
static char *locate(const struct kind *kind, const char *name, const char *suffix, char out[PATH_BYTES])
{
	const char *base = geteuid() == 0 ? kind->system : absolute_variable(kind->variable);
	const char *home = base ? NULL : absolute_variable("HOME");
	int length = -1;

	if (base)
		length = snprintf(out, PATH_BYTES, "%s/rogue-hunter/%s%s", base, name, suffix);
	else if (home)
		length = snprintf(out, PATH_BYTES, "%s/%s/rogue-hunter/%s%s", home, kind->below_home, name, suffix);
	if (length < 0 || length >= PATH_BYTES)
		out[0] = '\0';
	return out;
}

/* A name that is no instance's could lead out of the folder. */
static char *locate_of(const char *instance, const struct kind *kind, const char *suffix, char out[PATH_BYTES])
{
	const char *name = instance ? instance : "rogue-hunter";

	if (path_is_instance(name))
		return locate(kind, name, suffix, out);
	out[0] = '\0';
	return out;
}

char *path_config(char out[PATH_BYTES])
{
	return locate(&config_kind, "config", ".toml", out);
}

char *path_database(const char *instance, char out[PATH_BYTES])
{
	return locate_of(instance, &data_kind, ".db", out);
}

char *path_log(const char *instance, char out[PATH_BYTES])
{
	return locate_of(instance, &log_kind, ".log", out);
}

char *path_lock(const char *instance, char out[PATH_BYTES])
{
	return locate_of(instance, &run_kind, ".lock", out);
}

/* Folder of the running program, without a slash at its end; false where the kernel does not tell. */
static bool own_folder(char out[PATH_BYTES])
{
	ssize_t length = readlink("/proc/self/exe", out, PATH_BYTES - 1);
	if (length <= 0)
		return false;
	out[length] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

char *path_program(const char *program, char out[PATH_BYTES])
{
	static const char *const folders[] = {"", RH_LIBEXEC_FROM_BIN "/"}; /* a build tree; an installed one */
	char folder[PATH_BYTES];

	/* Never by PATH: it is the caller's, and these programs may run with more rights than the caller has. */
	if (own_folder(folder)) {
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
			int length = snprintf(out, PATH_BYTES, "%s/%s%s", folder, folders[i], program);
			if (length < PATH_BYTES && access(out, X_OK) == 0)
				return out;
		}
	}
	out[0] = '\0';
	return out;
}
