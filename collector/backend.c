/* backend.c - see backend.h. */
#include "collector/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Best first. */
static const struct backend {
	const char *name;
	int (*open)(const struct source_options *options, struct source **ret_source, char error[256]); /* NULL: not in this build */
	bool simulates; /* reads any folder that looks like /proc */
} backends[] = {
#ifdef RH_HAVE_BPF
        {"bpf", source_bpf_open, false},
#else
        {"bpf", NULL, false},
#endif
        {"procfs", source_procfs_open, true},
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

/* Why a better one than the chosen is not used. */
static enum rh_sampler_reason reason_of(int result)
{
	switch (-result) {
	case ENOSYS:
		return RH_SAMPLER_REASON_not_built;
	case EPERM:
		return RH_SAMPLER_REASON_not_permitted;
	case ENOENT:
		return RH_SAMPLER_REASON_no_type_information;
	case EXDEV:
		return RH_SAMPLER_REASON_other_namespace;
	default:
		return RH_SAMPLER_REASON_refused;
	}
}

/*
 * The best that opens, `except` left out (NULL: none). What does not open is the reason why the next one is used; the note says it in a sentence,
 * where it is not the build that lacks it.
 */
static int open_best(const struct source_options *options, const struct backend *except, struct backend_choice *choice, char error[256])
{
	bool simulated = strcmp(options->proc_root, "/proc") != 0;
	int result = -ENODEV;
	choice->reason = RH_SAMPLER_REASON_best;
	for (const struct backend *backend = backends; backend < backends + BACKENDS; backend++) {
		if (backend == except || (simulated && !backend->simulates))
			continue;
		result = try_open(backend, options, choice, error);
		if (result == 0)
			break;
		choice->reason = reason_of(result);
		if (backend->open && !choice->note[0])
			snprintf(choice->note, sizeof(choice->note), "%.200s; another one is used", error);
	}
	return result;
}

int backend_open(const char *sampler, const struct source_options *options, struct backend_choice *ret_choice, char error[256])
{
	const struct backend *asked_for = backend_named(sampler);
	char why[256];
	*ret_choice = (struct backend_choice){.reason = RH_SAMPLER_REASON_asked_for};
	if (!asked_for)
		return open_best(options, NULL, ret_choice, error);
	int refused = try_open(asked_for, options, ret_choice, why);
	if (refused == 0)
		return 0;
	snprintf(ret_choice->note, sizeof(ret_choice->note), "%.200s; another one is used", why);
	int result = open_best(options, asked_for, ret_choice, error);
	ret_choice->reason = reason_of(refused);
	return result;
}
