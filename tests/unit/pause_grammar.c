/*
 * The sentence about a pause and its grammar: whatever a pause holds, a parser that shares no code with the writer reads class, duration, hedge and
 * names back; and that parser refuses what is no such sentence.
 */
#include "tests/support/pause_grammar.h"

#include "pause/sentence.h"
#include "tests/support/pause_made.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 200000, ROUNDS_WITHOUT_SENSE = 20000 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct grammar_pause must_parse(const char *sentence)
{
	struct grammar_pause parsed;
	const char *fault = grammar_parse(sentence, &parsed);

	if (fault)
		fail_msg("%s: %s", fault, sentence);
	return parsed;
}

static void examples_are_of_the_grammar(void **state)
{
	struct made_example example;
	unsigned number = 0;

	(void)state;
	for (; made_example(number, &example); number++) {
		struct grammar_pause parsed = must_parse(example.sentence);
		assert_string_equal(parsed.class, pause_class_name(example.pause.class));
		assert_int_equal(parsed.interim, example.pause.state == PAUSE_STATE_interim);
		assert_int_equal(parsed.task_count, parsed.subject == GRAMMAR_TASKS ? example.pause.task_count : 0);
	}
	assert_true(number >= 14);
}

static void what_is_read(void **state)
{
	struct grammar_pause p =
	        must_parse("58 tasks paused for up to 2.31 s at 18:20:55 (worst: sshd[900]): memory ran short, very likely because of "
	                   "chrome[3120] and 11 children (71% of the memory taken in), then updatedb[812] (18%); PSI is off. "
	                   "[7c1f93ab-44 memory]");
	(void)state;
	assert_string_equal(p.id, "7c1f93ab-44");
	assert_int_equal(p.task_count, 58);
	assert_true(p.up_to && !p.at_least && !p.going_on && !p.interim);
	assert_string_equal(p.duration, "2.31 s");
	assert_true(p.duration_ns == 2310000000);
	assert_int_equal(p.second_of_day, 18 * 3600 + 20 * 60 + 55);
	assert_string_equal(p.worst, "sshd[900]");
	assert_string_equal(p.hedge, "very likely");
	assert_false(p.hedge_first);
	assert_int_equal(p.who, GRAMMAR_BECAUSE);
	assert_int_equal(p.culprit_count, 2);
	assert_string_equal(p.culprits[0].name, "chrome[3120] and 11 children");
	assert_string_equal(p.culprits[0].detail, "71% of the memory taken in");
	assert_string_equal(p.culprits[1].name, "updatedb[812]");
	assert_string_equal(p.caveat, "PSI is off");
	p = must_parse("2 tasks in cgroup a.slice have been paused for at least 8 h 12 min so far since 00:00:01Z: the CPUs were likely "
	               "taken, no single "
	               "culprit: a[1] 38%, 6 x dd from b[2], exited 24%. [7c1f-4 cpu interim]");
	assert_string_equal(p.group, "a.slice");
	assert_true(p.going_on && p.at_least && p.utc && p.interim && p.hedge_first);
	assert_int_equal(p.who, GRAMMAR_CANDIDATES);
	assert_string_equal(p.culprits[1].name, "6 x dd from b[2], exited");
	assert_string_equal(p.culprits[1].detail, "24%");
}

#define HEAD "2 tasks paused for up to 410 ms at 14:03:07: "
static const char *const broken[] = {
        "",
        "[7c1f-36 cpu]",
        HEAD "CPU 1 was taken, culprit unclear.",
        HEAD "CPU 1 was taken, culprit unclear. [7c1f-36]",
        HEAD "CPU 1 was taken, culprit unclear. [7c1f-36 processor]",
        HEAD "CPU 1 was taken, culprit unclear. [7c1-36 cpu]",
        HEAD "CPU 1 was taken, culprit unclear. [7c1f-36 cpu] ",
        HEAD "CPU 1 was taken, culprit unclear. [7c1f-36 memory]",            /* WHAT of another class */
        HEAD "CPU 1 was taken, culprit unclear [7c1f-36 cpu]",                /* no full stop */
        HEAD "CPU 1 was taken. [7c1f-36 cpu]",                                /* no WHO */
        HEAD "CPU 1 was taken, because of a[1]. [7c1f-36 cpu]",               /* no hedge */
        HEAD "CPU 1 was likely taken, likely because of a[1]. [7c1f-36 cpu]", /* two */
        HEAD "CPU 1 was taken, probably because of a[1]. [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, very likely because of a[1]. [7c1f-36 cpu interim]",
        HEAD "CPU 1 was taken, likely by a[1]. [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, likely because of a[1] (9%). [7c1f-36 cpu]",                /* share of nothing */
        HEAD "CPU 1 was taken, likely because of a[1] (9% of bytes moved). [7c1f-36 cpu]", /* another class's metric */
        HEAD "CPU 1 was taken, likely because of a[1] (100% of the CPU time). [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, likely because of a[1] (0% of the CPU time). [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, likely because of a[1] (9.5% of the CPU time). [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, nobody's fault. [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, no single culprit: a[1]. [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, culprit unclear; . [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, culprit unclear; you should look. [7c1f-36 cpu]",
        HEAD "CPU 1 was taken, culprit unclear; a rogue process. [7c1f-36 cpu]",
        HEAD "memory ran short, likely because of. [7c1f-36 memory]",
        HEAD "memory leaked, culprit unclear. [7c1f-36 memory]",
        HEAD "they waited for a kernel lock, likely because of a[1]. [7c1f-36 stuck]",
        HEAD "unexplained, no measured cause fits, culprit unclear. [7c1f-36 unexplained]",
        HEAD "the cgroup had spent its own CPU quota, culprit unclear. [7c1f-36 throttle]",
        HEAD "it was suspended, cause outside this machine. [7c1f-36 suspend]",
        "2 tasks paused for 410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]", /* not up to */
        "2 task paused for up to 410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "1 tasks paused for up to 410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "0 tasks paused for up to 410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "CPU 1 paused for 410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 1410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 4.1 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 3 min 61 s at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 410 ms at 24:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 410 ms: CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 410 ms at 14:03:07 (worst: a[1]) CPU 1 was taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks have been paused for 410 ms so far since 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 "
        "cpu]", /* not interim */
        "2 tasks have been paused for 410 ms at 14:03:07: CPU 1 was taken, culprit unclear. [7c1f-36 cpu interim]",
        "2 tasks paused for up to 410 ms at 14:03:07: CPU 1\twas taken, culprit unclear. [7c1f-36 cpu]",
        "2 tasks paused for up to 410 ms at 14:03:07 (worst: caf\xc3\xa9[1]): CPU 1 was taken, culprit unclear. "
        "[7c1f-36 cpu]",
        "This machine paused for 4.20 s at 04:10:00: the hypervisor ran something else (100% steal), cause outside "
        "this machine. [7c1f-14 host]",
};

static void broken_sentences_are_refused(void **state)
{
	struct grammar_pause parsed;
	char full[400];

	(void)state;
	must_parse(HEAD "CPU 1 was taken, culprit unclear. [7c1f-36 cpu]");
	for (size_t i = 0; i < COUNT_OF(broken); i++)
		if (!grammar_parse(broken[i], &parsed))
			fail_msg("accepted: %s", broken[i]);
	snprintf(full, sizeof(full), HEAD "CPU 1 was taken, culprit unclear; %0*d. [7c1f-36 cpu]", 240, 0);
	assert_string_equal(grammar_parse(full, &parsed), "longer than 240 bytes");
}

/* ---- whatever a pause holds ---- */

static const char *class_said(const struct pause *p)
{
	return pause_class_name(
	        p->class < PAUSE_CLASSES && pause_word_said(p) != PAUSE_WORD_unexplained ? p->class : PAUSE_CLASS_unexplained);
}

/* The hedge that the table of words asks for. */
static const char *hedge_due(const struct pause *p, const struct grammar_pause *parsed)
{
	if (strcmp(parsed->class, "unexplained") == 0)
		return "";
	if (p->word > PAUSE_WORD_recorded || p->word == PAUSE_WORD_unclear)
		return p->class_ratio >= 0.8f ? "" : "likely";
	if (p->word == PAUSE_WORD_recorded)
		return parsed->who == GRAMMAR_FIRMWARE ? "very likely" : "";
	if (p->state == PAUSE_STATE_interim || p->word == PAUSE_WORD_likely)
		return "likely";
	return p->word == PAUSE_WORD_very_likely ? "very likely" : "almost certainly";
}

/* Is it that name, with some bytes made harmless, or cut? Names beyond ASCII change their length and are not held against it. */
static bool is_name(const char *parsed, const char *raw)
{
	size_t i;

	for (const char *c = raw; *c; c++)
		if ((unsigned char)*c >= 0x80)
			return true;
	if (raw[0] == '\0')
		return strcmp(parsed, "unknown") == 0;
	for (i = 0; parsed[i] && raw[i]; i++) {
		if (parsed[i] == '~' && (parsed[i + 1] == '\0' || parsed[i + 1] == ','))
			return true;
		if (parsed[i] != raw[i] && parsed[i] != '?')
			break;
	}
	/* Of a name that is nothing but ", exited" none is left. */
	return (parsed[i] == '\0' && raw[i] == '\0') || strstr(raw, ", exited");
}

static void check_names(const struct pause *p, const struct grammar_pause *parsed, const char *sentence)
{
	const struct pause_who *named[2];
	unsigned count = 0;

	if (parsed->who != GRAMMAR_BECAUSE && parsed->who != GRAMMAR_BY && parsed->who != GRAMMAR_HELD)
		return;
	for (unsigned i = 0; i < p->culprit_count && i < PAUSE_CULPRITS && count < 2; i++)
		if (p->culprits[i].role == PAUSE_ROLE_culprit)
			named[count++] = &p->culprits[i];
	if (parsed->culprit_count == 0 || parsed->culprit_count > count)
		fail_msg("%u named of %u: %s", parsed->culprit_count, count, sentence);
	for (unsigned i = 0; i < parsed->culprit_count; i++)
		if (!is_name(parsed->culprits[i].name, named[i]->name))
			fail_msg("'%s' is not '%s': %s", parsed->culprits[i].name, named[i]->name, sentence);
}

static void check_candidates(const struct pause *p, const struct grammar_pause *parsed, const char *sentence)
{
	if (parsed->who != GRAMMAR_CANDIDATES)
		return;
	for (unsigned i = 0; i < parsed->culprit_count; i++) {
		bool found = false;
		for (unsigned k = 0; k < p->culprit_count && k < PAUSE_CULPRITS; k++)
			found |= p->culprits[k].role != PAUSE_ROLE_carrier && is_name(parsed->culprits[i].name, p->culprits[k].name);
		if (!found)
			fail_msg("nobody is called '%s': %s", parsed->culprits[i].name, sentence);
	}
}

/* What a sentence must never lose. Returns the number of its class among those seen. */
static void check_random(const struct pause *p, unsigned digits)
{
	char sentence[PAUSE_SENTENCE_BYTES], id[PAUSE_ID_BYTES], shown[32], tail[64];
	size_t length = pause_sentence(p, digits, sentence);
	struct grammar_pause parsed = must_parse(sentence);

	assert_int_equal(length, strlen(sentence));
	assert_true(length <= 240);
	pause_id(p, id);
	snprintf(shown, sizeof(shown), "%.*s%s", (int)(digits < 4 ? 4 : digits > 8 ? 8 : digits), id, id + 8);
	assert_string_equal(parsed.id, shown);
	assert_string_equal(parsed.class, class_said(p));
	assert_int_equal(parsed.interim, p->state == PAUSE_STATE_interim);
	snprintf(tail, sizeof(tail), " [%s %s%s]", shown, parsed.class, parsed.interim ? " interim" : "");
	assert_string_equal(sentence + length - strlen(tail), tail);
	uint64_t off = parsed.duration_ns > p->duration_ns ? parsed.duration_ns - p->duration_ns : p->duration_ns - parsed.duration_ns;
	if (off > parsed.duration_error_ns)
		fail_msg("%s is not %llu ns", parsed.duration, (unsigned long long)p->duration_ns);
	if (strcmp(parsed.hedge, hedge_due(p, &parsed)) != 0)
		fail_msg("hedged '%s', not '%s': %s", parsed.hedge, hedge_due(p, &parsed), sentence);
	assert_non_null(parsed.what);
	assert_int_equal(parsed.at_least, !p->onset_seen);
	if (parsed.worst[0] && !is_name(parsed.worst, p->victims[0].name))
		fail_msg("'%s' is not '%s'", parsed.worst, p->victims[0].name);
	check_names(p, &parsed, sentence);
	check_candidates(p, &parsed, sentence);
}

static void any_pause_gives_a_sentence(void **state)
{
	static struct pause p;
	unsigned seed = 20261120, seen[PAUSE_CLASSES] = {0};

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		made_random(&seed, true, &p);
		check_random(&p, (unsigned)rand_r(&seed) % 12);
		seen[p.class]++;
	}
	for (unsigned class = 0; class < PAUSE_CLASSES; class ++)
		assert_true(seen[class] > ROUNDS / PAUSE_CLASSES / 2);
}

/* Codes and counts out of their ranges, as in a pause of a newer version, or a damaged one. */
static void a_pause_without_sense_gives_a_sentence(void **state)
{
	static struct pause p;
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < ROUNDS_WITHOUT_SENSE; round++) {
		made_random(&seed, false, &p);
		check_random(&p, (unsigned)rand_r(&seed) % 12);
	}
}

/* Everything as long as it can be at once. */
static void the_longest_of_all(void **state)
{
	static struct pause p;
	char name[PAUSE_NAME_BYTES];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned class = 0; class < PAUSE_CLASSES; class ++) {
		for (unsigned variant = 0; variant < 16; variant++) {
			made_plain(&p, (enum pause_class) class, UINT32_MAX, 0);
			p.task_count = UINT32_MAX;
			p.scope = PAUSE_SCOPE_cgroup;
			p.onset_seen = false;
			p.duration_ns = UINT64_C(3599) * 1000000000;
			p.victim_count = 1;
			p.place.utc_offset_s = 0;
			p.place.host[0] = '\0';
			p.place.cpus = UINT32_MAX;
			p.quota_ns = p.period_ns = p.duration_ns;
			p.steal_ratio = p.idle_ratio = variant & 4 ? 1.0f : NAN;
			p.oom_of_group = variant & 1;
			p.state = variant & 2 ? PAUSE_STATE_interim : PAUSE_STATE_final;
			p.ongoing = variant & 2;
			p.earlier_class = PAUSE_CLASS_unexplained;
			memcpy(p.victims[0].name, name, sizeof(name));
			memcpy(p.oom_victim, name, sizeof(name));
			memset(p.cgroup, 'g', sizeof(p.cgroup) - 1);
			memset(p.device, 'd', sizeof(p.device) - 1);
			memset(p.caveat, 'c', sizeof(p.caveat) - 1);
			made_who(&p, PAUSE_ROLE_culprit, PAUSE_KIND_process, name, 0.6f)->policy = RH_POLICY_deadline;
			made_who(&p, PAUSE_ROLE_culprit, PAUSE_KIND_process, name, 0.4f);
			memset(p.culprits[0].how, 'h', sizeof(p.culprits[0].how) - 1);
			made_sure(&p, variant & 8 ? 0.99f : 0.7f, variant & 8 ? 0.99f : 0.6f, false);
			check_random(&p, 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(examples_are_of_the_grammar),
	        cmocka_unit_test(what_is_read),
	        cmocka_unit_test(broken_sentences_are_refused),
	        cmocka_unit_test(any_pause_gives_a_sentence),
	        cmocka_unit_test(a_pause_without_sense_gives_a_sentence),
	        cmocka_unit_test(the_longest_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
