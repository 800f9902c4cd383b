/*
 * load.h - loading programs into the kernel: what libbpf complains of, as one sentence, and the reason as a code.
 */
#ifndef COLLECTOR_BPF_LOAD_H
#define COLLECTOR_BPF_LOAD_H

#include "rogue/samples.h"

#include <stdbool.h>

struct btf; /* of libbpf */

/*
 * Captures what libbpf prints from here on instead of letting it reach the terminal. Call once before the first object is opened. Keeps the last
 * complaint only; at log level debug all of it is logged.
 */
void load_quietly(void);

/*
 * A sentence for an object or program that could not be loaded or attached.
 *   what    "the task walk", "the scheduler program"
 *   result  -errno
 */
void load_explain(const char *what, int result, char error[256]);

/* Is there type information of the running kernel? */
bool load_has_type_information(void);

/* May this process load programs: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, in its effective set? */
bool load_is_permitted(void);

/* Kernel memory of all maps that this process has open, in bytes. Reads /proc/self/fdinfo: not for every tick. */
uint32_t load_map_bytes(void);

/* Has this kernel a tracepoint of that name? `types` are those of the running kernel. */
bool load_has_tracepoint(const struct btf *types, const char *name);

/* How many arguments has a tracepoint, the hidden one included? 0: not known. */
unsigned load_tracepoint_arguments(const struct btf *types, const char *name);

/* Possible cpus of the machine, at least 1. */
uint32_t load_possible_cpus(void);

#endif
