/* schema.c - writes fields.def and system.def into the schema of a segment. */
#include "shm/schema.h"

#include "rogue/tables.h"

#include <stdio.h>

static const char *type_name(unsigned type)
{
	static const char *const names[] = {"u8", "u16", "u32", "u64", "i8", "i16", "i32", "f32", "text16"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == RH_TYPE_text16 + 1, "one name for each type");

	return names[type];
}

static const char *unit_name(unsigned unit)
{
	switch (unit) {
#define RH_UNIT(unit_, suffix, text) \
	case RH_UNIT_##unit_: \
		return #unit_;
#include "rogue/units.def"
	}
	return "";
}

/* The longest names must fit with their NUL: a reader in another language may rely on it. */
#define RH_FIELD(id, name_, type, kind, unit, aggregate, title, width, source, brief, doc) \
	_Static_assert(sizeof(#name_) <= sizeof(((struct seg_field *)0)->name), #name_ ": the name is too long for the schema");
#include "rogue/fields.def"
#define RH_SYSTEM_FIELD(id, name_, type, kind, unit, title, source, brief, doc) \
	_Static_assert(sizeof(#name_) <= sizeof(((struct seg_field *)0)->name), #name_ ": the name is too long for the schema");
#include "rogue/system.def"
#define RH_UNIT(unit_, suffix, text) \
	_Static_assert(sizeof(#unit_) <= sizeof(((struct seg_field *)0)->unit), #unit_ ": the unit is too long for the schema");
#include "rogue/units.def"

uint32_t schema_count(void)
{
	return RH_PROCESS_ROWS + RH_SYSTEM_ROWS;
}

static void fill_rows(struct seg_field *fields, const struct rh_row *rows, size_t count, uint8_t scope)
{
	for (size_t i = 0; i < count; i++) {
		fields[i] = (struct seg_field){
		        .id = rows[i].id, .offset = rows[i].offset, .size = rows[i].size, .kind = rows[i].kind, .scope = scope};
		snprintf(fields[i].name, sizeof(fields[i].name), "%s", rows[i].name);
		snprintf(fields[i].type, sizeof(fields[i].type), "%s", type_name(rows[i].type));
		snprintf(fields[i].unit, sizeof(fields[i].unit), "%s", unit_name(rows[i].unit));
	}
}

void schema_fill(struct seg_field *fields)
{
	fill_rows(fields, rh_process_rows, RH_PROCESS_ROWS, SEG_SCOPE_PROCESS);
	fill_rows(fields + RH_PROCESS_ROWS, rh_system_rows, RH_SYSTEM_ROWS, SEG_SCOPE_SYSTEM);
}
