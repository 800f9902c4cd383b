/*
 * source.c - the kernel-direct back end: its parts, and the order of work in a tick.
 *
 * A tick is the walk, one system call, and what the other parts have noted since the tick before. The interval ends where the walk begins: counters
 * of all parts are of that moment as far as can be. After it come what /proc says of the machine, and processes that the walk lacks.
 * Nothing is allocated, with one exception: maps that have become too small are replaced by larger ones, and the log says so.
 */
#include "collector/source.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "collector/bpf/block.h"
#include "collector/bpf/convert.h"
#include "collector/bpf/load.h"
#include "collector/bpf/rare.h"
#include "collector/bpf/sched.h"
#include "collector/bpf/unlisted.h"
#include "collector/bpf/walk.h"
#include "collector/pool.h"
#include "collector/procfs/system.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	ROUTINE_EACH = 64,   /* ticks between two looks at what hardly ever changes */
	PROGRESS_EACH = 512, /* processes */
};

struct bpf_source {
	struct source source; /* first: the interface */
	struct source_operations operations;
	struct source_options options;
	struct pool pool; /* all memory, this struct included, but for what the parts have */
	struct unlisted unlisted;
	struct procfs_system system;
	struct walk *walk;
	struct accounts accounts;
	struct sched *sched;       /* NULL: not there */
	struct block *block;       /* likewise */
	struct rare *rare;         /* likewise */
	uint64_t ticks, before_ns; /* before_ns: begin of the walk before, BOOTTIME; 0 none */
	uint64_t accounts_full;    /* charges that found no account, as of the tick before */
	uint32_t kernel_bytes;
	uint32_t throttled; /* processes of the newest walk that were held back by a quota */
	bool delay_accounting;
	bool grow_refused; /* not tried again before the next routine */
	bool refusal_said; /* the log has it */
};

/* ---- parts ---- */

static void parts_close(struct bpf_source *source)
{
	if (source->sched)
		sched_close(&source->sched);
	if (source->block)
		block_close(&source->block);
}

/* A part that cannot be opened is left out. */
static void parts_open(struct bpf_source *source)
{
	const struct config *config = source->options.config;
	char error[256];
	if (config->sampling_scheduler || config->sampling_last_words)
		if (sched_open(&source->options, &source->accounts, &source->sched, error) < 0) {
			source->sched = NULL;
			log_say(LOG_WARNING_, "sampler", "%s; blame is estimated, and processes that live briefly may be missed", error);
		}
	if (config->sampling_block)
		if (block_open(&source->options, &source->accounts, &source->block, error) < 0) {
			source->block = NULL;
			log_say(LOG_WARNING_, "sampler", "%s; block requests are not watched", error);
		}
	source->accounts_full = accounts_sum(&source->accounts).accounts_full;
	source->kernel_bytes = load_map_bytes();
}

/* Rare events have no accounts: they stay as they are where those grow. */
static void rare_start(struct bpf_source *source)
{
	char error[256];
	if (!source->options.config->sampling_rare)
		return;
	if (rare_open(&source->options, &source->rare, error) < 0) {
		source->rare = NULL;
		log_say(LOG_WARNING_, "sampler", "%s; waits for locks of the kernel and other rare events are not watched", error);
	}
	source->kernel_bytes = load_map_bytes();
}

/* Says once that there is no larger map to be had. */
static void refuse_growth(struct bpf_source *source, const char *why)
{
	if (!source->refusal_said)
		log_say(LOG_WARNING_, "sampler", "%s; there is room for %u processes and no more", why, walk_room(source->walk));
	source->grow_refused = source->refusal_said = true;
}

/*
 * Larger accounts, with what was on the old ones. Between the parts' closing and their opening nothing is watched: that counts as an event lost, and the
 * log says how long it was.
 */
static void accounts_grow(struct bpf_source *source, uint32_t processes, struct source_tick *tick)
{
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	struct accounts larger;
	char error[256];
	int result = accounts_open(&larger, processes);
	if (result < 0) {
		load_explain("larger accounts of processes", result, error);
		refuse_growth(source, error);
		return;
	}
	parts_close(source);
	accounts_move(&larger, &source->accounts);
	accounts_close(&source->accounts);
	source->accounts = larger;
	parts_open(source);
	tick->events_lost++;
	log_say(LOG_WARNING_, "sampler",
	        "the accounts of processes have become too small: there is room for %u now; for %.0f ms nothing was watched", larger.slots,
	        (double)(clock_now_ns(CLOCK_MONOTONIC) - begin_ns) / NS_PER_MS);
}

static void walk_enlarge(struct bpf_source *source, uint32_t processes)
{
	char error[256];
	if (walk_grow(source->walk, processes, error) < 0) {
		refuse_growth(source, error);
		return;
	}
	source->kernel_bytes = load_map_bytes();
	source->refusal_said = false;
	log_say(LOG_INFO_, "sampler", "the process table has become too small: there is room for %u processes now",
	        walk_room(source->walk));
}

/* ---- a tick ---- */

/* Delays are counted if kernel.task_delayacct is on, for tasks forked since then. */
static bool has_delay_accounting(const struct bpf_source *source)
{
	char text[16];
	int root_fd = source->unlisted.reader.files.root_fd;
	return file_read_at(root_fd, "sys/kernel/task_delayacct", text, sizeof(text)) > 0 && text[0] == '1';
}

static uint32_t convert_all(struct bpf_source *source, const struct walk_result *walk, struct raw_process *processes)
{
	struct convert convert;
	uint32_t count = walk->view.count < source->options.max_processes ? walk->view.count : source->options.max_processes;
	convert_init(&convert, walk->features, source->delay_accounting, source->unlisted.reader.page_bytes);
	source->throttled = 0;
	for (uint32_t i = 0; i < count; i++) {
		convert_process(&convert, &walk->view.records[i], &processes[i]);
		source->throttled += (processes[i].flags & RH_PROCESS_throttled) != 0;
		unlisted_seen(&source->unlisted, processes[i].pid);
		if (i % PROGRESS_EACH == PROGRESS_EACH - 1 && source->options.progress)
			source->options.progress(source->options.progress_context);
	}
	return count;
}

static uint64_t own_signals(const struct bpf_source *source, const struct walk_result *walk)
{
	unsigned way = source->operations.sampler == RH_SAMPLER_bpf ? RH_SIGNAL_task_walk : RH_SIGNAL_task_iterator;
	return UINT64_C(1) << RH_SIGNAL_type_information | UINT64_C(1) << RH_SIGNAL_bpf_rights | UINT64_C(1) << way |
	       (uint64_t)source->delay_accounting << RH_SIGNAL_delay_accounting |
	       (uint64_t)((walk->features & WALK_QUOTA) != 0) << RH_SIGNAL_cpu_quota;
}

/* What only this back end knows of the machine, without its parts. */
static void fill_system(const struct bpf_source *source, const struct walk_result *walk, struct raw_system *system)
{
	uint32_t waiting = walk->view.waiting_count + walk->view.waiting_lost;
	if (walk->features & WALK_SCHED_INFO) {
		system->waiting = waiting < UINT16_MAX ? (uint16_t)waiting : UINT16_MAX;
		rh_set(system->present, RH_S_waiting_count);
	}
	if (walk->features & WALK_QUOTA) {
		system->throttled = source->throttled;
		rh_set(system->present, RH_S_throttled_processes_count);
	}
	system->kernel_bytes = source->kernel_bytes;
	rh_set(system->present, RH_S_self_kernel_bytes);
}

/* The parts add to the records. */
static void collect(struct bpf_source *source, const struct walk_result *walk, struct raw_process *processes, struct raw_system *system,
        struct source_tick *tick)
{
	const struct walk_view *view = &walk->view;
	uint64_t interval_ns = source->before_ns ? view->begin_boot_ns - source->before_ns : source->options.interval_ns;
	if (source->sched)
		sched_collect(source->sched, view, interval_ns, processes, system, tick);
	if (source->block)
		block_collect(source->block, view, processes, system, tick);
	if (source->rare)
		rare_collect(source->rare, interval_ns, processes, tick->count, system, tick);
	source->before_ns = view->begin_boot_ns;
}

/* Whether all maps are still large enough. */
static void look_after_maps(struct bpf_source *source, const struct walk_result *walk, struct source_tick *tick)
{
	uint32_t processes = walk->view.count + walk->dropped;
	bool routine = source->ticks % ROUTINE_EACH == 0;
	if (routine) {
		source->delay_accounting = has_delay_accounting(source);
		source->grow_refused = false;
	}
	if (walk->dropped > 0 && !source->grow_refused && walk_room(source->walk) < source->options.max_processes)
		walk_enlarge(source, processes);
	if (!source->sched && !source->block)
		return;
	uint64_t full = walk->view.sum.accounts_full;
	bool crowded = full > source->accounts_full || (routine && accounts_are_crowded(&source->accounts));
	tick->events_lost += full - source->accounts_full; /* charges that found no account */
	source->accounts_full = full;
	uint32_t room = source->accounts.slots / ACCOUNTS_PER_PROCESS;
	if (crowded && !source->grow_refused && room < source->options.max_processes)
		accounts_grow(source, room * 2 > processes ? room * 2 : processes, tick);
}

static int bpf_tick(struct source *interface, uint64_t budget_ns, struct raw_process *processes, struct raw_system *system,
        struct source_tick *ret_tick)
{
	struct bpf_source *source = (struct bpf_source *)(void *)interface;
	struct walk_result walk;
	(void)budget_ns; /* there is nothing that could be put off */
	*ret_tick = (struct source_tick){0};
	unlisted_list(&source->unlisted, walk_processes(source->walk));
	if (source->sched)
		sched_begin(source->sched);
	int result = walk_run(source->walk, &walk);
	if (result < 0)
		return result;
	source->ticks++;
	uint32_t count = convert_all(source, &walk, processes);
	walk.view.count = count;
	walk.view.sum = accounts_sum(&source->accounts);
	ret_tick->taken_boottime_ns = walk.view.begin_boot_ns;
	ret_tick->signals = own_signals(source, &walk);
	ret_tick->dropped = walk.dropped + (walk_processes(source->walk) - walk.dropped - count);
	procfs_system_read_loadavg(&source->system);
	ret_tick->discontinuous = !procfs_system_read(&source->system, clock_now_ns(CLOCK_MONOTONIC), system);
	fill_system(source, &walk, system);
	ret_tick->count = count + unlisted_sample(&source->unlisted, processes + count, source->options.max_processes - count);
	collect(source, &walk, processes, system, ret_tick);
	look_after_maps(source, &walk, ret_tick);
	return 0;
}

/* ---- open and close ---- */

static void bpf_close(struct source **interface)
{
	struct bpf_source *source = (struct bpf_source *)(void *)*interface;
	*interface = NULL;
	parts_close(source);
	if (source->rare)
		rare_close(&source->rare);
	accounts_close(&source->accounts);
	if (source->walk)
		walk_close(&source->walk);
	procfs_system_close(&source->system);
	unlisted_close(&source->unlisted);
	struct pool pool = source->pool;
	pool_release(&pool);
}

/* Is there any use in trying? */
static int check_kernel(char error[256])
{
	if (!load_has_type_information()) {
		snprintf(error, 256,
		        "this kernel has no type information (BTF): it takes one built with CONFIG_DEBUG_INFO_BTF=y, and /sys mounted");
		return -ENOENT;
	}
	if (!load_is_permitted()) {
		snprintf(error, 256, "the rights to load programs into the kernel are missing: CAP_BPF and CAP_PERFMON, or root");
		return -EPERM;
	}
	return 0;
}

/* What the caller takes for another reason is none here. */
static int refusal(int result)
{
	return result == -ENOENT || result == -ENOSYS ? -EOPNOTSUPP : result;
}

static struct bpf_source *allocate(const struct source_options *options, char error[256])
{
	struct pool pool = {0};
	struct bpf_source *source = pool_take(&pool, 1, sizeof(*source));
	char *buffer = pool_take(&pool, PROCFS_SYSTEM_BUFFER_BYTES, 1);
	if (pool.failed) {
		pool_release(&pool);
		snprintf(error, 256, "no memory for the kernel-direct back end");
		return NULL;
	}
	source->pool = pool;
	source->options = *options;
	source->system.buffer = buffer;
	source->accounts = (struct accounts){.fd = -1, .cpu_fd = -1};
	return source;
}

/* The walk and the accounts, by the number of processes there are. */
static int kernel_open(struct bpf_source *source, char error[256])
{
	const struct config *config = source->options.config;
	int64_t processes = unlisted_list_all(&source->unlisted);
	if (processes < 0 || !source->unlisted.reader.files.is_procfs) {
		snprintf(error, 256, "%s is not a proc file system of this kernel", source->options.proc_root);
		return processes < 0 ? (int)processes : -EINVAL;
	}
	struct walk_options options = {
	        .way = config->sampling_walk,
	        .processes = (uint32_t)processes,
	        .chunk = (uint32_t)config->sampling_walk_chunk,
	        .chunk_from = (uint32_t)config->sampling_walk_chunk_from,
	        .progress = source->options.progress,
	        .progress_context = source->options.progress_context,
	};
	int result = walk_open(&options, &source->walk, error);
	if (result < 0)
		return result;
	result = accounts_open(&source->accounts, (uint32_t)processes);
	if (result < 0)
		load_explain("the accounts of processes", result, error);
	return result;
}

/* The walk tells process ids as the first namespace has them. */
static int check_namespace(struct bpf_source *source, char error[256])
{
	struct walk_result walk;
	int result = walk_run(source->walk, &walk);
	if (result == 0 && walk.self == (uint32_t)getpid())
		return 0;
	snprintf(error, 256, "%s",
	        result < 0 ? strerror(-result)
	                   : "this process is in a process id namespace of its own, which the walk in the kernel does not know");
	return result < 0 ? result : -EXDEV;
}

int source_bpf_open(const struct source_options *options, struct source **ret_source, char error[256])
{
	RH_ASSERT(options->max_processes > 0 && options->config);
	int result = check_kernel(error);
	if (result < 0)
		return result;
	struct bpf_source *source = allocate(options, error);
	if (!source)
		return -ENOMEM;
	result = unlisted_open(&source->unlisted, options, &source->pool, error);
	if (result < 0) {
		struct pool pool = source->pool;
		pool_release(&pool);
		return refusal(result);
	}
	procfs_system_open(&source->system, source->unlisted.reader.files.root_fd, true, source->system.buffer);
	struct source *interface = &source->source;
	result = kernel_open(source, error);
	if (result == 0)
		result = check_namespace(source, error);
	if (result < 0) {
		bpf_close(&interface);
		return refusal(result);
	}
	source->operations = (struct source_operations){.sampler = walk_sampler(source->walk), .tick = bpf_tick, .close = bpf_close};
	source->source.operations = &source->operations;
	source->delay_accounting = has_delay_accounting(source);
	source->unlisted.reader.has_delay_accounting = source->delay_accounting;
	parts_open(source);
	rare_start(source);
	(void)malloc_trim(0); /* what libbpf needed to load is some 10 MiB; it would stay with us, and locked */
	*ret_source = interface;
	return 0;
}
