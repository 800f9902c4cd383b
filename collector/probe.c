/*
 * probe.c - see probe.h. Linux.
 *
 * The truth is what the back end itself gives: it is opened as the collector opens it, and the signals of its first sample are the ones there are. Only
 * for what is missing a reason is looked for, by trying that part alone.
 */
#include "collector/probe.h"

#include "base/capability.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "collector/backend.h"
#include "collector/bpf/try.h"
#include "collector/guard/guard.h"
#include "collector/guard/psi_trigger.h"
#include "collector/meters/meter.h"
#include "collector/rights.h"
#include "collector/self.h"
#include "collector/signals.h"
#include "rogue/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { LIMIT_S = 20, CANARIES_MS = 20, CANARIES_TRIES = 50, PATH_SIZE = CONFIG_TEXT_BYTES + 64 };

struct finding {
	bool available;
	char why[256];
};

struct probe {
	const struct config *config;
	struct finding findings[RH_SIGNAL_COUNT];
	uint64_t capabilities; /* effective before any was given up */
	uint64_t live;         /* signals of the sample */
	enum rh_sampler sampler;
	enum rh_sampler_reason reason;
	char refusal[256]; /* why there is no kernel-direct back end, "" if there is */
	uint32_t processes;
	double open_ms, walk_ms;
	bool sampled;
};

__attribute__((format(printf, 4, 5))) static void found(struct probe *probe, enum rh_signal signal, bool available, const char *format, ...)
{
	struct finding *finding = &probe->findings[signal];
	va_list arguments;
	finding->available = available;
	va_start(arguments, format);
	vsnprintf(finding->why, sizeof(finding->why), format, arguments);
	va_end(arguments);
}

static bool is_live(const struct probe *probe, enum rh_signal signal)
{
	return probe->live >> signal & 1;
}

/* Why a file below the proc file system is of no use; "" if it can be read. */
static void why_unreadable(const struct probe *probe, const char *name, char why[256])
{
	char path[PATH_SIZE], text[64];
	snprintf(path, sizeof(path), "%s/%s", probe->config->sampling_proc_root, name);
	ssize_t length = file_read_at(AT_FDCWD, path, text, sizeof(text));
	why[0] = '\0';
	if (length < 0)
		snprintf(why, 256, "%.160s cannot be read: %s", path, strerror((int)-length));
}

/* ---- the protection of the collector ---- */

static void probe_protection(struct probe *probe)
{
	int priority = self_raise_priority(), memory = self_lock_memory();
	found(probe, RH_SIGNAL_real_time, priority == 0, "%s", priority == 0 ? "the priority was raised" : strerror(-priority));
	found(probe, RH_SIGNAL_locked_memory, memory == 0, "%s",
	        memory == 0 ? "the memory was locked" : "locked memory is limited, and the limit cannot be lifted");
}

/* ---- does the machine stand still ---- */

static void probe_guard(struct probe *probe)
{
	const struct config *config = probe->config;
	const struct guard_options options = {.guard_hz = (uint32_t)config->guard_hz, .canary_hz = (uint32_t)config->guard_canary_hz};
	struct guard_reading reading = {0};
	struct guard *guard;
	if (!config->guard_enabled) {
		found(probe, RH_SIGNAL_guard_deadline, false, "guard.enabled is false in the configuration");
		found(probe, RH_SIGNAL_canaries, false, "guard.enabled is false in the configuration");
		return;
	}
	int result = guard_open(&options, &guard);
	if (result < 0) {
		found(probe, RH_SIGNAL_guard_deadline, false, "no thread: %s", strerror(-result));
		found(probe, RH_SIGNAL_canaries, false, "no thread: %s", strerror(-result));
		return;
	}
	/* A canary is there once it ran on its cpu. */
	for (unsigned i = 0; i < CANARIES_TRIES; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(const struct timespec){.tv_nsec = CANARIES_MS * NS_PER_MS}, NULL);
		guard_read(guard, 1, &reading);
		if (reading.canaries > 0 || options.canary_hz == 0)
			break;
	}
	found(probe, RH_SIGNAL_guard_deadline, reading.class == RH_GUARD_CLASS_deadline, "%s",
	        rh_code(RH_CODE_guard_class, reading.class)->text);
	if (options.canary_hz == 0)
		found(probe, RH_SIGNAL_canaries, false, "guard.canary_hz is 0 in the configuration");
	else
		found(probe, RH_SIGNAL_canaries, reading.canaries > 0, "started on %u cpus", reading.canaries);
	guard_close(&guard);
}

static void probe_psi_triggers(struct probe *probe)
{
	struct psi_triggers *triggers;
	if (strcmp(probe->config->guard_psi_triggers, "off") == 0) {
		found(probe, RH_SIGNAL_psi_triggers, false, "guard.psi_triggers is \"off\" in the configuration");
		return;
	}
	int result = psi_triggers_open(PSI_FOLDER, &triggers);
	found(probe, RH_SIGNAL_psi_triggers, result == 0, "%s", result == 0 ? "the kernel took them" : psi_trigger_refusal(-result));
	psi_triggers_close(&triggers);
}

/* ---- the kernel-direct back end ---- */

static double ms_since(uint64_t begin_ns)
{
	return (double)(clock_now_ns(CLOCK_MONOTONIC) - begin_ns) / NS_PER_MS;
}

static struct source_options options_of(const struct config *config)
{
	return (struct source_options){
	        .proc_root = config->sampling_proc_root,
	        .interval_ns = (uint64_t)(config->sampling_interval * NS_PER_S),
	        .max_processes = (uint32_t)config->sampling_max_processes,
	        .refresh_parts = (uint32_t)config->sampling_refresh_parts,
	        .thread_limit = (uint32_t)config->sampling_thread_limit,
	        .fd_limit = (uint32_t)config->sampling_fd_limit,
	        .config = config,
	};
}

static void sample_once(struct probe *probe, struct source *source)
{
	struct raw_process *processes = calloc((size_t)probe->config->sampling_max_processes, sizeof(*processes));
	struct raw_system system = {0};
	struct source_tick tick = {0};
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);

	if (processes && source->operations->tick(source, NS_PER_S, processes, &system, &tick) == 0) {
		probe->walk_ms = ms_since(begin_ns);
		probe->sampled = true;
		probe->processes = tick.count;
		probe->live = tick.signals | signals_seen(processes, tick.count, &system, (uint32_t)geteuid());
	}
	free(processes);
}

static void probe_source(struct probe *probe)
{
	struct source_options options = options_of(probe->config);
	struct backend_choice choice;
	char error[256] = "";
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);

	/* By name, unless another is configured: only then it is said why there is none. */
	bool wanted = strcmp(probe->config->sampling_sampler, "procfs") != 0;
	int result = backend_open(wanted ? "bpf" : "procfs", &options, &choice, error);
	probe->open_ms = ms_since(begin_ns);
	if (result < 0) {
		snprintf(probe->refusal, sizeof(probe->refusal), "%s", error);
		return;
	}
	probe->sampler = choice.source->operations->sampler;
	probe->reason = choice.reason;
	if (!wanted)
		snprintf(probe->refusal, sizeof(probe->refusal), "sampling.sampler is \"procfs\" in the configuration");
	else if (probe->sampler == RH_SAMPLER_procfs)
		snprintf(probe->refusal, sizeof(probe->refusal), "%s", choice.note);
	sample_once(probe, choice.source);
	choice.source->operations->close(&choice.source);
}

/* Loads a program of two instructions, of a type that takes both rights, and gives it up again. Returns 0 or -errno. */
static int load_something(void)
{
	static const struct bpf_insn nothing[] = {
	        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	        {.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attributes.insns = (uintptr_t)nothing;
	attributes.insn_cnt = sizeof(nothing) / sizeof(nothing[0]);
	attributes.license = (uintptr_t) "GPL";
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes)), result = fd < 0 ? -errno : 0;
	closefd(&fd);
	return result;
}

static void probe_rights(struct probe *probe)
{
	int result = access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? 0 : -errno;
	found(probe, RH_SIGNAL_type_information, result == 0, "/sys/kernel/btf/vmlinux: %s", result == 0 ? "readable" : strerror(-result));
	result = load_something();
	if (result == 0)
		found(probe, RH_SIGNAL_bpf_rights, true, "a program was loaded");
	else if (result == -EPERM && (capability_effective() & CAPABILITY(CAP_BPF)))
		found(probe, RH_SIGNAL_bpf_rights, false,
		        "refused in spite of CAP_BPF: a container or a lockdown does not let programs in");
	else
		found(probe, RH_SIGNAL_bpf_rights, false, "bpf(2): %s", strerror(-result));
}

/* What a signal of the kernel-direct back end needs first. Returns false, with that as the reason, where it is missing. */
static bool has_what_it_needs(struct probe *probe, enum rh_signal signal)
{
	const struct finding *findings = probe->findings;
	if (!findings[RH_SIGNAL_type_information].available)
		found(probe, signal, false, "needs type_information");
	else if (!findings[RH_SIGNAL_bpf_rights].available)
		found(probe, signal, false, "needs bpf_rights");
	else
		return true;
	return false;
}

/* The parts of the kernel-direct back end, and the key that switches each off. */
static const struct kernel_part {
	enum rh_signal signal;
	enum try_part part;
	const char *key; /* NULL: none */
	bool is_lacked;  /* some kernels that take the part have no such events */
} parts[] = {
        {RH_SIGNAL_task_walk, TRY_WALK, NULL, false},
        {RH_SIGNAL_task_iterator, TRY_ITERATOR, NULL, false},
        {RH_SIGNAL_scheduler, TRY_SCHEDULER, "scheduler", false},
        {RH_SIGNAL_last_words, TRY_LAST_WORDS, "last_words", false},
        {RH_SIGNAL_block_requests, TRY_BLOCK, "block", false},
        {RH_SIGNAL_reclaim, TRY_BLOCK, "block", true},
        {RH_SIGNAL_cpu_quota, TRY_WALK, NULL, true},
        {RH_SIGNAL_kernel_locks, TRY_RARE, "rare", true},
        {RH_SIGNAL_stop_signals, TRY_RARE, "rare", true},
        {RH_SIGNAL_oom_victims, TRY_RARE, "rare", true},
};

static bool is_switched_off(const struct config *config, const char *key)
{
	const struct config_row *row = key ? config_row_of("sampling", key) : NULL;
	return row && !*(const bool *)config_place(config, row);
}

static void probe_part(struct probe *probe, const struct kernel_part *part)
{
	struct source_options options = options_of(probe->config);
	char error[256] = "";
	if (is_live(probe, part->signal)) {
		found(probe, part->signal, true, "loaded, and at work in the sample that was taken");
	} else if (is_switched_off(probe->config, part->key)) {
		found(probe, part->signal, false, "sampling.%s is false in the configuration", part->key);
	} else if (has_what_it_needs(probe, part->signal)) {
		int result = try_part(part->part, &options, error);
		if (result == 0 && !part->is_lacked)
			found(probe, part->signal, true, "can be loaded; the sample that was taken did without");
		else
			found(probe, part->signal, false, "%s", error[0] ? error : "this kernel has no such events");
	}
}

static void probe_kernel(struct probe *probe)
{
	probe_rights(probe);
	probe_source(probe);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		probe_part(probe, &parts[i]);
}

/* ---- what any back end reads ---- */

/* Present in the sample, or the reason why the file it is read from is of no use. */
static void probe_file(struct probe *probe, enum rh_signal signal, const char *name, const char *otherwise)
{
	char why[256];
	if (is_live(probe, signal)) {
		found(probe, signal, true, "present in the sample that was taken");
		return;
	}
	why_unreadable(probe, name, why);
	found(probe, signal, false, "%s", why[0] ? why : otherwise);
}

static void probe_delay_accounting(struct probe *probe)
{
	char path[PATH_SIZE], text[16], why[256];
	snprintf(path, sizeof(path), "%s/sys/kernel/task_delayacct", probe->config->sampling_proc_root);
	bool on = file_read_at(AT_FDCWD, path, text, sizeof(text)) > 0 && text[0] == '1';
	why_unreadable(probe, "sys/kernel/task_delayacct", why);
	found(probe, RH_SIGNAL_delay_accounting, on, "%s", why[0] ? why : on ? "kernel.task_delayacct is 1" : "kernel.task_delayacct is 0");
}

/* Version 1 hierarchies beside version 2, or alone: then culprits have no group, or all have the same one. */
static const char *cgroup_mode(const struct probe *probe)
{
	char path[PATH_SIZE], text[4096];
	snprintf(path, sizeof(path), "%s/self/cgroup", probe->config->sampling_proc_root);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return "no control groups";
	bool unified = strncmp(text, "0::", 3) == 0 || strstr(text, "\n0::"), mixed = strncmp(text, "0::", 3) != 0;
	return !unified ? "version 1 alone" : mixed ? "version 2 beside version 1" : "version 2";
}

static void probe_files(struct probe *probe)
{
	probe_file(probe, RH_SIGNAL_run_delay, "self/schedstat", "no process shows it");
	probe_file(probe, RH_SIGNAL_process_io, "1/io", "not of other users' processes");
	probe_file(probe, RH_SIGNAL_psi_cpu, "pressure/cpu", "not in a form that is known");
	probe_file(probe, RH_SIGNAL_psi_memory, "pressure/memory", "not in a form that is known");
	probe_file(probe, RH_SIGNAL_psi_io, "pressure/io", "not in a form that is known");
	probe_file(probe, RH_SIGNAL_steal, "stat", "no such column");
	probe_delay_accounting(probe);
	found(probe, RH_SIGNAL_cgroup, is_live(probe, RH_SIGNAL_cgroup), "control groups: %s%s", cgroup_mode(probe),
	        is_live(probe, RH_SIGNAL_cgroup) ? "" : "; known to the kernel-direct back end only");
}

/* ---- meters ---- */

static const struct {
	enum rh_signal signal;
	int (*open)(const struct meter_options *options, struct meter **ret_meter, char error[256]);
} meters[] = {
        {RH_SIGNAL_gpu_drm, meter_gpu_drm_open},
        {RH_SIGNAL_gpu_nvml, meter_gpu_nvml_open},
        {RH_SIGNAL_energy, meter_energy_open},
        {RH_SIGNAL_pmu, meter_pmu_open},
};

static void probe_meters(struct probe *probe)
{
	const struct meter_options options = {
	        .config = probe->config,
	        .proc_root = probe->config->sampling_proc_root,
	        .sys_root = "/sys",
	        .max_processes = (uint32_t)probe->config->sampling_max_processes,
	};
	for (size_t i = 0; i < sizeof(meters) / sizeof(meters[0]); i++) {
		struct meter *meter = NULL;
		char error[256] = "";
		int result = meters[i].open(&options, &meter, error);
		found(probe, meters[i].signal, result == 0, "%s", result == 0 ? "opened" : error[0] ? error : strerror(-result));
		if (result == 0)
			meter->operations->close(&meter);
	}
}

/* ---- the report ---- */

static void text_member(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text, SIZE_MAX);
}

static void real_member(struct json *json, const char *key, double number)
{
	json_key(json, key);
	json_f64(json, number, 4);
}

static void limit_member(struct json *json, const char *key, __rlimit_resource_t resource)
{
	struct rlimit limit;
	json_key(json, key);
	if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		json_none(json);
	else
		json_u64(json, limit.rlim_cur);
}

static void write_capabilities(struct json *json, const struct probe *probe)
{
	size_t count;
	const struct right *rights = rights_table(&count);
	json_key(json, "capabilities");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++) {
		json_object_begin(json);
		text_member(json, "name", rights[i].name);
		json_key(json, "number");
		json_u64(json, rights[i].number);
		json_key(json, "kept");
		json_bool(json, rights[i].kept);
		json_key(json, "available");
		json_bool(json, (probe->capabilities & CAPABILITY(rights[i].number)) != 0);
		text_member(json, "purpose", rights[i].purpose);
		text_member(json, "lost", rights[i].lost);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_signals(struct json *json, const struct probe *probe)
{
	json_key(json, "signals");
	json_array_begin(json);
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++) {
		const struct finding *finding = &probe->findings[rh_signal_rows[i].bit];
		json_object_begin(json);
		text_member(json, "name", rh_signal_rows[i].name);
		json_key(json, "available");
		json_bool(json, finding->available);
		text_member(json, "why", finding->why);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_report(FILE *out, const struct probe *probe)
{
	struct utsname system = {0};
	struct json json;

	uname(&system);
	json_begin(&json, out);
	json_object_begin(&json);
	text_member(&json, "schema", "rogue-hunter.probe/1");
	text_member(&json, "version", RH_VERSION);
	text_member(&json, "kernel", system.release);
	json_key(&json, "uid");
	json_u64(&json, geteuid());
	text_member(&json, "sampler", rh_code(RH_CODE_sampler, probe->sampler)->name);
	if (probe->refusal[0])
		text_member(&json, "refusal", probe->refusal);
	real_member(&json, "open_ms", probe->open_ms);
	if (probe->sampled) {
		real_member(&json, "sample_ms", probe->walk_ms);
		json_key(&json, "processes_count");
		json_u64(&json, probe->processes);
	}
	limit_member(&json, "memlock_bytes", RLIMIT_MEMLOCK);
	limit_member(&json, "files_count", RLIMIT_NOFILE);
	write_capabilities(&json, probe);
	write_signals(&json, probe);
	json_object_end(&json);
	fputc('\n', out);
}

void probe_write(FILE *out, const struct config *config)
{
	static struct probe probe; /* too large for a stack */

	alarm(LIMIT_S);
	probe = (struct probe){.config = config, .capabilities = capability_effective()};
	probe_protection(&probe);
	uint64_t keep = rights_prepare(UINT32_MAX);
	probe_guard(&probe);
	probe_psi_triggers(&probe);
	rights_drop(keep);
	probe_kernel(&probe);
	probe_files(&probe);
	probe_meters(&probe);
	alarm(0);
	write_report(out, &probe);
}
