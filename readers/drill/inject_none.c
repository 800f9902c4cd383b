/*
 * inject_none.c - a machine that is busy and healthy: something like a build, a copy of large files, and a program of many threads that wake up often.
 *
 * Nobody is to be accused here. Ordinary programs watch whether they really never had to wait.
 */
#include "readers/drill/inject.h"
#include "readers/drill/victim.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_MS = 15, CHILD_BYTES = 4 << 20, COPY_BYTES = 256 << 20, CHUNK_BYTES = 256 << 10, THREADS = 24, THREAD_WORK_US = 100 };

/* Short-lived children, one after the other: they use a few ms of cpu and some memory. */
static void build(struct stage *stage, const struct stage_part *part)
{
	while (stage_is_on(stage)) {
		pid_t parent = getpid(), child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(1);
			unsigned char *memory = malloc(CHILD_BYTES);
			uint64_t until_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + (part->size + CHILD_MS) * NS_PER_MS;
			if (memory)
				memset(memory, 1, CHILD_BYTES);
			while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
				;
			_exit(0);
		}
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

/* Copies a file once, chunk by chunk, and leaves it to the kernel to write it out. */
static void copy(struct stage *stage, const struct stage_part *part)
{
	char *chunk = calloc(1, CHUNK_BYTES);
	int fd = open(part->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	for (uint64_t at = 0; chunk && fd >= 0 && at < part->size && stage_is_on(stage); at += CHUNK_BYTES) {
		if (pwrite(fd, chunk, CHUNK_BYTES, (off_t)at) != CHUNK_BYTES)
			break;
		stage_sleep_until(stage_now() + 2 * (uint64_t)NS_PER_MS);
	}
	closefd(&fd);
	free(chunk);
}

static void *wake_often(void *argument)
{
	struct stage *stage = argument;
	uint64_t gap_ns = (4 + stage_now() / NS_PER_US % 12) * NS_PER_MS;

	while (stage_is_on(stage)) {
		uint64_t work_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + THREAD_WORK_US * (uint64_t)NS_PER_US;
		while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < work_ns)
			;
		stage_sleep_until(stage_now() + gap_ns);
	}
	return NULL;
}

static void browse(struct stage *stage, const struct stage_part *part)
{
	pthread_t threads[THREADS];
	unsigned count = 0;

	(void)part;
	while (count < THREADS && pthread_create(&threads[count], NULL, wake_often, stage) == 0)
		count++;
	while (count > 0)
		pthread_join(threads[--count], NULL);
}

bool inject_none(struct stage *stage)
{
	static char path[STAGE_PATH_BYTES];
	const char *folder = stage_folder(stage, stage->directory), *compiler = stage_name(stage, "compiler");
	uint64_t bytes = stage->spare_bytes / 4 < COPY_BYTES ? stage->spare_bytes / 4 : COPY_BYTES;

	if (!folder || !inject_bystanders(stage) || !inject_sleepers(stage, 0))
		return false;
	snprintf(path, sizeof(path), "%s/copy", folder);
	for (uint32_t i = 0; i < stage->cpu_count; i++) {
		const struct stage_part part = {
		        .role = STAGE_BYSTANDER, .name = compiler, .act = build, .cpu = -1, .size = stage_draw(stage, 0, 20), .index = i};
		if (!stage_start(stage, &part))
			return false;
	}
	const struct stage_part copier = {
	        .role = STAGE_BYSTANDER, .name = stage_name(stage, "copier"), .act = copy, .cpu = -1, .path = path, .size = bytes};
	const struct stage_part browser = {.role = STAGE_BYSTANDER, .name = stage_name(stage, "browser"), .act = browse, .cpu = -1};
	stage_tell(stage, "%u builders, a copy of %u MiB, %d threads", stage->cpu_count, (unsigned)(bytes >> 20), THREADS);
	return stage_start(stage, &copier) && stage_start(stage, &browser);
}
