/*
 * walk_cpu.bpf.c - run once: where in memory the kernel has the parts of single cpus.
 *
 * A variable that each cpu has for itself lies at its address plus an offset of the cpu. The offset is what the address of a map's value of one
 * cpu has more than the map's pointer for all of them. No symbol of the kernel is needed for that, and no right to see any.
 */
#include "collector/bpf/kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

#include "collector/bpf/walk_record.h"

char LICENSE[] SEC("license") = "GPL";

struct bpf_array {
	void *pptrs[1];
} __attribute__((preserve_access_index));
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} marks SEC(".maps");
extern void *bpf_rdonly_cast(void *object, uint32_t btf_id) __ksym;

uint64_t base;                       /* what the map has for all cpus */
const void *address[WALK_CPUS_MOST]; /* of the value of each cpu; the offset is what that is more */
uint32_t cpus;                       /* whose address is known */

SEC("syscall")
int find_cpu_offsets(void *context)
{
	const struct bpf_array *array = bpf_rdonly_cast(&marks, bpf_core_type_id_kernel(struct bpf_array));
	uint32_t key = 0;
	bpf_probe_read_kernel(&base, sizeof(base), &array->pptrs);
	for (uint32_t cpu = 0; cpu < WALK_CPUS_MOST; cpu++) {
		void *mark = bpf_map_lookup_percpu_elem(&marks, &key, cpu);
		if (!mark)
			break;
		address[cpu] = mark;
		cpus = cpu + 1;
	}
	return 0;
}
