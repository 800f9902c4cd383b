/*
 * self.h - the collector's care for itself: it must go on sampling while the machine is in trouble, and tell what it costs.
 */
#ifndef COLLECTOR_SELF_H
#define COLLECTOR_SELF_H

#include <stdint.h>

/* Raises the priority of this process. Returns 0 or -errno. */
int self_raise_priority(void);

/*
 * Locks the memory of this process, present and future, unless a limit would make later mappings fail. Pages are locked as they come into use.
 * Returns 0 or -errno.
 */
int self_lock_memory(void);

struct self {
	int status_fd;       /* kept open */
	uint64_t rss_bytes;  /* as last read */
	uint64_t read_at_ns; /* when, CLOCK_MONOTONIC */
};

/*
 * Asks for what protects a monitor: to be killed last when memory runs out, a raised priority, pages that stay in memory. What is not permitted
 * is left, and said once in the log at debug level. Returns the bits (of enum rh_signal) of what was granted.
 */
uint64_t self_protect(void);

void self_open(struct self *self);
void self_close(struct self *self);

/* Resident memory of this process without shared mappings, in bytes; 0 where unknown. Read again at most once a second. */
uint64_t self_rss_bytes(struct self *self, uint64_t monotonic_ns);

/* Cpu time of this process since its start. */
uint64_t self_cpu_ns(void);

/* Id of the boot as text, from the proc file system at that root; an empty string where it cannot be read. */
void self_boot_id(const char *proc_root, char ret_boot_id[40]);

#endif
