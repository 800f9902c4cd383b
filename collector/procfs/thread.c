/* thread.c - the threads of processes that have more than one; see thread.h. */
#include "collector/procfs/thread.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

void procfs_thread_pool_init(struct procfs_thread_pool *pool, struct procfs_thread *threads, uint32_t capacity)
{
	*pool = (struct procfs_thread_pool){.threads = threads, .capacity = capacity, .free = PROCFS_THREAD_NONE};
}

static uint32_t take_thread(struct procfs_thread_pool *pool)
{
	uint32_t index = pool->free;
	if (index != PROCFS_THREAD_NONE)
		pool->free = pool->threads[index].next;
	else if (pool->used < pool->capacity)
		index = pool->used++;
	return index;
}

static void give_back_thread(struct procfs_thread_pool *pool, uint32_t index)
{
	pool->threads[index].next = pool->free;
	pool->free = index;
}

void procfs_thread_set_clear(struct procfs_thread_set *set)
{
	*set = (struct procfs_thread_set){.first = PROCFS_THREAD_NONE};
}

static void add(struct procfs_schedstat *sum, const struct procfs_schedstat *seen)
{
	sum->run_ns += seen->run_ns;
	sum->wait_ns += seen->wait_ns;
	sum->slices += seen->slices;
}

/* Takes *link out of the set. */
static void remove_thread(struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files, uint32_t *link)
{
	uint32_t index = *link;
	struct procfs_thread *thread = &pool->threads[index];
	procfs_file_drop(files, PROCFS_FILE_HOT, &thread->schedstat_fd);
	*link = thread->next;
	give_back_thread(pool, index);
	set->count--;
}

void procfs_thread_set_release(
        struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files, uint32_t keep_tid)
{
	while (set->first != PROCFS_THREAD_NONE) {
		const struct procfs_thread *thread = &pool->threads[set->first];
		if (thread->tid != keep_tid)
			add(&set->gone, &thread->seen);
		remove_thread(set, pool, files, &set->first);
	}
	RH_ASSERT(set->count == 0);
}

void procfs_thread_set_close_files(struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files)
{
	for (uint32_t i = set->first; i != PROCFS_THREAD_NONE; i = pool->threads[i].next)
		procfs_file_drop(files, PROCFS_FILE_HOT, &pool->threads[i].schedstat_fd);
}

/* The link that leads to thread tid, looked for in the part of the list from `link` up to `until`. NULL if it is not there. */
static uint32_t *find_link(struct procfs_thread_pool *pool, uint32_t *link, const uint32_t *until, uint32_t tid)
{
	for (; link != until && *link != PROCFS_THREAD_NONE; link = &pool->threads[*link].next)
		if (pool->threads[*link].tid == tid)
			return link;
	return NULL;
}

/*
 * Marks thread tid as listed, adding it if it is new. The folder lists threads in the order in which the set keeps them, so the search
 * begins at *cursor, behind the thread found before. Returns 0 or -ENOSPC.
 */
static int mark_listed(struct procfs_thread_set *set, struct procfs_thread_pool *pool, uint32_t **cursor, uint32_t tid)
{
	uint32_t *link = find_link(pool, *cursor, NULL, tid);
	if (!link)
		link = find_link(pool, &set->first, *cursor, tid);
	if (!link) {
		uint32_t index = take_thread(pool);
		if (index == PROCFS_THREAD_NONE)
			return -ENOSPC;
		link = *cursor;
		pool->threads[index] = (struct procfs_thread){.tid = tid, .next = *link, .schedstat_fd = -1, .state = '?'};
		*link = index;
		set->count++;
	}
	pool->threads[*link].listed = true;
	*cursor = &pool->threads[*link].next;
	return 0;
}

/* Takes out the threads that are not marked, and the marks off the others. */
static void remove_unlisted(struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files)
{
	for (uint32_t *link = &set->first; *link != PROCFS_THREAD_NONE;) {
		struct procfs_thread *thread = &pool->threads[*link];
		if (thread->listed) {
			thread->listed = false;
			link = &thread->next;
			continue;
		}
		add(&set->gone, &thread->seen);
		remove_thread(set, pool, files, link);
	}
}

/* Brings the set up to date with /proc/PID/task. Threads there is no room for are left out, and looked for again the next time. */
static int list_threads(
        struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files, uint32_t pid, char *buffer, size_t size)
{
	char path[PROCFS_FILE_PATH_BYTES];
	int folder = openat(files->root_fd, procfs_file_path(pid, "task", path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	uint32_t *cursor = &set->first;
	int result = 0;
	long length;
	while ((length = syscall(SYS_getdents64, folder, buffer, size)) > 0) {
		size_t offset = 0;
		uint32_t tid;
		while (procfs_parse_dirent(buffer, (size_t)length, &offset, &tid))
			if (mark_listed(set, pool, &cursor, tid) != 0)
				result = -ENOSPC;
	}
	if (length < 0)
		result = -errno;
	close(folder);
	if (length == 0)
		remove_unlisted(set, pool, files);
	set->stale = result != 0;
	return result;
}

/* Reads one thread. Returns 0 or -errno; where it is gone, what was last seen of it stands. */
static int read_thread(struct procfs_thread *thread, struct procfs_files *files, uint32_t pid, char *buffer, size_t size)
{
	char path[PROCFS_FILE_PATH_BYTES];
	procfs_file_thread_path(pid, thread->tid, "schedstat", path);
	ssize_t length = procfs_file_read(files, PROCFS_FILE_HOT, &thread->schedstat_fd, true, path, buffer, size);
	if (length < 0)
		return (int)length;
	struct procfs_schedstat now;
	if (!procfs_parse_schedstat(buffer, (size_t)length, &now))
		return -EINVAL;
	bool ran = now.run_ns != thread->seen.run_ns || now.slices != thread->seen.slices;
	thread->seen = now;
	if (!ran && thread->state != '?')
		return 0;
	struct procfs_stat stat;
	length = procfs_file_read_once(files, procfs_file_thread_path(pid, thread->tid, "stat", path), buffer, size);
	if (length >= 0 && procfs_parse_stat(buffer, (size_t)length, &stat))
		thread->state = stat.state;
	return 0;
}

int procfs_thread_set_read(struct procfs_thread_set *set, struct procfs_thread_pool *pool, struct procfs_files *files, uint32_t pid,
        uint32_t expected, char *buffer, size_t size, struct procfs_thread_sums *ret_sums)
{
	*ret_sums = (struct procfs_thread_sums){0};
	/* The same number and none of them ended: the same threads. */
	if (set->stale || set->count != expected) {
		int result = list_threads(set, pool, files, pid, buffer, size);
		if (result != 0)
			return result;
	}
	for (uint32_t *link = &set->first; *link != PROCFS_THREAD_NONE;) {
		struct procfs_thread *thread = &pool->threads[*link];
		if (procfs_file_is_gone(read_thread(thread, files, pid, buffer, size))) {
			add(&set->gone, &thread->seen);
			remove_thread(set, pool, files, link);
			set->stale = true;
			continue;
		}
		add(&ret_sums->living, &thread->seen);
		ret_sums->running += thread->state == 'R';
		ret_sums->stuck += thread->state == 'D';
		link = &thread->next;
	}
	return 0;
}
