/*
 * attach.c - fuzzes attaching to and reading from a segment. The input is a list of changes to a sound segment: so it reaches what
 * lies behind magic and hash, and no file of the corpus goes stale when a field is added.
 *
 *   byte 0      bit 0: mend the schema's hash after the changes; bit 1: cut the segment
 *   bytes 1..3  where to cut
 *   then, again and again: region (1 byte), offset in it (2 bytes), value (1 byte)
 */
#include "tests/fuzz/attach_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct region {
	uint64_t offset, length;
};

/* Parts of a segment, the interesting ones often. */
static struct region region_of(const struct image *image, unsigned choice)
{
	const struct seg_header *header = &image->header;

	switch (choice % 8) {
	case 0:
	case 1:
	case 2:
		return (struct region){0, sizeof(*header)};
	case 3:
		return (struct region){header->control_off, sizeof(struct seg_control)};
	case 4:
		return (struct region){header->schema_off, (uint64_t)header->fields * header->field_size};
	case 5:
	case 6: /* sequence and frame of a slot, without its long system record */
		return (struct region){
		        header->slots_off + choice / 8 % header->slots * header->slot_size, offsetof(struct seg_slot, system)};
	default:
		return (struct region){header->arena_off, header->arena_size};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image image;
	size_t length;

	if (!image.bytes)
		image_take(&image);
	if (size < 4)
		return 0;
	memcpy(image.bytes, image.pristine, image.size);
	for (size_t i = 4; i + 4 <= size; i += 4) {
		struct region region = region_of(&image, data[i]);

		image.bytes[region.offset + (data[i + 1] | (unsigned)data[i + 2] << 8) % region.length] = data[i + 3];
	}
	if (data[0] & 1)
		image_mend_hash(&image);
	length = data[0] & 2 ? (data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16) % image.size : image.size;
	image_exercise(&image, length);
	return 0;
}
