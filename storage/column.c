/*
 * column.c - from the members of a struct to the columns of a table and back, driven by the tables of columns and fields.
 *
 * What comes out of a database is input: a value of another type or outside of the member's range counts as not there.
 */
#include "storage/internal.h"

#include "base/text.h"
#include "rogue/tables.h"

enum { COMMAND_LENGTH = RH_COMMAND_BYTES - 1, FOREIGN_BYTES = 256 };

/* clang-format off */
#define COLUMN(struct_, name_, type_, code_, title_, width_, brief_) \
	{.name = #name_, .title = (title_), .brief = (brief_), .offset = offsetof(struct struct_, name_), \
	 .size = sizeof(((struct struct_ *)0)->name_), .width = (width_), .type = STORAGE_TYPE_##type_, .code = STORAGE_CODE_##code_},
static const struct storage_column event_columns[] = {
#define STORAGE_EVENT_COLUMN(name, type, code, title, width, brief) COLUMN(storage_event, name, type, code, title, width, brief)
#include "storage/columns.def"
};
static const struct storage_column snapshot_columns[] = {
#define STORAGE_SNAPSHOT_COLUMN(name, type, code, title, width, brief) COLUMN(storage_snapshot, name, type, code, title, width, brief)
#include "storage/columns.def"
};
static const struct storage_column state_columns[] = {
#define STORAGE_STATE_COLUMN(name, type, code, title, width, brief) COLUMN(storage_state, name, type, code, title, width, brief)
#include "storage/columns.def"
};
static const struct storage_column pause_columns[] = {
#define STORAGE_PAUSE_COLUMN(name, type, code, title, width, brief) COLUMN(storage_pause, name, type, code, title, width, brief)
#include "storage/columns.def"
};
static const struct storage_column culprit_columns[] = {
#define STORAGE_CULPRIT_COLUMN(name, type, code, title, width, brief) COLUMN(storage_culprit, name, type, code, title, width, brief)
#include "storage/columns.def"
};
static const struct storage_column victim_columns[] = {
#define STORAGE_VICTIM_COLUMN(name, type, code, title, width, brief) COLUMN(storage_victim, name, type, code, title, width, brief)
#include "storage/columns.def"
};
static const struct storage_column columns_of_baseline[] = {
#define STORAGE_BASELINE_COLUMN(name, type, code, title, width, brief) COLUMN(storage_baseline, name, type, code, title, width, brief)
#include "storage/columns.def"
};
/* clang-format on */

const struct storage_column *storage_event_columns(size_t *ret_count)
{
	*ret_count = sizeof(event_columns) / sizeof(event_columns[0]);
	return event_columns;
}

const struct storage_column *storage_snapshot_columns(size_t *ret_count)
{
	*ret_count = sizeof(snapshot_columns) / sizeof(snapshot_columns[0]);
	return snapshot_columns;
}

const struct storage_column *storage_state_columns(size_t *ret_count)
{
	*ret_count = sizeof(state_columns) / sizeof(state_columns[0]);
	return state_columns;
}

const struct storage_column *pauses_columns(size_t *ret_count)
{
	*ret_count = sizeof(pause_columns) / sizeof(pause_columns[0]);
	return pause_columns;
}

const struct storage_column *pauses_culprit_columns(size_t *ret_count)
{
	*ret_count = sizeof(culprit_columns) / sizeof(culprit_columns[0]);
	return culprit_columns;
}

const struct storage_column *pauses_victim_columns(size_t *ret_count)
{
	*ret_count = sizeof(victim_columns) / sizeof(victim_columns[0]);
	return victim_columns;
}

const struct storage_column *baseline_columns(size_t *ret_count)
{
	*ret_count = sizeof(columns_of_baseline) / sizeof(columns_of_baseline[0]);
	return columns_of_baseline;
}

const char *storage_code_name(enum storage_code table, unsigned value)
{
	if (table == STORAGE_CODE_band)
		return rh_code(RH_CODE_band, value)->name;
#define STORAGE_CODE(table_, value_, name_) \
	if (table == STORAGE_CODE_##table_ && value == (value_)) \
		return #name_;
#include "storage/columns.def"
	return "unknown";
}

/* ---- binding ---- */

static void note(struct binder *binder, int rc)
{
	if (binder->rc == SQLITE_OK)
		binder->rc = rc;
}

static void bind_null(struct binder *binder)
{
	note(binder, sqlite3_bind_null(binder->statement, ++binder->index));
}

static void bind_i64(struct binder *binder, int64_t value)
{
	note(binder, sqlite3_bind_int64(binder->statement, ++binder->index, value));
}

static void bind_f64(struct binder *binder, double value)
{
	note(binder, sqlite3_bind_double(binder->statement, ++binder->index, value)); /* NaN becomes NULL */
}

void bind_u64(struct binder *binder, uint64_t value)
{
	bind_i64(binder, (int64_t)value);
}

void bind_text(struct binder *binder, const char *text)
{
	note(binder, sqlite3_bind_text(binder->statement, ++binder->index, text, -1, SQLITE_TRANSIENT));
}

/* Text that may hold what others chose. Sanitised it is never longer. */
static void bind_foreign_text(struct binder *binder, const char *text, size_t size)
{
	char safe[FOREIGN_BYTES];

	text_sanitise(text, size, safe, sizeof(safe));
	bind_text(binder, safe);
}

void bind_blob(struct binder *binder, const void *bytes, size_t length)
{
	note(binder, sqlite3_bind_blob(binder->statement, ++binder->index, bytes, (int)length, SQLITE_TRANSIENT));
}

void bind_command(struct binder *binder, const char command[RH_COMMAND_BYTES])
{
	char safe[4 * RH_COMMAND_BYTES];
	size_t length = strnlen(command, COMMAND_LENGTH);
	size_t safe_length = text_sanitise(command, length, safe, sizeof(safe));

	bind_text(binder, safe);
	if (safe_length == length && memcmp(safe, command, length) == 0)
		bind_null(binder);
	else
		bind_blob(binder, command, length);
}

void bind_columns(struct binder *binder, const struct storage_column *columns, size_t count, const void *row)
{
	for (size_t i = 0; i < count; i++) {
		const char *member = (const char *)row + columns[i].offset;
		switch ((enum storage_type)columns[i].type) {
		case STORAGE_TYPE_key:
		case STORAGE_TYPE_opt64:
			if (*(const uint64_t *)(const void *)member == 0)
				bind_null(binder);
			else
				bind_u64(binder, *(const uint64_t *)(const void *)member);
			break;
		case STORAGE_TYPE_u8:
			bind_i64(binder, *(const uint8_t *)member);
			break;
		case STORAGE_TYPE_u32:
			bind_i64(binder, *(const uint32_t *)(const void *)member);
			break;
		case STORAGE_TYPE_u64:
			bind_u64(binder, *(const uint64_t *)(const void *)member);
			break;
		case STORAGE_TYPE_f32:
			bind_f64(binder, (double)*(const float *)(const void *)member);
			break;
		case STORAGE_TYPE_f64:
			bind_f64(binder, *(const double *)(const void *)member);
			break;
		case STORAGE_TYPE_text16:
			bind_command(binder, member);
			break;
		case STORAGE_TYPE_text40:
		case STORAGE_TYPE_text200:
			bind_text(binder, member);
			break;
		case STORAGE_TYPE_text:
			bind_foreign_text(binder, member, columns[i].size);
			break;
		}
	}
}

static void bind_field(struct binder *binder, const struct rh_row *row, const uint64_t present[2], const void *record)
{
	const void *field = (const char *)record + row->offset;

	if (!rh_has(present, row->id)) {
		bind_null(binder);
		if (row->type == RH_TYPE_text16)
			bind_null(binder);
		return;
	}
	switch ((enum rh_type)row->type) {
	case RH_TYPE_u8:
		bind_i64(binder, *(const uint8_t *)field);
		break;
	case RH_TYPE_u16:
		bind_i64(binder, *(const uint16_t *)field);
		break;
	case RH_TYPE_u32:
		bind_i64(binder, *(const uint32_t *)field);
		break;
	case RH_TYPE_u64:
		bind_u64(binder, *(const uint64_t *)field);
		break;
	case RH_TYPE_i8:
		bind_i64(binder, *(const int8_t *)field);
		break;
	case RH_TYPE_i16:
		bind_i64(binder, *(const int16_t *)field);
		break;
	case RH_TYPE_i32:
		bind_i64(binder, *(const int32_t *)field);
		break;
	case RH_TYPE_f32:
		bind_f64(binder, (double)*(const float *)field);
		break;
	case RH_TYPE_text16:
		bind_command(binder, field);
		break;
	}
}

void bind_process(struct binder *binder, const struct rh_process *process)
{
	for (size_t i = 0; i < RH_PROCESS_ROWS; i++)
		bind_field(binder, &rh_process_rows[i], process->present, process);
}

void bind_system(struct binder *binder, const struct rh_system *system)
{
	for (size_t i = 0; i < RH_SYSTEM_ROWS; i++)
		bind_field(binder, &rh_system_rows[i], system->present, system);
}

/* ---- reading ---- */

/* An integer within min..max, or false. */
static bool read_i64(sqlite3_stmt *statement, int index, int64_t min, int64_t max, int64_t *ret_value)
{
	*ret_value = 0;
	if (sqlite3_column_type(statement, index) != SQLITE_INTEGER)
		return false;
	int64_t value = sqlite3_column_int64(statement, index);
	if (value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

static bool read_f64(sqlite3_stmt *statement, int index, double *ret_value)
{
	*ret_value = 0;
	if (sqlite3_column_type(statement, index) != SQLITE_FLOAT)
		return false;
	*ret_value = sqlite3_column_double(statement, index);
	return true;
}

static bool read_f32(sqlite3_stmt *statement, int index, float *ret_value)
{
	double value;
	bool has = read_f64(statement, index, &value);

	*ret_value = (float)value;
	return has;
}

/* Copies at most size - 1 bytes of a text or blob; the rest of `out` is zero. */
static bool read_bytes(sqlite3_stmt *statement, int index, char *out, size_t size)
{
	memset(out, 0, size);
	const void *bytes = sqlite3_column_blob(statement, index);
	if (sqlite3_column_type(statement, index) == SQLITE_NULL)
		return false;
	size_t length = (size_t)sqlite3_column_bytes(statement, index);
	if (bytes)
		memcpy(out, bytes, length < size ? length : size - 1);
	return true;
}

static bool read_command(sqlite3_stmt *statement, int *index, char out[RH_COMMAND_BYTES])
{
	int text = (*index)++;
	int exact = (*index)++;

	return read_bytes(statement, exact, out, RH_COMMAND_BYTES) || read_bytes(statement, text, out, RH_COMMAND_BYTES);
}

void read_columns(sqlite3_stmt *statement, int *index, const struct storage_column *columns, size_t count, void *ret_row)
{
	for (size_t i = 0; i < count; i++) {
		char *member = (char *)ret_row + columns[i].offset;
		int64_t value;
		switch ((enum storage_type)columns[i].type) {
		case STORAGE_TYPE_key:
		case STORAGE_TYPE_opt64:
		case STORAGE_TYPE_u64:
			read_i64(statement, (*index)++, INT64_MIN, INT64_MAX, &value);
			*(uint64_t *)(void *)member = (uint64_t)value;
			break;
		case STORAGE_TYPE_u8:
			read_i64(statement, (*index)++, 0, UINT8_MAX, &value);
			*(uint8_t *)member = (uint8_t)value;
			break;
		case STORAGE_TYPE_u32:
			read_i64(statement, (*index)++, 0, UINT32_MAX, &value);
			*(uint32_t *)(void *)member = (uint32_t)value;
			break;
		case STORAGE_TYPE_f32:
			read_f32(statement, (*index)++, (float *)(void *)member);
			break;
		case STORAGE_TYPE_f64:
			read_f64(statement, (*index)++, (double *)(void *)member);
			break;
		case STORAGE_TYPE_text16:
			read_command(statement, index, member);
			break;
		case STORAGE_TYPE_text40:
		case STORAGE_TYPE_text200:
		case STORAGE_TYPE_text:
			read_bytes(statement, (*index)++, member, columns[i].size);
			break;
		}
	}
}

/* Reads one field of a process. Returns whether it is present. */
static bool read_field(sqlite3_stmt *statement, int *index, const struct rh_row *row, void *field)
{
	int64_t value;
	bool has;

	switch ((enum rh_type)row->type) {
	case RH_TYPE_u8:
		has = read_i64(statement, (*index)++, 0, UINT8_MAX, &value);
		*(uint8_t *)field = (uint8_t)value;
		return has;
	case RH_TYPE_u16:
		has = read_i64(statement, (*index)++, 0, UINT16_MAX, &value);
		*(uint16_t *)field = (uint16_t)value;
		return has;
	case RH_TYPE_u32:
		has = read_i64(statement, (*index)++, 0, UINT32_MAX, &value);
		*(uint32_t *)field = (uint32_t)value;
		return has;
	case RH_TYPE_u64:
		has = read_i64(statement, (*index)++, INT64_MIN, INT64_MAX, &value);
		*(uint64_t *)field = (uint64_t)value;
		return has;
	case RH_TYPE_i8:
		has = read_i64(statement, (*index)++, INT8_MIN, INT8_MAX, &value);
		*(int8_t *)field = (int8_t)value;
		return has;
	case RH_TYPE_i16:
		has = read_i64(statement, (*index)++, INT16_MIN, INT16_MAX, &value);
		*(int16_t *)field = (int16_t)value;
		return has;
	case RH_TYPE_i32:
		has = read_i64(statement, (*index)++, INT32_MIN, INT32_MAX, &value);
		*(int32_t *)field = (int32_t)value;
		return has;
	case RH_TYPE_f32:
		return read_f32(statement, (*index)++, field);
	case RH_TYPE_text16:
		return read_command(statement, index, field);
	}
	return false;
}

void read_process(sqlite3_stmt *statement, int *index, struct rh_process *ret_process)
{
	*ret_process = (struct rh_process){0};
	for (size_t i = 0; i < RH_PROCESS_ROWS; i++)
		if (read_field(statement, index, &rh_process_rows[i], (char *)ret_process + rh_process_rows[i].offset))
			rh_set(ret_process->present, rh_process_rows[i].id);
}
