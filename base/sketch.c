/*
 * sketch.c - a distribution in half a KiB, see sketch.h.
 *
 * Size class i holds values above SKETCH_MIN * g^i, up to SKETCH_MIN * g^(i + 1), with g = (1 + e) / (1 - e) for the relative error e. The value
 * told for it, 2 g^i SKETCH_MIN * g / (1 + g), is within e of both ends.
 */
#include "base/sketch.h"

#include <math.h>
#include <string.h>

enum {
	CLASSES = 185,             /* ceil(ln(SKETCH_MAX / SKETCH_MIN) / ln g) */
	COUNT_MAX = (1 << 28) - 1, /* what four bytes of seven bits hold */
	VERSION = 1,
	HEAD_BYTES = 1 + 8 + 4 + 1 + 1, /* version, zeros, max, first, number of buckets */
};

static const uint64_t zeros_max = UINT64_C(1) << 60; /* no sum of counts overflows */

#define GROWTH ((1 + SKETCH_ERROR) / (1 - SKETCH_ERROR))

_Static_assert(HEAD_BYTES + 4 * SKETCH_BUCKETS <= SKETCH_BYTES, "SKETCH_BYTES are too few");
_Static_assert(sizeof(struct sketch) <= SKETCH_BYTES, "a sketch is half a KiB at most");
_Static_assert(CLASSES <= UINT8_MAX, "a place is written as one byte");

static uint32_t sum(uint32_t a, uint32_t b)
{
	return a > COUNT_MAX - b ? COUNT_MAX : a + b;
}

static uint64_t sum_of_zeros(uint64_t a, uint64_t b)
{
	return a > zeros_max - b ? zeros_max : a + b;
}

/* Moves the buckets up to a higher place; what falls out below is counted in the lowest. */
static void move_up(struct sketch *sketch, unsigned first)
{
	unsigned by = first - sketch->first;
	unsigned fallen = by < SKETCH_BUCKETS ? by : SKETCH_BUCKETS;
	uint32_t below = 0;

	for (unsigned i = 0; i < fallen; i++)
		below = sum(below, sketch->counts[i]);
	memmove(sketch->counts, sketch->counts + fallen, (SKETCH_BUCKETS - fallen) * sizeof(sketch->counts[0]));
	memset(sketch->counts + SKETCH_BUCKETS - fallen, 0, fallen * sizeof(sketch->counts[0]));
	sketch->counts[0] = sum(sketch->counts[0], below);
	sketch->first = (uint16_t)first;
}

static unsigned class_of(double value)
{
	double class = log(value / SKETCH_MIN) / log(GROWTH);

	return class < 0 ? 0 : class >= CLASSES ? CLASSES - 1 : (unsigned)class;
}

void sketch_add(struct sketch *sketch, double value)
{
	if (isnan(value))
		return;
	value = fmin(value, SKETCH_MAX);
	sketch->max = fmaxf(sketch->max, (float)value);
	if (value < SKETCH_MIN) {
		sketch->zeros = sum_of_zeros(sketch->zeros, 1);
		return;
	}
	unsigned class = class_of(value);
	if (class >= sketch->first + (unsigned)SKETCH_BUCKETS)
		move_up(sketch, class - SKETCH_BUCKETS + 1);
	uint32_t *count = &sketch->counts[class > sketch->first ? class - sketch->first : 0];
	*count = sum(*count, 1);
}

void sketch_merge(struct sketch *sketch, const struct sketch *other)
{
	if (other->first > sketch->first)
		move_up(sketch, other->first);
	unsigned below = sketch->first - other->first;
	for (unsigned i = 0; i < SKETCH_BUCKETS; i++) {
		uint32_t *count = &sketch->counts[i > below ? i - below : 0];
		*count = sum(*count, other->counts[i]);
	}
	sketch->zeros = sum_of_zeros(sketch->zeros, other->zeros);
	sketch->max = fmaxf(sketch->max, other->max);
}

uint64_t sketch_count(const struct sketch *sketch)
{
	uint64_t count = sketch->zeros;

	for (unsigned i = 0; i < SKETCH_BUCKETS; i++)
		count += sketch->counts[i];
	return count;
}

double sketch_quantile(const struct sketch *sketch, double q)
{
	uint64_t last = sketch_count(sketch), seen = sketch->zeros;

	if (last-- == 0)
		return 0;
	uint64_t rank = q >= 1 ? last : (uint64_t)(fmax(q, 0) * (double)last);
	if (rank < seen)
		return 0;
	for (unsigned i = 0; i < SKETCH_BUCKETS; i++) {
		seen += sketch->counts[i];
		if (rank < seen) {
			double low = SKETCH_MIN * pow(GROWTH, sketch->first + i);
			return fmin(2 * low * GROWTH / (1 + GROWTH), (double)sketch->max);
		}
	}
	return (double)sketch->max;
}

/* ---- as bytes: little-endian, counts in groups of seven bits, the lowest first ---- */

static unsigned char *put_fixed(unsigned char *out, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*out++ = (unsigned char)(value >> (8 * i));
	return out;
}

static uint64_t get_fixed(const unsigned char **bytes, unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < count; i++)
		value |= (uint64_t)(*bytes)[i] << (8 * i);
	*bytes += count;
	return value;
}

static unsigned char *put_count(unsigned char *out, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		*out++ = (unsigned char)(value | 0x80);
	*out++ = (unsigned char)value;
	return out;
}

/* Returns false where the bytes end too early or hold more than COUNT_MAX. */
static bool get_count(const unsigned char **bytes, const unsigned char *end, uint32_t *ret_count)
{
	*ret_count = 0;
	for (unsigned shift = 0; shift < 28 && *bytes < end; shift += 7) {
		unsigned char byte = *(*bytes)++;
		*ret_count |= (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

size_t sketch_write(const struct sketch *sketch, unsigned char out[SKETCH_BYTES])
{
	unsigned char *next = out;
	unsigned begin = 0, end = SKETCH_BUCKETS;
	uint32_t max_bits;

	while (end > 0 && sketch->counts[end - 1] == 0)
		end--;
	while (begin < end && sketch->counts[begin] == 0)
		begin++;
	memcpy(&max_bits, &sketch->max, sizeof(max_bits));
	next = put_fixed(next, VERSION, 1);
	next = put_fixed(next, sketch->zeros, 8);
	next = put_fixed(next, max_bits, 4);
	next = put_fixed(next, begin < end ? sketch->first + begin : 0, 1);
	next = put_fixed(next, end - begin, 1);
	for (unsigned i = begin; i < end; i++)
		next = put_count(next, sketch->counts[i]);
	return (size_t)(next - out);
}

/* The counts, from size class `class` on. Returns false where the bytes are not exactly that. */
static bool read_counts(struct sketch *sketch, const unsigned char *next, const unsigned char *end, unsigned class, unsigned count)
{
	unsigned place = class - sketch->first;

	for (unsigned i = 0; i < count; i++)
		if (!get_count(&next, end, &sketch->counts[place + i]))
			return false;
	/* What sketch_write() would have left out is no more ours than what it cannot write. */
	return next == end && (count == 0 || (sketch->counts[place] && sketch->counts[place + count - 1]));
}

bool sketch_read(struct sketch *ret_sketch, const void *bytes, size_t length)
{
	const unsigned char *next = bytes;

	*ret_sketch = (struct sketch){0};
	if (length < HEAD_BYTES || get_fixed(&next, 1) != VERSION)
		return false;
	struct sketch sketch = {.zeros = get_fixed(&next, 8)};
	uint32_t max_bits = (uint32_t)get_fixed(&next, 4);
	unsigned class = (unsigned)get_fixed(&next, 1), count = (unsigned)get_fixed(&next, 1);

	memcpy(&sketch.max, &max_bits, sizeof(sketch.max));
	if (sketch.zeros > zeros_max || !(sketch.max >= 0 && (double)sketch.max <= SKETCH_MAX) || count > SKETCH_BUCKETS ||
	        class + count > CLASSES || (count == 0 && class > 0))
		return false;
	/* Buckets that were moved up have their greatest value in the last one, so their place need not be written. */
	sketch.first = class + count > SKETCH_BUCKETS ? (uint16_t)(class + count - SKETCH_BUCKETS) : 0;
	if (!read_counts(&sketch, next, (const unsigned char *)bytes + length, class, count))
		return false;
	*ret_sketch = sketch;
	return true;
}
