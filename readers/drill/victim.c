/*
 * victim.c - the victims of a drill: each goes round in turns, and measures how much longer than it should one took.
 */
#include "readers/drill/victim.h"

#include "base/file.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLEEP_MS = 5, WORK_US = 200, SYNC_GAP_MS = 30, BYTE_GAP_MS = 20, TOUCH_GAP_MS = 20, SMALL_WRITE = 4096, PAGE_BYTES = 4096 };

struct stage_stand *victim_stand(struct stage *stage)
{
	static struct stage_stand nobody;
	uint32_t i = atomic_fetch_add(&stage->stand_count, 1);
	struct stage_stand *stand = i < STAGE_STANDS ? &stage->stands[i] : &nobody;

	stand->pid = (uint32_t)getpid();
	return stand;
}

bool victim_is_watched(const struct stage *stage)
{
	uint64_t until_ns = stage->until_ns;
	return until_ns == 0 || stage_now() < until_ns + STAGE_TAIL_MS * (uint64_t)NS_PER_MS;
}

void victim_turn_begins(struct stage_stand *stand, uint64_t from_ns)
{
	stand->since_ns = from_ns;
}

void victim_turn_ends(struct stage *stage, struct stage_stand *stand)
{
	uint64_t from_ns = stand->since_ns, to_ns = stage_now(), begin_ns = stage->begin_ns;

	stand->since_ns = 0;
	stand->turns++;
	if (from_ns < begin_ns)
		from_ns = begin_ns;
	if (begin_ns == 0 || to_ns <= from_ns)
		return;
	uint64_t took_ns = to_ns - from_ns;
	if (took_ns > stand->longest_ns) {
		stand->longest_ns = took_ns;
		stand->longest_from_ns = from_ns;
	}
	if (took_ns < stage->least_ns)
		return;
	if (stand->count++ == 0)
		stand->first_from_ns = from_ns;
	stand->sum_ns += took_ns;
	stand->last_to_ns = to_ns;
}

/* ---- parts ---- */

void victim_sleeper(struct stage *stage, const struct stage_part *part)
{
	struct stage_stand *stand = victim_stand(stage);

	while (victim_is_watched(stage)) {
		uint64_t due_ns = stage_now() + SLEEP_MS * (uint64_t)NS_PER_MS;
		uint64_t work_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + (part->size ? part->size : WORK_US) * (uint64_t)NS_PER_US;
		victim_turn_begins(stand, due_ns);
		stage_sleep_until(due_ns);
		while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < work_ns)
			;
		victim_turn_ends(stage, stand);
	}
}

void victim_spinner(struct stage *stage, const struct stage_part *part)
{
	struct stage_stand *stand = victim_stand(stage);

	(void)part;
	while (victim_is_watched(stage)) {
		victim_turn_begins(stand, stage_now());
		for (volatile unsigned i = 0; i < 20000; i++)
			;
		victim_turn_ends(stage, stand);
	}
}

void victim_syncer(struct stage *stage, const struct stage_part *part)
{
	struct stage_stand *stand = victim_stand(stage);
	char block[SMALL_WRITE];
	int fd = open(part->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	memset(block, 'v', sizeof(block));
	for (unsigned turn = 0; fd >= 0 && victim_is_watched(stage); turn++) {
		victim_turn_begins(stand, stage_now());
		if (pwrite(fd, block, sizeof(block), (off_t)(turn % 64) * SMALL_WRITE) != (ssize_t)sizeof(block) || fsync(fd) != 0)
			break;
		victim_turn_ends(stage, stand);
		stage_sleep_until(stage_now() + SYNC_GAP_MS * (uint64_t)NS_PER_MS);
	}
	stand->since_ns = 0;
	closefd(&fd);
}

void victim_cold_reader(struct stage *stage, const struct stage_part *part)
{
	struct stage_stand *stand = victim_stand(stage);
	char block[PAGE_BYTES];
	int fd = open(part->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	for (uint64_t at = 0; fd >= 0 && victim_is_watched(stage); at = (at + 61 * PAGE_BYTES) % part->size) {
		posix_fadvise(fd, (off_t)at, PAGE_BYTES, POSIX_FADV_DONTNEED);
		victim_turn_begins(stand, stage_now());
		if (pread(fd, block, sizeof(block), (off_t)at) < 0)
			break;
		victim_turn_ends(stage, stand);
		stage_sleep_until(stage_now() + SYNC_GAP_MS * (uint64_t)NS_PER_MS);
	}
	stand->since_ns = 0;
	closefd(&fd);
}

/* One turn needs all of the pages: what takes a millisecond while they are in memory. */
void victim_toucher(struct stage *stage, const struct stage_part *part)
{
	struct stage_stand *stand = victim_stand(stage);
	int fd = open(part->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const volatile unsigned char *pages = fd < 0 ? MAP_FAILED : mmap(NULL, part->size, PROT_READ, MAP_SHARED, fd, 0);
	size_t count = part->size / PAGE_BYTES;

	if (pages != MAP_FAILED)
		madvise((void *)(uintptr_t)pages, part->size, MADV_RANDOM);
	while (pages != MAP_FAILED && victim_is_watched(stage)) {
		victim_turn_begins(stand, stage_now());
		for (size_t i = 0; i < count && victim_is_watched(stage); i++)
			(void)pages[i * 61 % count * PAGE_BYTES];
		victim_turn_ends(stage, stand);
		stage_sleep_until(stage_now() + TOUCH_GAP_MS * (uint64_t)NS_PER_MS);
	}
	closefd(&fd);
}

void victim_byte_writer(struct stage *stage, const struct stage_part *part)
{
	struct stage_stand *stand = victim_stand(stage);
	int fd = open(part->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	while (fd >= 0 && victim_is_watched(stage)) {
		victim_turn_begins(stand, stage_now());
		if (pwrite(fd, "v", 1, (off_t)part->index) != 1)
			break;
		victim_turn_ends(stage, stand);
		stage_sleep_until(stage_now() + BYTE_GAP_MS * (uint64_t)NS_PER_MS);
	}
	stand->since_ns = 0;
	closefd(&fd);
}

/* ---- what they saw ---- */

static void take(const struct stage *stage, const struct stage_stand *stand, struct victim_truth *truth)
{
	uint64_t over_ns = stage->over_ns, now_ns = over_ns ? over_ns : stage_now();
	uint64_t since_ns = stand->since_ns, longest_ns = stand->longest_ns;
	uint64_t from_ns = stand->first_from_ns, to_ns = stand->last_to_ns, count = stand->count;

	truth->sum_ns += stand->sum_ns;
	if (since_ns && since_ns < stage->begin_ns)
		since_ns = stage->begin_ns;
	if (since_ns && since_ns < now_ns && now_ns - since_ns >= stage->least_ns) { /* still does */
		truth->sum_ns += now_ns - since_ns;
		from_ns = count ? from_ns : since_ns;
		to_ns = now_ns;
		longest_ns = longest_ns > now_ns - since_ns ? longest_ns : now_ns - since_ns;
		count++;
	}
	truth->count += count;
	truth->victims += count > 0;
	if (longest_ns > truth->longest_ns) {
		truth->longest_ns = longest_ns;
		truth->worst_pid = stand->pid;
	}
	if (count && (truth->from_ns == 0 || from_ns < truth->from_ns))
		truth->from_ns = from_ns;
	if (count && to_ns > truth->to_ns)
		truth->to_ns = to_ns;
}

void victim_truth(const struct stage *stage, struct victim_truth *ret_truth)
{
	uint32_t count = stage->stand_count;

	*ret_truth = (struct victim_truth){0};
	for (uint32_t i = 0; i < count && i < STAGE_STANDS; i++)
		take(stage, &stage->stands[i], ret_truth);
}
