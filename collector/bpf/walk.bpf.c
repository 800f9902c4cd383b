/*
 * walk.bpf.c - the walk over all processes in one system call (Linux 6.10 and newer), or in chunks where there are many.
 *
 * Follows the kernel's own list of processes, and each one's list of threads, under the lock of RCU, which the kernel may take for milliseconds
 * on a machine with thousands of processes. On kernels that are not preempted that holds up real-time threads of this cpu, therefore the chunks:
 * between two of them the lock is released and the collector is back in user mode.
 *
 * A chunk goes on behind the last process seen. Has that one gone, then behind the newest record whose process is still in the list: what was
 * recorded after it has gone too, what comes after it has not been seen. New processes are added at the end. So none that lasts is missed, and none
 * is met twice, but for a pid that was given out anew. Only if 64 in a row have gone the list is searched by start time, with some overlap: the
 * collector takes one of two records with the same pid, the newer.
 */
#include "collector/bpf/walk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Functions of the kernel, declared by us: no type information is needed to build. */
struct bpf_iter_task {
	uint64_t opaque[3];
} __attribute__((aligned(8)));
struct bpf_iter_num {
	uint64_t opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern void *bpf_rdonly_cast(void *object, uint32_t btf_id) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

enum {
	ITER_ALL_PROCESSES = 0,
	LIST_MOST = 4 << 20,     /* Linux allows no more threads */
	CURSORS = 64,            /* records tried to find where to go on */
	TRIES = 3,               /* readings of a process whose threads end meanwhile */
	OVERLAP_NS = 1000000000, /* processes are in the list by the time of their start, but for those that were started at once */
};

/*
 * Addresses are numbers: a list is followed by what lies in memory, and each address is made a pointer again by the kernel's own cast.
 */
static __always_inline struct task_struct *task_at(uint64_t address)
{
	return bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct task_struct));
}

static __always_inline uint64_t next_process(const struct task_struct *task)
{
	return number_of(task->tasks.next) - bpf_core_field_offset(struct task_struct, tasks);
}

/* ---- a process ---- */

static __always_inline uint32_t threads_sequence(const struct signal_struct *group)
{
	if (bpf_core_field_exists(group->stats_lock.seqcount.seqcount.sequence))
		return group->stats_lock.seqcount.seqcount.sequence;
	return 0;
}

/*
 * Functions that are not static are verified once each and not at every call, in every state: that makes loading five times as fast.
 */

/* Adds a thread, if it is one of that process: the list ends at its head, which is none. */
__noinline bool add_thread_at(struct walk_record *record, uint64_t address, uint64_t group)
{
	struct task_struct *task = task_at(address);
	if (!record || number_of(task->signal) != group)
		return false;
	add_thread(record, task);
	return true;
}

/* The memory of a process, as one of its threads has it. */
__noinline int add_memory(struct walk_record *record, uint64_t address)
{
	struct mm_struct *mm = task_at(address)->mm;
	if (record && mm)
		fill_memory(record, mm);
	return 0;
}

/* Adds up all threads but the first. Returns the address of the last one, or 0. */
__noinline uint64_t add_others(struct walk_record *record, uint64_t process, uint64_t group)
{
	struct bpf_iter_num numbers;
	uint64_t at = number_of(task_at(process)->thread_node.next), last = 0;
	bpf_iter_num_new(&numbers, 0, LIST_MOST);
	while (bpf_iter_num_next(&numbers)) {
		uint64_t address = at - bpf_core_field_offset(struct task_struct, thread_node);
		if (!record || !add_thread_at(record, address, group))
			break;
		last = address;
		at = number_of(task_at(address)->thread_node.next);
	}
	bpf_iter_num_destroy(&numbers);
	return last;
}

/*
 * Adds up all of a process. A thread that ends meanwhile is moved to the sums of its process, where it would be missed or counted twice: the lock
 * that the kernel holds for that counts each time, and is odd while it does. Returns whether all is consistent.
 */
__noinline bool read_process(struct walk_record *record, uint64_t process, bool known)
{
	struct task_struct *leader = task_at(process);
	struct signal_struct *group = leader->signal;
	uint32_t before = threads_sequence(group);
	if (!record)
		return false;
	barrier();
	fill_process(record, leader, group, known);
	uint64_t owner = process;
	add_thread_at(record, process, number_of(group));
	if (group->nr_threads > 1) {
		uint64_t last = add_others(record, process, number_of(group));
		if (!leader->mm && last)
			owner = last; /* the main thread is gone, the process is not */
	}
	add_memory(record, owner);
	barrier();
	return !(before & 1) && threads_sequence(group) == before;
}

/*
 * A process with one thread that has not been on a cpu since the walk before, and was not about to be, has the same sums as then: half of what would
 * have to be fetched from memory is left alone. What others may change is read again. Returns whether it is one.
 */
__noinline bool read_sleeper(struct walk_record *record, uint64_t process)
{
	struct task_struct *leader = task_at(process);
	uint32_t state = state_of(leader);
	if (!record || !bpf_core_field_exists(leader->sched_info.last_queued))
		return false;
	if (record->active || record->threads != 1 || record->threads_stuck)
		return false;
	if (state == TASK_RUNNING || ((state & TASK_UNINTERRUPTIBLE) && !(state & TASK_NOLOAD_BIT)))
		return false;
	if (is_on_cpu(leader) || leader->sched_info.last_queued || leader->sched_info.last_arrival >= control.before_rq_ns)
		return false;
	struct signal_struct *group = leader->signal;
	if (group->nr_threads != 1)
		return false;
	record->ran = 0;
	record->quota = 0;
	record->kept = record->memory;
	record->memory = WALK_MEMORY_NONE;
	fill_state(record, leader, group);
	add_memory(record, process);
	control.tasks++;
	return true;
}

/* Records the process at that address. Returns the address of the next one. */
__noinline uint64_t walk_process(uint64_t process)
{
	struct task_struct *leader = task_at(process);
	uint64_t next = next_process(leader);
	uint32_t place = control.count;
	if (!leader->pid)
		return next; /* the idle task */
	control.cursor = (uint32_t)leader->tgid;
	control.cursor_start_ns = leader->start_boottime;
	struct walk_record *record = bpf_map_lookup_elem(&records, &place);
	if (!record) {
		control.dropped++;
		return next;
	}
	control.count = place + 1;
	bool known = recall(record, place, leader);
	if (known && read_sleeper(record, process))
		return next;
	uint32_t waiting_before = control.waiting_count, tasks_before = control.tasks;
	for (int i = 0; i < TRIES; i++) {
		control.waiting_count = waiting_before;
		control.tasks = tasks_before;
		if (read_process(record, process, known && i == 0))
			break;
	}
	return next;
}

/* ---- where to go on ---- */

/* The address of the process after that one, if that one is still in the list, else 0. */
__noinline uint64_t after(uint32_t pid, uint64_t start_ns)
{
	struct task_struct *task = bpf_task_from_pid((int)pid);
	uint64_t next = 0;
	if (!task)
		return 0;
	/* Taken out of the list it keeps its way forward, and loses the one back. */
	struct list_head *before = task->tasks.prev;
	if (task->start_boottime == start_ns && before->next == &task->tasks)
		next = next_process(task);
	bpf_task_release(task);
	return next;
}

__noinline uint64_t search(void)
{
	struct bpf_iter_num numbers;
	uint64_t at = control.list_begin, from_ns = control.cursor_start_ns;
	control.searches++;
	bpf_iter_num_new(&numbers, 0, LIST_MOST);
	while (bpf_iter_num_next(&numbers)) {
		at = next_process(task_at(at));
		if (at == control.list_begin || task_at(at)->start_boottime + OVERLAP_NS > from_ns)
			break;
	}
	bpf_iter_num_destroy(&numbers);
	return at;
}

__noinline uint64_t resume(void)
{
	struct bpf_iter_num numbers;
	uint64_t at = after(control.cursor, control.cursor_start_ns);
	if (at)
		return at;
	bpf_iter_num_new(&numbers, 2, CURSORS);
	int *back;
	while (!control.dropped && (back = bpf_iter_num_next(&numbers))) {
		uint32_t place = control.count - (uint32_t)*back;
		struct walk_record *record = bpf_map_lookup_elem(&records, &place);
		if (!record)
			break;
		at = after(record->pid, record->start_time_ns);
		if (at)
			break;
	}
	bpf_iter_num_destroy(&numbers);
	return at ? at : search();
}

/* The first in the list is no process, but the idle task of the first cpu, which never goes. */
static __noinline uint64_t begin(void)
{
	struct bpf_iter_task tasks;
	walk_begin();
	bpf_iter_task_new(&tasks, NULL, ITER_ALL_PROCESSES);
	struct task_struct *first = bpf_iter_task_next(&tasks);
	control.list_begin = (uint64_t)first;
	bpf_iter_task_destroy(&tasks);
	return control.list_begin ? next_process(task_at(control.list_begin)) : 0;
}

SEC("syscall")
int walk_tasks(void *context)
{
	struct bpf_iter_num numbers;
	bpf_rcu_read_lock();
	uint64_t at = control.begins ? begin() : resume();
	uint32_t tasks_before = control.tasks;
	bpf_iter_num_new(&numbers, 0, LIST_MOST);
	while (bpf_iter_num_next(&numbers)) {
		if (!at || at == control.list_begin) {
			control.done = 1;
			break;
		}
		if (control.tasks - tasks_before >= control.tasks_most)
			break;
		at = walk_process(at);
	}
	bpf_iter_num_destroy(&numbers);
	bpf_rcu_read_unlock();
	return 0;
}
