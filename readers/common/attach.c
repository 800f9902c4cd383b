/*
 * attach.c - attaching to a daemon's ring, see attach.h.
 */
#include "readers/common/attach.h"

#include "base/complain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int attach_exit_code(enum rh_status status)
{
	switch (status) {
#define RH_STATUS(value, name, exit, text) \
	case RH_##name: \
		return exit;
#include "rogue/status.def"
	}
	return EXIT_FAILURE;
}

const char *attach_status_name(enum rh_status status)
{
	switch (status) {
#define RH_STATUS(value, name, exit, text) \
	case RH_##name: \
		return #name;
#include "rogue/status.def"
	}
	return "UNKNOWN";
}

char *attach_reason(enum rh_status status, const struct rh_error *error, char out[512])
{
	bool is_closed_to_us = status == RH_FOREIGN && error->errnum == EACCES;

	snprintf(out, 512, "%s%s", error->text[0] ? error->text : rh_status_text(status),
	        is_closed_to_us ? ": be root, or of the group that ring.group of its configuration names" : "");
	return out;
}

int attach_failed(enum rh_status status, const struct rh_error *error)
{
	char reason[512];

	if (status == RH_OK)
		return 0;
	complain("%s", attach_reason(status, error, reason));
	return attach_exit_code(status);
}

int attach_open(const char *instance, struct rh_ring **ret_ring)
{
	struct rh_error error = {0};
	enum rh_status status = rh_open(instance, ret_ring, &error);
	return attach_failed(status, &error);
}
