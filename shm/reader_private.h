/*
 * reader_private.h - what the files of the reader library share: the handle, and messages for a failed attach.
 */
#ifndef SHM_READER_PRIVATE_H
#define SHM_READER_PRIVATE_H

#include "rogue/reader.h"
#include "shm/layout.h"

enum { RING_MAGIC = 0x52494e47 };

/* A handle. Everything but the bytes behind `base` is private memory: checked once at attach, trusted from then on. */
struct rh_ring {
	uint32_t magic; /* RING_MAGIC while the handle lives */
	int fd;
	const unsigned char *base;
	size_t size;
	const struct seg_control *control;
	struct seg_header header; /* private, checked copy */
	struct seg_field *fields; /* [header.fields] private, checked copy of the schema */
	uint64_t known_full[2];   /* present bits of the fields that a full record carries and struct rh_process has */
};

/* Present bits of the fields that lie within the first `bytes` of a process record. */
void schema_known(const struct rh_ring *ring, uint32_t bytes, uint64_t ret_known[2]);

#endif
