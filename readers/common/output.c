/*
 * output.c - the end of a command's output, see output.h.
 */
#include "readers/common/output.h"

#include "base/complain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int output_end(int code)
{
	bool earlier_error = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !earlier_error)
		return code;
	if (errno == EPIPE)
		return code;
	complain("cannot write all of the output: %s", errno ? strerror(errno) : "an earlier write failed");
	return EXIT_FAILURE;
}
