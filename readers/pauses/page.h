/*
 * page.h - text of 80 columns: cells, cut values, flowing sentences. Every text passes the sanitiser here, so no caller can forget it.
 */
#ifndef READERS_PAUSES_PAGE_H
#define READERS_PAUSES_PAGE_H

#include "readers/common/table.h"

enum { PAGE_WIDTH = 80, PAGE_TEXT_BYTES = 2048 };

/* A page, line by line. All members are private. */
struct page {
	FILE *out;
	struct terminal terminal;
	size_t column; /* that the next character goes to, from 0 */
};

/* Begins a page; writes nothing yet. */
void page_begin(struct page *page, FILE *out);

/* Writes text; what goes beyond the margin is cut, and ends in '~'. */
void page_text(struct page *page, const char *text, enum table_style style);
void page_print(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes text into the next `width` columns, cut to them. */
void page_cell(struct page *page, size_t width, bool right, const char *text);

/* Writes blanks up to a column; none where the line is that far already. */
void page_to(struct page *page, size_t column);

/*
 * Writes words, broken into lines between them; lines after the first begin at `indent`. The last line stays open. Runs of blanks become one;
 * one ahead of the first word parts it from what the line holds.
 *   continued  what a broken line ends in: "", or " \\" of a command that is to be pasted, which is not broken within quotes
 */
void page_flow(struct page *page, size_t indent, const char *continued, const char *text);

/* Has page_flow() no word to cut, because it is longer than a line? */
bool page_flows(const struct page *page, size_t indent, const char *continued, const char *text);

/* page_flow() for what a format makes. */
void page_flow_print(struct page *page, size_t indent, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Ends the line. */
void page_end(struct page *page);

/* Columns that text will take. */
size_t page_columns(const struct page *page, const char *text);

#endif
