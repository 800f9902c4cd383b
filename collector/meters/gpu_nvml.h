/*
 * gpu_nvml.h - the NVML meter with the library that it loads as a parameter, for tests.
 */
#ifndef COLLECTOR_METERS_GPU_NVML_H
#define COLLECTOR_METERS_GPU_NVML_H

#include "collector/meters/meter.h"

/* As meter_gpu_nvml_open(). `library` is what dlopen() gets: a soname, or a path. */
int gpu_nvml_open_library(const struct meter_options *options, const char *library, struct meter **ret_meter, char error[256]);

#endif
