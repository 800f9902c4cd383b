/*
 * doctor_print.h - the report of `doctor`, for people and as JSON.
 */
#ifndef READERS_DOCTOR_DOCTOR_PRINT_H
#define READERS_DOCTOR_DOCTOR_PRINT_H

#include "readers/doctor/examine.h"

#include <stdio.h>

/* At most 80 columns wide, but for words that are longer. */
void doctor_print_text(FILE *out, const struct report *report);

/* One object of schema "rogue-hunter.doctor/1". */
void doctor_print_json(FILE *out, const struct report *report);

#endif
