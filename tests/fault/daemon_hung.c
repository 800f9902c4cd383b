/*
 * daemon_hung.c - a collector that lives and publishes nothing any more is killed and started again; one that is stopped by a signal is left
 * alone; the ring of one that died is removed when the daemon ends.
 *
 * The program plays all the parts: copied into a folder of its own as rh-collector and rh-tracker, it is what the supervisor starts.
 */
#define SUPERVISOR_WATCH_NS (20 * (uint64_t)NS_PER_MS) /* looks often; the ring itself calls a writer hung after 2 s */
#include "cli/supervisor.c"

#include "base/path.h"
#include "rogue/reader.h"
#include "shm/writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { READY = 4, TRIES = 1500, TEXT_ROOM = 64 * 1024 };

static char folder[PATH_BYTES]; /* where the copies lie */
static char instance[32], log_path[PATH_BYTES + 16];

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "daemon_hung: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool exists(const char *name)
{
	char path[PATH_BYTES + 16];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

/* ---- the children ---- */

static int play_collector(const char *name)
{
	const struct ring_options options = {.instance = name,
	        .slots = 8,
	        .arena_bytes = 1 << 16,
	        .min_arena_bytes = 1 << 16,
	        .period_ns = 20 * NS_PER_MS,
	        .group = UINT32_MAX};
	const struct rh_system system = {.boottime_ns = clock_now_ns(CLOCK_BOOTTIME)};
	struct ring_writer *writer;
	struct ring_frame frame;
	char error[256], mark[PATH_BYTES + 16];

	if (ring_create(&options, &writer, error) != 0 || ring_reserve(writer, 1, RH_PROCESS_HOT_BYTES, &frame) != 0)
		return 1;
	ring_publish(writer, &system, 0, 0);
	if (write(READY, "\n", 1) != 1)
		return 1;
	bool hang = !exists("hung");
	snprintf(mark, sizeof(mark), "%s/hung", folder);
	close(open(mark, O_CREAT | O_WRONLY, 0600));
	for (;;) {
		nap();
		if (!hang)
			ring_heartbeat(writer, clock_now_ns(CLOCK_BOOTTIME));
	}
}

static int play_tracker(void)
{
	if (write(READY, "\n", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static int play_supervisor(void)
{
	struct supervisor_options options = {.context = {.instance = instance, .database = "/nowhere", .config_fd = 10}, .report_fd = -1};
	const struct log_options log = {.program = "daemon", .path = log_path, .max_bytes = 1 << 20, .keep = 1};
	char error[256];

	if (log_open(&log, error) != 0 || dup2(STDERR_FILENO, options.context.config_fd) < 0)
		die(error);
	return supervisor_run(&options);
}

/* ---- the test ---- */

static void copy_self(const char *name)
{
	char path[PATH_BYTES + 16];
	struct stat status;
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (from < 0 || to < 0 || fstat(from, &status) != 0)
		die(path);
	for (off_t done = 0; done < status.st_size;)
		if (sendfile(to, from, &done, (size_t)(status.st_size - done)) <= 0)
			die("copy");
	close(from);
	close(to);
}

static unsigned times_logged(const char *words)
{
	static char text[TEXT_ROOM];
	unsigned count = 0;

	if (file_read_at(AT_FDCWD, log_path, text, sizeof(text)) <= 0)
		return 0;
	for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
		count++;
	return count;
}

static void wait_until_logged(const char *words, unsigned times)
{
	for (int i = 0; i < TRIES; i++, nap())
		if (times_logged(words) >= times)
			return;
	errno = ETIMEDOUT;
	die(words);
}

static pid_t writer_of_ring(enum rh_status *ret_state)
{
	struct rh_ring *ring;
	struct rh_info info;

	if (rh_open(instance, &ring, NULL) != RH_OK)
		return 0;
	rh_info(ring, &info);
	*ret_state = rh_writer_status(ring);
	rh_close(&ring);
	return (pid_t)info.writer_pid;
}

/* Stops the collector until the ring calls it hung, and for many looks of the supervisor more. */
static void stop_collector(void)
{
	enum rh_status state = RH_RUNNING;
	pid_t collector = writer_of_ring(&state);

	if (collector == 0 || kill(collector, SIGSTOP) != 0)
		die("no collector to stop");
	for (int i = 0; i < TRIES && state != RH_HUNG; i++, nap())
		writer_of_ring(&state);
	if (state != RH_HUNG)
		die("a stopped collector does not count as hung");
	for (int i = 0; i < 5 * HUNG_LOOKS; i++)
		nap();
	if (times_logged("child_hung") != 1 || writer_of_ring(&state) != collector)
		die("a stopped collector was killed");
	kill(collector, SIGCONT);
	for (int i = 0; i < TRIES && state != RH_RUNNING; i++, nap())
		writer_of_ring(&state);
	if (state != RH_RUNNING)
		die("the collector did not go on");
}

static void run_test(pid_t supervisor)
{
	enum rh_status state;
	int status;

	wait_until_logged("\"event\":\"child_hung\"", 1);
	wait_until_logged("was killed by SIGKILL; starting it again", 1);
	wait_until_logged("collector is ready", 2);
	stop_collector();
	kill(supervisor, SIGTERM);
	if (waitpid(supervisor, &status, 0) != supervisor || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("the supervisor did not end well");
	if (writer_of_ring(&state) != 0 || times_logged("ring_removed") != 1)
		die("the ring of a dead collector is left");
}

static void clean_up(void)
{
	static const char *const names[] = {"rh-collector", "rh-tracker", "rh-supervisor", "hung", "daemon.log"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_BYTES + 16];
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static int play_test(void)
{
	char supervisor_path[PATH_BYTES + 16];

	snprintf(folder, sizeof(folder), "/tmp/rogue-hung-XXXXXX");
	if (!mkdtemp(folder))
		die("no folder");
	snprintf(instance, sizeof(instance), "test-hung-%d", (int)getpid());
	snprintf(log_path, sizeof(log_path), "%s/daemon.log", folder);
	copy_self("rh-collector");
	copy_self("rh-tracker");
	copy_self("rh-supervisor");
	snprintf(supervisor_path, sizeof(supervisor_path), "%s/rh-supervisor", folder);
	pid_t supervisor = fork();
	if (supervisor == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails leaves nothing running */
		execl(supervisor_path, "rh-supervisor", instance, (char *)NULL);
		_exit(127);
	}
	atexit(clean_up);
	run_test(supervisor);
	puts("ok");
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *part = slash ? slash + 1 : argv[0];

	umask(022);
	if (strncmp(part, "rh-", 3) != 0)
		return play_test();
	ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	folder[length > 0 ? length : 0] = '\0';
	*strrchr(folder, '/') = '\0';
	snprintf(log_path, sizeof(log_path), "%s/daemon.log", folder);
	if (strcmp(part, "rh-tracker") == 0)
		return play_tracker();
	if (strcmp(part, "rh-collector") == 0)
		return argc > 2 ? play_collector(argv[2]) : 2; /* --name NAME comes first */
	snprintf(instance, sizeof(instance), "%s", argc > 1 ? argv[1] : "");
	return play_supervisor();
}
