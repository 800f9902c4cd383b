/*
 * pauses_put.c - stores pauses for tests: reads JSON documents and puts each into a database as the tracker would, with the row made of the document.
 *
 * usage: golden_pauses_put DATABASE DOCUMENT.json...
 */
#include "storage/pauses.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);
	return json_is_number(number) ? json_number_value(number) : 0;
}

static uint64_t ns_of(const json_t *object, const char *key)
{
	double us = number_of(object, key);
	return us > 0 && us < 9e15 ? (uint64_t)us * 1000 : 0;
}

/* "2026-11-20T18:20:55.104233+01:00", or with a Z. */
static uint64_t start_of(const json_t *document)
{
	struct tm tm = {0};
	unsigned us = 0;
	int hours = 0, minutes = 0;
	const char *rest = strptime(text_of(document, "start"), "%Y-%m-%dT%H:%M:%S", &tm);

	if (!rest || (sscanf(rest, ".%6u%3d:%2d", &us, &hours, &minutes) != 3 && !strchr(rest, 'Z')))
		return 1;
	return (uint64_t)(timegm(&tm) - hours * 3600 - minutes * 60) * 1000000000 + us * UINT64_C(1000);
}

static void who_of(const json_t *document, struct storage_pause *row)
{
	const json_t *first = json_array_get(json_object_get(document, "culprits"), 0);

	if (json_is_true(json_object_get(document, "outside")))
		snprintf(row->who, sizeof(row->who), "(outside)");
	else if (json_is_true(json_object_get(document, "own_fault")))
		snprintf(row->who, sizeof(row->who), "(nobody)");
	else if (strcmp(text_of(first, "role"), "candidate") == 0 || !first)
		snprintf(row->who, sizeof(row->who), "(unclear)");
	else if (json_is_number(json_object_get(first, "share_ratio")))
		snprintf(row->who, sizeof(row->who), "%.70s %.0f%%", text_of(first, "name"), number_of(first, "share_ratio") * 100);
	else
		snprintf(row->who, sizeof(row->who), "%.70s", text_of(first, "name"));
}

static int put(struct storage *storage, const json_t *document)
{
	const json_t *confidence = json_object_get(document, "confidence");
	const char *dash = strchr(text_of(document, "id"), '-'), *into = strchr(text_of(document, "merged_into"), '-');
	struct storage_pause row = {.start_realtime_ns = start_of(document),
	        .start_boottime_ns = ns_of(document, "start_boottime_us"),
	        .duration_ns = ns_of(document, "duration_us"),
	        .span_ns = ns_of(document, "span_us"),
	        .both_ratio = (float)number_of(confidence, "both_ratio"),
	        .number = dash ? (uint32_t)strtoul(dash + 1, NULL, 10) : 0,
	        .merged_into = into ? (uint32_t)strtoul(into + 1, NULL, 10) : 0};

	snprintf(row.boot_id, sizeof(row.boot_id), "%s", text_of(document, "boot_id"));
	snprintf(row.state, sizeof(row.state), "%s", text_of(document, "state"));
	snprintf(row.class, sizeof(row.class), "%s", text_of(document, "class"));
	snprintf(row.word, sizeof(row.word), "%s", text_of(confidence, "word"));
	snprintf(row.judge, sizeof(row.judge), "%s", text_of(document, "judge"));
	snprintf(row.sentence, sizeof(row.sentence), "%s", text_of(document, "sentence"));
	snprintf(row.worst, sizeof(row.worst), "%s", text_of(json_array_get(json_object_get(document, "victims"), 0), "name"));
	who_of(document, &row);
	char *line = json_dumps(document, JSON_COMPACT);
	int failed = line ? storage_put_pause(storage, &row, line, NULL, 0, NULL, 0) : -1;
	free(line);
	return failed;
}

int main(int argc, char **argv)
{
	struct storage *storage;
	char notice[STORAGE_TEXT_BYTES], error[STORAGE_TEXT_BYTES];
	json_error_t fault;

	if (argc < 2 || storage_open(&(struct storage_options){.path = argv[1], .mode = STORAGE_TRACK}, &storage, notice, error) != 0) {
		fprintf(stderr, "usage: %s DATABASE DOCUMENT.json...: %s\n", argv[0], argc < 2 ? "" : error);
		return 2;
	}
	int failed = storage_begin(storage, false);
	for (int i = 2; i < argc && failed == 0; i++) {
		json_t *document = json_load_file(argv[i], JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &fault);
		failed = document ? put(storage, document) : -1;
		json_decref(document);
		if (failed)
			fprintf(stderr, "%s: %s%s\n", argv[i], document ? "" : fault.text, storage_error(storage));
	}
	failed = failed ? failed : storage_commit(storage);
	storage_close(&storage);
	return failed != 0;
}
