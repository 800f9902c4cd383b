/* Paths: root's places depend on no environment; a user's follow XDG; no name leads out of a folder. */
#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

static void test_instance_names(void **state)
{
	char long_name[66];

	(void)state;
	memset(long_name, 'a', sizeof(long_name));
	long_name[65] = '\0';
	assert_false(path_is_instance(long_name));
	long_name[64] = '\0';
	assert_true(path_is_instance(long_name));
	assert_true(path_is_instance("a"));
	assert_true(path_is_instance("Web-1.example_2"));
	static const char *const bad[] = {"", ".", "..", ".a", "a/b", "/", "a b", "a\n", "\303\244", "a:b", "../../etc/passwd"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char out[PATH_BYTES] = "x";
		assert_false(path_is_instance(bad[i]));
		assert_string_equal(path_database(bad[i], out), "");
	}
}

static void set_environment(void)
{
	setenv("HOME", "/home/u", 1);
	setenv("XDG_CONFIG_HOME", "/x/config", 1);
	setenv("XDG_DATA_HOME", "/x/data", 1);
	setenv("XDG_STATE_HOME", "relative/is/ignored", 1);
	unsetenv("XDG_RUNTIME_DIR");
}

static void test_root(void **state)
{
	char out[PATH_BYTES];

	(void)state;
	if (geteuid() != 0)
		skip();
	set_environment();
	assert_string_equal(path_config(out), "/etc/rogue-hunter/config.toml");
	assert_string_equal(path_database(NULL, out), "/var/lib/rogue-hunter/rogue-hunter.db");
	assert_string_equal(path_database("web", out), "/var/lib/rogue-hunter/web.db");
	assert_string_equal(path_log("web", out), "/var/log/rogue-hunter/web.log");
	assert_string_equal(path_lock("web", out), "/run/rogue-hunter/web.lock");
}

/* In a process of its own, which may give up being root. Returns 0, or the line of the first difference. */
static int check_user(void)
{
	char out[PATH_BYTES], long_home[PATH_BYTES];

#define EXPECT(path, expected) \
	if (strcmp((path), (expected)) != 0) \
	return __LINE__ % 256
	set_environment();
	EXPECT(path_config(out), "/x/config/rogue-hunter/config.toml");
	EXPECT(path_database("web", out), "/x/data/rogue-hunter/web.db");
	EXPECT(path_log(NULL, out), "/home/u/.local/state/rogue-hunter/rogue-hunter.log");
	EXPECT(path_lock(NULL, out), "/home/u/.local/state/rogue-hunter/rogue-hunter.lock");
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	EXPECT(path_lock(NULL, out), "/run/user/1/rogue-hunter/rogue-hunter.lock");
	setenv("XDG_CONFIG_HOME", "", 1);
	EXPECT(path_config(out), "/home/u/.config/rogue-hunter/config.toml");
	memset(long_home, 'h', sizeof(long_home));
	long_home[0] = '/';
	long_home[sizeof(long_home) - 1] = '\0';
	setenv("HOME", long_home, 1);
	EXPECT(path_config(out), "");
	unsetenv("HOME");
	EXPECT(path_log(NULL, out), "");
	EXPECT(path_database("web", out), "/x/data/rogue-hunter/web.db");
	return 0;
}

static void test_user(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0 ? 255 : check_user());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A program is looked for beside this one, and in no folder of PATH. */
static void test_program(void **state)
{
	char out[PATH_BYTES], self[PATH_BYTES];

	(void)state;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(length > 0);
	self[length] = '\0';
	assert_string_equal(path_program(strrchr(self, '/') + 1, out), self);
	setenv("PATH", "/bin:/usr/bin", 1);
	assert_string_equal(path_program("sh", out), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_instance_names),
	        cmocka_unit_test(test_root),
	        cmocka_unit_test(test_user),
	        cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
