/* order.c - see order.h. */
#include "collector/order.h"

#include "base/assert.h"

#include <stdbool.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS }; /* two passes for the largest pid of Linux, 2^22 */

struct columns {
	const float *scores;
	const uint32_t *pids;
};

void order_init(struct order *order, struct pool *pool, uint32_t capacity)
{
	order->heap = pool_take(pool, capacity, sizeof(uint32_t));
	order->rows[0] = pool_take(pool, capacity, sizeof(uint32_t));
	order->rows[1] = pool_take(pool, capacity, sizeof(uint32_t));
	order->chosen = pool_take(pool, capacity, 1);
}

/* Does row a come before row b in a ranking by score? */
static bool is_before(const struct columns *columns, uint32_t a, uint32_t b)
{
	if (columns->scores[a] != columns->scores[b])
		return columns->scores[a] > columns->scores[b];
	if (columns->pids[a] != columns->pids[b])
		return columns->pids[a] < columns->pids[b];
	return a < b;
}

/* Moves the row at `at` down to its place in a heap whose root is the last in rank. */
static void heap_sink(const struct columns *columns, uint32_t *heap, uint32_t size, uint32_t at)
{
	uint32_t row = heap[at];
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= size)
			break;
		if (child + 1 < size && is_before(columns, heap[child], heap[child + 1]))
			child++;
		if (is_before(columns, heap[child], row))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = row;
}

/* The first `limit` rows in rank of all rows, as a heap. A row that does not belong to them costs one comparison. */
static void heap_select(const struct columns *columns, uint32_t count, uint32_t *heap, uint32_t limit)
{
	for (uint32_t row = 0; row < limit; row++)
		heap[row] = row;
	for (uint32_t at = limit / 2; at-- > 0;)
		heap_sink(columns, heap, limit, at);
	for (uint32_t row = limit; limit > 0 && row < count; row++) {
		if (is_before(columns, row, heap[0])) {
			heap[0] = row;
			heap_sink(columns, heap, limit, 0);
		}
	}
}

/* Turns the heap into rows in rank. */
static void heap_sort(const struct columns *columns, uint32_t *heap, uint32_t size)
{
	while (size > 1) {
		uint32_t last = heap[0];
		heap[0] = heap[--size];
		heap[size] = last;
		heap_sink(columns, heap, size, 0);
	}
}

static uint32_t *radix_pass(const uint32_t *pids, const uint32_t *from, uint32_t *to, uint32_t count, unsigned shift)
{
	uint32_t starts[DIGITS] = {0}, at = 0;
	for (uint32_t i = 0; i < count; i++)
		starts[pids[from[i]] >> shift & (DIGITS - 1)]++;
	for (uint32_t digit = 0; digit < DIGITS; digit++) {
		uint32_t size = starts[digit];
		starts[digit] = at;
		at += size;
	}
	for (uint32_t i = 0; i < count; i++)
		to[starts[pids[from[i]] >> shift & (DIGITS - 1)]++] = from[i];
	return to;
}

/* Sorts rows by pid, equal ones in the order they have. Sources mostly list by pid: then it is one look at each. */
static uint32_t *sort_by_pid(struct order *order, const uint32_t *pids, uint32_t count)
{
	uint32_t *rows = order->rows[0], *spare = order->rows[1], highest = 0;
	bool sorted = true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t pid = pids[rows[i]];
		sorted = sorted && pid >= highest;
		highest = pid > highest ? pid : highest;
	}
	for (unsigned shift = 0; !sorted && shift < 32 && highest >> shift != 0; shift += DIGIT_BITS) {
		uint32_t *result = radix_pass(pids, rows, spare, count, shift);
		spare = rows;
		rows = result;
	}
	return rows;
}

const uint32_t *order_rows(struct order *order, const float *scores, const uint32_t *pids, uint32_t count, uint32_t first, uint32_t keep)
{
	struct columns columns = {scores, pids};
	first = first < count ? first : count;
	keep = keep < count ? keep : count;
	RH_ASSERT(first <= keep);
	memset(order->chosen, 1, count);
	if (keep < count) {
		memset(order->chosen, 0, count);
		heap_select(&columns, count, order->heap, keep);
		for (uint32_t i = 0; i < keep; i++)
			order->chosen[order->heap[i]] = 1;
	}
	heap_select(&columns, count, order->heap, first);
	heap_sort(&columns, order->heap, first);
	for (uint32_t i = 0; i < first; i++)
		order->chosen[order->heap[i]] = 0;

	uint32_t rest = 0;
	for (uint32_t row = 0; row < count; row++) {
		order->rows[0][rest] = row;
		rest += order->chosen[row];
	}
	const uint32_t *by_pid = sort_by_pid(order, pids, rest);
	/* The heap has room for all rows: those of the highest score stand in it already. */
	memcpy(order->heap + first, by_pid, rest * sizeof(uint32_t));
	return order->heap;
}
