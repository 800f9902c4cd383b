/*
 * table.c - the column printer, see table.h.
 */
#include "readers/common/table.h"

#include "base/text.h"
#include "rogue/samples.h"

#include <string.h>

enum { CELL_BYTES = 512 };

static const char *const style_codes[] = {
        [TABLE_PLAIN] = "",
        [TABLE_BOLD] = "\033[1m",
        [TABLE_DIM] = "\033[2m",
        [TABLE_MEDIUM] = "\033[36m",
        [TABLE_ELEVATED] = "\033[33m",
        [TABLE_HIGH] = "\033[31m",
        [TABLE_CRITICAL] = "\033[1;31m",
};

static void make_safe(const struct terminal *terminal, const char *text, char out[CELL_BYTES])
{
	text_sanitise(text, strlen(text), out, CELL_BYTES);
	if (terminal->ascii)
		text_reduce_to_ascii(out);
}

static void write_styled(FILE *out, const struct terminal *terminal, const char *safe, enum table_style style)
{
	bool coloured = terminal->colour && style != TABLE_PLAIN && safe[0];
	fprintf(out, "%s%s%s", coloured ? style_codes[style] : "", safe, coloured ? "\033[0m" : "");
}

static void pad(FILE *out, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		fputc(' ', out);
}

void table_begin(struct table *table, FILE *out, const struct table_column *columns, size_t count, bool fit)
{
	*table = (struct table){.out = out, .terminal = terminal_of(out), .columns = columns, .count = count};
	if (!fit || table->terminal.columns == 0)
		return;
	size_t used = 0, shown = 0;
	while (shown < count) {
		used += columns[shown].width + (shown > 0);
		if (used > table->terminal.columns && shown > 0)
			break;
		shown++;
	}
	table->count = shown;
}

void table_titles(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		table_cell(table, table->columns[i].title, TABLE_BOLD);
	table_end_row(table);
}

/* Shortens text in place to the width of its column, and shows by a '~' that it was. */
static void cut_to(char *text, size_t width)
{
	if (width == 0 || text_columns(text) <= width)
		return;
	text_cut(text, width - 1);
	size_t length = strlen(text);
	text[length] = '~'; /* there is room: at least one character went */
	text[length + 1] = '\0';
}

void table_cell(struct table *table, const char *text, enum table_style style)
{
	if (table->next >= table->count) {
		table->next++;
		return;
	}
	const struct table_column *column = &table->columns[table->next];
	char safe[CELL_BYTES];

	make_safe(&table->terminal, text, safe);
	if (!column->right)
		cut_to(safe, column->width);
	size_t used = text_columns(safe);
	size_t spare = used < column->width ? column->width - used : 0;
	bool last = table->next + 1 == table->count;

	if (table->next > 0)
		fputc(' ', table->out);
	if (column->right)
		pad(table->out, spare);
	write_styled(table->out, &table->terminal, safe, style);
	if (!column->right && !last)
		pad(table->out, spare);
	table->next++;
}

void table_end_row(struct table *table)
{
	if (table->next > 0)
		fputc('\n', table->out);
	table->next = 0;
}

enum table_style table_band_style(unsigned band)
{
	switch (band) {
	case RH_BAND_medium:
		return TABLE_MEDIUM;
	case RH_BAND_elevated:
		return TABLE_ELEVATED;
	case RH_BAND_high:
		return TABLE_HIGH;
	case RH_BAND_critical:
		return TABLE_CRITICAL;
	default:
		return TABLE_PLAIN;
	}
}

void table_styled(FILE *out, const struct terminal *terminal, const char *text, enum table_style style)
{
	char safe[CELL_BYTES];
	make_safe(terminal, text, safe);
	write_styled(out, terminal, safe, style);
}
