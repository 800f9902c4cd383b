/*
 * psi_trigger.h - stalls of memory and io that the kernel reports by itself (triggers on /proc/pressure), also those shorter than a sample.
 *
 * One thread, rh-psi, sleeps until the kernel wakes it and counts. Nothing is read, and nothing runs while there is no pressure.
 * Triggers on windows of any length take CAP_SYS_RESOURCE; without it, since Linux 6.5, windows of 2 s: that is tried second.
 */
#ifndef COLLECTOR_GUARD_PSI_TRIGGER_H
#define COLLECTOR_GUARD_PSI_TRIGGER_H

#include <stdint.h>

#define PSI_FOLDER "/proc/pressure"

struct psi_triggers; /* owned by the caller of psi_triggers_open() until psi_triggers_close() */

/*
 * A trigger of its own on a file below /proc/pressure: on 150 ms of stall within 1 s, or 300 ms within 2 s.
 * Returns a descriptor that polls as POLLPRI at each stall, at most one in each window, or -errno.
 */
int psi_trigger_open(const char *path);

/* Why the kernel refused a trigger with that errno, as half a sentence. */
const char *psi_trigger_refusal(int errnum);

/*
 * Opens the triggers on the files memory and io below that folder, usually PSI_FOLDER, those that can be had, and starts the thread.
 * Returns 0, or -errno of the first that was refused if none can be had.
 */
int psi_triggers_open(const char *folder, struct psi_triggers **ret_triggers);

/*
 * Stalls reported since the start. Without CAP_SYS_RESOURCE the kernel looks every 2 s, and its first report may be of stalls before the start.
 */
uint32_t psi_triggers_count(const struct psi_triggers *triggers);

/* Stops and joins the thread. */
void psi_triggers_close(struct psi_triggers **triggers);

#endif
