/*
 * table.c - rounds of a drill for people and as JSON, and their sums with the targets.
 */
#include "readers/drill/table.h"

#include "base/json.h"
#include "base/text.h"
#include "readers/common/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Targets, as fractions of the rounds in which a pause happened. */
static const double culprits_right = 0.95, memory_culprits_right = 0.90, kinds_right = 0.90;

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

/* ---- one round, for people ---- */

static const char *yes(bool is)
{
	return is ? "yes" : "no";
}

static void print_verdict(const struct drill_round *round)
{
	const struct round_verdict *verdict = &round->verdict;
	char text[2 * ROUND_TEXT_BYTES];

	if (verdict->pause_count == 0) {
		printf("  said     nothing%s\n", !round->happened ? "" : round->kind->classes[0] ? ": missed" : "");
	} else {
		text_sanitise(verdict->sentence, sizeof(verdict->sentence), text, sizeof(text));
		printf("  said     %s\n", text);
		if (round->kind->classes[0])
			printf("  right    detected %s, kind %s, culprit %s (%s %.2f)%s\n", yes(verdict->detected),
			        yes(verdict->kind_right), yes(verdict->culprit_right), verdict->word, verdict->both_ratio,
			        verdict->wrong_sure ? ", a stranger named for sure" : "");
		if (isfinite(verdict->first_s))
			printf("  first    %.2f s after the onset, %.2f s after the end\n", verdict->first_s, verdict->after_end_s);
	}
	printf("  samples  %" PRIu64 " of %" PRIu64 ", the latest by %.0f ms\n", verdict->samples, verdict->samples_due,
	        verdict->lateness_s * 1000);
}

void drill_table_round(const struct drill_round *round)
{
	const struct victim_truth *truth = &round->truth;

	printf("%s %u: %s\n", round->kind->name, round->number, round->failure[0] ? round->failure : round->variant);
	if (round->failure[0])
		return;
	if (round->happened)
		printf("  paused   %.2f s at most (%s), %" PRIu64
		       " times, %u victims, %.2f s in all, for %.2f s from %.2f s after the begin\n",
		        seconds(truth->longest_ns), round->worst, truth->count, truth->victims, seconds(truth->sum_ns),
		        seconds(truth->to_ns - truth->from_ns), seconds(truth->from_ns - round->begin_ns));
	else
		printf("  paused   no: %.3f s at most (%s), %u ms would count\n", seconds(truth->longest_ns), round->worst,
		        round->kind->least_ms);
	if (round->verdict.asked)
		print_verdict(round);
	fflush(stdout);
}

/* ---- one round, as JSON ---- */

static void json_number(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_u64(json, value);
}

static void json_real(struct json *json, const char *key, double value)
{
	json_key(json, key);
	json_f64(json, value, 6);
}

static void json_is(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}

static void json_string(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text, strlen(text));
}

static void json_verdict(struct json *json, const struct round_verdict *verdict)
{
	json_is(json, "detected", verdict->detected);
	json_is(json, "kind_right", verdict->kind_right);
	json_is(json, "culprit_right", verdict->culprit_right);
	json_is(json, "wrong_sure", verdict->wrong_sure);
	json_number(json, "pause_count", verdict->pause_count);
	json_string(json, "id", verdict->id);
	json_string(json, "class", verdict->class);
	json_string(json, "word", verdict->word);
	json_real(json, "both_ratio", verdict->both_ratio);
	json_string(json, "who", verdict->who);
	json_string(json, "sentence", verdict->sentence);
	json_real(json, "first_s", verdict->first_s);
	json_real(json, "after_end_s", verdict->after_end_s);
	json_real(json, "said_first_s", verdict->said_first_s);
	json_real(json, "said_final_s", verdict->said_final_s);
	json_number(json, "samples", verdict->samples);
	json_number(json, "samples_due", verdict->samples_due);
	json_real(json, "lateness_s", verdict->lateness_s);
}

void drill_table_round_json(const struct drill_round *round)
{
	const struct victim_truth *truth = &round->truth;
	struct json json;

	json_begin(&json, stdout);
	json_object_begin(&json);
	json_string(&json, "schema", "rogue-hunter.drill/1");
	json_string(&json, "drill", round->kind->name);
	json_number(&json, "round", round->number);
	json_number(&json, "seed", round->seed);
	json_string(&json, "variant", round->variant);
	json_key(&json, "failure");
	if (round->failure[0])
		json_text(&json, round->failure, sizeof(round->failure));
	else
		json_none(&json);
	json_real(&json, "begin_boottime_s", seconds(round->begin_ns));
	json_real(&json, "injected_s", seconds(round->until_ns - round->begin_ns));
	json_is(&json, "happened", round->happened);
	json_string(&json, "worst", round->worst);
	json_real(&json, "longest_s", seconds(truth->longest_ns));
	json_real(&json, "sum_s", seconds(truth->sum_ns));
	json_real(&json, "span_s", seconds(truth->to_ns - truth->from_ns));
	json_number(&json, "count", truth->count);
	json_number(&json, "victims", truth->victims);
	json_is(&json, "asked", round->verdict.asked);
	if (round->verdict.asked)
		json_verdict(&json, &round->verdict);
	json_object_end(&json);
	putchar('\n');
	fflush(stdout);
}

/* ---- sums ---- */

void drill_table_add(struct drill_sums *sums, const struct drill_round *round)
{
	const struct round_verdict *verdict = &round->verdict;
	struct drill_sum *sum = &sums->kinds[round->kind - drill_kinds];
	bool expected = round->kind->classes[0];

	sum->rounds++;
	sum->failed += round->failure[0] != '\0';
	if (round->failure[0])
		return;
	sum->happened += round->happened;
	sum->samples += verdict->samples;
	sum->samples_due += verdict->samples_due;
	sum->wrong_sure += verdict->wrong_sure;
	sum->false_alarms += !expected && !round->happened && verdict->pause_count > 0;
	if (!round->happened || !expected)
		return;
	sum->detected += verdict->detected;
	sum->kind_right += verdict->detected && verdict->kind_right;
	sum->culprit_right += verdict->detected && verdict->culprit_right;
	if (verdict->detected && isfinite(verdict->first_s) && sum->timed < sizeof(sum->first_s) / sizeof(sum->first_s[0]))
		sum->first_s[sum->timed++] = (float)verdict->first_s;
}

static int compare(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;
	return (a > b) - (a < b);
}

static double median(struct drill_sum *sum)
{
	if (sum->timed == 0)
		return NAN;
	qsort(sum->first_s, sum->timed, sizeof(sum->first_s[0]), compare);
	return (double)sum->first_s[sum->timed / 2];
}

static void number_cell(struct table *table, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	table_cell(table, text, TABLE_PLAIN);
}

static void print_sum(struct table *table, const char *name, struct drill_sum *sum)
{
	double first_s = median(sum);
	char text[24];

	table_cell(table, name, TABLE_PLAIN);
	number_cell(table, sum->rounds);
	number_cell(table, sum->happened);
	number_cell(table, sum->detected);
	number_cell(table, sum->kind_right);
	number_cell(table, sum->culprit_right);
	number_cell(table, sum->wrong_sure);
	snprintf(text, sizeof(text), isfinite(first_s) ? "%.2f" : "-", first_s);
	table_cell(table, text, TABLE_PLAIN);
	snprintf(text, sizeof(text), sum->samples_due ? "%.1f%%" : "-", 100.0 * (double)sum->samples / (double)sum->samples_due);
	table_cell(table, text, TABLE_PLAIN);
	table_end_row(table);
}

static void add_sum(struct drill_sum *all, const struct drill_sum *sum)
{
	all->rounds += sum->rounds;
	all->failed += sum->failed;
	all->happened += sum->happened;
	all->detected += sum->detected;
	all->kind_right += sum->kind_right;
	all->culprit_right += sum->culprit_right;
	all->wrong_sure += sum->wrong_sure;
	all->false_alarms += sum->false_alarms;
	all->samples += sum->samples;
	all->samples_due += sum->samples_due;
	for (uint32_t i = 0; i < sum->timed && all->timed < sizeof(all->first_s) / sizeof(all->first_s[0]); i++)
		all->first_s[all->timed++] = sum->first_s[i];
}

static bool is_reached(bool quiet, const char *what, uint64_t right, uint64_t of, double target)
{
	bool reached = of == 0 || (double)right >= target * (double)of;

	if (!quiet && of > 0)
		printf("%-24s %" PRIu64 " of %" PRIu64 ", %.0f%%; target %.0f%%: %s\n", what, right, of, 100.0 * (double)right / (double)of,
		        100 * target, reached ? "reached" : "MISSED");
	return reached;
}

/* The targets. Whether memory is blamed right is counted by itself: its culprits are the hardest to tell. */
static bool are_reached(const struct drill_sums *sums, const struct drill_sum *all, bool quiet)
{
	const struct drill_sum *mem = &sums->kinds[DRILL_KIND_mem], *reclaim = &sums->kinds[DRILL_KIND_reclaim];
	uint64_t memory = mem->happened + (uint64_t)reclaim->happened, memory_right = mem->culprit_right + (uint64_t)reclaim->culprit_right;
	uint64_t expected = all->happened - sums->kinds[DRILL_KIND_none].happened;
	bool reached = is_reached(quiet, "culprit right", all->culprit_right - memory_right, expected - memory, culprits_right);

	reached &= is_reached(quiet, "culprit right, memory", memory_right, memory, memory_culprits_right);
	reached &= is_reached(quiet, "kind right", all->kind_right, expected, kinds_right);
	if (!quiet && (all->wrong_sure || all->false_alarms))
		printf("wrong culprits over 80%%: %u; pauses told of on a healthy machine: %u; target 0: MISSED\n", all->wrong_sure,
		        all->false_alarms);
	return reached && all->wrong_sure == 0 && all->false_alarms == 0 && all->failed == 0;
}

bool drill_table_sums(struct drill_sums *sums, bool quiet)
{
	static const struct table_column columns[] = {{"DRILL", 8, false}, {"ROUNDS", 6, true}, {"PAUSED", 6, true}, {"DETECTED", 8, true},
	        {"KIND", 5, true}, {"CULPRIT", 7, true}, {"WRONG>80%", 9, true}, {"FIRST s", 7, true}, {"SAMPLES", 7, true}};
	static struct drill_sum all;
	struct table table;

	table_begin(&table, stdout, columns, sizeof(columns) / sizeof(columns[0]), true);
	if (!quiet)
		table_titles(&table);
	for (unsigned i = 0; i < DRILL_KINDS; i++) {
		if (sums->kinds[i].rounds == 0)
			continue;
		add_sum(&all, &sums->kinds[i]);
		if (!quiet)
			print_sum(&table, drill_kinds[i].name, &sums->kinds[i]);
	}
	if (!quiet)
		print_sum(&table, "all", &all);
	return are_reached(sums, &all, quiet);
}
