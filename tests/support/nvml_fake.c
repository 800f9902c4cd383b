/* nvml_fake.c - a library that looks like NVML, as far as the collector uses it. See nvml_fake.h. */
#include "tests/support/nvml_fake.h"

#include <stddef.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))

enum { SUCCESS = 0, INVALID = 2, TOO_SMALL = 7, STEP_US = 1000 };

struct sample {
	unsigned pid;
	unsigned long long time_us;
	unsigned sm, memory, encoder, decoder;
};

struct rates {
	unsigned gpu, memory;
};

EXPORTED struct nvml_fake nvml_fake = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static char handles[NVML_FAKE_DEVICES];

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetProcessUtilization(void *device, struct sample *samples, unsigned *count, unsigned long long since_us);
int nvmlDeviceGetUtilizationRates(void *device, struct rates *rates);
const char *nvmlErrorString(int result);

EXPORTED int nvmlInit_v2(void)
{
	pthread_mutex_lock(&nvml_fake.mutex);
	int result = nvml_fake.init_result;
	nvml_fake.inits++;
	pthread_mutex_unlock(&nvml_fake.mutex);
	return result;
}

EXPORTED int nvmlShutdown(void)
{
	pthread_mutex_lock(&nvml_fake.mutex);
	nvml_fake.shutdowns++;
	pthread_mutex_unlock(&nvml_fake.mutex);
	return SUCCESS;
}

EXPORTED int nvmlDeviceGetCount_v2(unsigned *count)
{
	pthread_mutex_lock(&nvml_fake.mutex);
	*count = nvml_fake.devices;
	pthread_mutex_unlock(&nvml_fake.mutex);
	return SUCCESS;
}

EXPORTED int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
	if (index >= NVML_FAKE_DEVICES)
		return INVALID;
	*device = &handles[index];
	return SUCCESS;
}

EXPORTED int nvmlDeviceGetProcessUtilization(void *device, struct sample *samples, unsigned *count, unsigned long long since_us)
{
	ptrdiff_t index = (char *)device - handles;
	pthread_mutex_lock(&nvml_fake.mutex);
	int result = nvml_fake.device[index].process_result;
	unsigned have = nvml_fake.device[index].samples;
	if (result == SUCCESS && have > *count)
		result = TOO_SMALL;
	for (unsigned i = 0; result == SUCCESS && i < have; i++) {
		samples[i] = (struct sample){
		        .pid = nvml_fake.device[index].sample[i].pid,
		        .time_us = since_us + STEP_US,
		        .sm = nvml_fake.device[index].sample[i].sm_pct,
		        .encoder = nvml_fake.device[index].sample[i].encoder_pct,
		};
	}
	*count = have;
	pthread_mutex_unlock(&nvml_fake.mutex);
	return result;
}

EXPORTED int nvmlDeviceGetUtilizationRates(void *device, struct rates *rates)
{
	ptrdiff_t index = (char *)device - handles;
	pthread_mutex_lock(&nvml_fake.mutex);
	int result = nvml_fake.device[index].rates_result;
	*rates = (struct rates){.gpu = nvml_fake.device[index].gpu_pct};
	pthread_mutex_unlock(&nvml_fake.mutex);
	return result;
}

EXPORTED const char *nvmlErrorString(int result)
{
	return result == SUCCESS ? "Success" : "Driver Not Loaded";
}
