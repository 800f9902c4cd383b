/*
 * kernel.h - the few kernel types and members that our programs read. Included by the programs only (clang -target bpf).
 *
 * Names are the kernel's; offsets here mean nothing: each access is relocated at load time to the running kernel's own layout (CO-RE), so that
 * neither vmlinux.h nor type information is needed to build. A member that some kernels lack stands in a type with a suffix (`___x`) and
 * is read only after bpf_core_field_exists(). Never ask bpf_core_type_exists() for a type that may be missing: libbpf then searches the
 * modules, which takes CAP_SYS_ADMIN; ask for a field of a type that every kernel has.
 */
#ifndef COLLECTOR_BPF_KERNEL_H
#define COLLECTOR_BPF_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names that bpf_helpers.h expects. */
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef unsigned long long __u64;
typedef int8_t __s8;
typedef int16_t __s16;
typedef int32_t __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef __u64 __le64;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1, BPF_RB_NO_WAKEUP = 1 };

/* Bits of task_struct. */
enum {
	TASK_RUNNING = 0,
	TASK_INTERRUPTIBLE = 1,
	TASK_UNINTERRUPTIBLE = 2,
	TASK_DEAD_BIT = 0x80,
	TASK_NOLOAD_BIT = 0x400,
	TASK_ON_RQ_MIGRATING = 2,
	TASK_FLAG_KTHREAD = 0x00200000,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};
typedef struct {
	int32_t counter;
} atomic_t;
typedef struct {
	int64_t counter;
} atomic_long_t;
typedef struct {
	uint32_t val;
} kuid_t;

struct cred {
	kuid_t uid, euid;
};
struct kernfs_node {
	uint64_t id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

struct percpu_counter {
	int64_t count;
	int32_t *counters;
};
struct mm_struct {
	struct percpu_counter rss_stat[4];
	unsigned long hiwater_rss, total_vm;
};
struct mm_rss_stat {
	atomic_long_t count[4];
};
struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};

struct task_io_accounting {
	uint64_t rchar, wchar, syscr, syscw, read_bytes, write_bytes, cancelled_write_bytes;
};
struct task_delay_info {
	uint64_t blkio_delay, swapin_delay, freepages_delay, thrashing_delay;
};
struct task_delay_info___x {
	uint64_t compact_delay, wpcopy_delay, irq_delay;
};
struct sched_info {
	unsigned long pcount;
	unsigned long long run_delay, last_arrival, last_queued;
};

struct rq;
struct cfs_rq {
	struct rq *rq;
};
struct cfs_rq___nr {
	unsigned int h_nr_runnable, h_nr_queued, h_nr_running, h_nr_delayed;
};
struct rq {
	int cpu; /* absent where the kernel knows one cpu only */
	unsigned int nr_running;
	uint64_t clock, clock_task;
	struct cfs_rq cfs;
};
struct cfs_rq___quota {
	int throttle_count; /* with CONFIG_CFS_BANDWIDTH: its group, or one above that, is held back on this cpu */
};
struct cfs_bandwidth {
	uint64_t quota; /* all ones: none */
	int nr_throttled;
	uint64_t throttled_time;
};
struct task_group {
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};
struct sched_entity {
	uint64_t sum_exec_runtime, exec_start;
	struct cfs_rq *cfs_rq; /* with CONFIG_FAIR_GROUP_SCHED, which every distribution has */
};

struct sched_entity___x {
	unsigned char sched_delayed;
};

typedef struct {
	unsigned int sequence;
} seqcount_t;
struct seqcount_spinlock {
	seqcount_t seqcount; /* Linux 5.10 */
};
typedef struct {
	struct seqcount_spinlock seqcount;
} seqlock_t;
struct signal_struct {
	atomic_t live;
	int nr_threads;
	seqlock_t stats_lock;
	uint64_t utime, stime;
	unsigned long nvcsw, nivcsw, min_flt, maj_flt, maxrss;
	struct task_io_accounting ioac;
	unsigned long long sum_sched_runtime;
	short oom_score_adj;
	struct list_head thread_head;
};

struct task_struct {
	unsigned int __state, flags, policy;
	int on_cpu, on_rq, prio, static_prio, exit_state, exit_code, pid, tgid;
	struct sched_entity se;
	struct sched_info sched_info;
	struct list_head tasks, thread_node;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	uint64_t utime, stime, start_boottime;
	unsigned long nvcsw, nivcsw, min_flt, maj_flt;
	const struct cred *real_cred, *cred;
	char comm[16];
	struct signal_struct *signal;
	void *sighand;
	struct task_io_accounting ioac;
	struct css_set *cgroups;
	struct task_delay_info *delays;
	unsigned int in_iowait : 1;
	unsigned int in_memstall : 1;
};
struct task_struct___quota {
	struct task_group *sched_task_group; /* with CONFIG_CGROUP_SCHED */
	bool throttled;                      /* 6.18: taken off its queue until its group has quota again */
};
struct task_struct___before_5_14 {
	long state;
};

#pragma clang attribute pop

#endif
