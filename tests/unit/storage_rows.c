/* What goes into the database comes out again, bit for bit, absent where it was absent; filters and retention choose what they say. */
#include "storage/storage.h"

#include "rogue/tables.h"
#include "tests/unit/storage_fixture.h"

#include <errno.h>
#include <math.h>

/* Any value for any field; of text16 all but the last byte, none zero in between. */
static void fill_process(struct rh_process *process)
{
	*process = (struct rh_process){0};
	for (size_t i = 0; i < RH_PROCESS_ROWS; i++) {
		const struct rh_row *row = &rh_process_rows[i];
		unsigned char *field = (unsigned char *)process + row->offset;
		if (rand() % 4 == 0)
			continue;
		rh_set(process->present, row->id);
		if (row->type == RH_TYPE_f32) {
			float value = (float)(rand() - RAND_MAX / 2) / 1000;
			memcpy(field, &value, sizeof(value));
			continue;
		}
		size_t length = row->type == RH_TYPE_text16 ? (size_t)rand() % RH_COMMAND_BYTES : row->size;
		for (size_t k = 0; k < length; k++)
			field[k] = (unsigned char)(1 + rand() % 255);
	}
}

static void snapshots_round_trip(void **state)
{
	struct fixture *fixture = *state;
	struct storage_snapshot in[50], out[50];

	srand(20);
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	for (uint64_t i = 0; i < 50; i++) {
		memset(&in[i], 0, sizeof(in[i]));
		in[i].event_id = 7;
		in[i].snapshot = STORAGE_snapshot_checkpoint;
		in[i].sample_id = i;
		in[i].boottime_ns = 1000 + i / 3;
		in[i].realtime_ns = UINT64_C(1700000000000000000) + i;
		fill_process(&in[i].process);
		assert_int_equal(storage_put_snapshot(fixture->storage, &in[i]), 0);
	}
	assert_int_equal(storage_commit(fixture->storage), 0);

	/* In pages of 7, over rows with equal times: none twice, none missing. */
	int got = 0, page;
	while ((page = storage_snapshots(fixture->storage, 7, got ? out[got - 1].boottime_ns : 0, got ? out[got - 1].id : 0, out + got,
	                got + 7 <= 50 ? 7 : (size_t)(50 - got))) > 0)
		got += page;
	assert_int_equal(got, 50);
	for (size_t i = 0; i < 50; i++) {
		assert_int_equal(out[i].sample_id, in[i].sample_id);
		assert_memory_equal(&out[i].process, &in[i].process, sizeof(in[i].process));
	}
}

/* A NaN is no number: it is stored as absent, never as one. */
static void nan_is_absent(void **state)
{
	struct fixture *fixture = *state;
	struct storage_snapshot in = {.event_id = 1, .snapshot = STORAGE_snapshot_entry, .process.score = NAN}, out;

	rh_set(in.process.present, RH_F_score);
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_snapshot(fixture->storage, &in), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
	assert_int_equal(storage_snapshots(fixture->storage, 1, 0, 0, &out, 1), 1);
	assert_false(rh_has(out.process.present, RH_F_score));
}

static void peak_replaces_the_peak_before(void **state)
{
	struct fixture *fixture = *state;
	struct storage_snapshot in = {.event_id = 1, .snapshot = STORAGE_snapshot_peak}, out[4];

	assert_int_equal(storage_begin(fixture->storage, false), 0);
	for (in.sample_id = 1; in.sample_id <= 3; in.sample_id++)
		assert_int_equal(storage_put_snapshot(fixture->storage, &in), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
	assert_int_equal(storage_snapshots(fixture->storage, 1, 0, 0, out, 4), 1);
	assert_int_equal(out[0].sample_id, 3);
}

/* Column by column: the bytes between them mean nothing. */
static void assert_event_equal(const struct storage_event *a, const struct storage_event *b)
{
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);

	for (size_t i = 0; i < count; i++) {
		const char *left = (const char *)a + columns[i].offset, *right = (const char *)b + columns[i].offset;

		assert_memory_equal(left, right, columns[i].size);
	}
}

static void events_update_in_place(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(42, "hog\033[31m"), out;

	uint64_t id = fixture_put(fixture, &in);
	assert_int_equal(storage_event_by_id(fixture->storage, id, &out), 1);
	in.id = id;
	assert_event_equal(&in, &out); /* the escape code included */
	in.state = STORAGE_event_closed;
	in.closed_by = STORAGE_closed_by_gone;
	in.exit_realtime_ns = in.exit_boottime_ns = 99;
	assert_int_equal(fixture_put(fixture, &in), id);
	assert_int_equal(storage_event_by_id(fixture->storage, id, &out), 1);
	assert_event_equal(&in, &out);
	assert_int_equal(storage_event_by_id(fixture->storage, id + 1, &out), 0);
}

/* What other tools see of a command name is harmless; its bytes are beside it. */
static void hostile_names_are_stored_harmless(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(1, "a\033]0;x\a\xff");

	fixture_put(fixture, &in);
	sqlite3 *db;
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT command, hex(command_bytes) FROM process_events", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), "a?]0;x??");
	assert_string_equal((const char *)sqlite3_column_text(statement, 1), "611B5D303B7807FF");
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static void a_process_has_one_open_event(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event in = fixture_event(42, "hog");
	uint64_t id;

	fixture_put(fixture, &in);
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_true(storage_put_event(fixture->storage, &in, &id) < 0);
	storage_rollback(fixture->storage);
	assert_int_equal(storage_open_events(fixture->storage), 1);
}

static int ids_of(struct fixture *fixture, const struct storage_filter *filter, uint64_t ids[8])
{
	struct storage_event rows[8];
	int count = storage_events(fixture->storage, filter, rows, 8);

	for (int i = 0; i < count; i++)
		ids[i] = rows[i].id;
	return count;
}

static void filters_choose(void **state)
{
	struct fixture *fixture = *state;
	uint64_t ids[8];

	for (uint32_t i = 1; i <= 4; i++) {
		struct storage_event in = fixture_event(i, i == 2 ? "firefox" : "cc1");
		in.entry_realtime_ns = 100 * i;
		in.peak_band = (uint8_t)i;
		if (i < 3) {
			in.state = STORAGE_event_closed;
			in.exit_realtime_ns = in.exit_boottime_ns = 100 * i + 50;
		}
		assert_int_equal(fixture_put(fixture, &in), i);
	}
	assert_int_equal(ids_of(fixture, &(struct storage_filter){0}, ids), 4);
	assert_int_equal(ids[0], 4);
	assert_int_equal(ids_of(fixture, &(struct storage_filter){.open_only = true}, ids), 2);
	assert_int_equal(ids_of(fixture, &(struct storage_filter){.before_id = 4}, ids), 3);
	assert_int_equal(ids_of(fixture, &(struct storage_filter){.command = "fire*"}, ids), 1);
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids_of(fixture, &(struct storage_filter){.command = "fire"}, ids), 0);
	assert_int_equal(ids_of(fixture, &(struct storage_filter){.least_band = RH_BAND_high}, ids), 2);
	assert_int_equal(
	        ids_of(fixture, &(struct storage_filter){.since_realtime_ns = 200}, ids), 3); /* 1 ended before, 3 and 4 are open */
	assert_int_equal(ids_of(fixture, &(struct storage_filter){.until_realtime_ns = 250}, ids), 2);
}

static void other_boots_are_closed_with_their_last_sign(void **state)
{
	struct fixture *fixture = *state;
	struct storage_event old = fixture_event(1, "old"), new = fixture_event(2, "new"), out;

	snprintf(old.boot_id, sizeof(old.boot_id), "another boot");
	uint64_t old_id = fixture_put(fixture, &old), new_id = fixture_put(fixture, &new);
	assert_int_equal(storage_begin(fixture->storage, true), 0);
	assert_int_equal(storage_close_other_boots(fixture->storage, new.boot_id), 1);
	assert_int_equal(storage_commit(fixture->storage), 0);
	assert_int_equal(storage_event_by_id(fixture->storage, old_id, &out), 1);
	assert_int_equal(out.state, STORAGE_event_closed);
	assert_int_equal(out.closed_by, STORAGE_closed_by_reboot);
	assert_int_equal(out.exit_realtime_ns, old.last_realtime_ns);
	assert_int_equal(storage_event_by_id(fixture->storage, new_id, &out), 1);
	assert_int_equal(out.state, STORAGE_event_open);
}

static void state_is_one_row(void **state)
{
	struct fixture *fixture = *state;
	struct storage_state in = {.tracker_pid = 7, .persistence = STORAGE_persistence_paused, .reason = "disk full"}, out;

	assert_int_equal(storage_state(fixture->storage, &out), 0);
	for (in.samples_count = 1; in.samples_count <= 2; in.samples_count++) {
		assert_int_equal(storage_begin(fixture->storage, false), 0);
		assert_int_equal(storage_put_state(fixture->storage, &in), 0);
		assert_int_equal(storage_commit(fixture->storage), 0);
	}
	assert_int_equal(storage_state(fixture->storage, &out), 1);
	assert_int_equal(out.samples_count, 2);
	assert_string_equal(out.reason, "disk full");
	assert_int_equal(out.persistence, STORAGE_persistence_paused);
}

static void pruning_takes_ended_events_only(void **state)
{
	struct fixture *fixture = *state;
	struct storage_limits limits = {.events_before_ns = 1000, .machine_before_ns = 2000};
	struct storage_pruned pruned, sum = {0};
	struct rh_system system = {.realtime_ns = 1500};
	struct rh_process process = {.pid = 1};

	rh_set(system.present, RH_S_realtime_ns);
	for (uint32_t i = 1; i <= 9; i++) {
		struct storage_event in = fixture_event(i, "x");
		if (i != 5) {
			in.state = STORAGE_event_closed;
			in.exit_realtime_ns = i == 9 ? 1000 : 900;
		}
		struct storage_snapshot snapshot = {.event_id = fixture_put(fixture, &in), .snapshot = STORAGE_snapshot_entry};
		assert_int_equal(storage_begin(fixture->storage, false), 0);
		assert_int_equal(storage_put_snapshot(fixture->storage, &snapshot), 0);
		system.realtime_ns += 100;
		assert_int_equal(storage_put_machine(fixture->storage, "b", &system, &process, 1), 0);
		assert_int_equal(storage_commit(fixture->storage), 0);
	}
	assert_int_equal(storage_prunable(fixture->storage, &limits, &pruned), 0);
	assert_int_equal(pruned.events, 7);
	assert_int_equal(pruned.snapshots, 7);
	assert_int_equal(pruned.machine_snapshots, 4);
	do {
		assert_int_equal(storage_prune(fixture->storage, &limits, 2, &pruned), 0);
		assert_true(pruned.events <= 2 && pruned.machine_snapshots <= 2);
		sum.events += pruned.events;
		sum.snapshots += pruned.snapshots;
		sum.machine_snapshots += pruned.machine_snapshots;
	} while (pruned.events || pruned.machine_snapshots);
	assert_int_equal(sum.events, 7);
	assert_int_equal(sum.snapshots, 7);
	assert_int_equal(sum.machine_snapshots, 4);
	struct storage_counts counts;
	assert_int_equal(storage_count(fixture->storage, &counts), 0);
	assert_int_equal(counts.events, 2);
	assert_int_equal(counts.open_events, 1);
	assert_int_equal(counts.snapshots, 2);
	assert_int_equal(counts.machine_snapshots, 5);
}

int main(void)
{
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
	        WITH_DATABASE(snapshots_round_trip),
	        WITH_DATABASE(nan_is_absent),
	        WITH_DATABASE(peak_replaces_the_peak_before),
	        WITH_DATABASE(events_update_in_place),
	        WITH_DATABASE(hostile_names_are_stored_harmless),
	        WITH_DATABASE(a_process_has_one_open_event),
	        WITH_DATABASE(filters_choose),
	        WITH_DATABASE(other_boots_are_closed_with_their_last_sign),
	        WITH_DATABASE(state_is_one_row),
	        WITH_DATABASE(pruning_takes_ended_events_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
