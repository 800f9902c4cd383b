/*
 * `rh-collector --probe` where rights are refused in different ways: always one JSON object with every signal and a reason for each, exit code 0, and
 * nothing left behind.
 */
#include "base/capability.h"
#include "rogue/tables.h"

#include <errno.h>
#include <jansson.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Refuses bpf(2) with that error, to this process and all that it executes. */
static int refuse_bpf(int errnum)
{
	struct sock_filter rules[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 ? -errno : 0;
}

static int as_it_is(void)
{
	return 0;
}

static int without_the_call(void)
{
	return refuse_bpf(ENOSYS);
}

static int forbidden_the_call(void)
{
	return refuse_bpf(EPERM);
}

/* Root whose capabilities were taken: executing gives back none that the bounding set lacks. */
static int without_capabilities(void)
{
	return capability_keep(0);
}

static int without_bpf_alone(void)
{
	return capability_keep(~CAPABILITY(CAP_BPF));
}

/* The probe, in a process that `prepare` has made poorer. Returns its answer; the caller frees it. */
static json_t *probe(int (*prepare)(void))
{
	char path[4096];
	int ends[2], status;
	json_error_t error;

	snprintf(path, sizeof(path), "%s/rh-collector", getenv("BIN"));
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (prepare() != 0)
			_exit(77);
		execl(path, "rh-collector", "--probe", NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *answer = fdopen(ends[0], "r");
	json_t *object = json_loadf(answer, JSON_REJECT_DUPLICATES, &error);
	fclose(answer);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (!object)
		fail_msg("%s", error.text);
	return object;
}

static const json_t *signal_of(const json_t *answer, const char *name)
{
	const json_t *found = NULL;
	size_t i;
	json_t *signal;

	json_array_foreach(json_object_get(answer, "signals"), i, signal)
	{
		if (strcmp(json_string_value(json_object_get(signal, "name")), name) != 0)
			continue;
		assert_null(found); /* once */
		found = signal;
	}
	if (!found)
		fail_msg("no word of %s", name);
	return found;
}

static bool is_available(const json_t *answer, const char *name)
{
	return json_is_true(json_object_get(signal_of(answer, name), "available"));
}

static const char *why(const json_t *answer, const char *name)
{
	return json_string_value(json_object_get(signal_of(answer, name), "why"));
}

static void expect_whole(const json_t *answer)
{
	assert_string_equal(json_string_value(json_object_get(answer, "schema")), "rogue-hunter.probe/1");
	assert_int_equal(json_array_size(json_object_get(answer, "signals")), RH_SIGNAL_ROWS);
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++) {
		assert_true(json_is_boolean(json_object_get(signal_of(answer, rh_signal_rows[i].name), "available")));
		if (why(answer, rh_signal_rows[i].name)[0] == '\0')
			fail_msg("no reason for %s", rh_signal_rows[i].name);
	}
}

/* Nothing that is kernel-direct, but all the rest. */
static void expect_no_kernel(const json_t *answer)
{
	static const char *const kernel_direct[] = {"task_walk", "task_iterator", "scheduler", "last_words", "block_requests", "reclaim"};

	expect_whole(answer);
	assert_false(is_available(answer, "bpf_rights"));
	for (size_t i = 0; i < sizeof(kernel_direct) / sizeof(kernel_direct[0]); i++) {
		assert_false(is_available(answer, kernel_direct[i]));
		assert_memory_equal(why(answer, kernel_direct[i]), "needs ", 6);
	}
	assert_string_equal(json_string_value(json_object_get(answer, "sampler")), "procfs");
	assert_true(is_available(answer, "steal"));
	assert_true(json_integer_value(json_object_get(answer, "processes_count")) > 0);
}

static void with_what_there_is(void **state)
{
	json_t *answer = probe(as_it_is);
	(void)state;

	expect_whole(answer);
	/* What the back end that was opened is made of is available: the two ways of telling agree. */
	const char *sampler = json_string_value(json_object_get(answer, "sampler"));
	if (strcmp(sampler, "bpf") == 0)
		assert_true(is_available(answer, "task_walk"));
	if (strcmp(sampler, "bpf_iterator") == 0)
		assert_true(is_available(answer, "task_iterator"));
	if (strcmp(sampler, "procfs") == 0)
		assert_non_null(json_object_get(answer, "refusal"));
	json_decref(answer);
}

static void kernel_without_bpf(void **state)
{
	json_t *answer = probe(without_the_call);
	(void)state;
	expect_no_kernel(answer);
	assert_string_equal(why(answer, "bpf_rights"), "bpf(2): Function not implemented");
	json_decref(answer);
}

static void sandbox_that_forbids_it(void **state)
{
	json_t *answer = probe(forbidden_the_call);
	(void)state;
	expect_no_kernel(answer);
	json_decref(answer);
}

static void root_without_rights(void **state)
{
	json_t *answer = probe(without_capabilities);
	(void)state;
	expect_no_kernel(answer);
	assert_string_equal(why(answer, "bpf_rights"), "bpf(2): Operation not permitted");
	assert_false(is_available(answer, "locked_memory"));
	json_decref(answer);
}

static void all_rights_but_one(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	json_t *answer = probe(without_bpf_alone);
	/* CAP_SYS_ADMIN would stand in for CAP_BPF, but is given up: what the probe finds is what the collector has. */
	expect_no_kernel(answer);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(with_what_there_is),
	        cmocka_unit_test(kernel_without_bpf),
	        cmocka_unit_test(sandbox_that_forbids_it),
	        cmocka_unit_test(root_without_rights),
	        cmocka_unit_test(all_rights_but_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
