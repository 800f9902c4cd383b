/*
 * gpu_nvml.c - gpu time of each process by NVML, the library that comes with NVIDIA's driver. It is loaded where it is there, and never linked.
 *
 * The declarations are our own, of the few functions used, as the public reference describes them. The library tells, per gpu and process, the
 * mean use since a moment that we name; times the time since, that is gpu time. All calls are made in the thread of gpu.h. Nothing is loaded where
 * the driver is not: the library would try to load it.
 */
#include "collector/meters/gpu_nvml.h"

#include "collector/meters/gpu.h"
#include "collector/pool.h"

#include "base/clock.h"
#include "base/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libnvidia-ml.so.1"

enum {
	DEVICES = 16,                 /* further ones are left out */
	SAMPLES = 512,                /* processes of one gpu */
	FUTURE_US = 10 * 1000 * 1000, /* further ahead, REALTIME was set back */
};

/* ---- NVML, as far as used ---- */

enum nvml_result { NVML_SUCCESS = 0, NVML_NOT_FOUND = 6 };

typedef void *nvml_device;

struct nvml_process_sample {
	unsigned pid;
	unsigned long long time_us; /* REALTIME */
	unsigned sm_pct, memory_pct, encoder_pct, decoder_pct;
};

struct nvml_rates {
	unsigned gpu_pct, memory_pct;
};

struct nvml_calls {
	int (*init)(void);
	int (*shutdown)(void);
	int (*device_count)(unsigned *count);
	int (*device_by_index)(unsigned index, nvml_device *device);
	int (*process_use)(nvml_device device, struct nvml_process_sample *samples, unsigned *count, unsigned long long since_us);
	int (*rates)(nvml_device device, struct nvml_rates *rates);
	const char *(*error_text)(int result);
};

/* ---- the work ---- */

struct device {
	nvml_device handle;
	uint64_t since_us; /* samples up to here are counted */
};

struct nvml {
	struct pool pool; /* this struct */
	void *library;
	struct nvml_calls calls;
	bool begun;
	int proc_fd;
	uint64_t looked_ns;
	uint32_t device_count, user_count;
	struct device devices[DEVICES];
	struct gpu_user users[GPU_USERS]; /* by pid */
	uint64_t added_ns[GPU_USERS];     /* to each by one gpu in one look */
	struct nvml_process_sample samples[SAMPLES];
};

static uint64_t now_us(void)
{
	return clock_now_ns(CLOCK_REALTIME) / NS_PER_US;
}

static int nvml_begin(void *context, char error[256])
{
	struct nvml *nvml = context;
	unsigned count = 0;
	int result = nvml->calls.init();
	nvml->begun = result == NVML_SUCCESS;
	if (nvml->begun)
		result = nvml->calls.device_count(&count);
	if (result != NVML_SUCCESS) {
		snprintf(error, 256, "NVML does not begin: %s",
		        nvml->calls.error_text != NULL ? nvml->calls.error_text(result) : "no reason is given");
		return -ENODEV;
	}
	for (unsigned i = 0; i < count && nvml->device_count < DEVICES; i++) {
		struct device *device = &nvml->devices[nvml->device_count];
		if (nvml->calls.device_by_index(i, &device->handle) != NVML_SUCCESS)
			continue;
		device->since_us = now_us();
		nvml->device_count++;
	}
	if (nvml->device_count > 0)
		return 0;
	snprintf(error, 256, "NVML finds no gpu that may be used");
	return -ENODEV;
}

static void nvml_end(void *context)
{
	struct nvml *nvml = context;
	if (nvml->begun)
		(void)nvml->calls.shutdown();
	if (nvml->library != NULL)
		dlclose(nvml->library);
	closefd(&nvml->proc_fd);
	struct pool pool = nvml->pool; /* holds the struct itself */
	pool_release(&pool);
}

/* Index of the user with this pid, who is added if there is none; GPU_USERS if there is no room, or the process is gone. */
static uint32_t user_make(struct nvml *nvml, uint32_t pid)
{
	uint32_t place = 0;
	while (place < nvml->user_count && nvml->users[place].pid < pid)
		place++;
	if (place < nvml->user_count && nvml->users[place].pid == pid)
		return place;
	uint64_t start_time_ns = gpu_process_start(nvml->proc_fd, pid, NULL);
	if (nvml->user_count == GPU_USERS || start_time_ns == 0)
		return GPU_USERS;
	uint32_t after = nvml->user_count - place;
	memmove(&nvml->users[place + 1], &nvml->users[place], after * sizeof(nvml->users[0]));
	memmove(&nvml->added_ns[place + 1], &nvml->added_ns[place], after * sizeof(nvml->added_ns[0]));
	nvml->user_count++;
	nvml->users[place] = (struct gpu_user){.pid = pid, .start_time_ns = start_time_ns};
	nvml->added_ns[place] = 0;
	return place;
}

/* Forgets users that are gone. */
static void users_purge(struct nvml *nvml)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < nvml->user_count; i++) {
		if (gpu_process_start(nvml->proc_fd, nvml->users[i].pid, NULL) == nvml->users[i].start_time_ns)
			nvml->users[kept++] = nvml->users[i];
	}
	nvml->user_count = kept;
}

/* Adds what one sample tells: no process gets more of one gpu in one look than the time since the look before, times its kinds of engine. */
static void sample_count(struct nvml *nvml, const struct nvml_process_sample *sample, uint64_t since_us, uint64_t elapsed_ns)
{
	uint64_t span_ns = sample->time_us > since_us ? (sample->time_us - since_us) * NS_PER_US : 0;
	uint64_t pct = 0;
	const unsigned parts[] = {sample->sm_pct, sample->encoder_pct, sample->decoder_pct};
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		pct += parts[i] < 100 ? parts[i] : 100;
	uint32_t user = sample->pid > 0 ? user_make(nvml, sample->pid) : GPU_USERS;
	if (user == GPU_USERS)
		return;
	if (span_ns > elapsed_ns)
		span_ns = elapsed_ns;
	uint64_t used_ns = span_ns * pct / 100, most_ns = elapsed_ns * sizeof(parts) / sizeof(parts[0]);
	if (used_ns > most_ns - nvml->added_ns[user])
		used_ns = most_ns - nvml->added_ns[user];
	nvml->added_ns[user] += used_ns;
	nvml->users[user].time_ns += used_ns;
}

/* Returns whether this gpu tells who uses it. */
static bool device_look(struct nvml *nvml, struct device *device, uint64_t elapsed_ns)
{
	unsigned count = SAMPLES;
	const uint64_t before_us = now_us();
	if (device->since_us > before_us + FUTURE_US)
		device->since_us = before_us;
	int result = nvml->calls.process_use(device->handle, nvml->samples, &count, device->since_us);
	if (result == NVML_NOT_FOUND) /* nobody used it */
		count = 0;
	else if (result != NVML_SUCCESS)
		return false;
	uint64_t newest_us = count > 0 ? device->since_us : before_us;
	memset(nvml->added_ns, 0, nvml->user_count * sizeof(nvml->added_ns[0]));
	for (unsigned i = 0; i < count && i < SAMPLES; i++) {
		sample_count(nvml, &nvml->samples[i], device->since_us, elapsed_ns);
		if (nvml->samples[i].time_us > newest_us)
			newest_us = nvml->samples[i].time_us;
	}
	device->since_us = newest_us;
	return true;
}

static void nvml_look(void *context, const atomic_bool *stop, struct gpu_result *result)
{
	struct nvml *nvml = context;
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
	uint64_t elapsed_ns = nvml->looked_ns > 0 ? now_ns - nvml->looked_ns : 0;
	users_purge(nvml);
	for (uint32_t i = 0; i < nvml->device_count && !atomic_load(stop); i++) {
		struct nvml_rates rates;
		result->tells = device_look(nvml, &nvml->devices[i], elapsed_ns) || result->tells;
		if (nvml->calls.rates(nvml->devices[i].handle, &rates) == NVML_SUCCESS) {
			result->tells = true;
			result->busy_ratio = fmax(result->busy_ratio, fmin(rates.gpu_pct / 100.0, 1)); /* fmax passes over NAN */
		}
	}
	nvml->looked_ns = now_ns;
	result->count = nvml->user_count;
	memcpy(result->users, nvml->users, nvml->user_count * sizeof(nvml->users[0]));
}

/* ---- opening ---- */

static bool call_find(struct nvml *nvml, const char *name, void *ret_call)
{
	void *call = dlsym(nvml->library, name);
	memcpy(ret_call, &call, sizeof(call)); /* ISO C has no cast from data to code */
	return call != NULL;
}

static int library_open(struct nvml *nvml, const char *library, char error[256])
{
	struct nvml_calls *calls = &nvml->calls;
	nvml->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (nvml->library == NULL) {
		snprintf(error, 256,
		        "NVIDIA's driver is loaded, but %s is not installed: install the driver's library (Debian: libnvidia-ml1)",
		        library);
		return -ENODEV;
	}
	(void)call_find(nvml, "nvmlErrorString", &calls->error_text);
	if (call_find(nvml, "nvmlInit_v2", &calls->init) && call_find(nvml, "nvmlShutdown", &calls->shutdown) &&
	        call_find(nvml, "nvmlDeviceGetCount_v2", &calls->device_count) &&
	        call_find(nvml, "nvmlDeviceGetHandleByIndex_v2", &calls->device_by_index) &&
	        call_find(nvml, "nvmlDeviceGetProcessUtilization", &calls->process_use) &&
	        call_find(nvml, "nvmlDeviceGetUtilizationRates", &calls->rates))
		return 0;
	snprintf(error, 256, "%s is too old: it does not tell what each process uses", library);
	return -ENODEV;
}

static const struct meter_operations nvml_operations = {.signal = RH_SIGNAL_gpu_nvml, .tick = gpu_tick, .close = gpu_close};

int gpu_nvml_open_library(const struct meter_options *options, const char *library, struct meter **ret_meter, char error[256])
{
	char path[512];
	*ret_meter = NULL;
	if (strcmp(options->config->meters_gpu, "off") == 0) {
		snprintf(error, 256, "switched off in the configuration (meters.gpu)");
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "%s/module/nvidia", options->sys_root);
	if (access(path, F_OK) < 0) {
		snprintf(error, 256, "no NVIDIA driver is loaded (there is no %s)", path);
		return -ENODEV;
	}
	struct pool pool = {0};
	struct nvml *nvml = pool_take(&pool, 1, sizeof(*nvml));
	if (nvml == NULL) {
		snprintf(error, 256, "no memory for NVML");
		return -ENOMEM;
	}
	nvml->pool = pool;
	nvml->proc_fd = open(options->proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = nvml->proc_fd < 0 ? -errno : 0;
	if (result < 0)
		snprintf(error, 256, "%s cannot be opened: %s", options->proc_root, strerror(-result));
	else
		result = library_open(nvml, library, error);
	if (result < 0) {
		nvml_end(nvml);
		return result;
	}
	const struct gpu_options gpu = {
	        .operations = &nvml_operations,
	        .work = {.context = nvml, .begin = nvml_begin, .look = nvml_look, .end = nvml_end},
	        .name = "meter-gpu-nvml",
	        .interval_ns = (uint64_t)(options->config->meters_gpu_interval * NS_PER_S),
	};
	return gpu_open(&gpu, ret_meter, error);
}

int meter_gpu_nvml_open(const struct meter_options *options, struct meter **ret_meter, char error[256])
{
	return gpu_nvml_open_library(options, LIBRARY, ret_meter, error);
}
