/*
 * procfs_parse.c - fuzzes the parsers of /proc. The first byte of the input chooses the file, the rest is its text.
 *
 * Beside staying inside the text, what a parser returns must keep what its header promises.
 */
#include "collector/procfs/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void fuzz_stat(const char *text, size_t length)
{
	struct procfs_stat stat;
	if (!procfs_parse_stat(text, length, &stat))
		return;
	must(stat.fields >= 3 && stat.fields <= 42);
	must(strnlen(stat.command, sizeof(stat.command)) < sizeof(stat.command));
	must(stat.fields >= 22 || stat.start_ticks == 0);
	must(stat.fields >= 24 || stat.rss_pages == 0);
}

static void fuzz_dirents(const char *text, size_t length)
{
	size_t offset = 0, before = 0;
	uint32_t id;
	while (procfs_parse_dirent(text, length, &offset, &id)) {
		must(id > 0 && id < PROCFS_PID_MAX);
		must(offset > before && offset <= length);
		before = offset;
	}
}

static void fuzz_disks(const char *text, size_t length)
{
	size_t offset = 0, before = 0;
	char whole[PROCFS_DISK_NAME_BYTES] = "";
	struct procfs_disk disk;
	while (procfs_parse_diskstats(text, length, &offset, &disk)) {
		must(offset > before && offset <= length);
		before = offset;
		must(disk.name[0] != '\0' && strnlen(disk.name, sizeof(disk.name)) < sizeof(disk.name));
		if (!procfs_parse_is_partition(disk.name, whole))
			memcpy(whole, disk.name, sizeof(whole));
	}
}

static void fuzz_machine(char file, const char *text, size_t length)
{
	struct procfs_system_stat stat;
	struct procfs_meminfo memory;
	struct procfs_vmstat vmstat;
	struct procfs_pressure pressure;
	struct procfs_loadavg loadavg;
	switch (file) {
	case 'c':
		must(procfs_parse_system_stat(text, length, &stat) == (stat.found != 0));
		break;
	case 'm':
		must(procfs_parse_meminfo(text, length, &memory) == (memory.found != 0));
		must(memory.found >> PROCFS_MEMINFO_MEMBERS == 0);
		break;
	case 'v':
		must(procfs_parse_vmstat(text, length, &vmstat) == (vmstat.found != 0));
		must(vmstat.found >> PROCFS_VMSTAT_MEMBERS == 0);
		break;
	case 'p':
		must(procfs_parse_pressure(text, length, &pressure) == (pressure.has_some || pressure.has_full));
		break;
	case 'l':
		must(!procfs_parse_loadavg(text, length, &loadavg) || loadavg.load >= 0);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char file = (char)data[0], *text = (const char *)data + 1;
	size_t length = size - 1;
	struct procfs_schedstat schedstat;
	struct procfs_io io;
	struct procfs_status status;
	switch (file) {
	case 's':
		fuzz_stat(text, length);
		break;
	case 'd':
		fuzz_dirents(text, length);
		break;
	case 'k':
		fuzz_disks(text, length);
		break;
	case 'g':
		(void)procfs_parse_schedstat(text, length, &schedstat);
		break;
	case 'i':
		(void)procfs_parse_io(text, length, &io);
		break;
	case 't':
		must(procfs_parse_status(text, length, &status) == (status.found != 0));
		must(status.found >> PROCFS_STATUS_MEMBERS == 0);
		break;
	default:
		fuzz_machine(file, text, length);
		break;
	}
	return 0;
}
