/* verdict.c - see verdict.h. */
#include "tests/support/verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double sample_s = WORLD_PERIOD_MS / 1000.0;

static const struct world_finding *newest_of(const struct world *world, uint32_t number)
{
	for (uint32_t i = world->findings.count; i > 0; i--)
		if (world->findings.list[i - 1].pause.number == number)
			return &world->findings.list[i - 1];
	return NULL;
}

static bool is_first_of_number(const struct world *world, uint32_t i)
{
	for (uint32_t j = 0; j < i; j++)
		if (world->findings.list[j].pause.number == world->findings.list[i].pause.number)
			return false;
	return true;
}

uint32_t verdict_count(const struct world *world)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < world->findings.count; i++)
		count += is_first_of_number(world, i);
	return count;
}

const struct pause *verdict_of(const struct world *world, uint32_t number)
{
	const struct world_finding *finding = newest_of(world, number);
	if (!finding)
		fail_msg("no pause %u; %u were found", number, verdict_count(world));
	bool merged = finding->pause.state == PAUSE_STATE_merged && finding->pause.merged_into > 0 && finding->pause.merged_into < number;
	if (finding->pause.state != PAUSE_STATE_final && !merged)
		fail_msg("neither final nor merged into an earlier one: %s", finding->sentence);
	return &finding->pause;
}

static void print_all(const struct world *world)
{
	for (uint32_t i = 0; i < world->findings.count; i++)
		print_message("found: %s\n", world->findings.list[i].sentence);
}

const struct pause *verdict_only(const struct world *world)
{
	if (verdict_count(world) != 1) {
		print_all(world);
		fail_msg("%u pauses instead of one", verdict_count(world));
	}
	return verdict_of(world, world->findings.list[0].pause.number);
}

void verdict_none(const struct world *world)
{
	if (world->findings.count > 0)
		fail_msg("there was nothing to say: %s", world->findings.list[0].sentence);
	assert_int_equal(judge_next_number(world->judge), world->number_from);
}

/* ---- one finding ---- */

static bool within_a_sample(uint64_t ns, double s)
{
	return fabs((double)ns / 1e9 - s) <= sample_s + 1e-6;
}

void verdict_is(const struct pause *pause, enum pause_class class, enum pause_word word, double duration_s)
{
	assert_string_equal(pause_class_name(pause->class), pause_class_name(class));
	assert_string_equal(pause_word_name(pause->word), pause_word_name(word));
	if (!within_a_sample(pause->duration_ns, duration_s))
		fail_msg("lasted %.3f s, not %.3f s", (double)pause->duration_ns / 1e9, duration_s);
}

void verdict_names(const struct pause *pause, const char *name)
{
	assert_true(pause->culprit_count > 0);
	assert_string_equal(pause->culprits[0].name, name);
	assert_string_equal(pause_role_name(pause->culprits[0].role), "culprit");
	for (uint32_t i = 1; i < pause->culprit_count; i++)
		if (pause->culprits[i].role == PAUSE_ROLE_culprit)
			fail_msg("%s is named as well", pause->culprits[i].name);
}

void verdict_names_nobody(const struct pause *pause)
{
	for (uint32_t i = 0; i < pause->culprit_count; i++)
		if (pause->culprits[i].role == PAUSE_ROLE_culprit)
			fail_msg("%s is named", pause->culprits[i].name);
}

static const struct pause_victim *victim_of(const struct pause *pause, const char *name)
{
	for (uint32_t i = 0; i < pause->victim_count; i++)
		if (strcmp(pause->victims[i].name, name) == 0)
			return &pause->victims[i];
	return NULL;
}

const struct pause_victim *verdict_victim(const struct pause *pause, const char *name, double longest_s)
{
	const struct pause_victim *victim = victim_of(pause, name);
	if (!victim)
		fail_msg("%s is none of the %u victims shown", name, pause->victim_count);
	if (!within_a_sample(victim->longest_ns, longest_s))
		fail_msg("%s stood still for %.3f s, not %.3f s", name, (double)victim->longest_ns / 1e9, longest_s);
	return victim;
}

void verdict_spares(const struct pause *pause, const char *name)
{
	if (victim_of(pause, name))
		fail_msg("%s is a victim", name);
	for (uint32_t i = 0; i < pause->culprit_count; i++)
		if (pause->culprits[i].role == PAUSE_ROLE_culprit && strcmp(pause->culprits[i].name, name) == 0)
			fail_msg("%s is accused", name);
}

struct grammar_pause verdict_sentence(const struct world *world, uint32_t number, const char *text)
{
	const struct world_finding *finding = newest_of(world, number);
	struct grammar_pause parsed;
	assert_non_null(finding);
	const char *fault = grammar_parse(finding->sentence, &parsed);
	if (fault)
		fail_msg("%s: %s", fault, finding->sentence);
	if (!strstr(finding->sentence, text))
		fail_msg("\"%s\" is not in: %s", text, finding->sentence);
	return parsed;
}

/* ---- any finding ---- */

static void sentence_agrees(const struct world_finding *finding)
{
	const struct pause *pause = &finding->pause;
	struct grammar_pause parsed;
	const char *fault = grammar_parse(finding->sentence, &parsed);
	if (fault)
		fail_msg("%s: %s", fault, finding->sentence);
	assert_string_equal(parsed.class, pause_class_name(pause->class));
	assert_int_equal(parsed.interim, pause->state == PAUSE_STATE_interim);
	assert_true(parsed.duration_ns + parsed.duration_error_ns + 1 >= pause->duration_ns);
	assert_true(parsed.duration_ns <= pause->duration_ns + parsed.duration_error_ns + 1);
	const char *hedge = pause_hedge(pause_word_said(pause));
	if (parsed.hedge[0] != '\0' && hedge[0] != '\0') /* of one whose culprit is unclear the class alone is hedged */
		assert_string_equal(parsed.hedge, hedge);
	if (pause->state == PAUSE_STATE_interim && parsed.hedge[0] != '\0')
		assert_string_equal(parsed.hedge, "likely");
}

static void confidence_holds(const struct world_finding *finding)
{
	const struct pause *pause = &finding->pause;
	assert_true(pause->class_ratio > 0 && pause->class_ratio < 1);
	assert_true(pause->both_ratio > 0 && pause->both_ratio <= pause->class_ratio);
	assert_true(pause->both_ratio <= pause->cap_ratio);
	if (!pause->recorded)
		assert_true(pause->cap_ratio <= 0.9F && pause->class_ratio <= pause->cap_ratio);
	if (pause->state == PAUSE_STATE_interim && !pause->recorded)
		assert_true(pause->cap_ratio <= 0.79F);
	assert_int_equal(pause->word, pause_word_for(pause->class_ratio, pause->both_ratio, pause->recorded));
	if (pause->word == PAUSE_WORD_unclear || pause->word == PAUSE_WORD_unexplained)
		verdict_names_nobody(pause);
}

static void victims_hold(const struct pause *pause)
{
	for (uint32_t i = 0; i < pause->victim_count; i++) {
		const struct pause_victim *victim = &pause->victims[i];
		assert_true(victim->longest_ns > 0 && victim->total_ns >= victim->longest_ns);
		if (i > 0)
			assert_true(victim->longest_ns <= pause->victims[i - 1].longest_ns);
		for (uint32_t j = 0; j < pause->culprit_count && !pause->own_fault; j++)
			if (pause->culprits[j].role == PAUSE_ROLE_culprit && victim->pid != 0 && pause->culprits[j].pid == victim->pid)
				fail_msg("%s is culprit and victim in %s", victim->name, pause->culprits[j].name);
	}
	if (pause->victim_count > 0)
		assert_int_equal(pause->duration_ns, pause->victims[0].longest_ns);
}

static void order_holds(const struct world *world, uint32_t i)
{
	const struct pause *pause = &world->findings.list[i].pause;
	assert_int_equal(pause->ongoing, pause->state == PAUSE_STATE_interim);
	assert_true(pause->number >= 1);
	if (strcmp(pause->boot_id, world->options.boot_id) == 0)
		assert_true(pause->number < judge_next_number(world->judge));
	if (pause->state == PAUSE_STATE_interim)
		assert_int_equal(pause->final_said_ns, 0);
}

static void same_documents(const struct world_findings *a, const struct world_findings *b)
{
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		assert_string_equal(a->list[i].document, b->list[i].document);
		assert_string_equal(a->list[i].sentence, b->list[i].sentence);
	}
}

void verdict_end(struct world **world)
{
	for (uint32_t i = 0; i < (*world)->findings.count; i++) {
		const struct world_finding *finding = &(*world)->findings.list[i];
		if (getenv("VERDICTS")) /* for who writes a test */
			print_message("%s\n", finding->sentence);
		sentence_agrees(finding);
		confidence_holds(finding);
		victims_hold(&finding->pause);
		order_holds(*world, i);
	}
	struct world_findings again = world_judge_again(*world), once_more = world_judge_again(*world);
	same_documents(&again, &once_more);
	if (!(*world)->no_replay)
		same_documents(&(*world)->findings, &again);
	world_findings_free(&again);
	world_findings_free(&once_more);
	world_free(world);
}
