/* unlisted.c - see unlisted.h. */
#include "collector/bpf/unlisted.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	EACH = 4,         /* ticks between two parts of the list */
	PARTS = 32,       /* of the list */
	ENTRY_BYTES = 24, /* of the list, for a pid of up to five digits */
	PART_LEAST = 512, /* bytes */
	FILES = 256,      /* kept open at most */
	SLOWLY_EACH = 16, /* ticks between two looks at what changes slowly */
	PID_BITS = 64,
};

int unlisted_open(struct unlisted *unlisted, const struct source_options *options, struct pool *pool, char error[256])
{
	struct procfs_reader *reader = &unlisted->reader;
	struct procfs_thread *threads = pool_take(pool, UNLISTED_THREADS, sizeof(*threads));
	unlisted->listed = pool_take(pool, PROCFS_PID_MAX / PID_BITS, sizeof(unlisted->listed[0]));
	if (pool->failed) {
		snprintf(error, 256, "no memory for a list of processes");
		return -ENOMEM;
	}
	int result = procfs_file_open_root(&reader->files, options->proc_root, FILES);
	if (result < 0) {
		snprintf(error, 256, "cannot open the process folder %s: %s", options->proc_root, strerror(-result));
		return result;
	}
	procfs_thread_pool_init(&reader->threads, threads, UNLISTED_THREADS);
	reader->thread_limit = options->thread_limit < UNLISTED_THREADS ? options->thread_limit : UNLISTED_THREADS;
	reader->clock_tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	reader->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

/* ---- the list ---- */

/* Reads the next part of the list, at most `bytes` of it. Returns how many processes are in it, 0 at the end, or -errno. */
static long list_part(struct unlisted *unlisted, size_t bytes)
{
	char *buffer = unlisted->reader.buffer;
	long length, count = 0;
	do {
		length = syscall(SYS_getdents64, unlisted->reader.files.root_fd, buffer, bytes);
		size_t offset = 0;
		uint32_t pid;
		while (length > 0 && procfs_parse_dirent(buffer, (size_t)length, &offset, &pid)) {
			if (pid >= PROCFS_PID_MAX)
				continue;
			unlisted->listed[pid / PID_BITS] |= UINT64_C(1) << pid % PID_BITS;
			unlisted->low = count > 0 && unlisted->low < pid ? unlisted->low : pid;
			unlisted->high = unlisted->high > pid ? unlisted->high : pid;
			count++;
		}
	} while (length > 0 && count == 0); /* first come files that are no processes */
	return length < 0 ? -errno : count;
}

int64_t unlisted_list_all(struct unlisted *unlisted)
{
	int64_t all = 0;
	long count;
	uint32_t low = UINT32_MAX;
	if (lseek(unlisted->reader.files.root_fd, 0, SEEK_SET) < 0)
		return -errno;
	while ((count = list_part(unlisted, sizeof(unlisted->reader.buffer))) > 0) {
		low = unlisted->low < low ? unlisted->low : low;
		all += count;
	}
	unlisted->low = low;
	return count < 0 ? count : all;
}

void unlisted_list(struct unlisted *unlisted, uint32_t processes)
{
	if (++unlisted->reader.sample % EACH != 0 || unlisted->high > 0)
		return;
	size_t bytes = (size_t)processes / PARTS * ENTRY_BYTES;
	if (bytes < PART_LEAST)
		bytes = PART_LEAST;
	if (bytes > sizeof(unlisted->reader.buffer))
		bytes = sizeof(unlisted->reader.buffer);
	/* At the end it begins anew, the next time. */
	if (list_part(unlisted, bytes) <= 0)
		(void)lseek(unlisted->reader.files.root_fd, 0, SEEK_SET);
}

/* ---- the processes ---- */

static void note_pids(struct unlisted *unlisted)
{
	unlisted->pids = 0;
	for (uint32_t i = 0; i < unlisted->count; i++)
		unlisted->pids |= UINT64_C(1) << unlisted->processes[i].pid % PID_BITS;
}

/* The last one takes its place. */
static void drop(struct unlisted *unlisted, uint32_t place)
{
	procfs_process_release(&unlisted->processes[place], &unlisted->reader);
	unlisted->processes[place] = unlisted->processes[--unlisted->count];
	note_pids(unlisted);
}

static void drop_pid(struct unlisted *unlisted, uint32_t pid)
{
	for (uint32_t i = 0; i < unlisted->count; i++)
		if (unlisted->processes[i].pid == pid) {
			drop(unlisted, i);
			return;
		}
}

void unlisted_seen(struct unlisted *unlisted, uint32_t pid)
{
	if (unlisted->high > 0 && pid <= unlisted->high)
		unlisted->listed[pid / PID_BITS] &= ~(UINT64_C(1) << pid % PID_BITS);
	if (unlisted->pids >> pid % PID_BITS & 1)
		drop_pid(unlisted, pid);
}

static void add(struct unlisted *unlisted, uint32_t pid)
{
	for (uint32_t i = 0; i < unlisted->count; i++)
		if (unlisted->processes[i].pid == pid)
			return;
	if (unlisted->count == UNLISTED_MOST)
		return;
	procfs_process_init(&unlisted->processes[unlisted->count++], pid);
	note_pids(unlisted);
}

/* What is left of the part after all of the walk was seen. */
static void take_left(struct unlisted *unlisted)
{
	if (unlisted->high == 0)
		return;
	for (uint32_t word = unlisted->low / PID_BITS; word <= unlisted->high / PID_BITS; word++) {
		uint64_t bits = unlisted->listed[word];
		unlisted->listed[word] = 0;
		for (; bits != 0; bits &= bits - 1)
			add(unlisted, word * PID_BITS + (uint32_t)__builtin_ctzll(bits));
	}
	unlisted->high = 0;
}

uint32_t unlisted_sample(struct unlisted *unlisted, struct raw_process *processes, uint32_t room)
{
	struct procfs_reader *reader = &unlisted->reader;
	uint32_t count = 0;
	take_left(unlisted);
	for (uint32_t i = 0; i < unlisted->count;) {
		struct procfs_process *process = &unlisted->processes[i];
		if (procfs_process_sample(process, reader) != PROCFS_PROCESS_READ) {
			drop(unlisted, i);
			continue;
		}
		if (process->wants_threads)
			procfs_process_sample_threads(process, reader);
		if (process->wants_details)
			procfs_process_sample_details(process, reader);
		if (reader->sample % SLOWLY_EACH == 0)
			procfs_process_sample_slowly(process, reader);
		if (count < room)
			processes[count++] = process->record;
		i++;
	}
	return count;
}

void unlisted_close(struct unlisted *unlisted)
{
	while (unlisted->count > 0)
		drop(unlisted, unlisted->count - 1);
	procfs_file_close_root(&unlisted->reader.files);
}
