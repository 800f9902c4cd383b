/*
 * ring_mutated.c - a segment cut at every kind of length, and with every byte of its header, control, schema and slots changed in
 * four ways, then with several changed at once. Attaching and reading must neither crash nor leave the mapping nor loop.
 *
 * Out of scope, as for any mapped file: a segment that is cut after it was attached gives SIGBUS. Only its owner could do that; the
 * writer never changes the size of a segment that has a name.
 */
#include "tests/fuzz/attach_exercise.h"

static unsigned long attached, refused;

static void look(const struct image *image, size_t length)
{
	if (image_exercise(image, length) == RH_OK)
		attached++;
	else
		refused++;
}

static void cut_everywhere(const struct image *image)
{
	const struct seg_header *header = &image->header;
	const uint64_t edges[] = {0, 8, 16, sizeof(*header), SEG_PAGE, header->control_off + sizeof(struct seg_control), header->schema_off,
	        header->schema_off + (uint64_t)header->fields * header->field_size, header->slots_off,
	        header->slots_off + (uint64_t)header->slots * header->slot_size, header->arena_off, image->size};

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (uint64_t length = edges[i] ? edges[i] - 1 : 0; length <= edges[i] + 1 && length <= image->size; length++)
			look(image, length);
	for (size_t length = 0; length < image->size; length += 97)
		look(image, length);
	must(attached == 1, "only the whole segment may be attached");
}

/* A longer file than the header says is not the segment it claims to be either. */
static void lengthen(struct image *image)
{
	unsigned char *longer = calloc(1, image->size + SEG_PAGE);
	struct image larger = *image;

	must(longer != NULL, "room");
	memcpy(longer, image->pristine, image->size);
	larger.bytes = longer;
	must(image_exercise(&larger, image->size + SEG_PAGE) == RH_NOT_A_SEGMENT, "a file that is too long was taken");
	free(longer);
}

static void change_each_byte(struct image *image, uint64_t offset, uint64_t length, bool mend)
{
	for (uint64_t at = offset; at < offset + length; at++) {
		const unsigned char old = image->pristine[at];
		const unsigned char values[] = {old ^ 1, old ^ 0x80, 0, 0xff};

		for (size_t i = 0; i < sizeof(values); i++) {
			image->bytes[at] = values[i];
			if (mend)
				image_mend_hash(image);
			look(image, image->size);
		}
		image->bytes[at] = old;
	}
	memcpy(image->bytes, image->pristine, sizeof(struct seg_header));
}

/* Texts of the schema without their end, and a field that reaches beyond its record: all refused, right hash or not. */
static void break_a_field(struct image *image)
{
	static const struct {
		size_t offset, length;
		unsigned char value;
	} breaks[] = {{offsetof(struct seg_field, name), 40, 'x'}, {offsetof(struct seg_field, type), 8, 'x'},
	        {offsetof(struct seg_field, unit), 16, 'x'}, {offsetof(struct seg_field, offset), 2, 0xff},
	        {offsetof(struct seg_field, size), 2, 0xff}, {offsetof(struct seg_field, size), 2, 0},
	        {offsetof(struct seg_field, id), 2, 0xff}, {offsetof(struct seg_field, scope), 1, 2}};
	unsigned char *field = image->bytes + image->header.schema_off + image->header.field_size;

	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		memset(field + breaks[i].offset, breaks[i].value, breaks[i].length);
		must(image_exercise(image, image->size) == RH_NOT_A_SEGMENT, "a schema that does not match its hash was taken");
		image_mend_hash(image);
		must(image_exercise(image, image->size) == RH_NOT_A_SEGMENT, "an impossible field was taken");
		memcpy(image->bytes, image->pristine, image->size);
	}
}

static void change_several(struct image *image, unsigned rounds)
{
	uint64_t random = 2026;
	size_t end = image->header.arena_off;

	for (unsigned round = 0; round < rounds; round++) {
		size_t touched[8];

		for (size_t i = 0; i < 8; i++) {
			random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			/* Half of them into header and control, where a change tells most. */
			touched[i] = (random >> 33) % (i % 2 ? end : image->header.control_off + sizeof(struct seg_control));
			if (i % 2 == 0 && touched[i] > sizeof(struct seg_header) && touched[i] < image->header.control_off)
				touched[i] %= sizeof(struct seg_header);
			image->bytes[touched[i]] = (unsigned char)(random >> 25);
		}
		if (round % 2)
			image_mend_hash(image);
		look(image, image->size);
		for (size_t i = 0; i < 8; i++)
			image->bytes[touched[i]] = image->pristine[touched[i]];
		memcpy(image->bytes, image->pristine, sizeof(struct seg_header));
	}
}

int main(void)
{
	struct image image;

	image_take(&image);
	cut_everywhere(&image);
	lengthen(&image);
	change_each_byte(&image, 0, sizeof(struct seg_header), false);
	change_each_byte(&image, image.header.control_off, sizeof(struct seg_control), false);
	for (uint32_t i = 0; i < image.header.slots; i++)
		change_each_byte(
		        &image, image.header.slots_off + (uint64_t)i * image.header.slot_size, offsetof(struct seg_slot, system), false);
	for (uint32_t i = 0; i < image.header.fields; i += 9)
		change_each_byte(&image, image.header.schema_off + (uint64_t)i * image.header.field_size, image.header.field_size, true);
	break_a_field(&image);
	change_several(&image, 20000);
	printf("%lu damaged segments attached, %lu refused\n", attached, refused);
	must(attached > 1000 && refused > 1000, "the damage was not of both kinds");
	image_free(&image);
	return 0;
}
