/* walk.c - see walk.h. */
#include "collector/bpf/walk.h"

#include "base/clock.h"
#include "collector/bpf/load.h"
#include "rogue/tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "walk.skel.h"
#include "walk_cpu.skel.h"
#include "walk_iterator.skel.h"

enum {
	RECORDS_LEAST = 256,
	SLOTS_PER_RECORD = 4, /* of the iterator's table */
	PARTS_PROBES = 4,
	WHOLE_EACH = 16,            /* walks between two in which the parts of all are read: others may take memory from who sleeps */
	PID_WORDS = (1 << 22) / 64, /* Linux gives out no higher pids */
};

/* What single cpus had counted of a process's memory when it last ran. */
struct parts {
	uint64_t start_time_ns;
	uint32_t pid;
	int32_t pages[WALK_PAGES];
};

/* One of the two ways, loaded. */
struct loaded {
	struct walk_bpf *tasks;
	struct walk_iterator_bpf *iterator;
	struct bpf_link *link; /* of the iterator */
	int program_fd;
	struct walk_control *control;
	struct walk_record *records;
	struct walk_waiting *waiting;
	uint32_t room;
	size_t records_bytes, waiting_bytes;
};

struct walk {
	struct walk_options options;
	struct loaded loaded;
	struct walk_settings settings;
	uint32_t processes; /* in the walk before */
	uint32_t generation;
	bool knows_parts;
	struct parts *parts; /* [parts_mask + 1]; NULL: the parts of all are read each time */
	uint32_t parts_mask;
	uint64_t seen[PID_WORDS]; /* pids, while duplicates are looked for */
};

static uint32_t power_of_two(uint32_t least)
{
	uint32_t value = 1;
	while (value < least && value < UINT32_C(1) << 30)
		value *= 2;
	return value;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + page - 1) / page * page;
}

/* ---- loading ---- */

/* A map of that object, mapped into this process. NULL: errno says why. */
static void *map_view(const struct bpf_map *map, size_t *ret_bytes)
{
	size_t bytes = whole_pages((size_t)bpf_map__value_size(map) * bpf_map__max_entries(map));
	void *view = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	*ret_bytes = bytes;
	return view == MAP_FAILED ? NULL : view;
}

static void unload(struct loaded *loaded)
{
	if (loaded->records)
		munmap(loaded->records, loaded->records_bytes);
	if (loaded->waiting)
		munmap(loaded->waiting, loaded->waiting_bytes);
	bpf_link__destroy(loaded->link);
	walk_bpf__destroy(loaded->tasks);
	walk_iterator_bpf__destroy(loaded->iterator);
	*loaded = (struct loaded){0};
}

static int views_make(struct loaded *loaded, const struct bpf_map *records, const struct bpf_map *waiting)
{
	loaded->records = map_view(records, &loaded->records_bytes);
	if (!loaded->records)
		return -errno;
	loaded->waiting = map_view(waiting, &loaded->waiting_bytes);
	return loaded->waiting ? 0 : -errno;
}

static int load_tasks(struct loaded *loaded, const struct walk_settings *settings)
{
	struct walk_bpf *object = loaded->tasks = walk_bpf__open();
	if (!object)
		return -errno;
	memcpy(&object->rodata->settings, settings, sizeof(*settings));
	bpf_map__set_max_entries(object->maps.records, loaded->room);
	int result = walk_bpf__load(object);
	if (result < 0)
		return result;
	loaded->control = &object->bss->control;
	loaded->program_fd = bpf_program__fd(object->progs.walk_tasks);
	return views_make(loaded, object->maps.records, object->maps.waiting);
}

static int load_iterator(struct loaded *loaded, const struct walk_settings *settings)
{
	struct walk_iterator_bpf *object = loaded->iterator = walk_iterator_bpf__open();
	if (!object)
		return -errno;
	memcpy(&object->rodata->settings, settings, sizeof(*settings));
	object->rodata->settings.slots = power_of_two(loaded->room * SLOTS_PER_RECORD);
	bpf_map__set_max_entries(object->maps.records, loaded->room);
	bpf_map__set_max_entries(object->maps.slots, object->rodata->settings.slots);
	int result = walk_iterator_bpf__load(object);
	if (result < 0)
		return result;
	loaded->link = bpf_program__attach_iter(object->progs.walk_task, NULL);
	if (!loaded->link)
		return -errno;
	loaded->control = &object->bss->control;
	return views_make(loaded, object->maps.records, object->maps.waiting);
}

static int run_once(struct loaded *loaded, uint32_t generation);

/* Loads one way and tries it. Returns 0, or -errno with a sentence in `error`. */
static int load_way(struct loaded *loaded, const struct walk_settings *settings, uint32_t room, bool iterator, char error[256])
{
	*loaded = (struct loaded){.room = room};
	load_quietly();
	int result = iterator ? load_iterator(loaded, settings) : load_tasks(loaded, settings);
	if (result == 0) {
		loaded->control->tasks_most = UINT32_MAX;
		loaded->control->begins = 1;
		result = run_once(loaded, 1);
	}
	if (result == 0)
		return 0;
	load_explain(iterator ? "the walk by task iterator" : "the task walk", result, error);
	unload(loaded);
	return result;
}

/* The best way that the options and the kernel allow. */
static int load(struct loaded *loaded, const struct walk *walk, uint32_t room, char error[256])
{
	bool only_iterator = strcmp(walk->options.way, "iterator") == 0, only_call = strcmp(walk->options.way, "syscall") == 0;
	if (only_iterator || only_call)
		return load_way(loaded, &walk->settings, room, only_iterator, error);
	int result = load_way(loaded, &walk->settings, room, false, error);
	if (result == 0 || result == -EPERM || result == -ENOMEM)
		return result;
	return load_way(loaded, &walk->settings, room, true, error);
}

/* Without it the parts of single cpus are left out: no reason to give up. */
static void find_cpu_offsets(struct walk_settings *settings)
{
	load_quietly();
	struct walk_cpu_bpf *object = walk_cpu_bpf__open_and_load();
	LIBBPF_OPTS(bpf_test_run_opts, options);
	if (!object)
		return;
	if (bpf_prog_test_run_opts(bpf_program__fd(object->progs.find_cpu_offsets), &options) == 0) {
		settings->cpus = object->bss->cpus;
		for (uint32_t cpu = 0; cpu < settings->cpus; cpu++)
			settings->cpu_offset[cpu] = (uint64_t)(uintptr_t)object->bss->address[cpu] - object->bss->base;
	}
	walk_cpu_bpf__destroy(object);
}

static uint32_t room_for(uint32_t processes)
{
	if (processes > UINT32_C(1) << 22)
		processes = UINT32_C(1) << 22;
	return processes * 2 > RECORDS_LEAST ? processes * 2 : RECORDS_LEAST;
}

/* A table for the parts of single cpus, where they are not read each time. Returns 0 or -ENOMEM. */
static int parts_make(struct walk *walk, uint32_t room)
{
	if (walk->settings.cpus <= WALK_CPUS_FEW)
		return 0;
	uint32_t count = power_of_two(room * 2);
	struct parts *parts = calloc(count, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	free(walk->parts);
	walk->parts = parts;
	walk->parts_mask = count - 1;
	walk->knows_parts = false;
	return 0;
}

int walk_open(const struct walk_options *options, struct walk **ret_walk, char error[256])
{
	struct walk *walk = calloc(1, sizeof(*walk));
	if (!walk) {
		snprintf(error, 256, "no memory for the task walk");
		return -ENOMEM;
	}
	walk->options = *options;
	walk->processes = options->processes;
	walk->generation = 1; /* of the walk that loading tries */
	find_cpu_offsets(&walk->settings);
	uint32_t room = room_for(options->processes);
	int result = parts_make(walk, room);
	if (result == 0)
		result = load(&walk->loaded, walk, room, error);
	else
		snprintf(error, 256, "no memory for the task walk");
	if (result < 0) {
		walk_close(&walk);
		return result;
	}
	*ret_walk = walk;
	return 0;
}

int walk_grow(struct walk *walk, uint32_t processes, char error[256])
{
	struct loaded larger;
	uint32_t room = room_for(processes);
	int result = load(&larger, walk, room, error);
	if (result < 0)
		return result;
	/* What the clocks were found to differ by still holds, and when the last walk was. */
	larger.control->clock_lag_ns = walk->loaded.control->clock_lag_ns;
	larger.control->clock_seen_ns = walk->loaded.control->clock_seen_ns;
	larger.control->begin_rq_ns = walk->loaded.control->begin_rq_ns;
	unload(&walk->loaded);
	walk->loaded = larger;
	if (parts_make(walk, room) == 0)
		return 0;
	snprintf(error, 256, "no memory for the task walk");
	return -ENOMEM;
}

void walk_close(struct walk **walk)
{
	unload(&(*walk)->loaded);
	free((*walk)->parts);
	free(*walk);
	*walk = NULL;
}

uint32_t walk_room(const struct walk *walk)
{
	return walk->loaded.room;
}

uint32_t walk_processes(const struct walk *walk)
{
	return walk->processes;
}

uint8_t walk_sampler(const struct walk *walk)
{
	return walk->loaded.tasks ? RH_SAMPLER_bpf : RH_SAMPLER_bpf_iterator;
}

/* ---- running ---- */

/* Reads the iterator to its end: nothing comes out of it, the records are in the map. */
static int iterate(struct loaded *loaded, uint32_t generation)
{
	char nothing[64];
	ssize_t length;
	int fd = bpf_iter_create(bpf_link__fd(loaded->link));
	if (fd < 0)
		return -errno;
	loaded->control->generation = generation;
	do
		length = read(fd, nothing, sizeof(nothing));
	while (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR)));
	int result = length < 0 ? -errno : 0;
	close(fd);
	return result;
}

/* One call of the kernel. */
static int run_once(struct loaded *loaded, uint32_t generation)
{
	if (loaded->iterator)
		return iterate(loaded, generation);
	LIBBPF_OPTS(bpf_test_run_opts, options);
	return bpf_prog_test_run_opts(loaded->program_fd, &options);
}

/* Each pid once: where one was given out anew while the walk was between two chunks, the later record stands. */
static void drop_duplicates(struct walk *walk)
{
	struct walk_record *records = walk->loaded.records;
	uint32_t count = walk->loaded.control->count, kept = 0, duplicates = 0;
	for (uint32_t i = count; i > 0; i--) {
		struct walk_record *record = &records[i - 1];
		uint64_t *word = &walk->seen[(record->pid >> 6) % PID_WORDS], bit = UINT64_C(1) << (record->pid & 63);
		if (*word & bit) {
			record->pid = 0;
			duplicates++;
		}
		*word |= bit;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (records[i].pid == 0)
			continue;
		walk->seen[(records[i].pid >> 6) % PID_WORDS] = 0;
		if (duplicates > 0 && kept != i)
			records[kept] = records[i];
		kept++;
	}
	walk->loaded.control->count = kept;
}

static struct parts *parts_of(const struct walk *walk, const struct walk_record *record)
{
	for (uint32_t i = 0; i < PARTS_PROBES; i++) {
		struct parts *parts = &walk->parts[(record->pid + i) & walk->parts_mask];
		if (parts->pid == record->pid && parts->start_time_ns == record->start_time_ns)
			return parts;
	}
	return NULL;
}

static void parts_remember(struct walk *walk, const struct walk_record *record)
{
	struct parts *parts = parts_of(walk, record);
	for (uint32_t i = 0; !parts && i < PARTS_PROBES; i++) {
		struct parts *place = &walk->parts[(record->pid + i) & walk->parts_mask];
		if (place->pid == 0 || i == PARTS_PROBES - 1)
			parts = place;
	}
	parts->pid = record->pid;
	parts->start_time_ns = record->start_time_ns;
	memcpy(parts->pages, record->cpu_pages, sizeof(parts->pages));
}

/* Who did not run since has counted nothing since. */
static void parts_fill(struct walk *walk)
{
	for (uint32_t i = 0; i < walk->loaded.control->count; i++) {
		struct walk_record *record = &walk->loaded.records[i];
		if (record->memory == WALK_MEMORY_WHOLE) {
			parts_remember(walk, record);
		} else if (record->memory == WALK_MEMORY_COARSE) {
			const struct parts *parts = parts_of(walk, record);
			if (!parts)
				continue;
			memcpy(record->cpu_pages, parts->pages, sizeof(record->cpu_pages));
			record->memory = WALK_MEMORY_WHOLE;
		}
	}
}

int walk_run(struct walk *walk, struct walk_result *ret_result)
{
	struct walk_control *control = walk->loaded.control;
	bool chunked = !walk->loaded.iterator && walk->processes >= walk->options.chunk_from;
	uint32_t calls = 0;
	control->begins = 1;
	control->tasks_most = chunked ? walk->options.chunk : UINT32_MAX;
	control->whole_of_all = !walk->knows_parts || (!walk->parts && walk->generation % WHOLE_EACH == 0);
	if (++walk->generation == 0)
		walk->generation = 1;
	/* Makes the kernel bring the clock of this cpu's run queue up to date: the walk then knows how that differs from the others. */
	(void)clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	do {
		int result = run_once(&walk->loaded, walk->generation);
		if (result < 0)
			return result;
		if (++calls > 1 && walk->options.progress)
			walk->options.progress(walk->options.progress_context);
	} while (!control->done);
	if (chunked)
		drop_duplicates(walk);
	if (walk->parts)
		parts_fill(walk);
	walk->knows_parts = true;
	walk->processes = control->count + control->dropped;
	*ret_result = (struct walk_result){
	        .view =
	                {
	                        .records = walk->loaded.records,
	                        .waiting = walk->loaded.waiting,
	                        .count = control->count,
	                        .waiting_count = control->waiting_count,
	                        .waiting_lost = control->waiting_lost,
	                        .begin_boot_ns = control->begin_boot_ns,
	                        .begin_rq_ns = control->begin_rq_ns,
	                },
	        .dropped = control->dropped,
	        .tasks = control->tasks,
	        .calls = calls,
	        .searches = control->searches,
	        .features = control->features,
	        .self = control->self,
	};
	return 0;
}
