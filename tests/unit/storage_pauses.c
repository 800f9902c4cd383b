/* Pauses in the database: what is put comes back, is replaced as a whole, is found by every kind of key, and goes in batches. */
#include "storage/pauses.h"
#include "storage/sql.h"

#include "storage_fixture.h"

#include <errno.h>
#include <math.h>

static const char boot_a[] = "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10", boot_b[] = "7c1e0000-0000-4000-8000-000000000000";
#define SECOND UINT64_C(1000000000)
#define NOW (UINT64_C(1790000000) * SECOND)

static struct storage_pause pause_of(const char *boot, uint32_t number, uint64_t start_ns, uint64_t span_ns)
{
	struct storage_pause pause = {.number = number,
	        .state = "final",
	        .class = "memory",
	        .word = "very_likely",
	        .start_realtime_ns = start_ns,
	        .start_boottime_ns = 1234567890123,
	        .duration_ns = span_ns / 2,
	        .span_ns = span_ns,
	        .both_ratio = 0.87f,
	        .signals = UINT64_C(0x8000000000000001),
	        .judge = "2026.11-r1",
	        .worst = "sshd[900]",
	        .who = "chrome[3120] and 11 children 71%",
	        .sentence = "58 tasks paused for up to 2.31 s at 18:20:55 (worst: sshd[900]): memory ran short."};

	snprintf(pause.boot_id, sizeof(pause.boot_id), "%s", boot);
	return pause;
}

static void put(struct fixture *fixture, const struct storage_pause *pause, const char *document)
{
	struct storage_culprit culprits[2] = {{.rank = 1,
	                                              .role = "culprit",
	                                              .kind = "tree",
	                                              .name = "chrome[3120]",
	                                              .command = "chrome",
	                                              .pid = 3120,
	                                              .share_ratio = 0.71f,
	                                              .amount = 2211908157,
	                                              .harm_ns = 41600000000,
	                                              .process_count = 12,
	                                              .cgroup = "app.slice"},
	        {.rank = 2, .role = "carrier", .kind = "kernel_thread", .name = "kswapd0[70]", .command = "kswapd0", .share_ratio = NAN}};
	struct storage_victim victim = {
	        .rank = 1, .name = "sshd[900]", .command = "ss\033hd", .pid = 900, .longest_ns = 5, .wait = "memory"};

	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_pause(fixture->storage, pause, document, culprits, 2, &victim, 1), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
}

/* One number, asked of SQLite directly. */
static int64_t ask(const struct fixture *fixture, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

/* Number of the pause that a key finds, or what storage_pause_find() returned. */
static int64_t find(struct fixture *fixture, const struct storage_pause_key *key)
{
	struct storage_pause pause;
	char *document;
	int found = storage_pause_find(fixture->storage, key, &pause, &document);

	assert_int_equal(document != NULL, found == 1);
	free(document);
	return found == 1 ? (int64_t)pause.number : found < 0 ? found : -1;
}

/* Member by member: the bytes between them mean nothing. */
static void assert_pause_equal(const struct storage_pause *a, const struct storage_pause *b)
{
	assert_string_equal(a->boot_id, b->boot_id);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->merged_into, b->merged_into);
	assert_string_equal(a->state, b->state);
	assert_string_equal(a->class, b->class);
	assert_string_equal(a->word, b->word);
	assert_int_equal(a->start_realtime_ns, b->start_realtime_ns);
	assert_int_equal(a->start_boottime_ns, b->start_boottime_ns);
	assert_int_equal(a->duration_ns, b->duration_ns);
	assert_int_equal(a->span_ns, b->span_ns);
	assert_true(a->both_ratio == b->both_ratio);
	assert_true(a->signals == b->signals);
	assert_string_equal(a->judge, b->judge);
	assert_string_equal(a->worst, b->worst);
	assert_string_equal(a->who, b->who);
	assert_string_equal(a->sentence, b->sentence);
}

static void a_pause_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct storage_pause in = pause_of(boot_a, 44, NOW, 3 * SECOND), out;
	char *document;

	put(fixture, &in, "{\"id\":\"7c1f93ab-44\",\"text\":\"\xc3\xa9\"}");
	assert_int_equal(storage_pause_find(fixture->storage, &(struct storage_pause_key){.number = 44}, &out, &document), 1);
	assert_pause_equal(&in, &out);
	assert_string_equal(document, "{\"id\":\"7c1f93ab-44\",\"text\":\"\xc3\xa9\"}");
	free(document);
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(storage_pauses(fixture->storage, &(struct storage_pause_filter){0}, &out, 1), 1);
	assert_pause_equal(&in, &out);
	assert_int_equal(ask(fixture, "SELECT share_ratio IS NULL FROM pause_culprits WHERE rank = 2"), 1);
	assert_int_equal(ask(fixture, "SELECT amount = 2211908157.0 AND harm_ns = 41600000000 FROM pause_culprits WHERE rank = 1"), 1);
	assert_int_equal(ask(fixture, "SELECT command = 'ss?hd' AND hex(command_bytes) = '73731B6864' FROM pause_victims"), 1);
}

static void a_second_judgement_replaces_the_first(void **state)
{
	struct fixture *fixture = *state;
	struct storage_pause pause = pause_of(boot_a, 1, NOW, SECOND), out;
	char *document;

	snprintf(pause.state, sizeof(pause.state), "interim");
	put(fixture, &pause, "{\"state\":\"interim\"}");
	int64_t id = ask(fixture, "SELECT id FROM pauses");
	snprintf(pause.state, sizeof(pause.state), "final");
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_pause(fixture->storage, &pause, "{\"state\":\"final\"}", NULL, 0, NULL, 0), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
	assert_int_equal(storage_pause_find(fixture->storage, &(struct storage_pause_key){0}, &out, &document), 1);
	assert_string_equal(out.state, "final");
	assert_string_equal(document, "{\"state\":\"final\"}");
	free(document);
	assert_int_equal(ask(fixture, "SELECT id FROM pauses"), id);
	assert_int_equal(ask(fixture, "SELECT (SELECT count(*) FROM pause_culprits) + (SELECT count(*) FROM pause_victims)"), 0);
	struct storage_counts counts;
	assert_int_equal(storage_count(fixture->storage, &counts), 0);
	assert_int_equal(counts.pauses, 1);
}

static void text_of_others_is_stored_harmless(void **state)
{
	struct fixture *fixture = *state;
	struct storage_pause pause = pause_of(boot_a, 1, NOW, SECOND), out;
	char *document;

	snprintf(pause.worst, sizeof(pause.worst), "a\033]0;x\a\xff[1]");
	memset(pause.who, 'w', sizeof(pause.who)); /* no end */
	put(fixture, &pause, "{}");
	assert_int_equal(storage_pause_find(fixture->storage, &(struct storage_pause_key){0}, &out, &document), 1);
	free(document);
	assert_string_equal(out.worst, "a?]0;x??[1]");
	assert_int_equal(strlen(out.who), sizeof(out.who) - 1);
}

static void keys_find_their_pause(void **state)
{
	struct fixture *fixture = *state;

	/* a: 1, 2 and 3 a minute apart; 3 is part of 2. b: 2 before them all, 9 after. */
	for (uint32_t i = 1; i <= 3; i++) {
		struct storage_pause pause = pause_of(boot_a, i, NOW + i * 60 * SECOND, 10 * SECOND);
		if (i == 3) {
			snprintf(pause.state, sizeof(pause.state), "merged");
			pause.merged_into = 2;
		}
		put(fixture, &pause, "{}");
	}
	struct storage_pause before = pause_of(boot_b, 2, NOW - 86400 * SECOND, SECOND),
	                     after = pause_of(boot_b, 9, NOW + 600 * SECOND, SECOND);
	put(fixture, &before, "{}");
	put(fixture, &after, "{}");

	assert_int_equal(find(fixture, &(struct storage_pause_key){0}), 9);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.back = 1}), 2); /* merged ones are no pauses of their own */
	assert_int_equal(find(fixture, &(struct storage_pause_key){.back = 3}), 2);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.back = 4}), -1);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.boot_prefix = "7c1f"}), 2);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.boot_prefix = "7C1F", .number = 3}), 3);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.boot_prefix = "7c1", .number = 2}), -ENOTUNIQ);
	assert_int_equal(
	        find(fixture, &(struct storage_pause_key){.boot_prefix = "7c1", .number = 9}), -ENOTUNIQ); /* one of them has no 9 */
	assert_int_equal(find(fixture, &(struct storage_pause_key){.boot_prefix = "7c1e", .number = 9}), 9);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.boot_prefix = "%", .number = 9}), -1);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.number = 77}), -1);
	struct storage_pause out;
	char *document;
	assert_int_equal(storage_pause_find(fixture->storage, &(struct storage_pause_key){.number = 2}, &out, &document), 1);
	assert_string_equal(out.boot_id, boot_a); /* the newest of that number */
	free(document);

	assert_int_equal(find(fixture, &(struct storage_pause_key){.at_realtime_ns = NOW + 65 * SECOND}), 1);
	assert_int_equal(
	        find(fixture, &(struct storage_pause_key){.at_realtime_ns = NOW + 90 * SECOND}), 1); /* 20 s after 1, 30 s before 2 */
	assert_int_equal(
	        find(fixture, &(struct storage_pause_key){.at_realtime_ns = NOW + 100 * SECOND}), 2); /* 30 s after 1, 20 s before 2 */
	assert_int_equal(find(fixture, &(struct storage_pause_key){.at_realtime_ns = NOW + 601 * SECOND + 3599 * SECOND}), 9);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.at_realtime_ns = NOW + 601 * SECOND + 3601 * SECOND}), -1);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.at_realtime_ns = UINT64_MAX}), -1);

	assert_int_equal(storage_last_pause_number(fixture->storage, boot_a), 3);
	assert_int_equal(storage_last_pause_number(fixture->storage, "never"), 0);
	assert_int_equal(storage_count_pauses(fixture->storage, NULL, NOW), 3);
	assert_int_equal(storage_count_pauses(fixture->storage, "memory", NOW + 61 * SECOND), 2);
	assert_int_equal(storage_count_pauses(fixture->storage, "cpu", 0), 0);
}

static int list(struct fixture *fixture, const struct storage_pause_filter *filter)
{
	struct storage_pause rows[8];
	int count = storage_pauses(fixture->storage, filter, rows, 8);

	for (int i = 1; i < count; i++)
		assert_true(rows[i].start_realtime_ns < rows[i - 1].start_realtime_ns);
	return count;
}

static void filters_choose(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 1; i <= 5; i++) {
		struct storage_pause pause = pause_of(boot_a, i, NOW + i * 100 * SECOND, 50 * SECOND);
		if (i == 4)
			snprintf(pause.class, sizeof(pause.class), "io");
		if (i == 5)
			snprintf(pause.state, sizeof(pause.state), "merged");
		put(fixture, &pause, "{}");
	}
	assert_int_equal(list(fixture, &(struct storage_pause_filter){0}), 4);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.with_merged = true}), 5);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.class = "io"}), 1);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.since_realtime_ns = NOW + 250 * SECOND}), 3); /* 2 ends just then */
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.since_realtime_ns = NOW + 251 * SECOND}), 2);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.until_realtime_ns = NOW + 200 * SECOND}), 2);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.until_realtime_ns = UINT64_MAX}), 4);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.since_realtime_ns = UINT64_MAX}), 0);
	assert_int_equal(list(fixture, &(struct storage_pause_filter){.before_realtime_ns = NOW + 300 * SECOND}), 2);
}

static void interim_ones_become_final(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 1; i <= 3; i++) {
		struct storage_pause pause = pause_of(i == 1 ? boot_b : boot_a, i, NOW + i, SECOND);
		snprintf(pause.state, sizeof(pause.state), i == 3 ? "merged" : "interim");
		put(fixture, &pause, "{}");
	}
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_finish_interim_pauses(fixture->storage), 2);
	assert_int_equal(storage_finish_interim_pauses(fixture->storage), 0);
	assert_int_equal(storage_commit(fixture->storage), 0);
	assert_int_equal(ask(fixture, "SELECT count(*) FROM pauses WHERE state = 'final'"), 2);
}

static void pruning_takes_culprits_and_victims_along(void **state)
{
	struct fixture *fixture = *state;
	struct storage_limits limits = {.pauses_before_ns = NOW + 6};
	struct storage_pruned pruned;
	uint64_t sum = 0;

	for (uint32_t i = 1; i <= 8; i++) {
		struct storage_pause pause = pause_of(boot_a, i, NOW + i, SECOND);
		put(fixture, &pause, "{}");
	}
	assert_int_equal(storage_prunable(fixture->storage, &limits, &pruned), 0);
	assert_int_equal(pruned.pauses, 5);
	do {
		assert_int_equal(storage_prune(fixture->storage, &limits, 2, &pruned), 0);
		assert_true(pruned.pauses <= 2);
		sum += pruned.pauses;
	} while (pruned.pauses);
	assert_int_equal(sum, 5);
	assert_int_equal(ask(fixture, "SELECT count(*) FROM pauses"), 3);
	assert_int_equal(ask(fixture, "SELECT count(*) FROM pause_culprits"), 6);
	assert_int_equal(ask(fixture, "SELECT count(*) FROM pause_victims"), 3);
	assert_int_equal(ask(fixture, "SELECT min(number) FROM pauses"), 6);
}

/* A transaction that is given up leaves what was there before. */
static void too_long_a_document_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct storage_pause pause = pause_of(boot_a, 1, NOW, SECOND);
	size_t length = 2 << 20;
	char *document = malloc(length + 1);

	put(fixture, &pause, "{}");
	memset(document, ' ', length);
	document[length] = '\0';
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	assert_int_equal(storage_put_pause(fixture->storage, &pause, document, NULL, 0, NULL, 0), -EFBIG);
	storage_rollback(fixture->storage);
	free(document);
	assert_int_equal(ask(fixture, "SELECT length(document) FROM pauses"), 2);
	assert_int_equal(ask(fixture, "SELECT count(*) FROM pause_culprits"), 2);
}

/* Rows and a document that somebody else has changed: what does not fit is absent, and never more than there is room for. */
static void damaged_rows_do_no_harm(void **state)
{
	struct fixture *fixture = *state;
	struct storage_pause pause = pause_of(boot_a, 1, NOW, SECOND), out;
	char *document;
	sqlite3 *db;

	put(fixture, &pause, "{}");
	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db,
	                "UPDATE pauses SET number = -1, merged_into = 1 << 40, both_ratio = NULL, sentence = replace(hex(zeroblob(9999)), "
	                "'0', 'x'), who = NULL",
	                NULL, NULL, NULL),
	        SQLITE_OK);
	assert_int_equal(storage_pauses(fixture->storage, &(struct storage_pause_filter){0}, &out, 1), 1);
	assert_int_equal(out.number, 0);
	assert_int_equal(out.merged_into, 0);
	assert_int_equal(strlen(out.sentence), STORAGE_SENTENCE_BYTES - 1);
	assert_string_equal(out.who, "");
	assert_int_equal(
	        sqlite3_exec(db, "UPDATE pauses SET document = replace(hex(zeroblob(2000000)), '0', 'x')", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(storage_pause_find(fixture->storage, &(struct storage_pause_key){0}, &out, &document), -EBADMSG);
	assert_null(document);
	assert_int_equal(sqlite3_exec(db, "UPDATE pauses SET document = NULL", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(storage_pause_find(fixture->storage, &(struct storage_pause_key){0}, &out, &document), -EBADMSG);
	sqlite3_close(db);
}

/* The query plan of a statement, as one text. */
static const char *plan_of(struct fixture *fixture, enum sql_statement which, char out[1000])
{
	char sql[4000];
	sqlite3 *db;
	sqlite3_stmt *statement;

	out[0] = '\0';
	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sql_text(which));
	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW)
		snprintf(out + strlen(out), 1000 - strlen(out), "%s\n", (const char *)sqlite3_column_text(statement, 3));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return out;
}

/* No row, with its document behind it, is read that is not shown; nothing is sorted but keys. */
static void queries_choose_in_the_indexes(void **state)
{
	struct fixture *fixture = *state;
	char plan[1000];

	assert_non_null(strstr(plan_of(fixture, SQL_PAUSES, plan), "USING INDEX pauses_time"));
	assert_null(strstr(plan, "TEMP B-TREE"));
	assert_non_null(strstr(plan_of(fixture, SQL_PAUSE_NEWEST, plan), "USING INDEX pauses_time"));
	assert_null(strstr(plan, "TEMP B-TREE"));
	assert_non_null(strstr(plan_of(fixture, SQL_PAUSE_BY_NUMBER, plan), "pauses_number (number=?)"));
	assert_null(strstr(plan, "SCAN pauses"));
	assert_non_null(strstr(plan_of(fixture, SQL_PAUSE_AT, plan), "pauses_time"));
	assert_non_null(strstr(plan_of(fixture, SQL_COUNT_PAUSES, plan), "COVERING INDEX pauses_time"));
	assert_non_null(strstr(plan_of(fixture, SQL_LAST_PAUSE_NUMBER, plan), "COVERING INDEX pauses_number"));
}

/* Ten thousand pauses with documents of usual size. */
static void many_are_found(void **state)
{
	enum { MANY = 10000, DOCUMENT = 6000 };
	struct fixture *fixture = *state;
	static char document[DOCUMENT + 1];
	struct storage_pause rows[50];

	memset(document, ' ', DOCUMENT);
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	for (uint32_t i = 1; i <= MANY; i++) {
		struct storage_pause pause = pause_of(boot_a, i, NOW + i * SECOND, SECOND / 2);
		assert_int_equal(storage_put_pause(fixture->storage, &pause, document, NULL, 0, NULL, 0), 0);
	}
	assert_int_equal(storage_commit(fixture->storage), 0);
	int got = 0, page;
	struct storage_pause_filter filter = {0};
	while ((page = storage_pauses(fixture->storage, &filter, rows, 50)) > 0) {
		got += page;
		filter.before_realtime_ns = rows[page - 1].start_realtime_ns;
	}
	assert_int_equal(got, MANY);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.number = 5000}), 5000);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.back = 9999}), 1);
	assert_int_equal(find(fixture, &(struct storage_pause_key){.at_realtime_ns = NOW + 77 * SECOND + 10}), 77);
	assert_int_equal(storage_last_pause_number(fixture->storage, boot_a), MANY);
}

int main(void)
{
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
	        WITH_DATABASE(a_pause_comes_back),
	        WITH_DATABASE(a_second_judgement_replaces_the_first),
	        WITH_DATABASE(text_of_others_is_stored_harmless),
	        WITH_DATABASE(keys_find_their_pause),
	        WITH_DATABASE(filters_choose),
	        WITH_DATABASE(interim_ones_become_final),
	        WITH_DATABASE(pruning_takes_culprits_and_victims_along),
	        WITH_DATABASE(too_long_a_document_is_refused),
	        WITH_DATABASE(damaged_rows_do_no_harm),
	        WITH_DATABASE(queries_choose_in_the_indexes),
	        WITH_DATABASE(many_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
