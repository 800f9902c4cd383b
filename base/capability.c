/* capability.c - see capability.h. Linux. */
#include "base/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HALVES = _LINUX_CAPABILITY_U32S_3, HALF_BITS = 32 };

static int get(struct __user_cap_data_struct halves[HALVES])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capget, &header, halves) < 0 ? -errno : 0;
}

uint64_t capability_effective(void)
{
	struct __user_cap_data_struct halves[HALVES] = {{0}};
	if (get(halves) < 0)
		return 0;
	return halves[0].effective | (uint64_t)halves[1].effective << HALF_BITS;
}

/* Before the others: it takes CAP_SETPCAP. Numbers that this kernel does not know are refused, which ends the row. */
static void leave_bounding_set(uint64_t keep)
{
	for (unsigned number = 0; number < 64 && prctl(PR_CAPBSET_READ, number) >= 0; number++)
		if (!(keep & CAPABILITY(number)) && prctl(PR_CAPBSET_DROP, number) < 0)
			return;
}

int capability_keep(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct halves[HALVES] = {{0}};
	int result = get(halves);

	if (result < 0)
		return result;
	leave_bounding_set(keep);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* since Linux 4.3; without inheritable ones there are none anyway */
	for (unsigned half = 0; half < HALVES; half++) {
		halves[half].permitted &= (uint32_t)(keep >> half * HALF_BITS);
		halves[half].effective &= halves[half].permitted;
		halves[half].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, halves) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
