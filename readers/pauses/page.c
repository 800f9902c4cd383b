/*
 * page.c - text of 80 columns, see page.h.
 */
#include "readers/pauses/page.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>

void page_begin(struct page *page, FILE *out)
{
	*page = (struct page){.out = out, .terminal = terminal_of(out)};
}

static void make_safe(const struct page *page, const char *text, char out[PAGE_TEXT_BYTES])
{
	text_sanitise(text, strlen(text), out, PAGE_TEXT_BYTES);
	if (page->terminal.ascii)
		text_reduce_to_ascii(out);
}

size_t page_columns(const struct page *page, const char *text)
{
	char safe[PAGE_TEXT_BYTES];

	make_safe(page, text, safe);
	return text_columns(safe);
}

/* Shortens safe text in place to that many columns, and shows by a '~' that it was. */
static void cut_to(char *safe, size_t columns)
{
	if (columns == 0) {
		safe[0] = '\0';
		return;
	}
	if (text_columns(safe) <= columns)
		return;
	text_cut(safe, columns - 1);
	size_t length = strlen(safe);
	safe[length] = '~'; /* there is room: at least one character went */
	safe[length + 1] = '\0';
}

static size_t room(const struct page *page)
{
	return page->column < PAGE_WIDTH ? PAGE_WIDTH - page->column : 0;
}

static void write_safe(struct page *page, const char *safe, enum table_style style)
{
	table_styled(page->out, &page->terminal, safe, style);
	page->column += text_columns(safe);
}

void page_text(struct page *page, const char *text, enum table_style style)
{
	char safe[PAGE_TEXT_BYTES];

	make_safe(page, text, safe);
	cut_to(safe, room(page));
	write_safe(page, safe, style);
}

void page_print(struct page *page, const char *format, ...)
{
	char text[PAGE_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	page_text(page, text, TABLE_PLAIN);
}

void page_to(struct page *page, size_t column)
{
	for (; page->column < column && page->column < PAGE_WIDTH; page->column++)
		fputc(' ', page->out);
}

void page_cell(struct page *page, size_t width, bool right, const char *text)
{
	char safe[PAGE_TEXT_BYTES];
	size_t begin = page->column;

	make_safe(page, text, safe);
	cut_to(safe, width < room(page) ? width : room(page));
	size_t columns = text_columns(safe);
	if (right && columns < width)
		page_to(page, begin + width - columns);
	write_safe(page, safe, TABLE_PLAIN);
}

/* Takes the next word from a text that it cuts up; what is quoted is one word where `quotes` is set. NULL at the end. */
static char *next_word(char **rest, bool quotes)
{
	char *word = *rest + strspn(*rest, " "), quote = '\0', *end = word;

	if (!*word)
		return NULL;
	for (; *end && (*end != ' ' || quote); end++)
		if (quotes && (*end == '\'' || *end == '"') && (!quote || quote == *end))
			quote = quote ? '\0' : *end;
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

bool page_flows(const struct page *page, size_t indent, const char *continued, const char *text)
{
	char safe[PAGE_TEXT_BYTES], *rest = safe;
	bool fits = true;

	make_safe(page, text, safe);
	for (char *word; (word = next_word(&rest, continued[0] != '\0'));)
		fits = fits && indent + text_columns(word) + strlen(continued) <= PAGE_WIDTH;
	return fits;
}

void page_flow(struct page *page, size_t indent, const char *continued, const char *text)
{
	char safe[PAGE_TEXT_BYTES], *rest = safe;
	make_safe(page, text, safe);
	bool first = safe[0] != ' ' || page->column <= indent; /* a blank ahead parts it from what stands there already */
	for (char *word; (word = next_word(&rest, continued[0] != '\0'));) {
		size_t blank = first ? 0 : 1;
		bool fits = page->column + blank + text_columns(word) + strlen(continued) <= PAGE_WIDTH;
		if (!fits && page->column > indent) {
			fputs(continued, page->out);
			page_end(page);
			page_to(page, indent);
		} else if (!first) {
			page_to(page, page->column + 1);
		}
		/* A word longer than a line is the only one that is cut, so there is room behind it for the '~'. */
		if (text_columns(word) + strlen(continued) > room(page))
			page_text(page, word, TABLE_PLAIN);
		else
			write_safe(page, word, TABLE_PLAIN);
		first = false;
	}
}

void page_flow_print(struct page *page, size_t indent, const char *format, ...)
{
	char text[PAGE_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	page_flow(page, indent, "", text);
}

void page_end(struct page *page)
{
	fputc('\n', page->out);
	page->column = 0;
}
