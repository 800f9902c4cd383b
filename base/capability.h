/*
 * capability.h - rights of a process beyond those of its user (Linux capabilities): which it has, and giving the others up for good.
 *
 * Sets are bits, one for each CAP_x of <linux/capability.h>. They belong to a thread: give up before the first thread is started.
 */
#ifndef BASE_CAPABILITY_H
#define BASE_CAPABILITY_H

#include <stdint.h>

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* The effective set of the calling thread; empty where the kernel does not tell. */
uint64_t capability_effective(void);

/*
 * Keeps at most these of what the calling thread has, for itself and all it will ever start or execute: the rest leaves the permitted, effective,
 * inheritable and ambient sets, the bounding set too where that is permitted, and programs that are executed gain nothing any more.
 * Returns 0 or -errno. Cost: some 50 system calls.
 */
int capability_keep(uint64_t keep);

#endif
