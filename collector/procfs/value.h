/*
 * value.h - arithmetic that stays at the largest value, and present bits, for the /proc back end.
 */
#ifndef COLLECTOR_PROCFS_VALUE_H
#define COLLECTOR_PROCFS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint64_t procfs_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;
	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static inline uint64_t procfs_sum(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline void procfs_set_bits(uint64_t present[2], bool is_present, const uint8_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t bit = UINT64_C(1) << (ids[i] % 64), *word = &present[ids[i] / 64];
		*word = is_present ? *word | bit : *word & ~bit;
	}
}

/* Marks the fields, RH_F_x or RH_S_x, as present or absent. */
#define PROCFS_SET_BITS(present, is_present, ...) \
	procfs_set_bits((present), (is_present), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#endif
