/* assert.c - the end of a program that has found a bug in itself. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *file, int line, const char *expression)
{
	fprintf(stderr, "rogue-hunter: bug: %s:%d: '%s' does not hold; please report it\n", file, line, expression);
	abort();
}
