/*
 * Telling others of a pause. The program is this test itself, run again as a child that writes down what it finds: arguments, environment,
 * descriptors, rights; or that stays, with children of its own, until it is killed. The journal is a socket that the test reads.
 */
#include "readers/tracker/notify.h"

#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_TRIES = 2000, TEXT_BYTES = 1 << 15 };

static char self[PATH_MAX]; /* this program */
static const char secret[] = "not for others";

struct scene {
	struct config config;
	struct notify notify;
	char folder[200], log[300], out[300], journal[300];
	uint64_t now_ns;
};

static int begin(void **state)
{
	struct scene *scene = *state = calloc(1, sizeof(*scene));
	char error[256];

	snprintf(scene->folder, sizeof(scene->folder), "/tmp/rh-notify-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->log, sizeof(scene->log), "%s/log", scene->folder);
	snprintf(scene->out, sizeof(scene->out), "%s/out", scene->folder);
	snprintf(scene->journal, sizeof(scene->journal), "%s/journal", scene->folder);
	const struct log_options log = {.program = "test", .path = scene->log, .level = LOG_DEBUG_, .max_bytes = 1 << 20, .keep = 1};
	assert_int_equal(log_open(&log, error), 0);
	config_defaults(&scene->config);
	notify_begin(&scene->notify, &scene->config, scene->journal);
	scene->now_ns = NS_PER_S;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;
	DIR *folder = opendir(scene->folder);

	notify_end(&scene->notify);
	log_close();
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(scene->folder);
	free(scene);
	return 0;
}

static void read_text(const char *path, char text[TEXT_BYTES])
{
	int fd = open(path, O_RDONLY);
	ssize_t length = fd >= 0 ? read(fd, text, TEXT_BYTES - 1) : 0;

	text[length > 0 ? length : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static unsigned times_logged(const struct scene *scene, const char *what)
{
	static char text[TEXT_BYTES];
	unsigned count = 0;

	read_text(scene->log, text);
	for (const char *next = text; (next = strstr(next, what)); next++)
		count++;
	return count;
}

static struct pause example(uint32_t number)
{
	struct pause pause = {.word = PAUSE_WORD_very_likely,
	        .boot_id = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10",
	        .number = number,
	        .class = PAUSE_CLASS_cpu,
	        .state = PAUSE_STATE_final,
	        .duration_ns = 1420 * (uint64_t)NS_PER_MS + 600,
	        .both_ratio = 0.87f,
	        .culprit_count = 1};

	snprintf(pause.culprits[0].name, sizeof(pause.culprits[0].name), "40 x cc1 under make[812]");
	return pause;
}

static void tell(struct scene *scene, uint32_t number, const char *sentence)
{
	const struct pause pause = example(number);
	struct notify_message message;

	notify_describe(&pause, sentence, &message);
	notify_command(&scene->notify, &message);
}

/* A program in the scene's folder that is this test with other arguments: a script, since the command takes none. */
static void make_program(struct scene *scene, const char *name, const char *role)
{
	char text[PATH_MAX + 600];
	int length = snprintf(text, sizeof(text), "#!/bin/sh\nexec '%s' %s '%s' \"$@\"\n", self, role, scene->out);

	snprintf(scene->config.notify_command, sizeof(scene->config.notify_command), "%s/%s", scene->folder, name);
	int fd = open(scene->config.notify_command, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, (size_t)length), length);
	close(fd);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
}

static void wait_for_end(struct scene *scene)
{
	for (int i = 0; i < PATIENCE_TRIES && scene->notify.running; i++) {
		nap();
		notify_poll(&scene->notify, scene->now_ns);
	}
	assert_int_equal(scene->notify.running, 0);
}

/* ---- what the child sees ---- */

extern char **environ;

static int describe_myself(int argc, char **argv)
{
	char temporary[PATH_MAX], line[256], target[PATH_MAX];
	FILE *out, *status = fopen("/proc/self/status", "re");
	DIR *folder = opendir("/proc/self/fd");

	snprintf(temporary, sizeof(temporary), "%s.new", argv[2]);
	out = fopen(temporary, "we");
	if (!out || !status || !folder)
		return 3;
	for (int i = 3; i < argc; i++)
		fprintf(out, "argument %d: %s\n", i - 2, argv[i]);
	for (char **variable = environ; *variable; variable++)
		fprintf(out, "variable %s\n", *variable);
	for (struct dirent *entry; (entry = readdir(folder));) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		if (entry->d_name[0] != '.' && fd != dirfd(folder) && fd != fileno(out) && fd != fileno(status) && length > 0)
			fprintf(out, "descriptor %d: %.*s\n", fd, (int)length, target);
	}
	while (fgets(line, sizeof(line), status))
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "NoNewPrivs", 10) == 0 || strncmp(line, "Sig", 3) == 0)
			fputs(line, out);
	fprintf(out, "leader %d %d\n", getsid(0) == getpid(), getpgid(0) == getpid());
	fclose(out);
	fclose(status);
	closedir(folder);
	return rename(temporary, argv[2]) == 0 ? 7 : 3; /* 7: the parent is to tell it from others */
}

/* Ignores what can be ignored, and has a child that would outlive it. Tells both pids. */
static int stay(char **argv)
{
	signal(SIGTERM, SIG_IGN);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, 0);
		for (;;)
			pause();
	}
	char temporary[PATH_MAX];
	snprintf(temporary, sizeof(temporary), "%s.new", argv[2]);
	FILE *out = fopen(temporary, "we");
	if (!out)
		return 3;
	fprintf(out, "%d %d\n", (int)getpid(), (int)child);
	fclose(out);
	rename(temporary, argv[2]);
	if (strcmp(argv[1], "--leave") == 0)
		return 0;
	for (;;)
		pause();
}

static void clean_child(void **state)
{
	struct scene *scene = *state;
	static char text[TEXT_BYTES];
	char variables[8][80] = {"variable PATH=/usr/bin:/bin\n", "variable LANG=C.UTF-8\n", "variable RH_PAUSE_ID=7c1f93ab-3\n",
	        "variable RH_CLASS=cpu\n", "variable RH_CONFIDENCE=0.87\n", "variable RH_CULPRIT=40 x cc1 under make[812]\n",
	        "variable RH_DURATION_US=1420000\n"};
	unsigned count = 0;
	int leaked = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */

	assert_true(leaked > 2);
	setenv("RH_SECRET", secret, 1);
	signal(SIGPIPE, SIG_IGN);
	make_program(scene, "describe", "--describe");
	tell(scene, 3, "31 tasks paused; `touch x` \"$HOME\" \\ %s");
	notify_poll(&scene->notify, scene->now_ns);
	assert_true(scene->notify.running > 0);
	wait_for_end(scene);
	close(leaked);
	read_text(scene->out, text);
	assert_non_null(strstr(text, "argument 1: 31 tasks paused; `touch x` \"$HOME\" \\ %s\n"));
	assert_null(strstr(text, "argument 2"));
	for (size_t i = 0; variables[i][0]; i++)
		assert_non_null(strstr(text, variables[i]));
	for (const char *next = text; (next = strstr(next, "\nvariable ")); next++)
		count += strncmp(next, "\nvariable PWD=", 14) != 0 && strncmp(next, "\nvariable _=", 12) != 0 &&
		         strncmp(next, "\nvariable OLDPWD=", 17) != 0 && strncmp(next, "\nvariable SHLVL=", 16) != 0; /* the shell's own */
	assert_int_equal(count, 7);
	assert_null(strstr(text, secret));
	for (int fd = 0; fd < 3; fd++) {
		char line[40];
		snprintf(line, sizeof(line), "descriptor %d: /dev/null\n", fd);
		assert_non_null(strstr(text, line));
	}
	assert_null(strstr(text, "/dev/zero"));
	assert_null(strstr(text, scene->log));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text, "CapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "SigIgn:\t0000000000000000\n"));
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(text, "leader 1 1\n"));
	assert_int_equal(times_logged(scene, "ended with exit code 7"), 1);
	unsetenv("RH_SECRET");
}

/* ---- time ---- */

static bool is_alive(pid_t pid)
{
	char path[40], text[200] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	return length > 0 && !strstr(text, ") Z ") && !strstr(text, ") X ");
}

static void read_pids(const struct scene *scene, int pids[2])
{
	static char text[TEXT_BYTES];

	for (int i = 0; i < PATIENCE_TRIES; i++) {
		read_text(scene->out, text);
		if (sscanf(text, "%d %d", &pids[0], &pids[1]) == 2)
			return;
		nap();
	}
	fail_msg("the program never said its pids");
}

static void check_dead(const int pids[2])
{
	for (int i = 0; i < PATIENCE_TRIES && (is_alive(pids[0]) || is_alive(pids[1])); i++)
		nap();
	assert_false(is_alive(pids[0]) || is_alive(pids[1]));
}

static void killed_with_its_children(void **state)
{
	struct scene *scene = *state;
	int pids[2];

	scene->config.notify_timeout = 5;
	make_program(scene, "stay", "--stay");
	tell(scene, 1, "x");
	notify_poll(&scene->notify, scene->now_ns);
	read_pids(scene, pids);
	notify_poll(&scene->notify, scene->now_ns + 5 * (uint64_t)NS_PER_S - 1);
	nap();
	notify_poll(&scene->notify, scene->now_ns + 5 * (uint64_t)NS_PER_S - 1);
	assert_true(is_alive(pids[0]) && is_alive(pids[1]) && scene->notify.running > 0);
	scene->now_ns += 5 * (uint64_t)NS_PER_S;
	notify_poll(&scene->notify, scene->now_ns);
	wait_for_end(scene);
	check_dead(pids);
	assert_int_equal(times_logged(scene, "was killed after 5.0 s"), 1);
}

/* What it leaves behind when it ends is ended with it. */
static void children_left_behind(void **state)
{
	struct scene *scene = *state;
	int pids[2];

	make_program(scene, "leave", "--leave");
	tell(scene, 1, "x");
	notify_poll(&scene->notify, scene->now_ns);
	read_pids(scene, pids);
	wait_for_end(scene);
	check_dead(pids);
	assert_int_equal(times_logged(scene, "ended with exit code 0"), 1);
}

static void end_of_the_tracker(void **state)
{
	struct scene *scene = *state;
	int pids[2];

	make_program(scene, "stay", "--stay");
	tell(scene, 1, "x");
	notify_poll(&scene->notify, scene->now_ns);
	read_pids(scene, pids);
	notify_end(&scene->notify);
	check_dead(pids);
}

/* ---- one at a time ---- */

static void queue(void **state)
{
	struct scene *scene = *state;
	int pids[2];

	make_program(scene, "stay", "--stay");
	tell(scene, 1, "x");
	notify_poll(&scene->notify, scene->now_ns);
	read_pids(scene, pids);
	pid_t first = scene->notify.running;
	for (uint32_t i = 0; i < NOTIFY_QUEUE + 3; i++) {
		tell(scene, 2 + i, "x");
		notify_poll(&scene->notify, scene->now_ns);
		assert_int_equal(scene->notify.running, first);
	}
	assert_int_equal(scene->notify.dropped_count, 3);
	assert_int_equal(times_logged(scene, "notify_dropped"), 3);
	make_program(scene, "describe", "--describe");
	kill(first, SIGKILL);
	for (int i = 0; i < PATIENCE_TRIES && (scene->notify.running || scene->notify.waiting); i++) {
		notify_poll(&scene->notify, scene->now_ns);
		nap();
	}
	assert_int_equal(scene->notify.run_count, 1 + NOTIFY_QUEUE);
	static char text[TEXT_BYTES];
	read_text(scene->out, text);
	assert_non_null(strstr(text, "RH_PAUSE_ID=7c1f93ab-5\n")); /* the last one that had room, in order */
	assert_int_equal(times_logged(scene, "was killed by SIGKILL"), 1);
}

/* ---- who may be run ---- */

static void refused(struct scene *scene, const char *part)
{
	uint64_t before = scene->notify.run_count;

	for (int i = 0; i < 3; i++) {
		tell(scene, 1, "x");
		notify_poll(&scene->notify, scene->now_ns);
	}
	assert_int_equal(scene->notify.run_count, before);
	assert_int_equal(scene->notify.running, 0);
	assert_int_equal(times_logged(scene, part), 1); /* said once, though it happened three times */
}

static void owner_and_mode(void **state)
{
	struct scene *scene = *state;
	char link[400], path[PATH_MAX], why[NOTIFY_TEXT_BYTES];

	tell(scene, 1, "x"); /* no command, nothing to wait for */
	assert_int_equal(scene->notify.waiting, 0);
	snprintf(scene->config.notify_command, sizeof(scene->config.notify_command), "%s/nothing", scene->folder);
	refused(scene, "No such file");
	snprintf(scene->config.notify_command, sizeof(scene->config.notify_command), "/tmp");
	refused(scene, "it is no program");
	make_program(scene, "describe", "--describe");
	assert_int_equal(chmod(scene->config.notify_command, 0702), 0);
	refused(scene, "not be writable by others");
	assert_int_equal(chmod(scene->config.notify_command, 0720), 0);
	assert_false(notify_is_trusted(scene->config.notify_command, path, why));
	assert_int_equal(chmod(scene->config.notify_command, 0700), 0);
	assert_int_equal(chmod(scene->folder, 0777), 0);
	refused(scene, "a folder above it");
	assert_int_equal(chmod(scene->folder, 01777), 0); /* sticky: nobody can put another in its place */
	assert_true(notify_is_trusted(scene->config.notify_command, path, why));
	assert_int_equal(chmod(scene->folder, 0700), 0);
	snprintf(link, sizeof(link), "%s/link", scene->folder);
	assert_int_equal(symlink(scene->config.notify_command, link), 0);
	assert_true(notify_is_trusted(link, path, why)); /* what it leads to is what counts */
	assert_string_equal(path, scene->config.notify_command);
	if (geteuid() == 0) {
		assert_int_equal(chown(scene->config.notify_command, 12345, 0), 0);
		assert_false(notify_is_trusted(link, path, why));
		assert_non_null(strstr(why, "must belong to root"));
		assert_int_equal(chown(scene->config.notify_command, 0, 0), 0);
		assert_int_equal(chown(scene->folder, 12345, 0), 0);
		assert_false(notify_is_trusted(link, path, why));
		assert_int_equal(chown(scene->folder, 0, 0), 0);
	}
	tell(scene, 1, "x");
	notify_poll(&scene->notify, scene->now_ns);
	assert_int_equal(scene->notify.run_count, 1);
	wait_for_end(scene);
}

static void no_interpreter(void **state)
{
	struct scene *scene = *state;

	snprintf(scene->config.notify_command, sizeof(scene->config.notify_command), "%s/broken", scene->folder);
	int fd = open(scene->config.notify_command, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_int_equal(write(fd, "#!/nowhere/at/all\n", 18), 18);
	close(fd);
	tell(scene, 1, "x");
	notify_poll(&scene->notify, scene->now_ns);
	wait_for_end(scene);
	assert_int_equal(times_logged(scene, "could not be run"), 1);
}

/* ---- the journal ---- */

static int listen_as_journal(const struct scene *scene)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(place.sun_path, sizeof(place.sun_path), "%s", scene->journal);
	assert_int_equal(bind(fd, (const struct sockaddr *)&place, sizeof(place)), 0);
	return fd;
}

/* The value of a field, by the rules of the journal's native protocol; fails where the message breaks them. */
static bool find_field(const char *data, size_t length, const char *name, char value[512])
{
	bool found = false;

	for (size_t at = 0; at < length;) {
		size_t name_length = 0, size = 0;
		while (at + name_length < length && data[at + name_length] != '=' && data[at + name_length] != '\n')
			name_length++;
		size_t begin_of_value = at + name_length + 1;
		assert_true(begin_of_value <= length && name_length > 0);
		if (data[begin_of_value - 1] == '=') {
			while (begin_of_value + size < length && data[begin_of_value + size] != '\n')
				size++;
		} else {
			assert_true(begin_of_value + 8 <= length);
			for (unsigned i = 0; i < 8; i++)
				size |= (size_t)(unsigned char)data[begin_of_value + i] << 8 * i;
			begin_of_value += 8;
		}
		assert_true(begin_of_value + size < length && data[begin_of_value + size] == '\n' && size < 512);
		if (name_length == strlen(name) && memcmp(data + at, name, name_length) == 0) {
			memcpy(value, data + begin_of_value, size);
			value[size] = '\0';
			assert_false(found);
			found = true;
		}
		at = begin_of_value + size + 1;
	}
	return found;
}

static void check_field(const char *data, size_t length, const char *name, const char *expected)
{
	char value[512];

	assert_true(find_field(data, length, name, value));
	assert_string_equal(value, expected);
}

static void journal(void **state)
{
	struct scene *scene = *state;
	int fd = listen_as_journal(scene);
	struct pause pause = example(36);
	struct notify_message message;
	char data[4096];

	notify_describe(&pause, "31 tasks paused for up to 1.42 s at 14:03:07: x. [7c1f-36 cpu]", &message);
	assert_true(notify_journal(&scene->notify, &message));
	ssize_t length = recv(fd, data, sizeof(data), 0);
	assert_true(length > 0);
	check_field(data, (size_t)length, "MESSAGE", message.sentence);
	check_field(data, (size_t)length, "PRIORITY", "4");
	check_field(data, (size_t)length, "RH_PAUSE_ID", "7c1f93ab-36");
	check_field(data, (size_t)length, "RH_CLASS", "cpu");
	check_field(data, (size_t)length, "RH_CONFIDENCE", "0.87");
	check_field(data, (size_t)length, "RH_CULPRIT", "40 x cc1 under make[812]");
	check_field(data, (size_t)length, "RH_DURATION_US", "1420000");
	snprintf(message.sentence, sizeof(message.sentence), "two\nlines\nPRIORITY=0");
	snprintf(message.culprit, sizeof(message.culprit), "\n");
	assert_true(notify_journal(&scene->notify, &message));
	length = recv(fd, data, sizeof(data), 0);
	check_field(data, (size_t)length, "MESSAGE", "two\nlines\nPRIORITY=0");
	check_field(data, (size_t)length, "PRIORITY", "4"); /* once: the other is within a value */
	check_field(data, (size_t)length, "RH_CULPRIT", "\n");
	close(fd);
}

static void journal_priorities(void **state)
{
	struct pause pause = example(1);
	struct notify_message message;

	(void)state;
	pause.duration_ns = NS_PER_S - 1;
	pause.culprits[0].role = PAUSE_ROLE_candidate;
	notify_describe(&pause, "", &message);
	assert_int_equal(message.priority, 5);
	assert_string_equal(message.culprit, ""); /* a candidate is not named */
	pause.duration_ns = NS_PER_S;
	notify_describe(&pause, "", &message);
	assert_int_equal(message.priority, 4);
	pause.class = PAUSE_CLASS_suspend;
	notify_describe(&pause, "", &message);
	assert_int_equal(message.priority, 6);
}

/* No journal, one that takes nothing, one that is not wanted: no call waits, nothing is said. */
static void no_journal(void **state)
{
	struct scene *scene = *state;
	struct pause pause = example(1);
	struct notify_message message;
	unsigned sent = 0;

	notify_describe(&pause, "x", &message);
	assert_false(notify_journal(&scene->notify, &message));
	int fd = listen_as_journal(scene);
	uint64_t before_ns = clock_now_ns(CLOCK_MONOTONIC);
	while (sent < 100000 && notify_journal(&scene->notify, &message))
		sent++;
	assert_in_range(sent, 1, 99999);
	assert_true(clock_now_ns(CLOCK_MONOTONIC) - before_ns < 20 * (uint64_t)NS_PER_S);
	close(fd);
	assert_false(notify_journal(&scene->notify, &message)); /* it ended */
	unlink(scene->journal);
	fd = listen_as_journal(scene);
	assert_true(notify_journal(&scene->notify, &message)); /* and came back */
	snprintf(scene->config.notify_journal, sizeof(scene->config.notify_journal), "off");
	assert_false(notify_journal(&scene->notify, &message));
	close(fd);
	assert_int_equal(times_logged(scene, "journal"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        TEST(clean_child),
	        TEST(killed_with_its_children),
	        TEST(children_left_behind),
	        TEST(end_of_the_tracker),
	        TEST(queue),
	        TEST(owner_and_mode),
	        TEST(no_interpreter),
	        TEST(journal),
	        TEST(journal_priorities),
	        TEST(no_journal),
	};

	if (argc > 2)
		return strcmp(argv[1], "--describe") == 0 ? describe_myself(argc, argv) : stay(argv);
	if (!realpath("/proc/self/exe", self))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
