/*
 * nvml_fake.h - what the library of nvml_fake.c, which looks like NVML, shall say, and what was asked of it.
 *
 * The test finds the one object of this type by dlsym(). Every sample is of a thousand us after the moment asked for, so that each look adds the
 * same to a process: 10 us for each percent.
 */
#ifndef TESTS_NVML_FAKE_H
#define TESTS_NVML_FAKE_H

#include <pthread.h>

enum { NVML_FAKE_DEVICES = 2, NVML_FAKE_SAMPLES = 4 };

struct nvml_fake {
	pthread_mutex_t mutex; /* of all that follows */
	int init_result;
	unsigned devices;
	struct {
		int process_result, rates_result;
		unsigned gpu_pct, samples;
		struct {
			unsigned pid, sm_pct, encoder_pct;
		} sample[NVML_FAKE_SAMPLES];
	} device[NVML_FAKE_DEVICES];
	unsigned inits, shutdowns;
};

#define NVML_FAKE_SYMBOL "nvml_fake"

#endif
