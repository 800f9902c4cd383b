/*
 * baseline.c - how each command usually behaves, see baseline.h. The sketches lie in two blobs behind the columns of columns.def.
 */
#include "storage/baseline.h"

#include "storage/internal.h"

#include <math.h>
#include <string.h>

/* ---- one row ---- */

static void read_sketch(sqlite3_stmt *statement, int index, struct sketch *ret_sketch)
{
	const void *bytes = sqlite3_column_blob(statement, index);
	int length = sqlite3_column_bytes(statement, index);

	*ret_sketch = (struct sketch){0};
	if (bytes && sqlite3_column_type(statement, index) == SQLITE_BLOB)
		sketch_read(ret_sketch, bytes, (size_t)length);
}

static void read_row(sqlite3_stmt *statement, struct storage_baseline *ret_row)
{
	size_t count;
	const struct storage_column *columns = baseline_columns(&count);
	int index = 0;

	memset(ret_row, 0, sizeof(*ret_row));
	read_columns(statement, &index, columns, count, ret_row);
	read_sketch(statement, index, &ret_row->score);
	read_sketch(statement, index + 1, &ret_row->cpu_pct);
}

static void bind_sketch(struct binder *binder, const struct sketch *sketch)
{
	unsigned char bytes[SKETCH_BYTES];

	bind_blob(binder, bytes, sketch_write(sketch, bytes));
}

/* ---- writing ---- */

/* What is kept of that command and day, with id 0 where that is nothing. Returns 0 or -errno. */
static int read_kept(struct storage *storage, const struct storage_baseline *row, struct storage_baseline *ret_kept)
{
	struct binder binder = query_prepare(storage, SQL_BASELINES);

	memset(ret_kept, 0, sizeof(*ret_kept));
	if (!binder.statement)
		return query_unusable(storage);
	bind_command(&binder, row->command);
	bind_u64(&binder, row->day);
	bind_u64(&binder, row->day);
	int rc = sqlite3_step(binder.statement);
	if (rc == SQLITE_ROW)
		read_row(binder.statement, ret_kept);
	return query_finish(storage, &binder, rc, 0);
}

static int put_row(struct storage *storage, const struct storage_baseline *row)
{
	struct binder binder = write_prepare(storage, SQL_PUT_BASELINE);
	size_t count;
	const struct storage_column *columns = baseline_columns(&count);

	if (binder.statement) {
		bind_columns(&binder, columns, count, row);
		bind_sketch(&binder, &row->score);
		bind_sketch(&binder, &row->cpu_pct);
	}
	return write_put(storage, &binder);
}

int storage_put_baselines(struct storage *storage, const struct storage_baseline *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct storage_baseline kept, row = rows[i];
		int failed = read_kept(storage, &rows[i], &kept);
		if (failed)
			return failed;
		row.id = kept.id;
		row.samples_count += kept.samples_count;
		row.pauses_count += kept.pauses_count;
		row.peak_score = fmaxf(row.peak_score, kept.peak_score);
		row.peak_cpu_pct = fmaxf(row.peak_cpu_pct, kept.peak_cpu_pct);
		sketch_merge(&row.score, &kept.score);
		sketch_merge(&row.cpu_pct, &kept.cpu_pct);
		failed = put_row(storage, &row);
		if (failed)
			return failed;
	}
	return 0;
}

/* ---- queries ---- */

static void add_day(struct storage_usual *usual, const struct storage_usual_query *query, const struct storage_baseline *row)
{
	bool as_high = isnan(query->score) ? row->peak_cpu_pct >= query->cpu_pct : row->peak_score >= query->score;

	if (usual->days++ == 0)
		usual->first_day = row->day;
	if (row->day < query->until_day) {
		usual->earlier_days++;
		usual->days_as_high += as_high;
	}
	usual->samples_count += row->samples_count;
	usual->pauses_count += row->pauses_count;
	usual->peak_score = fmaxf(usual->peak_score, row->peak_score);
	usual->peak_cpu_pct = fmaxf(usual->peak_cpu_pct, row->peak_cpu_pct);
	sketch_merge(&usual->score, &row->score);
	sketch_merge(&usual->cpu_pct, &row->cpu_pct);
}

int storage_usual(struct storage *storage, const struct storage_usual_query *query, struct storage_usual *ret_usual)
{
	struct binder binder = query_prepare(storage, SQL_BASELINES);
	struct storage_baseline row;
	int rc = SQLITE_DONE;

	memset(ret_usual, 0, sizeof(*ret_usual));
	if (!binder.statement)
		return query_unusable(storage);
	bind_command(&binder, query->command);
	bind_u64(&binder, query->since_day);
	bind_u64(&binder, query->until_day);
	while (binder.rc == SQLITE_OK && (rc = sqlite3_step(binder.statement)) == SQLITE_ROW) {
		read_row(binder.statement, &row);
		add_day(ret_usual, query, &row);
	}
	return query_finish(storage, &binder, rc, ret_usual->days > 0);
}
