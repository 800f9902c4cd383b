/*
 * inject_lock.c - who holds a lock of the kernel long: huge writes, while others want to write a byte to the same file.
 *
 * The lock is that of the inode, which a write holds from its first byte to its last. The file lies in memory, so that no disk has a part in it.
 */
#include "readers/drill/inject.h"
#include "readers/drill/victim.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECES = 1024, WRITERS = 4, HOLDERS_MOST = 4 };

/* Writes `size` bytes in one call, from one small buffer that stands for all of them, over and over. */
static void write_hugely(struct stage *stage, const struct stage_part *part)
{
	size_t piece = part->size / PIECES;
	char *buffer = malloc(piece);
	struct iovec *pieces = calloc(PIECES, sizeof(*pieces));
	int fd = open(part->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (buffer)
		memset(buffer, 'h', piece);
	for (size_t i = 0; pieces && i < PIECES; i++)
		pieces[i] = (struct iovec){.iov_base = buffer, .iov_len = piece};
	while (buffer && pieces && fd >= 0 && stage_is_on(stage))
		if (pwritev(fd, pieces, PIECES, 0) <= 0 || ftruncate(fd, 4096) != 0)
			break;
	closefd(&fd);
	free(pieces);
	free(buffer);
}

bool inject_lock(struct stage *stage)
{
	static char path[STAGE_PATH_BYTES];
	uint64_t mib = stage_draw(stage, 900, 1200);
	const char *folder = stage_folder(stage, "/dev/shm"), *name = stage_name(stage, "victim");

	if (stage->spare_bytes >> 20 < mib)
		mib = stage->spare_bytes >> 20;
	if (!folder || !inject_bystanders(stage))
		return false;
	snprintf(path, sizeof(path), "%s/file", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return stage_fail(stage, "no file can be made in %s", folder);
	closefd(&fd);
	for (unsigned i = 0; i < WRITERS; i++) {
		const struct stage_part victim = {
		        .role = STAGE_VICTIM, .name = name, .act = victim_byte_writer, .cpu = -1, .path = path, .index = i};
		if (!stage_start(stage, &victim))
			return false;
	}
	uint64_t count = stage_draw(stage, 2, HOLDERS_MOST);
	struct stage_part holders[HOLDERS_MOST];
	name = stage_name(stage, "holder");
	for (unsigned i = 0; i < count; i++)
		holders[i] = (struct stage_part){
		        .role = STAGE_CULPRIT, .name = name, .act = write_hugely, .cpu = -1, .path = path, .size = mib << 20, .index = i};
	stage_tell(stage, "%u with writes of %u MiB", (unsigned)count, (unsigned)mib);
	return stage_start_crew(stage, "starter", holders, count);
}
