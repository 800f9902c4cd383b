/*
 * walk_iterator.bpf.c - the walk by the kernel's iterator over tasks, for Linux 5.8 to 6.9: the program is called for each thread.
 *
 * Threads come in the order of their ids, so those of one process may lie apart: a table by process id tells which record is theirs. It is
 * marked with the number of the walk and so need not be cleared.
 */
#include "collector/bpf/walk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	uint64_t session_id, seq_num;
} __attribute__((preserve_access_index));
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

enum { PROBES = 16 };
#define SPREAD UINT32_C(0x9E3779B1) /* neighbours far apart: ids are given out in order, and long rows of them would block each other */

struct walk_slot {
	uint32_t generation; /* number of the walk that filled it */
	uint32_t tgid, place;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set before loading */
	__type(key, uint32_t);
	__type(value, struct walk_slot);
} slots SEC(".maps");

/* The record of that process: a new one for the first of its threads. NULL: there is no room. */
static __always_inline struct walk_record *record_of(const struct task_struct *task, bool *ret_new)
{
	uint32_t tgid = (uint32_t)task->tgid;
	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t key = ((tgid * SPREAD >> 16) + i) & (settings.slots - 1), place = control.count;
		struct walk_slot *slot = bpf_map_lookup_elem(&slots, &key);
		if (!slot)
			return NULL;
		if (slot->generation == control.generation) {
			if (slot->tgid != tgid)
				continue;
			place = slot->place;
			return bpf_map_lookup_elem(&records, &place);
		}
		struct walk_record *record = bpf_map_lookup_elem(&records, &place);
		if (!record)
			return NULL;
		slot->generation = control.generation;
		slot->tgid = tgid;
		slot->place = place;
		control.count = place + 1;
		*ret_new = true;
		return record;
	}
	return NULL;
}

SEC("iter/task")
int walk_task(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	bool is_new = false;
	if (!task) {
		control.done = 1;
		return 0;
	}
	if (control.begins)
		walk_begin();
	struct walk_record *record = record_of(task, &is_new);
	if (!record) {
		control.dropped += task->pid == task->tgid;
		return 0;
	}
	if (is_new)
		fill_process(record, task->group_leader, task->signal, recall(record, control.count - 1, task->group_leader));
	add_thread(record, task);
	record->kept = WALK_MEMORY_NONE; /* other threads may yet turn out to have run */
	if (task->mm && (record->memory == WALK_MEMORY_NONE || (record->memory == WALK_MEMORY_COARSE && record->ran)))
		fill_memory(record, task->mm);
	return 0;
}
