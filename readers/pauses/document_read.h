/*
 * document_read.h - typed access to a pause's JSON document (schema rogue-hunter.pause/1).
 *
 * A document is input: it may come from a later version, or from somebody who means harm. A key of another type than expected counts as
 * absent, lists are read up to a limit, and numbers are finite. Texts are any bytes of UTF-8 but NUL: whoever prints them sanitises them (page.h).
 */
#ifndef READERS_PAUSES_DOCUMENT_READ_H
#define READERS_PAUSES_DOCUMENT_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	DOCUMENT_BYTES_MOST = 4 * 1024 * 1024,
	DOCUMENT_ITEMS_MOST = 4096, /* of a list that are looked at */
	DOCUMENT_ERROR_BYTES = 256,
};

/*
 * Parses a document.
 * Returns the object (owned: json_decref()), or NULL with a sentence if it is no JSON, not an object, too long, or of another schema.
 * Cost: in proportion to its length.
 */
json_t *document_parse(const char *text, size_t length, char error[DOCUMENT_ERROR_BYTES]);

/* The member of that name, NULL where absent, null or of another type. `object` may be NULL. Borrowed from it. */
const json_t *document_object(const json_t *object, const char *key);

/* How many items the list has (0 where there is none), up to the limit. */
size_t document_list(const json_t *object, const char *key, const json_t **ret_list);

/* Item i of a list if it is an object, else NULL. */
const json_t *document_item(const json_t *list, size_t i);

/* The text, "" where absent. Borrowed. */
const char *document_text(const json_t *object, const char *key);

/* The number, or NAN where absent. */
double document_number(const json_t *object, const char *key);

/* A whole number from 0 on: the number, or `otherwise` where absent. A fraction is cut off. */
uint64_t document_count(const json_t *object, const char *key, uint64_t otherwise);

/* A time in us as ns, or 0 where absent; at most INT64_MAX. */
uint64_t document_ns(const json_t *object, const char *key);

/* Is it there, and true? */
bool document_is_true(const json_t *object, const char *key);

/* Writes the text of a document as one line, with every control, invisible or broken character escaped: for a parser it stays the same document. */
void document_write(FILE *out, const char *text);

#endif
