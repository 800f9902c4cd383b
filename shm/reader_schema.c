/*
 * reader_schema.c - fields by number and name, as the segment describes them, and their values over time.
 */
#include "shm/reader_private.h"

#include <stdio.h>
#include <string.h>

void schema_known(const struct rh_ring *ring, uint32_t bytes, uint64_t ret_known[2])
{
	ret_known[0] = ret_known[1] = 0;
	for (uint32_t i = 0; i < ring->header.fields; i++) {
		const struct seg_field *field = &ring->fields[i];
		uint32_t end = (uint32_t)field->offset + field->size;

		if (field->scope == SEG_SCOPE_PROCESS && end <= bytes && end <= sizeof(struct rh_process))
			rh_set(ret_known, field->id);
	}
}

static const struct {
	char name[8];
	uint8_t type, size;
} types[] = {
        {"u8", RH_TYPE_u8, 1},
        {"u16", RH_TYPE_u16, 2},
        {"u32", RH_TYPE_u32, 4},
        {"u64", RH_TYPE_u64, 8},
        {"i8", RH_TYPE_i8, 1},
        {"i16", RH_TYPE_i16, 2},
        {"i32", RH_TYPE_i32, 4},
        {"f32", RH_TYPE_f32, 4},
        {"text16", RH_TYPE_text16, RH_COMMAND_BYTES},
};

/* A type of a later version, or one whose size is not what its name says, is of no known type. */
static uint8_t type_of(const struct seg_field *field)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, field->type) == 0 && types[i].size == field->size)
			return types[i].type;
	return RH_TYPE_UNKNOWN;
}

enum rh_status rh_field_at(const struct rh_ring *ring, uint32_t i, struct rh_field *ret_field)
{
	if (i >= ring->header.fields)
		return RH_INVALID;
	const struct seg_field *field = &ring->fields[i];
	*ret_field = (struct rh_field){
	        .id = field->id,
	        .offset = field->offset,
	        .size = field->size,
	        .type = type_of(field),
	        .kind = field->kind,
	        .scope = field->scope,
	};
	snprintf(ret_field->name, sizeof(ret_field->name), "%s", field->name);
	snprintf(ret_field->unit, sizeof(ret_field->unit), "%s", field->unit);
	return RH_OK;
}

enum rh_status rh_field_by_name(const struct rh_ring *ring, unsigned scope, const char *name, struct rh_field *ret_field)
{
	for (uint32_t i = 0; i < ring->header.fields; i++)
		if (ring->fields[i].scope == scope && strcmp(ring->fields[i].name, name) == 0)
			return rh_field_at(ring, i, ret_field);
	return RH_NONE;
}

bool rh_field_value(const struct rh_field *field, const void *record, double *ret_value)
{
	const unsigned char *bytes = record;
	uint64_t present[2];

	memcpy(present, bytes, sizeof(present));
	if (!rh_has(present, field->id))
		return false;
	bytes += field->offset;
#define TAKE(type_, ctype) \
	case RH_TYPE_##type_: { \
		ctype value; \
		memcpy(&value, bytes, sizeof(value)); \
		*ret_value = (double)value; \
		return true; \
	}
	switch (field->type) {
		TAKE(u8, uint8_t)
		TAKE(u16, uint16_t)
		TAKE(u32, uint32_t)
		TAKE(u64, uint64_t)
		TAKE(i8, int8_t)
		TAKE(i16, int16_t)
		TAKE(i32, int32_t)
		TAKE(f32, float)
	default:
		return false;
	}
#undef TAKE
}

static void window_add(struct rh_window *window, double value, uint64_t sample)
{
	if (window->samples == 0) {
		window->low = window->high = value;
		window->first = sample;
	}
	if (value < window->low)
		window->low = value;
	if (value > window->high)
		window->high = value;
	window->current = value;
	window->last = sample;
	window->samples++;
}

/* Value of the field for that process in one sample, if it is there and was read whole. */
static bool value_at(
        struct rh_ring *ring, uint64_t sample, const struct rh_field *field, uint32_t pid, uint64_t start_time_ns, double *ret_value)
{
	struct rh_view view;

	if (rh_at(ring, sample, &view) != RH_OK || field->offset + field->size > view.record_size_)
		return false;
	int64_t row = rh_find_pid(&view, pid);
	const struct rh_process *record = row < 0 ? NULL : rh_record(&view, (uint32_t)row);
	if (!record)
		return false;
	bool found = record->start_time_ns == start_time_ns && rh_field_value(field, record, ret_value);
	return found && rh_valid(&view);
}

enum rh_status rh_window(
        struct rh_ring *ring, const struct rh_field *field, uint32_t pid, uint64_t start_time_ns, struct rh_window *ret_window)
{
	uint64_t newest = rh_newest(ring), sample = rh_oldest(ring);

	*ret_window = (struct rh_window){0};
	if (field->scope != SEG_SCOPE_PROCESS || field->type == RH_TYPE_text16 || field->type == RH_TYPE_UNKNOWN)
		return RH_INVALID;
	/* Never more looks than there are slots, whatever the numbers in the segment say. */
	if (newest - sample >= ring->header.slots)
		sample = newest - ring->header.slots + 1;
	for (; sample <= newest && sample > 0; sample++) {
		double value;

		if (value_at(ring, sample, field, pid, start_time_ns, &value))
			window_add(ret_window, value, sample);
	}
	return ret_window->samples > 0 ? RH_OK : RH_NONE;
}
