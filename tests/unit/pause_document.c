/*
 * A pause as JSON: every document, whatever the pause holds, is valid by docs/pause.schema.json, and the schema describes all that is written; the words
 * of the schema are those of pause.def; figures come back as they went in.
 */
#include "pause/document.h"

#include "pause/sentence.h"
#include "tests/support/json_schema.h"
#include "tests/support/pause_made.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 1500 };

static json_t *schema;

static int load_schema(void **state)
{
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/docs/pause.schema.json", getenv("SRC") ? getenv("SRC") : ".");
	schema = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	return schema ? 0 : -1;
}

static int forget_schema(void **state)
{
	(void)state;
	json_decref(schema);
	return 0;
}

/* The document as jansson reads it. Owned by the caller. */
static json_t *document_of(const struct pause *p)
{
	json_error_t error;
	char *text = pause_document_text(p);

	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!document)
		fail_msg("%s: %s", error.text, text);
	free(text);
	return document;
}

static void must_be_valid(json_t *document)
{
	char fault[SCHEMA_FAULT_BYTES];

	if (!schema_allows(schema, document, true, fault))
		fail_msg("%s", fault);
}

/* A member by the path of its names, parted by dots; numbers stand for places in arrays. */
static json_t *at(json_t *value, const char *path)
{
	char copy[100], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, ".")))
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(name)) : json_object_get(value, name);
	if (!value)
		fail_msg("no %s", path);
	return value;
}
#define TEXT_AT(document, path) json_string_value(at((document), (path)))
#define WHOLE_AT(document, path) json_integer_value(at((document), (path)))
#define REAL_AT(document, path) json_number_value(at((document), (path)))

static void examples_are_valid(void **state)
{
	struct made_example example;
	char sentence[PAUSE_SENTENCE_BYTES];

	(void)state;
	for (unsigned number = 0; made_example(number, &example); number++) {
		json_t *document = document_of(&example.pause);
		must_be_valid(document);
		pause_sentence(&example.pause, 8, sentence);
		assert_string_equal(TEXT_AT(document, "sentence"), sentence);
		assert_string_equal(TEXT_AT(document, "class"), pause_class_name(example.pause.class));
		json_decref(document);
	}
}

static void any_pause_is_valid(void **state)
{
	static struct pause p;
	unsigned seed = 4;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		made_random(&seed, true, &p);
		json_t *document = document_of(&p);
		must_be_valid(document);
		json_decref(document);
	}
}

/* Codes and counts beyond their ranges: a document all the same, with words that the schema does not know. */
static void a_pause_without_sense_is_a_document(void **state)
{
	static struct pause p;
	unsigned seed = 5, invalid = 0;
	char fault[SCHEMA_FAULT_BYTES];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		made_random(&seed, false, &p);
		json_t *document = document_of(&p);
		invalid += !schema_allows(schema, document, true, fault);
		json_decref(document);
	}
	assert_true(invalid > 0 && invalid < ROUNDS);
}

/* A document that was damaged is refused: the validator is not one that accepts everything. */
static void the_schema_refuses(void **state)
{
	static const struct {
		const char *object, *key;
		const char *value; /* NULL: taken out */
	} damages[] = {{"", "schema", "\"rogue-hunter.pause/2\""}, {"", "id", "\"44\""}, {"", "id", NULL}, {"", "state", "\"done\""},
	        {"", "start", "\"2026-11-20\""}, {"", "duration_us", "1.5"}, {"", "duration_us", "-1"}, {"", "duration_us", "null"},
	        {"", "class", "\"gpu\""}, {"", "unheard", "1"}, {"confidence", "both_ratio", "1.5"}, {"confidence", "word", NULL},
	        {"said", "earlier_class", "\"x\""}, {"culprits.0", "role", "\"guilty\""}, {"culprits.0", "pid", "\"1\""},
	        {"victims.0", "wait", "3"}, {"metric", "unit", "\"ns\""}, {"", "sentence", "\"no tag\""}, {"", "culprits", "{}"},
	        {"signals.0", "state", "\"on\""}, {"place", "utc_offset_s", "100000"}, {"scope", "cpus", "[64]"}};
	struct made_example example;
	char fault[SCHEMA_FAULT_BYTES];

	(void)state;
	assert_true(made_example(3, &example));
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		json_t *document = document_of(&example.pause);
		json_t *object = damages[i].object[0] ? at(document, damages[i].object) : document;
		if (damages[i].value)
			json_object_set_new(object, damages[i].key, json_loads(damages[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(object, damages[i].key);
		if (schema_allows(schema, document, true, fault))
			fail_msg("%s.%s = %s was accepted", damages[i].object, damages[i].key,
			        damages[i].value ? damages[i].value : "nothing");
		json_decref(document);
	}
}

/* Holds the words of a list against an enum of the schema, both ways. */
static void same_words(const char *path, const char *const *words, size_t count)
{
	json_t *list = at(schema, path);

	if (json_array_size(list) != count)
		fail_msg("%s has %zu words, pause.def %zu", path, json_array_size(list), count);
	for (size_t i = 0; i < count; i++) {
		bool found = false;
		for (size_t k = 0; k < json_array_size(list); k++)
			found |= strcmp(json_string_value(json_array_get(list, k)), words[i]) == 0;
		if (!found)
			fail_msg("%s lacks %s", path, words[i]);
	}
}
#define SAME_WORDS(path, words) same_words((path), (words), sizeof(words) / sizeof((words)[0]))

static void the_schema_has_the_words(void **state)
{
#define PAUSE_CLASS(value, name, metric, unit, amount) #name,
	static const char *const classes[] = {
#include "pause/pause.def"
	};
#define PAUSE_STATE(value, name) #name,
	static const char *const states[] = {
#include "pause/pause.def"
	};
#define PAUSE_KIND(value, name) #name,
	static const char *const kinds[] = {
#include "pause/pause.def"
	};
#define PAUSE_ROLE(value, name) #name,
	static const char *const roles[] = {
#include "pause/pause.def"
	};
#define PAUSE_WORD(value, name, from, hedge) #name,
	static const char *const words[] = {
#include "pause/pause.def"
	};
#define PAUSE_RESULT(value, name) #name,
	static const char *const results[] = {
#include "pause/pause.def"
	};
#define PAUSE_WAIT(value, name, text) #name,
	static const char *const waits[] = {
#include "pause/pause.def"
	};
#define PAUSE_SCOPE(value, name) #name,
	static const char *const scopes[] = {
#include "pause/pause.def"
	};

	(void)state;
	SAME_WORDS("$defs.class.enum", classes);
	SAME_WORDS("properties.state.enum", states);
	SAME_WORDS("$defs.culprit.properties.kind.enum", kinds);
	SAME_WORDS("$defs.culprit.properties.role.enum", roles);
	SAME_WORDS("properties.confidence.properties.word.enum", words);
	SAME_WORDS("$defs.alternative.properties.result.enum", results);
	SAME_WORDS("$defs.victim.properties.wait.enum", waits);
	SAME_WORDS("properties.scope.properties.kind.enum", scopes);
}

static void make_full(struct pause *p)
{
	p->cpu_mask = 0x8000000000000005;
	p->merged_into = 40;
	p->state = PAUSE_STATE_merged;
	p->signals = 1u << RH_SIGNAL_scheduler;
	p->first_said_ns = 500000000;
	p->evidence[0] = (struct pause_evidence){
	        .signal = "psi.memory.full", .text = "memory PSI full", .unit = "ratio", .value = 0.78, .usual = 0.004};
	p->evidence[1] = (struct pause_evidence){.against = true, .text = "no swap", .unit = "ns", .value = 38e6, .usual = (double)NAN};
	p->evidence[2] = (struct pause_evidence){.text = "major faults", .unit = "count", .value = 41203.4, .usual = 12};
	p->evidence_count = 3;
	p->alternatives[0] = (struct pause_alternative){.class = PAUSE_CLASS_host,
	        .result = PAUSE_RESULT_rejected,
	        .signal = "stat.steal",
	        .unit = "ratio",
	        .value = 0.004,
	        .text = "steal 0.4%"};
	p->alternatives[1] =
	        (struct pause_alternative){.class = PAUSE_CLASS_io, .result = PAUSE_RESULT_possible, .p_ratio = 0.03f, .signal = "x"};
	p->alternative_count = 2;
	p->row_count = 1;
	p->column_count = 3;
	p->bucket_ns = 50000000;
	p->from_ns = -500000000;
	p->rows[0] = (struct pause_row){.name = "memory wait", .ratio = {0, 0.1f, NAN}};
}

static void figures_come_back(void **state)
{
	struct made_example example;

	(void)state;
	assert_true(made_example(3, &example));
	make_full(&example.pause);
	json_t *d = document_of(&example.pause);
	must_be_valid(d);
	assert_string_equal(TEXT_AT(d, "id"), "7c1f93ab-44");
	assert_string_equal(TEXT_AT(d, "merged_into"), "7c1f93ab-40");
	assert_string_equal(TEXT_AT(d, "start"), "2026-11-20T18:20:55.104233+01:00");
	assert_int_equal(WHOLE_AT(d, "start_boottime_us"), 273655104233);
	assert_int_equal(WHOLE_AT(d, "duration_us"), 2310000);
	assert_int_equal(WHOLE_AT(d, "scope.cpus.1"), 2);
	assert_int_equal(WHOLE_AT(d, "scope.cpus.2"), 63);
	assert_true(fabs(REAL_AT(d, "confidence.both_ratio") - 0.87) < 1e-9);
	assert_string_equal(TEXT_AT(d, "confidence.word"), "very_likely");
	assert_string_equal(TEXT_AT(d, "confidence.basis"), "inferred");
	assert_string_equal(TEXT_AT(d, "metric.name"), "memory_taken");
	assert_int_equal(WHOLE_AT(d, "metric.total"), 3113851289);
	assert_string_equal(TEXT_AT(d, "culprits.0.kind"), "tree");
	assert_string_equal(TEXT_AT(d, "culprits.0.comm"), "chrome");
	assert_int_equal(WHOLE_AT(d, "culprits.0.start_boottime_us"), 250001120000);
	assert_int_equal(WHOLE_AT(d, "culprits.0.amount"), 2211908157);
	assert_int_equal(WHOLE_AT(d, "culprits.0.harm_us"), 41600000);
	assert_int_equal(WHOLE_AT(d, "culprits.1.rank"), 2);
	assert_true(json_is_null(at(d, "culprits.1.amount")));
	assert_true(json_is_null(at(d, "culprits.0.ancestor")));
	assert_string_equal(TEXT_AT(d, "evidence.0.id"), "F1");
	assert_string_equal(TEXT_AT(d, "evidence.1.id"), "A1");
	assert_string_equal(TEXT_AT(d, "evidence.2.id"), "F2");
	assert_string_equal(TEXT_AT(d, "evidence.1.unit"), "us");
	assert_int_equal(WHOLE_AT(d, "evidence.1.value"), 38000);
	assert_true(json_is_null(at(d, "evidence.1.usual")));
	assert_int_equal(WHOLE_AT(d, "evidence.2.value"), 41203);
	assert_string_equal(TEXT_AT(d, "alternatives.0.refuted_by.signal"), "stat.steal");
	assert_true(json_is_null(at(d, "alternatives.1.refuted_by")));
	assert_true(json_is_null(at(d, "timeline.rows.0.ratio.2")));
	assert_int_equal(WHOLE_AT(d, "timeline.from_us"), -500000);
	assert_string_equal(TEXT_AT(d, "signals.4.name"), "scheduler");
	assert_string_equal(TEXT_AT(d, "signals.4.state"), "ok");
	assert_true(json_is_null(at(d, "signals.4.enable")));
	assert_string_equal(TEXT_AT(d, "signals.12.state"), "absent");
	assert_string_equal(TEXT_AT(d, "signals.12.would_tell"), "pressure stall information of memory");
	assert_string_equal(TEXT_AT(d, "coverage.recorder"), "bpf");
	assert_string_equal(TEXT_AT(d, "place.guard"), "deadline");
	assert_int_equal(WHOLE_AT(d, "place.utc_offset_s"), 3600);
	json_decref(d);
}

static void what_is_not_known_is_null(void **state)
{
	struct pause p;

	(void)state;
	made_plain(&p, PAUSE_CLASS_suspend, 1, 0);
	p.place = (struct pause_place){.utc_offset_s = 0};
	p.state = PAUSE_STATE_interim;
	p.start_realtime_ns = UINT64_MAX;
	p.start_boottime_ns = UINT64_MAX;
	p.records_count = UINT32_MAX;
	p.first_sample = UINT64_MAX;
	json_t *d = document_of(&p);
	must_be_valid(d);
	assert_string_equal(TEXT_AT(d, "start"), "2554-07-21T23:34:33.709551Z");
	assert_int_equal(WHOLE_AT(d, "samples.first"), (1LL << 53) - 1); /* no whole number that a double could not hold */
	static const char *const nulls[] = {"host", "merged_into", "metric", "said.final_us", "said.earlier_class", "what.taken_cpu",
	        "what.quota_us", "what.steal_ratio", "caveat", "scope.cpus", "scope.cgroup", "place.utc_offset_s", "same_class_today_count",
	        "baseline", "capture"};
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		if (!json_is_null(at(d, nulls[i])))
			fail_msg("%s is not null", nulls[i]);
	assert_int_equal(json_array_size(at(d, "culprits")), 0);
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(examples_are_valid),
	        cmocka_unit_test(any_pause_is_valid),
	        cmocka_unit_test(a_pause_without_sense_is_a_document),
	        cmocka_unit_test(the_schema_refuses),
	        cmocka_unit_test(the_schema_has_the_words),
	        cmocka_unit_test(figures_come_back),
	        cmocka_unit_test(what_is_not_known_is_null),
	};
	return cmocka_run_group_tests(tests, load_schema, forget_schema);
}
