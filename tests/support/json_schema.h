/*
 * json_schema.h - holds a JSON document against a JSON Schema, of draft 2020-12 what docs/pause.schema.json uses: type, enum, const, pattern, minimum,
 * maximum, maxLength, maxItems, items, properties, required, anyOf, $ref into $defs. A keyword that is not among these is a fault of the schema.
 */
#ifndef TESTS_SUPPORT_JSON_SCHEMA_H
#define TESTS_SUPPORT_JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

enum { SCHEMA_FAULT_BYTES = 400 };

/*
 * Whether the document is valid. With `strict` an object's members must all be in its properties: what is written is described. Else `fault` holds
 * where and why not.
 */
bool schema_allows(json_t *schema, json_t *document, bool strict, char fault[SCHEMA_FAULT_BYTES]);

#endif
