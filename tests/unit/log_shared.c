/*
 * Three processes write to one log that rotates every few lines, one of them now and then stopped in the middle of it: each line
 * is whole, and each of them is there exactly once.
 */
#include "base/log.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 3, LINES = 2000, MAX_BYTES = 8192, KEEP = 1000 };

static unsigned seen[WRITERS][LINES];

static void die(const char *what)
{
	fprintf(stderr, "log_shared: %s\n", what);
	exit(1);
}

static void write_lines(const char *path, int writer)
{
	const struct log_options options = {.program = "writer", .path = path, .level = LOG_INFO_, .max_bytes = MAX_BYTES, .keep = KEEP};
	char error[256], filler[200];

	if (log_open(&options, error) != 0)
		die(error);
	memset(filler, 'a' + writer, sizeof(filler));
	for (int i = 0; i < LINES; i++) {
		const struct log_field fields[] = {LOG_INTEGER("writer", writer), LOG_INTEGER("line", i)};
		filler[i % 199] = '\0'; /* lines of many lengths */
		log_event(LOG_INFO_, "line", filler, fields, 2);
		filler[i % 199] = (char)('a' + writer);
	}
	log_close();
	exit(0);
}

/* Returns the lines of one file, 0 where there is none. */
static unsigned count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	unsigned count = 0;

	if (!file)
		return 0;
	for (ssize_t length; (length = getline(&line, &size, file)) > 0; count++) {
		json_t *object = json_loadb(line, (size_t)length, 0, NULL);
		json_int_t writer = json_integer_value(json_object_get(object, "writer"));
		json_int_t number = json_integer_value(json_object_get(object, "line"));
		if (!object || line[length - 1] != '\n' || writer < 0 || writer >= WRITERS || number < 0 || number >= LINES)
			die("a line is torn or mixed");
		seen[writer][number]++;
		json_decref(object);
	}
	free(line);
	fclose(file);
	return count;
}

static void stop_and_go(const pid_t writers[WRITERS])
{
	int left = WRITERS, status;

	for (unsigned round = 0; left > 0; round++) {
		pid_t pid = writers[round % WRITERS];
		kill(pid, SIGSTOP); /* a zombie takes no notice */
		usleep(1000);
		kill(pid, SIGCONT);
		while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
			left--;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				die("a writer failed");
		}
	}
}

int main(void)
{
	char folder[] = "/tmp/rogue-shared-XXXXXX", path[64], name[96];
	pid_t writers[WRITERS];
	unsigned files = 0, total = 0;

	umask(022);
	if (!mkdtemp(folder))
		die("no folder");
	snprintf(path, sizeof(path), "%s/shared.log", folder);
	for (int i = 0; i < WRITERS; i++)
		if ((writers[i] = fork()) == 0)
			write_lines(path, i);
	stop_and_go(writers);
	for (unsigned n = 0; n <= KEEP; n++) {
		snprintf(name, sizeof(name), n ? "%s.%u" : "%s", path, n);
		unsigned lines = count_lines(name);
		files += lines > 0;
		total += lines;
		unlink(name);
	}
	rmdir(folder);
	for (int i = 0; i < WRITERS; i++)
		for (int n = 0; n < LINES; n++)
			if (seen[i][n] != 1)
				die("a line is missing or there twice");
	printf("%u lines of %d writers in %u files\n", total, WRITERS, files);
	return total == WRITERS * LINES && files > 20 ? 0 : 1;
}
