/* drm_scan.c - see drm_scan.h. */
#include "collector/meters/drm_scan.h"

#include "collector/meters/drm_fdinfo.h"
#include "collector/pool.h"
#include "collector/procfs/parse.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CLIENTS = 4096,       /* further ones are left out */
	PLACES = CLIENTS * 2, /* of their hash table: a power of two */
	SUMS = 64,            /* kinds of engine of all gpus */
	DESCRIPTORS = 4096,   /* of one process looked at: gpus are opened early */
	YOUNG_LOOKS = 3,      /* a process that has begun is looked at in so many looks */
	CLIENT_LOOKS = 8,     /* after which a client that was not seen is forgotten */
	LISTING_BYTES = 32768,
	TEXT_BYTES = 8192,
};

struct listed {
	uint32_t pid;
	uint8_t looks;  /* at it, up to YOUNG_LOOKS */
	bool is_known;  /* it is known whether */
	bool is_kernel; /* it is a kernel thread */
};

struct client {
	struct drm_fdinfo before;
	uint32_t owner_pid;
	uint64_t owner_start_ns;
	uint64_t owner_look, seen_look, read_look; /* numbers of looks: seen with its owner, seen at all, counted */
	uint64_t read_ns;
};

struct sum {
	char pdev[DRM_NAME_BYTES], name[DRM_NAME_BYTES];
	uint32_t capacity;
	uint64_t used_ns;
};

struct drm_scan {
	struct pool pool; /* all memory, this struct included */
	int proc_fd;
	uint64_t budget_ns, look, looked_ns;
	uint32_t max_processes, newest; /* of listed */
	struct listed *listed[2];       /* [max_processes] by pid: the newest listing and the one before */
	uint32_t listed_count[2];
	uint32_t others_from; /* pid where the round goes on */
	uint32_t user_count;
	struct gpu_user users[GPU_USERS]; /* by pid: processes that hold or held a client */
	uint32_t client_count;
	struct client *clients;       /* [CLIENTS] */
	uint16_t place_of[PLACES];    /* index in clients + 1, 0 for none */
	bool mute_seen, telling_seen; /* ever: clients of drivers that do not tell what they use, and that do */
	uint32_t sum_count;
	struct sum sums[SUMS];
	char listing[LISTING_BYTES] __attribute__((aligned(8)));
	char text[TEXT_BYTES];
};

/* ---- folders whose entries are numbers ---- */

/* Next number in what getdents64() gave; other entries are passed over. */
static bool number_next(const char *listing, size_t length, size_t *offset, uint32_t *ret_number)
{
	while (*offset < length) {
		const struct dirent64 *entry = (const void *)(listing + *offset);
		*offset += entry->d_reclen;
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 10);
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || *end != '\0' || number > UINT32_MAX)
			continue;
		*ret_number = (uint32_t)number;
		return true;
	}
	return false;
}

static int by_pid(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Takes over what was known of those that were listed before. */
static void listing_merge(struct drm_scan *scan, struct listed *now, uint32_t count)
{
	const struct listed *before = scan->listed[scan->newest];
	uint32_t before_count = scan->listed_count[scan->newest], j = 0;
	for (uint32_t i = 0; i < count; i++) {
		while (j < before_count && before[j].pid < now[i].pid)
			j++;
		if (j < before_count && before[j].pid == now[i].pid)
			now[i] = before[j];
		else if (scan->look == 1) /* who was there before us is not young */
			now[i].looks = YOUNG_LOOKS;
	}
}

/* Lists the processes. Where that fails the list stays as it was. */
static void processes_list(struct drm_scan *scan)
{
	struct listed *now = scan->listed[!scan->newest];
	uint32_t count = 0, pid;
	ssize_t length;
	bool sorted = true;
	if (lseek(scan->proc_fd, 0, SEEK_SET) < 0)
		return;
	while ((length = getdents64(scan->proc_fd, scan->listing, sizeof(scan->listing))) > 0) {
		size_t offset = 0;
		while (number_next(scan->listing, (size_t)length, &offset, &pid) && count < scan->max_processes) {
			sorted = sorted && (count == 0 || now[count - 1].pid < pid);
			now[count++] = (struct listed){.pid = pid};
		}
	}
	if (length < 0)
		return;
	if (!sorted) /* a folder for tests; the kernel lists in order */
		qsort(now, count, sizeof(*now), by_pid);
	listing_merge(scan, now, count);
	scan->newest = !scan->newest;
	scan->listed_count[scan->newest] = count;
}

/* ---- users ---- */

/* Index of the first user whose pid is not below this one. */
static uint32_t user_place(const struct drm_scan *scan, uint32_t pid)
{
	uint32_t low = 0, high = scan->user_count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (scan->users[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct gpu_user *user_of(struct drm_scan *scan, uint32_t pid)
{
	uint32_t place = user_place(scan, pid);
	return place < scan->user_count && scan->users[place].pid == pid ? &scan->users[place] : NULL;
}

/* The user with this pid, added if there is none. NULL if there is no room, or the process is gone. */
static struct gpu_user *user_make(struct drm_scan *scan, uint32_t pid)
{
	uint32_t place = user_place(scan, pid);
	if (place < scan->user_count && scan->users[place].pid == pid)
		return &scan->users[place];
	uint64_t start_time_ns = gpu_process_start(scan->proc_fd, pid, NULL);
	if (scan->user_count == GPU_USERS || start_time_ns == 0)
		return NULL;
	memmove(&scan->users[place + 1], &scan->users[place], (scan->user_count - place) * sizeof(scan->users[0]));
	scan->user_count++;
	scan->users[place] = (struct gpu_user){.pid = pid, .start_time_ns = start_time_ns};
	return &scan->users[place];
}

static void user_remove(struct drm_scan *scan, uint32_t place)
{
	scan->user_count--;
	memmove(&scan->users[place], &scan->users[place + 1], (scan->user_count - place) * sizeof(scan->users[0]));
}

/* ---- clients ---- */

static uint32_t client_hash(const struct drm_fdinfo *fdinfo)
{
	return (uint32_t)fdinfo->client_id & (PLACES - 1);
}

static bool is_same_client(const struct drm_fdinfo *a, const struct drm_fdinfo *b)
{
	return a->client_id == b->client_id && strcmp(a->pdev, b->pdev) == 0 && strcmp(a->driver, b->driver) == 0;
}

static void client_place(struct drm_scan *scan, uint32_t index)
{
	uint32_t place = client_hash(&scan->clients[index].before);
	while (scan->place_of[place] != 0)
		place = (place + 1) % PLACES;
	scan->place_of[place] = (uint16_t)(index + 1);
}

static struct client *client_find(struct drm_scan *scan, const struct drm_fdinfo *fdinfo)
{
	for (uint32_t place = client_hash(fdinfo); scan->place_of[place] != 0; place = (place + 1) % PLACES) {
		struct client *client = &scan->clients[scan->place_of[place] - 1];
		if (is_same_client(&client->before, fdinfo))
			return client;
	}
	return NULL;
}

/*
 * Forgets clients that nobody has held for some looks; not at once, as a process can be unreadable for a moment, and what its clients used
 * would count a second time. All holders are users, and looked at in every look.
 */
static void clients_purge(struct drm_scan *scan)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < scan->client_count; i++) {
		if (scan->clients[i].seen_look + CLIENT_LOOKS >= scan->look)
			scan->clients[kept++] = scan->clients[i];
	}
	if (kept == scan->client_count)
		return;
	scan->client_count = kept;
	memset(scan->place_of, 0, sizeof(scan->place_of));
	for (uint32_t i = 0; i < kept; i++)
		client_place(scan, i);
}

static bool has(const struct drm_engine *engine, uint32_t members)
{
	return (engine->found & members) == members;
}

static bool engine_tells(const struct drm_engine *engine)
{
	return has(engine, DRM_BUSY) || has(engine, DRM_CYCLES | DRM_TOTAL_CYCLES) || has(engine, DRM_CYCLES | DRM_MAX_HZ);
}

/*
 * Time that an engine worked for a client between two readings. Cycles count as a part of the cycles that passed; of the first reading, where
 * nothing has passed, they are not known as time. Where a driver gives the highest frequency alone, cycles are at that.
 */
static uint64_t engine_used_ns(const struct drm_engine *before, const struct drm_engine *now, uint64_t elapsed_ns)
{
	const uint64_t cycles = now->cycles > before->cycles ? now->cycles - before->cycles : 0;
	const uint64_t passed = now->total_cycles > before->total_cycles ? now->total_cycles - before->total_cycles : 0;
	double used_ns = 0;
	if (has(now, DRM_BUSY))
		return now->busy_ns > before->busy_ns ? now->busy_ns - before->busy_ns : 0;
	if (has(now, DRM_CYCLES | DRM_TOTAL_CYCLES))
		used_ns = passed > 0 && has(before, DRM_TOTAL_CYCLES) ? (double)cycles / (double)passed * (double)elapsed_ns : 0;
	else if (has(now, DRM_CYCLES | DRM_MAX_HZ))
		used_ns = (double)cycles / (double)now->max_hz * NS_PER_S;
	return used_ns < (double)UINT64_MAX / 2 ? (uint64_t)used_ns : 0;
}

static void sum_add(struct drm_scan *scan, const struct drm_fdinfo *fdinfo, const struct drm_engine *engine, uint64_t used_ns)
{
	struct sum *sum = scan->sums;
	while (sum < scan->sums + scan->sum_count && (strcmp(sum->name, engine->name) != 0 || strcmp(sum->pdev, fdinfo->pdev) != 0))
		sum++;
	if (sum == scan->sums + SUMS)
		return;
	if (sum == scan->sums + scan->sum_count) {
		scan->sum_count++;
		memset(sum, 0, sizeof(*sum));
		memcpy(sum->pdev, fdinfo->pdev, sizeof(sum->pdev));
		memcpy(sum->name, engine->name, sizeof(sum->name));
	}
	sum->capacity = engine->capacity;
	sum->used_ns += used_ns;
}

/* Drivers may report less than they did, and catch up later: the largest value stays. */
static void engine_keep(struct drm_engine *before, const struct drm_engine *now)
{
	uint64_t busy_ns = before->busy_ns, cycles = before->cycles, total_cycles = before->total_cycles;
	*before = *now;
	if (before->busy_ns < busy_ns)
		before->busy_ns = busy_ns;
	if (before->cycles < cycles)
		before->cycles = cycles;
	if (before->total_cycles < total_cycles)
		before->total_cycles = total_cycles;
}

static struct drm_engine *engine_before(struct drm_fdinfo *before, const struct drm_engine *now)
{
	for (uint32_t i = 0; i < before->engine_count; i++) {
		if (strcmp(before->engines[i].name, now->name) == 0)
			return &before->engines[i];
	}
	if (before->engine_count == DRM_ENGINES)
		return NULL;
	struct drm_engine *engine = &before->engines[before->engine_count++];
	memset(engine, 0, sizeof(*engine));
	memcpy(engine->name, now->name, sizeof(engine->name));
	return engine;
}

/* Adds to its owner what a client has used since it was read before. */
static void client_count(struct drm_scan *scan, struct client *client, const struct drm_fdinfo *now, struct gpu_user *user)
{
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < now->engine_count; i++) {
		const struct drm_engine *engine = &now->engines[i];
		struct drm_engine *before = engine_before(&client->before, engine);
		if (!engine_tells(engine) || before == NULL)
			continue;
		uint64_t used_ns = engine_used_ns(before, engine, now_ns - client->read_ns);
		engine_keep(before, engine);
		user->time_ns += used_ns;
		if (client->read_look > 0) /* what a client used before we knew it was not in this interval alone */
			sum_add(scan, now, engine, used_ns);
	}
	client->read_look = scan->look;
	client->read_ns = now_ns;
}

static void client_see(struct drm_scan *scan, const struct drm_fdinfo *fdinfo, struct gpu_user *user)
{
	struct client *client = client_find(scan, fdinfo);
	if (client == NULL) {
		if (scan->client_count == CLIENTS)
			return;
		client = &scan->clients[scan->client_count];
		memset(client, 0, sizeof(*client));
		client->before = *fdinfo;
		client->before.engine_count = 0;
		client_place(scan, scan->client_count++);
	}
	client->seen_look = scan->look;
	bool is_owner = client->owner_pid == user->pid && client->owner_start_ns == user->start_time_ns;
	if (!is_owner && client->owner_look > 0 && client->owner_look + 1 >= scan->look)
		return;
	client->owner_pid = user->pid;
	client->owner_start_ns = user->start_time_ns;
	client->owner_look = scan->look;
	if (client->read_look != scan->look)
		client_count(scan, client, fdinfo, user);
}

/* ---- processes ---- */

/* Does a descriptor lead to a gpu? Its folder is not looked at: a container may have the device somewhere else. */
static bool is_gpu(const char *target, size_t length)
{
	const char *slash = memrchr(target, '/', length);
	if (slash == NULL)
		return false;
	const char *name = slash + 1, *end = target + length;
	size_t prefix = 0;
	if (end - name > 7 && memcmp(name, "renderD", 7) == 0)
		prefix = 7;
	else if (end - name > 4 && memcmp(name, "card", 4) == 0)
		prefix = 4;
	for (const char *at = name + prefix; at < end; at++) {
		if (*at < '0' || *at > '9')
			return false;
	}
	return prefix > 0;
}

/* Reads one descriptor, if it is of a gpu. The link is read, not followed: a file system that hangs is not asked anything. */
static void descriptor_look(struct drm_scan *scan, int folder_fd, uint32_t pid, uint32_t number)
{
	char path[48], target[256];
	struct drm_fdinfo fdinfo;
	snprintf(path, sizeof(path), "%u", number);
	ssize_t length = readlinkat(folder_fd, path, target, sizeof(target));
	if (length <= 0 || (size_t)length >= sizeof(target) || !is_gpu(target, (size_t)length))
		return;
	snprintf(path, sizeof(path), "%u/fdinfo/%u", pid, number);
	length = file_read_at(scan->proc_fd, path, scan->text, sizeof(scan->text));
	if (length <= 0 || !drm_fdinfo_parse(scan->text, (size_t)length, &fdinfo))
		return;
	bool tells = false;
	for (uint32_t i = 0; i < fdinfo.engine_count; i++)
		tells = tells || engine_tells(&fdinfo.engines[i]);
	*(tells ? &scan->telling_seen : &scan->mute_seen) = true;
	struct gpu_user *user = tells ? user_make(scan, pid) : NULL;
	if (user != NULL)
		client_see(scan, &fdinfo, user);
}

static void process_look(struct drm_scan *scan, const atomic_bool *stop, uint32_t pid)
{
	char path[32];
	uint32_t number, count = 0;
	ssize_t length;
	snprintf(path, sizeof(path), "%u/fd", pid);
	int fd = openat(scan->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (count < DESCRIPTORS && (length = getdents64(fd, scan->listing, sizeof(scan->listing))) > 0) {
		size_t offset = 0;
		while (number_next(scan->listing, (size_t)length, &offset, &number) && count++ < DESCRIPTORS && !atomic_load(stop))
			descriptor_look(scan, fd, pid, number);
	}
	closefd(&fd);
}

static void users_look(struct drm_scan *scan, const atomic_bool *stop)
{
	for (uint32_t i = 0; i < scan->user_count && !atomic_load(stop);) {
		const struct gpu_user *user = &scan->users[i];
		if (gpu_process_start(scan->proc_fd, user->pid, NULL) != user->start_time_ns) {
			user_remove(scan, i);
			continue;
		}
		process_look(scan, stop, user->pid);
		i++;
	}
}

/* Looks at one that was no user when the look began. */
static void other_look(struct drm_scan *scan, const atomic_bool *stop, struct listed *other)
{
	uint32_t flags = 0;
	if (other->is_kernel || user_of(scan, other->pid) != NULL)
		return;
	if (!other->is_known) {
		other->is_known = gpu_process_start(scan->proc_fd, other->pid, &flags) > 0;
		other->is_kernel = (flags & PROCFS_KERNEL_THREAD) != 0;
	}
	if (!other->is_kernel)
		process_look(scan, stop, other->pid);
}

static void others_look(struct drm_scan *scan, const atomic_bool *stop)
{
	const uint64_t until_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + scan->budget_ns;
	struct listed *listed = scan->listed[scan->newest];
	const uint32_t count = scan->listed_count[scan->newest];
	uint32_t from = 0;
	for (uint32_t i = 0; i < count && !atomic_load(stop); i++) {
		if (listed[i].pid < scan->others_from)
			from = i + 1;
		if (listed[i].looks >= YOUNG_LOOKS || clock_now_ns(CLOCK_THREAD_CPUTIME_ID) > until_ns)
			continue;
		listed[i].looks++;
		other_look(scan, stop, &listed[i]);
	}
	for (uint32_t n = 0; n < count && !atomic_load(stop); n++) {
		struct listed *other = &listed[(from + n) % count];
		scan->others_from = other->pid;
		if (n > 0 && clock_now_ns(CLOCK_THREAD_CPUTIME_ID) > until_ns)
			return;
		other_look(scan, stop, other);
	}
}

/* ---- a look ---- */

static void result_fill(const struct drm_scan *scan, uint64_t elapsed_ns, struct gpu_result *result)
{
	result->count = scan->user_count;
	memcpy(result->users, scan->users, scan->user_count * sizeof(scan->users[0]));
	result->tells = scan->telling_seen || !scan->mute_seen;
	if (!result->tells || elapsed_ns == 0)
		return;
	result->busy_ratio = 0;
	for (uint32_t i = 0; i < scan->sum_count; i++) {
		const struct sum *sum = &scan->sums[i];
		double ratio = (double)sum->used_ns / ((double)elapsed_ns * sum->capacity);
		result->busy_ratio = fmax(result->busy_ratio, fmin(ratio, 1));
	}
}

void drm_scan_look(void *context, const atomic_bool *stop, struct gpu_result *result)
{
	struct drm_scan *scan = context;
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
	scan->look++;
	scan->sum_count = 0;
	processes_list(scan);
	users_look(scan, stop);
	others_look(scan, stop);
	clients_purge(scan);
	result_fill(scan, scan->looked_ns > 0 ? now_ns - scan->looked_ns : 0, result);
	scan->looked_ns = now_ns;
}

int drm_scan_new(const char *proc_root, uint32_t max_processes, uint64_t budget_ns, struct drm_scan **ret_scan, char error[256])
{
	struct pool pool = {0};
	struct drm_scan *scan = pool_take(&pool, 1, sizeof(*scan));
	*ret_scan = NULL;
	if (scan != NULL) {
		scan->listed[0] = pool_take(&pool, max_processes, sizeof(struct listed));
		scan->listed[1] = pool_take(&pool, max_processes, sizeof(struct listed));
		scan->clients = pool_take(&pool, CLIENTS, sizeof(struct client));
	}
	if (pool.failed) {
		pool_release(&pool);
		snprintf(error, 256, "no memory to look for gpu users");
		return -ENOMEM;
	}
	int fd = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int result = -errno;
		pool_release(&pool);
		snprintf(error, 256, "%s cannot be opened: %s", proc_root, strerror(-result));
		return result;
	}
	scan->proc_fd = fd;
	scan->pool = pool;
	scan->max_processes = max_processes;
	scan->budget_ns = budget_ns;
	*ret_scan = scan;
	return 0;
}

void drm_scan_free(void *context)
{
	struct drm_scan *scan = context;
	if (scan == NULL)
		return;
	closefd(&scan->proc_fd);
	struct pool pool = scan->pool; /* holds the struct itself */
	pool_release(&pool);
}
