/* supervisor.c - keeps the daemon's processes running. */
#include "cli/supervisor.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/detach.h"
#include "cli/exit_codes.h"
#include "cli/ring_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The programs, in the order in which they start. The collector is the first: ring_watch looks at its ring. */
static const struct child_spec specs[] = {
        {.name = "collector", .program = "rh-collector"},
        {.name = "tracker", .program = "rh-tracker", .database = true},
};
enum { CHILDREN = sizeof(specs) / sizeof(specs[0]), COLLECTOR = 0 };

#ifndef SUPERVISOR_WATCH_NS /* a test is in more of a hurry */
#define SUPERVISOR_WATCH_NS (5 * (uint64_t)NS_PER_S)
#endif
static const uint64_t start_limit_ns = 30 * (uint64_t)NS_PER_S;
static const uint64_t stop_limit_ns = 5 * (uint64_t)NS_PER_S;
static const uint64_t echo_ns = 1 * (uint64_t)NS_PER_S;
enum { HUNG_LOOKS = 6 }; /* looks at a hung collector, one every SUPERVISOR_WATCH_NS, before it is killed */

enum phase { STARTING, RUNNING, STOPPING };

/* What an epoll event is about: a child's stream, or the signals. */
enum { EVENT_READY, EVENT_STDERR, EVENT_KINDS, EVENT_SIGNAL = EVENT_KINDS * CHILDREN };

struct supervisor {
	const struct supervisor_options *options;
	struct child children[CHILDREN];
	enum phase phase;
	int epoll_fd, signal_fd, report_fd;
	int exit_code;
	char reason[256]; /* for the end */
	unsigned hung_looks;
	bool killing; /* the children had their time to stop */
	/* deadlines, MONOTONIC ns; 0: none */
	uint64_t start_limit_ns, end_ns, kill_ns, watch_ns;
	uint64_t insist_ns; /* a request to stop that comes before is the same one again */
};

/* One line about a child: "NAME WHAT", and its name and pid as fields. */
static void log_child(const struct child *child, enum log_level level, const char *event, const char *what)
{
	const struct log_field fields[] = {LOG_TEXT("child", child->spec->name), LOG_INTEGER("child_pid", child->last_pid)};
	char message[512];

	snprintf(message, sizeof(message), "%s %s", child->spec->name, what);
	log_event(level, event, message, fields, 2);
}

/* ---- ending ---- */

static void signal_all(struct supervisor *s, int signal_number)
{
	for (int i = 0; i < CHILDREN; i++)
		child_signal(&s->children[i], signal_number);
}

/* Begins the end. The first reason counts. */
static void stop(struct supervisor *s, int exit_code, const char *reason)
{
	if (s->phase == STOPPING)
		return;
	log_say(exit_code ? LOG_ERROR_ : LOG_INFO_, "daemon_stop", "stopping: %s", reason);
	s->phase = STOPPING;
	s->exit_code = exit_code;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	s->kill_ns = clock_now_ns(CLOCK_MONOTONIC) + stop_limit_ns;
	s->insist_ns = clock_now_ns(CLOCK_MONOTONIC) + echo_ns;
	signal_all(s, SIGTERM);
}

static void kill_all(struct supervisor *s, const char *why)
{
	s->kill_ns = 0;
	s->killing = true;
	for (int i = 0; i < CHILDREN; i++)
		if (s->children[i].pid > 0)
			log_child(&s->children[i], LOG_WARNING_, "child_kill", why);
	signal_all(s, SIGKILL);
}

static bool is_all_gone(const struct supervisor *s)
{
	for (int i = 0; i < CHILDREN; i++)
		if (s->children[i].pid > 0)
			return false;
	return true;
}

/* ---- starting ---- */

static void listen_to(struct supervisor *s, int fd, uint32_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

	if (fd >= 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		log_say(LOG_ERROR_, "daemon_fault", "cannot listen to a child: %s", strerror(errno));
}

static void wait_to_restart(struct child *child, uint64_t lived_ns, const char *why)
{
	uint64_t delay_ns = restart_delay_ns(&child->restart, lived_ns);
	const struct log_field fields[] = {
	        LOG_TEXT("child", child->spec->name),
	        LOG_INTEGER("child_pid", child->last_pid),
	        LOG_INTEGER("restart_ms", delay_ns / NS_PER_MS),
	        LOG_INTEGER("failures", child->restart.failures),
	};
	char message[512];

	child->restart_ns = clock_now_ns(CLOCK_MONOTONIC) + delay_ns;
	snprintf(message, sizeof(message), "%s %s; starting it again in %.1f s", child->spec->name, why, (double)delay_ns / NS_PER_S);
	log_event(LOG_WARNING_, "child_restart", message, fields, sizeof(fields) / sizeof(fields[0]));
}

/* Memory that nobody would ever give back: unfinished rings of collectors that were killed in their first milliseconds. */
static void sweep(const struct supervisor *s)
{
	unsigned removed = ring_watch_sweep(s->options->context.instance);

	if (removed > 0)
		log_say(LOG_INFO_, "ring_removed", "removed %u unfinished rings of collectors that were killed", removed);
}

static void start_child(struct supervisor *s, int number)
{
	struct child *child = &s->children[number];
	char error[256];

	if (number == COLLECTOR)
		sweep(s);
	int failed = child_start(child, &s->options->context, error);
	if (failed && s->phase == STARTING) {
		stop(s, EXIT_FAILED, error);
	} else if (failed) {
		wait_to_restart(child, 0, error);
	} else {
		listen_to(s, child->ready_fd, (uint32_t)(EVENT_KINDS * number + EVENT_READY));
		listen_to(s, child->stderr_fd, (uint32_t)(EVENT_KINDS * number + EVENT_STDERR));
		char what[40];
		snprintf(what, sizeof(what), "started, pid %d", (int)child->pid);
		log_child(child, LOG_INFO_, "child_start", what);
	}
}

/* The first start goes on with the next program, or is done. */
static void go_on_starting(struct supervisor *s, int number)
{
	char sentence[64];

	if (number + 1 < CHILDREN) {
		if (s->children[number + 1].pid == 0)
			start_child(s, number + 1);
		return;
	}
	s->phase = RUNNING;
	s->start_limit_ns = 0;
	s->watch_ns = clock_now_ns(CLOCK_MONOTONIC) + SUPERVISOR_WATCH_NS;
	snprintf(sentence, sizeof(sentence), "the daemon runs, pid %d", (int)getpid());
	log_say(LOG_INFO_, "daemon_ready", "%s", sentence);
	detach_report(&s->report_fd, EXIT_OK, sentence);
}

/* ---- events ---- */

/* A few lines at a time: a child that floods its stderr must not keep us from everything else. */
static void hear_stderr(struct child *child)
{
	const char *line;

	for (int lines = 0; lines < 32 && (line = child_hear_line(child)) != NULL; lines++) {
		const struct log_field fields[] = {LOG_TEXT("child", child->spec->name)};
		log_event(LOG_WARNING_, "child_said", line, fields, 1);
	}
}

static void describe_end(const struct child *child, enum child_ending ending, int code, char out[160])
{
	const char *name = ending == CHILD_KILLED ? sigabbrev_np(code) : NULL;

	if (ending == CHILD_KILLED)
		snprintf(out, 160, "(pid %d) was killed by SIG%s", (int)child->last_pid, name ? name : "?");
	else
		snprintf(out, 160, "(pid %d) ended with exit code %d", (int)child->last_pid, code);
}

/* A start that failed in good order would fail again: its exit code and its own sentence are the daemon's. */
static void fail_start(struct supervisor *s, const struct child *child, int code, const char *how)
{
	static const char own_prefix[] = "rogue-hunter: ";
	const char *said = child->said;
	char reason[256];

	if (strncmp(said, own_prefix, strlen(own_prefix)) == 0)
		said += strlen(own_prefix);
	if (*said)
		snprintf(reason, sizeof(reason), "%s", said);
	else
		snprintf(reason, sizeof(reason), "%s %s while starting", child->spec->name, how);
	stop(s, code == EXIT_USAGE || code == EXIT_RESOURCES ? code : EXIT_FAILED, reason);
}

static void handle_end(struct supervisor *s, struct child *child, enum child_ending ending, int code)
{
	uint64_t lived_ns = clock_now_ns(CLOCK_MONOTONIC) - child->started_ns;
	char how[160], reason[256];

	describe_end(child, ending, code, how);
	if (s->phase == STOPPING) {
		log_child(child, LOG_INFO_, "child_end", how);
	} else if (ending == CHILD_EXITED && s->phase == STARTING) {
		fail_start(s, child, code, how);
	} else if (ending == CHILD_EXITED && code == EXIT_USAGE) {
		snprintf(reason, sizeof(reason), "%s %s: it does not take the options or the configuration of this daemon",
		        child->spec->name, how);
		stop(s, EXIT_USAGE, reason);
	} else {
		wait_to_restart(child, lived_ns, how);
	}
}

static void reap_children(struct supervisor *s)
{
	for (int i = 0; i < CHILDREN; i++) {
		struct child *child = &s->children[i];
		enum child_ending ending;
		int code;

		if (child->pid == 0)
			continue;
		hear_stderr(child); /* its last words come before its end */
		ending = child_reap(child, &code);
		if (ending != CHILD_RUNS)
			handle_end(s, child, ending, code);
	}
}

/*
 * The second request means "at once". Not so within a second of the first: timeout(1), service managers and terminals send to a process and to its
 * group, and what reaches us twice was asked for once. The children get the group's signal as well as ours; to them the second is nothing new.
 */
static void handle_stop_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
	char reason[80];

	if (info->ssi_signo == SIGHUP && !s->options->foreground)
		return; /* no terminal: nothing has hung up */
	if (s->phase == STOPPING && !s->killing && clock_now_ns(CLOCK_MONOTONIC) >= s->insist_ns)
		kill_all(s, "is to stop at once: killing it");
	snprintf(reason, sizeof(reason), "SIG%s received", sigabbrev_np((int)info->ssi_signo));
	stop(s, EXIT_OK, reason);
}

/* Signals come before all else: of a Ctrl-C the children die as well, which is no reason to start them again. */
static void handle_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	bool child_ended = false;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			child_ended = true;
		else
			handle_stop_signal(s, &info);
	}
	if (child_ended)
		reap_children(s);
}

static void handle_event(struct supervisor *s, uint32_t what)
{
	if (what >= EVENT_SIGNAL)
		return; /* handle_signals() has seen to it */
	int number = (int)(what / EVENT_KINDS);
	struct child *child = &s->children[number];

	if (what % EVENT_KINDS == EVENT_STDERR) {
		hear_stderr(child);
	} else if (child->ready_fd >= 0 && child_hear_ready(child)) {
		log_child(child, LOG_INFO_, "child_ready", "is ready");
		if (s->phase == STARTING)
			go_on_starting(s, number);
	}
}

/* ---- deadlines ---- */

/* A row of looks, not a time: looks that did not happen (we were stopped, the machine slept) count for nothing. */
static void watch_collector(struct supervisor *s)
{
	struct child *collector = &s->children[COLLECTOR];

	s->watch_ns = clock_now_ns(CLOCK_MONOTONIC) + SUPERVISOR_WATCH_NS;
	if (!collector->is_ready || !ring_watch_is_hung(s->options->context.instance, collector->pid)) {
		s->hung_looks = 0;
	} else if (++s->hung_looks >= HUNG_LOOKS) {
		s->hung_looks = 0;
		log_child(collector, LOG_ERROR_, "child_hung", "publishes nothing any more: killing it");
		child_signal(collector, SIGKILL);
	}
}

static bool is_due(uint64_t deadline_ns, uint64_t now_ns)
{
	return deadline_ns != 0 && now_ns >= deadline_ns;
}

static void handle_deadlines(struct supervisor *s)
{
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);

	if (is_due(s->end_ns, now_ns))
		stop(s, EXIT_OK, "the time given with --duration is over");
	if (s->phase == STARTING && is_due(s->start_limit_ns, now_ns))
		stop(s, EXIT_FAILED, "no sample was published within 30 s; the log says more");
	if (s->phase == STOPPING && is_due(s->kill_ns, now_ns))
		kill_all(s, "does not stop: killing it");
	if (s->phase == RUNNING && is_due(s->watch_ns, now_ns))
		watch_collector(s);
	for (int i = 0; i < CHILDREN && s->phase != STOPPING; i++)
		if (is_due(s->children[i].restart_ns, now_ns))
			start_child(s, i);
}

static void earliest(uint64_t *first_ns, uint64_t deadline_ns)
{
	if (deadline_ns != 0 && (*first_ns == 0 || deadline_ns < *first_ns))
		*first_ns = deadline_ns;
}

/* Time until the next deadline of this phase, in ms as epoll_wait() takes it. */
static int next_timeout_ms(const struct supervisor *s)
{
	uint64_t first_ns = 0, now_ns = clock_now_ns(CLOCK_MONOTONIC);

	if (s->phase == STOPPING) {
		earliest(&first_ns, s->kill_ns);
	} else {
		earliest(&first_ns, s->end_ns);
		earliest(&first_ns, s->start_limit_ns);
		earliest(&first_ns, s->watch_ns);
		for (int i = 0; i < CHILDREN; i++)
			earliest(&first_ns, s->children[i].restart_ns);
	}
	if (first_ns == 0)
		return -1;
	if (first_ns <= now_ns)
		return 0;
	uint64_t ms = (first_ns - now_ns) / NS_PER_MS + 1; /* never too early: that would be a busy loop */
	return ms < 3600000 ? (int)ms : 3600000;
}

/* ---- the loop ---- */

/* nohup's wish: a signal that is blocked for a signalfd would come through though it is ignored. */
static bool is_ignored(int signal_number)
{
	struct sigaction action;
	return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int open_events(struct supervisor *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (!is_ignored(SIGHUP))
		sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a console that went away is no reason to end */
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->signal_fd < 0 || s->epoll_fd < 0)
		return -errno;
	listen_to(s, s->signal_fd, EVENT_SIGNAL);
	return 0;
}

static void loop(struct supervisor *s)
{
	while (s->phase != STOPPING || !is_all_gone(s)) {
		struct epoll_event events[8];
		int count = epoll_wait(s->epoll_fd, events, sizeof(events) / sizeof(events[0]), next_timeout_ms(s));

		handle_signals(s);
		for (int i = 0; i < count; i++)
			handle_event(s, events[i].data.u32);
		handle_deadlines(s);
	}
}

int supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s = {.options = options, .epoll_fd = -1, .signal_fd = -1, .report_fd = options->report_fd};
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < CHILDREN; i++)
		child_init(&s.children[i], &specs[i]);
	s.start_limit_ns = now_ns + start_limit_ns;
	s.end_ns = options->duration_ns ? now_ns + options->duration_ns : 0;
	int failed = open_events(&s);
	if (failed) {
		detach_report(&s.report_fd, EXIT_FAILED, strerror(-failed));
		log_say(LOG_ERROR_, "daemon_fault", "cannot wait for events: %s", strerror(-failed));
		return EXIT_FAILED;
	}
	start_child(&s, COLLECTOR);
	loop(&s);
	/* The ring outlives its collector on purpose; it must not outlive the daemon. */
	if (ring_watch_remove(options->context.instance, s.children[COLLECTOR].last_pid))
		log_say(LOG_INFO_, "ring_removed", "removed the ring that the collector left behind");
	sweep(&s);
	log_say(LOG_INFO_, "daemon_end", "ended, exit code %d", s.exit_code);
	/* Whoever still waits for the start hears now, when nothing runs any more. */
	detach_report(&s.report_fd, s.exit_code ? s.exit_code : EXIT_FAILED, s.reason);
	closefd(&s.signal_fd);
	closefd(&s.epoll_fd);
	return s.exit_code;
}
