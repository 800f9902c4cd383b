/*
 * What the machine tells of a pause in storage, on machines that the test makes up: the name of a disk, its scheduler and its costs, and what the kernel
 * said of it.
 */
#include "tests/unit/surroundings_fixture.h"

#include <fcntl.h>

static void device(void **state)
{
	struct world *world = *state;
	char path[1400];

	put(world, "sys/devices/nvme/nvme0n1/queue/scheduler", "[none] mq-deadline bfq\n");
	put(world, "sys/devices/nvme/nvme0n1/nvme0n1p2/size", "1\n");
	put(world, "sys/fs/cgroup/cgroup.controllers", "io\n");
	put(world, "sys/fs/cgroup/io.cost.qos", "8:0 enable=1 ctrl=auto\n259:3 enable=0 ctrl=auto\n");
	path_of(world, "sys/dev/block/259:3", path);
	assert_int_equal(symlink("../../devices/nvme/nvme0n1/nvme0n1p2", path), 0);
	path_of(world, "sys/dev/block/259:0", path);
	assert_int_equal(symlink("../../devices/nvme/nvme0n1", path), 0);
	world->pause.class = PAUSE_CLASS_io;
	world->pause.metric_total = 500e6; /* in 5 s: 100 MB/s; a fifth of 16 GiB may be dirty, 320 MB are */
	snprintf(world->pause.device, sizeof(world->pause.device), "259:3");
	gather(world);
	assert_string_equal(world->pause.device, "nvme0n1p2");
	assert_string_equal(world->facts.io_scheduler, "none");
	assert_false(world->facts.io_cost || world->facts.dirty_over_5_s);
	put(world, "sys/fs/cgroup/io.cost.qos", "8:0 enable=0 ctrl=auto\n259:0 enable=1 ctrl=auto\n");
	put(world, "sys/devices/nvme/nvme0n1/queue/scheduler", "none [bfq]\n");
	put(world, "proc/sys/vm/dirty_bytes", "1000000000\n");
	snprintf(world->pause.device, sizeof(world->pause.device), "259:0");
	gather(world);
	assert_string_equal(world->pause.device, "nvme0n1");
	assert_string_equal(world->facts.io_scheduler, "bfq");
	assert_true(world->facts.io_cost && world->facts.dirty_over_5_s);
	snprintf(world->pause.device, sizeof(world->pause.device), "9:9/../x");
	gather(world);
	assert_string_equal(world->pause.device, "9:9/../x"); /* no pair of numbers: nothing is looked for */
	snprintf(world->pause.device, sizeof(world->pause.device), "7:7");
	gather(world);
	assert_string_equal(world->pause.device, "7:7"); /* not known: its numbers are a name too */
}

/* The line of another device, whose numbers end or begin with the ones of ours, is not ours. */
static void costs(void **state)
{
	static const struct {
		const char *text;
		bool on;
	} cases[] = {
	        {"259:0 enable=1 ctrl=auto\n9:0 enable=0 ctrl=auto\n", false},
	        {"259:0 enable=0 ctrl=auto\n9:0 enable=1 ctrl=auto\n", true},
	        {"259:0 enable=1 ctrl=auto\n9:01 enable=1\n", false},
	        {"9:0 enable=0\n259:0 enable=1 ctrl=auto\n", false},
	};
	struct world *world = *state;

	put(world, "sys/fs/cgroup/cgroup.controllers", "io\n");
	world->pause.class = PAUSE_CLASS_io;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(world, "sys/fs/cgroup/io.cost.qos", cases[i].text);
		snprintf(world->pause.device, sizeof(world->pause.device), "9:0");
		world->facts.io_cost = false;
		gather(world);
		assert_int_equal(world->facts.io_cost, cases[i].on);
	}
}

static void say(const struct world *world, const char *line)
{
	char path[1400];

	path_of(world, "dev/kmsg", path);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	close(fd);
}

static bool failed(struct world *world, const char *device, uint64_t later_ns)
{
	world->pause.class = PAUSE_CLASS_io;
	snprintf(world->pause.device, sizeof(world->pause.device), "%s", device);
	world->facts.io_errors = false;
	surroundings_listen(world->surroundings, world->pause.start_boottime_ns + later_ns);
	gather(world);
	return world->facts.io_errors;
}

static void kernel_log(void **state)
{
	struct world *world = *state;

	say(world, "3,1,100,-;I/O error, dev sda, sector 1 op 0x0:(READ)\n"); /* before our time */
	world->surroundings = surroundings_new(world->root, patience_ns);
	assert_false(failed(world, "sda", 0));
	say(world, "14,2,200,-;I/O error, dev sda, sector 1: a user program says so\n");
	say(world, "6,3,300,-;EXT4-fs (sda1): mounted filesystem\n SUBSYSTEM=block\n DEVICE=I/O error\n");
	assert_false(failed(world, "sda", 0));
	say(world, "3,4,400,-;I/O error, dev sdaa, sector 9\n SUBSYSTEM=block\n");
	assert_false(failed(world, "sda", 0));
	assert_true(failed(world, "sdaa", 0));
	say(world, "3,5,500,-;Buffer I/O error on dev sda1, logical block 7\n");
	assert_true(failed(world, "sda", 0));
	assert_true(failed(world, "sda1", 0));
	say(world, "4,6,600,-;nvme nvme0: I/O 12 QID 3 timeout, aborting\n");
	assert_true(failed(world, "nvme0n1", 0));
	assert_false(failed(world, "nvme1n1", 0) || failed(world, "vda", 0));
	say(world, "3,7,700,c;ata1: hard resetting link\n");
	assert_true(failed(world, "vda", 0)); /* it names no device: it may be any */
	world->pause.start_boottime_ns += 60 * (uint64_t)NS_PER_S;
	assert_false(failed(world, "sda", 0)); /* too long ago */
	say(world, "3,8,800,-;I/O error, dev sda, sector 1\n");
	assert_false(failed(world, "sda", 60 * (uint64_t)NS_PER_S)); /* too late */
	say(world, ";\n,\n3\n999999999999999999999,1,1,-;I/O error\n-3,1,1,-;I/O error\n3,9,900,-;");
	assert_false(failed(world, "sda", 0));
}

static void flooded_log(void **state)
{
	struct world *world = *state;
	char line[80];

	say(world, "");
	world->surroundings = surroundings_new(world->root, patience_ns);
	for (int i = 0; i < 400; i++) {
		snprintf(line, sizeof(line), "6,%d,1,-;nothing to see\n", i);
		say(world, line);
	}
	say(world, "3,1,100,-;I/O error, dev sda, sector 1 op 0x0:(READ)\n");
	assert_true(failed(world, "sda", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(device),
	        TEST(costs),
	        TEST(kernel_log),
	        TEST(flooded_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
