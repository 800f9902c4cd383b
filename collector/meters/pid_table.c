/* pid_table.c - see pid_table.h. */
#include "collector/meters/pid_table.h"

static struct pid_row *rows_of(const struct pid_table *table, uint32_t generation)
{
	return table->rows[generation & 1];
}

void pid_table_take(struct pid_table *table, struct pool *pool, uint32_t capacity)
{
	uint64_t size = 64;
	while (size < (uint64_t)capacity * 2)
		size *= 2;
	table->capacity = capacity;
	table->mask = (uint32_t)(size - 1);
	table->generation = 1; /* zeroed rows are of none */
	for (unsigned i = 0; i < 2; i++)
		table->rows[i] = pool_take(pool, size, sizeof(struct pid_row));
}

void pid_table_begin(struct pid_table *table)
{
	table->generation++;
}

const struct pid_row *pid_table_before(const struct pid_table *table, uint32_t pid, uint64_t start_time_ns)
{
	const uint32_t before = table->generation - 1;
	const struct pid_row *rows = rows_of(table, before);
	for (uint32_t i = pid & table->mask; rows[i].generation == before; i = (i + 1) & table->mask) {
		if (rows[i].pid == pid)
			return rows[i].start_time_ns == start_time_ns ? &rows[i] : NULL;
	}
	return NULL;
}

struct pid_row *pid_table_add(struct pid_table *table, uint32_t pid, uint64_t start_time_ns)
{
	struct pid_row *rows = rows_of(table, table->generation);
	uint32_t i = pid & table->mask;
	while (rows[i].generation == table->generation)
		i = (i + 1) & table->mask;
	rows[i] = (struct pid_row){.generation = table->generation, .pid = pid, .start_time_ns = start_time_ns};
	return &rows[i];
}
