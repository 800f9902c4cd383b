/*
 * assert.h - assertions about our own code. On in every build; never about bytes that came from outside.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

_Noreturn void assert_failed(const char *file, int line, const char *expression);

#define RH_ASSERT(expression) ((expression) ? (void)0 : assert_failed(__FILE__, __LINE__, #expression))

#endif
