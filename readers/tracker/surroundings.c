/* surroundings.c - what only the machine itself knows of a pause, see surroundings.h. Linux. */
#include "readers/tracker/surroundings.h"

#include "base/clock.h"
#include "base/file.h"
#include "readers/tracker/group.h"
#include "readers/tracker/kernel_log.h"
#include "readers/tracker/look.h"
#include "readers/tracker/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	START_TOLERANCE_NS = 20 * NS_PER_MS, /* two ticks of /proc/PID/stat */
	PERIODS_LEAST = 10,                  /* of a quota, before anything is said of how it is used */
	KERNEL_LOG_AFTER_S = 1,
	SEEN = 64,
};
static const char *const unified_places[] = {"fs/cgroup", "fs/cgroup/unified", NULL};
static const char *const cpu_places[] = {"fs/cgroup/cpu", "fs/cgroup/cpu,cpuacct", "fs/cgroup/cpuacct,cpu", NULL};
static const char *const library_places[] = {"usr/lib/systemd", "lib/systemd", "usr/lib64/systemd", "usr/lib/x86_64-linux-gnu/systemd",
        "usr/lib/aarch64-linux-gnu/systemd", NULL};
static const char *const build_tools[] = {"make", "gmake", "ninja", "samu", "cargo", "bazel", "meson", "cmake"};

struct surroundings {
	int root_fd, proc_fd, sys_fd;
	uint64_t budget_ns;
	struct kernel_log kernel_log;
	struct group_trees trees; /* below sys */
	uint32_t systemd_version;
	bool bare_metal;
	struct group_member culprits[PAUSE_CULPRITS], victims[PAUSE_VICTIMS];
	/* What was found before: by the last judgement of a pause its processes and groups may be gone. */
	struct seen {
		uint32_t pid;
		uint64_t start_ns;
		enum group_tree tree;
		struct group_member member;
	} seen[SEEN];
	uint32_t next_seen;
	struct before {
		char boot_id[40];
		uint32_t number;
		uint64_t quota_ns, period_ns;
		char cgroup[PAUSE_TEXT_BYTES]; /* whose quota it is */
		bool frozen_filesystem, network_filesystem;
	} before; /* of the pause judged last */
	struct look look;
};

/* ---- opening ---- */

static int open_folder(int dirfd, const char *path)
{
	return openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static const char *find_place(int dirfd, const char *const places[], const char *file)
{
	char path[GROUP_FILE_BYTES];

	for (; *places; places++) {
		snprintf(path, sizeof(path), "%s/%s", *places, file);
		if (faccessat(dirfd, path, F_OK, 0) == 0)
			return *places;
	}
	return NULL;
}

/* Of the name of its library, where systemd runs: "libsystemd-shared-252.so". 0 where nothing tells. */
static uint32_t find_systemd(int root_fd)
{
	unsigned version = 0;

	if (faccessat(root_fd, "run/systemd/system", F_OK, 0) != 0)
		return 0;
	for (const char *const *place = library_places; *place && version == 0; place++) {
		int fd = openat(root_fd, *place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
		if (!folder) {
			closefd(&fd);
			continue;
		}
		for (struct dirent *entry; version == 0 && (entry = readdir(folder)) != NULL;)
			if (sscanf(entry->d_name, "libsystemd-shared-%5u", &version) != 1)
				version = 0;
		closedir(folder);
	}
	return version;
}

/* Only the cpus of x86 say that they are virtual; of others nothing is known. */
static bool is_bare_metal(struct surroundings *s)
{
	const char *text = look_at(&s->look, s->proc_fd, "cpuinfo");
	const char *flags = text ? strstr(text, "\nflags\t") : NULL;

	if (!flags || faccessat(s->sys_fd, "hypervisor/type", F_OK, 0) == 0)
		return false;
	const char *mark = strstr(flags, " hypervisor"), *end = strchr(flags + 1, '\n');
	return end && (!mark || mark > end);
}

struct surroundings *surroundings_new(const char *root, uint64_t budget_ns)
{
	struct surroundings *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->budget_ns = budget_ns;
	s->root_fd = open_folder(AT_FDCWD, root);
	s->proc_fd = open_folder(s->root_fd, "proc");
	s->sys_fd = open_folder(s->root_fd, "sys");
	kernel_log_open(&s->kernel_log, s->root_fd, "dev/kmsg");
	s->trees.fd = s->sys_fd;
	s->trees.unified = find_place(s->sys_fd, unified_places, "cgroup.controllers");
	s->trees.cpu = find_place(s->sys_fd, cpu_places, "cpu.stat");
	s->systemd_version = find_systemd(s->root_fd);
	look_begin(&s->look, budget_ns);
	s->bare_metal = is_bare_metal(s);
	return s;
}

void surroundings_free(struct surroundings **surroundings)
{
	struct surroundings *s = *surroundings;

	if (s) {
		kernel_log_close(&s->kernel_log);
		closefd(&s->sys_fd);
		closefd(&s->proc_fd);
		closefd(&s->root_fd);
	}
	free(s);
	*surroundings = NULL;
}

void surroundings_listen(struct surroundings *s, uint64_t boottime_ns)
{
	kernel_log_listen(&s->kernel_log, boottime_ns);
}

uint64_t surroundings_late(const struct surroundings *s)
{
	return s->look.late;
}

/* ---- the place ---- */

/* Cpus of a list like "0-3,8": the last number and one where nothing else is known of it. */
static uint32_t count_cpus(const char *list)
{
	uint32_t count = 0;

	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		if (last < first || last > 65535)
			break;
		count += (uint32_t)(last - first + 1);
		list = *end == ',' ? end + 1 : "";
	}
	return count;
}

static void gather_memory(struct surroundings *s, struct pause_place *place, struct pause_facts *facts, uint64_t *ret_dirty_bytes)
{
	const char *text = look_at(&s->look, s->proc_fd, "meminfo");

	*ret_dirty_bytes = 0;
	if (!text)
		return;
	uint64_t total = look_number_of(text, "MemTotal:"), swap = look_number_of(text, "SwapTotal:"),
	         swap_free = look_number_of(text, "SwapFree:");
	if (place->mem_total_bytes == 0)
		place->mem_total_bytes = 1024 * total;
	if (place->swap_total_bytes == 0) {
		place->swap_total_bytes = 1024 * swap;
		place->swap_used_bytes = swap > swap_free ? 1024 * (swap - swap_free) : 0;
	}
	facts->swap_absent_or_full = total > 0 && swap_free < swap / 20 + 1;
	facts->anonymous_over_half = look_number_of(text, "AnonPages:") > total / 2 && total > 0;
	*ret_dirty_bytes = 1024 * (look_number_of(text, "Dirty:") + look_number_of(text, "Writeback:"));
}

static void gather_place(struct surroundings *s, struct pause *pause)
{
	struct pause_place *place = &pause->place;
	const char *text;
	struct tm local;
	time_t onset = (time_t)(pause->start_realtime_ns / NS_PER_S);

	if (place->uptime_ns == 0)
		place->uptime_ns = pause->start_boottime_ns;
	if (localtime_r(&onset, &local))
		place->utc_offset_s = (int32_t)local.tm_gmtoff;
	if (!place->host[0] && (text = look_at(&s->look, s->proc_fd, "sys/kernel/hostname")) != NULL)
		look_line(text, place->host, sizeof(place->host));
	if (!place->kernel[0] && (text = look_at(&s->look, s->proc_fd, "sys/kernel/osrelease")) != NULL)
		look_line(text, place->kernel, sizeof(place->kernel));
	if (place->cpus == 0 && (text = look_at(&s->look, s->sys_fd, "devices/system/cpu/online")) != NULL)
		place->cpus = count_cpus(text);
}

/* ---- control groups ---- */

/* Both files come from one open directory: it stays that of the same process, whoever gets the pid. Returns whether it is there, and the same. */
static bool look_at_member(struct surroundings *s, uint32_t pid, uint64_t start_ns, enum group_tree tree, struct group_member *member)
{
	char name[16];
	uint64_t found_ns;

	snprintf(name, sizeof(name), "%u", pid);
	int dir = open_folder(s->proc_fd, name);
	const char *text = dir >= 0 ? look_at(&s->look, dir, "stat") : NULL;
	bool same = text && group_read_stat(text, &member->session, &found_ns) &&
	            (found_ns > start_ns ? found_ns - start_ns : start_ns - found_ns) <= START_TOLERANCE_NS;
	if (same && (text = look_at(&s->look, dir, "cgroup")) != NULL)
		group_read_path(text, tree, member);
	member->present = same;
	closefd(&dir);
	return same;
}

static void find_member(struct surroundings *s, uint32_t pid, uint64_t start_ns, enum group_tree tree, struct group_member *member)
{
	struct seen *seen = NULL;

	*member = (struct group_member){0};
	if (pid == 0 || start_ns == 0)
		return;
	for (size_t i = 0; i < SEEN && !seen; i++)
		if (s->seen[i].pid == pid && s->seen[i].start_ns == start_ns && s->seen[i].tree == tree)
			seen = &s->seen[i];
	if (look_at_member(s, pid, start_ns, tree, member)) {
		if (!seen)
			seen = &s->seen[s->next_seen++ % SEEN];
		*seen = (struct seen){.pid = pid, .start_ns = start_ns, .tree = tree, .member = *member};
	} else {
		*member = seen ? seen->member : (struct group_member){0};
		member->present = false;
	}
}

static enum group_tree tree_of(unsigned class)
{
	if (class == PAUSE_CLASS_throttle)
		return GROUP_TREE_cpu;
	return class == PAUSE_CLASS_memory || class == PAUSE_CLASS_oom ? GROUP_TREE_memory : GROUP_TREE_unified;
}

static void gather_members(struct surroundings *s, struct pause *pause)
{
	const enum group_tree tree = tree_of(pause->class);

	for (uint32_t i = 0; i < pause->culprit_count && i < PAUSE_CULPRITS; i++) {
		struct pause_who *who = &pause->culprits[i];
		find_member(s, who->pid, who->start_time_ns, tree, &s->culprits[i]);
		if (!who->cgroup[0])
			group_show(s->culprits[i].path, who->cgroup, sizeof(who->cgroup));
	}
	for (uint32_t i = 0; i < pause->victim_count && i < PAUSE_VICTIMS; i++) {
		struct pause_victim *victim = &pause->victims[i];
		find_member(s, victim->pid, victim->start_time_ns, tree, &s->victims[i]);
		if (!victim->cgroup[0])
			group_show(s->victims[i].path, victim->cgroup, sizeof(victim->cgroup));
	}
}

/* The group of more than half of the victims whose group is known; NULL where there is none. */
static const struct group_member *shared_group(const struct surroundings *s, const struct pause *pause)
{
	const uint32_t count = pause->victim_count < PAUSE_VICTIMS ? pause->victim_count : PAUSE_VICTIMS;
	const struct group_member *found = NULL;
	uint32_t known = 0, most = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t same = 0;
		if (!s->victims[i].path[0])
			continue;
		known++;
		for (uint32_t j = 0; j < count; j++)
			same += strcmp(s->victims[i].path, s->victims[j].path) == 0;
		if (same > most) {
			most = same;
			found = &s->victims[i];
		}
	}
	return 2 * most > known ? found : NULL;
}

/* ---- quotas ---- */

static void gather_quota(struct surroundings *s, struct pause *pause, const struct group_member *member, struct pause_facts *facts)
{
	struct before *before = &s->before;
	struct quota quota;

	if (quota_find(&s->look, &s->trees, member, &quota)) {
		before->quota_ns = quota.quota_ns;
		before->period_ns = quota.period_ns;
		/* That of the root of our own namespace has no name in here. */
		group_show(strcmp(quota.path, "/") != 0 ? quota.path : "", before->cgroup, sizeof(before->cgroup));
		if (quota.periods >= PERIODS_LEAST)
			facts->unit_quota_bursts = 2 * quota.throttled > quota.periods ? 2 : 1;
		if (member->unified)
			facts->victim_has_unit = group_unit(quota.path, facts->victim_unit) > 0;
	}
	if (before->period_ns == 0)
		return;
	pause->quota_ns = before->quota_ns;
	pause->period_ns = before->period_ns;
	if (before->cgroup[0]) {
		snprintf(pause->cgroup, sizeof(pause->cgroup), "%s", before->cgroup);
		pause->scope = PAUSE_SCOPE_cgroup;
	}
}

/* ---- waiting in the kernel ---- */

/* Functions of the kernel in which one waits for a server, by how their names begin. */
static const char *const network_waits[] = {
        "nfs", "rpc_", "xprt_", "fuse_", "request_wait_answer", "cifs_", "smb", "wait_for_response", "ceph_", "p9_"};
/* Where one waits to write to a frozen file system. Who holds other locks of the second kind (moves between control groups) has them for milliseconds. */
static const char *const frozen_waits[] = {"__sb_start_write", "percpu_rwsem_wait"};

static bool begins_with_any(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(text, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* Where the kernel tells it (of our own user's processes): what the victims wait in. */
static void gather_waits(struct surroundings *s, const struct pause *pause, struct pause_facts *facts)
{
	for (uint32_t i = 0; i < pause->victim_count && i < PAUSE_VICTIMS; i++) {
		char file[40];
		snprintf(file, sizeof(file), "%u/wchan", pause->victims[i].pid);
		const char *text = s->victims[i].present ? look_at(&s->look, s->proc_fd, file) : NULL;
		if (!text)
			continue;
		s->before.network_filesystem |= begins_with_any(text, network_waits, sizeof(network_waits) / sizeof(network_waits[0]));
		s->before.frozen_filesystem |= begins_with_any(text, frozen_waits, sizeof(frozen_waits) / sizeof(frozen_waits[0]));
	}
	facts->network_filesystem = s->before.network_filesystem;
	facts->frozen_filesystem = s->before.frozen_filesystem;
}

/* ---- units ---- */

/* Takes those controllers away that are not enabled for the unit. */
static void keep_controllers(struct surroundings *s, const struct group_member *member, size_t unit_length, struct pause_facts *facts)
{
	char group[GROUP_PATH_BYTES], file[GROUP_FILE_BYTES];
	const char *text = NULL;

	snprintf(group, sizeof(group), "%.*s", (int)unit_length, member->path);
	if (group_has_files(member) && group_file(s->trees.unified, group, "cgroup.controllers", file))
		text = look_at(&s->look, s->sys_fd, file);
	facts->cgroup2_cpu &= text && group_lists(text, "cpu");
	facts->cgroup2_memory &= text && group_lists(text, "memory");
	facts->cgroup2_io &= text && group_lists(text, "io");
}

/* The size of the culprit's unit now, less what it took in. */
static void judge_growth(struct surroundings *s, const struct pause *pause, size_t unit_length, struct pause_facts *facts)
{
	char group[GROUP_PATH_BYTES], file[GROUP_FILE_BYTES];
	const double taken = pause->culprits[0].amount;

	snprintf(group, sizeof(group), "%.*s", (int)unit_length, s->culprits[0].path);
	if ((pause->class != PAUSE_CLASS_memory && pause->class != PAUSE_CLASS_oom) || !(taken > 0) || !group_has_files(&s->culprits[0]) ||
	        !group_file(s->trees.unified, group, "memory.current", file))
		return;
	uint64_t bytes = look_at_number(&s->look, s->sys_fd, file);
	if ((double)bytes > taken)
		facts->culprit_bytes_before = bytes - (uint64_t)taken;
}

static void gather_units(struct surroundings *s, const struct pause *pause, struct pause_facts *facts)
{
	const struct group_member *culprit = &s->culprits[0], *victim = NULL;
	size_t culprit_unit = 0, victim_unit = 0;

	for (uint32_t i = 0; i < pause->victim_count && i < PAUSE_VICTIMS && !victim; i++)
		if (s->victims[i].path[0])
			victim = &s->victims[i];
	if (pause->culprit_count > 0 && pause->culprits[0].role != PAUSE_ROLE_carrier && culprit->unified)
		culprit_unit = group_unit(culprit->path, facts->culprit_unit);
	if (victim && victim->unified)
		victim_unit = group_unit(victim->path, facts->victim_unit);
	facts->culprit_has_unit = culprit_unit > 0;
	facts->victim_has_unit = victim_unit > 0;
	facts->same_unit = culprit_unit > 0 && culprit_unit == victim_unit && memcmp(culprit->path, victim->path, culprit_unit) == 0;
	facts->same_session = victim && pause->culprit_count > 0 && culprit->session > 0 && culprit->session == victim->session;
	facts->cgroup2_cpu = facts->cgroup2_memory = facts->cgroup2_io = culprit_unit + victim_unit > 0;
	if (culprit_unit > 0) {
		keep_controllers(s, culprit, culprit_unit, facts);
		judge_growth(s, pause, culprit_unit, facts);
	}
	if (victim_unit > 0)
		keep_controllers(s, victim, victim_unit, facts);
}

/* ---- storage ---- */

/* Is the control of costs on for that device? A line of the text is "259:0 enable=1 ctrl=auto ...". */
static bool has_io_cost(const char *text, const char *number)
{
	size_t length = strlen(number);

	for (const char *line = text; *line; line += strspn(line, "\n")) {
		const char *end = line + strcspn(line, "\n");
		if (strncmp(line, number, length) == 0 && line[length] == ' ') {
			const char *enabled = strstr(line, " enable=1");
			return enabled && enabled < end;
		}
		line = end;
	}
	return false;
}

/* "259:0" becomes "nvme0n1"; what is no such pair of numbers has a name already. Returns whether it is one, with its text. */
static bool read_device(const struct pause *pause, char number[32])
{
	unsigned major, minor;
	char rest;

	if (pause->class != PAUSE_CLASS_io || sscanf(pause->device, "%9u:%9u%c", &major, &minor, &rest) != 2)
		return false;
	snprintf(number, 32, "%u:%u", major, minor);
	return true;
}

static void gather_device(struct surroundings *s, struct pause *pause, struct pause_facts *facts)
{
	char number[32], file[GROUP_FILE_BYTES], target[PAUSE_COMMAND_BYTES];
	const char *text;

	if (!read_device(pause, number))
		return;
	snprintf(file, sizeof(file), "dev/block/%s", number);
	ssize_t length = readlinkat(s->sys_fd, file, target, sizeof(target) - 1);
	if (length > 0 && (size_t)length < sizeof(target) - 1) {
		target[length] = '\0';
		const char *slash = strrchr(target, '/');
		look_line(slash ? slash + 1 : target, pause->device, sizeof(pause->device));
	}
	snprintf(file, sizeof(file), "dev/block/%s/queue/scheduler", number);
	text = look_at(&s->look, s->sys_fd, file);
	if (!text) { /* of a partition its disk has the queue */
		snprintf(file, sizeof(file), "dev/block/%s/../queue/scheduler", number);
		text = look_at(&s->look, s->sys_fd, file);
	}
	const char *name = text ? strchr(text, '[') : NULL;
	if (name)
		snprintf(facts->io_scheduler, sizeof(facts->io_scheduler), "%.*s", (int)strcspn(name + 1, "]\n"), name + 1);
	if (group_file(s->trees.unified, "", "io.cost.qos", file) && (text = look_at(&s->look, s->sys_fd, file)) != NULL)
		facts->io_cost = has_io_cost(text, number);
}

/* More dirty data than the disk writes in 5 s; or well on the way to a limit that is beyond that. */
static void judge_dirty(struct surroundings *s, const struct pause *pause, uint64_t dirty_bytes, struct pause_facts *facts)
{
	double seconds = (double)(pause->window_ns + pause->span_ns) / NS_PER_S;
	double in_5_s = seconds > 0 && pause->metric_total > 0 ? 5 * pause->metric_total / seconds : 0;

	if (pause->class != PAUSE_CLASS_io || !(in_5_s > 0))
		return;
	uint64_t limit_bytes = look_at_number(&s->look, s->proc_fd, "sys/vm/dirty_bytes");
	if (limit_bytes == 0)
		limit_bytes = pause->place.mem_total_bytes / 100 * look_at_number(&s->look, s->proc_fd, "sys/vm/dirty_ratio");
	facts->dirty_over_5_s = (double)dirty_bytes > in_5_s || ((double)limit_bytes > in_5_s && dirty_bytes > limit_bytes / 4);
}

/* ---- the kernel ---- */

/* Debugfs marks the model in force: "none voluntary (full)". Without it, what the kernel was built and booted with. */
static bool is_preempt_full(struct surroundings *s)
{
	const char *text = look_at(&s->look, s->sys_fd, "kernel/debug/sched/preempt");

	if (text)
		return strstr(text, "(full)") != NULL;
	text = look_at(&s->look, s->proc_fd, "version");
	if (!text || !strstr(text, " PREEMPT"))
		return false;
	if (!strstr(text, " PREEMPT_DYNAMIC"))
		return !strstr(text, " PREEMPT_LAZY");
	text = look_at(&s->look, s->proc_fd, "cmdline");
	return text && strstr(text, "preempt=full");
}

static void gather_kernel(struct surroundings *s, const struct pause *pause, struct pause_facts *facts)
{
	unsigned major, minor;

	if (sscanf(pause->place.kernel, "%5u.%5u", &major, &minor) == 2) {
		facts->kernel_major = major;
		facts->kernel_minor = minor;
	}
	facts->systemd_version = s->systemd_version;
	facts->bare_metal = s->bare_metal;
	facts->autogroup = look_at_number(&s->look, s->proc_fd, "sys/kernel/sched_autogroup_enabled") == 1;
	facts->preempt_full = is_preempt_full(s);
	uint64_t from = pause->start_boottime_ns > pause->window_ns ? pause->start_boottime_ns - pause->window_ns : 0;
	facts->io_errors = kernel_log_has_fault(&s->kernel_log, pause->class == PAUSE_CLASS_io ? pause->device : "", from,
	        pause->start_boottime_ns + pause->span_ns + KERNEL_LOG_AFTER_S * (uint64_t)NS_PER_S);
}

static void judge_workers(const struct pause *pause, struct pause_facts *facts)
{
	const struct pause_who *who = &pause->culprits[0];

	if (pause->culprit_count == 0 || who->role == PAUSE_ROLE_carrier)
		return;
	facts->workers = who->process_count;
	for (size_t i = 0; i < sizeof(build_tools) / sizeof(build_tools[0]); i++)
		facts->under_build_tool |= strncmp(who->ancestor, build_tools[i], sizeof(who->ancestor)) == 0;
}

void surroundings_gather(struct surroundings *s, struct pause *pause, struct pause_facts *facts)
{
	uint64_t dirty_bytes;

	look_begin(&s->look, s->budget_ns);
	if (s->before.number != pause->number || strcmp(s->before.boot_id, pause->boot_id) != 0) {
		s->before = (struct before){.number = pause->number};
		snprintf(s->before.boot_id, sizeof(s->before.boot_id), "%s", pause->boot_id);
	}
	gather_members(s, pause); /* the first: processes end while we look elsewhere */
	const struct group_member *shared = shared_group(s, pause);
	if (shared && strcmp(shared->path, "/") != 0 && !pause->cgroup[0])
		group_show(shared->path, pause->cgroup, sizeof(pause->cgroup));
	gather_units(s, pause, facts);
	if (pause->class == PAUSE_CLASS_stuck)
		gather_waits(s, pause, facts);
	if (pause->class == PAUSE_CLASS_throttle)
		gather_quota(s, pause, shared ? shared : &s->culprits[0], facts);
	gather_device(s, pause, facts);
	gather_place(s, pause);
	gather_memory(s, &pause->place, facts, &dirty_bytes);
	judge_dirty(s, pause, dirty_bytes, facts);
	gather_kernel(s, pause, facts);
	judge_workers(pause, facts);
}
