/*
 * json_peer.c - jansson's view of a document, see json_peer.h.
 */
#include "tests/unit/json_peer.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

bool peer_accepts(const char *document)
{
	json_t *value = json_loads(document, JSON_REJECT_DUPLICATES, NULL);
	bool accepted = value != NULL;
	json_decref(value);
	return accepted;
}

char *peer_text(const char *document, const char *key)
{
	json_t *object = json_loads(document, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(object, key));
	char *copy = text ? strdup(text) : NULL;
	json_decref(object);
	return copy;
}

double peer_number(const char *document)
{
	json_t *array = json_loads(document, 0, NULL);
	json_t *first = json_array_get(array, 0);
	double number = json_is_number(first) ? json_number_value(first) : NAN;
	json_decref(array);
	return number;
}
