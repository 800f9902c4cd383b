/* peer.c - see peer.h. */
#include "tests/truth/peer.h"

#include "base/clock.h"
#include "rogue/samples.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 8192, PATH_BYTES = 400, STAT_FIELDS = 52, KERNEL_THREAD = 0x200000, KIB = 1024 };

static void set(struct peer *peer, enum peer_value value, int64_t number)
{
	peer->value[value] = number;
	peer->known |= UINT64_C(1) << value;
}

static void add(struct peer *peer, enum peer_value value, int64_t number)
{
	set(peer, value, peer->value[value] + number);
}

static bool read_text(const char *path, char text[TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, TEXT_BYTES - 1) : -1;
	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length >= 0;
}

/* Number after "KEY:" at the begin of a line. */
static bool find_number(const char *text, const char *key, int64_t *ret_number)
{
	size_t length = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			return sscanf(line + length + 1, " %" SCNd64, ret_number) == 1;
	}
	return false;
}

/* Fields of a stat file by their numbers of proc(5), from 4 on; [3] is the letter of the state. Returns how many there are. */
static int read_stat(const char *path, int64_t fields[STAT_FIELDS + 1])
{
	char text[TEXT_BYTES];
	if (!read_text(path, text))
		return 0;
	char *at = strrchr(text, ')');
	if (!at || at[1] != ' ')
		return 0;
	int count = 3;
	fields[3] = at[2];
	for (at += 3; count < STAT_FIELDS && *at == ' '; count++)
		fields[count + 1] = (int64_t)strtoull(at, &at, 10);
	return count;
}

static int64_t state_code(char letter)
{
	static const struct {
		char letter;
		uint8_t code;
	} codes[] = {{'R', RH_STATE_running}, {'S', RH_STATE_sleeping}, {'D', RH_STATE_stuck}, {'I', RH_STATE_idle},
	        {'T', RH_STATE_stopped}, {'t', RH_STATE_stopped}, {'Z', RH_STATE_zombie}, {'X', RH_STATE_zombie}};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].letter == letter)
			return codes[i].code;
	return RH_STATE_unknown;
}

static bool take_stat(struct peer *peer)
{
	int64_t fields[STAT_FIELDS + 1];
	char path[PATH_BYTES];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)peer->pid);
	if (read_stat(path, fields) < 41)
		return false;
	int64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
	set(peer, PEER_PPID, fields[4]);
	set(peer, PEER_KERNEL, (fields[9] & KERNEL_THREAD) != 0);
	set(peer, PEER_FAULTS, fields[10] + fields[12]);
	set(peer, PEER_PAGEINS, fields[12]);
	set(peer, PEER_CPU_TICKS, (fields[14] + fields[15]) * tick_ns);
	set(peer, PEER_PRIORITY, fields[18]);
	set(peer, PEER_NICE, fields[19]);
	set(peer, PEER_THREADS, fields[20]);
	set(peer, PEER_START, fields[22] * tick_ns);
	set(peer, PEER_RSS_STAT, fields[24] * sysconf(_SC_PAGESIZE));
	set(peer, PEER_POLICY, fields[41]);
	set(peer, PEER_STATE, state_code((char)fields[3]));
	peer->main_state = (uint8_t)peer->value[PEER_STATE];
	return true;
}

/* Memory of `text`, a status file; none where there is no address space, which is zero. */
static void take_memory(struct peer *peer, const char *text)
{
	static const struct {
		const char *key;
		enum peer_value value;
	} lines[] = {
	        {"VmRSS", PEER_RSS_STATUS}, {"RssAnon", PEER_ANON}, {"RssShmem", PEER_SHMEM}, {"VmSwap", PEER_SWAP}, {"VmHWM", PEER_PEAK}};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int64_t kib = 0;
		find_number(text, lines[i].key, &kib);
		set(peer, lines[i].value, kib * KIB);
	}
	set(peer, PEER_FOOTPRINT, peer->value[PEER_ANON] + peer->value[PEER_SHMEM] + peer->value[PEER_SWAP]);
}

static bool take_status(struct peer *peer)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	int64_t number;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)peer->pid);
	if (!read_text(path, text))
		return false;
	take_memory(peer, text);
	if (find_number(text, "Uid", &number))
		set(peer, PEER_UID, number);
	if (find_number(text, "voluntary_ctxt_switches", &number))
		set(peer, PEER_MAIN_VOLUNTARY, number);
	if (find_number(text, "nonvoluntary_ctxt_switches", &number))
		set(peer, PEER_MAIN_INVOLUNTARY, number);
	return true;
}

static void take_io(struct peer *peer)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	int64_t reads, writes, read_calls, write_calls;
	snprintf(path, sizeof(path), "/proc/%d/io", (int)peer->pid);
	if (!read_text(path, text) || !find_number(text, "read_bytes", &reads) || !find_number(text, "write_bytes", &writes) ||
	        !find_number(text, "syscr", &read_calls) || !find_number(text, "syscw", &write_calls))
		return;
	set(peer, PEER_READ, reads);
	set(peer, PEER_WRITE, writes);
	set(peer, PEER_READ_WRITE, reads + writes);
	set(peer, PEER_CALLS, read_calls + write_calls);
}

static void take_thread_counters(struct peer *peer, const char *folder)
{
	char path[PATH_BYTES + 32], text[TEXT_BYTES];
	int64_t number, wait, slices;
	snprintf(path, sizeof(path), "%s/status", folder);
	if (read_text(path, text)) {
		if (find_number(text, "voluntary_ctxt_switches", &number))
			add(peer, PEER_VOLUNTARY, number);
		if (find_number(text, "nonvoluntary_ctxt_switches", &number))
			add(peer, PEER_INVOLUNTARY, number);
		/* The main thread may be gone, and its address space with it: that of the others is the process's. */
		if (peer->value[PEER_RSS_STATUS] == 0)
			take_memory(peer, text);
	}
	snprintf(path, sizeof(path), "%s/schedstat", folder);
	if (read_text(path, text) && sscanf(text, "%*d %" SCNd64 " %" SCNd64, &wait, &slices) == 2) {
		add(peer, PEER_DELAY, wait);
		add(peer, PEER_SLICES, slices);
	}
}

/* The state of a process is that of its busiest thread. */
static void take_thread_state(struct peer *peer, const char *folder)
{
	int64_t fields[STAT_FIELDS + 1];
	char path[PATH_BYTES + 32];
	snprintf(path, sizeof(path), "%s/stat", folder);
	if (read_stat(path, fields) < 24)
		return;
	int64_t state = state_code((char)fields[3]);
	if (state == RH_STATE_running)
		add(peer, PEER_RUNNING, 1);
	else if (state == RH_STATE_stuck)
		add(peer, PEER_STUCK, 1);
	if (peer->value[PEER_RSS_STAT] == 0)
		set(peer, PEER_RSS_STAT, fields[24] * sysconf(_SC_PAGESIZE));
}

static void take_threads(struct peer *peer)
{
	char folder[PATH_BYTES];
	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)peer->pid);
	DIR *threads = opendir(folder);
	if (!threads)
		return;
	set(peer, PEER_RUNNING, 0);
	set(peer, PEER_STUCK, 0);
	for (const struct dirent *entry; (entry = readdir(threads));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(folder, sizeof(folder), "/proc/%d/task/%.20s", (int)peer->pid, entry->d_name);
		take_thread_counters(peer, folder);
		take_thread_state(peer, folder);
	}
	closedir(threads);
	if (peer->value[PEER_THREADS] > 1 && peer->value[PEER_STATE] == RH_STATE_zombie)
		set(peer, PEER_STATE, RH_STATE_sleeping); /* its main thread is gone, others live */
	if (peer->value[PEER_RUNNING] > 0)
		set(peer, PEER_STATE, RH_STATE_running);
	else if (peer->value[PEER_STUCK] > 0)
		set(peer, PEER_STATE, RH_STATE_stuck);
}

static void take_cgroup(struct peer *peer)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char path[PATH_BYTES], text[TEXT_BYTES];
	struct stat about;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)peer->pid);
	const char *group = read_text(path, text) ? strstr(text, "0::/") : NULL;
	if (!group || (group != text && group[-1] != '\n'))
		return;
	int length = (int)strcspn(group + 3, "\n");
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.controllers", mounts[i]);
		if (access(path, F_OK) != 0)
			continue;
		snprintf(path, sizeof(path), "%s%.*s", mounts[i], length, group + 3);
		if (stat(path, &about) == 0)
			set(peer, PEER_CGROUP, (int64_t)about.st_ino);
		return;
	}
}

static void take_rest(struct peer *peer)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	clockid_t clock;
	struct timespec used;
	if (clock_getcpuclockid(peer->pid, &clock) == 0 && clock_gettime(clock, &used) == 0)
		set(peer, PEER_CPU, (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)peer->pid);
	if (read_text(path, text) && text[0])
		set(peer, PEER_OOM, strtoll(text, NULL, 10));
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)peer->pid);
	if (read_text(path, text) && text[0]) {
		text[strlen(text) - 1] = '\0'; /* the newline that the kernel adds */
		memcpy(peer->command, text, strnlen(text, sizeof(peer->command) - 1));
	}
}

bool peer_read(pid_t pid, struct peer *ret_peer)
{
	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->pid = pid;
	if (!take_stat(ret_peer) || !take_status(ret_peer))
		return false;
	take_io(ret_peer);
	take_threads(ret_peer);
	take_cgroup(ret_peer);
	take_rest(ret_peer);
	return true;
}

bool peer_rested(const struct peer *before, const struct peer *after)
{
	static const enum peer_value moving[] = {
	        PEER_CPU, PEER_VOLUNTARY, PEER_INVOLUNTARY, PEER_SLICES, PEER_FAULTS, PEER_THREADS, PEER_STATE, PEER_START, PEER_RUNNING};
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		if (before->value[moving[i]] != after->value[moving[i]])
			return false;
	return before->value[PEER_RUNNING] == 0;
}

unsigned peer_list(pid_t *pids, unsigned most)
{
	unsigned count = 0;
	DIR *folder = opendir("/proc");
	if (!folder)
		return 0;
	for (const struct dirent *entry; count < most && (entry = readdir(folder));)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			pids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
	closedir(folder);
	return count;
}
