/*
 * doctor_print_text.c - the report of `doctor` for people, see doctor_print.h: a line for each signal, then what is missing and what enables it.
 */
#include "base/text.h"
#include "readers/common/table.h"
#include "readers/doctor/doctor_print.h"
#include "rogue/tables.h"

#include <stdarg.h>
#include <string.h>

enum { WIDTH = 80, LABEL = 10, SENTENCE_BYTES = 6000 };

/* ---- lines: a label, then words, broken between them ---- */

/*
 * Writes the words behind `column` columns that are taken; further lines begin at `indent`, and those before them end in `continued`. Foreign text is
 * made harmless here.
 */
static void wrap(FILE *out, size_t column, size_t indent, const char *text, const char *continued)
{
	char safe[SENTENCE_BYTES], *rest = NULL;
	bool first = true;

	text_sanitise(text, strlen(text), safe, sizeof(safe));
	if (terminal_of(out).ascii)
		text_reduce_to_ascii(safe);
	for (char *word = strtok_r(safe, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		size_t columns = text_columns(word);
		if (!first && column + 1 + columns + strlen(continued) > WIDTH) {
			fprintf(out, "%s\n%*s", continued, (int)indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', out);
			column++;
		}
		fputs(word, out);
		column += columns;
		first = false;
	}
	fputc('\n', out);
}

__attribute__((format(printf, 3, 4))) static void line(FILE *out, const char *label, const char *format, ...)
{
	char text[SENTENCE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(out, "%-*s ", LABEL, label);
	wrap(out, LABEL + 1, LABEL + 1, text, "");
}

static void heading(FILE *out, const char *text)
{
	struct terminal terminal = terminal_of(out);

	fputc('\n', out);
	table_styled(out, &terminal, text, TABLE_BOLD);
	fputc('\n', out);
}

/* ---- the head ---- */

static void text_here(FILE *out, const struct report *report)
{
	if (!report->probed) {
		line(out, "here", "%s", report->probe_error);
		return;
	}
	line(out, "here", "Linux %s, asked as uid %u", report->kernel, report->uid);
	if (report->refusal[0])
		line(out, "back end", "%s: %s", report->sampler, report->refusal);
	else
		line(out, "back end", "%s, opened in %.0f ms", report->sampler, report->open_ms);
	if (report->sample_ms >= 0)
		line(out, "sample", "%llu processes in %.2f ms, the first and coldest", (unsigned long long)report->processes,
		        report->sample_ms);
}

static void text_daemon(FILE *out, const struct report *report)
{
	if (report->writer_pid == 0) {
		line(out, "daemon", "%s", report->ring_error);
		return;
	}
	if (!report->has_system) {
		line(out, "daemon", "%s", rh_status_text(report->writer));
		return;
	}
	line(out, "daemon", "%s, pid %u, back end %s: %s", rh_status_text(report->writer), report->writer_pid,
	        rh_code(RH_CODE_sampler, report->system.sampler)->name,
	        rh_code(RH_CODE_sampler_reason, report->system.sampler_reason)->text);
}

/* ---- the tables ---- */

static const char *word_here(const struct report *report, unsigned signal)
{
	return !report->probed ? "-" : report->signals[signal].available ? "yes" : "no";
}

static const char *word_daemon(const struct report *report, unsigned signal)
{
	return !report->has_live || examine_is_spare(report, signal) ? "-" : examine_is_live(report, signal) ? "yes" : "no";
}

static enum table_style style_of(const char *word)
{
	return strcmp(word, "no") == 0 ? TABLE_ELEVATED : TABLE_PLAIN;
}

static void text_signals(FILE *out, const struct report *report)
{
	static const struct table_column columns[] = {
	        {.title = "SIGNAL", .width = 16},
	        {.title = "HERE", .width = 4},
	        {.title = "DAEMON", .width = 6},
	        {.title = "WHAT IT TELLS", .width = 51},
	};
	struct table table;

	fputc('\n', out);
	table_begin(&table, out, columns, sizeof(columns) / sizeof(columns[0]), false);
	table_titles(&table);
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++) {
		const struct rh_signal_row *row = &rh_signal_rows[i];
		const char *here = word_here(report, row->bit), *daemon = word_daemon(report, row->bit);
		table_cell(&table, row->name, TABLE_PLAIN);
		table_cell(&table, here, style_of(here));
		table_cell(&table, daemon, style_of(daemon));
		table_cell(&table, row->text, TABLE_PLAIN);
		table_end_row(&table);
	}
}

static void text_capabilities(FILE *out, const struct report *report)
{
	static const struct table_column columns[] = {
	        {.title = "CAPABILITY", .width = 19},
	        {.title = "HERE", .width = 4},
	        {.title = "DAEMON", .width = 9},
	        {.title = "WHAT FOR", .width = 45},
	};
	struct table table;

	if (report->capability_count == 0)
		return;
	fputc('\n', out);
	table_begin(&table, out, columns, sizeof(columns) / sizeof(columns[0]), false);
	table_titles(&table);
	for (unsigned i = 0; i < report->capability_count; i++) {
		const struct examined_capability *capability = &report->capabilities[i];
		bool held = report->held >> capability->number & 1;
		table_cell(&table, capability->name, TABLE_PLAIN);
		table_cell(&table, capability->available ? "yes" : "no", TABLE_PLAIN);
		table_cell(&table, !report->has_capabilities ? "-" : held ? "yes" : capability->kept ? "no" : "given up", TABLE_PLAIN);
		table_cell(&table, capability->purpose, TABLE_PLAIN);
		table_end_row(&table);
	}
}

/* ---- what is missing ---- */

/*
 * The step that enables a signal, "words: command", the program's path in the place of its name. The command stands by itself, so that it can be
 * pasted into a shell.
 */
static void text_step(FILE *out, const struct report *report, const char *step)
{
	static const char name[] = "rh-collector";
	const char *colon = strstr(step, ": "), *command = colon ? colon + 2 : step, *found = strstr(command, name);
	char text[SENTENCE_BYTES];

	if (colon)
		line(out, "  enable", "%.*s:", (int)(colon - step), step);
	if (found && report->program[0])
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(found - command), command, report->program, found + sizeof(name) - 1);
	else
		snprintf(text, sizeof(text), "%s", command);
	fprintf(out, "%-*s ", LABEL, colon ? "" : "  enable");
	wrap(out, LABEL + 1, LABEL + 1, text, colon ? " \\" : "");
}

static void text_missing_one(FILE *out, const struct report *report, const struct rh_signal_row *row)
{
	const char *why = report->signals[row->bit].why, *step = examine_step(report, row);

	fprintf(out, "%s\n", row->name);
	line(out, "  why", "%s", why[0] ? why : "not known");
	line(out, "  lost", "%s", row->lost);
	if (step[0])
		text_step(out, report, step);
}

static void text_missing(FILE *out, const struct report *report)
{
	bool headed = false;

	for (size_t i = 0; report->probed && i < RH_SIGNAL_ROWS; i++) {
		if (report->signals[rh_signal_rows[i].bit].available)
			continue;
		if (!headed)
			heading(out, "MISSING HERE");
		headed = true;
		text_missing_one(out, report, &rh_signal_rows[i]);
	}
}

/* What is available here, and the daemon does without. */
static void text_unused(FILE *out, const struct report *report)
{
	char names[SENTENCE_BYTES] = "";
	size_t used = 0;

	for (size_t i = 0; report->probed && report->has_live && i < RH_SIGNAL_ROWS; i++) {
		unsigned bit = rh_signal_rows[i].bit;
		if (!report->signals[bit].available || examine_is_live(report, bit) || examine_is_spare(report, bit))
			continue;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", rh_signal_rows[i].name);
	}
	if (used == 0)
		return;
	heading(out, "AVAILABLE HERE, BUT NOT USED BY THE DAEMON");
	wrap(out, 0, 0, names, "");
	bool rests = report->system.degraded & RH_DEGRADED_no_scheduler;
	wrap(out, 0, 0,
	        rests ? "It rests from watching context switches, which would cost more than sampling.scheduler_max_cpu allows."
	              : "It was started with other rights or another configuration, or before something changed: start it again.",
	        "");
}

void doctor_print_text(FILE *out, const struct report *report)
{
	text_here(out, report);
	text_daemon(out, report);
	text_signals(out, report);
	text_capabilities(out, report);
	text_missing(out, report);
	text_unused(out, report);
}
