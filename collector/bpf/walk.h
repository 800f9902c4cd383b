/*
 * walk.h - the walk over all tasks inside the kernel: loading it in the way that the kernel allows, running it, room for its records.
 *
 * The way of the system call (walk.bpf.c) is one call up to a number of processes, and chunks above; the iterator (walk_iterator.bpf.c) serves older
 * kernels. Both write into a map that is mapped into this process. It has room for twice the processes there were when it was made.
 */
#ifndef COLLECTOR_BPF_WALK_H
#define COLLECTOR_BPF_WALK_H

#include "collector/bpf/part.h"

struct walk; /* owned by the caller of walk_open() until walk_close() */

struct walk_options {
	const char *way;                 /* "auto", "syscall" or "iterator"; borrowed until walk_close() */
	uint32_t processes;              /* there are about as many; room is made for twice as many */
	uint32_t chunk;                  /* processes and threads in one call ... */
	uint32_t chunk_from;             /* ... from this number of processes on */
	void (*progress)(void *context); /* NULL, or to be called between two chunks */
	void *progress_context;
};

/* Loads the programs. Returns 0, or -errno with a sentence in `error`. Cost: 0.1 s. */
int walk_open(const struct walk_options *options, struct walk **ret_walk, char error[256]);

/* One walk. */
struct walk_result {
	struct walk_view view; /* borrowed until the next call with this walk */
	uint32_t dropped;      /* processes there was no room for: walk_grow() is due */
	uint32_t tasks;        /* threads seen */
	uint32_t calls;        /* of the kernel */
	uint32_t searches;     /* times that the list was searched for where to go on, since the start */
	uint32_t features;     /* bits of enum walk_feature */
	uint32_t self;         /* the own process id in the first pid namespace */
};

/* Returns 0 or -errno. Allocates nothing. Pids in the view are unique, records in the order in which processes began (by pid with the iterator). */
int walk_run(struct walk *walk, struct walk_result *ret_result);

/* Makes room for twice as many processes, by loading all anew. Returns 0, or -errno with a sentence in `error`: then all is as it was. */
int walk_grow(struct walk *walk, uint32_t processes, char error[256]);

/* Processes there is room for. */
uint32_t walk_room(const struct walk *walk);

/* Processes in the newest walk, those dropped included. */
uint32_t walk_processes(const struct walk *walk);

/* RH_SAMPLER_bpf, or RH_SAMPLER_bpf_iterator. */
uint8_t walk_sampler(const struct walk *walk);

void walk_close(struct walk **walk);

#endif
