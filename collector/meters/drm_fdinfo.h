/*
 * drm_fdinfo.h - the text of /proc/PID/fdinfo/N of a DRM descriptor as numbers. A pure function over bytes: bounded, no allocation, no locale.
 *
 * The keys are those of the kernel's "DRM client usage stats". Of the other lines of the file, and of what a driver adds, nothing is taken. The
 * bytes are input: whatever does not look as it should is left out, line by line.
 */
#ifndef COLLECTOR_METERS_DRM_FDINFO_H
#define COLLECTOR_METERS_DRM_FDINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DRM_ENGINES = 16, /* kinds of engine of one gpu, at most; further ones are left out */
	DRM_NAME_BYTES = 24,
};

enum drm_engine_member { DRM_BUSY = 1, DRM_CYCLES = 2, DRM_TOTAL_CYCLES = 4, DRM_MAX_HZ = 8 };

/* One kind of engine: render, copy, video, ... */
struct drm_engine {
	char name[DRM_NAME_BYTES];
	uint32_t found;        /* enum drm_engine_member */
	uint32_t capacity;     /* engines of this kind, at least 1 */
	uint64_t busy_ns;      /* time that it worked for this client */
	uint64_t cycles;       /* the same in cycles */
	uint64_t total_cycles; /* cycles that passed */
	uint64_t max_hz;
};

/* One client of a gpu: an open file, however many descriptors lead to it. */
struct drm_fdinfo {
	char driver[DRM_NAME_BYTES], pdev[DRM_NAME_BYTES]; /* pdev "" where the gpu has no bus address */
	uint64_t client_id;
	uint32_t engine_count;
	struct drm_engine engines[DRM_ENGINES]; /* names differ */
};

/* Returns false if it is not of a DRM client: no driver, or no client id. A last line without its end was cut off, and is left out. */
bool drm_fdinfo_parse(const char *text, size_t length, struct drm_fdinfo *ret_fdinfo);

#endif
