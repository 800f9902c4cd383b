/*
 * inject_io.c - who takes the disk from others: many processes that write large files and fsync them.
 */
#include "readers/drill/inject.h"
#include "readers/drill/victim.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 8 << 20, WRITERS_LEAST = 44, WRITERS_MOST = 56, SYNCERS = 2, COLD_BYTES = 64 << 20 };

bool inject_file(struct stage *stage, const char *folder, const char *name, uint64_t bytes, char ret_path[STAGE_PATH_BYTES])
{
	char *chunk = malloc(CHUNK_BYTES);
	int failed = chunk ? 0 : -ENOMEM;

	snprintf(ret_path, STAGE_PATH_BYTES, "%s/%s", folder, name);
	int fd = open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		failed = -errno;
	if (chunk)
		memset(chunk, 'f', CHUNK_BYTES);
	for (uint64_t done = 0; failed == 0 && done < bytes; done += CHUNK_BYTES)
		failed = file_write_all(fd, chunk, CHUNK_BYTES);
	if (failed == 0 && (fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0))
		failed = -errno;
	closefd(&fd);
	free(chunk);
	return failed == 0 || stage_fail(stage, "%s cannot be written: %s", ret_path, strerror(-failed));
}

static char *pattern; /* of CHUNK_BYTES, made before the writers are forked: they share its memory */

/* Writes `size` bytes past the page cache and fsyncs them, over and over in the same file: as much as the device takes, and a flush after it. */
static void write_and_sync(struct stage *stage, const struct stage_part *part)
{
	int fd = open(part->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_DIRECT, 0600);

	if (fd < 0) /* a file system without */
		fd = open(part->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd >= 0 && stage_is_on(stage)) {
		for (uint64_t at = 0; at < part->size && stage_is_on(stage); at += CHUNK_BYTES)
			if (pwrite(fd, pattern, CHUNK_BYTES, (off_t)at) != CHUNK_BYTES)
				break; /* a full disk is no harder than a slow one */
		if (fsync(fd) != 0)
			break;
	}
	closefd(&fd);
}

static bool start_writers(struct stage *stage, const char *folder, uint64_t count, uint64_t mib)
{
	static char paths[WRITERS_MOST][STAGE_PATH_BYTES];
	static struct stage_part writers[WRITERS_MOST];
	const char *name = stage_name(stage, "writer");

	pattern = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pattern == MAP_FAILED)
		return stage_fail(stage, "no memory");
	memset(pattern, 'w', CHUNK_BYTES);
	for (unsigned i = 0; i < count; i++) {
		snprintf(paths[i], STAGE_PATH_BYTES, "%s/large-%u", folder, i);
		writers[i] = (struct stage_part){.role = STAGE_CULPRIT,
		        .name = name,
		        .act = write_and_sync,
		        .cpu = -1,
		        .path = paths[i],
		        .size = mib << 20,
		        .index = i};
	}
	return stage_start_crew(stage, "starter", writers, count);
}

bool inject_io(struct stage *stage)
{
	static char cold[STAGE_PATH_BYTES], small[SYNCERS][STAGE_PATH_BYTES];
	uint64_t count = stage_draw(stage, WRITERS_LEAST, WRITERS_MOST), mib = 8 * stage_draw(stage, 8, 10);
	const char *folder = stage_folder(stage, stage->directory), *name = stage_name(stage, "victim");

	if (!folder || !inject_bystanders(stage) || !inject_file(stage, folder, "cold", COLD_BYTES, cold))
		return false;
	const struct stage_part reader = {
	        .role = STAGE_VICTIM, .name = "reader", .act = victim_cold_reader, .cpu = -1, .path = cold, .size = COLD_BYTES};
	if (!stage_start(stage, &reader))
		return false;
	for (unsigned i = 0; i < SYNCERS; i++) {
		snprintf(small[i], STAGE_PATH_BYTES, "%s/small-%u", folder, i);
		const struct stage_part syncer = {
		        .role = STAGE_VICTIM, .name = name, .act = victim_syncer, .cpu = -1, .path = small[i], .index = i};
		if (!stage_start(stage, &syncer))
			return false;
	}
	stage_tell(stage, "%u writers of %u MiB each", (unsigned)count, (unsigned)mib);
	return start_writers(stage, folder, count, mib);
}
