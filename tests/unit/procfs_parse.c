/*
 * The parsers of /proc: text as kernels of today and of long ago write it, and text that no kernel writes. Every text is parsed from memory
 * that ends exactly where it ends, so that with a sanitizer a look behind the end fails.
 */
#include "collector/procfs/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *exact;
static size_t exact_length;

/* A copy of the text without its NUL, in memory of just its size. Valid until the next call. */
static const char *exactly(const char *text)
{
	free(exact);
	exact_length = strlen(text);
	exact = malloc(exact_length + !exact_length);
	assert_non_null(exact);
	memcpy(exact, text, exact_length);
	return exact;
}
#define EXACTLY(text) exactly(text), strlen(text)

static int release(void **state)
{
	(void)state;
	free(exact);
	exact = NULL;
	return 0;
}

/* ---- schedstat ---- */

static void test_schedstat(void **state)
{
	(void)state;
	struct procfs_schedstat schedstat;
	assert_true(procfs_parse_schedstat(EXACTLY("152343 8421 17\n"), &schedstat));
	assert_int_equal(schedstat.run_ns, 152343);
	assert_int_equal(schedstat.wait_ns, 8421);
	assert_int_equal(schedstat.slices, 17);
	assert_true(procfs_parse_schedstat(EXACTLY("18446744073709551615 18446744073709551616 99999999999999999999999"), &schedstat));
	assert_true(schedstat.run_ns == UINT64_MAX && schedstat.wait_ns == UINT64_MAX && schedstat.slices == UINT64_MAX);
	static const char *const wrong[] = {"", "\n", "1", "1 2", "1 2 ", "1 2 x", "-1 2 3", "1,2,3", "x"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(procfs_parse_schedstat(EXACTLY(wrong[i]), &schedstat));
}

/* ---- stat ---- */

/* Linux 6.18, a shell. */
static const char stat_bash[] =
        "2745 (bash) S 2742 2745 2745 0 -1 4194560 8608 243718 0 31 17 21 192 44 20 0 1 0 18204 4669440 1049 "
        "18446744073709551615 94231640829952 94231641616245 140724655243232 0 0 0 65536 3686404 1266761467 1 0 0 17 1 0 0 "
        "7 0 0 94231641850096 94231641898052 94232619167744 140724655246210 140724655246226 140724655246226 "
        "140724655247342 0\n";

static void test_stat(void **state)
{
	(void)state;
	struct procfs_stat stat;
	assert_true(procfs_parse_stat(EXACTLY(stat_bash), &stat));
	assert_int_equal(stat.fields, 42);
	assert_string_equal(stat.command, "bash");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.ppid, 2742);
	assert_int_equal(stat.flags, 4194560);
	assert_int_equal(stat.minor_faults, 8608);
	assert_int_equal(stat.major_faults, 0);
	assert_int_equal(stat.user_ticks, 17);
	assert_int_equal(stat.system_ticks, 21);
	assert_int_equal(stat.priority, 20);
	assert_int_equal(stat.nice, 0);
	assert_int_equal(stat.threads, 1);
	assert_int_equal(stat.start_ticks, 18204);
	assert_int_equal(stat.rss_pages, 1049);
	assert_int_equal(stat.policy, 0);
	assert_int_equal(stat.blkio_ticks, 7);
}

static void test_stat_negative(void **state)
{
	(void)state;
	struct procfs_stat stat;
	assert_true(procfs_parse_stat(EXACTLY("7 (migration/0) S 2 0 0 0 -1 69238848 0 0 0 0 0 0 0 0 -100 -20 1 0 3 0 0"), &stat));
	assert_int_equal(stat.priority, -100);
	assert_int_equal(stat.nice, -20);
	assert_int_equal(stat.fields, 24);
	assert_true(stat.flags & PROCFS_KERNEL_THREAD);
	assert_true(procfs_parse_stat(EXACTLY("7 (x) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 -99999999999999999999 -2147483649 1"), &stat));
	assert_int_equal(stat.priority, INT32_MIN);
	assert_int_equal(stat.nice, INT32_MIN);
}

/* The command may hold anything but NUL; the numbers behind it must not be found inside it. */
static void test_stat_hostile_commands(void **state)
{
	(void)state;
	static const char *const commands[] = {
	        "",
	        " ",
	        ")",
	        "(",
	        "))))",
	        "a) R 1 2 3",
	        ") Z 9 9 9 (",
	        "line\nbreak",
	        "\n",
	        "a b c",
	        "\x1b[31m",
	        "\xff\xfe",
	        "12345678901234",
	        "123456789012345",
	};
	char text[512];
	struct procfs_stat stat;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(text, sizeof(text), "42 (%s) D 7 1 1 0 -1 0 5 0 6 0 11 12 0 0 20 0 3 0 99 0 77\n", commands[i]);
		assert_true(procfs_parse_stat(EXACTLY(text), &stat));
		assert_string_equal(stat.command, commands[i]);
		assert_int_equal(stat.state, 'D');
		assert_int_equal(stat.ppid, 7);
		assert_int_equal(stat.start_ticks, 99);
		assert_int_equal(stat.rss_pages, 77);
	}
}

static void test_stat_long_commands(void **state)
{
	(void)state;
	struct procfs_stat stat;
	static const char rest[] = " 2 0 0 0 -1 2097152 0";
	char text[512];
	static const struct {
		const char *name, *expected;
	} names[] = {
	        {"kworker/u8:1-events_unbound", "kworker/u8:1"},
	        {"kworker/0:1H+kblockd", "kworker/0:1H"},
	        {"kworker/1:2", "kworker/1:2"},
	        {"kworker/R-writeback", "kworker/R-write"},
	        {"irq/24-ACPI:Ged", "irq/24-ACPI:Ged"},
	        {"a kernel thread of a long name", "a kernel thread"},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "9 (%s) I%s", names[i].name, rest);
		assert_true(procfs_parse_stat(EXACTLY(text), &stat));
		assert_string_equal(stat.command, names[i].expected);
		/* Zero to the end: records are compared as bytes. */
		for (size_t at = strlen(stat.command); at < sizeof(stat.command); at++)
			assert_int_equal(stat.command[at], 0);
	}
	/* A program may call itself like a worker. It keeps its name. */
	assert_true(procfs_parse_stat(EXACTLY("9 (kworker/x-y) S 1 0 0 0 -1 0 0"), &stat));
	assert_string_equal(stat.command, "kworker/x-y");
}

/* Cut off at every byte: never more fields than there are, and what was there whole is right. */
static void test_stat_cut(void **state)
{
	(void)state;
	char text[sizeof(stat_bash)];
	unsigned before = 0;
	for (size_t length = 0; length < sizeof(stat_bash); length++) {
		memcpy(text, stat_bash, length);
		text[length] = '\0';
		struct procfs_stat stat;
		bool is_stat = procfs_parse_stat(EXACTLY(text), &stat);
		assert_int_equal(is_stat, length >= strlen("2745 (bash) S"));
		if (!is_stat)
			continue;
		assert_in_range(stat.fields, before, before + 3); /* from none to the state at once */
		before = stat.fields;
		if (stat.fields > 22)
			assert_int_equal(stat.start_ticks, 18204);
		if (stat.fields < 22)
			assert_int_equal(stat.start_ticks, 0);
	}
	assert_int_equal(before, 42);
}

static void test_stat_wrong(void **state)
{
	(void)state;
	struct procfs_stat stat;
	static const char *const wrong[] = {"", "\n", "1", "1 (", "1 (a", "1 a)", ")1(", "1 (a)", "1 (a) ", "1 (a)\n", "garbage"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(procfs_parse_stat(EXACTLY(wrong[i]), &stat));
	assert_true(procfs_parse_stat(EXACTLY("1 (a) S x 2 3"), &stat));
	assert_int_equal(stat.fields, 3);
}

/* ---- io and status ---- */

static void test_io(void **state)
{
	(void)state;
	struct procfs_io io;
	static const char whole[] = "rchar: 7280\nwchar: 304\nsyscr: 14\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 8192\n"
	                            "cancelled_write_bytes: 512\n";
	assert_true(procfs_parse_io(EXACTLY(whole), &io));
	assert_int_equal(io.read_calls, 14);
	assert_int_equal(io.write_calls, 2);
	assert_int_equal(io.read_bytes, 4096);
	assert_int_equal(io.write_bytes, 8192);
	assert_false(procfs_parse_io(EXACTLY(""), &io));
	assert_false(procfs_parse_io(EXACTLY("rchar: 7280\nwchar: 304\nsyscr: 14\nsyscw: 2\nread_bytes: 4096\n"), &io));
	assert_false(procfs_parse_io(EXACTLY("syscr: 14\nsyscw: x\nread_bytes: 4096\nwrite_bytes: 1\n"), &io));
}

static void test_status(void **state)
{
	(void)state;
	struct procfs_status status;
	static const char whole[] =
	        "Name:\tVmRSS:\\n 7 kB\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t0\t0\t0\nGid:\t100\t100\t100\t100\n"
	        "VmPeak:\t    3060 kB\nVmHWM:\t    1676 kB\nVmRSS:\t    1500 kB\nRssAnon:\t     116 kB\nRssFile:\t    1560 kB\n"
	        "RssShmem:\t      24 kB\nVmSwap:\t      12 kB\nThreads:\t1\nvoluntary_ctxt_switches:\t31\nnonvoluntary_ctxt_switches:\t5\n";
	assert_true(procfs_parse_status(EXACTLY(whole), &status));
	assert_int_equal(status.found, (1u << PROCFS_STATUS_MEMBERS) - 1);
	static const uint64_t expected[PROCFS_STATUS_MEMBERS] = {
	        [PROCFS_STATUS_UID] = 1000,
	        [PROCFS_STATUS_RSS] = 1500,
	        [PROCFS_STATUS_PEAK] = 1676,
	        [PROCFS_STATUS_ANON] = 116,
	        [PROCFS_STATUS_SHMEM] = 24,
	        [PROCFS_STATUS_SWAP] = 12,
	        [PROCFS_STATUS_VOLUNTARY] = 31,
	        [PROCFS_STATUS_INVOLUNTARY] = 5,
	};
	for (unsigned i = 0; i < PROCFS_STATUS_MEMBERS; i++)
		assert_int_equal(status.value[i], expected[i]);
	/* A kernel thread has no memory, a kernel before 4.5 no RssAnon: found says so. */
	assert_true(procfs_parse_status(EXACTLY("Name:\tkthreadd\nUid:\t0\t0\t0\t0\nVmRSS:\t 4 kB\n"), &status));
	assert_int_equal(status.found, 1u << PROCFS_STATUS_UID | 1u << PROCFS_STATUS_RSS);
	assert_false(procfs_parse_status(EXACTLY("Name:\tx\n"), &status));
	assert_false(procfs_parse_status(EXACTLY(""), &status));
}

/* ---- directories ---- */

static size_t put_entry(char *buffer, size_t at, const char *name)
{
	size_t length = (19 + strlen(name) + 1 + 7) / 8 * 8;
	uint16_t length16 = (uint16_t)length;
	memset(buffer + at, 0xff, length);
	memcpy(buffer + at + 16, &length16, sizeof(length16));
	memcpy(buffer + at + 19, name, strlen(name) + 1);
	return at + length;
}

static void test_dirent(void **state)
{
	(void)state;
	static const char *const names[] = {
	        ".", "..", "1", "acpi", "17", "017", "0", "4194303", "4194304", "99999999999999999999", "12a", "-5", "", "33"};
	static const uint32_t expected[] = {1, 17, 4194303, 33};
	char buffer[1024];
	size_t length = 0, offset = 0, found = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		length = put_entry(buffer, length, names[i]);
	uint32_t id;
	while (procfs_parse_dirent(buffer, length, &offset, &id))
		assert_int_equal(id, expected[found++]);
	assert_int_equal(found, sizeof(expected) / sizeof(expected[0]));
	assert_int_equal(offset, length);
	/* Cut off, or with a length of zero or beyond the end: ends, at once. */
	for (size_t cut = 0; cut < length; cut++) {
		offset = found = 0;
		while (procfs_parse_dirent(buffer, cut, &offset, &id))
			found++;
		assert_true(offset <= cut && found <= 4);
	}
	memset(buffer + 16, 0, 2);
	offset = 0;
	assert_false(procfs_parse_dirent(buffer, length, &offset, &id));
	memset(buffer + 16, 0xff, 2);
	assert_false(procfs_parse_dirent(buffer, length, &offset, &id));
}

/* ---- the machine ---- */

static void test_loadavg(void **state)
{
	(void)state;
	struct procfs_loadavg loadavg;
	assert_true(procfs_parse_loadavg(EXACTLY("12.05 0.30 0.29 3/91 5664\n"), &loadavg));
	assert_true(loadavg.load > 12.0499 && loadavg.load < 12.0501);
	assert_int_equal(loadavg.running, 3);
	assert_int_equal(loadavg.threads, 91);
	assert_int_equal(loadavg.last_pid, 5664);
	static const char *const wrong[] = {"", "1.0", "1.00 1.00 1.00 3/91", "1 1 1 3/91 5664", "1.00 1.00 1.00 3 91 5664", "a.b"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(procfs_parse_loadavg(EXACTLY(wrong[i]), &loadavg));
}

static void test_system_stat(void **state)
{
	(void)state;
	struct procfs_system_stat stat;
	assert_true(procfs_parse_system_stat(
	        EXACTLY("cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu3 1 2 3 4\n"
	                "intr 123551 0 0 0\nctxt 251479\nbtime 1\nprocesses 5670\nprocs_running 2\nprocs_blocked 0\n"),
	        &stat));
	assert_int_equal(stat.found, 7);
	assert_int_equal(stat.cpus, 2);
	assert_int_equal(stat.user, 10);
	assert_int_equal(stat.nice, 20);
	assert_int_equal(stat.system, 30);
	assert_int_equal(stat.idle, 40);
	assert_int_equal(stat.iowait, 50);
	assert_int_equal(stat.irq, 60);
	assert_int_equal(stat.softirq, 70);
	assert_int_equal(stat.steal, 80);
	assert_int_equal(stat.forks, 5670);
	assert_int_equal(stat.running, 2);
	assert_true(procfs_parse_system_stat(EXACTLY("cpu 1 2 3 4"), &stat));
	assert_int_equal(stat.found, 1u << PROCFS_SYSTEM_STAT_CPU);
	assert_int_equal(stat.steal, 0);
	assert_false(procfs_parse_system_stat(EXACTLY("cpu 1 2 3\ncpux\nprocesses\n"), &stat));
	assert_int_equal(stat.cpus, 0);
	assert_false(procfs_parse_system_stat(EXACTLY(""), &stat));
}

static void test_memory(void **state)
{
	(void)state;
	struct procfs_meminfo memory;
	assert_true(procfs_parse_meminfo(EXACTLY("MemTotal:       24684092 kB\nMemFree:  3 kB\nMemAvailable:   24354000 kB\n"
	                                         "SwapCached:  9 kB\nSwapTotal:  100 kB\nSwapFree:  60 kB\nDirty:  5 kB\n"),
	        &memory));
	assert_int_equal(memory.found, (1u << PROCFS_MEMINFO_MEMBERS) - 1);
	assert_int_equal(memory.value[PROCFS_MEMINFO_TOTAL], 24684092);
	assert_int_equal(memory.value[PROCFS_MEMINFO_AVAILABLE], 24354000);
	assert_int_equal(memory.value[PROCFS_MEMINFO_SWAP_TOTAL], 100);
	assert_int_equal(memory.value[PROCFS_MEMINFO_SWAP_FREE], 60);
	assert_int_equal(memory.value[PROCFS_MEMINFO_DIRTY], 5);
	assert_false(procfs_parse_meminfo(EXACTLY("MemFree: 3 kB\n"), &memory));

	struct procfs_vmstat vmstat;
	assert_true(procfs_parse_vmstat(EXACTLY("nr_free_pages 9\npswpin 1\npswpout 2\npswpinx 77\nallocstall_dma 1\nallocstall_normal 10\n"
	                                        "allocstall_movable 100\nworkingset_refault_anon 3\nworkingset_refault_file 4\n"
	                                        "compact_stall 5\noom_kill 6\n"),
	        &vmstat));
	assert_int_equal(vmstat.found, (1u << PROCFS_VMSTAT_MEMBERS) - 1);
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_SWAPIN], 1);
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_SWAPOUT], 2);
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_ALLOCSTALL], 111);
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_REFAULT], 7);
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_COMPACT_STALL], 5);
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_OOM_KILL], 6);
	/* Linux 4.9 and before: one word, not one a zone. */
	assert_true(
	        procfs_parse_vmstat(EXACTLY("allocstall 12\nworkingset_refault 18446744073709551615\nworkingset_refault_x 5\n"), &vmstat));
	assert_int_equal(vmstat.value[PROCFS_VMSTAT_ALLOCSTALL], 12);
	assert_true(vmstat.value[PROCFS_VMSTAT_REFAULT] == UINT64_MAX);
	assert_false(procfs_parse_vmstat(EXACTLY("allocstall"), &vmstat));
}

static void test_pressure(void **state)
{
	(void)state;
	struct procfs_pressure pressure;
	assert_true(procfs_parse_pressure(EXACTLY("some avg10=0.00 avg60=0.12 avg300=0.00 total=34785271\n"
	                                          "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n"),
	        &pressure));
	assert_true(pressure.has_some && pressure.has_full);
	assert_int_equal(pressure.some_us, 34785271);
	assert_int_equal(pressure.full_us, 17);
	assert_true(procfs_parse_pressure(EXACTLY("some avg10=0.00 total=5"), &pressure));
	assert_true(pressure.has_some && !pressure.has_full);
	assert_false(procfs_parse_pressure(EXACTLY("some avg10=0.00 total=\nfull tota"), &pressure));
	assert_false(procfs_parse_pressure(EXACTLY(""), &pressure));
}

static void test_diskstats(void **state)
{
	(void)state;
	exactly("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n   8       1 sda1 36 80 6 80\nrubbish\n"
	        " 259 0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11\n 9 9 a_name_that_is_longer_than_any_of_a_device_can_be 1 2 3 4 5 6 7 8 9 10");
	struct procfs_disk disk;
	size_t offset = 0;
	assert_true(procfs_parse_diskstats(exact, exact_length, &offset, &disk));
	assert_string_equal(disk.name, "sda");
	assert_int_equal(disk.major, 8);
	assert_int_equal(disk.minor, 0);
	assert_int_equal(disk.reads, 1);
	assert_int_equal(disk.read_sectors, 3);
	assert_int_equal(disk.read_ms, 4);
	assert_int_equal(disk.writes, 5);
	assert_int_equal(disk.write_sectors, 7);
	assert_int_equal(disk.write_ms, 8);
	assert_int_equal(disk.in_flight, 9);
	assert_int_equal(disk.busy_ms, 10);
	assert_true(procfs_parse_diskstats(exact, exact_length, &offset, &disk));
	assert_string_equal(disk.name, "nvme0n1");
	assert_true(procfs_parse_diskstats(exact, exact_length, &offset, &disk));
	assert_int_equal(strlen(disk.name), PROCFS_DISK_NAME_BYTES - 1);
	assert_false(procfs_parse_diskstats(exact, exact_length, &offset, &disk));
	assert_int_equal(offset, exact_length);
}

static void test_partitions(void **state)
{
	(void)state;
	static const struct {
		const char *name, *disk;
		bool is_partition;
	} pairs[] = {
	        {"sda1", "sda", true},
	        {"sda12", "sda", true},
	        {"sdaa", "sda", false},
	        {"sda", "sda", false},
	        {"sdb1", "sda", false},
	        {"nvme0n1p2", "nvme0n1", true},
	        {"nvme0n12", "nvme0n1", false},
	        {"nvme0n1p", "nvme0n1", false},
	        {"md12", "md1", false},
	        {"mmcblk0p1", "mmcblk0", true},
	        {"mmcblk0boot0", "mmcblk0", false},
	        {"vda", "", false},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_int_equal(procfs_parse_is_partition(pairs[i].name, pairs[i].disk), pairs[i].is_partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(test_schedstat, release),
	        cmocka_unit_test_teardown(test_stat, release),
	        cmocka_unit_test_teardown(test_stat_negative, release),
	        cmocka_unit_test_teardown(test_stat_hostile_commands, release),
	        cmocka_unit_test_teardown(test_stat_long_commands, release),
	        cmocka_unit_test_teardown(test_stat_cut, release),
	        cmocka_unit_test_teardown(test_stat_wrong, release),
	        cmocka_unit_test_teardown(test_io, release),
	        cmocka_unit_test_teardown(test_status, release),
	        cmocka_unit_test(test_dirent),
	        cmocka_unit_test_teardown(test_loadavg, release),
	        cmocka_unit_test_teardown(test_system_stat, release),
	        cmocka_unit_test_teardown(test_memory, release),
	        cmocka_unit_test_teardown(test_pressure, release),
	        cmocka_unit_test_teardown(test_diskstats, release),
	        cmocka_unit_test(test_partitions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
