/*
 * block.c - device time on the real disk of this machine, against what the kernel's own statistics say and against what the processes waited.
 *
 * Other programs use the disk meanwhile: what is compared holds with them too. Skipped where there is no disk, or no right to watch it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "collector/blame_io.h"
#include "tests/support/block_live.h"
#include "tests/support/near.h"

static struct block_live live;

/* A process that reads, and says how long it waited for it. */
struct reader {
	pid_t pid;
	uint64_t *waited_ns; /* shared with it */
};

static void read_without_end(int fd, size_t bytes, size_t file_bytes, uint64_t *waited_ns)
{
	void *buffer = NULL;
	unsigned seed = (unsigned)getpid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (posix_memalign(&buffer, 4096, bytes) != 0)
		_exit(1);
	for (;;) {
		off_t place = (off_t)((size_t)rand_r(&seed) % (file_bytes / bytes) * bytes);
		uint64_t begin = clock_now_ns(CLOCK_MONOTONIC);
		if (pread(fd, buffer, bytes, place) != (ssize_t)bytes)
			_exit(1);
		__atomic_fetch_add(waited_ns, clock_now_ns(CLOCK_MONOTONIC) - begin, __ATOMIC_RELAXED);
	}
}

static struct reader reader_start(size_t bytes)
{
	enum { FILE_MIB = 64 };
	struct reader reader = {.waited_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
	int fd = block_live_file(&live, FILE_MIB, O_RDONLY | O_DIRECT);
	if (fd < 0)
		skip();
	reader.pid = fork();
	if (reader.pid == 0)
		read_without_end(fd, bytes, (size_t)FILE_MIB << 20, reader.waited_ns);
	close(fd);
	return reader;
}

static void reader_stop(struct reader *reader)
{
	kill(reader->pid, SIGKILL);
	waitpid(reader->pid, NULL, 0);
	munmap(reader->waited_ns, 4096);
}

static void pass(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * NS_PER_MS};
	while (nanosleep(&time, &time) < 0)
		continue;
}

static uint64_t io_time_ns(pid_t pid)
{
	const struct raw_process *process = block_live_find(&live, pid);
	return process ? process->io_time_ns : 0;
}

/* The device time of a process that reads without a break: nearly all the time it waited, never more; and all processes' is the time of the disk. */
static void a_direct_reader(void **state)
{
	(void)state;
	struct reader reader = reader_start(256 << 10);
	pass(200);
	block_live_tick(&live);
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC), ticks_ms = block_live_ticks_ms(&live), sum_ns = block_live_sum_ns(&live);
	uint64_t own_ns = io_time_ns(reader.pid), waited_ns = __atomic_load_n(reader.waited_ns, __ATOMIC_RELAXED);
	uint64_t last_ns = own_ns;
	for (unsigned i = 0; i < 10; i++) {
		pass(100);
		block_live_tick(&live);
		assert_true(io_time_ns(reader.pid) >= last_ns);
		last_ns = io_time_ns(reader.pid);
	}
	double elapsed = (double)(clock_now_ns(CLOCK_MONOTONIC) - begin_ns);
	double busy = (double)(block_live_ticks_ms(&live) - ticks_ms) * NS_PER_MS, sum = (double)(block_live_sum_ns(&live) - sum_ns);
	double own = (double)(last_ns - own_ns), waited = (double)(__atomic_load_n(reader.waited_ns, __ATOMIC_RELAXED) - waited_ns);
	reader_stop(&reader);
	print_message("of %.0f ms the disk says it was busy %.0f, processes %.0f; the reader waited %.0f, its device time %.0f\n",
	        elapsed / 1e6, busy / 1e6, sum / 1e6, waited / 1e6, own / 1e6);
	assert_true(own <= waited + 5e6);
	/* with one request at a time it has at least its part of every busy moment; others are rarely more than a few at once */
	assert_true(own >= waited * 0.25);
	/* io_ticks counts in jiffies, and gaps shorter than one as busy */
	assert_near(sum, busy, busy * 0.25 + 40e6);
	assert_true(sum <= elapsed * 1.01);
	assert_true(rh_has(live.system.present, RH_S_disk_slowest_latency_ns));
	assert_true(live.system.disk_latency_max_ns >= live.system.disk_slowest_latency_ns);
	assert_int_equal(live.tick.events_lost, 0);
	assert_true(live.tick.signals >> RH_SIGNAL_block_requests & 1);
}

/* Everything that was charged: living processes, and who is gone. */
static double charged_ns(double *ret_busy)
{
	uint64_t busy_ns, unowned_ns;
	block_live_tick(&live);
	block_totals(live.block, &busy_ns, &unowned_ns);
	*ret_busy = (double)busy_ns;
	return (double)(block_live_sum_ns(&live) + unowned_ns);
}

/* However many requests of whatever size are in flight: what is charged is the time that the disk was busy, to the nanosecond but for rounding. */
static void charges_add_up(void **state)
{
	(void)state;
	enum { READERS = 12 };
	struct reader readers[READERS];
	double busy_before, busy, charged, before;
	for (unsigned i = 0; i < READERS; i++)
		readers[i] = reader_start((size_t)4096 << i % 9);
	before = charged_ns(&busy_before);
	for (unsigned i = 0; i < 50; i++) {
		pass(20);
		block_live_tick(&live);
	}
	for (unsigned i = 0; i < READERS; i++)
		reader_stop(&readers[i]);
	pass(50);
	charged = charged_ns(&busy) - before;
	busy -= busy_before;
	print_message("busy %.3f ms, charged %.3f ms\n", busy / 1e6, charged / 1e6);
	assert_true(busy > 0);
	/* requests of others that are in flight at the two moments */
	assert_near(charged, busy, busy * 0.002 + 2e6);
}

/*
 * Requests that are given to the kernel all at once, and complete while their process sleeps: all of their device time is in the records, though the
 * walk says that the process did not run.
 */
static void who_sleeps_while_the_disk_works(void **state)
{
	(void)state;
	enum { REQUESTS = 32, BYTES = 1 << 20 };
	static struct iocb requests[REQUESTS], *list[REQUESTS];
	struct io_event events[REQUESTS];
	aio_context_t context = 0;
	void *buffer = NULL;
	uint64_t last_ns = 0, grew = 0;
	int fd = block_live_file(&live, REQUESTS, O_RDONLY | O_DIRECT);
	if (fd < 0 || syscall(SYS_io_setup, REQUESTS, &context) < 0 || posix_memalign(&buffer, 4096, BYTES) != 0)
		skip();
	for (unsigned i = 0; i < REQUESTS; i++) {
		requests[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
		        .aio_fildes = (uint32_t)fd,
		        .aio_buf = (uintptr_t)buffer,
		        .aio_nbytes = BYTES,
		        .aio_offset = (int64_t)i * BYTES};
		list[i] = &requests[i];
	}
	block_live_tick(&live);
	uint64_t begin_ns = io_time_ns(getpid());
	assert_int_equal(syscall(SYS_io_submit, context, REQUESTS, list), REQUESTS);
	block_live_tick(&live);
	live.asleep = true;
	for (long done = 0; done < REQUESTS;) {
		struct timespec brief = {.tv_nsec = NS_PER_MS};
		long got = syscall(SYS_io_getevents, context, 1, REQUESTS, events, &brief);
		assert_true(got >= 0);
		done += got;
		block_live_tick(&live);
		assert_true(io_time_ns(getpid()) >= last_ns);
		grew += io_time_ns(getpid()) > last_ns;
		last_ns = io_time_ns(getpid());
	}
	block_live_tick(&live);
	live.asleep = false;
	const struct account *account = accounts_find(&live.accounts, (uint32_t)getpid());
	assert_non_null(account);
	assert_int_equal(io_time_ns(getpid()), account->io_time_ns);
	print_message("%u MiB at once: %.1f ms of the disk, seen to grow %u times\n", REQUESTS,
	        (double)(account->io_time_ns - begin_ns) / 1e6, (unsigned)grew);
	assert_true(account->io_time_ns > begin_ns);
	assert_true(grew > 0);
	syscall(SYS_io_destroy, context);
	free(buffer);
	close(fd);
}

/* One sample's records of those processes, for blame_io_run(). */
static void record_of(struct rh_process *record, pid_t pid, double io_time_ms_per_s, double waited_ms_per_s)
{
	*record = (struct rh_process){.pid = (uint32_t)pid, .start_time_ns = (uint64_t)pid};
	record->io_time_ms_per_s = (float)io_time_ms_per_s;
	record->blkio_delay_ms_per_s = (float)waited_ms_per_s;
	rh_set(record->present, RH_F_pid);
	rh_set(record->present, RH_F_io_time_ms_per_s);
	rh_set(record->present, RH_F_blkio_delay_ms_per_s);
}

/* A small reader behind two that read megabytes: they are blamed for most of its waiting, and it for little of theirs. */
static void a_victim(void **state)
{
	(void)state;
	struct reader readers[3] = {reader_start(4096), reader_start(1 << 20), reader_start(1 << 20)};
	uint64_t io_ns[3], waited_ns[3];
	struct rh_process records[3];
	struct pool pool = {0};
	struct blame_io *blame = blame_io_init(&pool, &live.config, 16);
	struct rh_system system = {0};
	pass(200);
	block_live_tick(&live);
	for (unsigned i = 0; i < 3; i++) {
		io_ns[i] = io_time_ns(readers[i].pid);
		waited_ns[i] = __atomic_load_n(readers[i].waited_ns, __ATOMIC_RELAXED);
	}
	pass(1000);
	block_live_tick(&live);
	for (unsigned i = 0; i < 3; i++) {
		double io_ms = (double)(io_time_ns(readers[i].pid) - io_ns[i]) / 1e6;
		double waited_ms = (double)(__atomic_load_n(readers[i].waited_ns, __ATOMIC_RELAXED) - waited_ns[i]) / 1e6;
		record_of(&records[i], readers[i].pid, io_ms, waited_ms);
	}
	struct span span = {.elapsed_ns = NS_PER_S, .comparable = true};
	blame_io_run(blame, &span, records, 3, &system);
	for (unsigned i = 0; i < 3; i++) {
		reader_stop(&readers[i]);
		print_message("reader of %4u KiB: waited %4.0f ms, device time %4.0f, blamed for %4.0f ms\n", i ? 1024 : 4,
		        (double)records[i].blkio_delay_ms_per_s, (double)records[i].io_time_ms_per_s, (double)records[i].io_blame_ms_per_s);
	}
	pool_release(&pool);
	double victim = (double)records[0].io_blame_ms_per_s,
	       others = (double)(records[1].io_blame_ms_per_s + records[2].io_blame_ms_per_s);
	assert_true(records[0].io_time_ms_per_s < records[1].io_time_ms_per_s);
	assert_true(others > 2 * victim);
	assert_true(others > (double)records[0].blkio_delay_ms_per_s / 2);
}

static uint64_t written_bytes(pid_t pid)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "write_bytes: %llu", &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}

/* A thread of the kernel has no memory of its own. */
static bool is_kernel_thread(pid_t pid)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *file = fopen(path, "r");
	bool is = file && fgets(text, sizeof(text), file) && text[0] == '0';
	if (file)
		fclose(file);
	return is;
}

/* The records of all processes of the newest tick, against an earlier one's device times. */
static uint32_t records_of_all(struct rh_process *records, const uint64_t *before_ns)
{
	for (uint32_t i = 0; i < live.count; i++) {
		pid_t pid = (pid_t)live.processes[i].pid;
		uint64_t before = before_ns ? before_ns[pid] : live.processes[i].io_time_ns;
		record_of(&records[i], pid, (double)(live.processes[i].io_time_ns - before) / 1e6, 0);
		if (is_kernel_thread(pid))
			records[i].flags |= RH_PROCESS_kernel_thread;
		records[i].write_bytes = written_bytes(pid);
		rh_set(records[i].present, RH_F_write_bytes);
	}
	return live.count;
}

/* Writes into the page cache when it is told to, and waits to be killed. Returns its pid; `ret_fd` is the file, `ret_pipe` where to tell it. */
static pid_t writer_start(unsigned mib, int *ret_fd, int *ret_pipe)
{
	int fd = block_live_file(&live, 1, O_WRONLY), tell[2];
	char byte;
	if (fd < 0 || pipe(tell) < 0)
		skip();
	pid_t pid = fork();
	if (pid == 0) {
		static char block[1 << 20];
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(tell[1]);
		memset(block, 'x', sizeof(block));
		if (write(fd, block, 4096) < 0 || fsync(fd) < 0 || read(tell[0], &byte, 1) != 1)
			_exit(1); /* the first request gives it its account */
		for (unsigned i = 0; i < mib; i++)
			if (write(fd, block, sizeof(block)) < 0)
				_exit(1);
		for (;;)
			pause();
	}
	close(tell[0]);
	*ret_fd = fd;
	*ret_pipe = tell[1];
	return pid;
}

/* What a process wrote into the page cache, a kernel thread writes to the disk: its device time is charged to the writer. */
static void writeback(void **state)
{
	(void)state;
	enum { MIB = 96, PIDS = 1 << 22 };
	struct rh_process *records = calloc(BLOCK_LIVE_MOST, sizeof(*records));
	uint64_t *before_ns = calloc(PIDS, sizeof(*before_ns)), begin_bytes = 0;
	struct pool pool = {0};
	struct blame_io *blame = blame_io_init(&pool, &live.config, BLOCK_LIVE_MOST);
	struct rh_system system = {0};
	struct span span = {.elapsed_ns = NS_PER_S, .comparable = true};
	int fd, tell;
	pid_t writer = writer_start(MIB, &fd, &tell);
	do {
		pass(20);
		block_live_tick(&live);
	} while (!block_live_find(&live, writer));
	pass(100);
	begin_bytes = written_bytes(writer);
	block_live_tick(&live);
	for (uint32_t i = 0; i < live.count; i++)
		before_ns[live.processes[i].pid] = live.processes[i].io_time_ns;
	uint32_t count = records_of_all(records, NULL);
	blame_io_run(blame, &span, records, count, &system);

	assert_int_equal(write(tell, "x", 1), 1);
	while (written_bytes(writer) < begin_bytes + ((uint64_t)MIB << 20))
		pass(5);
	assert_int_equal(syncfs(fd), 0);
	block_live_tick(&live);
	count = records_of_all(records, before_ns);
	double kernel_ms = 0, left_ms = 0, own_ms = 0, charged_ms = 0;
	for (uint32_t i = 0; i < count; i++) {
		kernel_ms += (records[i].flags & RH_PROCESS_kernel_thread) != 0 ? (double)records[i].io_time_ms_per_s : 0;
		own_ms += records[i].pid == (uint32_t)writer ? (double)records[i].io_time_ms_per_s : 0;
	}
	blame_io_run(blame, &span, records, count, &system);
	for (uint32_t i = 0; i < count; i++) {
		left_ms += (records[i].flags & RH_PROCESS_kernel_thread) != 0 ? (double)records[i].io_time_ms_per_s : 0;
		charged_ms += records[i].pid == (uint32_t)writer ? (double)records[i].io_time_ms_per_s : 0;
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	close(fd);
	close(tell);
	free(records);
	free(before_ns);
	pool_release(&pool);
	print_message("kernel threads took %.1f ms of the disk, the writer itself %.1f; charged to it %.1f, left with them %.1f\n",
	        kernel_ms, own_ms, charged_ms, left_ms);
	assert_true(kernel_ms > 0);
	/* others may have dirtied pages meanwhile, but hardly as many */
	assert_true(charged_ms - own_ms >= kernel_ms * 0.5);
	assert_true(left_ms <= kernel_ms * 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_direct_reader),
	        cmocka_unit_test(charges_add_up),
	        cmocka_unit_test(who_sleeps_while_the_disk_works),
	        cmocka_unit_test(a_victim),
	        cmocka_unit_test(writeback),
	};
	const char *why_not = block_live_open(&live);
	if (why_not) {
		fprintf(stderr, "skipped: %s\n", why_not);
		block_live_close(&live);
		return 77;
	}
	int result = cmocka_run_group_tests(tests, NULL, NULL);
	block_live_close(&live);
	return result;
}
