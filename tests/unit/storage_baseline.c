/* What is known of each command, day by day: rows merge, queries add days up, damaged sketches do no harm. */
#include "storage/baseline.h"

#include "storage_fixture.h"

#include <math.h>

static struct storage_baseline day_of(const char *command, uint32_t day, unsigned samples, double score)
{
	struct storage_baseline row = {
	        .day = day, .samples_count = samples, .peak_score = (float)score, .peak_cpu_pct = (float)(2 * score)};

	snprintf(row.command, sizeof(row.command), "%s", command);
	for (unsigned i = 0; i < samples; i++) {
		sketch_add(&row.score, score);
		sketch_add(&row.cpu_pct, 2 * score);
	}
	return row;
}

static void put(struct fixture *fixture, const struct storage_baseline *rows, size_t count)
{
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_baselines(fixture->storage, rows, count), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
}

static void put_one(struct fixture *fixture, const char *command, uint32_t day, unsigned samples, double score)
{
	struct storage_baseline row = day_of(command, day, samples, score);

	put(fixture, &row, 1);
}

static struct storage_usual usual_of(struct fixture *fixture, const char *command, uint32_t since_day, uint32_t until_day, float score)
{
	char exact[RH_COMMAND_BYTES] = "";
	struct storage_usual usual;

	snprintf(exact, sizeof(exact), "%s", command);
	const struct storage_usual_query query = {
	        .command = exact, .since_day = since_day, .until_day = until_day, .score = score, .cpu_pct = 100};
	int found = storage_usual(fixture->storage, &query, &usual);
	assert_int_equal(found, found == 1);
	assert_int_equal(found, usual.days > 0);
	return usual;
}

static int execute(const struct fixture *fixture, const char *sql)
{
	sqlite3 *db;
	int rc = sqlite3_open(fixture->path, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}

static void rows_of_a_day_become_one(void **state)
{
	struct fixture *fixture = *state;
	struct storage_baseline rows[2] = {day_of("chrome", 20000, 90, 10), day_of("chrome", 20000, 10, 80)};

	rows[1].pauses_count = 2;
	put(fixture, rows, 2); /* also within one call */
	put(fixture, rows, 2);
	struct storage_usual usual = usual_of(fixture, "chrome", 0, 20000, 50);
	assert_int_equal(usual.days, 1);
	assert_int_equal(usual.first_day, 20000);
	assert_int_equal(usual.earlier_days, 0);
	assert_int_equal(usual.samples_count, 200);
	assert_int_equal(usual.pauses_count, 4);
	assert_float_equal(usual.peak_score, 80, 0);
	assert_float_equal(usual.peak_cpu_pct, 160, 0);
	assert_int_equal(sketch_count(&usual.score), 200);
	assert_true(fabs(sketch_quantile(&usual.score, 0.5) - 10) <= 0.5);
	assert_true(fabs(sketch_quantile(&usual.cpu_pct, 0.99) - 160) <= 8);
}

static void days_add_up(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t day = 101; day <= 108; day++)
		put_one(fixture, "cc1", day, 10, day % 3 ? 20 : 70); /* 102, 105 and 108 had 70 */
	put_one(fixture, "cc1plus", 108, 1000, 99);
	struct storage_usual usual = usual_of(fixture, "cc1", 0, 108, 70);
	assert_int_equal(usual.days, 8);
	assert_int_equal(usual.first_day, 101);
	assert_int_equal(usual.earlier_days, 7);
	assert_int_equal(usual.days_as_high, 2);
	assert_int_equal(usual.samples_count, 80);
	usual = usual_of(fixture, "cc1", 103, 107, 60);
	assert_int_equal(usual.days, 5);
	assert_int_equal(usual.days_as_high, 1);
	usual = usual_of(fixture, "cc1", 103, 108, NAN); /* by cpu use, from 100 % */
	assert_int_equal(usual.days_as_high, 1);
	assert_int_equal(usual_of(fixture, "cc", 0, 108, 1).days, 0);
	assert_int_equal(usual_of(fixture, "cc1", 109, 200, 1).days, 0);
}

/* A name is its bytes, not what can be shown of it. */
static void names_are_told_apart_by_their_bytes(void **state)
{
	struct fixture *fixture = *state;

	put_one(fixture, "a?b", 1, 1, 10);
	put_one(fixture, "a\033b", 1, 2, 20);
	put_one(fixture, "a\033b", 1, 2, 20);
	put_one(fixture, "a\xff\x01", 1, 3, 30);
	assert_int_equal(usual_of(fixture, "a?b", 0, 9, 1).samples_count, 1);
	assert_int_equal(usual_of(fixture, "a\033b", 0, 9, 1).samples_count, 4);
	assert_int_equal(usual_of(fixture, "a\xff\x01", 0, 9, 1).samples_count, 3);
	assert_int_equal(execute(fixture, "SELECT 1 / (count(*) = 3) FROM command_baselines WHERE command = 'a?b'"), SQLITE_OK);
}

static void damaged_sketches_count_as_empty(void **state)
{
	static const char *const damages[] = {"UPDATE command_baselines SET score_sketch = x'', cpu_sketch = NULL WHERE day = 1",
	        "UPDATE command_baselines SET score_sketch = zeroblob(100000) WHERE day = 1",
	        "UPDATE command_baselines SET score_sketch = randomblob(40) WHERE day = 1",
	        "UPDATE command_baselines SET score_sketch = substr(score_sketch, 1, 17) WHERE day = 1",
	        "UPDATE command_baselines SET score_sketch = CAST(score_sketch || x'00' AS BLOB) WHERE day = 1"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		char command[RH_COMMAND_BYTES];
		snprintf(command, sizeof(command), "job%zu", i);
		struct storage_baseline first = day_of(command, 1, 500, 10);
		sketch_add(&first.score, 50);
		put(fixture, &first, 1);
		put_one(fixture, command, 2, 30, 40);
		assert_int_equal(execute(fixture, damages[i]), SQLITE_OK);
		struct storage_usual usual = usual_of(fixture, command, 0, 9, 1);
		assert_int_equal(usual.days, 2);
		assert_int_equal(sketch_count(&usual.score), 30);
		assert_float_equal(usual.peak_score, 40, 0);
		/* What is merged into it heals it. */
		put_one(fixture, command, 1, 7, 10);
		usual = usual_of(fixture, command, 0, 1, 1);
		assert_int_equal(sketch_count(&usual.score), 7);
		assert_int_equal(usual.samples_count, 507);
	}
	assert_int_equal(execute(fixture, "UPDATE command_baselines SET day = -5, samples_count = NULL, peak_score = NULL WHERE day = 2"),
	        SQLITE_OK);
	assert_int_equal(usual_of(fixture, "job0", 0, 9, 1).days, 1);
}

static void pruning_takes_old_days(void **state)
{
	struct fixture *fixture = *state;
	struct storage_limits limits = {.baseline_before_ns = 15 * STORAGE_DAY_NS + STORAGE_DAY_NS / 2};
	struct storage_pruned pruned;
	uint64_t sum = 0;

	for (uint32_t day = 10; day < 20; day++)
		put_one(fixture, day % 2 ? "odd" : "even", day, 1, 1);
	assert_int_equal(storage_prunable(fixture->storage, &limits, &pruned), 0);
	assert_int_equal(pruned.baselines, 5);
	do {
		assert_int_equal(storage_prune(fixture->storage, &limits, 2, &pruned), 0);
		assert_true(pruned.baselines <= 2);
		sum += pruned.baselines;
	} while (pruned.baselines);
	assert_int_equal(sum, 5);
	assert_int_equal(usual_of(fixture, "odd", 0, 99, 1).first_day, 15);
	assert_int_equal(usual_of(fixture, "even", 0, 99, 1).first_day, 16);
}

/* Many rows come with one transaction, or not at all. */
static void many_rows_are_one_transaction(void **state)
{
	struct fixture *fixture = *state;
	static struct storage_baseline rows[400];

	put_one(fixture, "kept", 1, 5, 10);
	for (size_t i = 0; i < 400; i++) {
		char command[RH_COMMAND_BYTES];
		snprintf(command, sizeof(command), "many%zu", i);
		rows[i] = day_of(command, 1, 3, (double)i);
	}
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_baselines(fixture->storage, rows, 400), 0);
	storage_rollback(fixture->storage);
	assert_int_equal(usual_of(fixture, "kept", 0, 9, 1).samples_count, 5);
	assert_int_equal(usual_of(fixture, "many7", 0, 9, 1).days, 0);
	put(fixture, rows, 400);
	assert_int_equal(usual_of(fixture, "many7", 0, 9, 1).samples_count, 3);
}

int main(void)
{
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
	        WITH_DATABASE(rows_of_a_day_become_one),
	        WITH_DATABASE(days_add_up),
	        WITH_DATABASE(names_are_told_apart_by_their_bytes),
	        WITH_DATABASE(damaged_sketches_count_as_empty),
	        WITH_DATABASE(pruning_takes_old_days),
	        WITH_DATABASE(many_rows_are_one_transaction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
