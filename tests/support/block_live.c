/* block_live.c - see block_live.h. */
#include "tests/support/block_live.h"

#include "collector/bpf/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char *folder_of_build(void)
{
	return getenv("BUILD");
}

/* Is that folder on a disk that counts its requests? Sets folder, major, minor. */
static bool folder_take(struct block_live *live, const char *folder)
{
	struct stat status;
	char path[96], link[512];
	if (!folder || stat(folder, &status) < 0 || access(folder, W_OK) < 0)
		return false;
	live->major = major(status.st_dev);
	live->minor = minor(status.st_dev);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", live->major, live->minor);
	if (access(path, F_OK) == 0) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", live->major, live->minor);
		FILE *file = fopen(path, "r");
		bool read = file && fscanf(file, "%u:%u", &live->major, &live->minor) == 2;
		if (file)
			fclose(file);
		if (!read)
			return false;
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", live->major, live->minor);
	ssize_t length = readlink(path, link, sizeof(link) - 1);
	if (length <= 0)
		return false;
	link[length] = '\0';
	/* those are made of other disks, or of memory */
	if (strstr(link, "/dm-") || strstr(link, "/loop") || strstr(link, "/zram") || strstr(link, "/ram") || strstr(link, "/md"))
		return false;
	snprintf(live->folder, sizeof(live->folder), "%s", folder);
	return true;
}

const char *block_live_open(struct block_live *live)
{
	static char sentence[512];
	char error[256];
	struct source_options options = {.config = &live->config, .max_processes = BLOCK_LIVE_MOST, .interval_ns = 200000000};
	memset(live, 0, sizeof(*live));
	config_defaults(&live->config);
	if (!load_has_type_information() || !load_is_permitted())
		return "this kernel, or these rights, allow no programs in the kernel";
	if (!folder_take(live, folder_of_build()) && !folder_take(live, "/var/tmp") && !folder_take(live, "/tmp"))
		return "there is no folder on a real disk";
	load_quietly();
	live->records = calloc(BLOCK_LIVE_MOST, sizeof(*live->records));
	live->processes = calloc(BLOCK_LIVE_MOST, sizeof(*live->processes));
	int result = accounts_open(&live->accounts, BLOCK_LIVE_MOST);
	if (result == 0)
		result = block_open(&options, &live->accounts, &live->block, error);
	else
		snprintf(error, sizeof(error), "the accounts: %s", strerror(-result));
	if (result == 0 && live->records && live->processes)
		return NULL;
	snprintf(sentence, sizeof(sentence), "%s", error);
	return sentence;
}

void block_live_close(struct block_live *live)
{
	block_close(&live->block);
	accounts_close(&live->accounts);
	free(live->records);
	free(live->processes);
	memset(live, 0, sizeof(*live));
}

static int compare_pids(const void *a, const void *b)
{
	const struct walk_record *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

void block_live_tick(struct block_live *live)
{
	live->count = 0;
	for (uint32_t slot = 0; slot < live->accounts.slots && live->count < BLOCK_LIVE_MOST; slot++) {
		uint32_t pid = __atomic_load_n(&live->accounts.map[slot].tgid, __ATOMIC_RELAXED);
		if (pid != 0)
			live->records[live->count++] = (struct walk_record){.pid = pid, .start_time_ns = pid, .ran = !live->asleep};
	}
	qsort(live->records, live->count, sizeof(live->records[0]), compare_pids);
	struct walk_view walk = {.records = live->records, .count = live->count, .sum = accounts_sum(&live->accounts)};
	memset(&live->system, 0, sizeof(live->system));
	memset(&live->tick, 0, sizeof(live->tick));
	memset(live->processes, 0, live->count * sizeof(live->processes[0]));
	for (uint32_t i = 0; i < live->count; i++)
		live->processes[i].pid = live->records[i].pid;
	block_collect(live->block, &walk, live->processes, &live->system, &live->tick);
}

const struct raw_process *block_live_find(const struct block_live *live, pid_t pid)
{
	for (uint32_t i = 0; i < live->count; i++)
		if (live->processes[i].pid == (uint32_t)pid)
			return &live->processes[i];
	return NULL;
}

uint64_t block_live_sum_ns(const struct block_live *live)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < live->count; i++)
		sum += live->processes[i].io_time_ns;
	return sum;
}

uint64_t block_live_ticks_ms(const struct block_live *live)
{
	char path[96];
	unsigned long long ticks = 0;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", live->major, live->minor);
	FILE *file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) != 1)
		ticks = 0;
	fclose(file);
	return ticks;
}

int block_live_file(const struct block_live *live, unsigned mib, int flags)
{
	char path[300];
	static char block[1 << 20];
	snprintf(path, sizeof(path), "%s/block_live.%d.XXXXXX", live->folder, (int)getpid());
	int fd = mkstemp(path);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7 >> 3);
	bool good = true;
	for (unsigned i = 0; i < mib && good; i++)
		good = write(fd, block, sizeof(block)) == (ssize_t)sizeof(block);
	good = good && fdatasync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
	int result = good ? open(path, flags | O_CLOEXEC) : -1;
	close(fd);
	unlink(path);
	return result;
}
