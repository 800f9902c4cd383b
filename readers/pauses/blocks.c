/*
 * blocks.c - what a pause was, in blocks: head, verdict, culprits, victims; see blocks.h.
 */
#include "readers/pauses/blocks.h"

#include "base/clock.h"
#include "base/text.h"
#include "pause/pause.h"
#include "pause/sentence.h"
#include "readers/pauses/document_read.h"
#include "readers/pauses/timeline.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { ROWS_MOST = 12, CARRIERS_MOST = 4, WHO_COLUMN = 20, HOW_COLUMN = 48, HOW_MOST = 70, FIRST_MOST = 10, SECOND_MOST = 14 };

/* ---- values ---- */

/* "41 203": figures in groups of three. */
static void grouped(uint64_t number, char out[BLOCKS_VALUE_BYTES])
{
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number), used = 0;

	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			out[used++] = ' ';
		out[used++] = digits[i];
	}
	out[used] = '\0';
}

static uint64_t whole(double value)
{
	double rounded = fmin(round(value), 0x1p62);
	return rounded > 0 ? (uint64_t)rounded : 0;
}

static void number_text(double value, char out[BLOCKS_VALUE_BYTES])
{
	if (value >= 0 && (value >= 100 || value == floor(value)))
		grouped(whole(value), out);
	else
		snprintf(out, BLOCKS_VALUE_BYTES, "%.3g", value);
}

char *blocks_value(double value, const char *unit, char out[BLOCKS_VALUE_BYTES])
{
	char figure[PAUSE_FIGURE_BYTES];

	if (isnan(value)) {
		snprintf(out, BLOCKS_VALUE_BYTES, "-");
	} else if (strcmp(unit, "ratio") == 0) {
		snprintf(out, BLOCKS_VALUE_BYTES, "%s", value > 1.005 ? "" : pause_share_text(value, figure));
		if (value > 1.005)
			snprintf(out, BLOCKS_VALUE_BYTES, "%.3g times", value);
	} else if (strcmp(unit, "bytes") == 0) {
		snprintf(out, BLOCKS_VALUE_BYTES, "%s", pause_bytes_text(value, figure));
	} else if (strcmp(unit, "ns") == 0 || strcmp(unit, "us") == 0) {
		double ns = strcmp(unit, "us") == 0 ? value * NS_PER_US : value;
		snprintf(out, BLOCKS_VALUE_BYTES, "%s", pause_duration_text(whole(ns), figure));
	} else {
		number_text(value, out);
		size_t used = strlen(out);
		if (strcmp(unit, "per_s") == 0)
			snprintf(out + used, BLOCKS_VALUE_BYTES - used, "/s");
		else if (unit[0] && strcmp(unit, "count") != 0)
			snprintf(out + used, BLOCKS_VALUE_BYTES - used, " %.16s", unit);
	}
	return out;
}

/* ---- head ---- */

/* "2026-11-20T18:20:55.104233+01:00" as "2026-11-20 18:20:55.104 +01:00"; anything else as it is. */
static void start_text(const char *start, char out[64])
{
	int date = 0, zone = 0;
	unsigned year, month, day, hour, minute, second, fraction;

	snprintf(out, 64, "%s", start[0] ? start : "(time not known)");
	if (sscanf(start, "%4u-%2u-%2uT%2u:%2u:%2u%n.%*6[0-9]%n", &year, &month, &day, &hour, &minute, &second, &date, &zone) < 6)
		return;
	if (zone <= date || sscanf(start + date, ".%3u", &fraction) != 1)
		return;
	snprintf(out, 64, "%.10s %.8s%.4s %.8s", start, start + 11, start + date, start + zone);
}

static void add(char *list, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(char *list, size_t size, const char *format, ...)
{
	size_t used = strlen(list);
	va_list arguments;

	if (used > 0 && used + 3 < size) {
		memcpy(list + used, ", ", sizeof(", "));
		used += 2;
	}
	va_start(arguments, format);
	vsnprintf(list + used, size - used, format, arguments);
	va_end(arguments);
}

static void add_swap(char *list, size_t size, const json_t *place)
{
	double total = document_number(place, "swap_total_bytes"), used = document_number(place, "swap_used_bytes");
	char figure[PAUSE_FIGURE_BYTES], share[PAUSE_FIGURE_BYTES];

	if (isnan(total) || total < 0 || !(document_number(place, "mem_total_bytes") > 0))
		return;
	if (total == 0)
		add(list, size, "no swap");
	else if (isnan(used))
		add(list, size, "%s swap", pause_bytes_text(total, figure));
	else if (used <= 0 || used / total >= 0.95)
		add(list, size, "%s swap (%s)", pause_bytes_text(total, figure), used <= 0 ? "empty" : "full");
	else
		add(list, size, "%s swap (%s used)", pause_bytes_text(total, figure), pause_share_text(used / total, share));
}

/* `boot` where the line above had no room for it. */
static void print_place(struct page *page, const json_t *document, const char *boot)
{
	const uint64_t day_ns = 86400 * (uint64_t)NS_PER_S;
	const json_t *place = document_object(document, "place");
	const char *host = document_text(place, "host"), *kernel = document_text(place, "kernel");
	uint64_t cpus = document_count(place, "cpus_count", 0), up_ns = document_ns(place, "uptime_us");
	double memory = document_number(place, "mem_total_bytes");
	char list[PAGE_TEXT_BYTES / 2] = "", figure[PAUSE_FIGURE_BYTES];

	host = host[0] ? host : document_text(document, "host");
	if (host[0])
		add(list, sizeof(list), "%.64s", host);
	if (cpus > 0)
		add(list, sizeof(list), "%" PRIu64 " CPU%s", cpus, cpus == 1 ? "" : "s");
	if (memory > 0)
		add(list, sizeof(list), "%s RAM", pause_bytes_text(memory, figure));
	add_swap(list, sizeof(list), place);
	if (kernel[0])
		add(list, sizeof(list), "kernel %.64s", kernel);
	if (up_ns >= 2 * day_ns)
		add(list, sizeof(list), "up %" PRIu64 " d %" PRIu64 " h", up_ns / day_ns, up_ns % day_ns / (day_ns / 24));
	else if (up_ns > 0)
		add(list, sizeof(list), "up %s", pause_duration_text(up_ns, figure));
	if (boot[0])
		add(list, sizeof(list), "boot %.8s", boot);
	page_to(page, 2);
	page_flow(page, 2, "", list[0] ? list : "nothing is known of the machine");
	page_end(page);
}

void blocks_head(struct page *page, const struct explanation *explanation)
{
	const json_t *document = explanation->document;
	const char *class = document_text(document, "class"), *state = document_text(document, "state"),
	           *boot = document_text(document, "boot_id");
	bool ongoing = document_is_true(document, "ongoing");
	const json_t *seen = json_object_get(document, "onset_seen");
	char start[64], duration[PAUSE_FIGURE_BYTES];

	start_text(document_text(document, "start"), start);
	page_text(page, "PAUSE ", TABLE_BOLD);
	page_text(page, explanation->id, TABLE_BOLD);
	page_print(page, "  %.20s  %s%s%s  %s", class[0] ? class : "(no class)", json_is_false(seen) ? "at least " : "",
	        pause_duration_text(document_ns(document, "duration_us"), duration), ongoing ? " so far" : "", start);
	bool beside = page->column + strlen("  boot 01234567") <= PAGE_WIDTH;
	if (boot[0] && beside)
		page_print(page, "  boot %.8s", boot);
	page_end(page);
	if (strcmp(state, "interim") == 0) {
		page_print(page, "  interim: %s",
		        explanation->is_left_interim ? "what was said while it lasted; no final judgement came"
		                                     : "it lasts still, and may be judged otherwise at its end");
		page_end(page);
	}
	print_place(page, document, beside ? "" : boot);
}

/* ---- verdict ---- */

/* The sentence without the tag behind it, which the head repeats. */
static void print_sentence(struct page *page, const json_t *document)
{
	char text[PAGE_TEXT_BYTES];
	const char *sentence = document_text(document, "sentence");
	size_t length = text_sanitise(sentence, strlen(sentence), text, sizeof(text));
	char *tag = strrchr(text, '[');

	if (tag && tag > text + 1 && tag[-1] == ' ' && text[length - 1] == ']' && strchr(tag, '-') && tag[-2] == '.')
		tag[-1] = '\0';
	page_to(page, 2);
	page_flow(page, 2, "", text[0] ? text : "none");
	page_end(page);
}

/* "very likely = 0.80 to 0.95", or what else the word means. */
static void word_meaning(const char *word, char *out, size_t size)
{
	static const struct {
		const char *name, *hedge;
		double from;
	} words[] = {
#define PAUSE_WORD(value, name_, from_, hedge_) {.name = #name_, .hedge = (hedge_), .from = (from_)},
#include "pause/pause.def"
	};
	const size_t count = sizeof(words) / sizeof(words[0]);

	snprintf(out, size, "%.24s", word[0] ? word : "no word");
	if (strcmp(word, "unclear") == 0)
		snprintf(out, size, "unclear = kind 0.55 or more");
	else if (strcmp(word, "unexplained") == 0)
		snprintf(out, size, "unexplained = kind under 0.55");
	else if (strcmp(word, "recorded") == 0)
		snprintf(out, size, "recorded by clock, kernel or signal");
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i].name) == 0 && words[i].from > 0 && words[i].from < 1)
			snprintf(out, size, "%s = %.2f to %.2f", words[i].hedge, words[i].from,
			        i + 1 < count && words[i + 1].from < 1 ? words[i + 1].from : 0.99);
}

static void print_confidence(struct page *page, const json_t *document)
{
	const json_t *confidence = document_object(document, "confidence");
	double class = document_number(confidence, "class_ratio"), both = document_number(confidence, "both_ratio"),
	       cap = document_number(confidence, "cap_ratio");
	const char *reason = document_text(confidence, "cap_reason");
	bool capped = cap > 0 && cap < 1 && strcmp(document_text(confidence, "basis"), "recorded") != 0;
	char meaning[80], kind[16] = "-", all[16] = "-";

	if (!isnan(class))
		snprintf(kind, sizeof(kind), "%.2f", class);
	if (!isnan(both))
		snprintf(all, sizeof(all), "%.2f", both);
	word_meaning(document_text(confidence, "word"), meaning, sizeof(meaning));
	page_to(page, 2);
	page_flow_print(page, 4, "kind %.8s, kind and culprit %.8s (%s", kind, all, meaning);
	if (capped)
		page_flow_print(page, 4, "; cap now %.2f", cap);
	page_text(page, ")", TABLE_PLAIN);
	page_end(page);
	if (reason[0] && capped) {
		page_to(page, 2);
		page_flow_print(page, 4, "the cap: %s", reason);
		page_end(page);
	}
}

static void print_said(struct page *page, const json_t *document)
{
	const json_t *said = document_object(document, "said");
	double first = document_number(said, "first_us"), last = document_number(said, "final_us");
	const char *earlier = document_text(said, "earlier_class"), *class = document_text(document, "class");
	bool is_final = strcmp(document_text(document, "state"), "interim") != 0, changed = earlier[0] && strcmp(earlier, class) != 0;
	char figure[PAUSE_FIGURE_BYTES];

	if (isnan(first))
		return;
	page_to(page, 2);
	page_flow_print(page, 4, "first said after %s", pause_duration_text(document_ns(said, "first_us"), figure));
	if (is_final && !isnan(last))
		page_flow_print(page, 4, ", final %s after the end", pause_duration_text(document_ns(said, "final_us"), figure));
	page_flow_print(page, 4, changed ? ", earlier said %.20s" : ", not changed in between", earlier);
	page_end(page);
}

/* How much of it was seen, and by what. */
static void print_coverage(struct page *page, const json_t *document)
{
	const json_t *coverage = document_object(document, "coverage");
	double seen = document_number(coverage, "seen_us"), records = document_number(coverage, "records_count"),
	       lost = document_number(coverage, "lost_count");
	const char *recorder = document_text(coverage, "recorder"), *guard = document_text(coverage, "guard");
	uint64_t seen_ns = document_ns(coverage, "seen_us"), duration_ns = document_ns(document, "duration_us"),
	         late_ns = document_ns(coverage, "lateness_max_us");
	char list[PAGE_TEXT_BYTES / 2], figure[PAUSE_FIGURE_BYTES], first[BLOCKS_VALUE_BYTES], second[BLOCKS_VALUE_BYTES];

	snprintf(list, sizeof(list), "seen: %s%s",
	        isnan(seen)              ? "not known"
	        : seen_ns >= duration_ns ? "all "
	                                 : "",
	        isnan(seen)    ? ""
	        : seen_ns == 0 ? "nothing"
	                       : pause_duration_text(seen_ns < duration_ns ? seen_ns : duration_ns, figure));
	size_t used = strlen(list);
	if (!isnan(seen) && seen_ns < duration_ns)
		used += (size_t)snprintf(list + used, sizeof(list) - used, " of it");
	if (!isnan(records))
		used += (size_t)snprintf(list + used, sizeof(list) - used, "; %s of %s records lost",
		        isnan(lost) ? "?" : blocks_value(lost, "count", second),
		        blocks_value(records + (isnan(lost) ? 0 : lost), "count", first));
	if (recorder[0])
		used += (size_t)snprintf(list + used, sizeof(list) - used, "; recorder %.40s", recorder);
	if (guard[0])
		used += (size_t)snprintf(list + used, sizeof(list) - used, ", guard %.40s", guard);
	if (late_ns >= NS_PER_MS)
		snprintf(list + used, sizeof(list) - used, "; samples up to %s late", pause_duration_text(late_ns, figure));
	page_to(page, 2);
	page_flow(page, 4, "", list);
	page_end(page);
}

void blocks_verdict(struct page *page, const struct explanation *explanation)
{
	const json_t *document = explanation->document;
	const char *caveat = document_text(document, "caveat");

	page_text(page, "VERDICT", TABLE_BOLD);
	page_end(page);
	print_sentence(page, document);
	print_confidence(page, document);
	print_said(page, document);
	print_coverage(page, document);
	bool told = strstr(document_text(document, "sentence"), caveat) || strncmp(caveat, "earlier said", strlen("earlier said")) == 0;
	if (caveat[0] && !told) {
		page_to(page, 2);
		page_flow_print(page, 4, "caveat: %s", caveat);
		page_end(page);
	}
}

/* ---- tables of culprits and victims ---- */

struct row {
	char first[PAUSE_FIGURE_BYTES], second[BLOCKS_VALUE_BYTES];
	char who[160], how[200];
};

static size_t wider(const struct page *page, size_t columns, const char *text)
{
	size_t wide = page_columns(page, text);
	return wide > columns ? wide : columns;
}

/* Where the last column begins: further right than usual where names need it and what follows leaves room. */
static size_t place_how(const struct page *page, const struct row *rows, size_t count, size_t who)
{
	size_t name = 0, how = 0;

	for (size_t i = 0; i < count; i++) {
		name = wider(page, name, rows[i].who);
		how = wider(page, how, rows[i].how);
	}
	size_t wanted = who + name + 2, most = how < PAGE_WIDTH ? PAGE_WIDTH - how : 0;
	size_t place = wanted < most ? wanted : most;
	return place > HOW_COLUMN ? (place < HOW_MOST ? place : HOW_MOST) : HOW_COLUMN;
}

/* A line of titles, then the rows: two right-aligned figures, who, how. */
static void print_rows(struct page *page, const struct row *titles, const struct row *rows, size_t count)
{
	size_t first = page_columns(page, titles->first), second = page_columns(page, titles->second);

	for (size_t i = 0; i < count; i++) {
		first = wider(page, first, rows[i].first);
		second = wider(page, second, rows[i].second);
	}
	first = first < FIRST_MOST ? first : FIRST_MOST;
	second = second < SECOND_MOST ? second : SECOND_MOST;
	size_t end = 2 + first + 1 + second < WHO_COLUMN - 2 ? WHO_COLUMN - 2 : 2 + first + 1 + second;
	size_t who = end + 2, how = place_how(page, rows, count, who);
	for (size_t i = 0; i <= count; i++) {
		const struct row *row = i == 0 ? titles : &rows[i - 1];
		page_to(page, 2);
		page_cell(page, first, true, row->first);
		page_to(page, 2 + first + 1);
		page_cell(page, end - (2 + first + 1), true, row->second);
		page_to(page, who);
		page_cell(page, how - 2 - who, false, row->who);
		if (row->how[0]) {
			page_to(page, how);
			page_text(page, row->how, TABLE_PLAIN);
		}
		page_end(page);
	}
}

/* ---- culprits ---- */

/* How the metric of a class is told: behind its total, and above its column. */
struct metric {
	const char *name, *of, *title;
};

static struct metric metric_of(const char *name)
{
	static const struct metric metrics[] = {
	        {"cpu_time", "of CPU time where others waited", "CPU time"},
	        {"interrupts", "of the time in its interrupts", ""},
	        {"memory_taken", "taken in (growth + pages read back)", "taken"},
	        {"bytes_moved", "moved", "moved"},
	        {"lock_wait", "of waiting", "waiting"},
	};

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		if (strcmp(name, metrics[i].name) == 0)
			return metrics[i];
	return (struct metric){.name = name, .of = name, .title = name[0] ? "amount" : ""};
}

/* "real-time FIFO 50", or what else sets a process above or below others. */
static void how_text(const json_t *culprit, char *out, size_t size)
{
	const char *how = document_text(culprit, "how"), *policy = document_text(culprit, "policy");
	uint64_t priority = document_count(culprit, "rt_priority_count", 0);
	double nice = document_number(culprit, "nice");

	snprintf(out, size, "%s", how);
	if (!how[0] && priority > 0)
		snprintf(out, size, "real-time %s %" PRIu64,
		        strcmp(policy, "rr") == 0     ? "RR"
		        : strcmp(policy, "fifo") == 0 ? "FIFO"
		                                      : "",
		        priority);
	else if (!how[0] && !isnan(nice) && nice != 0)
		snprintf(out, size, "nice %.0f", nice);
	size_t used = strnlen(out, size);
	if (document_is_true(culprit, "also_victim"))
		snprintf(out + used, size - used, "%s(also a victim)", used > 0 ? " " : "");
}

/* What the shares of those who are named leave over. */
static void add_others(struct row *rows, size_t *count, int share, double amount, double total, const json_t *metric)
{
	char number[BLOCKS_VALUE_BYTES];
	uint64_t others = document_count(metric, "others_count", 0);

	if (*count == 0 || share <= 0 || *count == ROWS_MOST)
		return;
	struct row *row = &rows[(*count)++];
	*row = (struct row){0};
	snprintf(row->first, sizeof(row->first), "%d%%", share);
	if (document_text(metric, "unit")[0] && strcmp(document_text(metric, "unit"), "ratio") != 0)
		blocks_value(total - amount > 0 ? total - amount : NAN, document_text(metric, "unit"), row->second);
	if (others > 0)
		snprintf(row->who, sizeof(row->who), "%s others", blocks_value((double)others, "count", number));
	else
		snprintf(row->who, sizeof(row->who), "all others");
}

/* Fills in rows of all but carriers. */
static size_t culprit_rows(const json_t *document, struct row rows[ROWS_MOST])
{
	const json_t *metric = document_object(document, "metric"), *culprits;
	const char *unit = document_text(metric, "unit");
	size_t count = document_list(document, "culprits", &culprits), used = 0;
	double amounts = 0, rest = 100;
	bool shared = false;

	for (size_t i = 0; i < count && used < ROWS_MOST - 1; i++) {
		const json_t *culprit = document_item(culprits, i);
		if (!culprit || strcmp(document_text(culprit, "role"), "carrier") == 0)
			continue;
		struct row *row = &rows[used++];
		double share = document_number(culprit, "share_ratio"), amount = document_number(culprit, "amount");
		*row = (struct row){.first = "-"};
		if (!isnan(share)) {
			pause_share_text(share, row->first);
			rest -= fmin(fmax(round(share * 100), 0), 100);
			shared = true;
		}
		amounts += isnan(amount) ? 0 : amount;
		if (unit[0] && strcmp(unit, "ratio") != 0) /* of a ratio the share says the same */
			blocks_value(amount, unit, row->second);
		snprintf(row->who, sizeof(row->who), "%.120s%s", document_text(culprit, "name"),
		        document_is_true(culprit, "exited") && !strstr(document_text(culprit, "name"), "exited") ? ", exited" : "");
		how_text(culprit, row->how, sizeof(row->how));
	}
	add_others(rows, &used, shared ? (int)rest : 0, amounts, document_number(metric, "total"), metric);
	return used;
}

static void print_carriers(struct page *page, const json_t *document)
{
	const json_t *culprits;
	size_t count = document_list(document, "culprits", &culprits), printed = 0;

	for (size_t i = 0; i < count && printed < CARRIERS_MOST; i++) {
		const json_t *culprit = document_item(culprits, i);
		const char *how = document_text(culprit, "how"), *behalf = document_text(culprit, "on_behalf_of");
		if (strcmp(document_text(culprit, "role"), "carrier") != 0)
			continue;
		page_to(page, 2);
		page_flow_print(page, 4, "carrier: %.100s%s%.100s%s did the work", document_text(culprit, "name"), how[0] ? " (" : "", how,
		        how[0] ? ")" : "");
		page_flow_print(page, 4, behalf[0] ? " for %.100s" : "; who asked is not known", behalf);
		page_end(page);
		printed++;
	}
}

/* ", 18:20:50 to the end": the time that was searched. "" where it is not known. Returns out. */
static const char *window_text(const json_t *document, char out[40])
{
	enum { DAY_S = 86400 };
	uint64_t window_s = document_ns(document, "window_us") / NS_PER_S;
	unsigned hour, minute, second;

	out[0] = '\0';
	if (window_s == 0 || window_s >= DAY_S ||
	        sscanf(document_text(document, "start"), "%*10[0-9-]T%2u:%2u:%2u", &hour, &minute, &second) != 3)
		return out;
	if (hour > 23 || minute > 59 || second > 60)
		return out;
	unsigned begin = (hour * 3600 + minute * 60 + second + DAY_S - (unsigned)window_s) % DAY_S;
	snprintf(out, 40, ", %02u:%02u:%02u to the end", begin / 3600, begin / 60 % 60, begin % 60);
	return out;
}

/* Why nobody stands there. */
static const char *nobody(const json_t *document)
{
	if (document_is_true(document, "outside"))
		return "none: the cause is outside of this machine";
	if (document_is_true(document, "own_fault"))
		return "none: nobody else's fault";
	return "none";
}

void blocks_culprits(struct page *page, const json_t *document)
{
	const json_t *metric = document_object(document, "metric"), *culprits;
	double total = document_number(metric, "total");
	struct metric told = metric_of(document_text(metric, "name"));
	struct row rows[ROWS_MOST], titles = {.first = "share", .who = "who", .how = "how"};
	char value[BLOCKS_VALUE_BYTES], window[40];
	size_t count = culprit_rows(document, rows);

	document_list(document, "culprits", &culprits);
	bool candidates = count > 0 && strcmp(document_text(document_item(culprits, 0), "role"), "candidate") == 0;
	page_text(page, "CULPRITS", TABLE_BOLD);
	if (candidates)
		page_print(page, "  candidates only");
	if (count > 0 && total > 0 && strcmp(document_text(metric, "unit"), "ratio") != 0)
		page_print(page, "%s%s %s%s", candidates ? "; " : "  ", blocks_value(total, document_text(metric, "unit"), value), told.of,
		        candidates ? "" : window_text(document, window));
	page_end(page);
	snprintf(titles.second, sizeof(titles.second), "%.24s", told.title);
	if (count > 0) {
		print_rows(page, &titles, rows, count);
	} else {
		page_print(page, "  %s", nobody(document));
		page_end(page);
	}
	print_carriers(page, document);
}

/* ---- victims ---- */

static void wait_words(const json_t *victim, char *out, size_t size)
{
	static const struct {
		const char *name, *text;
	} waits[] = {
#define PAUSE_WAIT(value, name_, text_) {#name_, text_},
#include "pause/pause.def"
	};
	const char *wait = document_text(victim, "wait");

	snprintf(out, size, "%.60s", wait);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (strcmp(wait, waits[i].name) == 0)
			snprintf(out, size, "%s", waits[i].text);
	size_t used = strlen(out);
	if (document_is_true(victim, "also_culprit"))
		snprintf(out + used, size - used, " (also a culprit)");
}

/* Did nobody but rogue-hunter stand still? Tasks are those that ran on, then. */
static bool is_monitor(const json_t *document)
{
	return strcmp(document_text(document_object(document, "scope"), "kind"), "monitor") == 0;
}

/* Those who are not named one by one. */
static void add_other_victims(const json_t *document, struct row *rows, size_t *count, uint64_t named, uint64_t named_ns)
{
	const json_t *total = document_object(document, "victim_total");
	uint64_t tasks = document_count(total, "task_count", 0), wait_ns = document_ns(total, "wait_us");
	char number[BLOCKS_VALUE_BYTES];

	if (tasks <= named || *count == ROWS_MOST || is_monitor(document))
		return;
	struct row *row = &rows[(*count)++];
	*row = (struct row){.first = "-", .second = "-"};
	if (wait_ns > named_ns)
		pause_duration_text(wait_ns - named_ns, row->second);
	snprintf(row->who, sizeof(row->who), "%s other%s", blocks_value((double)(tasks - named), "count", number),
	        tasks - named == 1 ? "" : "s");
}

static void time_text(const json_t *victim, const char *key, char *out)
{
	char figure[PAUSE_FIGURE_BYTES];

	snprintf(out, PAUSE_FIGURE_BYTES, "%s",
	        isnan(document_number(victim, key)) ? "-" : pause_duration_text(document_ns(victim, key), figure));
}

static size_t victim_rows(const json_t *document, struct row rows[ROWS_MOST])
{
	const json_t *victims;
	size_t count = document_list(document, "victims", &victims), used = 0;
	uint64_t named = 0, named_ns = 0;

	for (size_t i = 0; i < count && used < ROWS_MOST - 1; i++) {
		const json_t *victim = document_item(victims, i);
		uint64_t threads = document_count(victim, "thread_count", 1), wait_ns = document_ns(victim, "total_wait_us");
		if (!victim)
			continue;
		struct row *row = &rows[used++];
		*row = (struct row){0};
		time_text(victim, "longest_wait_us", row->first);
		time_text(victim, "total_wait_us", row->second);
		snprintf(row->who, sizeof(row->who), "%.120s", document_text(victim, "name"));
		size_t length = strlen(row->who);
		if (threads > 1)
			snprintf(row->who + length, sizeof(row->who) - length, ", %" PRIu64 " thr.", threads);
		wait_words(victim, row->how, sizeof(row->how));
		named = named + threads < named ? UINT64_MAX : named + threads;
		named_ns = named_ns + wait_ns < named_ns ? UINT64_MAX : named_ns + wait_ns;
	}
	add_other_victims(document, rows, &used, named, named_ns);
	return used;
}

void blocks_victims(struct page *page, const json_t *document)
{
	static const struct row titles = {.first = "longest", .second = "total", .who = "who", .how = "waited for"};
	const json_t *total = document_object(document, "victim_total");
	double tasks = document_number(total, "task_count"), wait_us = document_number(total, "wait_us");
	char number[BLOCKS_VALUE_BYTES];
	struct row rows[ROWS_MOST];
	size_t count = victim_rows(document, rows);

	page_text(page, "VICTIMS", TABLE_BOLD);
	if (is_monitor(document))
		page_print(page, "  rogue-hunter alone");
	else if (tasks > 0)
		page_print(page, "  %s task%s", blocks_value(tasks, "count", number), tasks == 1 ? "" : "s");
	if (tasks > 0 && wait_us >= 0 && !is_monitor(document))
		page_print(page, ", %.3g task-seconds of waiting", wait_us / 1e6);
	page_end(page);
	if (count > 0) {
		print_rows(page, &titles, rows, count);
	} else {
		page_print(page, "  none");
		page_end(page);
	}
}

void blocks_print(FILE *out, const struct explanation *explanation)
{
	const json_t *document = explanation->document;
	struct page page;

	page_begin(&page, out);
	blocks_head(&page, explanation);
	page_end(&page);
	blocks_verdict(&page, explanation);
	page_end(&page);
	timeline_print(&page, document);
	page_end(&page);
	blocks_culprits(&page, document);
	page_end(&page);
	blocks_victims(&page, document);
	page_end(&page);
	blocks_evidence(&page, document, false);
	blocks_evidence(&page, document, true);
	page_end(&page);
	blocks_causes(&page, document);
	page_end(&page);
	blocks_signals(&page, document);
	page_end(&page);
	blocks_remedies(&page, document);
	blocks_last(&page, explanation);
}
