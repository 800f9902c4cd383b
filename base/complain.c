/*
 * complain.c - one sentence on stderr, see complain.h.
 */
#include "base/complain.h"

#include "base/terminal.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SENTENCE_BYTES = 1024 };

void complain(const char *format, ...)
{
	char raw[SENTENCE_BYTES], safe[SENTENCE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	text_sanitise(raw, strlen(raw), safe, sizeof(safe));
	if (terminal_of(stderr).ascii)
		text_reduce_to_ascii(safe);
	fprintf(stderr, "rogue-hunter: %s\n", safe);
}
