/* procfs_tree.c - a folder that looks like /proc; see procfs_tree.h. */
#include "tests/support/procfs_tree.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *path)
{
	fprintf(stderr, "procfs_tree: %s: %s\n", path, strerror(errno));
	abort();
}

int procfs_tree_open(struct procfs_tree *tree)
{
	const char *folder = getenv("TMPDIR");
	snprintf(tree->root, sizeof(tree->root), "%s/procfs_tree.XXXXXX", folder && *folder ? folder : "/tmp");
	return mkdtemp(tree->root) ? 0 : -errno;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
	(void)about, (void)type, (void)where;
	return remove(path);
}

void procfs_tree_close(struct procfs_tree *tree)
{
	nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	tree->root[0] = '\0';
}

void procfs_tree_remove(const struct procfs_tree *tree, const char *path)
{
	char full[512];
	snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	if (nftw(full, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die(full);
}

void procfs_tree_write_bytes(const struct procfs_tree *tree, const char *path, const void *bytes, size_t length)
{
	char full[512];
	snprintf(full, sizeof(full), "%s/%s", tree->root, path);
	for (char *slash = full + strlen(tree->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(full, 0755) != 0 && errno != EEXIST)
			die(full);
		*slash = '/';
	}
	FILE *file = fopen(full, "wb");
	if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
		die(full);
}

void procfs_tree_write(const struct procfs_tree *tree, const char *path, const char *format, ...)
{
	char text[8192];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(text))
		die(path);
	procfs_tree_write_bytes(tree, path, text, (size_t)length);
}

struct procfs_tree_process procfs_tree_process(uint32_t pid, const char *command)
{
	return (struct procfs_tree_process){
	        .pid = pid,
	        .ppid = 1,
	        .uid = 1000,
	        .threads = 1,
	        .command = command,
	        .state = 'S',
	        .flags = 4194304,
	        .priority = 20,
	        .minor_faults = 100,
	        .major_faults = 3,
	        .user_ticks = 7,
	        .system_ticks = 3,
	        .start_ticks = 1000 + pid,
	        .rss_pages = 500,
	        .run_ns = 105000000,
	        .wait_ns = 2000000,
	        .slices = 40,
	        .read_calls = 11,
	        .write_calls = 12,
	        .read_bytes = 4096,
	        .write_bytes = 8192,
	        .peak_kb = 2400,
	        .rss_kb = 2000,
	        .anon_kb = 900,
	        .shmem_kb = 50,
	        .swap_kb = 25,
	        .voluntary = 30,
	        .involuntary = 9,
	};
}

static void put_stat(const struct procfs_tree *tree, const struct procfs_tree_process *process)
{
	char path[64];
	snprintf(path, sizeof(path), "%" PRIu32 "/stat", process->pid);
	procfs_tree_write(tree, path,
	        "%" PRIu32 " (%s) %c %" PRIu32 " 1 1 0 -1 %" PRIu32 " %" PRIu64 " 5 %" PRIu64 " 6 %" PRIu64 " %" PRIu64
	        " 8 9 %d %d %" PRIu32 " 0 %" PRIu64 " 4669440 %" PRIu64
	        " 18446744073709551615 1 2 3 0 0 0 65536 3686404 1266761467 1 0 0 17 1 0 %" PRIu32 " %" PRIu64
	        " 0 0 94 95 96 97 98 99 100 0\n",
	        process->pid, process->command, process->state, process->ppid, process->flags, process->minor_faults, process->major_faults,
	        process->user_ticks, process->system_ticks, process->priority, process->nice, process->threads, process->start_ticks,
	        process->rss_pages, process->policy, process->blkio_ticks);
}

static void put_status(const struct procfs_tree *tree, const struct procfs_tree_process *process)
{
	char path[64], memory[512] = "";
	snprintf(path, sizeof(path), "%" PRIu32 "/status", process->pid);
	if (process->rss_kb)
		snprintf(memory, sizeof(memory),
		        "VmHWM:\t%8" PRIu64 " kB\nVmRSS:\t%8" PRIu64 " kB\nRssAnon:\t%8" PRIu64 " kB\nRssShmem:\t%8" PRIu64
		        " kB\nVmSwap:\t%8" PRIu64 " kB\n",
		        process->peak_kb, process->rss_kb, process->anon_kb, process->shmem_kb, process->swap_kb);
	procfs_tree_write(tree, path,
	        "Name:\tx\nUmask:\t0022\nUid:\t%" PRIu32 "\t0\t0\t0\n%sThreads:\t1\nvoluntary_ctxt_switches:\t%" PRIu64
	        "\nnonvoluntary_ctxt_switches:\t%" PRIu64 "\n",
	        process->uid, memory, process->voluntary, process->involuntary);
}

void procfs_tree_put(const struct procfs_tree *tree, const struct procfs_tree_process *process)
{
	char path[64];
	put_stat(tree, process);
	put_status(tree, process);
	snprintf(path, sizeof(path), "%" PRIu32 "/schedstat", process->pid);
	procfs_tree_write(tree, path, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", process->run_ns, process->wait_ns, process->slices);
	snprintf(path, sizeof(path), "%" PRIu32 "/io", process->pid);
	procfs_tree_write(tree, path,
	        "rchar: 1\nwchar: 2\nsyscr: %" PRIu64 "\nsyscw: %" PRIu64 "\nread_bytes: %" PRIu64 "\nwrite_bytes: %" PRIu64
	        "\ncancelled_write_bytes: 0\n",
	        process->read_calls, process->write_calls, process->read_bytes, process->write_bytes);
}

void procfs_tree_put_thread(
        const struct procfs_tree *tree, uint32_t pid, uint32_t tid, char state, uint64_t run_ns, uint64_t wait_ns, uint64_t slices)
{
	char path[96];
	snprintf(path, sizeof(path), "%" PRIu32 "/task/%" PRIu32 "/schedstat", pid, tid);
	procfs_tree_write(tree, path, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", run_ns, wait_ns, slices);
	snprintf(path, sizeof(path), "%" PRIu32 "/task/%" PRIu32 "/stat", pid, tid);
	procfs_tree_write(tree, path, "%" PRIu32 " (thread) %c 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1000 0 0\n", tid, state);
}

void procfs_tree_put_machine(const struct procfs_tree *tree)
{
	procfs_tree_write(tree, "loadavg", "0.50 0.30 0.29 1/91 5664\n");
	procfs_tree_write(tree, "stat",
	        "cpu  1000 20 300 40000 50 6 70 8 900 0\ncpu0 500 10 150 20000 25 3 35 4 450 0\ncpu1 500 10 150 20000 25 3 35 4 450 0\n"
	        "intr 5 0\nctxt 9\nbtime 1\nprocesses 5670\nprocs_running 2\nprocs_blocked 0\n");
	procfs_tree_write(tree, "meminfo",
	        "MemTotal:       8000 kB\nMemFree:        1000 kB\nMemAvailable:   6000 kB\nSwapTotal:      500 kB\nSwapFree:       400 "
	        "kB\n"
	        "Dirty:          16 kB\n");
	procfs_tree_write(tree, "vmstat",
	        "pswpin 1\npswpout 2\nallocstall_normal 3\nallocstall_movable 4\nworkingset_refault_anon 5\nworkingset_refault_file 6\n"
	        "compact_stall 7\noom_kill 8\n");
	procfs_tree_write(tree, "pressure/cpu",
	        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	procfs_tree_write(tree, "pressure/memory",
	        "some avg10=0.00 avg60=0.00 avg300=0.00 total=2000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1500\n");
	procfs_tree_write(tree, "pressure/io",
	        "some avg10=0.00 avg60=0.00 avg300=0.00 total=3000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2500\n");
	procfs_tree_write(tree, "diskstats", "   8       0 sda 10 0 100 20 30 0 300 40 2 50 60\n");
}
