/*
 * print.h - the report of `status`, for people and as JSON.
 */
#ifndef READERS_STATUS_PRINT_H
#define READERS_STATUS_PRINT_H

#include "readers/status/health.h"

#include <stdio.h>

void print_text(FILE *out, const struct health *health);
void print_json(FILE *out, const struct health *health);

#endif
