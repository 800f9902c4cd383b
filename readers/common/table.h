/*
 * table.h - prints rows of cells under column titles, cell by cell, without keeping them.
 *
 * Every cell and title passes the sanitiser here, so no caller can forget it. Left-aligned text that is too wide is cut and ends in '~';
 * right-aligned numbers are never cut, since a cut number is a wrong one. Colour is used only where the terminal allows it.
 */
#ifndef READERS_COMMON_TABLE_H
#define READERS_COMMON_TABLE_H

#include "base/terminal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_style { TABLE_PLAIN, TABLE_BOLD, TABLE_DIM, TABLE_MEDIUM, TABLE_ELEVATED, TABLE_HIGH, TABLE_CRITICAL };

struct table_column {
	const char *title; /* borrowed for the life of the table */
	unsigned width;    /* in terminal columns */
	bool right;        /* numbers: aligned to the right */
};

/* A printer. All members are private. */
struct table {
	FILE *out;
	struct terminal terminal;
	const struct table_column *columns;
	size_t count; /* columns that are shown */
	size_t next;  /* column of the next cell */
};

/*
 * Begins a table.
 *   columns  [count], borrowed
 *   fit      leave out columns at the right that the terminal has no room for
 * Writes nothing yet.
 */
void table_begin(struct table *table, FILE *out, const struct table_column *columns, size_t count, bool fit);

/* Writes the line of titles. */
void table_titles(struct table *table);

/* Writes the next cell of the row. Cells of columns that `fit` left out are dropped, so a caller writes them all. */
void table_cell(struct table *table, const char *text, enum table_style style);

/* Ends the row. */
void table_end_row(struct table *table);

/* Style of a band (enum rh_band). */
enum table_style table_band_style(unsigned band);

/* Writes text in a style, sanitised; for lines above a table. */
void table_styled(FILE *out, const struct terminal *terminal, const char *text, enum table_style style);

#endif
