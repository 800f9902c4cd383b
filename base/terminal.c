/*
 * terminal.c - what the terminal behind a stream can take, see terminal.h.
 */
#include "base/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool colour_wanted(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return (!no_colour || !no_colour[0]) && term && term[0] && strcmp(term, "dumb") != 0;
}

/* Looks at the environment's locale without making it the program's: numbers stay in the C locale. */
static bool locale_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	if (!locale)
		return false;
	bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
	freelocale(locale);
	return utf8;
}

struct terminal terminal_of(FILE *stream)
{
	struct terminal terminal = {0};
	struct winsize size;
	int fd = fileno(stream);

	if (fd < 0 || !isatty(fd))
		return terminal;
	terminal.colour = colour_wanted();
	terminal.ascii = !locale_is_utf8();
	if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
		terminal.columns = size.ws_col;
		terminal.rows = size.ws_row;
	}
	return terminal;
}
