/*
 * What the machine tells of a pause, on machines that the test makes up: both versions of control groups and their mixture, quotas of groups further
 * out, processes that are gone or somebody else by now, names that are chosen to deceive, files that are missing, and no time.
 */
#include "readers/tracker/group.h"
#include "tests/unit/surroundings_fixture.h"

static void put_process(
        const struct world *world, uint32_t pid, const char *command, unsigned session, uint64_t start_ns, const char *cgroup)
{
	char name[64], text[400];

	snprintf(name, sizeof(name), "proc/%u/stat", pid);
	snprintf(text, sizeof(text), "%u (%s) S 1 %u %u 0 -1 4194560 9 9 9 9 9 9 9 9 20 0 1 0 %llu 1 1 18446744073709551615\n", pid,
	        command, pid, session, (unsigned long long)(start_ns / TICK_NS));
	put(world, name, text);
	snprintf(name, sizeof(name), "proc/%u/cgroup", pid);
	put(world, name, cgroup);
}

static void put_people(struct world *world, const char *culprit, const char *victim)
{
	put_process(world, CULPRIT, "updatedb", 812, 5 * (uint64_t)NS_PER_S, culprit);
	for (uint32_t i = 0; i < 3; i++)
		put_process(world, VICTIM + i, "sshd", 812, (9 + i) * (uint64_t)NS_PER_S, victim);
}

/* ---- the place ---- */

static void place(void **state)
{
	struct world *world = *state;
	struct pause_place *found = &world->pause.place;

	put(world, "run/systemd/system/none", "");
	put(world, "usr/lib/systemd/libsystemd-shared-252.so", "");
	gather(world);
	assert_string_equal(found->host, "at?las");
	assert_string_equal(found->kernel, "6.18.4-amd64");
	assert_int_equal(found->cpus, 7);
	assert_true(found->mem_total_bytes == UINT64_C(16) << 30);
	assert_true(found->swap_total_bytes == UINT64_C(4) << 30);
	assert_true(found->swap_used_bytes == (UINT64_C(4) << 30) - 1024000);
	assert_true(found->uptime_ns == world->pause.start_boottime_ns);
	assert_int_equal(world->facts.kernel_major, 6);
	assert_int_equal(world->facts.kernel_minor, 18);
	assert_int_equal(world->facts.systemd_version, 252);
	assert_true(world->facts.autogroup && world->facts.swap_absent_or_full && world->facts.anonymous_over_half);
	assert_false(world->facts.preempt_full);
	*found = (struct pause_place){.cpus = 2, .host = "of the sample", .mem_total_bytes = 1};
	put(world, "sys/kernel/debug/sched/preempt", "none voluntary (full) lazy\n");
	gather(world);
	assert_int_equal(found->cpus, 2); /* what the sample told stays */
	assert_string_equal(found->host, "of the sample");
	assert_true(found->mem_total_bytes == 1);
	assert_true(world->facts.preempt_full);
}

static void time_zone(void **state)
{
	struct world *world = *state;

	assert_int_equal(setenv("TZ", "IST-5:30", 1), 0);
	tzset();
	gather(world);
	assert_int_equal(world->pause.place.utc_offset_s, 19800);
	unsetenv("TZ");
	tzset();
}

/* ---- control groups ---- */

static const char service[] = "0::/system.slice/updatedb.service\n";
static const char app[] = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope\n";

static void unified(void **state)
{
	struct world *world = *state;

	put(world, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
	put(world, "sys/fs/cgroup/system.slice/updatedb.service/cgroup.controllers", "cpuset cpu io memory pids\n");
	put(world, "sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope/cgroup.controllers", "memory pids\n");
	put_people(world, service, app);
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "/system.slice/updatedb.service");
	assert_string_equal(world->pause.victims[2].cgroup, "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope");
	assert_string_equal(world->pause.cgroup, world->pause.victims[2].cgroup);
	assert_int_equal(world->pause.scope, PAUSE_SCOPE_tasks);
	assert_string_equal(world->facts.culprit_unit, "updatedb.service");
	assert_string_equal(world->facts.victim_unit, "app-x.scope");
	assert_true(world->facts.culprit_has_unit && world->facts.victim_has_unit && !world->facts.same_unit);
	assert_true(world->facts.cgroup2_memory && !world->facts.cgroup2_cpu && !world->facts.cgroup2_io);
	assert_true(world->facts.same_session);
}

static void one_unit(void **state)
{
	struct world *world = *state;

	put(world, "sys/fs/cgroup/cgroup.controllers", "cpu\n");
	put(world, "sys/fs/cgroup/system.slice/updatedb.service/cgroup.controllers", "cpu\n");
	put_people(world, service, "0::/system.slice/updatedb.service/inner\n");
	gather(world);
	assert_true(world->facts.same_unit && world->facts.cgroup2_cpu);
}

static void size_before(void **state)
{
	struct world *world = *state;

	put(world, "sys/fs/cgroup/cgroup.controllers", "memory\n");
	put(world, "sys/fs/cgroup/system.slice/updatedb.service/cgroup.controllers", "memory\n");
	put(world, "sys/fs/cgroup/system.slice/updatedb.service/memory.current", "5000000000\n");
	put_people(world, "0::/system.slice/updatedb.service/inner\n", app);
	world->pause.culprits[0].amount = 2e9;
	gather(world);
	assert_true(world->facts.culprit_bytes_before == 0); /* of the cpu */
	world->pause.class = PAUSE_CLASS_memory;
	gather(world);
	assert_true(world->facts.culprit_bytes_before == UINT64_C(3000000000));
	world->pause.culprits[0].amount = 6e9; /* it gave some back */
	world->facts.culprit_bytes_before = 0;
	gather(world);
	assert_true(world->facts.culprit_bytes_before == 0);
}

/* What was seen to be waited for while it lasted is known at the end. */
static void waits(void **state)
{
	struct world *world = *state;

	put_people(world, app, app);
	world->pause.class = PAUSE_CLASS_stuck;
	put(world, "proc/900/wchan", "do_wait");
	gather(world);
	assert_false(world->facts.network_filesystem || world->facts.frozen_filesystem);
	put(world, "proc/901/wchan", "rpc_wait_bit_killable");
	gather(world);
	assert_true(world->facts.network_filesystem && !world->facts.frozen_filesystem);
	put(world, "proc/901/wchan", "0");
	world->facts = (struct pause_facts){0};
	gather(world);
	assert_true(world->facts.network_filesystem);
	world->pause.number++;
	world->facts = (struct pause_facts){0};
	put(world, "proc/902/wchan", "percpu_rwsem_wait");
	gather(world);
	assert_true(!world->facts.network_filesystem && world->facts.frozen_filesystem);
	world->pause.number++;
	world->facts = (struct pause_facts){0};
	world->pause.victims[2].start_time_ns += NS_PER_S; /* another process */
	gather(world);
	assert_false(world->facts.frozen_filesystem);
}

static void hypervisor(void **state)
{
	struct world *world = *state;

	gather(world);
	assert_false(world->facts.bare_metal); /* not known */
	put(world, "proc/cpuinfo",
	        "processor\t: 0\nflags\t\t: fpu vme\nbugs\t\t: hypervisor\n\nprocessor\t: 1\nflags\t\t: fpu hypervisor\n");
	surroundings_free(&world->surroundings);
	gather(world);
	assert_true(world->facts.bare_metal);
	put(world, "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor vme\nbugs\t\t: x\n");
	surroundings_free(&world->surroundings);
	world->facts = (struct pause_facts){0};
	gather(world);
	assert_false(world->facts.bare_metal);
}

/* Two of three victims share a group: it is that of the scope. One of three each: none is. Of the root nothing is said. */
static void shared(void **state)
{
	struct world *world = *state;

	put_people(world, "0::/\n", "0::/a\n");
	put_process(world, VICTIM, "sshd", 1, 9 * (uint64_t)NS_PER_S, "0::/b\n");
	gather(world);
	assert_string_equal(world->pause.cgroup, "/a");
	world->pause.cgroup[0] = world->pause.victims[0].cgroup[0] = world->pause.victims[1].cgroup[0] = '\0';
	put_process(world, VICTIM + 1, "sshd", 1, 10 * (uint64_t)NS_PER_S, "0::/c\n");
	gather(world);
	assert_string_equal(world->pause.cgroup, "");
	put_people(world, "0::/\n", "0::/\n");
	gather(world);
	assert_string_equal(world->pause.cgroup, "");
}

static const char v1[] = "9:name=systemd:/system.slice/ci.service\n4:memory:/box/memory\n2:cpuset:/\n1:cpu,cpuacct:/box/inner\n";

static void version_one(void **state)
{
	struct world *world = *state;

	put(world, "sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 0\n");
	put(world, "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "20000\n");
	put(world, "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "1000000\n");
	put(world, "sys/fs/cgroup/cpu,cpuacct/box/cpu.stat", "nr_periods 100\nnr_throttled 20\n");
	put(world, "sys/fs/cgroup/cpu,cpuacct/box/inner/cpu.cfs_quota_us", "-1\n");
	put(world, "sys/fs/cgroup/cpu,cpuacct/box/inner/cpu.cfs_period_us", "100000\n");
	put_people(world, v1, v1);
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "/system.slice/ci.service");
	assert_true(world->pause.quota_ns == 0);
	assert_false(world->facts.culprit_has_unit); /* a unit of v1 has no such properties */
	world->pause.culprits[0].cgroup[0] = world->pause.cgroup[0] = '\0';
	world->pause.class = PAUSE_CLASS_memory;
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "/box/memory");
	world->pause.culprits[0].cgroup[0] = world->pause.cgroup[0] = '\0';
	world->pause.class = PAUSE_CLASS_throttle;
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "/box/inner");
	assert_string_equal(world->pause.cgroup, "/box"); /* whose quota it is */
	assert_int_equal(world->pause.scope, PAUSE_SCOPE_cgroup);
	assert_true(world->pause.quota_ns == 20 * NS_PER_MS && world->pause.period_ns == NS_PER_S);
	assert_int_equal(world->facts.unit_quota_bursts, 1);
}

static void hybrid(void **state)
{
	struct world *world = *state;

	put(world, "sys/fs/cgroup/unified/cgroup.controllers", "\n");
	put(world, "sys/fs/cgroup/cpu/cpu.stat", "nr_periods 0\n");
	put(world, "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
	put(world, "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
	put_people(world, "2:cpu:/job\n1:name=systemd:/system.slice/x.service\n0::/\n",
	        "2:cpu:/job\n1:name=systemd:/\n0::/user.slice/y.scope\n");
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "/system.slice/x.service");
	assert_string_equal(world->pause.victims[0].cgroup, "/user.slice/y.scope");
	assert_true(!world->facts.culprit_has_unit && world->facts.victim_has_unit);
	assert_false(world->facts.cgroup2_cpu);
	world->pause.class = PAUSE_CLASS_throttle;
	gather(world);
	assert_string_equal(world->pause.cgroup, "/job");
	assert_true(world->pause.quota_ns == 50 * NS_PER_MS && world->pause.period_ns == 100 * NS_PER_MS);
}

/* Of three quotas the one that was ever spent is meant, though a tighter one is nearer. */
static void quota_of_a_group_around(void **state)
{
	struct world *world = *state;

	put(world, "sys/fs/cgroup/cgroup.controllers", "cpu\n");
	put(world, "sys/fs/cgroup/ci.slice/cpu.max", "200000 100000\n");
	put(world, "sys/fs/cgroup/ci.slice/cpu.stat", "usage_usec 1\nnr_periods 90\nnr_throttled 80\n");
	put(world, "sys/fs/cgroup/ci.slice/job.scope/cpu.max", "10000 100000\n");
	put(world, "sys/fs/cgroup/ci.slice/job.scope/cpu.stat", "nr_periods 90\nnr_throttled 0\n");
	put(world, "sys/fs/cgroup/ci.slice/job.scope/leaf/cpu.max", "max 100000\n");
	put_people(world, "0::/ci.slice/job.scope/leaf\n", "0::/ci.slice/job.scope/leaf\n");
	world->pause.class = PAUSE_CLASS_throttle;
	gather(world);
	assert_string_equal(world->pause.cgroup, "/ci.slice");
	assert_string_equal(world->facts.victim_unit, "ci.slice");
	assert_true(world->pause.quota_ns == 200 * NS_PER_MS && world->pause.period_ns == 100 * NS_PER_MS);
	assert_int_equal(world->facts.unit_quota_bursts, 2);
	put(world, "sys/fs/cgroup/ci.slice/cpu.max", "-5 0\n"); /* no sense: the one that is left */
	gather(world);
	assert_string_equal(world->pause.cgroup, "/ci.slice/job.scope");
	assert_true(world->pause.quota_ns == 10 * NS_PER_MS);
}

/* ---- processes that are not what they were, and names ---- */

static void gone_or_another(void **state)
{
	struct world *world = *state;

	put_people(world, "0::/a\n", "0::/a\n");
	world->pause.culprits[0].start_time_ns += 3 * TICK_NS; /* the pid was given out again */
	world->pause.victims[1].pid = 55555;                   /* gone */
	world->pause.victims[2].pid = 0;                       /* a canary */
	put(world, "proc/0/stat", "0 (x) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1100 0\n");
	put(world, "proc/0/cgroup", "0::/zero\n");
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "");
	assert_string_equal(world->pause.victims[0].cgroup, "/a");
	assert_string_equal(world->pause.victims[1].cgroup, "");
	assert_string_equal(world->pause.victims[2].cgroup, "");
	assert_false(world->facts.same_session);
}

/* What the first judgement found is there for the last, when processes and groups are gone; not for another process of that pid, nor another pause. */
static void remembered(void **state)
{
	struct world *world = *state;
	char path[1400];

	put(world, "sys/fs/cgroup/cgroup.controllers", "cpu\n");
	put(world, "sys/fs/cgroup/job/cpu.max", "20000 100000\n");
	put_people(world, "0::/job\n", "0::/job\n");
	world->pause.class = PAUSE_CLASS_throttle;
	struct pause first = world->pause;
	gather(world);
	path_of(world, "sys/fs/cgroup/job/cpu.max", path);
	assert_int_equal(unlink(path), 0);
	for (uint32_t i = 0; i < 3; i++) {
		char name[40];
		snprintf(name, sizeof(name), "proc/%u/stat", VICTIM + i);
		path_of(world, name, path);
		assert_int_equal(unlink(path), 0);
	}
	world->pause = first;
	gather(world);
	assert_string_equal(world->pause.victims[2].cgroup, "/job");
	assert_string_equal(world->pause.cgroup, "/job");
	assert_int_equal(world->pause.scope, PAUSE_SCOPE_cgroup);
	assert_true(world->pause.quota_ns == 20 * NS_PER_MS && world->pause.period_ns == 100 * NS_PER_MS);
	world->pause = first;
	world->pause.number++;
	world->pause.victims[2].start_time_ns += NS_PER_S;
	gather(world);
	assert_string_equal(world->pause.victims[1].cgroup, "/job");
	assert_string_equal(world->pause.victims[2].cgroup, "");
	assert_true(world->pause.quota_ns == 0);
}

static void hostile_names(void **state)
{
	struct world *world = *state;
	char text[3000], *end = text;

	put_people(world, "0::/a:b\033[31m/\xe2\x80\xae/x\xff.scope\n", "0::/gone.scope (deleted)\n");
	put_process(world, CULPRIT, "x) S 1 1 77 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 500 (", 812, 5 * (uint64_t)NS_PER_S,
	        "0::/a:b\033[31m/\xe2\x80\xae/x\xff.scope\n");
	put(world, "sys/fs/cgroup/cgroup.controllers", "cpu\n");
	put(world, "sys/fs/cgroup/gone.scope/cpu.max", "1000 100000\n");
	put(world, "sys/fs/cpu.max", "1000 100000\n");
	world->pause.class = PAUSE_CLASS_throttle;
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "/a:b?[31m/?/x?.scope");
	assert_true(world->facts.same_session); /* the session is behind the last parenthesis */
	assert_string_equal(world->pause.victims[0].cgroup, "/gone.scope");
	assert_true(world->pause.quota_ns == 0); /* of a removed group: another may have its name */
	put_people(world, "0::/../../x\n", "0::/../x\n");
	put_process(world, VICTIM, "x", 1, 9 * (uint64_t)NS_PER_S, "0::/..\n");
	world->pause.victims[0].cgroup[0] = '\0';
	gather(world);
	assert_true(world->pause.quota_ns == 0); /* outside of our namespace: no file is looked for there */
	end += sprintf(end, "0::");
	for (int i = 0; i < 40; i++)
		end += sprintf(end, "/level-%02d", i);
	sprintf(end, "/cri-containerd-0123456789.scope\n");
	put_people(world, text, "0::\n5:broken\n::\n\n");
	world->pause.culprits[0].cgroup[0] = world->pause.victims[0].cgroup[0] = '\0';
	gather(world);
	assert_true(strlen(world->pause.culprits[0].cgroup) < PAUSE_TEXT_BYTES);
	assert_string_equal(world->pause.culprits[0].cgroup,
	        "/level-00/level-01/level-02/level-03/level-04/level-05/~/cri-containerd-0123456789.scope");
	assert_string_equal(world->pause.victims[0].cgroup, "");
	while (end < text + 2000)
		end += sprintf(end, "/longer-than-any-name-we-keep");
	put_people(world, text, text);
	world->pause.culprits[0].cgroup[0] = '\0';
	gather(world);
	assert_string_equal(world->pause.culprits[0].cgroup, "");
}

/* ---- nothing, and no time ---- */

static void nothing_there(void **state)
{
	struct world *world = *state;
	const struct pause before = world->pause;
	char nowhere[300];

	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", world->root);
	world->surroundings = surroundings_new(nowhere, patience_ns);
	surroundings_listen(world->surroundings, 1);
	world->pause.class = PAUSE_CLASS_throttle;
	gather(world);
	world->pause.class = PAUSE_CLASS_io;
	snprintf(world->pause.device, sizeof(world->pause.device), "8:0");
	gather(world);
	assert_string_equal(world->pause.device, "8:0");
	assert_string_equal(world->pause.place.host, "");
	assert_int_equal(world->pause.place.cpus, 0);
	assert_memory_equal(world->pause.culprits, before.culprits, sizeof(before.culprits));
	assert_memory_equal(world->pause.victims, before.victims, sizeof(before.victims));
	assert_false(
	        world->facts.culprit_has_unit || world->facts.autogroup || world->facts.swap_absent_or_full || world->facts.preempt_full);
}

static void no_time(void **state)
{
	struct world *world = *state;

	put_people(world, service, app);
	world->surroundings = surroundings_new(world->root, 0);
	surroundings_gather(world->surroundings, &world->pause, &world->facts);
	assert_in_range(surroundings_late(world->surroundings), 4, 100);
	assert_string_equal(world->pause.culprits[0].cgroup, "");
	assert_string_equal(world->pause.place.host, "");
	assert_true(world->pause.place.uptime_ns == world->pause.start_boottime_ns); /* what needs no file is there */
}

/* The real machine: this process has a group, whatever it is, and a session. */
static void real_machine(void **state)
{
	struct world *world = *state;
	char text[1024];
	uint32_t session;
	uint64_t start_ns;
	FILE *file = fopen("/proc/self/stat", "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_true(group_read_stat(text, &session, &start_ns));
	assert_int_equal(session, getsid(0));
	world->pause.culprits[0].pid = world->pause.victims[0].pid = (uint32_t)getpid();
	world->pause.culprits[0].start_time_ns = world->pause.victims[0].start_time_ns = start_ns + 5 * NS_PER_MS;
	world->surroundings = surroundings_new("/", patience_ns);
	gather(world);
	assert_int_equal(world->pause.culprits[0].cgroup[0], '/');
	assert_int_not_equal(world->pause.place.host[0], '\0');
	assert_true(world->pause.place.cpus > 0 && world->pause.place.mem_total_bytes > 0);
	assert_true(world->facts.same_session == (session > 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(place),
	        TEST(time_zone),
	        TEST(unified),
	        TEST(one_unit),
	        TEST(size_before),
	        TEST(waits),
	        TEST(hypervisor),
	        TEST(shared),
	        TEST(version_one),
	        TEST(hybrid),
	        TEST(quota_of_a_group_around),
	        TEST(gone_or_another),
	        TEST(remembered),
	        TEST(hostile_names),
	        TEST(nothing_there),
	        TEST(no_time),
	        TEST(real_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
