/*
 * reasons.c - why a pause is judged as it is, and what follows, in blocks: evidence, causes rejected, what was not measured, what to do; see blocks.h.
 */
#include "pause/pause.h"
#include "readers/pauses/blocks.h"
#include "readers/pauses/document_read.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { ITEMS_MOST = 40 };

static void line(struct page *page, const char *text)
{
	page_to(page, 2);
	page_text(page, text, TABLE_PLAIN);
	page_end(page);
}

static void left_out(struct page *page, size_t items)
{
	if (items == 0)
		return;
	page_print(page, "  %zu more; --json has them all", items);
	page_end(page);
}

/* ---- evidence ---- */

enum { ID_COLUMNS = 3, TEXT_COLUMN = 6, TEXT_MOST = 44, VALUE_COLUMN = 29, USUAL_COLUMN = 54 };

/* Where values stand, and what is usual: in the same column for all evidence of one kind, as far as texts leave room. */
struct value_columns {
	size_t value, usual;
};

static const char *evidence_text(const json_t *item)
{
	const char *text = document_text(item, "text");
	return text[0] ? text : document_text(item, "signal");
}

static char *evidence_value(const json_t *item, const char *key, char out[BLOCKS_VALUE_BYTES])
{
	return blocks_value(document_number(item, key), document_text(item, "unit"), out);
}

static struct value_columns place_values(struct page *page, const json_t *evidence, size_t count)
{
	struct value_columns columns = {.value = VALUE_COLUMN, .usual = USUAL_COLUMN};
	size_t widest = 0;

	for (size_t i = 0; i < count; i++) {
		const json_t *item = document_item(evidence, i);
		char now[BLOCKS_VALUE_BYTES];
		size_t wide = page_columns(page, evidence_text(item)), value = strlen(evidence_value(item, "value", now));
		if (isnan(document_number(item, "value")) || wide > TEXT_MOST)
			continue;
		widest = value > widest ? value : widest;
		columns.value = TEXT_COLUMN + wide + 2 > columns.value ? TEXT_COLUMN + wide + 2 : columns.value;
	}
	columns.usual = columns.value > VALUE_COLUMN ? columns.value + widest + 2 : USUAL_COLUMN;
	return columns;
}

/* "memory PSI full        78%                      (usual under 1%)", or where the text is long one sentence with the same. */
static void print_evidence(struct page *page, const json_t *item, unsigned number, bool against, const struct value_columns *columns)
{
	const char *id = document_text(item, "id"), *text = evidence_text(item);
	bool has_usual = !isnan(document_number(item, "usual"));
	char now[BLOCKS_VALUE_BYTES], then[BLOCKS_VALUE_BYTES], usual[BLOCKS_VALUE_BYTES + 16] = "";

	page_to(page, 2);
	if (id[0])
		page_cell(page, ID_COLUMNS, false, id);
	else
		page_print(page, "%c%u", against ? 'A' : 'F', number);
	page_to(page, TEXT_COLUMN);
	evidence_value(item, "value", now);
	if (has_usual)
		snprintf(usual, sizeof(usual), "(usual %s)", evidence_value(item, "usual", then));
	bool fits = TEXT_COLUMN + page_columns(page, text) < columns->value && columns->value + strlen(now) < columns->usual &&
	            columns->usual + page_columns(page, usual) <= PAGE_WIDTH;
	if (isnan(document_number(item, "value"))) {
		page_flow(page, TEXT_COLUMN, "", text);
	} else if (!fits) {
		page_flow_print(page, TEXT_COLUMN, "%.1000s: %s %s", text, now, usual);
	} else {
		page_text(page, text, TABLE_PLAIN);
		page_to(page, columns->value);
		page_text(page, now, TABLE_PLAIN);
		if (has_usual) {
			page_to(page, columns->usual);
			page_text(page, usual, TABLE_PLAIN);
		}
	}
	page_end(page);
}

void blocks_evidence(struct page *page, const json_t *document, bool against)
{
	const json_t *evidence;
	size_t count = document_list(document, "evidence", &evidence), left = 0;
	struct value_columns columns = place_values(page, evidence, count);
	unsigned printed = 0;

	page_text(page, against ? "EVIDENCE AGAINST" : "EVIDENCE FOR", TABLE_BOLD);
	page_end(page);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = document_item(evidence, i);
		/* What does not say which of the two it is stands with the evidence against: it shall not raise confidence. */
		if (!item || document_is_true(item, "for") == against)
			continue;
		if (printed == ITEMS_MOST)
			left++;
		else
			print_evidence(page, item, ++printed, against, &columns);
	}
	left_out(page, left);
	if (printed == 0)
		line(page, against ? "none found" : "none");
}

/* ---- causes ---- */

static const char *const class_names[] = {
#define PAUSE_CLASS(value, name, metric, unit, amount) [(value)] = #name,
#include "pause/pause.def"
};
enum { CLASS_COLUMN = 2, REASON_COLUMN = 12, SECOND_COLUMN = 40, SECOND_REASON_COLUMN = 50 };

/* What is said of one class: why it is rejected, or how far it is not. */
struct cause {
	const char *class, *result, *text;
	char words[PAGE_TEXT_BYTES / 4];
	bool is_brief;
};

static void describe(struct page *page, struct cause *cause, const json_t *item)
{
	const json_t *refuted = document_object(item, "refuted_by");
	double p = document_number(item, "p_ratio"), value = document_number(refuted, "value");
	char number[BLOCKS_VALUE_BYTES], chance[24] = "";

	cause->result = document_text(item, "result");
	cause->text = document_text(item, "text");
	if (!cause->text[0] && !isnan(value))
		snprintf(cause->words, sizeof(cause->words), "%.40s %s", document_text(refuted, "signal"),
		        blocks_value(value, document_text(refuted, "unit"), number));
	else
		snprintf(cause->words, sizeof(cause->words), "%.400s", cause->text);
	bool said = cause->words[0] != '\0', rejected = strcmp(cause->result, "rejected") == 0;
	if (!rejected) {
		char words[sizeof(cause->words)];
		memcpy(words, cause->words, sizeof(words));
		bool unknown = strcmp(cause->result, "cannot_tell") == 0 || !cause->result[0];
		if (!unknown && !isnan(p))
			snprintf(chance, sizeof(chance), " (%.2f)", p);
		snprintf(cause->words, sizeof(cause->words), "%.20s%s%s%.400s", unknown ? "cannot tell" : cause->result, chance,
		        said ? ": " : "", words);
	} else if (!said) {
		snprintf(cause->words, sizeof(cause->words), "rejected");
	}
	size_t wide = page_columns(page, cause->words);
	cause->is_brief = wide < SECOND_COLUMN - REASON_COLUMN && page_columns(page, cause->class) < REASON_COLUMN - CLASS_COLUMN;
}

/* Reads what is said of each class but the pause's own: those of the document in its order, then those that it leaves out. */
static size_t read_causes(struct page *page, const json_t *document, struct cause causes[ITEMS_MOST], size_t *ret_left)
{
	const json_t *alternatives;
	const char *own = document_text(document, "class");
	size_t count = document_list(document, "alternatives", &alternatives), used = 0;

	*ret_left = 0;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = document_item(alternatives, i);
		const char *class = document_text(item, "class");
		if (!class[0] || strcmp(class, own) == 0)
			continue;
		if (used == ITEMS_MOST) {
			++*ret_left;
			continue;
		}
		causes[used].class = class;
		describe(page, &causes[used++], item);
	}
	for (size_t code = PAUSE_CLASS_unexplained + 1; code < sizeof(class_names) / sizeof(class_names[0]); code++) {
		bool told = strcmp(class_names[code], own) == 0;
		for (size_t i = 0; i < used && !told; i++)
			told = strcmp(causes[i].class, class_names[code]) == 0;
		if (told || used == ITEMS_MOST)
			continue;
		causes[used].class = class_names[code];
		describe(page, &causes[used++], NULL);
	}
	return used;
}

static void print_cause(struct page *page, const struct cause *cause, size_t column, size_t reason)
{
	page_to(page, column);
	page_cell(page, PAGE_WIDTH - 20, false, cause->class);
	page_to(page, reason > page->column ? reason : page->column + 1);
	page_flow(page, reason, "", cause->words);
}

/* Brief ones in pairs, the others on lines of their own. */
void blocks_causes(struct page *page, const json_t *document)
{
	struct cause causes[ITEMS_MOST];
	size_t left, count = read_causes(page, document, causes, &left);
	bool second = false;

	page_text(page, "CAUSES REJECTED", TABLE_BOLD);
	page_end(page);
	for (size_t i = 0; i < count; i++) {
		if (!causes[i].is_brief)
			continue;
		bool fits = page_columns(page, causes[i].words) <= PAGE_WIDTH - SECOND_REASON_COLUMN;
		if (second && !fits) {
			page_end(page);
			second = false;
		}
		print_cause(page, &causes[i], second ? SECOND_COLUMN : CLASS_COLUMN, second ? SECOND_REASON_COLUMN : REASON_COLUMN);
		second = !second;
		if (!second)
			page_end(page);
	}
	if (second)
		page_end(page);
	for (size_t i = 0; i < count; i++) {
		if (causes[i].is_brief)
			continue;
		print_cause(page, &causes[i], CLASS_COLUMN, REASON_COLUMN);
		page_end(page);
	}
	left_out(page, left);
	if (count == 0)
		line(page, "none");
}

/* ---- what was not measured ---- */

enum { SIGNAL_COLUMN = 2, WHY_COLUMN = 19, TELL_COLUMN = 42 };

/* "irq_time        kernel built without it   would show interrupt load apart" */
static void print_signal(struct page *page, const json_t *item)
{
	const char *reason = document_text(item, "reason"), *tell = document_text(item, "would_tell"),
	           *state = document_text(item, "state");

	page_to(page, SIGNAL_COLUMN);
	page_cell(page, WHY_COLUMN - SIGNAL_COLUMN - 1, false, document_text(item, "name"));
	page_to(page, WHY_COLUMN);
	page_flow(page, WHY_COLUMN, "", reason[0] ? reason : state[0] ? state : "not known why");
	if (tell[0]) {
		bool beside =
		        page->column < TELL_COLUMN - 1 && page_columns(page, tell) + strlen("would show ") <= PAGE_WIDTH - TELL_COLUMN;
		if (beside)
			page_to(page, TELL_COLUMN);
		else
			page_text(page, ";", TABLE_PLAIN);
		page_flow_print(page, WHY_COLUMN, beside ? "would show %.1000s" : " would show %.1000s", tell);
	}
	page_end(page);
}

void blocks_signals(struct page *page, const json_t *document)
{
	const json_t *signals;
	size_t count = document_list(document, "signals", &signals), printed = 0, left = 0;
	bool some_can_be_enabled = false;

	page_text(page, "NOT MEASURED", TABLE_BOLD);
	page_end(page);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = document_item(signals, i);
		if (!item || strcmp(document_text(item, "state"), "ok") == 0)
			continue;
		if (printed == ITEMS_MOST) {
			left++;
			continue;
		}
		print_signal(page, item);
		some_can_be_enabled |= document_text(item, "enable")[0] != '\0';
		printed++;
	}
	left_out(page, left);
	if (some_can_be_enabled)
		line(page, "`rogue-hunter doctor` tells what would enable them");
	if (printed == 0)
		line(page, "none");
}

/* ---- what to do ---- */

static void print_remedy(struct page *page, const json_t *item, unsigned number)
{
	enum { INDENT = 5 };
	const char *text = document_text(item, "text"), *command = document_text(item, "command"), *undo = document_text(item, "undo"),
	           *risk = document_text(item, "risk"), *condition = document_text(item, "condition");

	page_print(page, "  %u. ", number);
	page_flow(page, INDENT, "", text[0] ? text : document_text(item, "id"));
	if (risk[0])
		page_flow_print(page, INDENT, " (%.1000s)", risk);
	page_text(page, command[0] ? ":" : ".", TABLE_PLAIN);
	page_end(page);
	if (command[0]) {
		page_to(page, INDENT);
		if (page_flows(page, INDENT, " \\", command))
			page_flow(page, INDENT, " \\", command);
		else
			page_text(page, "(its command is too long for a line; --json has it)", TABLE_PLAIN);
		page_end(page);
	}
	if (undo[0]) {
		page_to(page, INDENT);
		page_flow_print(page, INDENT, "undo: %.1000s", undo);
	}
	if (condition[0]) {
		size_t wide = page_columns(page, condition) + strlen("   fits: ");
		if (undo[0] && page->column + wide > PAGE_WIDTH)
			page_end(page);
		page_to(page, undo[0] && page->column > 0 ? page->column + 3 : INDENT);
		page_flow_print(page, INDENT, "fits: %.1000s", condition);
	}
	if (page->column > 0)
		page_end(page);
}

void blocks_remedies(struct page *page, const json_t *document)
{
	const json_t *remedies;
	size_t count = document_list(document, "remedies", &remedies);
	unsigned printed = 0;

	page_text(page, "WHAT TO DO", TABLE_BOLD);
	page_end(page);
	for (size_t i = 0; i < count && printed < ITEMS_MOST; i++)
		if (document_item(remedies, i))
			print_remedy(page, document_item(remedies, i), ++printed);
	if (printed == 0)
		line(page, "none");
}

void blocks_last(struct page *page, const struct explanation *explanation)
{
	const json_t *document = explanation->document;
	uint64_t today = document_count(document, "same_class_today_count", 0);
	const char *class = document_text(document, "class"), *baseline = document_text(document, "baseline");

	page_to(page, 2);
	if (today > 0)
		page_flow_print(page, 2, "%" PRIu64 " %.20s pause%s in 24 h%s%s", today, class, today == 1 ? "" : "s",
		        explanation->same_class[0] ? ": " : "", explanation->same_class);
	if (baseline[0])
		page_flow_print(page, 2, "%s%.1000s", today > 0 ? "; " : "", baseline);
	if (page->column > 2)
		page_text(page, ".", TABLE_PLAIN);
	if (page->column > 2 && page->column + strlen("  more: --json") > PAGE_WIDTH)
		page_end(page);
	page_to(page, page->column > 2 ? page->column + 2 : 2);
	page_text(page, "more: --json", TABLE_PLAIN);
	page_end(page);
}
