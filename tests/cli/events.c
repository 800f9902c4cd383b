/*
 * `rogue-hunter events`, `events show`, `history` and `prune` over a database with known events in it, one of them with a hostile name.
 */
#include "readers/events/events.h"
#include "readers/common/time.h"
#include "readers/history/history.h"
#include "readers/prune/prune.h"

#include "base/clock.h"
#include "tests/support/capture.h"
#include "tests/unit/storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>

static const char hostile[] =
        "=a\033]0;\a\"\\\n,\xff\xe2\x80\xae"; /* a formula, an escape sequence, quotes, no UTF-8, and a bidi override */

static struct fixture *fixture;

#define RUN(command, ...) \
	command_run(command##_main, (const char *const[]){#command, "--db", fixture->path, __VA_ARGS__ __VA_OPT__(, ) NULL})

static uint64_t put_event(uint32_t pid, const char *command, uint64_t ago_s, unsigned band, bool open)
{
	struct storage_event event = fixture_event(pid, command);

	event.entry_realtime_ns = event.peak_realtime_ns = clock_now_ns(CLOCK_REALTIME) - ago_s * NS_PER_S;
	event.last_realtime_ns = event.entry_realtime_ns + 5 * UINT64_C(1000000000);
	event.entry_boottime_ns = 100;
	event.last_boottime_ns = 100 + 5 * UINT64_C(1000000000);
	event.peak_band = (uint8_t)band;
	event.checkpoints_count = 60;
	if (!open) {
		event.state = STORAGE_event_closed;
		event.closed_by = STORAGE_closed_by_below;
		event.exit_realtime_ns = event.last_realtime_ns;
		event.exit_boottime_ns = event.last_boottime_ns;
	}
	return fixture_put(fixture, &event);
}

static void put_snapshots(uint64_t id, const char *command)
{
	struct storage_snapshot snapshot = {.event_id = id, .realtime_ns = 1};

	snprintf(snapshot.process.command, sizeof(snapshot.process.command), "%s", command);
	rh_set(snapshot.process.present, RH_F_command);
	snapshot.process.score = 71.5f;
	rh_set(snapshot.process.present, RH_F_score);
	assert_int_equal(storage_begin(fixture->storage, false), 0);
	for (snapshot.boottime_ns = 1; snapshot.boottime_ns <= 63; snapshot.boottime_ns++) {
		uint64_t n = snapshot.boottime_ns;
		snapshot.snapshot = n == 1    ? STORAGE_snapshot_entry
		                    : n == 40 ? STORAGE_snapshot_peak
		                    : n == 63 ? STORAGE_snapshot_exit
		                              : STORAGE_snapshot_checkpoint;
		assert_int_equal(storage_put_snapshot(fixture->storage, &snapshot), 0);
	}
	assert_int_equal(storage_commit(fixture->storage), 0);
}

/* 1 old and high, 2 hostile and critical, 3 open and medium. */
static int begin(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	fixture = fixture_new(parent ? parent : "/tmp");
	assert_int_equal(fixture_reopen(fixture), 0);
	put_event(100, "cc1", 100 * 86400, RH_BAND_high, false);
	put_snapshots(put_event(200, hostile, 3600, RH_BAND_critical, false), hostile);
	put_event(300, "firefox", 60, RH_BAND_medium, true);
	return 0;
}

static int begin_empty(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	fixture = fixture_new(parent ? parent : "/tmp");
	return fixture_reopen(fixture);
}

static int end(void **state)
{
	(void)state;
	storage_close(&fixture->storage);
	fixture_remove(fixture);
	free(fixture);
	return 0;
}

static unsigned lines_of(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* Nothing but printable characters and ends of lines; no bidi control. */
static void check_harmless(const char *text)
{
	for (const char *next = text; *next; next++)
		assert_true(((unsigned char)*next >= ' ' && *next != 0x7f) || *next == '\n');
	assert_null(strstr(text, "\xe2\x80\xae"));
}

static json_t *parsed(const struct command_result *result)
{
	json_error_t error;
	json_t *root = json_loads(result->out, 0, &error);

	if (!root)
		fail_msg("%s: %s", error.text, result->out);
	return root;
}

static void events_lists_the_newest_first(void **state)
{
	struct command_result result = RUN(events);

	(void)state;
	assert_int_equal(result.code, 0);
	assert_int_equal(lines_of(result.out), 4);
	check_harmless(result.out);
	assert_true(strstr(result.out, "firefox") < strstr(result.out, "cc1"));
	assert_non_null(strstr(result.out, "5.00s"));
	command_forget(&result);
	result = RUN(events, "-n", "1");
	assert_int_equal(lines_of(result.out), 2);
	command_forget(&result);
	result = RUN(events, "--open");
	assert_int_equal(lines_of(result.out), 2);
	assert_non_null(strstr(result.out, "firefox"));
	command_forget(&result);
}

static void events_json_has_the_columns(void **state)
{
	struct command_result result = RUN(events, "--json");
	size_t count;
	const struct storage_column *columns = storage_event_columns(&count);

	(void)state;
	assert_int_equal(result.code, 0);
	check_harmless(result.out);
	json_t *root = parsed(&result), *events = json_object_get(root, "events");
	assert_int_equal(json_array_size(events), 3);
	json_t *closed = json_array_get(events, 1), *open = json_array_get(events, 0);
	for (size_t i = 0; i < count; i++)
		assert_non_null(json_object_get(closed, columns[i].name));
	assert_int_equal(json_object_size(closed), count);
	assert_null(json_object_get(open, "exit_realtime_ns")); /* absent is not zero */
	assert_string_equal(json_string_value(json_object_get(open, "state")), "open");
	assert_string_equal(json_string_value(json_object_get(closed, "peak_band")), "critical");
	assert_memory_equal(json_string_value(json_object_get(closed, "command")), "=a\033]0;\a\"\\\n,", 11);
	json_decref(root);
	command_forget(&result);
}

static void show_shows_snapshots(void **state)
{
	(void)state;
	struct command_result result = command_run(events_main, (const char *const[]){"events", "show", "2", "--db", fixture->path, NULL});
	assert_int_equal(result.code, 0);
	check_harmless(result.out);
	assert_non_null(strstr(result.out, "entry_score"));
	assert_non_null(strstr(result.out, "\nentry "));
	assert_non_null(strstr(result.out, "\npeak "));
	assert_non_null(strstr(result.out, "\nexit "));
	assert_non_null(strstr(result.out, "one of 4 of its 60 checkpoints"));
	command_forget(&result);

	result = command_run(events_main, (const char *const[]){"events", "show", "--json", "2", "--db", fixture->path, NULL});
	check_harmless(result.out);
	json_t *root = parsed(&result), *snapshots = json_object_get(root, "snapshots");
	assert_int_equal(json_array_size(snapshots), 63);
	json_t *process = json_object_get(json_array_get(snapshots, 39), "process");
	assert_true(json_real_value(json_object_get(process, "score")) == 71.5);
	assert_null(json_object_get(process, "cpu_pct"));
	json_decref(root);
	command_forget(&result);
}

static void history_chooses(void **state)
{
	static const struct {
		const char *option, *value;
		unsigned events;
	} cases[] = {
	        {"--since", "2h", 2},
	        {"--since", "1000d", 3},
	        {"--until", "2h", 1},
	        {"--until", "@1000000000", 0},
	        {"--command", "firefox", 1},
	        {"--command", "f*x", 1},
	        {"--command", "fire", 0},
	        {"--command", "c?1", 1},
	        {"--band", "low", 3},
	        {"--band", "high", 2},
	        {"--band", "critical", 1},
	        {"-n", "2", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command_result result = RUN(history, "--format", "csv", cases[i].option, cases[i].value);
		assert_int_equal(result.code, cases[i].events ? 0 : 3);
		assert_int_equal(lines_of(result.out), cases[i].events + 1);
		command_forget(&result);
	}
}

/* Cells of a CSV line, with quotes as RFC 4180 has them. Returns their number; the wanted one comes unquoted in out. */
static unsigned csv_cell(const char *line, unsigned wanted, char *out)
{
	unsigned cell = 0;
	bool quoted = false;

	for (; *line && (quoted || *line != '\n'); line++) {
		if (*line == '"' && quoted && line[1] == '"')
			line++;
		else if (*line == '"') {
			quoted = !quoted;
			continue;
		} else if (*line == ',' && !quoted) {
			cell++;
			continue;
		}
		if (cell == wanted)
			*out++ = *line;
	}
	*out = '\0';
	return cell + 1;
}

static void history_has_three_forms(void **state)
{
	struct command_result result = RUN(history, "--format", "csv", "--band", "critical");
	char cell[64];
	size_t count;

	(void)state;
	storage_event_columns(&count);
	check_harmless(result.out);
	assert_int_equal(lines_of(result.out), 2);
	assert_int_equal(csv_cell(result.out, 0, cell), count);
	assert_string_equal(cell, "id");
	assert_int_equal(csv_cell(strchr(result.out, '\n') + 1, 4, cell), count);
	assert_int_equal(cell[0], '\''); /* no formula */
	command_forget(&result);

	result = RUN(history);
	check_harmless(result.out);
	assert_int_equal(lines_of(result.out), 4);
	command_forget(&result);

	result = RUN(history, "--format", "json");
	struct command_result same = RUN(history, "--json");
	assert_string_equal(result.out, same.out);
	json_t *root = parsed(&result);
	assert_int_equal(json_array_size(json_object_get(root, "events")), 3);
	json_decref(root);
	command_forget(&result);
	command_forget(&same);
}

static void many_events_come_page_by_page(void **state)
{
	(void)state;
	for (uint32_t pid = 1000; pid < 1200; pid++)
		put_event(pid, "many", 10, RH_BAND_medium, true);
	struct command_result result = RUN(events, "-n", "150");
	assert_int_equal(lines_of(result.out), 151);
	command_forget(&result);
	result = RUN(history, "--command", "many", "--format", "csv");
	assert_int_equal(lines_of(result.out), 201);
	command_forget(&result);
}

static void moments_are_read(void **state)
{
	const uint64_t now = UINT64_C(1800000000) * NS_PER_S;
	static const char *const wrong[] = {"", "yesterday", "2h ago", "-2h", "@", "@-1", "2026-13-01", "2026-02-30", "2026-04-31 12:00",
	        "2026-01-01x", "2026-01-01T25:00", "24:01", "09:61", "nan", "1e300"};
	uint64_t moment;

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	assert_true(time_read("90s", now, &moment) && moment == now - UINT64_C(90) * NS_PER_S);
	assert_true(time_read("2h", now, &moment) && moment == now - UINT64_C(7200) * NS_PER_S);
	assert_true(time_read("@1700000000.5", now, &moment) && moment == UINT64_C(1700000000500000000));
	assert_true(time_read("2026-01-15", now, &moment) && moment == UINT64_C(1768431600) * NS_PER_S);
	assert_true(time_read("2026-07-15T12:00", now, &moment) && moment == UINT64_C(1784109600) * NS_PER_S); /* summer time */
	assert_true(time_read("2026-07-15 12:00:01", now, &moment) && moment == UINT64_C(1784109601) * NS_PER_S);
	/* It is 9 o'clock there: a time of day is today's, or yesterday's where it is still to come. */
	assert_true(time_read("09:00", now, &moment) && moment == now);
	assert_true(time_read("08:59:30", now, &moment) && moment == now - UINT64_C(30) * NS_PER_S);
	assert_true(time_read("09:00:01", now, &moment) && moment == now - UINT64_C(86399) * NS_PER_S);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (time_read(wrong[i], now, &moment))
			fail_msg("\"%s\" was taken for a moment", wrong[i]);
}

static void nothing_is_exit_three(void **state)
{
	static int (*const commands[])(int, char **) = {events_main, history_main};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct command_result result = command_run(commands[i], (const char *const[]){"x", "--db", fixture->path, NULL});
		assert_int_equal(result.code, 3);
		assert_int_equal(lines_of(result.err), 1);
		assert_string_equal(result.out, "");
		command_forget(&result);
		result = command_run(commands[i], (const char *const[]){"x", "--db", fixture->path, "--json", NULL});
		assert_int_equal(result.code, 3);
		json_decref(parsed(&result));
		command_forget(&result);
		result = command_run(commands[i], (const char *const[]){"x", "--db", "/nowhere/none.db", NULL});
		assert_int_equal(result.code, 3);
		assert_int_equal(strncmp(result.err, "rogue-hunter: there is no database", 34), 0);
		command_forget(&result);
	}
	struct command_result result = command_run(events_main, (const char *const[]){"events", "show", "9", "--db", fixture->path, NULL});
	assert_int_equal(result.code, 3);
	command_forget(&result);
	result = command_run(prune_main, (const char *const[]){"prune", "--force", "--db", "/nowhere/none.db", NULL});
	assert_int_equal(result.code, 3);
	command_forget(&result);
}

static void mistakes_are_exit_two(void **state)
{
	(void)state;
	const struct command_result results[] = {RUN(events, "-n", "0"), RUN(events, "extra"), RUN(events, "--json", "show", "1"),
	        RUN(history, "--since", "never"), RUN(history, "--band", "x"), RUN(history, "--format", "xml"), RUN(history, "--nonsense"),
	        RUN(prune, "--events-days", "0"), RUN(prune, "now"),
	        command_run(events_main, (const char *const[]){"events", "show", NULL}),
	        command_run(events_main, (const char *const[]){"events", "show", "one", NULL}),
	        command_run(events_main, (const char *const[]){"events", "show", "1", "2", NULL})};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct command_result result = results[i];
		assert_int_equal(result.code, 2);
		assert_int_equal(lines_of(result.err), 1);
		assert_string_equal(result.out, "");
		command_forget(&result);
	}
}

static void prune_removes_what_is_past_its_time(void **state)
{
	struct command_result result = RUN(prune, "--dry-run", "--json");

	(void)state;
	assert_int_equal(result.code, 0);
	json_t *root = parsed(&result);
	assert_true(json_is_true(json_object_get(root, "dry_run")));
	assert_int_equal(json_integer_value(json_object_get(root, "events")), 1);
	json_decref(root);
	command_forget(&result);
	assert_int_equal(storage_events(fixture->storage, &(struct storage_filter){0}, (struct storage_event[8]){0}, 8), 3);

	int saved = dup(STDIN_FILENO), null = open("/dev/null", O_RDONLY); /* nobody to ask */
	dup2(null, STDIN_FILENO);
	result = RUN(prune);
	dup2(saved, STDIN_FILENO);
	close(null);
	close(saved);
	assert_int_equal(result.code, 1);
	assert_non_null(strstr(result.err, "--force"));
	command_forget(&result);
	assert_int_equal(storage_events(fixture->storage, &(struct storage_filter){0}, (struct storage_event[8]){0}, 8), 3);

	result = RUN(prune, "--force"); /* beside a tracker that has the database open */
	assert_int_equal(result.code, 0);
	assert_string_equal(result.out, "removed: events 1, their snapshots 0, machine snapshots 0, pauses 0, days of usual behaviour 0\n");
	command_forget(&result);
	result = RUN(prune, "--force", "--events-days", "1", "--json");
	root = parsed(&result);
	assert_int_equal(json_integer_value(json_object_get(root, "events")), 0);
	json_decref(root);
	command_forget(&result);
	assert_int_equal(storage_events(fixture->storage, &(struct storage_filter){0}, (struct storage_event[8]){0}, 8), 2);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	        WITH(events_lists_the_newest_first),
	        WITH(events_json_has_the_columns),
	        WITH(show_shows_snapshots),
	        WITH(history_chooses),
	        WITH(history_has_three_forms),
	        WITH(many_events_come_page_by_page),
	        WITH(mistakes_are_exit_two),
	        WITH(prune_removes_what_is_past_its_time),
	        cmocka_unit_test_setup_teardown(nothing_is_exit_three, begin_empty, end),
	        cmocka_unit_test(moments_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
