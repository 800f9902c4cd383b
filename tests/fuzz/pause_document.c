/*
 * pause_document.c - fuzzes the reader of a pause's document: whatever it holds, `explain` makes lines of at most 80 columns of printable characters
 * of it, with every block in its place; and written as JSON it is printable too.
 *
 * Bytes that begin with 'g' are no JSON but say which members a document has: few changes of JSON text leave JSON.
 */
#include "base/assert.h"
#include "base/text.h"
#include "readers/pauses/blocks.h"
#include "readers/pauses/document_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_harmless(char *text, size_t columns)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t length = strlen(line);
		RH_ASSERT(text_columns(line) <= columns);
		for (size_t i = 0; i < length;) {
			uint32_t code_point = 0;
			size_t bytes = text_decode(line + i, length - i, &code_point);
			RH_ASSERT(bytes > 0 && !text_is_unsafe(code_point));
			i += bytes;
		}
	}
}

static void check_blocks(const char *text)
{
	static const char *const heads[] = {"PAUSE ", "\nVERDICT", "\nTIMELINE", "\nCULPRITS", "\nVICTIMS", "\nEVIDENCE FOR",
	        "\nEVIDENCE AGAINST", "\nCAUSES REJECTED", "\nNOT MEASURED", "\nWHAT TO DO"};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		text = strstr(text, heads[i]);
		RH_ASSERT(text);
	}
}

/* ---- documents made of bytes ---- */

struct source {
	const uint8_t *at;
	size_t left;
	unsigned values; /* that may still be made */
};

static uint8_t take(struct source *source)
{
	if (source->left == 0)
		return 0;
	source->left--;
	return *source->at++;
}

static json_t *make_text(struct source *source)
{
	static const char *const texts[] = {"", "memory", "cpu", "cpu_time", "bytes", "ns", "ratio", "per_s", "interim", "carrier",
	        "candidate", "rejected", "ok", "absent", "recorded", "very_likely", "monitor", "2026-11-20T18:20:55.104233+01:00",
	        "2026-11-20T99:99:99", "'\"'", "%s%n"};
	uint8_t which = take(source);

	if (which < sizeof(texts) / sizeof(texts[0]))
		return json_string(texts[which]);
	size_t length = (size_t)which < source->left ? which : source->left;
	json_t *text = json_stringn((const char *)source->at, length);
	source->at += length;
	source->left -= length;
	return text ? text : json_string("a [b] \xe8\xaa\x9e. [x-1 y]");
}

static json_t *make_number(struct source *source)
{
	static const double numbers[] = {0, 1, -1, 0.5, 0.004, 50000, -500000, 2310400, 1e9, 1e15, 1e18, 1e300, -1e300, 1e-300};
	uint8_t which = take(source);

	return json_real(which < sizeof(numbers) / sizeof(numbers[0]) ? numbers[which] : (which - 128) * 1000.0);
}

/* What a member is as a rule: { an object, [ a list of objects, # a list of numbers, else a plain value. */
static const char *const keys[] = {"id", "state", "boot_id", "host", "start", "duration_us", "span_us", "window_us", "onset_seen",
        "ongoing", "class", "{scope", "kind", "sentence", "{confidence", "class_ratio", "both_ratio", "word", "basis", "cap_ratio",
        "cap_reason", "{metric", "name", "unit", "total", "[culprits", "role", "exited", "share_ratio", "amount", "on_behalf_of", "how",
        "policy", "rt_priority_count", "nice", "also_victim", "[victims", "longest_wait_us", "total_wait_us", "wait", "thread_count",
        "also_culprit", "{victim_total", "task_count", "wait_us", "[evidence", "for", "signal", "value", "usual", "text", "[alternatives",
        "result", "p_ratio", "{refuted_by", "[signals", "reason", "would_tell", "enable", "{coverage", "seen_us", "records_count",
        "lost_count", "recorder", "guard", "lateness_max_us", "[remedies", "condition", "command", "undo", "risk", "{timeline", "bucket_us",
        "from_us", "[rows", "#ratio", "{place", "kernel", "cpus_count", "mem_total_bytes", "swap_total_bytes", "swap_used_bytes",
        "uptime_us", "{said", "first_us", "final_us", "earlier_class", "caveat", "outside", "own_fault", "same_class_today_count",
        "baseline"};
enum { KEYS = sizeof(keys) / sizeof(keys[0]), DEPTH_MOST = 5 };

static json_t *make_value(struct source *source, unsigned depth, char rule);

static json_t *make_object(struct source *source, unsigned depth)
{
	json_t *object = json_object();

	for (unsigned members = take(source) % 48; members > 0 && source->left > 0 && source->values > 0; members--) {
		const char *key = keys[take(source) % KEYS];
		char rule = strchr("{[#", key[0]) ? key[0] : '\0';
		json_object_set_new(object, rule ? key + 1 : key, make_value(source, depth + 1, rule));
	}
	return object;
}

static json_t *make_list(struct source *source, unsigned depth, char rule)
{
	json_t *list = json_array();

	for (unsigned items = take(source) % 80; items > 0 && source->left > 0 && source->values > 0; items--)
		json_array_append_new(list, make_value(source, depth + 1, rule));
	return list;
}

/* One value in eight is not what the rule says. */
static json_t *make_value(struct source *source, unsigned depth, char rule)
{
	unsigned type = take(source) % 64, any = type % 8;

	source->values -= source->values > 0;
	if (type >= 8 && rule == 'n')
		return make_number(source);
	if (depth < DEPTH_MOST && (type >= 8 ? rule == '{' : any < 2))
		return make_object(source, depth);
	if (depth < DEPTH_MOST && (type >= 8 ? rule == '[' || rule == '#' : any < 4))
		return make_list(source, depth, rule == '[' ? '{' : rule == '#' ? 'n' : '\0');
	return any == 4 ? json_null() : any == 5 ? json_boolean(take(source) & 1) : any % 2 ? make_text(source) : make_number(source);
}

/* ---- checks ---- */

static void explain(const json_t *document)
{
	struct explanation explanation = {.document = document, .id = "7c1f-44"};
	char *text = NULL;
	size_t length;

	FILE *out = open_memstream(&text, &length);
	RH_ASSERT(out);
	blocks_print(out, &explanation);
	fclose(out);
	check_blocks(text);
	check_harmless(text, PAGE_WIDTH);
	free(text);
}

static void write_anew(const uint8_t *data, size_t size)
{
	char *copy = strndup((const char *)data, size), *text = NULL;
	size_t length;

	FILE *out = open_memstream(&text, &length);
	RH_ASSERT(out && copy);
	document_write(out, copy);
	fclose(out);
	check_harmless(text, SIZE_MAX);
	free(text);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source source = {.at = data, .left = size, .values = 4000};
	char error[DOCUMENT_ERROR_BYTES] = "";
	json_t *document;

	if (take(&source) == 'g') {
		document = make_object(&source, 0);
	} else {
		write_anew(data, size);
		document = document_parse((const char *)data, size, error);
	}
	if (document)
		explain(document);
	else
		RH_ASSERT(error[0] && memchr(error, '\0', sizeof(error)));
	json_decref(document);
	return 0;
}
