/*
 * inject_memory.c - memory that does not suffice, inside a control group, so that the rest of the machine keeps its own.
 */
#include "readers/drill/inject.h"
#include "readers/drill/inject_group.h"
#include "readers/drill/victim.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, GRINDERS_MOST = 5, MARGIN_BYTES = 14 << 20, GROW_STEP = 1 << 20 };

/* Reads the pages of a mapped file in random order: a working set of `size` bytes. */
static void grind(struct stage *stage, const struct stage_part *part)
{
	int fd = open(part->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const volatile unsigned char *pages = fd < 0 ? MAP_FAILED : mmap(NULL, part->size, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t at = part->index, count = part->size / PAGE_BYTES;

	if (pages != MAP_FAILED)
		madvise((void *)(uintptr_t)pages, part->size, MADV_RANDOM);
	while (pages != MAP_FAILED && stage_is_on(stage)) {
		at = at * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		(void)pages[(at >> 33) % count * PAGE_BYTES];
	}
	closefd(&fd);
}

/* Grows to `size` bytes of its own, fast, and uses all of them until the end. */
static void grow(struct stage *stage, const struct stage_part *part)
{
	unsigned char *memory = mmap(NULL, part->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t have = 0;

	while (memory != MAP_FAILED && stage_is_on(stage)) {
		if (have + GROW_STEP <= part->size) {
			memset(memory + have, 1, GROW_STEP);
			have += GROW_STEP;
			continue;
		}
		for (uint64_t at = 0; at < have && stage_is_on(stage); at += PAGE_BYTES)
			memory[at]++;
		stage_sleep_until(stage_now() + 20 * (uint64_t)NS_PER_MS);
	}
}

/* A group of that size, and two victims in it that need `bytes` of a file each time. */
static const char *limited_group(struct stage *stage, uint64_t limit, uint64_t bytes, char path[STAGE_PATH_BYTES])
{
	const char *folder = stage_folder(stage, stage->directory), *group = folder ? group_create(stage, GROUP_MEMORY) : NULL;
	const char *name = stage_name(stage, "victim");

	if (!group || !group_limit_memory(stage, group, limit) || !inject_bystanders(stage) ||
	        !inject_file(stage, folder, "own", bytes, path))
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		const struct stage_part victim = {.role = STAGE_VICTIM,
		        .name = name,
		        .act = victim_toucher,
		        .cpu = -1,
		        .group = group,
		        .path = path,
		        .size = bytes,
		        .index = i};
		if (!stage_start(stage, &victim))
			return NULL;
	}
	return group;
}

bool inject_mem(struct stage *stage)
{
	static char own[STAGE_PATH_BYTES], set[STAGE_PATH_BYTES];
	struct stage_part parts[GRINDERS_MOST];
	uint64_t limit = stage_draw(stage, 64, 128) << 20, count = stage_draw(stage, 2, GRINDERS_MOST);
	uint64_t size = limit / 16 * stage_draw(stage, 24, 40);
	const char *name = stage_name(stage, "grinder"), *group = limited_group(stage, limit, limit / 2, own);

	if (!group || !inject_file(stage, stage->folders[0], "set", size, set))
		return false;
	for (unsigned i = 0; i < count; i++)
		parts[i] = (struct stage_part){.role = STAGE_CULPRIT,
		        .name = name,
		        .act = grind,
		        .cpu = -1,
		        .group = group,
		        .path = set,
		        .size = size,
		        .index = i};
	stage_tell(stage, "%u with a working set of %u MiB in %u MiB", (unsigned)count, (unsigned)(size >> 20), (unsigned)(limit >> 20));
	return stage_start_crew(stage, "starter", parts, count);
}

bool inject_reclaim(struct stage *stage)
{
	static char own[STAGE_PATH_BYTES];
	uint64_t limit = stage_draw(stage, 96, 192) << 20;
	const char *group = limited_group(stage, limit, limit / 2, own);
	const struct stage_part part = {.role = STAGE_CULPRIT,
	        .name = stage_name(stage, "grower"),
	        .act = grow,
	        .cpu = -1,
	        .group = group,
	        .size = limit - MARGIN_BYTES};

	stage_tell(stage, "growth to %u MiB in a group of %u MiB", (unsigned)(part.size >> 20), (unsigned)(limit >> 20));
	return group && stage_start(stage, &part);
}
