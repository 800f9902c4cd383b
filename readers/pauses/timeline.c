/*
 * timeline.c - the timeline of a pause, see timeline.h.
 */
#include "readers/pauses/timeline.h"

#include "base/clock.h"
#include "pause/sentence.h"
#include "readers/common/value.h"
#include "readers/pauses/document_read.h"

#include <math.h>
#include <string.h>

enum { PAUSE_COLUMNS_MOST = 48, PAUSE_COLUMNS_LEAST = 30, LABEL_LEAST = 12, LABEL_MOST = 17, TICK_LEAST = 8 };

/* From how much of a column's time on it is shown as all, half and some of it. */
static const double all_from = 0.95, half_from = 0.5, some_from = 0.01;

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Columns of the document that become one, or times that one is drawn, so that the pause takes 30 to 48 columns where it can. A document that
 * fits, and of which the pause takes the greater part, is drawn as it is.
 */
static void choose_factor(struct timeline_scale *scale, size_t columns, size_t pause)
{
	static const size_t repeats[] = {40, 20, 16, 10, 8, 5, 4, 3, 2};

	scale->join = scale->repeat = 1;
	if (columns > TIMELINE_COLUMNS && pause > PAUSE_COLUMNS_MOST)
		scale->join = (pause + PAUSE_COLUMNS_MOST - 1) / PAUSE_COLUMNS_MOST;
	if (pause >= PAUSE_COLUMNS_LEAST)
		return;
	for (size_t i = 0; i < sizeof(repeats) / sizeof(repeats[0]); i++)
		if (pause * repeats[i] <= PAUSE_COLUMNS_MOST) {
			scale->repeat = repeats[i];
			return;
		}
}

struct timeline_scale timeline_scale(size_t columns, double bucket_us, double from_us, double span_us)
{
	struct timeline_scale scale = {.join = 1, .repeat = 1};
	double onset = fmin(fmax(round(-from_us / bucket_us), 0), (double)columns);
	double wanted = fmin(fmax(ceil(span_us / bucket_us), 1), (double)columns);

	scale.onset = (size_t)onset;
	size_t behind = columns - scale.onset, pause = least((size_t)wanted, behind);
	choose_factor(&scale, columns, pause);
	scale.column_us = bucket_us * (double)scale.join / (double)scale.repeat;
	scale.pause = scale.repeat > 1 ? pause * scale.repeat : (pause + scale.join - 1) / scale.join;
	size_t before = scale.repeat > 1 ? scale.onset * scale.repeat : scale.onset / scale.join;
	size_t after = (scale.repeat > 1 ? behind * scale.repeat : (behind + scale.join - 1) / scale.join) - scale.pause;
	/* No more around the pause than the pause takes itself, two thirds of it before. Where there is no pause in it, all that fits. */
	size_t around = scale.pause == 0 ? TIMELINE_COLUMNS : least(TIMELINE_COLUMNS - scale.pause, scale.pause);
	size_t tail = least(after, around - least(before, around * 2 / 3));
	scale.lead = least(before, around - tail);
	scale.count = scale.lead + scale.pause + tail;
	return scale;
}

/* The first column of the document that column i of the page shows. */
static size_t source_of(const struct timeline_scale *scale, size_t i)
{
	if (i < scale->lead) {
		size_t back = scale->lead - i;
		return scale->onset - (scale->repeat > 1 ? (back + scale->repeat - 1) / scale->repeat : back * scale->join);
	}
	return scale->onset + (scale->repeat > 1 ? (i - scale->lead) / scale->repeat : (i - scale->lead) * scale->join);
}

char timeline_symbol(const struct timeline_scale *scale, const json_t *ratios, size_t i)
{
	size_t first = source_of(scale, i), seen = 0, unseen = 0;
	double sum = 0;

	for (size_t at = first; at < first + scale->join; at++) {
		const json_t *ratio = json_array_get(ratios, at);
		if (json_is_number(ratio) && isfinite(json_number_value(ratio))) {
			sum += fmin(fmax(json_number_value(ratio), 0), 1);
			seen++;
		} else if (at < json_array_size(ratios) || seen == 0) {
			unseen++;
		}
	}
	double mean = seen > 0 ? sum / (double)seen : 0;
	if (seen == 0 || (unseen > 0 && mean < some_from))
		return '?';
	return mean >= all_from ? '#' : mean >= half_from ? '+' : mean >= some_from ? '.' : '-';
}

static enum table_style style_of(char symbol)
{
	switch (symbol) {
	case '#':
		return TABLE_HIGH;
	case '+':
		return TABLE_ELEVATED;
	case '?':
		return TABLE_DIM;
	default:
		return TABLE_PLAIN;
	}
}

static void print_row(struct page *page, const struct timeline_scale *scale, size_t label, const json_t *row)
{
	const json_t *ratios;
	char run[TIMELINE_COLUMNS + 1];

	document_list(row, "ratio", &ratios);
	page_to(page, 2);
	page_cell(page, label, false, document_text(row, "name"));
	page_to(page, 2 + label + 1);
	for (size_t i = 0; i < scale->count;) {
		char symbol = timeline_symbol(scale, ratios, i);
		size_t length = 0;
		while (i < scale->count && timeline_symbol(scale, ratios, i) == symbol) {
			run[length++] = symbol;
			i++;
		}
		run[length] = '\0';
		page_text(page, run, style_of(symbol));
	}
	page_end(page);
}

/* What time is told in. */
struct time_unit {
	const char *label;
	double us;
};

static const struct time_unit *unit_of(double all_us)
{
	static const struct time_unit units[] = {{"s from onset", 1e6}, {"min fr. onset", 60e6}, {"h from onset", 3600e6}};

	return &units[all_us < 180e6 ? 0 : all_us < 3 * 3600e6 ? 1 : 2];
}

/* 1, 2 or 5 times a power of ten, the least that is not below it. */
static double round_step(double step)
{
	double power = pow(10, floor(log10(step)));

	return step <= power ? power : step <= 2 * power ? 2 * power : step <= 5 * power ? 5 * power : 10 * power;
}

/* The line of times: each stands where its column begins. */
static void print_axis(struct page *page, const struct timeline_scale *scale, size_t label)
{
	const struct time_unit *unit = unit_of(scale->column_us * (double)scale->count);
	double column = scale->column_us / unit->us;
	double step = round_step(column * TICK_LEAST);
	double places = step >= 1 ? 0 : ceil(-log10(step) - 1e-9);
	int digits = places < 9 ? (int)places : 9;
	size_t apart = 0; /* columns that a label keeps from the one before */

	page_to(page, 2);
	page_cell(page, label, false, unit->label);
	page_to(page, 2 + label + 1);
	for (double number = ceil(-(double)scale->lead * column / step - 1e-9);; number++) {
		double at = round((double)scale->lead + number * step / column);
		char text[32];
		if (at >= (double)scale->count)
			break;
		snprintf(text, sizeof(text), "%.*f", digits, number == 0 ? 0.0 : number * step);
		size_t begin = 2 + label + 1 + (size_t)at;
		if (begin + strlen(text) > PAGE_WIDTH)
			break;
		if (begin < page->column + apart)
			continue;
		page_to(page, begin);
		page_text(page, text, TABLE_PLAIN);
		apart = 1;
	}
	page_end(page);
}

static void print_head(struct page *page, const struct timeline_scale *scale)
{
	char column[PAUSE_FIGURE_BYTES], narrow[16];

	page_text(page, "TIMELINE", TABLE_BOLD);
	if (scale->count > 0) {
		pause_duration_text((uint64_t)(scale->column_us * NS_PER_US), column);
		bool fits = strlen(column) <= 7;
		page_print(page, "  one column = %s   # all of it  + half  . some  - none  ? not seen",
		        fits ? column : value_duration(scale->column_us * NS_PER_US, narrow));
	}
	page_end(page);
}

void timeline_print(struct page *page, const json_t *document)
{
	const json_t *timeline = document_object(document, "timeline"), *rows, *ratios;
	size_t count = least(document_list(timeline, "rows", &rows), TIMELINE_ROWS), columns = 0, label = LABEL_LEAST;
	double bucket_us = document_number(timeline, "bucket_us"), from_us = document_number(timeline, "from_us");
	uint64_t span_ns = document_ns(document, "span_us"), duration_ns = document_ns(document, "duration_us");
	struct timeline_scale scale = {0};

	for (size_t i = 0; i < count; i++) {
		size_t length = document_list(document_item(rows, i), "ratio", &ratios);
		size_t wide = page_columns(page, document_text(document_item(rows, i), "name"));
		columns = length > columns ? length : columns;
		label = wide > label ? least(wide, LABEL_MOST) : label;
	}
	if (columns > 0 && bucket_us >= 1 && bucket_us < 1e15 && fabs(from_us) < 1e15)
		scale = timeline_scale(columns, bucket_us, from_us, (double)(span_ns ? span_ns : duration_ns) / NS_PER_US);
	print_head(page, &scale);
	if (scale.count == 0) {
		page_text(page, "  none", TABLE_PLAIN);
		page_end(page);
		return;
	}
	label = unit_of(scale.column_us * (double)scale.count)->us == 60e6 && label < 13 ? 13 : label;
	print_axis(page, &scale, label);
	for (size_t i = 0; i < count; i++)
		print_row(page, &scale, label, document_item(rows, i));
	if (scale.repeat > 1) {
		char seen[PAUSE_FIGURE_BYTES];
		page_print(page, "  seen at steps of %s, each drawn as %zu columns",
		        pause_duration_text((uint64_t)(bucket_us * NS_PER_US), seen), scale.repeat);
		page_end(page);
	}
}
