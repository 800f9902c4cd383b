/*
 * pid_table.h - what a meter remembers of each process from one of its looks to the next, in memory of a fixed size.
 *
 * Two generations: a look adds a row for every process there is, taking over what the generation before knew of it; who is gone is forgotten by
 * not being added. Open addressing by the pid itself: pids are given out one after another, so neighbours share pages and cache lines.
 */
#ifndef COLLECTOR_METERS_PID_TABLE_H
#define COLLECTOR_METERS_PID_TABLE_H

#include "collector/pool.h"

#include <stdint.h>

struct pid_row {
	uint32_t generation, pid; /* in use where the generation is the table's */
	uint64_t start_time_ns, cpu_time_ns, energy_nj;
};

struct pid_table {
	struct pid_row *rows[2]; /* of the generation and the one before, by turns */
	uint32_t mask, generation, capacity;
};

/* Takes memory for as many processes; check pool->failed. */
void pid_table_take(struct pid_table *table, struct pool *pool, uint32_t capacity);

/* Begins a look: the newest generation becomes the one before. */
void pid_table_begin(struct pid_table *table);

/* The row of a process in the generation before; NULL if it was not there, or another process had its pid. */
const struct pid_row *pid_table_before(const struct pid_table *table, uint32_t pid, uint64_t start_time_ns);

/* Adds a row for a process that this look has not added yet; at most `capacity` in one look. Its counters are for the caller to set. */
struct pid_row *pid_table_add(struct pid_table *table, uint32_t pid, uint64_t start_time_ns);

#endif
