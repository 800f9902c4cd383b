/* backend.c - see backend.h. */
#include "collector/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Best first. */
static const struct backend {
	const char *name;
	int (*open)(const struct source_options *options, struct source **ret_source, char error[256]); /* NULL: not in this build */
} backends[] = {
        {"bpf", NULL},
        {"procfs", source_procfs_open},
};
enum { BACKENDS = sizeof(backends) / sizeof(backends[0]) };

static const struct backend *backend_named(const char *name)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	return NULL;
}

static int try_open(const struct backend *backend, const struct source_options *options, struct backend_choice *choice, char error[256])
{
	if (!backend->open) {
		snprintf(error, 256, "this build has no %s back end", backend->name);
		return -ENOSYS;
	}
	return backend->open(options, &choice->source, error);
}

/* The best that opens. */
static int open_best(const struct source_options *options, struct backend_choice *choice, char error[256])
{
	int result = -ENODEV;
	choice->reason = RH_SAMPLER_REASON_best;
	for (size_t i = 0; i < BACKENDS; i++) {
		result = try_open(&backends[i], options, choice, error);
		if (result == 0)
			return 0;
		if (!backends[i].open)
			choice->reason = RH_SAMPLER_REASON_not_built;
	}
	return result;
}

int backend_open(const char *sampler, const struct source_options *options, struct backend_choice *ret_choice, char error[256])
{
	const struct backend *asked_for = backend_named(sampler);
	char why[256];
	*ret_choice = (struct backend_choice){.reason = RH_SAMPLER_REASON_asked_for};
	if (!asked_for)
		return open_best(options, ret_choice, error);
	if (try_open(asked_for, options, ret_choice, why) == 0)
		return 0;
	int result = open_best(options, ret_choice, error);
	if (result == 0)
		snprintf(ret_choice->note, sizeof(ret_choice->note), "%.200s; another one is used", why);
	return result;
}
