/* near.h - cmocka's assert_float_equal() for doubles. Include it after cmocka.h. */
#ifndef TESTS_NEAR_H
#define TESTS_NEAR_H

#include <math.h>

#define assert_near(actual, expected, within) near_check((double)(actual), (double)(expected), (double)(within), __FILE__, __LINE__)

static inline void near_check(double actual, double expected, double within, const char *file, int line)
{
	if (fabs(actual - expected) <= within)
		return;
	print_error("%.9g is not within %.3g of %.9g\n", actual, within, expected);
	_fail(file, line);
}

#endif
