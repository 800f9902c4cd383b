/*
 * kernel_log.h - failures of disks, as the kernel logs them.
 *
 * Messages are taken when they come, and stamped with the time of that look: the log's own clock drifts from all others, by minutes in a month.
 * Only what the kernel itself wrote counts; user programs can write to its log too, but not in its name.
 */
#ifndef TRACKER_KERNEL_LOG_H
#define TRACKER_KERNEL_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum { KERNEL_LOG_FAULTS = 16, KERNEL_LOG_TEXT_BYTES = 160 };

struct kernel_log {
	int fd; /* owned; -1 where the log may not be read */
	uint32_t next;
	struct kernel_log_fault {
		uint64_t boottime_ns; /* when it was seen; 0: none */
		char text[KERNEL_LOG_TEXT_BYTES];
	} faults[KERNEL_LOG_FAULTS]; /* the last ones */
};

/* Opens the log below directory dirfd ("dev/kmsg") at its end. Comes before rights are given up: the kernel asks for them only then. */
void kernel_log_open(struct kernel_log *log, int dirfd, const char *path);
void kernel_log_close(struct kernel_log *log);

/* Takes in what came since the last call, at most 256 messages. Never waits. Cost: a system call a message, and one more. */
void kernel_log_listen(struct kernel_log *log, uint64_t boottime_ns);

/* Did a device of that name ("nvme0n1"; "" for any) fail in that time? A message that names no device may be about any. */
bool kernel_log_has_fault(const struct kernel_log *log, const char *device, uint64_t from_boottime_ns, uint64_t to_boottime_ns);

#endif
