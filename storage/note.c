/*
 * note.c - tells of a pause on a disk that has no room for telling.
 *
 * The lock file beside the database has one block, allocated when the tracker starts; writing over it takes no room. While writing is paused
 * it holds one line, "paused REALTIME_NS REASON"; else it is blank. storage_state() lays it over what daemon_state said last.
 */
#include "storage/internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NOTE_BYTES = 512 };

static const char keyword[] = "paused ";

static void write_block(const struct storage *storage, char block[NOTE_BYTES])
{
	size_t length = strlen(block);

	memset(block + length, ' ', NOTE_BYTES - length);
	block[NOTE_BYTES - 1] = '\n';
	/* Where even this fails there is nothing left to tell it with. */
	if (pwrite(storage->lock_fd, block, NOTE_BYTES, 0) < 0)
		return;
}

void note_clear(struct storage *storage)
{
	char block[NOTE_BYTES] = "";

	storage->noted = false;
	write_block(storage, block);
}

void note_pause(struct storage *storage, const struct storage_state *state)
{
	char block[NOTE_BYTES];

	storage->noted = true;
	snprintf(block, sizeof(block), "%s%" PRIu64 " %.200s", keyword, state->paused_realtime_ns, state->reason);
	write_block(storage, block);
}

void note_read(const struct storage *storage, struct storage_state *state)
{
	char path[PATH_MAX + 8], block[NOTE_BYTES + 1];
	uint64_t paused_ns;
	int used = 0;

	snprintf(path, sizeof(path), "%s-lock", storage->path);
	if (file_read_at(AT_FDCWD, path, block, sizeof(block)) < (ssize_t)sizeof(keyword) ||
	        strncmp(block, keyword, sizeof(keyword) - 1) != 0)
		return;
	if (sscanf(block + sizeof(keyword) - 1, "%" SCNu64 " %n", &paused_ns, &used) != 1 || paused_ns < state->resumed_realtime_ns)
		return;
	char *reason = block + sizeof(keyword) - 1 + used;
	for (size_t length = strlen(reason); length > 0 && strchr(" \n", reason[length - 1]); length--)
		reason[length - 1] = '\0';
	state->persistence = STORAGE_persistence_paused;
	state->paused_realtime_ns = paused_ns;
	snprintf(state->reason, sizeof(state->reason), "%.199s", reason);
}
