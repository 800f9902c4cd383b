/*
 * drm_scan.h - looks for processes that hold descriptors of gpus, and reads what they used. Runs in the thread of gpu.h.
 *
 * A look reads every process known to hold such a descriptor; then, for as long as its time lasts, processes that began lately, and then a stretch
 * of all others, going on in the next look where it ended. So what a look costs depends on the users of gpus, not on the number of processes,
 * and who opens a gpu late in life is found a round later.
 *
 * One open file of a gpu, a client, can be held by several descriptors and processes. It counts once, for the process found with it first, and
 * when that has closed it or is gone, for one of the others. A process keeps what it used when it closes a client.
 */
#ifndef COLLECTOR_METERS_DRM_SCAN_H
#define COLLECTOR_METERS_DRM_SCAN_H

#include "collector/meters/gpu.h"

struct drm_scan; /* owned by the caller of drm_scan_new() until drm_scan_free() */

/*
 * Cost: memory for the number of processes, resident where it is used.
 *   budget_ns  cpu time of a look that goes to processes not known to use a gpu
 * Returns 0 or -errno with a sentence.
 */
int drm_scan_new(const char *proc_root, uint32_t max_processes, uint64_t budget_ns, struct drm_scan **ret_scan, char error[256]);

/* The parts of struct gpu_work. */
void drm_scan_look(void *scan, const atomic_bool *stop, struct gpu_result *result);
void drm_scan_free(void *scan);

#endif
