/*
 * figures.h - medians, and one line for each figure with its limit beside it.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdio.h>
#include <stdlib.h>

static inline int figures_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median of `count` values, which are put in order. */
static inline double figures_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), figures_compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* A figure that should be at most, or at least, its limit. */
static inline void figure_at_most(const char *what, double measured, double limit, const char *unit)
{
	printf("%-66s %10.2f   <= %-8g %-5s %s\n", what, measured, limit, unit, measured <= limit ? "ok" : "OVER");
	fflush(stdout);
}

static inline void figure_at_least(const char *what, double measured, double limit, const char *unit)
{
	printf("%-66s %10.2f   >= %-8g %-5s %s\n", what, measured, limit, unit, measured >= limit ? "ok" : "UNDER");
	fflush(stdout);
}

/* A figure without a limit, for understanding the others. */
static inline void figure_note(const char *what, double measured, const char *unit)
{
	printf("%-66s %10.2f   %-11s %-5s\n", what, measured, "", unit);
	fflush(stdout);
}

#endif
