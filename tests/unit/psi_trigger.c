/*
 * psi_trigger.c - asking the kernel for reports of stalls, against a kernel that is played here: which requests it takes, what it refuses, and what is said of it.
 */
#include "collector/guard/psi_trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	bool plays;
	int refuses_open;       /* errno, 0 for none */
	int refuses[2];         /* the first request and the second: errno, 0 takes it */
	unsigned opened, asked; /* calls */
	char request[2][64];
	const char *path_refused; /* only the file with this ending is refused; NULL: all */
} kernel;

int __real_open64(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t count);
int __wrap_open64(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);

int __wrap_open64(const char *path, int flags, ...)
{
	if (!kernel.plays)
		return __real_open64(path, flags);
	assert_int_equal(flags & O_ACCMODE, O_RDWR);
	bool is_refused = !kernel.path_refused || strcmp(path + strlen(path) - strlen(kernel.path_refused), kernel.path_refused) == 0;
	kernel.opened++;
	kernel.asked = 0;
	if (!is_refused || kernel.refuses_open == 0)
		return memfd_create("pressure", MFD_CLOEXEC);
	errno = kernel.refuses_open;
	return -1;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t count)
{
	unsigned which = kernel.asked;
	if (!kernel.plays || ((const char *)bytes)[0] != 's')
		return __real_write(fd, bytes, count);
	assert_true(which < 2 && count <= sizeof(kernel.request[0]));
	memcpy(kernel.request[which], bytes, count);
	assert_int_equal(kernel.request[which][count - 1], '\0'); /* the kernel replaces the last byte by NUL */
	kernel.asked++;
	errno = kernel.refuses[which];
	return kernel.refuses[which] ? -1 : (ssize_t)count;
}

static int ask(int refuses_open, int refuses_first, int refuses_second)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.plays = true;
	kernel.refuses_open = refuses_open;
	kernel.refuses[0] = refuses_first;
	kernel.refuses[1] = refuses_second;
	int fd = psi_trigger_open("/proc/pressure/io");
	kernel.plays = false;
	if (fd < 0)
		return fd;
	assert_int_equal(close(fd), 0);
	return 0;
}

static void the_short_window_where_it_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(ask(0, 0, 0), 0);
	assert_int_equal(kernel.asked, 1);
	assert_string_equal(kernel.request[0], "some 150000 1000000");
}

/* Linux 6.5 and later say EINVAL to a short window without CAP_SYS_RESOURCE, and take one of 2 s. */
static void else_the_long_one(void **state)
{
	(void)state;
	assert_int_equal(ask(0, EINVAL, 0), 0);
	assert_int_equal(kernel.asked, 2);
	assert_string_equal(kernel.request[1], "some 300000 2000000");
	assert_int_equal(ask(0, EPERM, 0), 0);
	assert_int_equal(kernel.asked, 2);
}

static void what_is_refused(void **state)
{
	(void)state;
	assert_int_equal(ask(ENOENT, 0, 0), -ENOENT);
	assert_int_equal(kernel.asked, 0);
	assert_int_equal(ask(EACCES, 0, 0), -EACCES);
	assert_int_equal(ask(0, EINVAL, EINVAL), -EINVAL);
	assert_int_equal(ask(0, EOPNOTSUPP, 0), -EOPNOTSUPP);
	assert_int_equal(kernel.asked, 1); /* another window would not help */
	assert_int_equal(ask(0, ENOMEM, 0), -ENOMEM);
	assert_int_equal(kernel.asked, 1);
}

static void nothing_stays_open(void **state)
{
	(void)state;
	int before = memfd_create("before", MFD_CLOEXEC);
	assert_int_equal(ask(0, EINVAL, EINVAL), -EINVAL);
	int after = memfd_create("after", MFD_CLOEXEC);
	assert_int_equal(after, before + 1);
	close(after);
	close(before);
}

static void each_refusal_has_its_sentence(void **state)
{
	static const int errnums[] = {ENOENT, EOPNOTSUPP, EPERM, EINVAL, ENOMEM};
	(void)state;
	for (size_t i = 0; i < sizeof(errnums) / sizeof(errnums[0]); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(psi_trigger_refusal(errnums[i]), psi_trigger_refusal(errnums[j]));
	assert_string_equal(psi_trigger_refusal(EACCES), psi_trigger_refusal(EPERM));
	assert_non_null(strstr(psi_trigger_refusal(EOPNOTSUPP), "psi=1"));
}

/* One of the two files is enough; with none there is no thread. */
static void one_file_is_enough(void **state)
{
	struct psi_triggers *triggers;
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.plays = true;
	kernel.refuses_open = ENOENT;
	kernel.path_refused = "/io";
	assert_int_equal(psi_triggers_open("/proc/pressure", &triggers), 0);
	assert_int_equal(kernel.opened, 2);
	assert_non_null(triggers);
	assert_int_equal(psi_triggers_count(triggers), 0);
	psi_triggers_close(&triggers);
	assert_null(triggers);
	kernel.path_refused = NULL;
	assert_int_equal(psi_triggers_open("/proc/pressure", &triggers), -ENOENT);
	assert_null(triggers);
	psi_triggers_close(&triggers);
	kernel.plays = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_short_window_where_it_is_allowed),
	        cmocka_unit_test(else_the_long_one),
	        cmocka_unit_test(what_is_refused),
	        cmocka_unit_test(nothing_stays_open),
	        cmocka_unit_test(each_refusal_has_its_sentence),
	        cmocka_unit_test(one_file_is_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
