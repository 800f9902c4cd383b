/* walk_live.c - the walk inside the kernel, on the real machine; see walk_live.h. */
#include "tests/support/walk_live.h"

#include "collector/bpf/convert.h"
#include "collector/bpf/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { PROCESSES = 16384 }; /* room enough for what else runs */

bool walk_live_is_possible(void)
{
	bool possible = load_has_type_information() && load_is_permitted();
	if (!possible)
		printf("skipped: loading programs into the kernel takes type information (BTF), CAP_BPF and CAP_PERFMON\n");
	return possible;
}

static int open_with(struct walk_live *live, const struct walk_options *options)
{
	char error[256] = "";
	*live = (struct walk_live){0};
	int result = walk_open(options, &live->walk, error);
	if (result < 0)
		printf("%s\n", error);
	return result;
}

int walk_live_open(struct walk_live *live, const char *way)
{
	const struct walk_options options = {.way = way, .processes = PROCESSES, .chunk = UINT32_MAX, .chunk_from = UINT32_MAX};
	return open_with(live, &options);
}

int walk_live_open_chunked(struct walk_live *live, uint32_t chunk, void (*progress)(void *context), void *context)
{
	const struct walk_options options = {
	        .way = "syscall",
	        .processes = PROCESSES,
	        .chunk = chunk,
	        .progress = progress,
	        .progress_context = context,
	};
	return open_with(live, &options);
}

void walk_live_close(struct walk_live *live)
{
	walk_close(&live->walk);
}

void walk_live_run(struct walk_live *live)
{
	char error[256] = "";
	assert_int_equal(walk_run(live->walk, &live->result), 0);
	while (live->result.dropped > 0) { /* other tests may run, with thousands of processes */
		if (walk_grow(live->walk, walk_processes(live->walk), error) != 0)
			fail_msg("%s", error);
		assert_int_equal(walk_run(live->walk, &live->result), 0);
	}
}

const struct walk_record *walk_live_find(const struct walk_live *live, pid_t pid)
{
	const struct walk_view *view = &live->result.view;
	for (uint32_t i = 0; i < view->count; i++)
		if (view->records[i].pid == (uint32_t)pid)
			return &view->records[i];
	return NULL;
}

struct raw_process walk_live_process(const struct walk_live *live, pid_t pid)
{
	const struct walk_record *record = walk_live_find(live, pid);
	struct convert convert;
	struct raw_process process;
	assert_non_null(record);
	convert_init(&convert, live->result.features, false, (uint64_t)sysconf(_SC_PAGESIZE));
	convert_process(&convert, record, &process);
	return process;
}
