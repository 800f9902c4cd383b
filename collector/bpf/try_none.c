/* try_none.c - try.h in a build without the kernel-direct back end. */
#include "collector/bpf/try.h"

#include <errno.h>
#include <stdio.h>

int try_part(enum try_part part, const struct source_options *options, char error[256])
{
	(void)part;
	(void)options;
	snprintf(error, 256, "needs a build with libbpf-dev, clang and bpftool");
	return -ENOSYS;
}
