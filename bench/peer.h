/*
 * peer.h - two ways to hand the samples of one program to several others, measured alike: the ring, and newline JSON over a unix
 * socket, which the ring replaces. Both hand over the same records; each client looks at every record and takes the top 20.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "rogue/samples.h"

#include <stdatomic.h>

enum { PEER_CLIENTS_MOST = 8, PEER_SAMPLES_MOST = 64, PEER_TOP = 20 };

/* In memory shared by writer and clients. A client sets `seen` last. */
struct peer_shared {
	atomic_int attached;
	atomic_uint_fast64_t begun_ns[PEER_SAMPLES_MOST];        /* when the writer began to hand over sample i */
	double latency_ns[PEER_SAMPLES_MOST][PEER_CLIENTS_MOST]; /* until the client had taken what it wanted */
	atomic_int seen[PEER_SAMPLES_MOST];                      /* clients that are done with sample i */
	double client_cpu_ns[PEER_CLIENTS_MOST];                 /* of all samples together */
};

/* What one way of handing over does. The handle is its own; each call dies with a message if it fails. */
struct peer {
	const char *name;
	void *(*open)(const char *name);                                              /* in the writer, before clients start */
	void (*accept)(void *handle, int clients);                                    /* in the writer, after they started */
	void (*send)(void *handle, const struct rh_process *records, uint32_t count); /* one sample to all clients */
	void (*close)(void *handle);
	void (*client)(const char *name, int client, int samples, struct peer_shared *shared); /* in a process of its own */
};

extern const struct peer peer_ring, peer_json_socket;

_Noreturn void peer_die(const char *what);

/* A client says so when it has taken sample i. */
void peer_done(struct peer_shared *shared, int client, int i);

#endif
