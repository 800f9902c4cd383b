/* notify.c - the journal, and a program of the user's choice, see notify.h. Linux. */
#include "readers/tracker/notify.h"

#include "base/capability.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VARIABLE_BYTES = 128, JOURNAL_BYTES = 2048, NOT_RUN = 127 };
enum { PRIORITY_WARNING = 4, PRIORITY_NOTICE = 5, PRIORITY_INFO = 6 };
static const char usual_journal[] = "/run/systemd/journal/socket";

void notify_begin(struct notify *notify, const struct config *config, const char *journal_path)
{
	*notify = (struct notify){.config = config, .journal_path = journal_path ? journal_path : usual_journal, .journal_fd = -1};
}

void notify_describe(const struct pause *pause, const char *sentence, struct notify_message *message)
{
	const struct pause_who *named = pause_named(pause);

	*message = (struct notify_message){
	        .class = pause_class_name(pause->class),
	        .both_ratio = pause->both_ratio,
	        .duration_ns = pause->duration_ns,
	        .priority = PRIORITY_NOTICE,
	};
	if (pause->class == PAUSE_CLASS_suspend)
		message->priority = PRIORITY_INFO;
	else if (pause->duration_ns >= NS_PER_S)
		message->priority = PRIORITY_WARNING;
	snprintf(message->sentence, sizeof(message->sentence), "%s", sentence);
	snprintf(message->culprit, sizeof(message->culprit), "%s", named ? named->name : "");
	pause_id(pause, message->id);
}

/* ---- journal ---- */

/*
 * One field of the journal's native protocol: "NAME=VALUE\n", or, for a value with a newline in it, "NAME\n", its length as 64 bits, little
 * endian, the value, "\n". Returns the length with it, or 0 where there is no room.
 */
static size_t add_field(char data[JOURNAL_BYTES], size_t length, const char *name, const char *value)
{
	size_t name_length = strlen(name), size = strlen(value);

	if (length == 0 || length + name_length + 1 + 8 + size + 1 > JOURNAL_BYTES)
		return 0;
	length--; /* data begins with one byte that is not sent: 0 is "no room" */
	memcpy(data + length, name, name_length);
	length += name_length;
	if (memchr(value, '\n', size)) {
		data[length++] = '\n';
		for (unsigned shift = 0; shift < 64; shift += 8)
			data[length++] = (char)((uint64_t)size >> shift & 0xff);
	} else {
		data[length++] = '=';
	}
	memcpy(data + length, value, size);
	length += size;
	data[length++] = '\n';
	return length + 1;
}

static size_t frame(const struct notify_message *message, char data[JOURNAL_BYTES])
{
	char number[24];
	size_t length = add_field(data, 1, "MESSAGE", message->sentence);

	snprintf(number, sizeof(number), "%u", message->priority);
	length = add_field(data, length, "PRIORITY", number);
	length = add_field(data, length, "SYSLOG_IDENTIFIER", "rogue-hunter");
	length = add_field(data, length, "RH_PAUSE_ID", message->id);
	length = add_field(data, length, "RH_CLASS", message->class);
	snprintf(number, sizeof(number), "%.2f", (double)message->both_ratio);
	length = add_field(data, length, "RH_CONFIDENCE", number);
	length = add_field(data, length, "RH_CULPRIT", message->culprit);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)(message->duration_ns / NS_PER_US));
	length = add_field(data, length, "RH_DURATION_US", number);
	return length > 0 ? length - 1 : 0;
}

bool notify_journal(struct notify *notify, const struct notify_message *message)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	char data[JOURNAL_BYTES];
	size_t length = frame(message, data);

	if (strcmp(notify->config->notify_journal, "off") == 0 || length == 0 || strlen(notify->journal_path) >= sizeof(place.sun_path))
		return false;
	if (notify->journal_fd < 0)
		notify->journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(place.sun_path, notify->journal_path, strlen(notify->journal_path) + 1);
	return notify->journal_fd >= 0 && sendto(notify->journal_fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT,
	                                          (const struct sockaddr *)&place, sizeof(place)) == (ssize_t)length;
}

/* ---- may it be run ---- */

static bool is_owner_trusted(const struct stat *status)
{
	return status->st_uid == 0 || status->st_uid == geteuid();
}

static bool is_folder_trusted(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && is_owner_trusted(&status) &&
	       (!(status.st_mode & (S_IWGRP | S_IWOTH)) || status.st_mode & S_ISVTX);
}

bool notify_is_trusted(const char *path, char ret_path[PATH_MAX], char why[NOTIFY_TEXT_BYTES])
{
	struct stat status;

	if (!realpath(path, ret_path) || lstat(ret_path, &status) != 0) {
		snprintf(why, NOTIFY_TEXT_BYTES, "notify.command cannot be run: %s", strerror(errno));
		return false;
	}
	if (!S_ISREG(status.st_mode) || access(ret_path, X_OK) != 0) {
		snprintf(why, NOTIFY_TEXT_BYTES, "notify.command cannot be run: it is no program that we may execute");
		return false;
	}
	if (!is_owner_trusted(&status) || status.st_mode & (S_IWGRP | S_IWOTH)) {
		snprintf(why, NOTIFY_TEXT_BYTES,
		        "notify.command is not run: it must belong to root or to the user of the daemon, and not be writable by others");
		return false;
	}
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%s", ret_path);
	for (char *slash; (slash = strrchr(folder, '/')) != NULL && slash != folder;) {
		*slash = '\0';
		if (!is_folder_trusted(folder)) {
			snprintf(why, NOTIFY_TEXT_BYTES,
			        "notify.command is not run: a folder above it belongs to somebody else, or is writable by others");
			return false;
		}
	}
	return true;
}

/* ---- running ---- */

struct environment {
	char texts[5][VARIABLE_BYTES];
	char *variables[8];
};

static void build_environment(const struct notify_message *message, struct environment *environment)
{
	static char path[] = "PATH=/usr/bin:/bin", language[] = "LANG=C.UTF-8";
	char **next = environment->variables;

	snprintf(environment->texts[0], VARIABLE_BYTES, "RH_PAUSE_ID=%s", message->id);
	snprintf(environment->texts[1], VARIABLE_BYTES, "RH_CLASS=%s", message->class);
	snprintf(environment->texts[2], VARIABLE_BYTES, "RH_CONFIDENCE=%.2f", (double)message->both_ratio);
	snprintf(environment->texts[3], VARIABLE_BYTES, "RH_CULPRIT=%s", message->culprit);
	snprintf(environment->texts[4], VARIABLE_BYTES, "RH_DURATION_US=%llu", (unsigned long long)(message->duration_ns / NS_PER_US));
	*next++ = path;
	*next++ = language;
	for (size_t i = 0; i < 5; i++)
		*next++ = environment->texts[i];
	*next = NULL;
}

/* In the new process. It dies with us, and has nothing of us. */
static _Noreturn void become(const char *path, const char *sentence, char *const environment[], pid_t parent)
{
	char *const arguments[] = {
	        (char *)(uintptr_t)path, (char *)(uintptr_t)sentence, NULL}; /* execve() takes no const, and changes nothing */
	sigset_t none;

	setsid();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(NOT_RUN);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDWR);
	bool placed = dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0;
	if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0 || chdir("/") != 0)
		placed = false;
	umask(022);
	/* Most of this the tracker has given up long ago; but not where the kernel refused, and not the bounding set of a user. */
	if (placed && capability_keep(0) == 0)
		execve(path, arguments, environment);
	_exit(NOT_RUN);
}

/* Says why it was not run, each reason once in a row. */
static void refuse(struct notify *notify, const char *why)
{
	if (strcmp(notify->refused, why) == 0)
		return;
	snprintf(notify->refused, sizeof(notify->refused), "%s", why);
	log_say(LOG_WARNING_, "notify_refused", "%s", why);
}

static void start(struct notify *notify, const struct notify_message *message, uint64_t now_ns)
{
	char path[PATH_MAX], why[NOTIFY_TEXT_BYTES];
	struct environment environment;
	pid_t parent = getpid();

	if (!notify_is_trusted(notify->config->notify_command, path, why)) {
		refuse(notify, why);
		return;
	}
	build_environment(message, &environment);
	pid_t pid = fork();
	if (pid == 0)
		become(path, message->sentence, environment.variables, parent);
	if (pid < 0) {
		snprintf(why, sizeof(why), "notify.command cannot be run: %s", strerror(errno));
		refuse(notify, why);
		return;
	}
	notify->refused[0] = '\0';
	notify->running = pid;
	notify->killed = false;
	notify->run_count++;
	notify->deadline_ns = now_ns + (uint64_t)(notify->config->notify_timeout * NS_PER_S);
	snprintf(notify->running_id, sizeof(notify->running_id), "%s", message->id);
}

/* The group has the pid of its leader, which nobody else gets before the leader is reaped. The leader itself may not have made its group yet. */
static void kill_group(const struct notify *notify)
{
	kill(-notify->running, SIGKILL);
	kill(notify->running, SIGKILL);
}

static void tell_end(const struct notify *notify, const siginfo_t *info)
{
	const struct log_field fields[] = {LOG_TEXT("pause", notify->running_id), LOG_INTEGER("code", info->si_status)};
	char message[NOTIFY_TEXT_BYTES];

	if (notify->killed)
		snprintf(message, sizeof(message), "notify.command was killed after %.1f s", notify->config->notify_timeout);
	else if (info->si_code != CLD_EXITED)
		snprintf(message, sizeof(message), "notify.command was killed by SIG%s",
		        sigabbrev_np(info->si_status) ? sigabbrev_np(info->si_status) : "?");
	else if (info->si_status == NOT_RUN)
		snprintf(message, sizeof(message), "notify.command could not be run (exit code %d)", info->si_status);
	else
		snprintf(message, sizeof(message), "notify.command ended with exit code %d", info->si_status);
	bool good = !notify->killed && info->si_code == CLD_EXITED && info->si_status == 0;
	log_event(good ? LOG_DEBUG_ : LOG_WARNING_, "notify_end", message, fields, sizeof(fields) / sizeof(fields[0]));
}

/* Returns whether nothing runs any more. */
static bool see_to_running(struct notify *notify, uint64_t now_ns)
{
	siginfo_t info = {0};

	if (notify->running == 0)
		return true;
	/* Looked at before it is reaped: as long as it is there, its pid and its group's are its own. */
	if (waitid(P_PID, (id_t)notify->running, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
		notify->running = 0; /* somebody else reaped it: nothing is known, and its number no longer safe to signal */
		return true;
	}
	if (info.si_pid == 0) {
		if (now_ns >= notify->deadline_ns) {
			notify->killed = true;
			kill_group(notify);
		}
		return false;
	}
	kill_group(notify);
	waitid(P_PID, (id_t)notify->running, &info, WEXITED | WNOHANG);
	tell_end(notify, &info);
	notify->running = 0;
	return true;
}

void notify_command(struct notify *notify, const struct notify_message *message)
{
	if (!notify->config->notify_command[0])
		return;
	if (notify->waiting == NOTIFY_QUEUE) {
		notify->dropped_count++;
		log_say(LOG_WARNING_, "notify_dropped",
		        "notify.command is not run for %s: %d others wait for it already (%llu left out so far)", message->id, NOTIFY_QUEUE,
		        (unsigned long long)notify->dropped_count);
		return;
	}
	notify->queue[notify->waiting++] = *message;
}

void notify_poll(struct notify *notify, uint64_t now_ns)
{
	if (!see_to_running(notify, now_ns) || notify->waiting == 0)
		return;
	start(notify, &notify->queue[0], now_ns);
	memmove(&notify->queue[0], &notify->queue[1], --notify->waiting * sizeof(notify->queue[0]));
}

void notify_end(struct notify *notify)
{
	notify->waiting = 0;
	if (notify->running > 0) {
		kill_group(notify);
		while (waitpid(notify->running, NULL, 0) < 0 && errno == EINTR)
			;
		notify->running = 0;
	}
	closefd(&notify->journal_fd);
}
