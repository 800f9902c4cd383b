/*
 * The kernel-direct back end where something is missing: no rights, a kernel that refuses, too little room, an end by SIGKILL. Each time the samples go
 * on, it is said why they are others, and nothing is left in the kernel.
 */
#include "base/capability.h"
#include "collector/backend.h"
#include "tests/support/walk_live.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAPACITY = 65536, CROWD = 700, IDS_MOST = 256 };

static struct config config;

static struct source_options options_of(const char *proc_root)
{
	return (struct source_options){
	        .proc_root = proc_root,
	        .interval_ns = 200000000,
	        .max_processes = CAPACITY,
	        .refresh_parts = 16,
	        .thread_limit = 64,
	        .fd_limit = 1024,
	        .config = &config,
	};
}

static pid_t fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(1);
	return pid;
}

/* ---- a choice of back end, in a process of its own that is first made poorer ---- */

struct outcome {
	int result;
	uint8_t sampler;
	enum rh_sampler_reason reason;
	uint32_t count;
	char note[256];
};

static void choose(const char *sampler, const char *proc_root, struct outcome *outcome)
{
	struct source_options options = options_of(proc_root);
	struct backend_choice choice;
	char error[256];
	*outcome = (struct outcome){.result = backend_open(sampler, &options, &choice, error)};
	if (outcome->result != 0)
		return;
	struct raw_process *processes = calloc(CAPACITY, sizeof(*processes));
	struct raw_system system = {0};
	struct source_tick tick;
	outcome->result = choice.source->operations->tick(choice.source, UINT64_MAX, processes, &system, &tick);
	outcome->sampler = choice.source->operations->sampler;
	outcome->reason = choice.reason;
	outcome->count = tick.count;
	memcpy(outcome->note, choice.note, sizeof(outcome->note));
	choice.source->operations->close(&choice.source);
	free(processes);
}

static struct outcome choose_poorer(void (*impoverish)(void), const char *sampler, const char *proc_root)
{
	int ends[2];
	struct outcome outcome = {.result = -EPIPE};
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork_bound();
	if (pid == 0) {
		if (impoverish)
			impoverish();
		choose(sampler, proc_root, &outcome);
		_exit(write(ends[1], &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &outcome, sizeof(outcome)), sizeof(outcome));
	close(ends[0]);
	waitpid(pid, NULL, 0);
	assert_int_equal(outcome.result, 0);
	assert_true(outcome.count > 0);
	return outcome;
}

static void lose_rights(void)
{
	if (capability_keep(0) < 0)
		_exit(1);
}

/* The kernel answers bpf(2) with that error. */
static void refuse_bpf(uint32_t error)
{
	struct sock_filter filter[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(1);
}

static void refuse_with_einval(void)
{
	refuse_bpf(EINVAL);
}

static void refuse_with_eperm(void)
{
	refuse_bpf(EPERM);
}

static void refuse_with_enosys(void)
{
	refuse_bpf(ENOSYS);
}

static void test_taken(void **state)
{
	(void)state;
	struct outcome outcome = choose_poorer(NULL, "auto", "/proc");
	assert_true(outcome.sampler == RH_SAMPLER_bpf || outcome.sampler == RH_SAMPLER_bpf_iterator);
	assert_int_equal(outcome.reason, RH_SAMPLER_REASON_best);
	assert_string_equal(outcome.note, "");
	outcome = choose_poorer(NULL, "bpf", "/proc");
	assert_int_equal(outcome.reason, RH_SAMPLER_REASON_asked_for);
	outcome = choose_poorer(NULL, "procfs", "/proc");
	assert_int_equal(outcome.sampler, RH_SAMPLER_procfs);
	assert_int_equal(outcome.reason, RH_SAMPLER_REASON_asked_for);
}

static void test_refused(void **state)
{
	(void)state;
	const struct {
		void (*impoverish)(void);
		enum rh_sampler_reason reason;
	} cases[] = {
	        {lose_rights, RH_SAMPLER_REASON_not_permitted},
	        {refuse_with_eperm, RH_SAMPLER_REASON_not_permitted},
	        {refuse_with_einval, RH_SAMPLER_REASON_refused},
	        {refuse_with_enosys, RH_SAMPLER_REASON_refused},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int asked = 0; asked < 2; asked++) {
			struct outcome outcome = choose_poorer(cases[i].impoverish, asked ? "bpf" : "auto", "/proc");
			printf("%s\n", outcome.note);
			assert_int_equal(outcome.sampler, RH_SAMPLER_procfs);
			assert_int_equal(outcome.reason, cases[i].reason);
			assert_true(strlen(outcome.note) > 20);
		}
	}
}

/* A simulated machine has no kernel of its own. */
static void test_simulated(void **state)
{
	(void)state;
	char folder[] = "/tmp/bpf_walk_XXXXXX";
	assert_non_null(mkdtemp(folder));
	struct source_options options = options_of(folder);
	struct backend_choice choice;
	char error[256];
	assert_int_equal(backend_open("auto", &options, &choice, error), 0);
	assert_int_equal(choice.source->operations->sampler, RH_SAMPLER_procfs);
	assert_int_equal(choice.reason, RH_SAMPLER_REASON_best);
	choice.source->operations->close(&choice.source);
	rmdir(folder);
}

/* ---- room ---- */

static void test_room(void **state)
{
	(void)state;
	struct source_options options = options_of("/proc");
	struct source *source;
	struct raw_process *processes = calloc(CAPACITY, sizeof(*processes));
	struct raw_system system = {0};
	struct source_tick tick;
	char error[256] = "";
	static pid_t crowd[CAPACITY];
	assert_int_equal(source_bpf_open(&options, &source, error), 0);
	assert_int_equal(source->operations->tick(source, UINT64_MAX, processes, &system, &tick), 0);
	assert_int_equal(tick.dropped, 0);
	uint32_t before = tick.count, size = before + CROWD;
	assert_true(size < CAPACITY);
	for (uint32_t i = 0; i < size; i++) {
		crowd[i] = fork_bound();
		if (crowd[i] == 0)
			for (;;)
				pause();
	}
	assert_int_equal(source->operations->tick(source, UINT64_MAX, processes, &system, &tick), 0);
	assert_true(tick.dropped > 0);
	assert_true(tick.count + tick.dropped >= size);
	assert_int_equal(source->operations->tick(source, UINT64_MAX, processes, &system, &tick), 0);
	assert_int_equal(tick.dropped, 0);
	uint32_t found = 0;
	for (uint32_t i = 0; i < tick.count; i++)
		found += processes[i].ppid == (uint32_t)getpid();
	assert_int_equal(found, size);
	for (uint32_t i = 0; i < size; i++)
		kill(crowd[i], SIGKILL);
	for (uint32_t i = 0; i < size; i++)
		waitpid(crowd[i], NULL, 0);
	source->operations->close(&source);
	free(processes);
}

/* ---- what is left ---- */

struct ids {
	uint32_t programs[IDS_MOST], maps[IDS_MOST], links[IDS_MOST];
	uint32_t program_count, map_count, link_count;
};

static void take_id(const char *text, const char *key, uint32_t *ids, uint32_t *count)
{
	const char *line = strstr(text, key);
	if (line && *count < IDS_MOST)
		ids[(*count)++] = (uint32_t)strtoul(line + strlen(key), NULL, 10);
}

/* Programs, maps and links that the process has open. */
static void ids_of(pid_t pid, struct ids *ids)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	memset(ids, 0, sizeof(*ids));
	for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char name[400];
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		FILE *file = fopen(name, "re");
		size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
		text[length] = '\0';
		if (file)
			fclose(file);
		if (strstr(text, "\nlink_type:")) {
			take_id(text, "\nlink_id:\t", ids->links, &ids->link_count);
		} else {
			take_id(text, "\nprog_id:\t", ids->programs, &ids->program_count);
			take_id(text, "\nmap_id:\t", ids->maps, &ids->map_count);
		}
	}
	closedir(folder);
}

/* How many of them there still are. */
static uint32_t count_left(const uint32_t *ids, uint32_t count, int (*open_by_id)(uint32_t id))
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < count; i++) {
		int fd = open_by_id(ids[i]);
		left += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return left;
}

static uint32_t left_of(const struct ids *ids)
{
	return count_left(ids->programs, ids->program_count, bpf_prog_get_fd_by_id) +
	       count_left(ids->maps, ids->map_count, bpf_map_get_fd_by_id) + count_left(ids->links, ids->link_count, bpf_link_get_fd_by_id);
}

static void test_killed(void **state)
{
	(void)state;
	int ends[2];
	char byte;
	struct ids ids;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork_bound();
	if (pid == 0) {
		struct source_options options = options_of("/proc");
		struct source *source;
		char error[256];
		byte = source_bpf_open(&options, &source, error) == 0 ? 'y' : 'n';
		if (write(ends[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	ids_of(pid, &ids);
	uint32_t all = ids.program_count + ids.map_count + ids.link_count;
	printf("%u programs, %u maps, %u links\n", ids.program_count, ids.map_count, ids.link_count);
	assert_true(ids.program_count > 0 && ids.map_count > 0);
	assert_int_equal(left_of(&ids), all);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 1000 && left_of(&ids) > 0; i++)
		usleep(10000); /* the kernel takes them away when no cpu can be in them any more */
	assert_int_equal(left_of(&ids), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_taken),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_simulated),
	        cmocka_unit_test(test_room),
	        cmocka_unit_test(test_killed),
	};
	if (!walk_live_is_possible())
		return 77;
	config_defaults(&config);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
