/*
 * schema.h - the tables of fields as they stand in a segment.
 */
#ifndef SHM_SCHEMA_H
#define SHM_SCHEMA_H

#include "shm/layout.h"

/* Fields of both tables together. */
uint32_t schema_count(void);

/* Fills in [schema_count()] fields: the process record first, each table in its order. */
void schema_fill(struct seg_field *fields);

#endif
