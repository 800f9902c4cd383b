/*
 * Publishes a process that has one named field set to 4711, and shows what readers make of it: the schema inside the segment, then `top` as
 * table and as JSON. one_row.sh builds it against a table with a row added; no line here knows that row.
 *
 * usage: one_row FIELD
 */
#include "readers/top/top.h"
#include "rogue/reader.h"
#include "rogue/tables.h"
#include "tests/support/ring.h"

#include <stdlib.h>

static int show_schema(const char *instance, const char *name)
{
	struct rh_field field;
	struct rh_ring *ring;

	if (rh_open(instance, &ring, NULL) != RH_OK)
		return EXIT_FAILURE;
	bool found = rh_field_by_name(ring, 0, name, &field) == RH_OK;
	if (found)
		printf("segment: %s id %u offset %u size %u unit %s\n", field.name, field.id, field.offset, field.size, field.unit);
	rh_close(&ring);
	return found ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_top(const char *instance, const char *name, const char *form)
{
	char top[] = "top", name_option[] = "--name", fields[] = "--fields";
	char *copies[] = {strdup(instance), strdup(name), strdup(form)};
	char *argv[] = {top, name_option, copies[0], fields, copies[1], copies[2], NULL};
	int code = top_main(6, argv);

	for (size_t i = 0; i < 3; i++)
		free(copies[i]);
	return code;
}

int main(int argc, char **argv)
{
	const struct rh_row *row = argc == 2 ? rh_row_by_name(rh_process_rows, RH_PROCESS_ROWS, argv[1]) : NULL;
	struct rh_process process = ring_process(1, "one", 50);
	struct rh_system system = ring_system(1, 50);
	uint64_t value = 4711;
	char instance[65];

	if (!row || row->type != RH_TYPE_u64) {
		fprintf(stderr, "usage: one_row FIELD, where FIELD is a u64 of fields.def\n");
		return 2;
	}
	rh_set(process.present, row->id);
	memcpy((char *)&process + row->offset, &value, sizeof(value));
	struct ring_writer *writer = ring_begin(ring_instance("row", instance), 4);
	ring_put(writer, &system, &process, 1, 1);
	int failed = show_schema(instance, row->name) || show_top(instance, row->name, "--all") || show_top(instance, row->name, "--json");
	ring_close(&writer);
	return failed;
}
