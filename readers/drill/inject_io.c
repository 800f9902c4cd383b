/*
 * inject_io.c - who takes the disk from others: several processes that write large files and fsync them.
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

enum { CHUNK_BYTES = 1 << 20, WRITERS_MOST = 6, COLD_BYTES = 64 << 20, PATHS = WRITERS_MOST + 3 };

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

/* Writes `size` bytes and fsyncs them, over and over in the same file. */
static void write_and_sync(struct stage *stage, const struct stage_part *part)
{
	char *chunk = malloc(CHUNK_BYTES);
	int fd = open(part->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (chunk)
		memset(chunk, 'w', CHUNK_BYTES);
	while (chunk && fd >= 0 && stage_is_on(stage)) {
		for (uint64_t at = 0; at < part->size && stage_is_on(stage); at += CHUNK_BYTES)
			if (pwrite(fd, chunk, CHUNK_BYTES, (off_t)at) != CHUNK_BYTES)
				break; /* a full disk is no harder than a slow one */
		if (fsync(fd) != 0)
			break;
	}
	closefd(&fd);
	free(chunk);
}

bool inject_io(struct stage *stage)
{
	static char paths[PATHS][STAGE_PATH_BYTES];
	struct stage_part writers[WRITERS_MOST];
	uint64_t count = stage_draw(stage, 3, WRITERS_MOST), mib = stage_draw(stage, 64, 256);
	const char *folder = stage_folder(stage, stage->directory), *name = stage_name(stage, "writer");

	if (stage->spare_bytes / count >> 20 < mib)
		mib = stage->spare_bytes / count >> 20;
	if (!folder || !inject_bystanders(stage) || !inject_file(stage, folder, "cold", COLD_BYTES, paths[0]))
		return false;
	const struct stage_part reader = {.role = STAGE_VICTIM,
	        .name = stage_name(stage, "reader"),
	        .act = victim_cold_reader,
	        .cpu = -1,
	        .path = paths[0],
	        .size = COLD_BYTES};
	if (!stage_start(stage, &reader))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(paths[1 + i], STAGE_PATH_BYTES, "%s/small-%u", folder, i);
		const struct stage_part syncer = {
		        .role = STAGE_VICTIM, .name = "victim", .act = victim_syncer, .cpu = -1, .path = paths[1 + i], .index = i};
		if (!stage_start(stage, &syncer))
			return false;
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(paths[3 + i], STAGE_PATH_BYTES, "%s/large-%u", folder, i);
		writers[i] = (struct stage_part){.role = STAGE_CULPRIT,
		        .name = name,
		        .act = write_and_sync,
		        .cpu = -1,
		        .path = paths[3 + i],
		        .size = mib << 20,
		        .index = i};
	}
	stage_tell(stage, "%u writers of %u MiB each", (unsigned)count, (unsigned)mib);
	return stage_start_crew(stage, "starter", writers, count);
}
