/*
 * sketch.h - the distribution of a quantity in half a KiB: how often values of about each size came, from which any quantile can be told.
 *
 * Buckets grow by a constant factor, so that a quantile is known to within 5 % of its value, whatever that is (the idea of DDSketch, Masson,
 * Rim and Lee, VLDB 2019). Values below 0.01 count as 0, those above 1e6 as 1e6. Sketches of parts, merged, are the sketch of the whole, bit
 * for bit. There are buckets for a range of 1 : 140,000 below the greatest value; what is smaller still is counted in the lowest of them, and
 * only quantiles that fall in there are told too high.
 */
#ifndef BASE_SKETCH_H
#define BASE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SKETCH_BUCKETS = 120,
	SKETCH_BYTES = 512, /* that sketch_write() needs at most */
};

#define SKETCH_MIN 0.01
#define SKETCH_MAX 1e6
#define SKETCH_ERROR 0.05 /* of a quantile, relative */

/* Zeroed it is empty. */
struct sketch {
	uint64_t zeros;
	float max;      /* exact; 0 of an empty one */
	uint16_t first; /* size class of counts[0] */
	uint32_t counts[SKETCH_BUCKETS];
};

/* Takes a value in. One that is no number is left out, a negative one counts as 0. Cost: a logarithm, 20 ns. */
void sketch_add(struct sketch *sketch, double value);

/* Takes in all that another sketch has seen. */
void sketch_merge(struct sketch *sketch, const struct sketch *other);

/* Values seen. Cost: a look at each bucket. */
uint64_t sketch_count(const struct sketch *sketch);

/*
 * Value that the fraction q (0 to 1) of all values does not exceed: 0.5 the median.
 * Returns it to within SKETCH_ERROR, at most the greatest value; 0 of an empty sketch.
 */
double sketch_quantile(const struct sketch *sketch, double q);

/* Writes it as bytes that every machine reads alike, few where few buckets are in use. Returns their number. */
size_t sketch_write(const struct sketch *sketch, unsigned char out[SKETCH_BYTES]);

/* Reads such bytes, whoever wrote them. Returns false, with an empty sketch, where they are none. */
bool sketch_read(struct sketch *ret_sketch, const void *bytes, size_t length);

#endif
