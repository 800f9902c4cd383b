/*
 * gpu_drm.c - gpu time of each process by DRM descriptors: what drivers write into /proc/PID/fdinfo (i915, xe, amdgpu, msm, panfrost, v3d, ...).
 *
 * The time is the sum over all engines of all gpus: render, copy and video engines that work at once count each, as cpus do. See drm_scan.h for
 * how users are found, gpu.h for the thread. Processes of others can be read with CAP_SYS_PTRACE alone; without, there are one's own.
 */
#include "collector/meters/drm_scan.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	SEARCH_SHARE = 400, /* of the time goes one part into looking for users */
	SEARCH_LEAST_NS = 2 * NS_PER_MS,
};

static const struct meter_operations drm_operations = {.signal = RH_SIGNAL_gpu_drm, .tick = gpu_tick, .close = gpu_close};

/*
 * Is there a gpu that computes? Those have a render node; the display controllers of servers have none, and tell nothing. Returns 0 or -ENODEV
 * with a sentence.
 */
static int device_look(const char *sys_root, char error[256])
{
	char path[512];
	bool any = false, renders = false;
	snprintf(path, sizeof(path), "%s/class/drm", sys_root);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
		any = any || strncmp(entry->d_name, "card", 4) == 0;
		renders = renders || strncmp(entry->d_name, "renderD", 7) == 0;
	}
	if (folder != NULL)
		closedir(folder);
	if (renders)
		return 0;
	if (folder == NULL)
		snprintf(error, 256, "no DRM device (there is no %s)", path);
	else if (!any)
		snprintf(error, 256, "no DRM device (%s is empty)", path);
	else
		snprintf(error, 256, "no DRM device that renders, only displays (%s has no renderD*)", path);
	return -ENODEV;
}

int meter_gpu_drm_open(const struct meter_options *options, struct meter **ret_meter, char error[256])
{
	struct drm_scan *scan;
	const uint64_t interval_ns = (uint64_t)(options->config->meters_gpu_interval * NS_PER_S);
	uint64_t budget_ns = interval_ns / SEARCH_SHARE;
	*ret_meter = NULL;
	if (strcmp(options->config->meters_gpu, "off") == 0) {
		snprintf(error, 256, "switched off in the configuration (meters.gpu)");
		return -ENODEV;
	}
	if (budget_ns < SEARCH_LEAST_NS)
		budget_ns = SEARCH_LEAST_NS;
	int result = device_look(options->sys_root, error);
	if (result == 0)
		result = drm_scan_new(options->proc_root, options->max_processes, budget_ns, &scan, error);
	if (result < 0)
		return result;
	const struct gpu_options gpu = {
	        .operations = &drm_operations,
	        .work = {.context = scan, .look = drm_scan_look, .end = drm_scan_free},
	        .name = "meter-gpu-drm",
	        .interval_ns = interval_ns,
	};
	return gpu_open(&gpu, ret_meter, error);
}
