/* sketch.c - fuzzes the bytes of a sketch, which come out of a database. */
#include "base/sketch.h"
#include "base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char bytes[SKETCH_BYTES];
	struct sketch sketch, sum;

	if (!sketch_read(&sketch, data, size)) {
		RH_ASSERT(sketch_count(&sketch) == 0);
		return 0;
	}
	/* What is taken is taken exactly, and can be used as any other. */
	size_t length = sketch_write(&sketch, bytes);
	RH_ASSERT(length <= sizeof(bytes) && sketch_read(&sum, bytes, length) && memcmp(&sketch, &sum, sizeof(sum)) == 0);
	sketch_merge(&sum, &sketch);
	sketch_add(&sum, 1e6);
	double median = sketch_quantile(&sketch, 0.5), most = sketch_quantile(&sketch, 1);
	RH_ASSERT(median >= 0 && median <= most && most <= SKETCH_MAX);
	RH_ASSERT(sketch_quantile(&sum, 1) >= most);
	return 0;
}
