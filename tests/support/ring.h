/*
 * ring.h - a ring as a collector would publish it, with a small machine in it, for tests of readers.
 */
#ifndef TESTS_SUPPORT_RING_H
#define TESTS_SUPPORT_RING_H

#include "rogue/samples.h"
#include "shm/writer.h"

enum { RING_PERIOD_MS = 20 };

#define RING_SET(record, prefix, field, value) \
	do { \
		(record)->field = (value); \
		rh_set((record)->present, prefix##field); \
	} while (0)

/* An instance name of this process and test: "test-PID-NAME". Returns out. */
char *ring_instance(const char *name, char out[65]);

/* Creates a ring of that instance, or ends the test program. */
struct ring_writer *ring_begin(const char *instance, unsigned slots);

/* A process record with the fields that every collector fills in; add others with RING_SET. */
struct rh_process ring_process(uint32_t pid, const char *command, float score);

/* A system record of a machine with two cpus, taken now, for `rogues` rogue processes. */
struct rh_system ring_system(uint32_t rogues, float max_score);

/* Publishes one sample of `count` records of `total` processes. Returns its number. */
uint64_t ring_put(
        struct ring_writer *writer, const struct rh_system *system, const struct rh_process *processes, uint32_t count, uint32_t total);

/* Removes the name of a ring whose writer has died. */
void ring_remove(const char *instance);

#endif
