/*
 * convert.h - a record of the walk as what the collector works with: bytes and ns instead of pages and bits, and which fields are known.
 */
#ifndef COLLECTOR_BPF_CONVERT_H
#define COLLECTOR_BPF_CONVERT_H

#include "collector/bpf/walk_record.h"
#include "collector/source.h"

/* What holds for all records of a walk. */
struct convert {
	uint64_t present[2], delays[2]; /* fields of every process; those of processes whose delays the kernel counts */
	uint64_t page_bytes;
};

/*
 *   features          bits of enum walk_feature
 *   delay_accounting  is kernel.task_delayacct on? Off, delays stand still, and mean nothing
 */
void convert_init(struct convert *convert, uint32_t features, bool delay_accounting, uint64_t page_bytes);

/* Fills in all of it. Cost: 20 ns. */
void convert_process(const struct convert *convert, const struct walk_record *record, struct raw_process *ret_process);

#endif
