/*
 * block.bpf.c - whose requests a disk works on, and who reclaims memory himself (block_state.h has the method).
 *
 * The owner of a request is the task that submitted it, whichever kernel thread hands it to the device: block_io_start runs in the submitter's
 * context (6.5 and newer), before that block_rq_insert or, without a queue, block_rq_issue. Of requests merged into one, the first one's owner has
 * all. Completions come in interrupts: everything here is atomic, and what belongs to one disk is changed under a lock.
 */
#include "collector/bpf/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "collector/bpf/account.bpf.h"
#include "collector/bpf/block_state.h"

enum { TASK_FLAG_EXITING = 4 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct gendisk {
	int major, first_minor;
};
struct request_queue {
	struct gendisk *disk; /* since 5.15 */
};
struct request {
	struct request_queue *q;
	unsigned int __data_len;
};
struct request___before_5_17 {
	struct gendisk *rq_disk;
};
#pragma clang attribute pop

/* The kernel knows it by this name. */
struct bpf_spin_lock {
	uint32_t val;
};
struct disk_lock {
	struct bpf_spin_lock lock;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DISK_ROWS);
	__type(key, uint32_t);
	__type(value, struct disk_lock);
} disk_locks SEC(".maps");

struct pending pendings[PENDING_SLOTS];
uint32_t pending_groups[PENDING_SLOTS / PENDING_GROUP]; /* taken slots of each */
struct disk_row disks[DISK_ROWS];
uint32_t disk_count; /* rows claimed so far */
uint32_t epoch;
uint64_t lost; /* requests and reclaims that found no room */

const volatile bool queue_comes_first; /* before 5.11 the tracepoints told the queue before the request */

/* ---- slots ---- */

/* A number that stands for a request as long as it lives. The verifier lets nobody calculate with an address, but it does with a distance. */
static __always_inline uint64_t key_of(const struct request *request)
{
	return (uint64_t)request - (uint64_t)pendings;
}

static __always_inline struct pending *pending_find(uint64_t key)
{
	uint32_t place = pending_place(key);
	for (uint32_t i = 0; i < PENDING_PROBES; i++) {
		struct pending *pending = &pendings[(place + i) & (PENDING_SLOTS - 1)];
		if (pending->key == key)
			return pending;
	}
	return NULL;
}

static __always_inline struct pending *pending_claim(uint64_t key, uint32_t tgid)
{
	uint32_t place = pending_place(key);
	for (uint32_t i = 0; i < PENDING_PROBES; i++) {
		uint32_t slot = (place + i) & (PENDING_SLOTS - 1);
		struct pending *pending = &pendings[slot];
		if (pending->key == 0 && __sync_val_compare_and_swap(&pending->key, 0, key) == 0) {
			__sync_fetch_and_add(&pending_groups[slot / PENDING_GROUP], 1);
			pending->tgid = tgid;
			return pending;
		}
	}
	__sync_fetch_and_add(&lost, 1);
	return NULL;
}

static __always_inline void pending_free(struct pending *pending)
{
	uint32_t slot = (uint32_t)(pending - pendings) & (PENDING_SLOTS - 1);
	pending->kind = PENDING_OWNED;
	__sync_lock_test_and_set(&pending->key, 0);
	__sync_fetch_and_add(&pending_groups[slot / PENDING_GROUP], -1);
}

/* So that there is an account to charge later. A process that is about to go would leave one that nobody frees. */
static __always_inline void account_claim(const struct task_struct *task)
{
	if ((task->flags & TASK_FLAG_EXITING) || account_of(task->tgid))
		return;
	uint32_t cpu = bpf_get_smp_processor_id();
	struct account_cpu *numbers = bpf_map_lookup_elem(&account_cpus, &cpu);
	if (numbers)
		__sync_fetch_and_add(&numbers->accounts_full, 1);
}

/* ---- disks ---- */

static __always_inline uint32_t disk_number(const struct request *request)
{
	const struct gendisk *disk;
	if (bpf_core_field_exists(((struct request_queue *)0)->disk))
		disk = request->q->disk;
	else
		disk = ((const struct request___before_5_17 *)request)->rq_disk;
	if (!disk)
		return 0; /* a command for the controller */
	return (uint32_t)disk->major << 20 | (uint32_t)disk->first_minor;
}

/* Index of the row of that disk, or DISK_ROWS. */
static __always_inline uint32_t disk_row_of(uint32_t number)
{
	uint32_t place = number * 0x9E3779B9u >> 23;
	for (uint32_t i = 0; i < DISK_PROBES; i++) {
		uint32_t index = (place + i) & (DISK_ROWS - 1);
		uint32_t found = disks[index].number;
		if (found == number)
			return index;
		if (found == 0) {
			found = __sync_val_compare_and_swap(&disks[index].number, 0, number);
			if (found == 0)
				__sync_fetch_and_add(&disk_count, 1);
			if (found == 0 || found == number)
				return index;
		}
	}
	return DISK_ROWS;
}

/* Brings the service of a disk up to date. Under its lock. */
static __always_inline void service_advance(struct disk_row *row, uint64_t now)
{
	if (now <= row->last_ns)
		return;
	uint64_t passed = now - row->last_ns;
	if (row->inflight > 0) {
		row->busy_ns += passed;
		if (row->weight > 0)
			row->service += (passed << SERVICE_SHIFT) / row->weight;
	}
	row->last_ns = now;
}

static __always_inline void request_begins(struct pending *pending, uint32_t index, uint32_t bytes)
{
	uint32_t key = index, weight = request_weight(bytes);
	struct disk_lock *lock = bpf_map_lookup_elem(&disk_locks, &key);
	struct disk_row *row = &disks[index & (DISK_ROWS - 1)];
	uint64_t now = bpf_ktime_get_ns();
	if (!lock)
		return;
	pending->begin_ns = now;
	bpf_spin_lock(&lock->lock);
	__sync_fetch_and_add(&row->sequence, 1);
	if (row->service == 0)
		row->service = 1; /* a mark is never 0 */
	service_advance(row, now);
	row->inflight++;
	row->weight += weight;
	pending->mark = row->service;
	__sync_fetch_and_add(&row->sequence, 1);
	bpf_spin_unlock(&lock->lock);
	__sync_lock_test_and_set(&pending->kind, weight << KIND_BITS | (PENDING_DISK + index));
}

/* Charges the owner with the rest. */
static __always_inline void request_ends(struct pending *pending, bool completed)
{
	uint32_t kind = pending->kind, weight = pending_weight(kind), index = (pending_kind(kind) - PENDING_DISK) & (DISK_ROWS - 1);
	struct disk_lock *lock = bpf_map_lookup_elem(&disk_locks, &index);
	struct disk_row *row = &disks[index];
	uint32_t bank = epoch % DISK_BANKS;
	uint64_t now = bpf_ktime_get_ns(), begin = pending->begin_ns, latency = now > begin ? now - begin : 0, mark, service;
	if (!lock)
		return;
	bpf_spin_lock(&lock->lock);
	__sync_fetch_and_add(&row->sequence, 1);
	service_advance(row, now);
	row->inflight--;
	row->weight -= weight;
	if (completed) {
		row->requests++;
		row->latency_ns += latency;
		if (row->latency_max_ns[bank] < latency)
			row->latency_max_ns[bank] = latency;
	}
	mark = __sync_lock_test_and_set(&pending->mark, 0);
	service = row->service;
	__sync_fetch_and_add(&row->sequence, 1);
	bpf_spin_unlock(&lock->lock);

	uint64_t charge = (service - mark) * weight >> SERVICE_SHIFT;
	struct account *account = account_find(pending->tgid);
	if (account)
		__sync_fetch_and_add(&account->io_time_ns, charge);
	else
		__sync_fetch_and_add(&row->unowned_ns, charge);
}

/* ---- requests ---- */

static __always_inline struct request *request_of(const uint64_t *context)
{
	return (struct request *)(queue_comes_first ? context[1] : context[0]);
}

/* The current task is the owner of this request. */
static __always_inline struct pending *request_owned(struct request *request, struct task_struct *task)
{
	struct pending *pending = pending_find(key_of(request));
	account_claim(task);
	if (!pending)
		return pending_claim(key_of(request), task->tgid);
	if (pending_kind(pending->kind) >= PENDING_DISK)
		request_ends(pending, false); /* its completion was missed */
	pending->kind = PENDING_OWNED;
	pending->tgid = task->tgid;
	return pending;
}

SEC("tp_btf/block_io_start")
int request_started(uint64_t *context)
{
	request_owned((struct request *)context[0], bpf_get_current_task_btf());
	return 0;
}

/* Where there is no block_io_start. */
SEC("tp_btf/block_rq_insert")
int request_inserted(uint64_t *context)
{
	request_owned(request_of(context), bpf_get_current_task_btf());
	return 0;
}

SEC("tp_btf/block_rq_issue")
int request_issued(uint64_t *context)
{
	struct request *request = request_of(context);
	uint32_t number = disk_number(request);
	struct pending *pending = pending_find(key_of(request));
	if (number == 0)
		return 0;
	if (!pending || pending->kind != PENDING_OWNED)
		pending = request_owned(request, bpf_get_current_task_btf());
	if (!pending)
		return 0;
	uint32_t index = disk_row_of(number);
	if (index < DISK_ROWS)
		request_begins(pending, index, request->__data_len);
	else
		__sync_fetch_and_add(&lost, 1);
	uint32_t cpu = bpf_get_smp_processor_id();
	struct account_cpu *numbers = bpf_map_lookup_elem(&account_cpus, &cpu);
	if (numbers)
		__sync_fetch_and_add(&numbers->blocks, 1);
	return 0;
}

/* The device gave it back undone: it will be issued again. */
SEC("tp_btf/block_rq_requeue")
int request_requeued(uint64_t *context)
{
	struct pending *pending = pending_find(key_of(request_of(context)));
	if (pending && pending_kind(pending->kind) >= PENDING_DISK) {
		request_ends(pending, false);
		pending->kind = PENDING_OWNED;
	}
	return 0;
}

/* Arguments: request, error, bytes. */
SEC("tp_btf/block_rq_complete")
int request_completed(uint64_t *context)
{
	struct request *request = (struct request *)context[0];
	struct pending *pending = pending_find(key_of(request));
	if (!pending || (uint32_t)context[2] < request->__data_len)
		return 0; /* not seen when it began; or a part of it is still to come */
	if (pending_kind(pending->kind) >= PENDING_DISK)
		request_ends(pending, true);
	pending_free(pending);
	return 0;
}

/* ---- reclaim and compaction ---- */

/* Tasks are aligned: the lowest bits tell apart what a task does. */
static __always_inline void wait_begins(uint32_t kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (task->flags & TASK_FLAG_KTHREAD)
		return; /* kcompactd keeps nobody from his work but itself */
	uint64_t key = bpf_get_current_task() | kind, now = bpf_ktime_get_ns();
	if (pending_find(key))
		return;
	account_claim(task);
	struct pending *pending = pending_claim(key, task->tgid);
	if (!pending)
		return;
	pending->begin_ns = now;
	pending->mark = now;
	__sync_lock_test_and_set(&pending->kind, kind);
}

static __always_inline void wait_ends(uint32_t kind)
{
	struct pending *pending = pending_find(bpf_get_current_task() | kind);
	if (!pending)
		return;
	uint64_t mark = __sync_lock_test_and_set(&pending->mark, 0), now = bpf_ktime_get_ns();
	struct account *account = account_find(pending->tgid);
	pending_free(pending);
	if (!account)
		return;
	if (kind == PENDING_RECLAIM)
		__sync_fetch_and_add(&account->reclaims, 1);
	if (now > mark)
		__sync_fetch_and_add(kind == PENDING_RECLAIM ? &account->reclaim_ns : &account->compaction_ns, now - mark);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int reclaim_begins(void *context)
{
	wait_begins(PENDING_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int reclaim_ends(void *context)
{
	wait_ends(PENDING_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int group_reclaim_begins(void *context)
{
	wait_begins(PENDING_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int group_reclaim_ends(void *context)
{
	wait_ends(PENDING_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_compaction_begin")
int compaction_begins(void *context)
{
	wait_begins(PENDING_COMPACTION);
	return 0;
}

SEC("tp_btf/mm_compaction_end")
int compaction_ends(void *context)
{
	wait_ends(PENDING_COMPACTION);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
