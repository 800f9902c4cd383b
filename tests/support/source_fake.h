/*
 * source_fake.h - a source made of whatever a test puts into it. Stands for a back end in tests of what lies above source.h.
 */
#ifndef TESTS_SOURCE_FAKE_H
#define TESTS_SOURCE_FAKE_H

#include "collector/source.h"

enum { SOURCE_FAKE_MOST = 32768 };

struct source_fake {
	struct source source;
	struct raw_process *processes; /* [SOURCE_FAKE_MOST] what the next tick lists */
	uint32_t count;
	struct raw_system system;
	struct source_tick tick; /* but for count, what the next tick reports */
	int result;              /* what it returns */
	unsigned ticks;          /* taken so far */
};

/* Allocated at once; freed by source_fake_free(). The system is that of an idle machine with 4 cpus and 16 GiB of memory, half of it free. */
struct source_fake *source_fake_new(void);
void source_fake_free(struct source_fake **fake);

/* Adds a process with everything that the /proc back end knows; all counters 0. Borrowed until it is removed. */
struct raw_process *source_fake_add(struct source_fake *fake, uint32_t pid, uint64_t start_time_ns);

/* The process with that pid, or NULL. */
struct raw_process *source_fake_find(struct source_fake *fake, uint32_t pid);

/*
 * Last words as the kernel-direct back end has them, all counters 0: what fake->tick.ended points to is made of these. The caller keeps the memory.
 */
struct raw_process source_fake_words(uint32_t pid, uint32_t ppid, uint64_t start_time_ns, uint64_t end_time_ns);

/* Removes it; those behind it move up. */
void source_fake_remove(struct source_fake *fake, uint32_t pid);

/* Lets the machine go on for `elapsed_ns`, of which its cpus are busy for that fraction. */
void source_fake_pass(struct source_fake *fake, uint64_t elapsed_ns, double busy_ratio);

#endif
